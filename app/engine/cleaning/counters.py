"""Counters that never fall: rollovers are carried on, resets bridged, single wrong readings left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from app.engine.cleaning.stage import Bools, Floats, Judging, Marks, Now, Rows, Slots, Times, marked
from app.engine.table import LiveTable
from app.model import quality as q
from app.model.cleaning import CounterForm
from app.model.clock import SECOND_NS
from app.model.station import Point

CONFIRMED_BY: Final = 3
"""Readings in a row that tell a reset from a wrong one. A reading of 0 tells nothing: devices answer it by mistake."""
_RESTARTED: Final = 0.5
"""A counter that fell below this part of itself began again. One that fell less went back to an earlier reading."""


class Counter(Judging):
    """What is given out = the device's reading + what earlier rollovers and resets took away.

    A reading is believed when the counter grew, by no more than `per_s` allows. Another is answered by what was given
    out last, marked ESTIMATED, until the counter goes on as before, or three readings in a row have told that it began
    anew: behind a rollover what it grew counts, behind a reset what it counted since; where neither can be true,
    nothing. The same after a restart, where the last value in the history stands for what was given out last.
    """

    forgetful = False

    def __init__(self, forms: Sequence[CounterForm], points: Sequence[Point], table: LiveTable) -> None:
        super().__init__(forms, points, table)
        spans = [np.nan if f.modulus is None else f.modulus * p.form.scale for f, p in zip(forms, points, strict=True)]
        self._span = np.array(spans, np.float64)
        self._per_s = np.array([np.inf if form.per_s is None else form.per_s for form in forms], np.float64)
        precision = [p.form.precision for p in points]
        self._rounding = np.array([0.0 if digits is None else 10.0**-digits for digits in precision], np.float64)
        self._reading = np.full(self.k, np.nan)
        """The last believed reading; NaN before the first."""
        self._base = np.zeros(self.k)
        self._given = np.full(self.k, np.nan)
        self._time = np.zeros(self.k, np.int64)
        """Source time of both."""
        self._guessed = np.zeros(self.k, np.bool_)
        """Whether the reading was not read but concluded from the history."""
        self._doubted = np.full(self.k, np.nan)
        self._doubts = np.zeros(self.k, np.intp)

    def restore(self, slots: Slots, value: Floats, quality: Marks, time: Times) -> None:
        """Go on from what was given out last, before the first row. Of what was not usable the time says nothing."""
        with np.errstate(invalid="ignore"):
            rolled = np.floor(value / self._span[slots]) * self._span[slots]
        self._base[slots] = np.where(np.isnan(rolled), 0.0, rolled)
        self._reading[slots] = value - self._base[slots]
        self._given[slots], self._guessed[slots] = value, True
        self._time[slots] = np.where(q.usable(value, quality), time, 0)

    def apply(self, rows: Rows, now: Now) -> Rows:
        """As any filter; only that a row which is not usable holds the last value, or history would see a fall."""
        bad = ~q.usable(rows.value, rows.quality)
        rows = super().apply(rows, now)
        if bad.any():
            given = self._given[rows.slot[bad]]
            rows.value[bad] = np.where(np.isnan(given), rows.value[bad], given)
        return rows

    def judge(self, rows: Rows, now: Now) -> tuple[Floats, Marks]:
        slot, reading = rows.slot, rows.value
        first = np.isnan(self._given[slot])
        before, span = self._reading[slot], self._span[slot]
        passed_s = (rows.time - self._time[slot]) / SECOND_NS
        limited = np.isfinite(self._per_s[slot]) & (passed_s > 0)
        most = np.where(limited, self._per_s[slot] * np.maximum(passed_s, 0), np.inf) + self._rounding[slot]
        grown = reading - before
        grew = (grown >= -self._rounding[slot]) & (grown <= most)
        rolled = ~grew & (grown < 0) & (grown + span >= 0) & (grown + span <= np.minimum(most, span / 2))
        sure = first | grew | (rolled & limited)
        settled = ~sure & self._confirm(slot, reading, ~sure)
        added = self._behind_a_break(rows, rolled, most)
        base = np.where(first, 0.0, np.where(rolled & sure, self._base[slot] + span, self._base[slot]))
        base = np.where(settled, self._given[slot] + added - reading, base)
        held = ~sure & ~settled
        given = np.where(held, self._given[slot], np.fmax(self._given[slot], base + reading))
        self._learn(rows, ~held, base, given, np.where(grew, np.fmax(before, reading), reading))
        return given, marked(rows.quality, held, q.ESTIMATED)

    def _confirm(self, slot: Slots, reading: Floats, doubted: Bools) -> Bools:
        """Whether so many doubted readings in a row tell the same story: a counter that counts, from somewhere else."""
        on = reading >= self._doubted[slot]  # not so with the first, which is NaN
        counts = np.where(on, self._doubts[slot] + 1, 1)
        self._doubts[slot] = np.where(doubted & (reading > 0), counts, 0)
        self._doubted[slot] = np.where(doubted, reading, np.nan)
        result: Bools = self._doubts[slot] >= CONFIRMED_BY
        return result

    def _behind_a_break(self, rows: Rows, rolled: Bools, most: Floats) -> Floats:
        """What a counter that began anew has counted meanwhile, as far as that can be known."""
        slot, reading = rows.slot, rows.value
        before = self._reading[slot]
        reset = (reading < before * _RESTARTED) & ~self._guessed[slot]
        added = np.where(rolled, reading - before + self._span[slot], np.where(reset, reading, 0.0))
        return np.where(added <= most, added, 0.0)

    def _learn(self, rows: Rows, believed: Bools, base: Floats, given: Floats, reading: Floats) -> None:
        slot = rows.slot[believed]
        self._base[slot], self._given[slot], self._reading[slot] = base[believed], given[believed], reading[believed]
        self._time[slot], self._guessed[slot] = rows.time[believed], False
        self._doubts[slot], self._doubted[slot] = 0, np.nan
