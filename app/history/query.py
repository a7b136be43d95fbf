"""Trends: which tier serves a pixel width, and its rows as series with gaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.history.archive import Archive, Rows
from app.history.layout import BUCKET_MS, MS_NS, Tier
from app.history.readers import Task
from app.history.reduce import (
    Drawn,
    Ints,
    TierRows,
    as_they_are,
    draw_buckets,
    draw_samples,
    lost_gaps,
    silent_gaps,
    uncovered_gaps,
    unite,
)
from app.history.tiers import emitted_by
from app.model.config import RetentionForm
from app.model.views import Series

_A_PIXEL: Final = 4
"""So many samples or buckets a pixel are given as they are; more are drawn together."""
_ROWS_AT_ONCE: Final = 2_000_000
_LOOK_BACK_MS: Final = 15 * 60_000
_SETTLED_MS: Final = 3_000
"""Buckets this young may not be finished yet, and are no gap."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is asked: start <= time < end in milliseconds, for so many pixels."""

    start_ms: int
    end_ms: int
    pixels: int
    now_ms: int

    @property
    def pixel_ms(self) -> int:
        return max(1, -(-(self.end_ms - self.start_ms) // self.pixels))

    @property
    def recorded(self) -> tuple[int, int]:
        """The part of the window in which a gap can be: not the time to come."""
        return self.start_ms, max(self.start_ms, min(self.end_ms, self.now_ms))


def query(
    archive: Archive, task: Task[list[Series]], points: Sequence[str], start_ns: int, end_ns: int, *, pixels: int
) -> list[Series]:
    """Series of these points in their order, each with the sample or bucket before the start, from which lines enter.

    Raises ValueError for an interval or a width that is none, StorageError, CancelledError.
    """
    if end_ns <= start_ns or pixels < 1:
        raise ValueError(f"an interval of {(end_ns - start_ns) / 1e9:g} s on {pixels} pixels cannot be drawn")
    window = Window(start_ns // MS_NS, -(-end_ns // MS_NS), pixels, _present_ms(archive))
    found: dict[str, Series] = {}
    waiting = {name: iter(tiers_for(archive, name, window)) for name in points}
    while waiting:
        by_tier: dict[Tier, list[str]] = {}
        for name, tiers in list(waiting.items()):
            tier = next(tiers, None)
            if tier is None or archive.ids.id(name) is None:
                found.setdefault(name, _series(name, Tier.RAW, 0, _nothing(), _window_gap(window)))
                del waiting[name]
            else:
                by_tier.setdefault(tier, []).append(name)
        for tier, names in by_tier.items():
            for some in _portions(archive, tier, names, window):
                for series in _read(archive, task, tier, some, window):
                    # The first answer stands unless it is empty and a later one is not.
                    if len(series.time) or series.point not in found:
                        found[series.point] = series
                    if len(series.time):
                        del waiting[series.point]
    return [found[name] for name in points]


def _present_ms(archive: Archive) -> int:
    """Now; or when a history that is recording was last marked alive, for what comes after is no gap yet."""
    now_ms, alive_ms = archive.clock.now_ns() // MS_NS, archive.runs.last()
    return alive_ms if alive_ms is not None and 0 <= now_ms - alive_ms < _SETTLED_MS else now_ms


def tiers_for(archive: Archive, name: str, window: Window) -> list[Tier]:
    """The tiers to ask, in turn until one has rows.

    First the coarsest that the point has, that is kept so long, and of which a pixel holds at least a bucket; then the
    finer ones, then the coarser.
    """
    index = archive.station.by_name.get(name)
    form = archive.station.history.retention
    oldest = {tier: window.now_ms - retention_ms(form, tier) for tier in Tier}
    scan_s = np.array([archive.station.columns.scan_s[index]]) if index is not None else np.zeros(1)
    has = [t for t in Tier if t is Tier.RAW or emitted_by(scan_s, t)[0]]
    kept = [tier for tier in has if window.start_ms >= oldest[tier]] or [Tier.H1]
    fitting = [tier for tier in kept if BUCKET_MS[tier] <= window.pixel_ms]
    best = fitting[-1] if fitting else kept[0]
    order = list(Tier)
    at = order.index(best)
    return [best, *reversed(order[:at]), *order[at + 1 :]]


def retention_ms(form: RetentionForm, tier: Tier) -> int:
    """How long a tier is kept."""
    seconds = {Tier.RAW: form.raw, Tier.S1: form.s1, Tier.S5: form.s5, Tier.MIN15: form.min15, Tier.H1: form.h1}[tier]
    return round(seconds * 1000)


def _portions(archive: Archive, tier: Tier, names: Sequence[str], window: Window) -> Iterator[Sequence[str]]:
    """Names in portions that stay within the memory for one read."""
    columns = archive.station.columns
    step_ms = BUCKET_MS[tier]
    if not step_ms:
        known = [archive.station.by_name[name] for name in names if name in archive.station.by_name]
        step_ms = max(1, round(float(columns.scan_s[known].min(initial=1.0)) * 1000))
    size = max(1, _ROWS_AT_ONCE * step_ms // (window.end_ms - window.start_ms))
    for start in range(0, len(names), size):
        yield names[start : start + size]


def _read(
    archive: Archive, task: Task[list[Series]], tier: Tier, names: Sequence[str], window: Window
) -> Iterator[Series]:
    ids = {archive.ids.id(name): name for name in names}
    wanted = [id_ for id_ in ids if id_ is not None]
    if tier is Tier.RAW:
        back = max(_LOOK_BACK_MS, round(archive.station.history.heartbeat * 2000))
        rows = archive.raw(task, wanted, window.start_ms - back, window.end_ms)
    else:
        start = window.start_ms - window.start_ms % BUCKET_MS[tier] - BUCKET_MS[tier]
        rows = archive.buckets(task, tier, wanted, (start, window.end_ms))
    for id_ in wanted:
        task.check()
        mine = of_point(rows, id_, tier)
        name = ids[id_]
        yield (
            _raw_series(archive, name, mine, window)
            if tier is Tier.RAW
            else _tier_series(archive, name, tier, mine, window)
        )


def of_point(rows: Rows, id_: int, tier: Tier) -> Rows:
    """One point's rows in the order of time."""
    if not rows:
        return {}
    at = np.flatnonzero(rows["point"] == id_)
    time = rows["time"][at]
    if tier is not Tier.RAW:
        at = at[np.lexsort((rows["since"][at], time))]
    elif (time[1:] < time[:-1]).any():
        at = at[np.argsort(time, kind="stable")]
    return {column: values[at] for column, values in rows.items() if column != "point"}


def _raw_series(archive: Archive, name: str, rows: Rows, window: Window) -> Series:
    time = rows.get("time", np.empty(0, np.int64)).astype(np.int64)
    value = rows.get("value", np.empty(0)).astype(np.float64)
    quality = rows.get("quality", np.empty(0, np.uint16)).astype(np.uint16)
    pieces = archive.runs.pieces(window.start_ms, window.end_ms)
    # Of what stands before the window only the last is wanted, and only if it still held when the window began.
    before = int(np.searchsorted(time, window.start_ms))
    since = _recorded_since(archive, window.start_ms)
    keep = before - 1 if before and since is not None and time[before - 1] >= since else before
    time, value, quality = time[keep:], value[keep:], quality[keep:]
    gaps = np.concatenate([silent_gaps(time, pieces, window.recorded), lost_gaps(time, quality, window.recorded[1])])
    if len(time) <= _A_PIXEL * window.pixels:
        return _series(name, Tier.RAW, 0, as_they_are(time, value, quality), unite(gaps, window.recorded))
    hold_ms = max(_LOOK_BACK_MS, round(archive.station.history.heartbeat * 2000))
    drawn = draw_samples(time, value, quality, window.pixel_ms, hold_ms)
    return _series(name, Tier.RAW, window.pixel_ms, drawn, unite(gaps, window.recorded, window.pixel_ms))


def _recorded_since(archive: Archive, time_ms: int) -> int | None:
    """Start of the run interval that holds a time; None where nothing was recorded then."""
    pieces = archive.runs.pieces(time_ms - 366 * 86_400_000, time_ms + 1)
    return int(pieces[-1, 0]) if len(pieces) and pieces[-1, 1] >= time_ms else None


def _tier_series(archive: Archive, name: str, tier: Tier, rows: Rows, window: Window) -> Series:
    bucket_ms = BUCKET_MS[tier]
    if not rows or not len(rows["time"]):
        return _series(name, tier, bucket_ms, _nothing(), _window_gap(window))
    columns = tier_rows(rows)
    settled = window.now_ms - _SETTLED_MS
    finished = window.start_ms, max(window.start_ms, min(window.end_ms, settled - settled % bucket_ms))
    gaps = np.concatenate([uncovered_gaps(columns, bucket_ms, finished), _outside_runs(archive, window, bucket_ms)])
    many = len(columns.time) > _A_PIXEL * window.pixels
    width_ms = bucket_ms * max(1, window.pixel_ms // bucket_ms) if many else bucket_ms
    return _series(name, tier, width_ms, draw_buckets(columns, width_ms), unite(gaps, window.recorded))


def tier_rows(rows: Rows) -> TierRows:
    """Rows of one point of a tier, as `Archive.buckets` gives them, with the types that reckoning needs."""
    return TierRows(
        time=rows["time"].astype(np.int64),
        min=rows["min"].astype(np.float64),
        max=rows["max"].astype(np.float64),
        mean=rows["mean"].astype(np.float64),
        first=rows["first"].astype(np.float64),
        last=rows["last"].astype(np.float64),
        count=rows["count"].astype(np.int64),
        good=rows["good"].astype(np.int64),
        quality=rows["quality"].astype(np.uint16),
    )


def _outside_runs(archive: Archive, window: Window, at_least_ms: int) -> Ints:
    pieces = archive.runs.pieces(*window.recorded)
    edges = np.concatenate(([window.recorded[0]], pieces.ravel(), [window.recorded[1]])).reshape(-1, 2)
    return unite(edges, window.recorded, at_least_ms)


def _series(name: str, tier: Tier, bucket_ms: int, drawn: Drawn, gaps: Ints) -> Series:
    return Series(
        point=name,
        tier=tier.value,
        bucket_ns=bucket_ms * MS_NS,
        time=drawn.time * MS_NS,
        min=drawn.min,
        max=drawn.max,
        mean=drawn.mean,
        first=drawn.first,
        last=drawn.last,
        count=drawn.count,
        quality=drawn.quality,
        gaps=gaps * MS_NS,
    )


def _nothing() -> Drawn:
    none = np.empty(0)
    return as_they_are(np.empty(0, np.int64), none, np.empty(0, np.uint16))


def _window_gap(window: Window) -> Ints:
    return unite(np.array([window.recorded], dtype=np.int64), window.recorded)
