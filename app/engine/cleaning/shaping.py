"""Filters without memory: a value goes in, another comes out, and no time passes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from app.engine.cleaning.stage import Floats, Judging, Marks, Now, Rows, marked
from app.engine.table import LiveTable
from app.model import quality as q
from app.model.cleaning import WHOLE, BitsForm, ClampForm, MapForm, ScaleForm
from app.model.station import Point


class Clamp(Judging):
    """Keeps a value between two limits; further beyond them than `margin` it is marked RANGE."""

    def __init__(self, forms: Sequence[ClampForm], points: Sequence[Point], table: LiveTable) -> None:
        super().__init__(forms, points, table)
        self._low = np.array([-np.inf if form.low is None else form.low for form in forms])
        self._high = np.array([np.inf if form.high is None else form.high for form in forms])
        self._margin = np.array([form.margin for form in forms])

    def judge(self, rows: Rows, now: Now) -> tuple[Floats, Marks]:
        low, high, margin = self._low[rows.slot], self._high[rows.slot], self._margin[rows.slot]
        beyond = (rows.value < low - margin) | (rows.value > high + margin)
        return np.clip(rows.value, low, high), marked(rows.quality, beyond, q.RANGE)


class Scale(Judging):
    """Straight lines through pairs of numbers. Points with the same pairs share columns."""

    def __init__(self, forms: Sequence[ScaleForm], points: Sequence[Point], table: LiveTable) -> None:
        super().__init__(forms, points, table)
        before, after = np.array(forms[0].through, np.float64).T
        self._before, self._after = before, after
        self._slope = np.diff(after) / np.diff(before)

    @classmethod
    def shape(cls, form: ScaleForm) -> Hashable:
        return form.through

    def judge(self, rows: Rows, now: Now) -> tuple[Floats, Marks]:
        line = np.searchsorted(self._before[1:-1], rows.value, side="right")
        value = self._after[line] + (rows.value - self._before[line]) * self._slope[line]
        return value, marked(rows.quality, ~np.isfinite(value), q.IV)


class Bits(Judging):
    """A bit or a field of bits out of a whole number; a number that is none is invalid."""

    def __init__(self, forms: Sequence[BitsForm], points: Sequence[Point], table: LiveTable) -> None:
        super().__init__(forms, points, table)
        self._first = np.array([form.first for form in forms], np.int64)
        self._mask = np.array([(1 << form.count) - 1 for form in forms], np.int64)

    def judge(self, rows: Rows, now: Now) -> tuple[Floats, Marks]:
        whole = (rows.value == np.rint(rows.value)) & (np.abs(rows.value) < WHOLE)
        number = np.where(whole, rows.value, 0).astype(np.int64)
        field = ((number >> self._first[rows.slot]) & self._mask[rows.slot]).astype(np.float64)
        return np.where(whole, field, np.nan), marked(rows.quality, ~whole, q.IV)


class Map(Judging):
    """States of the device to states of the point; a state that is not known is invalid, or `other`."""

    def __init__(self, forms: Sequence[MapForm], points: Sequence[Point], table: LiveTable) -> None:
        super().__init__(forms, points, table)
        pairs = sorted(forms[0].states.items())
        self._before = np.array([before for before, _ in pairs], np.float64)
        self._after = np.array([after for _, after in pairs], np.float64)
        self._other = np.nan if forms[0].other is None else float(forms[0].other)

    @classmethod
    def shape(cls, form: MapForm) -> Hashable:
        return (*sorted(form.states.items()), form.other)

    def judge(self, rows: Rows, now: Now) -> tuple[Floats, Marks]:
        at = np.minimum(np.searchsorted(self._before, rows.value), len(self._before) - 1)
        value = np.where(self._before[at] == rows.value, self._after[at], self._other)
        return value, marked(rows.quality, np.isnan(value), q.IV)
