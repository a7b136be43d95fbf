"""Filters that do not believe a value at once: spikes and changes that are too fast.

What they answer instead is a value that was measured before, marked ESTIMATED. They never hide what stays: a point is
held back for `hold` at most, whether it goes on sending or falls silent.
"""

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
    column,
    marked,
)
from app.engine.cleaning.windows import Windows, lower_median
from app.engine.table import LiveTable
from app.model import quality as q
from app.model.cleaning import RateForm, SpikeForm, hold_s
from app.model.clock import SECOND_NS
from app.model.station import Point

_SIGMA_OF_MAD: Final = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation: 1 / 0.6745."""
_ROUNDING: Final = 1 + 1e-9


class _Rejecting(Judging):
    def __init__(self, forms: Sequence[SpikeForm | RateForm], points: Sequence[Point], table: LiveTable):
        super().__init__(forms, points, table)
        hold = [hold_s(form, point.form.scan) for form, point in zip(forms, points, strict=True)]
        self._hold = np.rint(np.array(hold) * SECOND_NS).astype(np.int64)
        self._since = np.full(self.k, NOT_SET, np.int64)
        """Monotonic, since when the point is held back; NOT_SET while it is not."""
        self._held = np.full(self.k, np.nan)
        self._held_marks = np.zeros(self.k, np.uint16)
        self._held_time = np.zeros(self.k, np.int64)

    def judge(self, rows: Rows, now: Now) -> tuple[Floats, Marks]:
        slot = rows.slot
        doubted, instead = self.doubt(rows)
        if not doubted.any():
            self._since[slot] = NOT_SET
            self.believe(slot, rows.value, rows)
            return rows.value, rows.quality
        since = self._since[slot]
        since[since == NOT_SET] = now.monotonic_ns
        believed_late = doubted & (now.monotonic_ns - since >= self._hold[slot])
        if believed_late.any():
            doubted &= ~believed_late
            self.begin_from(rows.take(believed_late))
        self._since[slot] = np.where(doubted, since, NOT_SET)
        self._held[slot], self._held_marks[slot], self._held_time[slot] = rows.value, rows.quality, rows.time
        value = np.where(doubted, instead, rows.value)
        self.believe(slot, value, rows)
        return value, marked(rows.quality, doubted, q.ESTIMATED)

    def tick(self, now: Now) -> Rows | None:
        """What was held back long enough, and nothing came after it, is true."""
        slot = np.flatnonzero((self._since != NOT_SET) & (now.monotonic_ns - self._since >= self._hold))
        if not len(slot):
            return None
        self._since[slot] = NOT_SET
        rows = Rows.own(slot, self._held[slot], self._held_marks[slot], self._held_time[slot])
        self.believe(slot, rows.value, rows)
        self.begin_from(rows)
        return rows

    def forget(self, slots: Slots) -> None:
        self._since[slots] = NOT_SET

    @abstractmethod
    def doubt(self, rows: Rows) -> tuple[Bools, Floats]:
        """Which rows are not believed, bool[m], and what to say in their place, float64[m]."""

    def begin_from(self, rows: Rows) -> None:
        """What was held back long enough is the new level: what came before it says nothing of what follows."""

    def believe(self, slot: Slots, value: Floats, rows: Rows) -> None:
        """What is given out of these points, after `doubt` of the same rows or on its own."""


class Spike(_Rejecting):
    """Hampel identifier over the last values: what stands out from their median by too much is a spike.

    The window holds what came, not what was given out, so that a step is its majority after half of it. Until it is
    full nothing is judged.
    """

    def __init__(self, forms: Sequence[SpikeForm], points: Sequence[Point], table: LiveTable) -> None:
        super().__init__(forms, points, table)
        self._windows = Windows(self.k, forms[0].window)
        self._width, self._half = forms[0].window, forms[0].window // 2
        self._reach = column(forms, "sigmas") * _SIGMA_OF_MAD
        least = [p.form.deadband if f.least is None else f.least for f, p in zip(forms, points, strict=True)]
        self._least = np.array(least, np.float64)
        self._run = np.zeros(self.k, np.intp)
        """Values in a row that were not believed."""

    @classmethod
    def shape(cls, form: SpikeForm) -> Hashable:
        return form.window

    def doubt(self, rows: Rows) -> tuple[Bools, Floats]:
        slot, value = rows.slot, rows.value
        self._windows.push(slot, value, rows.quality)
        window, count = self._windows.values(slot), self._windows.count(slot)
        middle = lower_median(window, count)
        spread = lower_median(np.abs(window - middle[:, None]), count)
        apart = np.abs(value - middle)
        bound = np.maximum(self._reach[slot] * spread, self._least[slot])
        doubted = (apart > bound) & (count == self._width) & (self._run[slot] < self._half)
        self._run[slot] = np.where(doubted, self._run[slot] + 1, 0)
        return doubted, middle

    def begin_from(self, rows: Rows) -> None:
        self.forget(rows.slot)
        self._windows.push(rows.slot, rows.value, rows.quality)

    def forget(self, slots: Slots) -> None:
        super().forget(slots)
        self._windows.forget(slots)
        self._run[slots] = 0


class Rate(_Rejecting):
    """A change of more than `per_s` for each second since the last believed value is not believed.

    The corridor opens as time passes. Where the source time does not rise, no rate is known, and the value passes.
    """

    def __init__(self, forms: Sequence[RateForm], points: Sequence[Point], table: LiveTable) -> None:
        super().__init__(forms, points, table)
        self._per_s = column(forms, "per_s") * _ROUNDING
        self._last = np.full(self.k, np.nan)
        self._last_time = np.zeros(self.k, np.int64)

    def doubt(self, rows: Rows) -> tuple[Bools, Floats]:
        slot = rows.slot
        last = self._last[slot]
        passed_s = (rows.time - self._last_time[slot]) / SECOND_NS
        doubted = (np.abs(rows.value - last) > self._per_s[slot] * passed_s) & (passed_s > 0)
        return doubted, last

    def begin_from(self, rows: Rows) -> None:
        """What was held back long enough is the new level: what came before it says nothing of what follows."""

    def believe(self, slot: Slots, value: Floats, rows: Rows) -> None:
        given = value == rows.value
        slot = slot[given]
        self._last[slot], self._last_time[slot] = value[given], rows.time[given]

    def forget(self, slots: Slots) -> None:
        super().forget(slots)
        self._last[slots] = np.nan
