"""From batches of updates to rows for the store: raw samples on change, finished buckets, and the mark of being alive.

Knows no database: what it is given and what it gives are columns, so that every rule here can be tried with a clock
that stands still.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.history.layout import MS_NS
from app.history.onchange import Floats, Ints, OnChange, round_to
from app.history.tiers import Buckets, Tiers
from app.model.clock import SECOND_NS
from app.model.quality import CLOCK
from app.model.station import Station
from app.model.updates import Updates

SETTLE_NS: Final = SECOND_NS
"""How long buckets wait for updates that are on their way."""
AHEAD_NS: Final = 2 * SECOND_NS
BEHIND_NS: Final = 15 * 60 * SECOND_NS
"""A source time further ahead of or behind the time of receipt is not believed: buckets take the receipt's."""
STEP_BACK_NS: Final = SECOND_NS
SILENCE_NS: Final = 10 * SECOND_NS
"""The clock was set, or the machine slept: the run ends there, and another begins."""

_PIECE_ROWS: Final = 16_384

Columns = dict[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the record stands; stored with each commit. Milliseconds since 1970, UTC."""

    run_ms: int
    alive_ms: int
    folded_ms: int
    """All buckets that end here or before are stored."""
    number: int
    """Of the commit within the run."""
    ended: bool = False
    """Nothing follows in this run, and its open buckets are stored as the parts that they are."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What one transaction stores: columns of the hot tables (`app.history.schema`), and the mark."""

    raw: Columns | None
    buckets: Columns | None
    mark: Mark

    @property
    def rows(self) -> int:
        return sum(len(columns["point"]) for columns in (self.raw, self.buckets) if columns)


class Recorder:
    """One station's updates into rows. Used by one thread."""

    def __init__(
        self,
        station: Station,
        ids: NDArray[np.int32],
        now_ns: int,
        taken: Callable[[int], bool] = lambda run_ms: False,
    ) -> None:
        """`ids` int32[n]: history id of each point in table order. The record begins at `now_ns`; `taken` says whether
        an earlier run began at a millisecond."""
        self._taken = taken
        columns = station.columns
        self._ids = ids
        self._decimals = columns.precision
        self._on_change = OnChange(columns.deadband, columns.scan_s, station.history.heartbeat)
        self._tiers = Tiers(columns.scan_s)
        self._waiting: list[tuple[NDArray[np.int32], Ints, Floats, NDArray[np.uint16]]] = []
        self._next_due = 0
        self._run_ms = 0
        self.begin(now_ns)

    @property
    def run_ms(self) -> int:
        return self._run_ms

    @property
    def alive_ms(self) -> int:
        return self._alive // MS_NS

    def begin(self, now_ns: int) -> None:
        """A new run begins."""
        # Two runs never bear one name, even when the clock was set back to the very same millisecond.
        run_ms = now_ns // MS_NS
        while run_ms == self._run_ms or self._taken(run_ms):
            run_ms += 1
        self._run_ms = run_ms
        self._alive = now_ns
        self._number = 0
        self._next_due = now_ns
        self._on_change.set_clock(now_ns)
        self._tiers.begin(now_ns)

    def follow(self, before: Recorder) -> Commit:
        """Go on where another configuration's recorder ends: its last commit. No time lies between the two."""
        ended = before.end()
        self._run_ms = before._run_ms
        self.begin(before._alive)
        return ended

    def take(self, batches: Sequence[Updates], now_ns: int) -> list[Commit]:
        """What these batches, which came until now, put into the store: one commit, or more where a run ended."""
        commits: list[Commit] = []
        group: list[Updates] = []
        for batch in batches:
            if self._jumped(batch.received):
                commits += [self._record(group, self._alive), self.end()]
                self.begin(batch.received)
                group = []
            self._alive = max(self._alive, batch.received)
            group.append(batch)
        if self._jumped(now_ns):
            commits += [self._record(group, self._alive), self.end()]
            self.begin(now_ns)
            group = []
        self._alive = max(self._alive, now_ns)
        commits.append(self._record(group, self._alive))
        return commits

    def end(self) -> Commit:
        """The run ends when it was last alive: what is open is finished as it is."""
        self._waiting = [(p, np.minimum(t, self._alive), v, q) for p, t, v, q in self._waiting]
        self._feed(self._alive + 1)
        self._tiers.finish(self._alive)
        return Commit(None, self._buckets(), self._mark(self._alive, ended=True))

    def _jumped(self, now_ns: int) -> bool:
        return not -STEP_BACK_NS <= now_ns - self._alive <= SILENCE_NS

    def _record(self, group: Sequence[Updates], now_ns: int) -> Commit:
        raw = [rows for piece in _pieces(group) if (rows := self._take_piece(*piece)) is not None]
        if now_ns >= self._next_due:
            self._next_due = now_ns + SECOND_NS
            point, value, quality = self._on_change.due(now_ns)
            if len(point):
                raw.append(self._samples(point, np.full(len(point), now_ns, dtype=np.int64), value, quality))
        settled = now_ns - SETTLE_NS
        self._feed(settled)
        self._tiers.advance(settled)
        return Commit(join_columns(raw), self._buckets(), self._mark(settled, ended=False))

    def _take_piece(self, updates: Updates, received: Ints) -> Columns | None:
        """Updates of any points; `received` int64[m] of each. The rows to store, and the rest to the tiers' waiting."""
        known = updates.time != 0  # 0: never received, nothing to remember
        if not known.all():
            updates, received = updates.take(known), received[known]
        if not len(updates):
            return None
        value = round_to(updates.value, self._decimals[updates.point])
        keep = self._on_change.keep(updates.point, value, updates.quality, received)
        time = effective_time(updates.time, updates.quality, received)
        self._waiting.append((updates.point, time, value, updates.quality))
        if keep.all():
            return self._samples(updates.point, updates.time, value, updates.quality)
        return self._samples(updates.point[keep], updates.time[keep], value[keep], updates.quality[keep])

    def _feed(self, before_ns: int) -> None:
        """Give the tiers what is waiting and older than this."""
        waiting, self._waiting = self._waiting, []
        for rows in waiting:
            time = rows[1]
            if time.max() < before_ns:
                self._tiers.feed(*rows)
                continue
            ripe = time < before_ns
            if ripe.any():
                point, time, value, quality = rows
                self._tiers.feed(point[ripe], time[ripe], value[ripe], quality[ripe])
                rows = point[~ripe], time[~ripe], value[~ripe], quality[~ripe]
            self._waiting.append(rows)

    def _samples(self, point: NDArray[np.int32], time: Ints, value: Floats, quality: NDArray[np.uint16]) -> Columns:
        return {
            "point": self._ids[point],
            "time": to_ms(time),
            "value": value,
            "decimals": self._decimals[point],
            "quality": quality,
        }

    def _buckets(self) -> Columns | None:
        return join_columns([bucket_columns(buckets, self._ids, self._decimals) for buckets in self._tiers.take()])

    def _mark(self, folded_ns: int, *, ended: bool) -> Mark:
        self._number += 1
        folded_ms = (folded_ns - folded_ns % SECOND_NS) // MS_NS
        return Mark(self._run_ms, self._alive // MS_NS, folded_ms, self._number, ended)


def _pieces(batches: Sequence[Updates]) -> Iterator[tuple[Updates, Ints]]:
    """Batches joined to pieces that the processor's cache holds, each with its rows' times of receipt."""
    piece: list[Updates] = []
    for number, batch in enumerate(batches, start=1):
        piece.append(batch)
        if number == len(batches) or sum(len(one) for one in piece) + len(batches[number]) > _PIECE_ROWS:
            received = np.repeat([one.received for one in piece], [len(one) for one in piece])
            yield Updates.join(piece), received
            piece = []


def effective_time(time: Ints, quality: NDArray[np.uint16], received: Ints) -> Ints:
    """The time by which buckets count an update: the source's, or the receipt's where the source is not believed."""
    off = time - received
    doubtful = ((quality & CLOCK) != 0) | (off > AHEAD_NS) | (off < -BEHIND_NS)
    result: Ints = np.where(doubtful, received, time)
    return result


def to_ms(time_ns: Ints) -> Ints:
    """To the nearest millisecond, as hot and closed data hold it."""
    return (time_ns + MS_NS // 2) // MS_NS


def bucket_columns(buckets: Buckets, ids: NDArray[np.int32], decimals: NDArray[np.int8]) -> Columns:
    """Buckets as rows of the hot table. Means keep two decimals more than their point."""
    places = decimals[buckets.point]
    finer = np.where(places >= 0, places + 2, -1).astype(np.int8)
    return {
        "tier": np.full(len(buckets), list(type(buckets.tier)).index(buckets.tier), dtype=np.int8),
        "point": ids[buckets.point],
        "time": buckets.start // MS_NS,
        "since": (buckets.at // MS_NS).astype(np.int32),
        "min": buckets.min,
        "max": buckets.max,
        "mean": round_to(buckets.mean, finer),
        "first": buckets.first,
        "last": buckets.last,
        "count": np.minimum(buckets.count, 2**31 - 1).astype(np.int32),
        "good": (buckets.good // MS_NS).astype(np.int32),
        "decimals": places,
        "quality": buckets.quality,
    }


def join_columns(parts: Sequence[Columns]) -> Columns | None:
    """Rows of several parts as one; None where there are none."""
    parts = [part for part in parts if len(part["point"])]
    if len(parts) <= 1:
        return parts[0] if parts else None
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
