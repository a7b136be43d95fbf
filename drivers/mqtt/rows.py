"""What the messages for one device say, collected until the batch is handed over. On the network's thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from app.model import quality as q
from app.model.station import Point
from app.model.updates import Updates


class Message(NamedTuple):
    """One PUBLISH as it came."""

    topic: str
    payload: bytes
    mid: int
    qos: int
    retained: bool
    again: bool
    """The broker may have sent it before (DUP)."""
    correlation: bytes | None
    received: int
    """UTC nanoseconds."""


class Rows:
    """Columns of one device, as lists that grow row by row. `slot` counts its points from 0."""

    def __init__(self, device: str, points: Sequence[Point]) -> None:
        self.device = device
        self.points = tuple(points)
        self.slot: list[int] = []
        self.value: list[float] = []
        self.quality: list[int] = []
        self.time: list[int] = []
        self.texts: dict[str, str] = {}
        """Point id -> text, as last seen."""
        self.heard = False
        """Whether something live and sound came since the last `take`."""
        self._index = np.array([point.index for point in points], np.int32)
        self._scale = np.array([point.form.scale for point in points], np.float64)
        self._offset = np.array([point.form.offset for point in points], np.float64)

    def add(self, slot: int, value: float, quality: int, time: int) -> None:
        """A row, its value as it came."""
        self.slot.append(slot)
        self.value.append(value)
        self.quality.append(quality)
        self.time.append(time)

    def take(self, received: int) -> Updates | None:
        """All rows since the last time, in each point's own unit; what is no number is NaN with IV."""
        self.heard = False
        if not self.slot:
            return None
        slot = np.array(self.slot, np.intp)
        with np.errstate(over="ignore", invalid="ignore"):
            value = np.array(self.value, np.float64) * self._scale[slot] + self._offset[slot]
        quality = np.array(self.quality, np.uint16)
        none = ~np.isfinite(value)
        value[none] = np.nan
        quality[none] |= q.IV
        updates = Updates(self._index[slot], value, quality, np.array(self.time, np.int64), received)
        for column in (self.slot, self.value, self.quality, self.time):
            column.clear()
        return updates
