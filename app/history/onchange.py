"""Which samples are worth a row: values rounded to the point's precision, stored on change and at each heartbeat."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.model.updates import turns

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_EXACT: Final = 2.0**53
_NEVER: Final = -(2**62)


def round_to(value: Floats, decimals: NDArray[np.int8]) -> Floats:
    """Values at their decimals, float64[n]; as they are where `decimals` is -1 or a double cannot tell such digits."""
    scale = 10.0 ** np.maximum(decimals, 0)
    with np.errstate(over="ignore", invalid="ignore"):
        whole = np.rint(value * scale)
        rounded = whole / scale + 0.0  # + 0.0: minus nothing is nothing
    return np.where((decimals >= 0) & (np.abs(whole) < _EXACT), rounded, value)


class OnChange:
    """Decides row by row, against the last value stored of the point. n points; state survives from batch to batch."""

    def __init__(self, deadband: Floats, scan_s: Floats, heartbeat_s: float) -> None:
        n = len(deadband)
        # A change must exceed the deadband; the margin keeps the noise of binary fractions out of the comparison.
        self._band = deadband * (1 + 1e-9)
        self._heartbeat_ns = round(heartbeat_s * 1e9)
        # A polled point is stored on its own update, before its heartbeat falls due without one.
        early_s = np.maximum(heartbeat_s - scan_s, heartbeat_s / 2)
        self._early_ns: Ints = np.rint(early_s * 1e9).astype(np.int64)
        self._value: Floats = np.full(n, np.nan)
        self._quality = np.full(n, -1, dtype=np.int32)
        self._stored: Ints = np.full(n, _NEVER, dtype=np.int64)
        self._seen_value: Floats = np.full(n, np.nan)
        self._seen_quality = np.zeros(n, dtype=np.uint16)

    def keep(self, point: NDArray[np.int32], value: Floats, quality: NDArray[np.uint16], received: Ints) -> Bools:
        """Which rows to store, bool[m]. Rows of one point stand in the order in which they happened.

        received  int64[m]  UTC nanoseconds; the heartbeat counts in it, for a device's own clock may stand
        """
        kept = np.zeros(len(point), dtype=np.bool_)
        for turn in turns(point):
            kept[turn] = self._keep_once(point[turn], value[turn], quality[turn], received[turn])
        return kept

    def _keep_once(self, p: NDArray[np.int32], v: Floats, q: NDArray[np.uint16], received: Ints) -> Bools:
        """As `keep`, for rows of which no two are of one point."""
        wanted = _changed(v, q, self._value[p], self._quality[p], self._band[p])
        if not wanted.all():
            wanted |= received - self._stored[p] >= self._early_ns[p]
        self._seen_value[p], self._seen_quality[p] = v, q
        if not wanted.all():
            p, v, q, received = p[wanted], v[wanted], q[wanted], received[wanted]
        self._value[p], self._quality[p], self._stored[p] = v, q, received
        return wanted

    def due(self, now_ns: int) -> tuple[NDArray[np.int32], Floats, NDArray[np.uint16]]:
        """Points whose heartbeat fell due without an update: point, value and quality as last seen, to be stored now.

        They count as stored from here on.
        """
        point = np.flatnonzero((self._stored != _NEVER) & (now_ns - self._stored >= self._heartbeat_ns))
        self._stored[point] = now_ns
        self._value[point], self._quality[point] = self._seen_value[point], self._seen_quality[point]
        return point.astype(np.int32), self._seen_value[point], self._seen_quality[point]

    def set_clock(self, now_ns: int) -> None:
        """The wall clock was set: heartbeats count from now."""
        self._stored[self._stored != _NEVER] = now_ns


def _changed(v: Floats, q: NDArray[np.uint16], before_v: Floats, before_q: NDArray[np.int32], band: Floats) -> Bools:
    """Exceeds the deadband, became or ceased to be a number, or has another quality."""
    with np.errstate(invalid="ignore"):
        moved = (np.abs(v - before_v) > band) | (np.isnan(v) != np.isnan(before_v)) | (q != before_q)
    # inf - inf is NaN: an infinity that stays is no change, one that turns its sign is.
    turned: Bools = np.isinf(v) & np.isinf(before_v) & (v != before_v)
    result: Bools = moved | turned
    return result
