"""A station with alarms, its records on a real disk, and a clock that a test moves: for tests of alarms and events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from app.alarms.events import Events
from app.alarms.service import Alarms
from app.model.clock import ManualClock
from app.model.config import Priority
from app.model.loading import load_station
from app.model.station import Station
from app.model.text import Text
from app.model.updates import Updates
from app.model.views import AlarmRow, AlarmState, JournalRow
from app.records.database import Place
from app.records.service import Records


def place_of(folder: Path) -> Place | None:
    """Where the records of a data folder are kept; the fixture of the same name puts them on a server."""
    return None


SHORT = {
    AlarmState.ACTIVE_UNACKNOWLEDGED: "active",
    AlarmState.ACTIVE_ACKNOWLEDGED: "acked",
    AlarmState.RETURNED_UNACKNOWLEDGED: "returned",
}


def load(folder: Path, devices: Sequence[Mapping[str, Any]], **more: Any) -> Station:
    """A station of devices as a file would describe them, on the memory driver unless they say otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "version": 1,
        "station": {
            "id": "s", "name": "S", "timezone": "Asia/Shanghai", "location": {"latitude": 0, "longitude": 0}
        },
        **more,
        "devices": [{"kind": "pcs", "connection": {"driver": "memory"}, **device} for device in devices],
    }  # fmt: skip
    (folder / "station.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return load_station(folder).station


def point(id_: str, *, kind: str = "measurement", **more: Any) -> dict[str, Any]:
    """A point as a file describes it; its name is its id unless given."""
    return {"id": id_, "name": id_, "kind": kind, "address": {}, **more}


def one_point(folder: Path, **more: Any) -> Station:
    """Device `d` named D with one point `p` in degC at one decimal."""
    form = point("p", unit="degC", precision=1, **more)
    if form["kind"] == "status":
        del form["unit"], form["precision"]
    return load(folder, [{"id": "d", "name": "D", "points": [form]}])


class Plant:
    """Alarms and events of one station in one data folder; `restart` stops and starts them as the program would."""

    def __init__(self, station: Station, folder: Path, clock: ManualClock | None = None) -> None:
        self.station = station
        self.folder = folder
        self.clock = clock or ManualClock()
        self.troubles: list[tuple[str, Text | None]] = []
        folder.mkdir(parents=True, exist_ok=True)
        self._start()

    def _start(self) -> None:
        self.records = Records(self.folder, on_trouble=self._on_trouble, retry_s=0.02, place=place_of(self.folder))
        self.alarms = Alarms(self.station, self.records, self.clock)
        self.events = Events(self.station, self.records, self.clock)
        self.records.start()
        self.alarms.start()
        self.events.start()

    def _on_trouble(self, key: str, text: Text | None) -> None:
        self.troubles.append((key, text))
        if text is None:
            self.alarms.clear_system(key)
        else:
            self.alarms.raise_system(key, text, Priority.HIGH)

    def stop(self) -> None:
        self.alarms.stop()
        self.records.stop()

    def restart(self, station: Station | None = None) -> None:
        self.stop()
        self.station = station or self.station
        self._start()

    def give(self, *rows: tuple[str, float] | tuple[str, float, int], time_ns: int | None = None) -> None:
        """One batch of (point, value[, quality]) rows, all of one source time: the clock's unless told."""
        now = self.clock.now_ns() if time_ns is None else time_ns
        self.give_at(*((now, *row) for row in rows))

    def give_at(self, *rows: tuple[Any, ...]) -> None:
        """One batch of (source time, point, value[, quality]) rows."""
        updates = Updates.of(
            [self.station.by_name[row[1]] for row in rows],
            [row[2] for row in rows],
            [row[3] if len(row) > 3 else 0 for row in rows],
            [row[0] for row in rows],
            self.clock.now_ns(),
        )
        self.alarms.take(updates)
        self.events.take(updates)

    def wait(self, seconds: float) -> None:
        """Let time pass, ticking each 100 ms."""
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)
            self.alarms.tick()

    def listed(self) -> list[str]:
        """The list as `condition state`, in its order."""
        return [f"{row.condition} {SHORT[row.state]}" for row in self.alarms.active()]

    def only(self) -> AlarmRow:
        (row,) = self.alarms.active()
        return row

    def journal(self) -> list[JournalRow]:
        """All alarm journal rows, the oldest first, once everything is written."""
        self.settle()
        return self.alarms.journal().result()[::-1]

    def event_journal(self) -> list[JournalRow]:
        self.settle()
        return self.events.journal(limit=1_000_000).result()[::-1]

    def settle(self) -> None:
        """Wait until all that was handed over is on the disk."""
        self.records.write(lambda _: None).result(timeout=30)
