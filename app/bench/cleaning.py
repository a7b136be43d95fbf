"""Cleaning: what filters between driver and table add to the engine's work, beside the same work without them.

One core, no field: batches as a driver hands them over (a device's 1,000 points each, every second) go into the table
and, joined twenty times a second, through a sink that does nothing.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.bench.report import Figure
from app.bench.station import flat_station
from app.engine.cleaning import Cleaning, Now
from app.engine.ranges import in_range
from app.engine.table import LiveTable
from app.model.clock import SECOND_NS
from app.model.config import PointForm
from app.model.station import Station
from app.model.updates import Updates

POINTS: Final = 100_000
A_DEVICE: Final = 1000
TENTH: Final = 10
SECONDS: Final = 20
"""Of the field, worked off as fast as it goes."""
TICKS: Final = 20
BEGIN_NS: Final = 1_800_000_000 * SECOND_NS

Chain = Sequence[Mapping[str, Any]]
SPIKE: Final[Chain] = [{"spike": {"window": 7, "sigmas": 3}}]
EXAMPLE: Final[Chain] = [*SPIKE, {"rate": {"per_s": 500}}, {"stuck": {"after": "10min"}}]


def run(seconds: float | None = None) -> list[Figure]:
    """All figures; `seconds` of the field."""
    count = max(2, round(seconds or SECONDS))
    values = _random_walks(count)
    without = _core_pct(_station([], 0), values)
    some = _core_pct(_station(SPIKE, TENTH), values)
    chain = _core_pct(_station(EXAMPLE, TENTH), values)
    every = _core_pct(_station(SPIKE, 1), values)
    asked = f"{POINTS:,} points/s"
    return [
        Figure("of one core without filters", without, "%", limit=f"table and range of {asked}"),
        Figure("with a spike filter on a tenth", some, "%"),
        Figure.at_most("added by it", some - without, "%", 5.0, f"bare numpy sorts its windows in {_bare_pct():.1f} %"),
        Figure("added by spike, rate and stuck on a tenth", chain - without, "%"),
        Figure("added by a spike filter on every point", every - without, "%"),
    ]


def _station(chain: Chain, every: int) -> Station:
    """100,000 points; each `every`th has the chain (0: none)."""
    flat = flat_station(POINTS)
    clean = PointForm.model_validate(
        {"id": "p0", "name": "P", "kind": "measurement", "address": {}, "range": [-1e6, 1e6], "clean": chain}
    )
    points = tuple(replace(point, form=clean) if every and point.index % every == 0 else point for point in flat.points)
    return replace(flat, points=points)


def _random_walks(seconds: int) -> NDArray[np.float64]:
    """float64[seconds, POINTS]; one value in a thousand is a spike."""
    random = np.random.default_rng(1)
    values = np.cumsum(random.normal(0, 1, (seconds, POINTS)), axis=0) + 500
    values[random.random(values.shape) < 0.001] = 1e6
    return values


def _core_pct(station: Station, values: NDArray[np.float64]) -> float:
    """CPU time over the field's time, in per cent."""
    table = LiveTable(station)
    cleaning, columns = Cleaning(station, table), station.columns
    devices = [np.arange(start, start + A_DEVICE, dtype=np.int32) for start in range(0, POINTS, A_DEVICE)]
    a_tick = len(devices) // TICKS
    gc.collect()
    began = time.process_time()
    for second, row in enumerate(values):
        for tick in range(TICKS):
            ns = second * SECOND_NS + tick * SECOND_NS // TICKS
            now = Now(BEGIN_NS + ns, ns)
            for points in devices[tick * a_tick : (tick + 1) * a_tick]:
                updates = Updates.of(points, row[points], 0, now.wall_ns, now.wall_ns)
                table.apply(in_range(cleaning.clean(updates, now), columns))
            for said in cleaning.tick(now):
                table.apply(in_range(said, columns))
    return 100 * (time.process_time() - began) / len(values)


def _bare_pct() -> float:
    """Two sorts of each window, which no Hampel filter can do without, in batches of one device's tenth."""
    windows = np.random.default_rng(1).normal(0, 1, (A_DEVICE // TENTH, 7))
    began = time.process_time()
    for _ in range(10 * POINTS // A_DEVICE):
        np.sort(np.abs(np.sort(windows, axis=1)), axis=1)
    return 10 * (time.process_time() - began)
