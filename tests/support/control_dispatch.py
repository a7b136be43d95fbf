"""Control of a small park, a cycle at a time, with a field in memory: what is written, and which alarms are told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

from app.control.dispatcher import Dispatcher
from app.control.ledger import Ledger, Writer
from app.model.audit import AuditEntry
from app.model.clock import ManualClock
from app.model.config import Priority
from app.model.errors import RefusedByDevice
from app.model.station import Point, Station
from app.model.text import Text
from tests.support.control_station import Bench


class Told(dict[str, Text | None]):
    """Alarms by their key, and all that was said of them in its order."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bool]] = []
        """Key, and whether it began."""

    def __call__(self, key: str, what: Text | None, priority: Priority) -> None:
        self[key] = what
        self.said.append((key, what is not None))

    def true(self) -> set[str]:
        return {key for key, what in self.items() if what is not None}


class Rows:
    """The audit, which writes."""

    def write(self, entry: AuditEntry, *, later: bool | None = None) -> Future[int]:
        done: Future[int] = Future()
        done.set_result(1)
        return done


class Field:
    """Takes what is written; refuses the points of `refused`, holds what `holds` says instead."""

    def __init__(self) -> None:
        self.written: list[tuple[str, float]] = []
        self.refused: set[str] = set()
        self.holds: dict[str, float] = {}

    async def write(self, point: Point, value: float) -> float:
        if point.name in self.refused:
            raise RefusedByDevice(Text.of("busy"))
        self.written.append((point.name, value))
        return self.holds.get(point.name, value)

    def of(self, point: str) -> list[float]:
        return [value for name, value in self.written if name == point]


class Living:
    """Control that runs."""

    def __init__(self, bench: Bench, audit: Writer) -> None:
        self.bench, self.field, self.told, self.audit = bench, Field(), Told(), audit
        self.clock = ManualClock(bench.now_ns)
        self.dispatcher = self._dispatcher()

    def _dispatcher(self) -> Dispatcher:
        ledger = Ledger(self.audit, self.clock, "0" * 64)
        return Dispatcher(self.bench.controller, self.field, ledger, self.clock, self.told)

    def change(self, bench: Bench) -> None:
        """Another configuration, as the service gives it to the running control."""
        before = self.dispatcher
        before.halt("the configuration changed")
        bench.now_ns, bench.monotonic_ns = self.bench.now_ns, self.bench.monotonic_ns
        bench.controller.follow(self.bench.controller)
        bench.standing, self.bench = self.bench.standing, bench
        self.dispatcher = self._dispatcher()
        self.dispatcher.follow(before)
        self.dispatcher.start()

    async def cycle(self, seconds: float, times: int = 1) -> None:
        for _ in range(times):
            self.clock.advance(seconds)
            self.dispatcher.send(self.bench.cycle(seconds, self.dispatcher.pending))
            await self.look()

    async def look(self) -> None:
        """The clock was moved: what waits by the true one looks again."""
        for outlet in self.dispatcher._outlets.values():
            outlet._stir.set()
        await asyncio.sleep(0.01)


def live(of: Station | Bench, told: Callable[[Living], Awaitable[Any]], audit: Writer | None = None) -> Living:
    """Run `told` with control of a station."""
    made = Living(of if isinstance(of, Bench) else Bench(of), audit or Rows())

    async def run() -> None:
        made.dispatcher.start()
        await told(made)
        made.dispatcher.halt("over")

    asyncio.run(run())
    return made
