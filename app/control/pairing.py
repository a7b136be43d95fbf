"""What a meter would show if the devices behind it stood still: of meter and powers that belong to one moment.

Meter and devices are read at different times. A device that has moved between its reading and the meter's would be
counted twice or not at all, and whoever steers by the sum would answer his own step again and again. So while what a
device was told has not been seen by both, the last sum that was sound stands.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.control.fleet import NOWHERE, Fleet, Floats, Rows
from app.control.inputs import Reader, known
from app.model.clock import SECOND_NS

TOGETHER_S: Final = 0.05
"""Readings that are no further apart are of one moment."""
_TOGETHER_NS: Final = round(TOGETHER_S * SECOND_NS)
LARGE: Final = 0.02
"""Share of the rating: who is told less moves nothing that matters."""
SCANS: Final = 2.0
"""So many scans of the slowest reading, and `confirm: within`, the last sum stands at most: then what is read is taken
as it is."""


class Pairing:
    """Of one meter, and of channels of active power and of its limits behind it. On the engine's loop."""

    def __init__(self, fleet: Fleet, meter: Rows, channel: NDArray[np.intp]) -> None:
        """`meter` int64[1], the row of its active power."""
        self._meter, self._at, self._power = meter, channel, fleet.feedback[channel]
        self._is_cap, rating = fleet.is_cap[channel], fleet.rating[channel]
        self._large = np.where(np.isfinite(rating), LARGE * rating, np.inf)
        confirm = [fleet.channels[i].device.control.confirm for i in channel]
        self._near = np.maximum(np.array([one.tolerance_pct / 100.0 for one in confirm]) * rating, self._large)
        rows = np.concatenate([meter, self._power])
        slowest_s = float(fleet.station.columns.scan_s[rows[rows != NOWHERE]].max(initial=0.0))
        within_s = max((one.within for one in confirm), default=0.0)
        self._longest_ns = round((within_s + SCANS * slowest_s) * SECOND_NS)
        self._told: Floats = np.full(len(channel), np.nan)
        """What each was told when it was told to move last."""
        self._moved_ns: Rows = np.zeros(len(channel), np.int64)
        """Monotonic, since when a step is on its way; 0 where none is."""
        self._seen_ns: Rows = np.zeros(len(channel), np.int64)
        """And when the device was read that has arrived; 0 before."""
        self._sum_kw, self._since_ns = math.nan, 0

    @property
    def holds(self) -> bool:
        """Whether the last sum stands, for what is read is not of one moment."""
        return self._since_ns > 0

    def without_kw(self, reader: Reader, allowed: Floats, power: Floats, now_ns: int) -> float:
        """kW at the meter, import positive; NaN where it may not be used.

        `allowed` float64[n] of the last cycle, `power` float64[m] what the channels give, NaN for what does not count;
        `now_ns` monotonic.
        """
        read_kw = float(reader.good(self._meter)[0]) + float(power.sum(where=known(power)))
        if not len(self._at) or math.isnan(read_kw):
            return read_kw
        apart = np.abs(reader.since(self._power) - reader.since(self._meter)) > _TOGETHER_NS
        self._watch(reader, allowed[self._at], power, now_ns)
        if not (apart & (self._moved_ns > 0)).any():
            self._sum_kw, self._since_ns = read_kw, 0
        else:
            self._since_ns = self._since_ns or now_ns
            if math.isnan(self._sum_kw) or now_ns - self._since_ns > self._longest_ns:
                self._sum_kw, self._since_ns = read_kw, 0
        return self._sum_kw

    def _watch(self, reader: Reader, allowed: Floats, power: Floats, now_ns: int) -> None:
        """Which steps are on their way, and which were seen by the device's reading and by the meter's after it."""
        step = np.abs(allowed - self._told) > self._large
        begins = step | (known(allowed) & ~known(self._told))
        self._told = np.where(begins | ~known(allowed), allowed, self._told)
        self._moved_ns = np.where(step, now_ns, self._moved_ns)
        self._seen_ns = np.where(step, 0, self._seen_ns)
        read_ns = reader.since(self._power)
        far = power - self._told
        near = np.where(self._is_cap, far, np.abs(far)) <= self._near
        arrived = (self._seen_ns == 0) & (read_ns > self._moved_ns) & near
        self._seen_ns = np.where(arrived, read_ns, self._seen_ns)
        is_over = (self._seen_ns > 0) & (reader.since(self._meter) >= self._seen_ns)
        gone = ~known(allowed) | ~known(power) | (now_ns - self._moved_ns > self._longest_ns)
        self._moved_ns = np.where(is_over | gone, 0, self._moved_ns)
