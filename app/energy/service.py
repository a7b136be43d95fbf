"""Key figures of the running station, with the energies of today counted from what history knows of midnight."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from typing import Final

from app.energy.figures import FigureReader, Figures
from app.energy.today import DayBaseline
from app.model.clock import SECOND_NS, Clock
from app.model.station import Station
from app.model.views import Series, Snapshot

log = logging.getLogger("gridroom.energy")

AGAIN_S: Final = 60.0
_NEVER: Final = 2**63

Query = Callable[[Sequence[str], int, int, int], "Future[list[Series]]"]


class KeyFigures:
    """Reads figures from snapshots. Any thread."""

    def __init__(self, station: Station, clock: Clock, query: Query) -> None:
        """`query` is the history's: names, start, end, pixels -> series."""
        self._reader = FigureReader(station)
        self._baseline = DayBaseline(station)
        self._clock = clock
        self._query = query
        self._asked: Future[list[Series]] | None = None
        self._again_ns = _NEVER
        self._failed = False
        self._lock = threading.Lock()

    def read(self, snapshot: Snapshot) -> Figures:
        """The figures of one moment; energies of today as soon as history has said where the day began."""
        with self._lock:
            now = self._clock.now_ns()
            if self._baseline.roll(now) or self._clock.monotonic_ns() >= self._again_ns:
                self._asked = self._query(self._reader.counters, self._baseline.start_ns, now, 1)
                self._again_ns = _NEVER
            if self._asked is not None and self._asked.done():
                self._take(self._asked)
                self._asked = None
            if self._asked is None:
                self._baseline.fill(snapshot)
            return self._reader.read(snapshot, self._baseline)

    def _take(self, answer: Future[list[Series]]) -> None:
        error = CancelledError() if answer.cancelled() else answer.exception()
        if error is not None:
            level = logging.DEBUG if self._failed else logging.WARNING
            log.log(level, "energies of today count from now on, until the history can be read: %s", error)
            self._failed = True
            self._again_ns = self._clock.monotonic_ns() + round(AGAIN_S * SECOND_NS)
            return
        self._failed = False
        for series in answer.result():
            if len(series.first):
                self._baseline.put(series.point, float(series.first[0]), _began(series, self._baseline.start_ns))


def _began(series: Series, day_start_ns: int) -> int:
    """When the first recorded value stood: the start of its bucket, or the end of the gap that covers that start."""
    began = max(int(series.time[0]), day_start_ns)
    for start, end in series.gaps.tolist():
        if start <= began < end:
            began = end
    return began
