"""What strategies want started and stopped: when it may be done, so that no machine is started twice, or stopped that
somebody else has started."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from app.control.ledger import Writer
from app.control.refused import Unanswered
from app.control.standing import Standing
from app.model.access import Actor
from app.model.audit import AuditEntry, Result
from app.model.clock import SECOND_NS
from app.model.config import Priority
from app.model.control import Mode
from app.model.errors import GridroomError
from app.model.station import Station
from app.model.text import Text

AGAIN_S: Final = 60.0
"""So long after one try there is no other: a genset takes its time."""
_RUNS_PCT: Final = 2.0
"""Of its rating: a machine that gives more runs."""
_WHAT: Final = "control.switch"
_log = logging.getLogger("gridroom.control")


@dataclass(frozen=True, slots=True)
class Switch:
    """A strategy wants a device to run, or to rest."""

    device: str
    on: bool
    who: str
    why: Text


class Switching:
    """Of one station. On the engine's loop."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self._tried_ns: dict[str, int] = {}

    def open(self, wanted: Iterable[Switch], power: Mapping[str, float], standing: Standing) -> list[Switch]:
        """Those that are not as they shall be, or of which nobody knows; `power` in kW by device, NaN where it may not
        be used. What was started is to be stopped whatever flows: it may idle."""
        found = []
        for one in wanted:
            given = abs(power.get(one.device, math.nan))
            runs = given > _RUNS_PCT / 100.0 * (self.station.by_id[one.device].ratings.power_kw or 0.0)
            rests = not one.on and not runs and one.device not in standing.started
            if math.isnan(given) or not (rests or (one.on and runs)):
                found.append(one)
        return found

    def due(
        self, wanted: Iterable[Switch], power: Mapping[str, float], standing: Standing, monotonic_ns: int
    ) -> list[Switch]:
        """Of those that are open, what is to be done now: nothing where nobody knows whether it runs."""
        found = []
        for one in self.open(wanted, power, standing):
            device, unknown = self.station.by_id[one.device], math.isnan(power.get(one.device, math.nan))
            if unknown or standing.stopped or standing.mode_of(one.device) is not Mode.AUTO:
                continue
            if not one.on and one.device not in standing.started:
                continue
            least_s = device.control.minimum_off if one.on else device.control.minimum_on
            since_ns = monotonic_ns - self._tried_ns.get(one.device, -(1 << 62))
            if since_ns >= max(AGAIN_S, least_s or 0.0) * SECOND_NS:
                self._tried_ns[one.device] = monotonic_ns
                found.append(one)
        return found


class Switcher:
    """Does what is due, each with its rows of the audit. On the engine's loop."""

    def __init__(
        self,
        audit: Writer,
        alarm: Callable[[str, Text | None, Priority], None],
        *,
        execute: Callable[[str, str], Awaitable[Any]],
        keep: Callable[[], Awaitable[None]],
    ) -> None:
        """`execute` does a command (device, role), with its interlocks; `keep` puts what stands on the disk."""
        self._audit, self._alarm, self._execute, self._keep = audit, alarm, execute, keep
        self.failed: set[str] = set()
        """Devices that could not be switched, which an alarm tells."""

    def settle(self, open_: Iterable[Switch]) -> None:
        """What is as it shall be, or is not wanted any more, needs nobody."""
        for device in self.failed - {one.device for one in open_}:
            self._tell(device, None)

    def _tell(self, device: str, why: Text | None) -> None:
        (self.failed.discard if why is None else self.failed.add)(device)
        what = why and Text(f"{device} cannot be switched: {why.en}", f"{device} 无法启停：{why.zh}")
        self._alarm(f"control_switch_{device}", what, Priority.HIGH)

    def begin(self, due: Iterable[Switch], standing: Standing, origin: str) -> None:
        """Start with each; how it ends is told by the audit and by alarms."""
        for one in due:
            doing = self._switch(one, standing, origin)
            task = asyncio.get_running_loop().create_task(doing, name=f"control switches {one.device}")
            task.add_done_callback(lambda done: None if done.cancelled() else done.exception())

    async def _switch(self, one: Switch, standing: Standing, origin: str) -> None:
        role = "start" if one.on else "stop"
        asked = AuditEntry(
            Actor(one.who, "strategy", origin), _WHAT, one.device, Result.ASKED, one.why.en, {"role": role}
        )
        id_ = 0
        try:
            id_ = await asyncio.wrap_future(self._audit.write(asked))
            await self._execute(one.device, role)
        except GridroomError as error:
            _log.warning("%s cannot %s %s: %s", one.who, role, one.device, error)
            self._audit.write(replace(asked, result=Result.FAILED, reason=str(error), asks=id_, details=None))
            self._tell(one.device, error.text)
            if one.on and isinstance(error, Unanswered):  # it may run, and is to be stopped then
                standing.started[one.device] = one.who
                await self._keep()
            return
        self._tell(one.device, None)
        standing.started.pop(one.device, None)
        if one.on:
            standing.started[one.device] = one.who
        await self._keep()
        self._audit.write(replace(asked, result=Result.DONE, asks=id_, details=None))
