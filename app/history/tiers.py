"""Tiers: buckets of 1 s, 5 s, 15 min and 1 h, made from every update before the deadband.

A value holds until the next one. A bucket's mean weighs each value with the time for which it held and was usable; its
minimum, maximum, first and last include the value that held when the bucket began. Work is done on columns of points;
the finest level of a cascade takes the updates, and each coarser level adds up the one below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.history.layout import BUCKET_MS, BUCKET_TIERS, MS_NS, Tier
from app.history.onchange import Bools, Floats, Ints
from app.model.clock import SECOND_NS
from app.model.quality import usable
from app.model.updates import turns

SOMEWHAT_LATE_NS: Final = 60 * SECOND_NS
_NO_WORDS: Final = partial(np.errstate, over="ignore", invalid="ignore", divide="ignore")
"""Values near the end of what a double holds, and buckets of no time, are nothing to warn of."""


@dataclass(frozen=True, slots=True)
class Buckets:
    """Finished buckets of one tier, one row each.

    point    int32[n]    index into `Station.points`
    start    int64[n]    bucket start, UTC nanoseconds
    at       int64[n]    nanoseconds into the bucket at which this row's record begins: 0 unless it is a part of one
    min, max, mean, first, last  float64[n]  over usable time; NaN where there was none
    count    int64[n]    updates
    good     int64[n]    usable nanoseconds
    quality  uint16[n]   all bits that occurred
    """

    tier: Tier
    point: NDArray[np.int32]
    start: Ints
    at: Ints
    min: Floats
    max: Floats
    mean: Floats
    first: Floats
    last: Floats
    count: Ints
    good: Ints
    quality: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.point)


def emitted_by(scan_s: Floats, tier: Tier) -> Bools:
    """Which points have this tier: none finer than four scans. The coarsest is for all, or slow points would be lost
    with the raw samples."""
    result: Bools = np.full(len(scan_s), True) if tier is Tier.H1 else BUCKET_MS[tier] >= 4000 * scan_s - 1e-6
    return result


@dataclass(slots=True)
class _Level:
    """The open bucket of one tier for all members of a cascade."""

    tier: Tier
    emits: Bools
    low: Floats = field(init=False)
    high: Floats = field(init=False)
    area: Floats = field(init=False)
    """Value times the seconds for which it held."""
    good: Ints = field(init=False)
    first: Floats = field(init=False)
    last: Floats = field(init=False)
    count: Ints = field(init=False)
    bits: NDArray[np.uint16] = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.emits)
        self.low, self.high = np.full(n, np.inf), np.full(n, -np.inf)
        self.first, self.last = np.full(n, np.nan), np.full(n, np.nan)
        self.area, self.good = np.zeros(n), np.zeros(n, dtype=np.int64)
        self.count, self.bits = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.uint16)

    @property
    def bucket_ns(self) -> int:
        return BUCKET_MS[self.tier] * MS_NS

    def clear(self) -> None:
        """Nothing has happened in this bucket yet."""
        self.low.fill(np.inf)
        self.high.fill(-np.inf)
        self.first.fill(np.nan)
        self.last.fill(np.nan)
        for column in (self.area, self.good, self.count, self.bits):
            column.fill(0)

    def fold(self, lower: _Level) -> None:
        """Add what the level below has gathered."""
        np.minimum(self.low, lower.low, out=self.low)
        np.maximum(self.high, lower.high, out=self.high)
        self.area += lower.area
        self.good += lower.good
        self.count += lower.count
        self.bits |= lower.bits
        np.copyto(self.first, lower.first, where=np.isnan(self.first))
        np.copyto(self.last, lower.last, where=~np.isnan(lower.last))


class Cascade:
    """Some points of a station and their open buckets, from the finest level that any of them has."""

    def __init__(self, members: NDArray[np.int32], scan_s: Floats, tiers: Sequence[Tier]) -> None:
        """`members` int32[k] are positions in `Station.points`, `scan_s` float64[k] their scans."""
        k = len(members)
        self._members = members
        self._levels = [_Level(tier, emitted_by(scan_s, tier)) for tier in tiers]
        self._value: Floats = np.full(k, np.nan)
        self._usable: Bools = np.zeros(k, dtype=np.bool_)
        self._quality = np.zeros(k, dtype=np.uint16)
        self._until: Ints = np.zeros(k, dtype=np.int64)
        """Up to when each member's held value has been counted."""
        self._newest: Ints = np.zeros(k, dtype=np.int64)
        """Time of each member's newest update."""
        self._since = 0
        self._open = 0
        self._done: list[Buckets] = []

    @property
    def open_ns(self) -> int:
        """Start of the open bucket of the finest level: everything before it is finished."""
        return self._open

    def begin(self, now_ns: int) -> None:
        """Start anew at this time, with nothing in any bucket. Values held stay held."""
        self._since = now_ns
        self._open = now_ns - now_ns % self._levels[0].bucket_ns
        self._until.fill(now_ns)
        np.minimum(self._newest, now_ns, out=self._newest)
        for level in self._levels:
            level.clear()
        self._hold()

    def hold(self, member: NDArray[np.int32], value: Floats, quality: NDArray[np.uint16]) -> None:
        """What these members held before the record began. Call before `begin`."""
        self._value[member], self._quality[member], self._usable[member] = value, quality, usable(value, quality)

    def feed(self, member: NDArray[np.int32], time: Ints, value: Floats, quality: NDArray[np.uint16]) -> None:
        """Updates, in any order: `member` int32[m] positions among the members, `time` in nanoseconds."""
        if not len(member):
            return
        counted = np.maximum(self._until[member], self._open)
        behind = time < counted
        if behind.any():
            known, late = self._behind(member, time, counted, behind)
            np.maximum.at(self._newest, member, time)
            time = np.where(known, counted, time)
            self._late(member[late], time[late], value[late], quality[late])
            member, time, value, quality = member[~late], time[~late], value[~late], quality[~late]
        else:
            np.maximum.at(self._newest, member, time)
        while len(member):
            end = self._open + self._levels[0].bucket_ns
            now = time < end
            if now.all():
                self._add(member, time, value, quality)
                return
            self._add(member[now], time[now], value[now], quality[now])
            member, time, value, quality = member[~now], time[~now], value[~now], quality[~now]
            self.advance(end)

    def _behind(self, member: NDArray[np.int32], time: Ints, counted: Ints, behind: Bools) -> tuple[Bools, Bools]:
        """Of updates older than what was counted: those that hold from now on, and those that are only history.

        A point's newest value, however old, is what holds now. Somewhat old ones (a device's clock a little behind)
        count when they come; older ones (what a device kept while it was cut off) go to buckets of their own.
        """
        newest = behind & (time >= self._newest[member])
        known = newest & (counted - time <= SOMEWHAT_LATE_NS)
        rest = np.flatnonzero(newest & ~known)
        rest = rest[~np.isin(member[rest], member[~behind | known])]
        rest = rest[np.lexsort((rest, time[rest], member[rest]))]
        known[rest[np.append(member[rest][1:] != member[rest][:-1], True)[: len(rest)]]] = True
        return known, behind & ~known

    def advance(self, to_ns: int) -> None:
        """Finish every bucket that ends at `to_ns` or before."""
        while self._open + self._levels[0].bucket_ns <= to_ns:
            end = self._open + self._levels[0].bucket_ns
            self._close(end, all_levels=False)
            self._open = end
            self._hold()

    def finish(self, at_ns: int) -> None:
        """End the record at this time: every open bucket is finished as the part that it is. `begin` goes on."""
        self.advance(at_ns)
        self._close(max(at_ns, self._open), all_levels=True)

    def take(self) -> list[Buckets]:
        """The buckets finished since the last call."""
        done, self._done = self._done, []
        return done

    def _hold(self) -> None:
        """The held value is the first of the bucket that opens."""
        base = self._levels[0]
        for column, start in ((base.low, np.inf), (base.high, -np.inf), (base.first, np.nan), (base.last, np.nan)):
            column.fill(start)
            np.copyto(column, self._value, where=self._usable)
        np.copyto(base.bits, self._quality)

    def _add(self, p: NDArray[np.int32], t: Ints, v: Floats, q: NDArray[np.uint16]) -> None:
        """Updates of the open bucket, none before the last that was counted of its member."""
        if (t[1:] < t[:-1]).any():
            order = np.argsort(t, kind="stable")
            p, t, v, q = p[order], t[order], v[order], q[order]
        for turn in turns(p):
            self._add_once(p[turn], t[turn], v[turn], q[turn])

    def _add_once(self, p: NDArray[np.int32], t: Ints, v: Floats, q: NDArray[np.uint16]) -> None:
        """As `_add`, for updates of which no two are of one member."""
        base = self._levels[0]
        good = usable(v, q)
        self._displace(p, t)
        held = np.where(self._usable[p], t - self._until[p], 0)
        base.area[p] += _area(self._value[p], held)
        base.good[p] += held
        base.count[p] += 1
        base.bits[p] |= q
        self._value[p], self._quality[p], self._usable[p], self._until[p] = v, q, good, t
        if not good.all():
            p, v = p[good], v[good]
        base.low[p], base.high[p] = np.minimum(base.low[p], v), np.maximum(base.high[p], v)
        base.last[p] = v
        first = base.first[p]
        base.first[p] = np.where(np.isnan(first), v, first)

    def _displace(self, p: NDArray[np.int32], t: Ints) -> None:
        """An update at the very start of a bucket leaves no time in it to the value held before."""
        at_start = t <= max(self._open, self._since)
        if not at_start.any():
            return
        base = self._levels[0]
        out = p[at_start & (base.count[p] == 0)]
        base.low[out], base.high[out], base.first[out], base.last[out] = np.inf, -np.inf, np.nan, np.nan
        base.bits[out] = 0

    def _close(self, end: int, *, all_levels: bool) -> None:
        base = self._levels[0]
        held = np.where(self._usable, np.maximum(end - self._until, 0), 0)
        base.area += _area(self._value, held)
        base.good += held
        np.maximum(self._until, end, out=self._until)
        for level, upper in zip(self._levels, [*self._levels[1:], None], strict=True):
            if not all_levels and end % level.bucket_ns:
                return
            self._emit(level)
            if upper is not None:
                upper.fold(level)
            level.clear()

    def _emit(self, level: _Level) -> None:
        row = np.flatnonzero(level.emits & ((level.good > 0) | (level.count > 0)))
        if not len(row):
            return
        start = self._open - self._open % level.bucket_ns
        good = level.good[row]
        low, high = level.low[row], level.high[row]
        # Within the extremes, whatever the last digit of a sum says.
        mean = np.where(good > 0, np.clip(level.area[row] / (good / SECOND_NS), low, high), np.nan)
        self._done.append(
            Buckets(
                tier=level.tier,
                point=self._members[row],
                start=np.full(len(row), start, dtype=np.int64),
                at=np.full(len(row), max(self._since - start, 0), dtype=np.int64),
                min=np.where(np.isinf(low), np.nan, low),
                max=np.where(np.isinf(high), np.nan, high),
                mean=mean,
                first=level.first[row],
                last=level.last[row],
                count=level.count[row],
                good=good,
                quality=level.bits[row],
            )
        )

    def _late(self, p: NDArray[np.int32], t: Ints, v: Floats, q: NDArray[np.uint16]) -> None:
        """Updates older than what was counted: rows of their own for the buckets they belong to, without time."""
        good = usable(v, q)
        for level in self._levels:
            start = t - t % level.bucket_ns
            wanted = level.emits[p]
            order = np.lexsort((t, start, p))
            order = order[wanted[order]]
            if not len(order):
                continue
            key_p, key_s = p[order], start[order]
            starts = np.flatnonzero(np.concatenate(([True], (key_p[1:] != key_p[:-1]) | (key_s[1:] != key_s[:-1]))))
            ends = np.append(starts[1:], len(order))
            values, fine = v[order], good[order]
            low = np.minimum.reduceat(np.where(fine, values, np.inf), starts)
            high = np.maximum.reduceat(np.where(fine, values, -np.inf), starts)
            n = len(starts)
            self._done.append(
                Buckets(
                    tier=level.tier,
                    point=self._members[key_p[starts]],
                    start=key_s[starts],
                    at=t[order][starts] - key_s[starts],
                    min=np.where(np.isinf(low), np.nan, low),
                    max=np.where(np.isinf(high), np.nan, high),
                    mean=np.full(n, np.nan),
                    first=np.where(fine, values, np.nan)[starts],
                    last=np.where(fine, values, np.nan)[ends - 1],
                    count=(ends - starts).astype(np.int64),
                    good=np.zeros(n, dtype=np.int64),
                    quality=np.bitwise_or.reduceat(q[order], starts),
                )
            )


def _area(value: Floats, held: Ints) -> Floats:
    """Value times seconds; nothing where it did not hold, whatever the value is."""
    result: Floats = np.where(held > 0, value, 0.0) * (held / SECOND_NS)
    return result


class Tiers:
    """All tiers of a station: points scanned fast enough for 1 s buckets in one cascade, the others in another."""

    def __init__(self, scan_s: Floats) -> None:
        """`scan_s` float64[n] in table order."""
        fast = emitted_by(scan_s, Tier.S1)
        self._cascades: list[Cascade] = []
        self._which = np.zeros(len(scan_s), dtype=np.int8)
        self._member = np.zeros(len(scan_s), dtype=np.int32)
        for chosen, tiers in ((fast, BUCKET_TIERS), (~fast, BUCKET_TIERS[1:])):
            members = np.flatnonzero(chosen).astype(np.int32)
            if len(members):
                self._which[members] = len(self._cascades)
                self._member[members] = np.arange(len(members), dtype=np.int32)
                self._cascades.append(Cascade(members, scan_s[members], tiers))

    def begin(self, now_ns: int) -> None:
        """Start anew at this time."""
        for cascade in self._cascades:
            cascade.begin(now_ns)

    def hold(self, point: NDArray[np.int32], value: Floats, quality: NDArray[np.uint16]) -> None:
        """What these points held before the record began. Call before `begin`."""
        for number, cascade in enumerate(self._cascades):
            mine = self._which[point] == number
            cascade.hold(self._member[point[mine]], value[mine], quality[mine])

    def feed(self, point: NDArray[np.int32], time: Ints, value: Floats, quality: NDArray[np.uint16]) -> None:
        """Updates of any points, `point` int32[m] in table order, `time` in nanoseconds."""
        with _NO_WORDS():
            for number, cascade in enumerate(self._cascades):
                if len(self._cascades) == 1:
                    cascade.feed(self._member[point], time, value, quality)
                    return
                mine = self._which[point] == number
                cascade.feed(self._member[point[mine]], time[mine], value[mine], quality[mine])

    def advance(self, to_ns: int) -> None:
        """Finish every bucket that ends at `to_ns` or before."""
        with _NO_WORDS():
            for cascade in self._cascades:
                cascade.advance(to_ns)

    def finish(self, at_ns: int) -> None:
        """End the record at this time."""
        with _NO_WORDS():
            for cascade in self._cascades:
                cascade.finish(at_ns)

    def take(self) -> list[Buckets]:
        """The buckets finished since the last call."""
        return [buckets for cascade in self._cascades for buckets in cascade.take()]
