"""Median and mean: over the last values, a row for each row; or over a time, one row at its end."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np

from app.engine.cleaning.stage import (
    NOT_SET,
    Bools,
    Floats,
    Judging,
    Marks,
    Now,
    Rows,
    Slots,
    Stage,
    marked,
    nanoseconds,
)
from app.engine.cleaning.windows import Windows, lower_median, mean
from app.engine.table import LiveTable
from app.model import quality as q
from app.model.cleaning import MeanForm, MedianForm
from app.model.station import Point

MOST_FOR_MEDIAN: Final = 64
"""Values of which the median over a time is made; of more the newest. A mean is made of all."""


class _Moving(Judging):
    def __init__(self, forms: Sequence[MeanForm | MedianForm], points: Sequence[Point], table: LiveTable) -> None:
        super().__init__(forms, points, table)
        self._windows = Windows(self.k, forms[0].window or 1)

    @classmethod
    def shape(cls, form: MeanForm | MedianForm) -> Hashable:
        return form.window

    def judge(self, rows: Rows, now: Now) -> tuple[Floats, Marks]:
        self._windows.push(rows.slot, rows.value, rows.quality)
        value = self.of(self._windows.values(rows.slot), self._windows.count(rows.slot))
        return value, self._windows.marks(rows.slot)

    def forget(self, slots: Slots) -> None:
        self._windows.forget(slots)

    @abstractmethod
    def of(self, values: Floats, count: Slots) -> Floats:
        """One number for each window."""


class MovingMedian(_Moving):
    """Of the last `window` usable values."""

    def of(self, values: Floats, count: Slots) -> Floats:
        return lower_median(values, count)


class MovingMean(_Moving):
    """Of the last `window` usable values."""

    def of(self, values: Floats, count: Slots) -> Floats:
        return mean(values, count)


class _Period(Stage):
    """Keeps rows back and says one at the period's end, at the source time of its newest row.

    A period begins with its first row. What was not usable is left out, and the result DERIVED; where nothing was
    usable, the last row is told as it came. A row NT is told at once, and ends the period without a result.
    """

    def __init__(self, forms: Sequence[MeanForm | MedianForm], points: Sequence[Point], table: LiveTable) -> None:
        super().__init__(forms, points, table)
        self._over = nanoseconds(forms, "over")
        self._due = np.full(self.k, NOT_SET, np.int64)
        """Monotonic; NOT_SET while no period runs."""
        self._marks = np.zeros(self.k, np.uint16)
        self._time = np.zeros(self.k, np.int64)
        self._bad = np.zeros(self.k, np.bool_)
        self._bad_value = np.full(self.k, np.nan)
        self._bad_marks = np.zeros(self.k, np.uint16)
        self._count = np.zeros(self.k, np.intp)

    def apply(self, rows: Rows, now: Now) -> Rows:
        lost = (rows.quality & q.NT) != 0
        self._clear(rows.slot[lost])
        kept = rows.take(~lost) if lost.any() else rows
        slot = kept.slot
        self._due[slot] = np.where(self._due[slot] == NOT_SET, now.monotonic_ns + self._over[slot], self._due[slot])
        self._time[slot] = kept.time
        good = q.usable(kept.value, kept.quality)
        bad = slot[~good]
        self._bad[bad], self._bad_value[bad], self._bad_marks[bad] = True, kept.value[~good], kept.quality[~good]
        self._marks[slot[good]] |= kept.quality[good]
        self._count[slot[good]] += 1
        self.add(slot[good], kept.value[good], kept.quality[good])
        return rows.take(lost)

    def tick(self, now: Now) -> Rows | None:
        slot = np.flatnonzero((self._due != NOT_SET) & (self._due <= now.monotonic_ns))
        if not len(slot):
            return None
        some: Bools = self._count[slot] > 0
        value = np.where(some, self.result(slot), self._bad_value[slot])
        marks = np.where(some, marked(self._marks[slot], self._bad[slot], q.DERIVED), self._bad_marks[slot])
        rows = Rows.own(slot, value, marks, self._time[slot])
        self._clear(slot)
        return rows

    def _clear(self, slot: Slots) -> None:
        self._due[slot] = NOT_SET
        self._marks[slot] = 0
        self._bad[slot] = False
        self._count[slot] = 0
        self.clear(slot)

    @abstractmethod
    def add(self, slot: Slots, value: Floats, marks: Marks) -> None:
        """One more usable value of each of these points."""

    @abstractmethod
    def result(self, slot: Slots) -> Floats:
        """One number for each; of a point without usable value anything."""

    @abstractmethod
    def clear(self, slot: Slots) -> None:
        """Begin anew with these points."""


class PeriodMedian(_Period):
    """Of what came within `over`."""

    def __init__(self, forms: Sequence[MedianForm], points: Sequence[Point], table: LiveTable) -> None:
        super().__init__(forms, points, table)
        self._windows = Windows(self.k, MOST_FOR_MEDIAN)

    def add(self, slot: Slots, value: Floats, marks: Marks) -> None:
        self._windows.push(slot, value, marks)

    def result(self, slot: Slots) -> Floats:
        return lower_median(self._windows.values(slot), self._windows.count(slot))

    def clear(self, slot: Slots) -> None:
        self._windows.forget(slot)


class PeriodMean(_Period):
    """Of what came within `over`."""

    def __init__(self, forms: Sequence[MeanForm], points: Sequence[Point], table: LiveTable) -> None:
        super().__init__(forms, points, table)
        self._sum = np.zeros(self.k)

    def add(self, slot: Slots, value: Floats, marks: Marks) -> None:
        self._sum[slot] += value

    def result(self, slot: Slots) -> Floats:
        result: Floats = self._sum[slot] / np.maximum(self._count[slot], 1)
        return result

    def clear(self, slot: Slots) -> None:
        self._sum[slot] = 0.0
