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
