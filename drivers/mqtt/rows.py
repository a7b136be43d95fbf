"""What the messages for a line's devices say, collected until the batch is handed over. On the network's thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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


class Sheet:
    """Columns of all devices of a line, as lists that grow row by row in the order of arrival.

    One sheet for all, because a burst holds a few rows of each of many devices: a batch a device would cost both
    threads ten times what its rows do.
    """

    def __init__(self, devices: Mapping[str, Sequence[Point]]) -> None:
        """The devices, each with its points."""
        self.place: list[int] = []
        """A row's point: where it stands among all points of the line."""
        self.value: list[float] = []
        self.quality: list[int] = []
        self.time: list[int] = []
        self.heard: dict[str, None] = {}
        """Devices of which something live and sound came since the last `take`."""
        self.rows: dict[str, Rows] = {}
        first = 0
        for device, points in devices.items():
            self.rows[device] = Rows(self, device, points, first)
            first += len(points)
        points = [point for points in devices.values() for point in points]
        self._index = np.array([point.index for point in points], np.int32)
        self._scale = np.array([point.form.scale for point in points], np.float64)
        self._offset = np.array([point.form.offset for point in points], np.float64)
        self._owner = np.repeat(np.arange(len(devices)), [len(points) for points in devices.values()])

    def take(self, received: int) -> tuple[Updates, NDArray[np.intp]]:
        """All rows since the last time, in each point's own unit, and whose they are: the device's place on the line.

        What is no number is NaN with IV.
        """
        place = np.array(self.place, np.intp)
        with np.errstate(over="ignore", invalid="ignore"):
            value = np.array(self.value, np.float64) * self._scale[place] + self._offset[place]
        quality = np.array(self.quality, np.uint16)
        none = ~np.isfinite(value)
        value[none] = np.nan
        quality[none] |= q.IV
        updates = Updates(self._index[place], value, quality, np.array(self.time, np.int64), received)
        for column in (self.place, self.value, self.quality, self.time, self.heard):
            column.clear()
        return updates, self._owner[place]


class Rows:
    """One device's part of its line's sheet. `slot` counts its points from 0."""

    def __init__(self, sheet: Sheet, device: str, points: Sequence[Point], first: int) -> None:
        self.device = device
        self.points = tuple(points)
        self.texts: dict[str, str] = {}
        """Point id -> text, as last seen."""
        self._sheet = sheet
        self._first = first

    def add(self, slot: int, value: float, quality: int, time: int) -> None:
        """A row, its value as it came."""
        sheet = self._sheet
        sheet.place.append(self._first + slot)
        sheet.value.append(value)
        sheet.quality.append(quality)
        sheet.time.append(time)

    def mark(self, quality: int) -> None:
        """Add quality bits to the row that was added last."""
        self._sheet.quality[-1] |= quality

    def hear(self) -> None:
        """Something live and sound came of the device."""
        self._sheet.heard[self.device] = None
