"""Where counters stood when the station's day began."""

from __future__ import annotations

from datetime import datetime, time

import numpy as np
from numpy.typing import NDArray

from app.model.clock import from_datetime, to_datetime
from app.model.quality import usable
from app.model.station import Station
from app.model.views import Snapshot


def day_start_ns(station: Station, now_ns: int) -> int:
    """UTC nanoseconds of the last midnight in the station's zone."""
    local = to_datetime(now_ns).astimezone(station.zone)
    return from_datetime(datetime.combine(local.date(), time(), station.zone))


class DayBaseline:
    """Readings of all points at the start of the day, as far as they are known.

    Whoever owns it calls `roll` with the time; when that says that a new day began, it asks the history for the first
    values since midnight and hands them to `put`. What history does not know is filled by `fill` from the first usable
    live value, so that an energy of today counts from then, and says so.
    """

    def __init__(self, station: Station) -> None:
        self._station = station
        self.start_ns = 0
        self._value = np.full(len(station.points), np.nan)
        self._since = np.zeros(len(station.points), dtype=np.int64)

    def roll(self, now_ns: int) -> bool:
        """Begin a new day when it is one. True: the readings are unknown now, ask the history from `start_ns`."""
        start = day_start_ns(self._station, now_ns)
        if start == self.start_ns:
            return False
        self.start_ns = start
        self._value[:] = np.nan
        self._since[:] = 0
        return True

    def put(self, name: str, value: float, time_ns: int) -> None:
        """The first value of a point since midnight, and when that was. An earlier one replaces a later one."""
        i = self._station.by_name[name]
        if np.isfinite(value) and (np.isnan(self._value[i]) or time_ns < self._since[i]):
            self._value[i], self._since[i] = value, time_ns

    def fill(self, snapshot: Snapshot) -> None:
        """Take the present value wherever nothing is known yet and the value is usable and of today."""
        fresh = np.isnan(self._value) & usable(snapshot.value, snapshot.quality) & (snapshot.time >= self.start_ns)
        self._value[fresh] = snapshot.value[fresh]
        self._since[fresh] = snapshot.time[fresh]

    def readings(self, indices: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """(value, UTC nanoseconds of it) of some points; NaN where unknown."""
        return self._value[indices], self._since[indices]
