"""From rows to what a trend draws: samples or tier buckets drawn together into buckets of about a pixel, and gaps.

All times here are milliseconds; rows of one point, in the order of time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.model.quality import NT, usable

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Quality = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Columns of a series; all of one length."""

    time: Ints
    min: Floats
    max: Floats
    mean: Floats
    first: Floats
    last: Floats
    count: Ints
    quality: Quality


@dataclass(frozen=True, slots=True)
class TierRows:
    """Rows of one tier of one point, sorted by time and `at`. A bucket may stand in several rows, each a part of it."""

    time: Ints
    min: Floats
    max: Floats
    mean: Floats
    first: Floats
    last: Floats
    count: Ints
    good: Ints
    quality: Quality


def as_they_are(time: Ints, value: Floats, quality: Quality) -> Drawn:
    """Samples, one by one."""
    return Drawn(time, value, value, value, value, value, np.ones(len(time), dtype=np.int64), quality)


def draw_samples(time: Ints, value: Floats, quality: Quality, width_ms: int, hold_ms: int) -> Drawn:
    """Samples drawn together into buckets of `width_ms`.

    min, max, first and last are those of usable samples; the mean weighs each with the time it held within the bucket,
    the sample before the bucket included unless it is older than `hold_ms`.
    """
    if not len(time):
        return as_they_are(time, value, quality)
    bucket = time // width_ms
    starts = _starts(bucket)
    ends = np.append(starts[1:], len(time))
    good = usable(value, quality)
    clean = np.where(good, value, 0.0)
    bucket_end = (bucket + 1) * width_ms
    until = np.minimum(np.append(time[1:], bucket_end[-1]), bucket_end)
    weight = np.where(good, until - time, 0)
    area = np.add.reduceat(clean * weight, starts)
    weights = np.add.reduceat(weight, starts)
    # What held when the bucket began.
    head, before = starts[1:], starts[1:] - 1
    held = good[before] & (time[head] - time[before] <= hold_ms)
    lead = np.where(held, time[head] - bucket[head] * width_ms, 0)
    area[1:] += clean[before] * lead
    weights[1:] += lead
    first, last = _edges(good, starts, ends)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(weights > 0, area / weights, _at(value, last))
    return Drawn(
        time=bucket[starts] * width_ms,
        min=_nan_where_infinite(np.minimum.reduceat(np.where(good, value, np.inf), starts)),
        max=_nan_where_infinite(np.maximum.reduceat(np.where(good, value, -np.inf), starts)),
        mean=mean,
        first=_at(value, first),
        last=_at(value, last),
        count=(ends - starts).astype(np.int64),
        quality=np.bitwise_or.reduceat(quality, starts),
    )


def draw_buckets(rows: TierRows, width_ms: int) -> Drawn:
    """Tier rows added up into buckets of `width_ms`, a multiple of the tier's; parts of one bucket become one."""
    if not len(rows.time):
        return Drawn(rows.time, rows.min, rows.max, rows.mean, rows.first, rows.last, rows.count, rows.quality)
    bucket = rows.time // width_ms
    starts = _starts(bucket)
    ends = np.append(starts[1:], len(bucket))
    weight = np.where(np.isnan(rows.mean), 0, rows.good)
    area = np.add.reduceat(np.where(weight > 0, rows.mean, 0.0) * weight, starts)
    weights = np.add.reduceat(weight, starts)
    # A late sample has no time in its bucket; it is first or last only where there is nothing else.
    first, last = _edges((weight > 0) & ~np.isnan(rows.first), starts, ends)
    any_first, any_last = _edges(~np.isnan(rows.first), starts, ends)
    first, last = np.where(first >= 0, first, any_first), np.where(last >= 0, last, any_last)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(weights > 0, area / weights, np.nan)
    mean = np.where(ends - starts == 1, rows.mean[starts], mean)  # as it was stored, to the last digit
    return Drawn(
        time=bucket[starts] * width_ms,
        min=np.fmin.reduceat(rows.min, starts),
        max=np.fmax.reduceat(rows.max, starts),
        mean=mean,
        first=_at(rows.first, first),
        last=_at(rows.last, last),
        count=np.add.reduceat(rows.count, starts).astype(np.int64),
        quality=np.bitwise_or.reduceat(rows.quality, starts),
    )


def lost_gaps(time: Ints, quality: Quality, end_ms: int) -> Ints:
    """Intervals in which the device was lost, int64[k, 2]: from a sample marked NT to the next that is not."""
    lost = np.concatenate(([False], (quality & NT) != 0, [False]))
    begins = np.flatnonzero(lost[1:] & ~lost[:-1])
    ends = np.flatnonzero(~lost[1:] & lost[:-1])
    stops = np.append(time, max(end_ms, int(time[-1]) if len(time) else end_ms))
    return np.stack([stops[begins], stops[ends]], axis=1).astype(np.int64).reshape(-1, 2)


def silent_gaps(time: Ints, pieces: Ints, window_ms: tuple[int, int]) -> Ints:
    """Where nothing was recorded: outside the run intervals, and within one until the point's first sample.

    pieces  int64[k, 2]  run intervals, united and rising; samples before the window tell what held when it began
    """
    gaps: list[tuple[int, int]] = []
    at = window_ms[0]
    for start, end in pieces.tolist():
        gaps.append((at, max(start, window_ms[0])))
        at = max(min(end, window_ms[1]), at)
        first = int(np.searchsorted(time, start))
        if start == window_ms[0] and first:
            continue  # the sample before the window holds
        known = int(time[first]) if first < len(time) else end
        gaps.append((max(start, window_ms[0]), min(known, at)))
    gaps.append((at, window_ms[1]))
    return unite(np.array(gaps, dtype=np.int64).reshape(-1, 2), window_ms)


def uncovered_gaps(rows: TierRows, bucket_ms: int, window_ms: tuple[int, int]) -> Ints:
    """Where no bucket has usable time, int64[k, 2]; the window must end where buckets are finished."""
    start = rows.time[rows.good > 0]
    edges_from = np.append(window_ms[0], start + bucket_ms)
    edges_to = np.append(start, window_ms[1])
    return unite(np.stack([np.maximum.accumulate(edges_from), edges_to], axis=1), window_ms)


def unite(gaps: Ints, window_ms: tuple[int, int], at_least_ms: int = 1) -> Ints:
    """Gaps within the window, overlapping ones united, those shorter than `at_least_ms` left out: int64[k, 2]."""
    united: list[list[int]] = []
    clipped = np.clip(gaps, *window_ms) if window_ms[0] < window_ms[1] else gaps[:0]
    clipped = clipped[clipped[:, 0] < clipped[:, 1]]
    for start, end in clipped[np.argsort(clipped[:, 0], kind="stable")].tolist():
        if united and start <= united[-1][1]:
            united[-1][1] = max(united[-1][1], end)
        else:
            united.append([start, end])
    kept = [gap for gap in united if gap[1] - gap[0] >= at_least_ms]
    return np.array(kept, dtype=np.int64).reshape(-1, 2)


def _starts(bucket: Ints) -> NDArray[np.intp]:
    return np.flatnonzero(np.concatenate(([True], bucket[1:] != bucket[:-1])))


def _edges(wanted: NDArray[np.bool_], starts: NDArray[np.intp], ends: NDArray[np.intp]) -> tuple[Ints, Ints]:
    """First and last wanted row of each group; -1 where there is none."""
    row = np.arange(len(wanted))
    first = np.minimum.reduceat(np.where(wanted, row, len(wanted)), starts)
    last = np.maximum.reduceat(np.where(wanted, row, -1), starts)
    return np.where(first < ends, first, -1), last


def _at(column: Floats, row: Ints) -> Floats:
    result: Floats = np.where(row >= 0, column[row], np.nan)
    return result


def _nan_where_infinite(column: Floats) -> Floats:
    result: Floats = np.where(np.isinf(column), np.nan, column)
    return result
