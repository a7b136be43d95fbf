"""Cleaning: what the driver read goes through the filters of its point on the way to the table."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from app.engine.cleaning.chain import Chain, shape
from app.engine.cleaning.counters import Counter
from app.engine.cleaning.stage import Now, Rows, Slots
from app.engine.table import LiveTable
from app.model import quality as q
from app.model.station import Point, Station
from app.model.updates import Updates, turns

log = logging.getLogger("gridroom.engine")


class Cleaning:
    """All filters of a station. Points without `clean` pay for one look at a mask."""

    def __init__(self, station: Station, table: LiveTable) -> None:
        n = len(station.points)
        self._table = table
        self._cleaned = np.zeros(n, np.bool_)
        self._chain = np.zeros(n, np.intp)
        self._slot = np.zeros(n, np.intp)
        groups: dict[Hashable, list[Point]] = defaultdict(list)
        for point in station.points:
            if point.form.clean:
                groups[shape(point.form.clean)].append(point)
        self.chains = [Chain(points, table) for points in groups.values()]
        self._points = [np.array([point.index for point in chain.points], np.int32) for chain in self.chains]
        for i, points in enumerate(self._points):
            self._cleaned[points] = True
            self._chain[points] = i
            self._slot[points] = np.arange(len(points))
        self._broken: set[int] = set()
        """Chains that failed by a fault of ours: their points are invalid from there on, never uncleaned unmarked."""

    def clean(self, updates: Updates, now: Now) -> Updates:
        """The same rows cleaned, in their order; without those that a filter keeps back."""
        chosen = self._cleaned[updates.point]
        if not chosen.any():
            return updates
        at = np.flatnonzero(chosen)
        self._table.note_raw(updates.point[at], updates.value[at], updates.quality[at], updates.time[at])
        return self._through(updates, at, now)

    def lose(self, updates: Updates, now: Now) -> Updates:
        """As `clean` for points that were lost: rows NT which hold what the table held, not what a driver read."""
        chosen = self._cleaned[updates.point]
        if not chosen.any():
            return updates
        at = np.flatnonzero(chosen)
        self._table.lose_raw(updates.point[at])
        return self._through(updates, at, now)

    def tick(self, now: Now) -> list[Updates]:
        """What filters say without new rows: twenty times a second."""
        said = []
        for i, chain in enumerate(self.chains):
            if i in self._broken:
                continue
            try:
                with np.errstate(all="ignore"):
                    own = chain.tick(now)
            except Exception:
                self._break(i)
                points = self._points[i]
                own = []
                said.append(Updates.of(points, np.nan, q.IV, now.wall_ns, now.wall_ns))
            points = self._points[i]
            said += [Updates(points[one.slot], one.value, one.quality, one.time, now.wall_ns) for one in own]
        return said

    def restore(self, last: Mapping[int, tuple[float, int, int]]) -> None:
        """Go on from the last run: point index -> (value, quality, time in UTC nanoseconds). Counters remember."""
        for points, chain in zip(self._points, self.chains, strict=True):
            counter = chain.stages[0]
            known = [i for i, point in enumerate(points.tolist()) if np.isfinite(last.get(point, (np.nan,))[0])]
            if isinstance(counter, Counter) and known:
                value, quality, time = zip(*(last[int(points[i])] for i in known), strict=True)
                counter.restore(
                    np.array(known, np.intp),
                    np.array(value, np.float64),
                    np.array(quality, np.uint16),
                    np.array(time, np.int64),
                )

    def _through(self, updates: Updates, at: Slots, now: Now) -> Updates:
        """Every row at a position of `at` through its chain; of several rows of one point first the first."""
        value, quality, time = updates.value.copy(), updates.quality.copy(), updates.time.copy()
        kept = np.ones(len(updates), np.bool_)
        point = updates.point[at]
        for turn in turns(point):
            for i, mine in self._by_chain(point[turn]):
                where = at[turn][mine]
                rows = Rows(where, self._slot[updates.point[where]], value[where], quality[where], time[where])
                done = self._run(i, rows, now)
                if len(done) < len(rows):
                    kept[where] = False
                    kept[done.at] = True
                value[done.at], quality[done.at], time[done.at] = done.value, done.quality, done.time
        cleaned = Updates(updates.point, value, quality, time, updates.received)
        return cleaned if kept.all() else cleaned.take(kept)

    def _by_chain(self, point: NDArray[np.int32]) -> Iterator[tuple[int, slice | NDArray[np.bool_]]]:
        """(chain, which of these points go through it)."""
        if len(self.chains) == 1:
            yield 0, slice(None)
            return
        chain = self._chain[point]
        present = np.unique(chain)
        for i in present.tolist():
            yield i, slice(None) if len(present) == 1 else chain == i

    def _run(self, i: int, rows: Rows, now: Now) -> Rows:
        if i not in self._broken:
            try:
                with np.errstate(all="ignore"):  # a number that overflows is told by its quality
                    return self.chains[i].run(rows, now)
            except Exception:
                self._break(i)
        rows.quality |= np.uint16(q.IV)
        return rows

    def _break(self, i: int) -> None:
        """A fault of ours in one filter must not stop acquisition."""
        log.exception("the filters of %d points fail; these are invalid until the next start", len(self._points[i]))
        self._broken.add(i)
