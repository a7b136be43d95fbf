"""What stands in for a value that is not usable, marked SB."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from app.engine.cleaning.stage import Bools, Floats, Now, Rows, Slots, Stage, column, nanoseconds
from app.engine.table import LiveTable
from app.model import quality as q
from app.model.cleaning import SubstituteForm
from app.model.station import Point


class _Substitute(Stage):
    """Replaces rows that are not usable, and goes on doing so without new rows: a lost device sends none."""

    def __init__(self, forms: Sequence[SubstituteForm], points: Sequence[Point], table: LiveTable) -> None:
        super().__init__(forms, points, table)
        self._bad = np.zeros(self.k, np.bool_)
        """Points whose newest row was not usable."""
        self._value = np.full(self.k, np.nan)
        self._marks = np.zeros(self.k, np.uint16)
        """That row."""
        self._said = np.full(self.k, np.nan)
        self._said_marks = np.zeros(self.k, np.uint16)
        """What was given out in its place."""

    def apply(self, rows: Rows, now: Now) -> Rows:
        good = q.usable(rows.value, rows.quality)
        self._bad[rows.slot] = ~good
        if good.all():
            self.note(rows.slot, rows.value, now)
            return rows
        self.note(rows.slot[good], rows.value[good], now)
        slot = rows.slot[~good]
        self._value[slot], self._marks[slot] = rows.value[~good], rows.quality[~good]
        self._say(slot, now)
        rows.value[~good], rows.quality[~good] = self._said[slot], self._said_marks[slot]
        return rows

    def tick(self, now: Now) -> Rows | None:
        slot = np.flatnonzero(self._bad)
        if not len(slot):
            return None
        value, marks = self._said[slot], self._said_marks[slot]
        self._say(slot, now)
        same = (self._said[slot] == value) | (np.isnan(self._said[slot]) & np.isnan(value))
        slot = slot[~same | (self._said_marks[slot] != marks)]
        if not len(slot):
            return None
        time = np.full(len(slot), now.wall_ns, np.int64)
        return Rows.own(slot, self._said[slot], self._said_marks[slot], time)

    def _say(self, slot: Slots, now: Now) -> None:
        value, there = self.instead(slot, now)
        measured = self._marks[slot] & np.uint16(0xFFFF & ~q.UNUSABLE)
        self._said[slot] = np.where(there, value, self._value[slot])
        self._said_marks[slot] = np.where(there, measured | np.uint16(q.SB), self._marks[slot])

    @abstractmethod
    def instead(self, slot: Slots, now: Now) -> tuple[Floats, Bools]:
        """(value, whether there is one) for these points."""

    def note(self, slot: Slots, value: Floats, now: Now) -> None:
        """Usable values that came."""


class Constant(_Substitute):
    """A declared number."""

    def __init__(self, forms: Sequence[SubstituteForm], points: Sequence[Point], table: LiveTable) -> None:
        super().__init__(forms, points, table)
        self._constant = column(forms, "value")

    def instead(self, slot: Slots, now: Now) -> tuple[Floats, Bools]:
        return self._constant[slot], np.ones(len(slot), np.bool_)


class LastGood(_Substitute):
    """The last usable value, as long as it is not older than `last`."""

    def __init__(self, forms: Sequence[SubstituteForm], points: Sequence[Point], table: LiveTable) -> None:
        super().__init__(forms, points, table)
        self._longest = nanoseconds(forms, "last")
        self._last = np.full(self.k, np.nan)
        self._since = np.zeros(self.k, np.int64)

    def note(self, slot: Slots, value: Floats, now: Now) -> None:
        self._last[slot], self._since[slot] = value, now.monotonic_ns

    def instead(self, slot: Slots, now: Now) -> tuple[Floats, Bools]:
        young = now.monotonic_ns - self._since[slot] <= self._longest[slot]
        return self._last[slot], young & np.isfinite(self._last[slot])


class OtherPoint(_Substitute):
    """What another point holds now; nothing while that one is not usable, or is itself a substitute."""

    def __init__(self, forms: Sequence[SubstituteForm], points: Sequence[Point], table: LiveTable) -> None:
        super().__init__(forms, points, table)
        self._table = table
        names = [point.beside(form.point or "") for form, point in zip(forms, points, strict=True)]
        self._other = np.array([table.station.by_name[name] for name in names], np.intp)

    def instead(self, slot: Slots, now: Now) -> tuple[Floats, Bools]:
        other = self._other[slot]
        value, quality = self._table.value[other], self._table.quality[other]
        return value, q.usable(value, quality) & ((quality & q.SB) == 0)
