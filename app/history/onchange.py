"""Which samples are worth a row: values rounded to the point's precision, stored on change and at each heartbeat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows of a batch, brought together by point; arrival order is kept within a point."""

    order: Ints
    """Positions in the batch, int64[n]."""
    starts: Ints
    """Where in `order` each point begins, int64[k]; `ends` where it ends."""
    ends: Ints
    point: NDArray[np.int32]
    """The point of each group, int32[k], rising."""


def by_point(point: NDArray[np.int32]) -> Groups:
    """Bring the rows of each point together. `point` has at least one row."""
    # One integer key sorts many times faster than a stable sort of positions.
    key = (point.astype(np.int64) << 32) | np.arange(len(point), dtype=np.int64)
    key.sort()
    sorted_point = (key >> 32).astype(np.int32)
    starts = np.flatnonzero(np.concatenate(([True], sorted_point[1:] != sorted_point[:-1]))).astype(np.int64)
    return Groups(key & 0xFFFFFFFF, starts, np.append(starts[1:], len(point)), sorted_point[starts])


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
        if not len(point):
            return kept
        groups = by_point(point)
        order, starts, ends, first = groups.order, groups.starts, groups.ends, groups.point
        v, q = value[order], quality[order].astype(np.int32)
        before_v, before_q = np.empty_like(v), np.empty_like(q)
        before_v[1:], before_q[1:] = v[:-1], q[:-1]
        before_v[starts], before_q[starts] = self._value[first], self._quality[first]
        wanted = _changed(v, q, before_v, before_q, self._band[point[order]])
        self._one_by_one(wanted, v, q, groups)
        silent = ~np.logical_or.reduceat(wanted, starts)
        late = received[order[ends - 1]] - self._stored[first] >= self._early_ns[first]
        wanted[ends[silent & late] - 1] = True
        kept[order] = wanted
        self._seen_value[first], self._seen_quality[first] = v[ends - 1], q[ends - 1].astype(np.uint16)
        last = np.maximum.reduceat(np.where(wanted, np.arange(len(order)), -1), starts)
        stored = last >= 0
        last, first = last[stored], first[stored]
        self._value[first], self._quality[first] = v[last], q[last]
        self._stored[first] = received[order[last]]
        return kept

    def _one_by_one(self, wanted: Bools, v: Floats, q: NDArray[np.int32], groups: Groups) -> None:
        """With a deadband each row is judged against the last that was stored, which the row before may not be."""
        several = (groups.ends - groups.starts > 1) & (self._band[groups.point] > 0)
        if not several.any():
            return
        position, ends, point = groups.starts[several], groups.ends[several], groups.point[several]
        last_v, last_q, band = self._value[point], self._quality[point], self._band[point]
        live = np.arange(len(position))
        while len(live):
            at = position[live]
            take = _changed(v[at], q[at], last_v[live], last_q[live], band[live])
            wanted[at] = take
            last_v[live[take]], last_q[live[take]] = v[at[take]], q[at[take]]
            position[live] += 1
            live = live[position[live] < ends[live]]

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


def _changed(v: Floats, q: NDArray[np.int32], before_v: Floats, before_q: NDArray[np.int32], band: Floats) -> Bools:
    """Exceeds the deadband, became or ceased to be a number, or has another quality."""
    with np.errstate(invalid="ignore"):
        moved = (np.abs(v - before_v) > band) | (np.isnan(v) != np.isnan(before_v)) | (q != before_q)
    # inf - inf is NaN: an infinity that stays is no change, one that turns its sign is.
    turned: Bools = np.isinf(v) & np.isinf(before_v) & (v != before_v)
    result: Bools = moved | turned
    return result
