"""Computed points: which expressions run when, in what order, and what they remember."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from app.engine.columns import Columns
from app.engine.expression import Expression, ExpressionError, parse
from app.engine.ranges import in_range
from app.engine.table import LiveTable
from app.model import quality as q
from app.model.clock import SECOND_NS, to_datetime
from app.model.errors import Fault
from app.model.loading import Loaded
from app.model.station import Point, Station
from app.model.updates import Updates

log = logging.getLogger("gridroom.engine")

LONGEST_STEP_S: Final = 10.0
"""An integral does not reach over a longer time without a usable input: it counts nothing there, and says so."""


def parse_all(loaded: Loaded) -> tuple[dict[int, Expression], list[Fault]]:
    """Point index -> expression of every computed point, and everything wrong with them, circles included."""
    station, expressions, faults = loaded.station, {}, []
    for point in station.points:
        if point.form.value is not None:
            try:
                expressions[point.index] = _parse(station, point)
            except ExpressionError as error:
                faults.append(loaded.fault(point.device, point.id, "value", str(error), "correct the expression"))
    for index in _circle(expressions):
        point = station.points[index]
        faults.append(
            loaded.fault(point.device, point.id, "value", "computes itself in a circle", "remove one of the references")
        )
    return expressions, faults


def _parse(station: Station, point: Point) -> Expression:
    def resolve(name: str) -> int | None:
        full = name if "." in name else f"{point.device}.{name}"
        return station.by_name.get(full)

    def match(pattern: str) -> list[int]:
        full = pattern if "." in pattern else f"{point.device}.{pattern}"
        return [index for index in station.match(full) if index != point.index]

    return parse(point.form.value or "", resolve, match)


def _levels(expressions: Mapping[int, Expression]) -> dict[int, int]:
    """Point index -> level: 0 reads only the field, each other one only lower levels. Without those in a circle."""
    level: dict[int, int] = {}
    waiting = dict(expressions)
    while waiting:
        ready = [i for i, e in waiting.items() if not any(input_ in waiting for input_ in e.inputs)]
        if not ready:
            break
        for i in ready:
            level[i] = 1 + max((level.get(input_, -1) for input_ in expressions[i].inputs), default=-1)
        for i in ready:
            del waiting[i]
    return level


def _circle(expressions: Mapping[int, Expression]) -> list[int]:
    known = _levels(expressions)
    return [index for index in expressions if index not in known]


class Computed:
    """All computed points of a station, grouped by level and shape."""

    def __init__(self, station: Station, expressions: Mapping[int, Expression]) -> None:
        self._declared = station.columns
        level = _levels(expressions)
        groups: dict[tuple[int, object], list[int]] = defaultdict(list)
        for index, expression in expressions.items():
            groups[level[index], expression.shape].append(index)
        self._steps: list[Columns | Accumulator] = []
        for (_, _), indices in sorted(groups.items(), key=lambda item: item[0][0]):
            members = [expressions[i] for i in indices]
            columns = Columns(indices, members)
            accumulate = members[0].accumulate
            self._steps.append(
                Accumulator(columns, accumulate, members[0].reset, station.zone) if accumulate else columns
            )

    def restore(self, last: Mapping[int, tuple[float, int]], now_ns: int) -> None:
        """Go on from stored totals: point index -> (value, time). Those of an ended period are dropped."""
        for step in self._steps:
            if isinstance(step, Accumulator):
                step.restore(last, now_ns)

    def run(self, changed: NDArray[np.bool_], table: LiveTable, now_ns: int, monotonic_ns: int) -> list[Updates]:
        """Compute what the changed points touch, level by level; each level is in the table before the next reads it.

        changed: bool[n] over all points; outputs are marked in it as well.
        """
        results = []
        for step in tuple(self._steps):
            try:
                if isinstance(step, Accumulator):
                    update = step.step(table, now_ns, monotonic_ns)
                else:
                    update = _compute(step, changed, table, now_ns)
            except Exception:  # a fault of ours in one expression must not stop acquisition
                outputs = step.outputs
                log.exception("%d computed points fail and are left out until the next start", len(outputs))
                self._steps.remove(step)
                update = Updates.of(outputs, np.full(len(outputs), np.nan), q.IV, now_ns, now_ns)
            if update is not None:
                update = in_range(update, self._declared)
                table.apply(update)
                changed[update.point] = True
                results.append(update)
        return results


def _compute(step: Columns, changed: NDArray[np.bool_], table: LiveTable, now_ns: int) -> Updates | None:
    touched = step.touched(changed)
    if not touched.any():
        return None
    value, quality = step.evaluate(table.value, table.quality)
    return Updates(step.outputs[touched], value[touched], quality[touched], step.newest(table.time)[touched], now_ns)


@dataclass(slots=True)
class _Memory:
    """What an accumulator knows of each of its k instances."""

    total: NDArray[np.float64]
    last: NDArray[np.float64]
    """The input at the last step; NaN where it was unusable."""
    missed: NDArray[np.bool_]
    """Whether time or counts were missed in this period."""


class Accumulator:
    """`integral` and `delta`: totals that begin again with each period of the station's zone.

    An integral runs once a second on the trapezoid between two usable inputs, in units per hour (kW -> kWh). The total
    is marked DERIVED from the first missed stretch to the end of the period.
    """

    def __init__(self, columns: Columns, kind: str, reset: str, zone: ZoneInfo) -> None:
        self.outputs = columns.outputs
        self._columns = columns
        self._kind = kind
        self._reset = reset
        self._zone = zone
        k = len(columns.outputs)
        self._memory = _Memory(np.zeros(k), np.full(k, np.nan), np.zeros(k, np.bool_))
        self._period: tuple[int, ...] | None = None
        self._stepped_ns = 0

    def restore(self, last: Mapping[int, tuple[float, int]], now_ns: int) -> None:
        self._period = self._period_of(now_ns)
        for i, index in enumerate(self._columns.outputs):
            total, time_ns = last.get(int(index), (np.nan, 0))
            if np.isfinite(total) and self._period_of(time_ns) == self._period:
                self._memory.total[i] = total
                self._memory.missed[i] = now_ns - time_ns > LONGEST_STEP_S * SECOND_NS

    def step(self, table: LiveTable, now_ns: int, monotonic_ns: int) -> Updates | None:
        passed_s = (monotonic_ns - self._stepped_ns) / SECOND_NS
        if passed_s < 1.0 and self._stepped_ns:
            return None
        value, quality = self._columns.evaluate(table.value, table.quality)
        good = q.usable(value, quality)
        self._begin_period(now_ns)
        memory = self._memory
        known = np.isfinite(memory.last)
        if self._kind == "integral":
            self._integrate(value, good & known, passed_s if self._stepped_ns else 0.0)
        else:
            grown = value - memory.last
            memory.total += np.where(good & known, np.where(grown >= 0, grown, np.maximum(value, 0.0)), 0.0)
        started = bool(self._stepped_ns)
        self._stepped_ns = monotonic_ns
        if self._kind == "integral":
            memory.missed |= started & known & ~good
            memory.last = np.where(good, value, np.nan)
        else:
            memory.last = np.where(good, value, memory.last)
        if not (known | good).any():
            return None
        marks = np.where(memory.missed, q.DERIVED, 0).astype(np.uint16)
        rows = known | good
        return Updates(
            self._columns.outputs[rows],
            memory.total[rows].copy(),
            marks[rows],
            np.full(int(rows.sum()), now_ns, np.int64),
            now_ns,
        )

    def _integrate(self, value: NDArray[np.float64], both: NDArray[np.bool_], passed_s: float) -> None:
        if passed_s > LONGEST_STEP_S:
            self._memory.missed |= both
            return
        self._memory.total += np.where(both, (value + self._memory.last) / 2 * passed_s / 3600, 0.0)

    def _begin_period(self, now_ns: int) -> None:
        period = self._period_of(now_ns)
        if self._period is not None and period > self._period:
            self._memory.total[:] = 0.0
            self._memory.missed[:] = False
        self._period = max(period, self._period) if self._period is not None else period

    def _period_of(self, time_ns: int) -> tuple[int, ...]:
        """Which hour, day, month or year of the station's zone it is; compares in order of time."""
        local: datetime = to_datetime(time_ns).astimezone(self._zone)
        fields = (local.year, local.month, local.day, int(time_ns // (3600 * SECOND_NS)))
        return fields[: {"never": 0, "year": 1, "month": 2, "day": 3, "hour": 4}[self._reset]]


def sources(expressions: Mapping[int, Expression]) -> Sequence[int]:
    """Outputs that remember: the points whose last stored value must be known at start."""
    return [index for index, expression in expressions.items() if expression.accumulate]
