"""The last usable values of k points, w of each, and what is said of such windows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.engine.cleaning.stage import Floats, Marks, Slots


class Windows:
    """A ring a point: values with their marks, the oldest overwritten."""

    def __init__(self, k: int, width: int) -> None:
        self._width = width
        self._value = np.full((k, width), np.nan)
        self._marks = np.zeros((k, width), np.uint16)
        self._next = np.zeros(k, np.intp)
        self._count = np.zeros(k, np.intp)

    def push(self, slot: Slots, value: Floats, marks: Marks) -> None:
        """One more value of each of these points."""
        at = self._next[slot]
        self._value[slot, at] = value
        self._marks[slot, at] = marks
        self._next[slot] = (at + 1) % self._width
        self._count[slot] = np.minimum(self._count[slot] + 1, self._width)

    def forget(self, slot: Slots) -> None:
        """Empty the windows of these points."""
        self._value[slot] = np.nan
        self._marks[slot] = 0
        self._next[slot] = 0
        self._count[slot] = 0

    def values(self, slot: Slots) -> Floats:
        """float64[m, w], a copy; NaN where nothing came yet."""
        return self._value[slot]

    def count(self, slot: Slots) -> NDArray[np.intp]:
        """intp[m]: how many of the w are there."""
        return self._count[slot]

    def marks(self, slot: Slots) -> Marks:
        """uint16[m]: all marks of the values within."""
        result: Marks = np.bitwise_or.reduce(self._marks[slot], axis=1)
        return result


def lower_median(values: Floats, count: NDArray[np.intp]) -> Floats:
    """float64[m] of rows float64[m, w] with `count` numbers each, the rest NaN. Sorts `values` where they stand.

    Of an even number the lower of the middle two: a value that was measured, not one between two.
    """
    values.sort(axis=1)  # NaN goes last
    result: Floats = values[np.arange(len(values)), np.maximum(count - 1, 0) // 2]
    return result


def mean(values: Floats, count: NDArray[np.intp]) -> Floats:
    """float64[m] of rows float64[m, w] with `count` numbers each, the rest NaN."""
    result: Floats = np.nansum(values, axis=1) / np.maximum(count, 1)
    return result
