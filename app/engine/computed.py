"""Computed points: which expressions run when, in what order, and what they remember."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from app.engine.columns import Columns
from app.engine.expression import Expression, ExpressionError, parse
from app.engine.ranges import in_range
from app.engine.table import LiveTable
from app.engine.totals import Accumulator
from app.model import quality as q
from app.model.errors import Fault
from app.model.loading import Loaded
from app.model.station import Point, Station
from app.model.text import Text
from app.model.updates import Updates

log = logging.getLogger("gridroom.engine")


def parse_all(loaded: Loaded) -> tuple[dict[int, Expression], list[Fault]]:
    """Point index -> expression of every computed point, and everything wrong with them, circles included."""
    station, expressions, faults = loaded.station, {}, []
    for point in station.points:
        if point.form.value is not None:
            try:
                expressions[point.index] = _parse(loaded, point)
            except _InDoubtError:
                continue
            except ExpressionError as error:
                faults.append(
                    loaded.fault(
                        point.device, point.id, "value", error.text, Text("correct the expression", "请改正表达式")
                    )
                )
    for index in _circle(expressions):
        point = station.points[index]
        faults.append(
            loaded.fault(
                point.device,
                point.id,
                "value",
                Text("computes itself in a circle", "循环引用自身"),
                Text("remove one of the references", "请删除其中一个引用"),
            )
        )
    return expressions, faults


class _InDoubtError(Exception):
    """It names a point that has a fault of its own: whether the expression is good cannot be said."""


def _parse(loaded: Loaded, point: Point) -> Expression:
    station = loaded.station

    def resolve(name: str) -> int | None:
        full = point.beside(name)
        if full not in station.by_name and loaded.may_have(full):
            raise _InDoubtError
        return station.by_name.get(full)

    def match(pattern: str) -> list[int]:
        full = point.beside(pattern)
        found = [index for index in station.match(full) if index != point.index]
        if not found and loaded.may_have(full):
            raise _InDoubtError
        return found

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

    def restore(self, last: Mapping[int, tuple[float, int, int]], now_ns: int) -> None:
        """Go on from the last run: point index -> (value, quality, time in UTC nanoseconds), for all that is known.

        Totals of an ended period are dropped.
        """
        n = len(self._declared.scan_s)
        value, quality, time = np.full(n, np.nan), np.full(n, q.NT, np.uint16), np.zeros(n, np.int64)
        for index, stored in last.items():
            value[index], quality[index], time[index] = stored
        for step in self._steps:
            if isinstance(step, Accumulator):
                step.restore(value, quality, time, now_ns)

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
