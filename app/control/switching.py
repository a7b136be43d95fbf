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
        self._station = station
        self._tried_ns: dict[str, int] = {}

    def due(
        self, wanted: Iterable[Switch], power: Mapping[str, float], standing: Standing, monotonic_ns: int
    ) -> list[Switch]:
        """Those that are to be done now.

        `power` in kW by device, NaN where it may not be used: nothing is done then.
        """
        found = []
        for one in wanted:
            device = self._station.by_id[one.device]
            given = abs(power.get(one.device, math.nan))
            runs = given > _RUNS_PCT / 100.0 * (device.ratings.power_kw or 0.0)
            if math.isnan(given) or standing.stopped or standing.mode_of(one.device) is not Mode.AUTO or runs is one.on:
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

    def begin(self, due: Iterable[Switch], standing: Standing, origin: str) -> None:
        """Start with each; how it ends is told by the audit and by alarms."""
        for one in due:
            doing = self._switch(one, standing, origin)
            task = asyncio.get_running_loop().create_task(doing, name=f"control switches {one.device}")
            task.add_done_callback(lambda done: None if done.cancelled() else done.exception())

    async def _switch(self, one: Switch, standing: Standing, origin: str) -> None:
        role, key = "start" if one.on else "stop", f"control_switch_{one.device}"
        asked = AuditEntry(
            Actor(one.who, "strategy", origin), _WHAT, one.device, Result.ASKED, one.why.en, {"role": role}
        )
        try:
            id_ = await asyncio.wrap_future(self._audit.write(asked))
            await self._execute(one.device, role)
        except GridroomError as error:
            _log.warning("%s cannot %s %s: %s", one.who, role, one.device, error)
            self._audit.write(replace(asked, result=Result.FAILED, reason=str(error)))
            why = error.text
            what = Text(f"{one.device} cannot be switched: {why.en}", f"{one.device} 无法启停：{why.zh}")
            self._alarm(key, what, Priority.HIGH)
            return
        self._alarm(key, None, Priority.HIGH)
        standing.started.pop(one.device, None)
        if one.on:
            standing.started[one.device] = one.who
        await self._keep()
        self._audit.write(replace(asked, result=Result.DONE, asks=id_, details=None))
