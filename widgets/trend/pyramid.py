"""Min, max and mean of a long series in buckets of 2^m nanoseconds, so that any zoom touches about one bucket a pixel.

Buckets lie on a grid of absolute time: panning moves them, never re-cuts them, so nothing shimmers. A row without a
value (NaN) breaks the line; where a whole bucket has no value, the break survives on that level, and a break that is
narrower than a bucket is narrower than a pixel. Pure numpy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
U2 = NDArray[np.uint16]
Bools = NDArray[np.bool_]

FEWEST_ROWS: Final = 16_384
"""A shorter series is cut into buckets when it is asked for."""
_ROWS_A_BUCKET: Final = 4
"""Of the finest stored level; finer ones are cut from the rows when they are asked for."""
_COARSEST_BUCKETS: Final = 16
_WIDEST_PX: Final = 1.5


@dataclass(frozen=True, slots=True)
class Rows:
    """A series as it lies in memory; all columns of length n, time rises (equal times are allowed).

    `low` and `high` are the very array `mid` where every row is one sample. `usable`: counts for scales and means.
    """

    time: I8
    low: F8
    high: F8
    mid: F8
    quality: U2
    usable: Bools

    def __len__(self) -> int:
        return len(self.time)

    def cut(self, first: int, last: int) -> Rows:
        """Rows first to last - 1, as views."""
        return self.take(slice(first, last))

    def take(self, rows: slice | NDArray[np.intp] | Bools) -> Rows:
        """The chosen rows, in their order. Columns that are one stay one."""
        mid = self.mid[rows]
        single = self.low is self.mid
        return Rows(
            self.time[rows],
            mid if single else self.low[rows],
            mid if single else self.high[rows],
            mid,
            self.quality[rows],
            self.usable[rows],
        )


@dataclass(frozen=True, slots=True)
class Columns:
    """What a painter needs of a series: at most about 1.5 columns a pixel; NaN in `mid` breaks the line.

    `begin` and `end` bound each column (equal for single samples); `usable` is false where no row of it may be used.
    """

    begin: I8
    end: I8
    low: F8
    high: F8
    mid: F8
    quality: U2
    usable: Bools

    def __len__(self) -> int:
        return len(self.begin)

    @property
    def single(self) -> bool:
        """Whether each column is one row that was stored, and none of them spans a range."""
        return self.low is self.mid


@dataclass(frozen=True, slots=True)
class _Level:
    shift: int
    index: I8
    """Number of each bucket that has rows: time >> shift."""
    low: F8
    high: F8
    mid: F8
    weight: F8
    """Usable rows in it."""
    quality: U2


def _reduce(index: I8, rows: Rows | _Level, weight: F8, shift: int, hold: bool) -> _Level:
    """One level of consecutive runs of equal `index`. `hold`: mid is the last value instead of the mean."""
    starts = np.append(0, np.flatnonzero(index[1:] != index[:-1]) + 1)
    used = weight > 0
    low, high = np.fmin.reduceat(rows.low, starts), np.fmax.reduceat(rows.high, starts)
    total = np.add.reduceat(weight, starts)
    if not used.all():  # an invalid value must not stretch the band of the good ones beside it
        good_low = np.fmin.reduceat(np.where(used, rows.low, np.nan), starts)
        good_high = np.fmax.reduceat(np.where(used, rows.high, np.nan), starts)
        low, high = np.where(total > 0, good_low, low), np.where(total > 0, good_high, high)
    if hold:
        last = rows.mid[np.append(starts[1:], len(index)) - 1]
        mid = np.where(np.isnan(last), high, last)
    else:
        weighted = np.add.reduceat(np.where(used, rows.mid * weight, 0.0), starts)
        mid = np.where(total > 0, weighted / np.maximum(total, 1), (low + high) / 2)
    return _Level(shift, index[starts], low, high, mid, total, np.bitwise_or.reduceat(rows.quality, starts))


def _columns(level: _Level, first: int, last: int) -> Columns:
    cut = slice(first, last)
    begin = level.index[cut] << level.shift
    return Columns(
        begin,
        begin + (1 << level.shift),
        level.low[cut],
        level.high[cut],
        level.mid[cut],
        level.quality[cut],
        level.weight[cut] > 0,
    )


def _of_rows(rows: Rows) -> Columns:
    return Columns(rows.time, rows.time, rows.low, rows.high, rows.mid, rows.quality, rows.usable)


class Pyramid:
    """The levels of `rows`. Building 1,000,000 rows takes some 30 ms; a query touches what it returns.

    hold: the series keeps its value until the next row (status points); then mid is the last value of a bucket.
    """

    def __init__(self, rows: Rows, *, hold: bool = False) -> None:
        self._rows = rows
        self._hold = hold
        self._levels: list[_Level] = []
        n = len(rows)
        span = int(rows.time[-1] - rows.time[0]) if n else 0
        if n < FEWEST_ROWS or span <= 0:
            return
        shift = max(math.ceil(math.log2(span / n * _ROWS_A_BUCKET)), 0)
        level = self._cut(rows, shift)
        self._levels.append(level)
        while len(level.index) > _COARSEST_BUCKETS and shift < 62:
            shift += 1
            level = _reduce(level.index >> 1, level, level.weight, shift, hold)
            self._levels.append(level)

    def _cut(self, rows: Rows, shift: int) -> _Level:
        return _reduce(rows.time >> shift, rows, rows.usable.astype(np.float64), shift, self._hold)

    def columns(self, start_ns: int, end_ns: int, pixels: int) -> Columns:
        """What is seen of [start, end] on so many pixels, and one column more on each side to lead lines out."""
        rows = self._rows
        width = (end_ns - start_ns) / max(pixels, 1)
        wanted = math.floor(math.log2(max(width * _WIDEST_PX, 1)))
        if self._levels and wanted >= self._levels[0].shift:
            level = self._levels[min(wanted - self._levels[0].shift, len(self._levels) - 1)]
            first = int(np.searchsorted(level.index, start_ns >> level.shift)) - 1
            last = int(np.searchsorted(level.index, end_ns >> level.shift, "right")) + 1
            return _columns(level, max(first, 0), last)
        first = max(int(np.searchsorted(rows.time, start_ns)) - 1, 0)
        last = int(np.searchsorted(rows.time, end_ns, "right")) + 1
        seen = rows.cut(first, last)
        if len(seen) <= 2 * pixels:
            return _of_rows(seen)
        level = self._cut(seen, wanted)
        return _columns(level, 0, len(level.index))
