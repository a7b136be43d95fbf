"""From what is allowed to what is held: rows of the ledger, queues of devices."""

from __future__ import annotations

import asyncio

import numpy as np
from numpy.typing import NDArray

from app.control.controller import OPERATOR, Controller, Outcome
from app.control.feedback import Feedback
from app.control.fleet import Floats, carried
from app.control.ledger import Ledger
from app.control.notices import Alarm, Notices
from app.control.outlet import Field, Outlet, Sent
from app.control.protection import CLIPS
from app.model.clock import Clock
from app.model.control import CLIP_NAMES


class Dispatcher:
    """Of one controller. On the engine's loop."""

    def __init__(self, controller: Controller, field: Field, ledger: Ledger, clock: Clock, alarm: Alarm) -> None:
        self._controller = controller
        self._fleet = controller.fleet
        self._ledger = ledger
        self._clock = clock
        self.notices = Notices(controller, clock, alarm)
        fleet, by_id = self._fleet, controller.station.by_id
        self._outlets: dict[str, Outlet] = {
            id_: Outlet(by_id[id_], field, clock, self._told, self.notices.expired) for id_ in fleet.by_device
        }
        self._field = field
        self._beating = [
            one.id for one in controller.station.devices
            if one.control.heartbeat is not None and one.id not in fleet.by_device
        ]  # fmt: skip
        """Devices with a heartbeat and no setpoint of control's, such as a battery of its own."""
        self._tasks: list[asyncio.Task[None]] = []
        n = len(fleet)
        self.sent: Floats = np.full(n, np.nan)
        self.sent_at: NDArray[np.int64] = np.zeros(n, np.int64)
        self.held: Floats = np.full(n, np.nan)
        self.pending: NDArray[np.bool_] = np.zeros(n, np.bool_)
        """bool[n]: what was wanted last has not been taken yet."""
        self._runs = False
        self.feedback = Feedback(fleet)

    def follow(self, before: Dispatcher) -> None:
        """Go on where that of another configuration was halted."""
        self.notices.follow(before.notices)
        self.pending = carried(before.pending, self._fleet.positions_in(before._fleet), False)

    def start(self) -> None:
        """Begin to send."""
        self._runs = True
        for id_ in self._outlets:
            self._begin(id_)

    def halt(self, why: str) -> None:
        """Send no more; end the open rows."""
        self._runs = False
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self._ledger.close_all(why)

    def outlet(self, device: str) -> Outlet:
        """Of a device, with or without channels."""
        if device not in self._outlets:
            station = self._controller.station
            self._outlets[device] = Outlet(station.by_id[device], self._field, self._clock, self._told)
            if self._runs:
                self._begin(device)
        return self._outlets[device]

    def send(self, outcome: Outcome) -> None:
        """Hand a cycle's values on."""
        for i, one in enumerate(self._fleet.channels):
            value, outlet = float(outcome.allowed[i]), self._outlets[one.device.id]
            if np.isnan(value):
                self.sent[i], self.pending[i] = np.nan, False
                outlet.release(one.point)
                self._ledger.close(one.point, why="released")
                continue
            ticket = self._ledger.open(
                one.point, outcome.key(i), requested=float(outcome.requested[i]), allowed=value,
                why=self._why(outcome, i), urgent=bool(outcome.urgent[i]), person=self._person(outcome, i),
            )  # fmt: skip
            outlet.want(one.point, value, ticket)
            self.pending[i] = outlet.sent(one.point)[0] != value
            if ticket is None or not ticket.done() or (not ticket.cancelled() and ticket.exception() is None):
                outlet.alive()  # who cannot command it must not tell it that he does
        for id_ in self._beating:
            outlet = self.outlet(id_)
            if id_ in self._controller.standing.tags or self._controller.station.read_only:
                outlet.rest()
            else:
                outlet.alive()
        self.feedback.look(self.sent, outcome.inputs.power, outcome.meter_kw, self._clock.monotonic_ns())
        self.notices.look(outcome, self.feedback)
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
        row = self._fleet.position.get(sent.point.name)
        if row is not None:
            self._ledger.sent(sent)
            self.sent[row] = sent.value if sent.error is None else np.nan
            self.sent_at[row], self.held[row] = sent.at, sent.held
        self.notices.sent(sent, row)
