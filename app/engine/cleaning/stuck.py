"""A value that stands still for too long: marked, never replaced."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.engine.cleaning.stage import Bools, Floats, Judging, Marks, Now, Rows, Slots, column, marked, nanoseconds
from app.engine.table import LiveTable
from app.model import quality as q
from app.model.cleaning import StuckForm
from app.model.station import Point


class Stuck(Judging):
    """NT once the value has not left its `band` for `after`, whether the device repeats it or says nothing."""

    def __init__(self, forms: Sequence[StuckForm], points: Sequence[Point], table: LiveTable) -> None:
        super().__init__(forms, points, table)
        self._after = nanoseconds(forms, "after")
        self._band = column(forms, "band")
        most = max(len(form.except_) for form in forms)
        self._except = np.array([[*form.except_, *[np.nan] * (most - len(form.except_))] for form in forms], np.float64)
        self._anchor = np.full(self.k, np.nan)
        """Where the value came to rest; NaN before the first."""
        self._since = np.zeros(self.k, np.int64)
        """Monotonic, since when it rests there."""
        self._last = np.full(self.k, np.nan)
        self._last_marks = np.zeros(self.k, np.uint16)
        self._told = np.zeros(self.k, np.bool_)

    def judge(self, rows: Rows, now: Now) -> tuple[Floats, Marks]:
        slot, value = rows.slot, rows.value
        moved = ~(np.abs(value - self._anchor[slot]) <= self._band[slot])
        there = slot[moved]
        self._anchor[there], self._since[there] = value[moved], now.monotonic_ns
        self._last[slot], self._last_marks[slot] = value, rows.quality
        self._told[slot] = stuck = self._stuck(slot, value, now)
        return value, marked(rows.quality, stuck, q.NT)

    def tick(self, now: Now) -> Rows | None:
        resting = ~self._told & (now.monotonic_ns - self._since >= self._after) & np.isfinite(self._anchor)
        if not resting.any():
            return None
        slot = np.flatnonzero(resting)
        slot = slot[self._stuck(slot, self._last[slot], now)]
        if not len(slot):
            return None
        self._told[slot] = True
        marks = self._last_marks[slot] | np.uint16(q.NT)
        return Rows.own(slot, self._last[slot], marks, np.full(len(slot), now.wall_ns, np.int64))

    def _stuck(self, slot: Slots, value: Floats, now: Now) -> Bools:
        expected = (np.abs(value[:, None] - self._except[slot]) <= self._band[slot][:, None]).any(axis=1)
        result: Bools = (now.monotonic_ns - self._since[slot] >= self._after[slot]) & ~expected
        return result

    def forget(self, slots: Slots) -> None:
        self._anchor[slots] = np.nan
        self._told[slots] = False
