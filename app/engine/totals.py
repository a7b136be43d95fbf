"""Totals: `integral` and `delta`, which remember from step to step and begin again with each period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from app.engine.columns import Columns
from app.engine.table import LiveTable
from app.model import quality as q
from app.model.clock import SECOND_NS, to_datetime
from app.model.updates import Updates

STEP_S: Final = 1.0
LONGEST_STEP_S: Final = 10.0
"""An integral does not reach over a longer time: it counts nothing there, and says so. As long may a start take."""
LONGEST_STEP_BACK_S: Final = 3600.0
"""A clock that is set back by more than this was wrong before; by less, a period that has begun stays begun."""
_RESTARTED: Final = 0.5
"""A counter that falls below this part of itself began again. One that falls less went on from an earlier reading."""


@dataclass(slots=True)
class _Memory:
    """What an accumulator knows of each of its k instances."""

    total: NDArray[np.float64]
    last: NDArray[np.float64]
    """The input at the last step, of a counter at the last usable one; NaN where there was none."""
    marks: NDArray[np.uint16]
    """Of the total: all that was to be said of its inputs in this period."""
    begun: NDArray[np.bool_]
    """Whether there is a total: the input was usable once, or the last run left one."""


class Accumulator:
    """`integral` and `delta`: totals that begin again with each period of the station's zone.

    Both step once a second. An integral adds the trapezoid between two usable inputs, in units per hour (kW -> kWh);
    the total is marked DERIVED from the first missed stretch to the end of the period. A delta adds what the counter
    grew since its last usable reading, so that it misses nothing; it is marked DERIVED while the counter is not usable.
    """

    def __init__(self, columns: Columns, kind: str, reset: str, zone: ZoneInfo) -> None:
        self.outputs = columns.outputs
        self._columns = columns
        self._integral = kind == "integral"
        self._reset = reset
        self._zone = zone
        k = len(columns.outputs)
        self._memory = _Memory(np.zeros(k), np.full(k, np.nan), np.zeros(k, np.uint16), np.zeros(k, np.bool_))
        self._period: tuple[int, ...] | None = None
        self._period_since_ns = 0
        self._first_ns = 0
        self._stepped_ns = 0

    def restore(
        self, value: NDArray[np.float64], quality: NDArray[np.uint16], time: NDArray[np.int64], now_ns: int
    ) -> None:
        """Go on from the last run: columns of length n over all points, NaN and time 0 where nothing is known.

        What was counted meanwhile, where that becomes known late, stays counted.
        """
        self._begin_period(now_ns)
        memory, outputs = self._memory, self.outputs
        same = np.array([bool(t) and self._period_of(int(t)) == self._period for t in time[outputs]], np.bool_)
        same &= np.isfinite(value[outputs])
        counted = np.where(np.isfinite(memory.last), memory.total, 0.0)
        memory.total[same] += value[outputs][same]
        memory.marks[same] |= quality[outputs][same] & ~np.uint16(q.UNUSABLE | q.RANGE)
        memory.begun |= same
        if self._integral:
            away = now_ns - time[outputs] > LONGEST_STEP_S * SECOND_NS
            memory.marks[same & away] |= q.DERIVED
        else:
            reading, marks = self._columns.evaluate(value, quality & ~np.uint16(q.NT))
            whole = same & np.isfinite(reading) & ((marks & (q.UNUSABLE | q.DERIVED)) == 0)
            late = np.isfinite(memory.last)
            before = memory.last - counted - reading  # what grew until the first reading of this run
            whole &= ~late | (before >= 0)
            memory.total += np.where(whole & late, before, 0.0)
            memory.last[whole & ~late] = reading[whole & ~late]
            memory.marks[same & ~whole] |= q.DERIVED

    def step(self, table: LiveTable, now_ns: int, monotonic_ns: int) -> Updates | None:
        """The totals now; None between two steps and while there is none."""
        passed_s = (monotonic_ns - self._stepped_ns) / SECOND_NS if self._stepped_ns else 0.0
        if self._stepped_ns and passed_s < STEP_S:
            return None
        self._first_ns = self._first_ns or monotonic_ns
        self._stepped_ns = monotonic_ns
        self._begin_period(now_ns)
        value, quality = self._columns.evaluate(table.value, table.quality)
        good = q.usable(value, quality)
        if self._integral:
            starting = monotonic_ns - self._first_ns <= LONGEST_STEP_S * SECOND_NS
            passing = self._integrate(value, good, passed_s, starting=starting)
        else:
            good &= (quality & q.DERIVED) == 0  # a sum without some of its members is not less energy
            passing = self._grow(value, good)
        memory = self._memory
        memory.marks[good] |= quality[good]
        memory.begun |= good
        rows = memory.begun
        if not rows.any():
            return None
        return Updates.of(self.outputs[rows], memory.total[rows], (memory.marks | passing)[rows], now_ns, now_ns)

    def _integrate(
        self, value: NDArray[np.float64], good: NDArray[np.bool_], passed_s: float, *, starting: bool
    ) -> NDArray[np.uint16]:
        """Add a step's energy. While `starting`, an input that has not come yet is nothing to speak of."""
        memory = self._memory
        known = np.isfinite(memory.last)
        missed = ~good & (known | (memory.begun & (not starting)))
        if passed_s > LONGEST_STEP_S:
            missed |= good & known
        else:
            memory.total += np.where(good & known, (value + memory.last) / 2 * passed_s / 3600, 0.0)
        memory.marks[missed] |= q.DERIVED
        memory.last = np.where(good, value, np.nan)
        return np.zeros_like(memory.marks)

    def _grow(self, value: NDArray[np.float64], good: NDArray[np.bool_]) -> NDArray[np.uint16]:
        """Add what the counters grew; returns marks that only hold now."""
        memory = self._memory
        grown = value - memory.last
        restarted = value < memory.last * _RESTARTED
        added = np.where(grown >= 0, grown, np.where(restarted, np.maximum(value, 0.0), 0.0))
        memory.total += np.where(good & np.isfinite(memory.last), added, 0.0)
        memory.last = np.where(good, value, memory.last)
        return np.where(good, 0, q.DERIVED).astype(np.uint16)

    def _begin_period(self, now_ns: int) -> None:
        """Totals begin at nothing with a new period, and where the clock had been wrong by more than a while."""
        period = self._period_of(now_ns)
        before = self._period if self._period is not None else period
        wrong = period < before and now_ns < self._period_since_ns - LONGEST_STEP_BACK_S * SECOND_NS
        if period > before or wrong:
            self._memory.total[:] = 0.0
            self._memory.marks[:] = q.DERIVED if wrong else 0
        if self._period is None or period > before or wrong:
            self._period, self._period_since_ns = period, now_ns

    def _period_of(self, time_ns: int) -> tuple[int, ...]:
        """Which hour, day, month or year of the station's zone it is; compares in order of time."""
        local: datetime = to_datetime(time_ns).astimezone(self._zone)
        # Hours are counted, not named: of the hour that daylight saving repeats there are two.
        shift_s = (local.utcoffset() or timedelta()) // timedelta(seconds=1) % 3600
        hour = (time_ns // SECOND_NS + shift_s) // 3600
        fields = (local.year, local.month, local.day, hour)
        return fields[: {"never": 0, "year": 1, "month": 2, "day": 3, "hour": 4}[self._reset]]
