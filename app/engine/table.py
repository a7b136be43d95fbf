"""The live table: what is true now, as columns, shared by the engine's thread and those who look."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from app.model import quality as q
from app.model.station import Station
from app.model.updates import Updates
from app.model.views import RawValues, Snapshot


class LiveTable:
    """Value, quality, source time and received time of every point. One writer (the engine), any number of readers."""

    def __init__(self, station: Station) -> None:
        n = len(station.points)
        self.station = station
        self.value = np.full(n, np.nan)
        self.quality = np.full(n, q.NT, np.uint16)
        self.time = np.zeros(n, np.int64)
        self.received = np.zeros(n, np.int64)
        self._changed = np.zeros(n, np.int64)
        self._sequence = 0
        cleaned = np.array([point.index for point in station.points if point.form.clean], np.int32)
        m = len(cleaned)
        self._raw = RawValues(cleaned, np.full(m, np.nan), np.full(m, q.NT, np.uint16), np.zeros(m, np.int64))
        self._raw_row = np.full(n, -1, np.int32)
        self._raw_row[cleaned] = np.arange(m)
        self._lock = threading.Lock()

    def follow(self, before: LiveTable, to_old: NDArray[np.int32]) -> None:
        """Take over what another table holds of the same points: `to_old` int32[n] is each point's row there, or -1."""
        mine = np.flatnonzero(to_old >= 0)
        theirs = to_old[mine]
        raw_mine = np.flatnonzero((self._raw_row >= 0) & (to_old >= 0))
        raw_mine = raw_mine[before._raw_row[to_old[raw_mine]] >= 0]
        to, since = self._raw_row[raw_mine], before._raw_row[to_old[raw_mine]]
        with before._lock, self._lock:
            self._sequence = before._sequence + 1
            self._changed[:] = self._sequence
            self.value[mine], self.quality[mine] = before.value[theirs], before.quality[theirs]
            self.time[mine], self.received[mine] = before.time[theirs], before.received[theirs]
            self._raw.value[to], self._raw.quality[to] = before._raw.value[since], before._raw.quality[since]
            self._raw.time[to] = before._raw.time[since]

    def apply(self, updates: Updates) -> None:
        """Take a batch; of several rows of one point the last stays."""
        rows = updates.point
        with self._lock:
            self._sequence += 1
            self.value[rows] = updates.value
            self.quality[rows] = updates.quality
            self.time[rows] = updates.time
            self.received[rows] = updates.received
            self._changed[rows] = self._sequence

    def note_raw(
        self,
        point: NDArray[np.int32],
        value: NDArray[np.float64],
        quality: NDArray[np.uint16],
        time: NDArray[np.int64],
    ) -> None:
        """What drivers read of points that have filters; of several rows of one point the last stays."""
        rows = self._raw_row[point]
        with self._lock:
            self._raw.value[rows], self._raw.quality[rows], self._raw.time[rows] = value, quality, time

    def lose_raw(self, point: NDArray[np.int32]) -> None:
        """These points that have filters are lost: what was read last stays, and is old."""
        with self._lock:
            self._raw.quality[self._raw_row[point]] |= np.uint16(q.NT)

    def snapshot(self, now_ns: int) -> Snapshot:
        """Copies of all columns, consistent with each other. Any thread."""
        with self._lock:
            raw = self._raw
            return Snapshot(
                self._sequence,
                now_ns,
                self.value.copy(),
                self.quality.copy(),
                self.time.copy(),
                self.received.copy(),
                self._changed.copy(),
                RawValues(raw.point, raw.value.copy(), raw.quality.copy(), raw.time.copy()) if len(raw.point) else None,
                self.station.config_hash,
            )
