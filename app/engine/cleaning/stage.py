"""What a filter is to its chain: rows in, rows out, and now and then rows of its own when time has passed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.engine.table import LiveTable
from app.model import quality as q
from app.model.clock import SECOND_NS
from app.model.station import Point

Slots = NDArray[np.intp]
Floats = NDArray[np.float64]
Marks = NDArray[np.uint16]
Times = NDArray[np.int64]
Bools = NDArray[np.bool_]

NO_ROW: Final = -1
NOT_SET: Final = -1
"""In a column of monotonic times."""


class Now(NamedTuple):
    """One moment on both clocks. What a filter waits for it counts in the one that nobody sets."""

    wall_ns: int
    monotonic_ns: int


@dataclass(slots=True)
class Rows:
    """m rows on their way through a chain, no two of one point. The arrays are the chain's own: stages write to them.

    at       intp[m]     position in the batch that came, NO_ROW for what a filter says by itself
    slot     intp[m]     which of the k points that share the chain
    value    float64[m]
    quality  uint16[m]
    time     int64[m]    source time, UTC nanoseconds
    """

    at: Slots
    slot: Slots
    value: Floats
    quality: Marks
    time: Times

    def __len__(self) -> int:
        return len(self.slot)

    def take(self, rows: Bools) -> Rows:
        """The chosen rows."""
        return Rows(self.at[rows], self.slot[rows], self.value[rows], self.quality[rows], self.time[rows])

    @staticmethod
    def own(slot: Slots, value: Floats, quality: Marks, time: Times) -> Rows:
        """Rows that did not come with a batch."""
        return Rows(np.full(len(slot), NO_ROW, np.intp), slot, value, quality, time)


class Stage(ABC):
    """One filter for k points at once; `forms` and `points` have one member a point. State stands in columns of k."""

    def __init__(self, forms: Sequence[Any], points: Sequence[Point], table: LiveTable) -> None:
        self.k = len(points)

    @classmethod
    def shape(cls, form: Any) -> Hashable:
        """What must be alike for points to share columns, for instance the length of a window."""
        return ()

    @abstractmethod
    def apply(self, rows: Rows, now: Now) -> Rows:
        """The same rows, cleaned; fewer where a filter keeps some back, never more, never in another order."""

    def tick(self, now: Now) -> Rows | None:
        """What is to be said without new rows, at most one row a point. Called twenty times a second."""
        return None


class Judging(Stage):
    """A filter that answers each usable row with one row. Rows that are not usable pass as they are.

    With a row NT the device was lost: what the filter remembers of before says nothing of what comes after.
    """

    forgetful: ClassVar[bool] = True

    def apply(self, rows: Rows, now: Now) -> Rows:
        good = q.usable(rows.value, rows.quality)
        if good.all():
            rows.value, rows.quality = self.judge(rows, now)
            return rows
        if self.forgetful:
            lost = (rows.quality & q.NT) != 0
            if lost.any():
                self.forget(rows.slot[lost])
        if good.any():
            rows.value[good], rows.quality[good] = self.judge(rows.take(good), now)
        return rows

    @abstractmethod
    def judge(self, rows: Rows, now: Now) -> tuple[Floats, Marks]:
        """(value, quality) of usable rows."""

    def forget(self, slots: Slots) -> None:
        """Begin anew with these points."""


def column(forms: Sequence[Any], key: str) -> Floats:
    """float64[k] of what each form says under a key."""
    return np.array([getattr(form, key) for form in forms], np.float64)


def nanoseconds(forms: Sequence[Any], key: str) -> Times:
    """int64[k] of a duration of each form."""
    return np.rint(column(forms, key) * SECOND_NS).astype(np.int64)


def marked(quality: Marks, where: Bools, bit: int) -> Marks:
    """The same qualities with a bit set where told."""
    return quality | np.where(where, np.uint16(bit), np.uint16(0))
