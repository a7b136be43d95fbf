"""What is known of one pen: rows of history and the live tail, joined, with the breaks where nothing is known."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.model import quality as q
from app.model.views import Series
from widgets.trend.pyramid import F8, FEWEST_ROWS, I8, U2, Columns, Pyramid, Rows

MOST_ROWS: Final = 1_200_000
"""A live tail that would pass this loses its oldest rows; history has them."""
_KEPT_ROWS: Final = 1_000_000
_NEVER: Final = np.iinfo(np.int64).min


class Reading(NamedTuple):
    """What a pen shows at one moment."""

    value: float
    quality: int


class Figures(NamedTuple):
    """Of what is seen and may be used; NaN where there is nothing."""

    low: float
    high: float
    mean: float


NO_READING: Final = Reading(np.nan, q.GOOD)
NO_FIGURES: Final = Figures(np.nan, np.nan, np.nan)


class _Buffer:
    """Rows that grow at the end without being copied each time."""

    def __init__(self, rows: Rows) -> None:
        self._n = len(rows)
        self._rows = rows

    @property
    def rows(self) -> Rows:
        return self._rows.cut(0, self._n)

    def extend(self, more: Rows) -> None:
        n = self._n + len(more)
        if n > len(self._rows) or self._rows.low is not self._rows.mid or more.low is not more.mid:
            self._rows = _join([self.rows, more], room=max(n // 2, 1024))
        else:
            for column, new in zip(_arrays(self._rows), _arrays(more), strict=True):
                column[self._n : n] = new
        self._n = n


def _arrays(rows: Rows) -> tuple[NDArray[np.generic], ...]:
    return rows.time, rows.mid, rows.quality, rows.usable


def _join(parts: list[Rows], room: int = 0) -> Rows:
    """One after the other, with empty room at the end."""

    def column(name: str) -> NDArray[np.generic]:
        arrays = [getattr(part, name) for part in parts]
        return np.concatenate([*arrays, np.zeros(room, arrays[0].dtype)]) if room else np.concatenate(arrays)

    mid = column("mid")
    single = all(part.low is part.mid for part in parts)
    low, high = (mid, mid) if single else (column("low"), column("high"))
    return Rows(column("time"), low, high, mid, column("quality"), column("usable"))  # type: ignore[arg-type]


def _samples(time: I8, value: F8, quality: U2) -> Rows:
    """Single samples, each run without value closed by a break half way to the next value.

    The second break lies far from both neighbours, so that it also survives in buckets (see the pyramid).
    """
    empty = np.isnan(value)
    ends = np.flatnonzero(empty[:-1] & ~empty[1:]) + 1
    if len(ends):
        middle = time[ends - 1] + (time[ends] - time[ends - 1]) // 2
        time, value, quality = np.insert(time, ends, middle), np.insert(value, ends, np.nan), np.insert(
            quality, ends, quality[ends - 1]
        )  # fmt: skip
    return Rows(time, value, value, value, quality, q.usable(value, quality))


def _breaks(gaps: I8) -> Rows:
    """Two rows without value for each gap: at its start, where a held value ends, and in its middle."""
    time = np.column_stack([gaps[:, 0], gaps[:, 0] + (gaps[:, 1] - gaps[:, 0]) // 2]).ravel()
    n = len(time)
    nothing = np.full(n, np.nan)
    return Rows(time, nothing, nothing, nothing, np.zeros(n, np.uint16), np.zeros(n, np.bool_))


def _outside(rows: Rows, gaps: I8) -> Rows:
    """Without what a lost device only repeats: a value held within a gap would draw a line through it."""
    gap = np.searchsorted(gaps[:, 0], rows.time, side="right") - 1
    within = (gap >= 0) & (rows.time < gaps[gap, 1]) & ~rows.usable
    return rows if not within.any() else rows.take(~within)


def _of_series(series: Series, *, hold: bool) -> Rows:
    if series.bucket_ns == 0:
        return _samples(series.time, series.last, series.quality)
    mid = series.last if hold else np.where(np.isnan(series.mean), series.last, series.mean)
    time = series.time if hold else series.time + series.bucket_ns // 2
    low, high = np.fmin(series.min, mid), np.fmax(series.max, mid)
    return Rows(time, low, high, mid, series.quality, np.isfinite(series.mean))


def _sorted(rows: Rows) -> Rows:
    if bool(np.all(rows.time[1:] >= rows.time[:-1])):
        return rows
    return rows.take(np.argsort(rows.time, kind="stable"))


class Track:
    """The rows of one pen. hold: the value stays until the next row (status points), and is never interpolated."""

    def __init__(self, *, hold: bool = False) -> None:
        self.hold = hold
        self.known_until = _NEVER
        """The last moment, UTC ns, up to which the last value is known to have lasted."""
        self.version = 0
        """Grows with every change."""
        self._live_from = np.iinfo(np.int64).max
        self._buffer = _Buffer(_samples(np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint16)))
        self._pyramid: Pyramid | None = None
        self._built = 0
        """Rows that the pyramid knows; those after it are the tail."""

    def __len__(self) -> int:
        return len(self._buffer.rows)

    @property
    def span(self) -> tuple[int, int] | None:
        """Time of the first and the last row, None without rows."""
        time = self._buffer.rows.time
        return (int(time[0]), int(time[-1])) if len(time) else None

    def replace(self, series: Series, start_ns: int, end_ns: int) -> None:
        """Take history for an interval in place of what was there. Live rows newer than its last row stay."""
        rows = self._buffer.rows
        new = _of_series(series, hold=self.hold)
        covered = int(series.time[-1]) + max(series.bucket_ns, 1) if len(series.time) else start_ns
        live = max(min(end_ns, covered), self._live_from)
        before = int(np.searchsorted(rows.time, start_ns))
        after = int(np.searchsorted(rows.time, min(end_ns, live)))
        tail = rows.cut(after, len(rows))
        gaps = series.gaps.reshape(-1, 2)
        if len(tail) and len(gaps):  # history may still call a gap what live rows have filled since
            gaps = np.minimum(gaps, tail.time[0])
            gaps = gaps[gaps[:, 1] > gaps[:, 0]]
        inner = _sorted(_join([_outside(new, gaps), _breaks(gaps)])) if len(gaps) else new
        self._buffer = _Buffer(_join([rows.cut(0, before), inner, tail]))
        self._changed(rebuild=True)

    def append(self, time: I8, value: F8, quality: U2) -> None:
        """Live rows, oldest first. Rows older than what is known (a clock set back) are put in their place."""
        if not len(time):
            return
        rows = self._buffer.rows
        if len(rows) and len(time) == 1 and self._repeats(rows, int(time[0]), float(value[0]), int(quality[0])):
            return
        self._live_from = min(self._live_from, int(time[0]))
        late = len(rows) and int(time.min()) < int(rows.time[-1])
        previous = rows.cut(len(rows) - 1, len(rows))  # so that a break ends where its value comes back
        joined = _samples(
            np.concatenate([previous.time, time]),
            np.concatenate([previous.mid, value]),
            np.concatenate([previous.quality, quality]),
        )
        new = joined.cut(len(previous), len(joined))
        if late:
            self._buffer = _Buffer(_sorted(_join([rows, new])))
        else:
            self._buffer.extend(new)
        if len(self) > MOST_ROWS:
            rows = self._buffer.rows
            self._buffer = _Buffer(_join([rows.cut(len(rows) - _KEPT_ROWS, len(rows))]))
            late = True
        self.know_until(int(time[-1]))
        self._changed(rebuild=bool(late))

    @staticmethod
    def _repeats(rows: Rows, time: int, value: float, quality: int) -> bool:
        """Whether it is the last row again, as a snapshot gives it that is taken faster than the device is read."""
        return bool(time == rows.time[-1] and quality == rows.quality[-1] and value == rows.mid[-1])

    def know_until(self, moment_ns: int) -> None:
        """The last value is known to have lasted until then."""
        self.known_until = max(self.known_until, moment_ns)

    def _changed(self, *, rebuild: bool) -> None:
        self.version += 1
        tail = len(self) - self._built
        if rebuild or tail > max(FEWEST_ROWS, self._built // 16):
            self._pyramid, self._built = None, 0

    def columns(self, start_ns: int, end_ns: int, pixels: int) -> Columns:
        """What is seen on so many pixels; the last value goes on to the moment until which it is known."""
        rows = self._buffer.rows
        if self._pyramid is None:
            self._built = len(rows)
            self._pyramid = Pyramid(rows, hold=self.hold)
        parts = [self._pyramid.columns(start_ns, end_ns, pixels)]
        if self._built < len(rows):
            parts.append(Pyramid(rows.cut(self._built, len(rows)), hold=self.hold).columns(start_ns, end_ns, pixels))
        if len(rows) and start_ns <= self.known_until and int(rows.time[-1]) < min(self.known_until, end_ns):
            parts.append(self._going_on(rows, min(self.known_until, end_ns)))
        return _one(parts)

    @staticmethod
    def _going_on(rows: Rows, until_ns: int) -> Columns:
        last = rows.cut(len(rows) - 1, len(rows))
        time = np.array([until_ns], np.int64)
        return Columns(time, time, last.mid, last.mid, last.mid, last.quality, last.usable)

    def at(self, moment_ns: int) -> Reading:
        """What is drawn at a moment: between two samples on the line that joins them, of a held value the value.

        NaN where nothing is known: in gaps, before the first row, after the last known moment.
        """
        rows = self._buffer.rows
        i = int(np.searchsorted(rows.time, moment_ns, "right")) - 1
        if i < 0 or moment_ns > max(self.known_until, int(rows.time[-1])):
            return NO_READING
        value, quality = float(rows.mid[i]), int(rows.quality[i])
        if self.hold or i + 1 >= len(rows) or np.isnan(rows.mid[i + 1]):
            held = self.hold or moment_ns == rows.time[i] or i + 1 >= len(rows)
            return Reading(value, quality) if held else NO_READING
        share = (moment_ns - int(rows.time[i])) / max(int(rows.time[i + 1]) - int(rows.time[i]), 1)
        return Reading(value + share * (float(rows.mid[i + 1]) - value), quality)

    def newest(self) -> Reading:
        """The last row; NaN with its quality where it has no value."""
        rows = self._buffer.rows
        return Reading(float(rows.mid[-1]), int(rows.quality[-1])) if len(rows) else NO_READING


def _one(parts: list[Columns]) -> Columns:
    parts = [part for part in parts if len(part)] or parts[:1]
    if len(parts) == 1:
        return parts[0]
    mid = np.concatenate([part.mid for part in parts])
    single = all(part.single for part in parts)
    return Columns(
        np.concatenate([part.begin for part in parts]),
        np.concatenate([part.end for part in parts]),
        mid if single else np.concatenate([part.low for part in parts]),
        mid if single else np.concatenate([part.high for part in parts]),
        mid,
        np.concatenate([part.quality for part in parts]),
        np.concatenate([part.usable for part in parts]),
    )


def figures(columns: Columns, start_ns: int, end_ns: int, *, hold: bool) -> Figures:
    """Min, max and time-weighted mean of what is seen in [start, end]."""
    until = np.append(columns.begin[1:], columns.end[-1:]) if hold else columns.end
    inside = columns.usable & (until >= start_ns) & (columns.begin <= end_ns)
    if not inside.any():
        return NO_FIGURES
    low, high = float(np.min(columns.low[inside])), float(np.max(columns.high[inside]))
    time = columns.begin / 2 + columns.end / 2
    edges = np.clip(time, start_ns, end_ns)
    lasting = np.diff(edges)
    known = columns.usable[:-1] & (lasting > 0)
    if not hold:
        known &= columns.usable[1:]
    if not known.any():
        return Figures(low, high, float(np.mean(columns.mid[inside])))
    value = columns.mid[:-1] if hold else (columns.mid[:-1] + columns.mid[1:]) / 2
    weight = np.where(known, lasting, 0.0)
    return Figures(low, high, float(np.sum(np.where(known, value, 0.0) * weight) / np.sum(weight)))
