"""A running station on the simulated park, with real Modbus between them, and an engineer at its door."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.configuration import configure
from app.history.folder import DataFolder
from app.model.audit import AuditFilter
from app.model.clock import SECOND_NS, SystemClock
from app.model.control import ChannelRow, Quantity
from app.station import RunningStation
from tests.support.doors import GOOD
from tests.support.simulated_park import SimulatedPark

ROOT = Path(__file__).resolve().parents[2]
CONTROL = {"expiry": "5s", "renew": "1s", "on_bad_input": "fall_back", "confirm": {"within": "2s", "tolerance_pct": 5}}
SHAVE = {"id": "shave", "kind": "peak_shaving", "devices": ["pcs1", "pcs2"], "params": {"limit_kw": 100}}
LONG_S = 30.0


def until(true: Callable[[], object], seconds: float = LONG_S) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not become true"
        time.sleep(0.02)


class SetClock(SystemClock):
    """The machine's clock, set by a test."""

    ahead_s = 0.0

    def now_ns(self) -> int:
        return super().now_ns() + round(self.ahead_s * SECOND_NS)


class Site:
    """A running station on a simulated park, and an engineer at its door."""

    def __init__(self, park: SimulatedPark, data: Path) -> None:
        self.park, self.data = park, data
        self.held = DataFolder.open(data, "a test")
        self.start()

    def start(self) -> None:
        configuration = configure(self.park.folder, self.park.overlay)
        self.clock = SetClock()
        self.station = RunningStation(configuration, self.data, clock=self.clock, overlay=self.park.overlay)
        self.station.start()
        self.door = self.station.facade("a test")
        first = self.door.access.standing().first_start
        (self.door.access.name_administrator if first else self.door.access.sign_in)("ada", GOOD).result(LONG_S)
        until(lambda: all(status.state == "online" for status in self.door.devices()))

    def stop(self) -> None:
        self.station.stop()

    def close(self) -> None:
        self.stop()
        self.held.close()

    def value(self, name: str) -> float:
        return float(self.door.snapshot().value[self.station.station.by_name[name]])

    def channel(self, device: str, quantity: Quantity = Quantity.ACTIVE) -> ChannelRow:
        return next(
            row for row in self.door.control.state().channels if (row.device, row.quantity) == (device, quantity)
        )

    def alarms(self) -> set[str]:
        return {row.source.removeprefix("_system.") for row in self.door.alarms.active() if not row.returned}

    def ledger(self, what: str = "control.") -> list[Any]:
        """The oldest first."""
        return list(reversed(self.door.audit.rows(AuditFilter(what=what), 1000).result(LONG_S)))


class SecondReader(Site):
    """A read-only look at the same park, from a data folder of its own."""

    def __init__(self, park: SimulatedPark, folder: Path) -> None:
        text = (park.folder / "station.yaml").read_text(encoding="utf-8")
        folder.mkdir()
        (folder / "station.yaml").write_text(
            text.replace("\nstation:\n", "\nstation:\n  read_only: true\n"), encoding="utf-8"
        )
        self.park, self.data = park, folder / "data"
        self.held = DataFolder.open(self.data, "a reader")
        self.station = RunningStation(configure(folder, park.overlay), self.data, overlay=park.overlay)
        self.station.start()
        self.door = self.station.facade("a reader")
