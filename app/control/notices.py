"""What of control needs a person: what is not taken, not held, not followed, clipped, tripped, stopped. Each is told
once, and ended when it is over."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.control.controller import Controller, Outcome
from app.control.feedback import WORDS, Doubt, Feedback
from app.control.fleet import Channel, carried
from app.control.outlet import Sent
from app.control.protection import CLIPS
from app.model.clock import SECOND_NS, Clock
from app.model.config import Priority
from app.model.control import CLIP_NAMES, COMMAND_ROLES, Clip
from app.model.station import Point
from app.model.text import Text

Alarm = Callable[[str, Text | None, Priority], None]
"""Told what is wrong by its key, and None when it is over."""
CLIPPED_S: Final = 30.0
"""What protection clips for so long is told."""
TRIES: Final = 2
"""Writes that fail one after the other until it is an alarm: one may be noise."""
_STOP: Final = "control_stop"
_SET: Final = "control_set_"
_HUNTS: Final = Text(
    "its setpoint goes up and down again and again; it is damped: check meter, loads and parameters",
    "设定值反复振荡，已限速；请检查电表、负荷与参数",
)
_TOLD: Final = np.array([one not in {Clip.NONE, Clip.RANK, Clip.RAMP, Clip.OFF, Clip.TRIP, Clip.STOP} for one in CLIPS])
"""bool[clips]: those that no alarm of their own tells."""

_log = logging.getLogger("gridroom.control")


class Notices:
    """Of one controller. On the engine's loop."""

    def __init__(self, controller: Controller, clock: Clock, alarm: Alarm) -> None:
        self._controller, self._fleet = controller, controller.fleet
        self._clock, self._alarm = clock, alarm
        self._raised: set[str] = set()
        self._failures: dict[str, int] = {}
        """By key: writes that failed one after the other."""
        n = len(self._fleet)
        self._clipped_ns: NDArray[np.int64] = np.zeros(n, np.int64)
        """Monotonic, since when each is clipped; 0 where it is not."""
        self._long_clipped = np.zeros(n, np.bool_)

    def follow(self, before: Notices) -> None:
        """What was told stays told; what nobody can end any more, for it is of something that is gone, is over."""
        at = self._fleet.positions_in(before._fleet)
        self._clipped_ns = carried(before._clipped_ns, at, 0)
        self._long_clipped = carried(before._long_clipped, at, False)
        mine, known = set(self._keys()), self._controller.station.by_name
        for key in before._raised:
            if key in mine or key.removeprefix(_SET) in known:
                self._raised.add(key)
            else:
                self._alarm(key, None, Priority.HIGH)

    def _keys(self) -> Iterator[str]:
        """What can be told of this controller's devices, but for what a new queue begins anew and for writes that
        fail, of which there may be as many as points."""
        yield _STOP
        for device in self._controller.station.devices:
            if device.control.heartbeat is not None:
                yield _beats(device.id)
        for one in self._fleet.channels:
            yield from (_holds(one), _clips(one), _follows(one), _hunts(one), _trips(one.device.id))

    def look(self, outcome: Outcome, feedback: Feedback) -> None:
        """Once a cycle, when all of it has been handed on."""
        self._tell_stop()
        self._tell_rest(outcome)
        self._tell_doubts(feedback)
        self._tell_trips()
        self._tell_hunting()
        self._tell_clips(outcome)

    def sent(self, sent: Sent, channel: int | None) -> None:
        """A write has ended; `channel` None of a command and of what makes a device take setpoints.

        A command is not sent again by itself: that it failed is told at once, and until the device takes anything.
        """
        point, name, key = sent.point, sent.point.name, _fails(sent.point)
        if point.form.role == "heartbeat":
            self._tell_heartbeat(sent)
            return
        if sent.error is None:
            self._failures[key] = 0
            self._raise(key, None)
            for role in COMMAND_ROLES if self._raised else ():
                if command := self._controller.station.by_id[point.device].role(role):
                    self._raise(_fails(command), None)
            if channel is not None:
                self._tell_held(channel, sent)
            return
        self._failures[key] = self._failures.get(key, 0) + 1
        _log.warning("%s could not be set to %g: %s", name, sent.value, sent.error.en)
        if self._failures[key] >= TRIES or point.form.role in COMMAND_ROLES:
            self._raise(key, Text(f"{name} cannot be set: {sent.error.en}", f"{name} 无法设定：{sent.error.zh}"))

    def expired(self, point: Point, expired: bool) -> None:
        """Nobody has said for too long what it shall be, or somebody says it again."""
        what = Text(f"{point.name} is not renewed any more, for nobody says what it shall be; see the log",
                    f"{point.name} 已不再刷新：控制未给出设定值；请查看日志")  # fmt: skip
        self._raise(f"control_expired_{point.name}", what if expired else None)

    def _tell_heartbeat(self, sent: Sent) -> None:
        """It moves nothing, and has no row in the ledger; that it is not taken must be known."""
        key, name, error = _beats(sent.point.device), sent.point.name, sent.error
        self._failures[key] = 0 if error is None else self._failures.get(key, 0) + 1
        if 0 < self._failures[key] < TRIES:
            return
        self._raise(key, None if error is None else Text(
            f"{name} cannot be counted up, and the device may fall back by itself: {error.en}",
            f"{name} 心跳写入失败，设备可能自行回退：{error.zh}"))  # fmt: skip

    def _tell_held(self, channel: int, sent: Sent) -> None:
        one, name = self._fleet.channels[channel], sent.point.name
        step = abs(one.point.form.scale) if one.point.form.scale else 0.0
        near = max(step, one.device.control.confirm.tolerance_pct / 100.0 * abs(sent.value))
        another = bool(np.isfinite(sent.held)) and abs(sent.held - sent.value) > near
        what = Text(f"{name} was set to {sent.value:g}, and the device holds {sent.held:g}",
                    f"{name} 设定为 {sent.value:g}，设备实际保持 {sent.held:g}")  # fmt: skip
        self._raise(_holds(one), what if another else None)

    def _tell_stop(self) -> None:
        stopped = self._controller.standing.stopped
        self._raise(_STOP, Text("the emergency stop is in", "急停有效") if stopped else None, Priority.URGENT)

    def _tell_rest(self, outcome: Outcome) -> None:
        """Of what nobody sets any more, and has taken its last value, nothing can fail. What a tag keeps back is still
        asked."""
        if not self._raised:
            return
        fleet, rests = self._fleet, np.isnan(outcome.allowed) & ~outcome.blocked
        for i in np.flatnonzero(rests).tolist():
            one = fleet.channels[i]
            enabling = one.device.control.enable if rests[fleet.by_device[one.device.id]].all() else ()
            for key in (_fails(one.point), _holds(one), *(f"{_SET}{one.device.id}.{it.point}" for it in enabling)):
                self._raise(key, None)
            if not fleet.is_reactive[i]:
                self._raise(_follows(one), None)

    def _tell_doubts(self, feedback: Feedback) -> None:
        for i in np.flatnonzero(~self._fleet.is_reactive).tolist():
            one, doubt = self._fleet.channels[i], feedback.doubt[i]
            key, name, words = _follows(one), one.device.name, WORDS.get(doubt)
            if words is not None:
                self._raise(key, Text(f"{name.en} {words.en}", f"{name.zh}{words.zh}"))
            elif feedback.confirmed[i]:
                self._raise(key, None)
            if doubt is Doubt.OPPOSITE and words is not None:
                self._controller.standing.trips.setdefault(one.device.id, words)

    def _tell_trips(self) -> None:
        trips = self._controller.standing.trips
        for id_ in self._fleet.by_device if trips or self._raised else ():
            why, name = trips.get(id_), self._controller.station.by_id[id_].name
            what = why and Text(f"{name.en} has tripped: {why.en}; reset it when that is mended",
                                f"{name.zh} 保护跳闸：{why.zh}；处理后请复归")  # fmt: skip
            self._raise(_trips(id_), what, Priority.URGENT)

    def _tell_hunting(self) -> None:
        hunts = self._controller.hunting.hunts
        for i in np.flatnonzero(self._fleet.is_active).tolist() if hunts.any() or self._raised else ():
            one = self._fleet.channels[i]
            name = one.device.name
            self._raise(_hunts(one), Text(f"{name.en}: {_HUNTS.en}", f"{name.zh}：{_HUNTS.zh}") if hunts[i] else None)

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
            self._raise(_clips(one), what if long[i] else None, Priority.LOW)
        self._long_clipped = long

    def _raise(self, key: str, what: Text | None, priority: Priority = Priority.HIGH) -> None:
        if (what is not None) is (key in self._raised):
            return
        (self._raised.discard if what is None else self._raised.add)(key)
        self._alarm(key, what, priority)


def _fails(point: Point) -> str:
    return f"{_SET}{point.name}"


def _beats(device: str) -> str:
    return f"control_heartbeat_{device}"


def _trips(device: str) -> str:
    return f"control_trip_{device}"


def _holds(one: Channel) -> str:
    return f"control_held_{one.point.name}"


def _clips(one: Channel) -> str:
    return f"control_clip_{one.point.name}"


def _follows(one: Channel) -> str:
    return f"control_follows_{one.point.name}"


def _hunts(one: Channel) -> str:
    return f"control_hunts_{one.device.id}"
