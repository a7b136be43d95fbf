"""The live table: what is true now, as columns, shared by the engine's thread and those who look."""

from __future__ import annotations

import threading

import numpy as np

from app.model import quality as q
from app.model.station import Station
from app.model.updates import Updates
from app.model.views import Snapshot


class LiveTable:
    """Value, quality, source time and received time of every point. One writer (the engine), any number of readers."""

    def __init__(self, station: Station) -> None:
        n = len(station.points)
        self.value = np.full(n, np.nan)
        self.quality = np.full(n, q.NT, np.uint16)
        self.time = np.zeros(n, np.int64)
        self.received = np.zeros(n, np.int64)
        self._changed = np.zeros(n, np.int64)
        self._sequence = 0
        self._lock = threading.Lock()

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

    def snapshot(self, now_ns: int) -> Snapshot:
        """Copies of all columns, consistent with each other. Any thread."""
        with self._lock:
            return Snapshot(
                self._sequence,
                now_ns,
                self.value.copy(),
                self.quality.copy(),
                self.time.copy(),
                self.received.copy(),
                self._changed.copy(),
            )
