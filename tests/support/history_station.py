"""Stations without a field, and a history on a real disk under a clock that a test moves."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.history.recorder import Mark
from app.history.service import History
from app.history.settings import Settings
from app.model.clock import ManualClock
from app.model.config import (
    BlocksForm,
    ControlForm,
    DeviceKind,
    HistoryForm,
    LimitsForm,
    LocationForm,
    PointForm,
    RatingsForm,
)
from app.model.station import Device, Point, Station
from app.model.text import Text
from app.model.updates import Updates
from app.model.views import Series

HOUR_NS = 3600 * 1_000_000_000
SECOND_NS = 1_000_000_000
MS_NS = 1_000_000
START_NS = 1_763_712_000 * SECOND_NS
"""2025-11-21 08:00:00 UTC, a whole hour."""

QUICK = Settings(pace_s=0.01, keeper_s=0.02, retry_s=0.05, low_space_mb=0, no_space_mb=0)


def station(devices: Mapping[str, Sequence[Mapping[str, Any]]], **history: Any) -> Station:
    """Devices by id, each with what its points say besides the defaults (kW at two decimals, 1 s)."""
    built: list[Device] = []
    points: list[Point] = []
    for device, forms in devices.items():
        mine = []
        for form in forms:
            said = {"kind": "measurement", "name": form["id"], "unit": "kW", "precision": 2, "address": {}, **form}
            said = {key: value for key, value in said.items() if value is not None}
            mine.append(Point(len(points) + len(mine), f"{device}.{form['id']}", device, PointForm(**said)))
        points += mine
        built.append(
            Device(
                device, Text.of(device), DeviceKind.PCS, None, None, {}, RatingsForm(), ControlForm(), BlocksForm(),
                tuple(mine), (),
            )
        )  # fmt: skip
    return Station(
        id="s",
        name=Text.of("S"),
        timezone="Asia/Shanghai",
        location=LocationForm(latitude=30, longitude=120),
        limits=LimitsForm(),
        grid_meter=None,
        read_only=False,
        history=HistoryForm.model_validate(history),
        topology=(),
        devices=tuple(built),
        points=tuple(points),
        directory=Path(),
    )


def plain(*ids: str, **more: Any) -> Station:
    """One device `d` with points of these ids, all declared alike."""
    return station({"d": [{"id": id_, **more} for id_ in ids]})


class Site:
    """A history that runs on a folder, fed by a test. `restart` stops it (or not, as after a kill) and starts it."""

    def __init__(
        self, folder: Path, station_: Station, settings: Settings = QUICK, clock: ManualClock | None = None
    ) -> None:
        self.folder = folder
        self.station = station_
        self.settings = settings
        self.clock = clock or ManualClock(START_NS)
        self.troubles: list[tuple[str, Text | None]] = []
        self.history = self._start()

    def _start(self) -> History:
        self.folder.mkdir(parents=True, exist_ok=True)
        history = History(
            self.station, self.folder, self.clock, settings=self.settings,
            on_trouble=lambda key, text: self.troubles.append((key, text)),
        )  # fmt: skip
        history.start()
        return history

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: object) -> None:
        self.history.stop()

    def restart(self, station_: Station | None = None, off_s: float = 0.0) -> None:
        """Stop, be off for a while, and start again, perhaps with an edited station."""
        self.history.stop()
        self.clock.advance(off_s)
        self.station = station_ or self.station
        self.history = self._start()

    def put(self, values: Mapping[str, float], quality: int = 0, *, late_s: float = 0.0) -> None:
        """One batch now: point names (`d.` may be left out) and their values; the source's time `late_s` ago."""
        now = self.clock.now_ns()
        index = [self.station.by_name[name if "." in name else f"d.{name}"] for name in values]
        self.history.take(
            Updates.of(np.array(index), list(values.values()), quality, now - round(late_s * SECOND_NS), now)
        )

    def settle(self) -> None:
        """Until everything given is stored."""
        self.history.flush().result(timeout=10)

    def step(self, values: Mapping[str, float], seconds: float = 1.0, quality: int = 0) -> None:
        """One batch, stored, and time passes."""
        self.put(values, quality)
        self.settle()
        self.clock.advance(seconds)
        self.settle()

    def ask(self, *names: str, start_s: float, end_s: float, pixels: int = 1000) -> list[Series]:
        """Series between two times in seconds after the start."""
        full = [name if "." in name else f"d.{name}" for name in names]
        start, end = (START_NS + round(s * SECOND_NS) for s in (start_s, end_s))
        return self.history.query(full, start, end, pixels).result(timeout=20)

    def raw_files(self) -> list[Path]:
        """Files of raw samples that are served, the oldest first."""
        parts = self.history._parts
        assert parts is not None
        blocks = [b for b in parts.opened.archive.catalogue.view.blocks if b.tier == "raw"]
        return [b.path for b in sorted(blocks, key=lambda b: (b.start_ms, b.part))]

    def cut_off(self) -> list[Mark]:
        """Runs that this start found cut off."""
        parts = self.history._parts
        assert parts is not None
        return parts.opened.cut_off

    def rebuilt(self) -> None:
        """Until the buckets of runs that were cut off are made again."""
        until(self._all_ended, "rebuilt")

    def _all_ended(self) -> bool:
        parts = self.history._parts
        assert parts is not None
        runs = {mark.run_ms for mark in parts.opened.cut_off}
        with parts.opened.archive.store.cursor() as cursor:
            for hour in parts.opened.archive.catalogue.view.hours:
                rows = cursor.execute(f"SELECT DISTINCT run FROM {hour.alive} WHERE ended").fetchall()
                runs -= {run for (run,) in rows}
        return not runs

    def standing(self) -> set[str]:
        """Keys of the troubles that stand."""
        standing: dict[str, Text | None] = {}
        standing.update(self.troubles)
        return {key for key, text in standing.items() if text is not None}


def seconds(series: Series) -> list[float]:
    """Times of a series, in seconds after the start."""
    return [round((t - START_NS) / SECOND_NS, 3) for t in series.time.tolist()]


def gaps(series: Series) -> list[tuple[float, float]]:
    """Gaps of a series, in seconds after the start."""
    return [
        (round((a - START_NS) / SECOND_NS, 3), round((b - START_NS) / SECOND_NS, 3)) for a, b in series.gaps.tolist()
    ]


def until(condition: Any, what: str, timeout_s: float = 15.0) -> None:
    """Poll until it is so."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.005)
