"""From what is allowed to what is held: rows of the ledger, queues of devices, alarms of what does not come true."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.control.controller import OPERATOR, Controller, Outcome
from app.control.feedback import WORDS, Doubt, Feedback
from app.control.fleet import Floats
from app.control.ledger import Ledger
from app.control.outlet import Field, Outlet, Sent
from app.control.protection import CLIPS
from app.model.clock import SECOND_NS, Clock
from app.model.config import Priority
from app.model.control import CLIP_NAMES, Clip
from app.model.station import Point
from app.model.text import Text

Alarm = Callable[[str, Text | None, Priority], None]
"""Told what is wrong by its key, and None when it is over."""
_HUNTS: Final = Text(
    "its setpoint goes up and down again and again; it is damped: check meter, loads and parameters",
    "设定值反复振荡，已限速；请检查电表、负荷与参数",
)
CLIPPED_S: Final = 30.0
"""What protection clips for so long is told."""
_TOLD: Final = np.array([one not in {Clip.NONE, Clip.RANK, Clip.RAMP, Clip.OFF, Clip.TRIP, Clip.STOP} for one in CLIPS])
"""bool[clips]: those that no alarm of their own tells."""
_TRIES: Final = 2
"""Writes that fail one after the other until it is an alarm: one may be noise."""

_log = logging.getLogger("gridroom.control")


class Dispatcher:
    """Of one controller. On the engine's loop."""

    def __init__(self, controller: Controller, field: Field, ledger: Ledger, clock: Clock, alarm: Alarm) -> None:
        self._controller = controller
        self._fleet = controller.fleet
        self._ledger = ledger
        self._clock = clock
        self._alarm = alarm
        fleet, by_id = self._fleet, controller.station.by_id
        self._outlets: dict[str, Outlet] = {
            id_: Outlet(by_id[id_], field, clock, self._told, self._expired) for id_ in fleet.by_device
        }
        self._field = field
        self._beating = [
            one.id for one in controller.station.devices
            if one.control.heartbeat is not None and one.id not in fleet.by_device
        ]  # fmt: skip
        """Devices with a heartbeat and no setpoint of control's, such as a battery of its own."""
        self._tasks: list[asyncio.Task[None]] = []
        self._row = {one.point.name: i for i, one in enumerate(fleet.channels)}
        n = len(fleet)
        self._clipped_ns: NDArray[np.int64] = np.zeros(n, np.int64)
        self._long_clipped = np.zeros(n, np.bool_)
        self.sent: Floats = np.full(n, np.nan)
        self.sent_at: NDArray[np.int64] = np.zeros(n, np.int64)
        self.held: Floats = np.full(n, np.nan)
        self._failures: dict[str, int] = {}
        """By device, and by the key of its heartbeat's alarm: writes that failed one after the other."""
        self._raised: set[str] = set()
        self.feedback = Feedback(fleet)

    def start(self) -> None:
        """Begin to send."""
        for id_ in self._outlets:
            self._begin(id_)

    def halt(self, why: str) -> None:
        """Send no more; end the open rows."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self._ledger.close_all(why)

    def outlet(self, device: str) -> Outlet:
        """Of a device, with or without channels."""
        if device not in self._outlets:
            station = self._controller.station
            self._outlets[device] = Outlet(station.by_id[device], self._field, self._clock, self._told)
            if self._tasks:
                self._begin(device)
        return self._outlets[device]

    def send(self, outcome: Outcome) -> None:
        """Hand a cycle's values on."""
        for i, one in enumerate(self._fleet.channels):
            value, outlet = float(outcome.allowed[i]), self._outlets[one.device.id]
            if np.isnan(value):
                if not np.isnan(self.sent[i]):
                    self.sent[i] = np.nan
                outlet.release(one.point)
                self._ledger.close(one.point, why="released")
                continue
            ticket = self._ledger.open(
                one.point, outcome.key(i), requested=float(outcome.requested[i]), allowed=value,
                why=self._why(outcome, i), urgent=bool(outcome.urgent[i]), person=self._person(outcome, i),
            )  # fmt: skip
            outlet.want(one.point, value, ticket)
            outlet.alive()
        for id_ in self._beating:
            outlet = self.outlet(id_)
            if id_ in self._controller.standing.tags or self._controller.station.read_only:
                outlet.rest()
            else:
                outlet.alive()
        self.feedback.look(self.sent, outcome.inputs.power, outcome.meter_kw, self._clock.monotonic_ns())
        self._tell_doubts()
        self._tell_trips()
        self._tell_hunting()
        self._tell_clips(outcome)
        self._ledger.tick()

    def _begin(self, id_: str) -> None:
        task = asyncio.get_running_loop().create_task(self._outlets[id_].run(), name=f"outlet {id_}")
        self._tasks.append(task)

    def _person(self, outcome: Outcome, i: int) -> str:
        """Who has set it by hand; empty where nobody has."""
        given = self._controller.standing.manual.get(self._fleet.channels[i].point.name)
        return given.who if given is not None and outcome.holder(i) == OPERATOR else ""

    def _why(self, outcome: Outcome, i: int) -> str:
        at = int(outcome.verdict.holder[i])
        words = outcome.live[at].why.en if at >= 0 else ""
        clip = CLIPS[int(outcome.clip[i])]
        limited = f"limited by {CLIP_NAMES[clip].en}" if CLIP_NAMES[clip].en else ""
        return "; ".join(word for word in (words, limited) if word)

    def _told(self, sent: Sent) -> None:
        name, device = sent.point.name, sent.point.device
        if sent.point.form.role == "heartbeat":
            self._tell_heartbeat(sent)
            return
        row = self._row.get(name)
        if row is not None:
            self._ledger.sent(sent)
            self.sent[row] = sent.value if sent.error is None else np.nan
            self.sent_at[row], self.held[row] = sent.at, sent.held
        if sent.error is None:
            self._failures[device] = 0
            self._raise(f"control_{device}", None)
            if row is not None and self._holds_another(row, sent):
                what = Text(f"{name} was set to {sent.value:g}, and the device holds {sent.held:g}",
                            f"{name} 设定为 {sent.value:g}，设备实际保持 {sent.held:g}")  # fmt: skip
                self._raise(f"control_held_{device}", what)
            elif row is not None:
                self._raise(f"control_held_{device}", None)
            return
        self._failures[device] = self._failures.get(device, 0) + 1
        _log.warning("%s could not be set to %g: %s", name, sent.value, sent.error.en)
        if self._failures[device] >= _TRIES or row is None:
            what = Text(f"{name} cannot be set: {sent.error.en}", f"{name} 无法设定：{sent.error.zh}")
            self._raise(f"control_{device}", what)

    def _tell_heartbeat(self, sent: Sent) -> None:
        """It moves nothing, and has no row in the ledger; that it is not taken must be known."""
        key, name, error = f"control_heartbeat_{sent.point.device}", sent.point.name, sent.error
        self._failures[key] = 0 if error is None else self._failures.get(key, 0) + 1
        if 0 < self._failures[key] < _TRIES:
            return
        self._raise(key, None if error is None else Text(
            f"{name} cannot be counted up, and the device may fall back by itself: {error.en}",
            f"{name} 心跳写入失败，设备可能自行回退：{error.zh}"))  # fmt: skip

    def _holds_another(self, row: int, sent: Sent) -> bool:
        one = self._fleet.channels[row]
        step = abs(one.point.form.scale) if one.point.form.scale else 0.0
        near = max(step, one.device.control.confirm.tolerance_pct / 100.0 * abs(sent.value))
        return bool(np.isfinite(sent.held)) and abs(sent.held - sent.value) > near

    def _tell_doubts(self) -> None:
        for i, one in enumerate(self._fleet.channels):
            doubt, key = self.feedback.doubt[i], f"control_follows_{one.device.id}"
            if doubt is Doubt.NONE:
                if key in self._raised and self.feedback.confirmed[i]:
                    self._raise(key, None)
                continue
            name = one.device.name
            words = WORDS[doubt]
            self._raise(key, Text(f"{name.en} {words.en}", f"{name.zh}{words.zh}"))
            if doubt is Doubt.OPPOSITE:
                self._controller.standing.trips.setdefault(one.device.id, words)

    def _expired(self, point: Point, expired: bool) -> None:
        what = Text(f"{point.name} is not renewed any more, for nobody says what it shall be; see the log",
                    f"{point.name} 已不再刷新：控制未给出设定值；请查看日志")  # fmt: skip
        self._raise(f"control_expired_{point.name}", what if expired else None)

    def _tell_clips(self, outcome: Outcome) -> None:
        """What protection has kept from what was asked for so long that somebody should know."""
        now = self._clock.monotonic_ns()
        told = _TOLD[outcome.clip] & np.isfinite(outcome.allowed)
        self._clipped_ns = np.where(told, np.where(self._clipped_ns > 0, self._clipped_ns, now), 0)
        long = told & (now - self._clipped_ns >= CLIPPED_S * SECOND_NS)
        for i in np.flatnonzero(long != self._long_clipped).tolist():
            one, words = self._fleet.channels[i], CLIP_NAMES[CLIPS[int(outcome.clip[i])]]
            what = Text(f"{one.point.name} is kept from what is asked of it: {words.en}",
                        f"{one.point.name} 受限，未达请求值：{words.zh}")  # fmt: skip
            self._raise(f"control_clip_{one.point.name}", what if long[i] else None, Priority.LOW)
        self._long_clipped = long

    def _tell_hunting(self) -> None:
        for i in np.flatnonzero(self._fleet.is_active):
            device = self._fleet.channels[i].device
            hunts = Text(f"{device.name.en}: {_HUNTS.en}", f"{device.name.zh}：{_HUNTS.zh}")
            self._raise(f"control_hunts_{device.id}", hunts if self._controller.hunting.hunts[i] else None)

    def _tell_trips(self) -> None:
        trips: Mapping[str, Any] = self._controller.standing.trips
        for id_, device in ((id_, self._controller.station.by_id[id_]) for id_ in self._fleet.by_device):
            why = trips.get(id_)
            key = f"control_trip_{id_}"
            if why is None:
                self._raise(key, None)
            else:
                name = device.name
                self._raise(key, Text(f"{name.en} has tripped: {why.en}; reset it when that is mended",
                                      f"{name.zh} 保护跳闸：{why.zh}；处理后请复归"), Priority.URGENT)  # fmt: skip

    def _raise(self, key: str, what: Text | None, priority: Priority = Priority.HIGH) -> None:
        if what is None and key not in self._raised:
            return
        if what is not None and key in self._raised:
            return
        (self._raised.discard if what is None else self._raised.add)(key)
        self._alarm(key, what, priority)
