"""What one station (one common address) is asked for while its line stands: interrogations, counters, its clock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from app.model.errors import DeviceError, TransportError
from app.model.text import Text
from drivers.iec104.connection import Connection
from drivers.iec104.outcomes import Outcome
from drivers.iec104.session import Session
from drivers.iec104.typeids import CLOCK_SYNCHRONISATION, COUNTER_INTERROGATION, INTERROGATION, Cause

log = logging.getLogger("gridroom.iec104")

LONGEST_S: Final = 120.0
"""An interrogation that has not terminated by then is taken for one that never will."""


class Attendance:
    """Of one station, over all sessions of its line."""

    def __init__(self, ca: int, device: str, connection: Connection, session: Callable[[], Session]) -> None:
        """`device` is whom messages name; `session` gives the present one, or raises TransportError."""
        self.ca = ca
        self.remark: Text | None = None
        """What the station leaves undone."""
        self._device = device
        self._connection = connection
        self._session = session
        self._wanted = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []

    def want(self) -> None:
        """Interrogate soon: once, however often this is called before."""
        self._wanted.set()

    async def interrogated(self) -> None:
        """Interrogate, and return when the station has confirmed it; its values follow. Raises DeviceError."""
        confirmed = asyncio.get_running_loop().create_future()
        self._waiting.append(confirmed)
        self.want()
        await confirmed

    async def run(self, *, read_only: bool) -> None:
        """Attend to the station until cancelled."""
        connection = self._connection
        work = [self._interrogate_when_wanted()]
        if connection.interrogate_s:
            work.append(self._every(connection.interrogate_s, self._want))
        if connection.counters_s:
            work.append(self._every(connection.counters_s, self._count))
        if connection.set_clock_s and not read_only:
            work.append(self._every(connection.set_clock_s, self.set_clock))
        tasks = [asyncio.create_task(one, name=f"iec104 station {self.ca}") for one in work]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def lose(self, error: DeviceError) -> None:
        """The line is lost: nobody waits for this station any more."""
        for waiting in self._taken():
            waiting.set_exception(type(error)(error.text))

    def _taken(self) -> list[asyncio.Future[None]]:
        waiting, self._waiting = self._waiting, []
        return [future for future in waiting if not future.done()]

    async def _interrogate_when_wanted(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                for group in self._connection.groups or (0,):
                    await self._interrogate(Cause.INTERROGATED + group)
            except DeviceError as error:
                self._note(error)
                self.lose(error)

    async def _interrogate(self, qualifier: int) -> None:
        """One interrogation to its end. Who waits is told at the confirmation; a missing end is remarked only."""
        outcome = Outcome(INTERROGATION, self.ca, 0, self._device)
        request = {"do": "interrogate", "ca": self.ca, "qualifier": qualifier}
        session = self._session()
        telling = asyncio.create_task(self._tell(outcome))
        try:
            await session.activate(outcome, request, self._connection.timeout_s, LONGEST_S)
            self.remark = None
        except TransportError as error:
            if not outcome.confirmed.is_set() or outcome.ended.is_set():
                raise
            self._note(error)
        finally:
            telling.cancel()

    async def _tell(self, outcome: Outcome) -> None:
        await outcome.confirmed.wait()
        if outcome.refusal is None and not outcome.ended.is_set():
            for waiting in self._taken():
                waiting.set_result(None)

    async def _every(self, seconds: float, what: Callable[[], object]) -> None:
        while True:
            result = what()
            if asyncio.iscoroutine(result):
                try:
                    await result
                except DeviceError as error:
                    self._note(error)
            await asyncio.sleep(seconds)

    def _want(self) -> None:
        self.want()

    async def _count(self) -> None:
        """C_CI_NA_1, general: the counters come as values."""
        outcome = Outcome(COUNTER_INTERROGATION, self.ca, 0, self._device)
        await self._session().activate(outcome, {"do": "count", "ca": self.ca}, self._connection.timeout_s)

    async def set_clock(self) -> None:
        """C_CS_NA_1, in the station's clock. Raises as `Session.activate` does."""
        outcome = Outcome(CLOCK_SYNCHRONISATION, self.ca, 0, self._device)
        await self._session().activate(outcome, {"do": "clock", "ca": self.ca}, self._connection.timeout_s)

    def _note(self, error: DeviceError) -> None:
        if self.remark != error.text:
            log.info("device %s: %s", self._device, error)
        self.remark = error.text
