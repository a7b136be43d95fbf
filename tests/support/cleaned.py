"""Points with filters, without files and without a field: rows in, rows out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from app.bench.station import flat_station
from app.engine.cleaning import Cleaning, Now
from app.engine.table import LiveTable
from app.model.clock import SECOND_NS
from app.model.config import PointForm
from app.model.station import Point, Station
from app.model.updates import Updates

T0 = 1_800_000_000 * SECOND_NS
Row = tuple[float, int]
"""(value, quality) as given out."""


def station_of(chains: Sequence[Sequence[Mapping[str, Any]]], **point: Any) -> Station:
    """A station whose points p0, p1, ... of device d0 have these chains."""
    base = flat_station(len(chains))
    forms = [
        PointForm.model_validate(
            {"id": f"p{i}", "name": "P", "kind": "measurement", "address": {}, "clean": chain, **point}
        )
        for i, chain in enumerate(chains)
    ]
    points = tuple(Point(i, f"d0.p{i}", "d0", form) for i, form in enumerate(forms))
    return replace(base, points=points, devices=(replace(base.devices[0], points=points),))


class Cleaned:
    """One cleaning, and what came out of it. Rows come a second apart unless told otherwise."""

    def __init__(self, *chains: Sequence[Mapping[str, Any]], **point: Any) -> None:
        self.station = station_of(chains, **point)
        self.table = LiveTable(self.station)
        self.cleaning = Cleaning(self.station, self.table)
        self.at_s = 0.0
        self.out: list[Updates] = []

    @property
    def now(self) -> Now:
        ns = round(self.at_s * SECOND_NS)
        return Now(T0 + ns, ns)

    def send(self, points: Any, values: Any, quality: Any = 0, times_s: Any = None) -> Updates:
        """A batch now; source times in seconds, those of now where none are given."""
        times = self.now.wall_ns if times_s is None else T0 + np.round(np.asarray(times_s) * 1e9).astype(np.int64)
        batch = Updates.of(points, values, quality, times, self.now.wall_ns)
        return self._keep(self.cleaning.clean(batch, self.now))

    def lose(self, point: int = 0) -> None:
        held = self.table.value[[point]]
        self._keep(self.cleaning.lose(Updates.of([point], held, 0x40, self.now.wall_ns, self.now.wall_ns), self.now))

    def wait(self, seconds: float) -> None:
        """Time passes without rows, with the engine's ticks."""
        end = self.at_s + seconds
        while self.at_s < end:
            self.at_s = min(self.at_s + 0.05, end)
            for said in self.cleaning.tick(self.now):
                self._keep(said)

    def run(self, values: Sequence[float], quality: int = 0, step_s: float = 1.0) -> list[Row]:
        """One value of point 0 after the other; what came out of that."""
        before = len(self.rows())
        for value in values:
            self.send([0], [value], quality)
            self.wait(step_s)
        return self.rows()[before:]

    def rows(self, point: int = 0) -> list[Row]:
        """All that came out of a point."""
        joined = Updates.join(self.out)
        mine = joined.point == point
        return list(zip(joined.value[mine].tolist(), joined.quality[mine].tolist(), strict=True))

    def values(self, point: int = 0) -> list[float]:
        return [value for value, _ in self.rows(point)]

    def _keep(self, updates: Updates) -> Updates:
        self.table.apply(updates)
        self.out.append(updates)
        return updates
