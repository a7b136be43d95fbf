"""The unit of everything that moves: a batch of updates as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Updates:
    """New values of some points, one row each; rows of one point stand in the order in which they happened.

    point    int32[n]    index into `Station.points`
    value    float64[n]  in the point's own unit; NaN where there is none
    quality  uint16[n]   bits of `app.model.quality`
    time     int64[n]    source time, UTC nanoseconds
    received int         when this process had them, UTC nanoseconds
    """

    point: NDArray[np.int32]
    value: NDArray[np.float64]
    quality: NDArray[np.uint16]
    time: NDArray[np.int64]
    received: int

    def __len__(self) -> int:
        return len(self.point)

    @staticmethod
    def of(point: ArrayLike, value: ArrayLike, quality: ArrayLike, time: ArrayLike, received: int) -> Updates:
        """Build a batch from anything array-like; `quality` and `time` may be one value for all rows.

        Raises ValueError when the lengths differ.
        """
        points = np.atleast_1d(np.asarray(point, dtype=np.int32))
        n = len(points)
        return Updates(
            points,
            np.broadcast_to(np.asarray(value, dtype=np.float64), n),
            np.broadcast_to(np.asarray(quality, dtype=np.uint16), n),
            np.broadcast_to(np.asarray(time, dtype=np.int64), n),
            received,
        )

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Updates:
        """The chosen rows, in their order. `rows` is a mask bool[n] or positions."""
        return Updates(self.point[rows], self.value[rows], self.quality[rows], self.time[rows], self.received)

    def moved(self, rows: int) -> Updates:
        """The same of points that stand `rows` further on."""
        return Updates(self.point + np.int32(rows), self.value, self.quality, self.time, self.received)

    @staticmethod
    def join(batches: Sequence[Updates]) -> Updates:
        """One batch of several, in their order, received when the last of them was."""
        if len(batches) == 1:
            return batches[0]
        if not batches:
            return Updates.of(np.empty(0, np.int32), np.empty(0), 0, 0, 0)
        return Updates(
            np.concatenate([b.point for b in batches]),
            np.concatenate([b.value for b in batches]),
            np.concatenate([b.quality for b in batches]),
            np.concatenate([b.time for b in batches]),
            max(b.received for b in batches),
        )


def turns(point: NDArray[np.int32]) -> list[slice | NDArray[np.int64]]:
    """Split rows so that no point stands twice in a turn: the first row of each point, then the second of each, ...

    Whole columns can then be worked on turn by turn. Most batches are one turn.
    """
    n = len(point)
    if (point[1:] > point[:-1]).all():
        return [slice(None)] if n else []
    # One integer key sorts many times faster than a stable sort of positions.
    key = (point.astype(np.int64) << 32) | np.arange(n, dtype=np.int64)
    key.sort()
    sorted_point = key >> 32
    begins = np.concatenate(([True], sorted_point[1:] != sorted_point[:-1]))
    if begins.all():
        return [slice(None)]
    row = np.arange(n)
    rank = row - np.maximum.accumulate(np.where(begins, row, 0))
    by_rank = np.argsort(rank, kind="stable")
    return np.split((key & 0xFFFFFFFF)[by_rank], np.cumsum(np.bincount(rank))[:-1])
