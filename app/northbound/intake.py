"""The engine's updates on their way to one centre: taken on the engine's loop, fetched on another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import numpy as np

from app.model import quality as q
from app.model.updates import Updates
from app.northbound.centre import Centre
from drivers.iec104.asdu import Columns
from drivers.iec104.clock import StationClock
from drivers.iec104.typeids import Cause

MOST_WAITING: Final = 100_000
"""Rows that wait for a worker; with more they are given up for one copy of everything."""


class Intake:
    """`take` belongs to the engine's thread, everything else to the one that feeds the worker."""

    def __init__(self, centre: Centre, points: int, clock: StationClock, wake: Callable[[], None]) -> None:
        """`points` are those of the station; `wake` is called from the engine's thread, and must not block."""
        self._clock = clock
        self._wake = wake
        values = sorted(centre.values, key=lambda one: one.point)
        self._offered = np.zeros(points, np.bool_)
        self._count = np.bincount([one.point for one in values], minlength=points)
        self._offered[self._count > 0] = True
        self._first = np.cumsum(self._count) - self._count
        """Objects of point p are those from first[p] on, count[p] of them: one point may be offered more than once."""
        self._ioa = np.array([one.ioa for one in values], np.uint32)
        self._type = np.array([one.type for one in values], np.uint8)
        self._scale = np.array([one.scale for one in values], np.float64)
        self._offset = np.array([one.offset for one in values], np.float64)
        self._ca = centre.ca
        self._which = np.flatnonzero(self._offered)
        self._value = np.full(points, np.nan)
        self._quality = np.full(points, q.NT, np.uint16)
        self._time = np.zeros(points, np.int64)
        self._lock = threading.Lock()
        self._waiting: list[Updates] = []
        self._rows = 0
        self._gap = False

    def take(self, updates: Updates) -> None:
        """Remember what is offered of a batch. O(batch)."""
        rows = np.flatnonzero(self._offered[updates.point])
        if not len(rows):
            return
        part = updates.take(rows)
        with self._lock:
            self._value[part.point] = part.value
            self._quality[part.point] = part.quality
            self._time[part.point] = part.time
            self._waiting.append(part)
            self._rows += len(part)
            if self._rows > MOST_WAITING:
                self._waiting.clear()
                self._rows, self._gap = 0, True
        self._wake()

    def everything(self, now_ns: int) -> Columns:
        """All values as they are; what waits is part of them, and forgotten."""
        with self._lock:
            self._waiting.clear()
            self._rows, self._gap = 0, False
            rows = self._which
            present = Updates.of(rows, self._value[rows], self._quality[rows], self._time[rows], now_ns)
        return self._columns(present, Cause.INTERROGATED)

    def fetch(self) -> Columns | None:
        """What has come since the last time, in its order. None after a gap, when `everything` is to be fetched."""
        with self._lock:
            if self._gap:
                return None
            waiting, self._waiting, self._rows = self._waiting, [], 0
        return self._columns(Updates.join(waiting), Cause.SPONTANEOUS)

    def _columns(self, updates: Updates, cause: int) -> Columns:
        """As objects of the wire."""
        count = self._count[updates.point]
        row = np.repeat(np.arange(len(updates)), count)
        within = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        one = self._first[updates.point][row] + within
        time = np.where(updates.time > 0, updates.time, updates.received)[row]
        return Columns(
            np.full(len(one), self._ca, np.uint16), self._ioa[one], self._type[one],
            np.full(len(one), cause, np.uint8), updates.quality[row],
            (updates.value[row] - self._offset[one]) / self._scale[one], self._clock.write(time),
        )  # fmt: skip
