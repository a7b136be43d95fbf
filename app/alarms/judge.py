"""Evaluating rules on columns: a batch of updates in, the few rules out whose condition began or ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.alarms.rules import STATE_SPAN, Family, Rules, state_key
from app.model.quality import NT, RANGE, UNUSABLE
from app.model.updates import Updates

_NOT_FINITE: Final = 0x8000
_WATCHED: Final = UNUSABLE | RANGE
_NO_USE: Final = UNUSABLE | _NOT_FINITE
_UNSEEN: Final = 0xFFFF
_NEVER: Final = np.iinfo(np.int64).max

Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Transitions:
    """Alarms that were raised or returned, in order of source time; those of one rule in the order of their rows.

    rule int64[k], raised bool[k] (False: returned), value float64[k], quality uint16[k], time int64[k] UTC ns.
    """

    rule: NDArray[np.int64]
    raised: Bools
    value: NDArray[np.float64]
    quality: NDArray[np.uint16]
    time: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rule)

    def split(self, count: int) -> tuple[Transitions, Transitions]:
        """The first `count` of them, and the rest."""
        return self._part(slice(count)), self._part(slice(count, None))

    def _part(self, rows: slice) -> Transitions:
        return Transitions(self.rule[rows], self.raised[rows], self.value[rows], self.quality[rows], self.time[rows])


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Rows and rules that belong together, sorted by rule; `first` and `last` mark the ends of each rule's rows."""

    rule: NDArray[np.int64]
    row: Ints
    first: Bools
    last: Bools


def no_transitions() -> Transitions:
    """Nothing happened."""
    return Transitions(
        np.empty(0, np.int64), np.empty(0, np.bool_), np.empty(0), np.empty(0, np.uint16), np.empty(0, np.int64)
    )


class Judge:
    """The present condition of every rule. Knows nothing of acknowledgement.

    A condition is a latch: it begins at the limit and ends when the value is back past it by the hysteresis. Values
    that are unusable leave it as it is. A rule without delay is raised when its condition begins; one with delay is
    raised by `tick` when the condition has held that long. It returns when the condition ends.

    Each point has a calm band: while its value stays inside and its quality the same, no condition of it can change.
    Most rows of a batch end there, after one comparison; only points that leave it are looked at rule by rule.
    """

    def __init__(self, rules: Rules) -> None:
        points = len(rules.first) - 1
        self._rules = rules
        self._latched = np.zeros(len(rules), np.bool_)
        self._raised = np.zeros(len(rules), np.bool_)
        self._pending = np.zeros(len(rules), np.bool_)
        self._since = np.full(len(rules), _NEVER, np.int64)  # monotonic; while unusable values come: never
        self._since_time = np.zeros(len(rules), np.int64)  # the same moment in source time
        self._count = np.diff(rules.first)
        self._watched: Bools = self._count > 0
        self._class = np.zeros(points, np.uint16)
        self._value = np.full(points, np.nan)  # as of the last row outside the calm band
        self._quality = np.zeros(points, np.uint16)
        self._low = np.full(points, -np.inf)
        self._high = np.full(points, np.inf)
        self._mark = np.zeros(points, np.bool_)
        self._calm_down(np.flatnonzero(self._watched))

    def restore(self, rules: NDArray[np.int64]) -> None:
        """Take up rules that were raised when the program stopped: those no longer true end with their next value."""
        self._latched[rules] = self._raised[rules] = True
        self._pending[rules] = False
        points = np.unique(self._rules.point[rules]).astype(np.intp)
        self._class[points] = _UNSEEN
        self._calm_down(points)

    def take(self, updates: Updates, now_ns: int) -> Transitions:
        """Judge a batch, its rows in their order. `now_ns` is monotonic."""
        rows = np.flatnonzero(self._watched[updates.point])
        if not len(rows):
            return no_transitions()
        point, value, quality = updates.point[rows], updates.value[rows], updates.quality[rows]
        klass = np.where(np.isfinite(value), quality & _WATCHED, quality & _WATCHED | _NOT_FINITE).astype(np.uint16)
        calm = (value >= self._low[point]) & (value <= self._high[point])
        calm |= (klass & _NO_USE) != 0
        calm &= klass == self._class[point]
        if calm.all():
            return no_transitions()
        # A calm row behind an unruly one of the same point counts as well: take all rows of such points.
        unruly = point[~calm]
        self._mark[unruly] = True
        chosen = np.flatnonzero(self._mark[point])
        self._mark[unruly] = False
        rows, klass = rows[chosen], klass[chosen]
        return self._judge(updates.take(rows), klass, now_ns)

    def tick(self, now_ns: int) -> Transitions:
        """Raise what has held for its delay. `now_ns` is monotonic; call it every 100 ms or so."""
        waiting = np.flatnonzero(self._pending)
        due = waiting[now_ns - self._rules.delay_ns[waiting] >= self._since[waiting]] if len(waiting) else waiting
        if not len(due):
            return no_transitions()
        self._pending[due] = False
        self._raised[due] = True
        point = self._rules.point[due]
        self._calm_down(np.unique(point).astype(np.intp))
        time = self._since_time[due] + self._rules.delay_ns[due]
        order = np.argsort(time, kind="stable")
        return Transitions(
            due[order],
            np.ones(len(due), np.bool_),
            self._value[point][order],
            self._quality[point][order],
            time[order],
        )

    # -------------------------------------------------------------------------------------- points out of calm

    def _judge(self, rows: Updates, klass: NDArray[np.uint16], now_ns: int) -> Transitions:
        """Judge rows rule by rule. Of repeated points the last assignment holds, which numpy promises."""
        point = rows.point
        self._class[point] = klass
        self._value[point] = rows.value
        self._quality[point] = rows.quality
        pairs = self._pairs(point)
        known = ((klass[pairs.row] & _NO_USE) == 0) | (self._rules.family[pairs.rule] >= Family.QUALITY)
        begins, ends = self._events(pairs, known, rows, klass)
        initial = self._latched[pairs.rule]
        after = _filled(begins, ends, pairs.first, initial)
        before = np.where(pairs.first, initial, np.roll(after, 1))
        self._latched[pairs.rule[pairs.last]] = after[pairs.last]

        time = np.where(rows.time > 0, rows.time, rows.received)  # never received: no source time
        changed = np.flatnonzero(after != before)
        emitted = changed[self._without_delay(pairs.rule[changed], after[changed])]
        self._wait(pairs, known, after, changed, time=time, now_ns=now_ns)
        touched = self._rules.point[pairs.rule[pairs.first]]  # sorted, as the rules are
        self._calm_down(touched[np.flatnonzero(np.diff(touched, prepend=-1))].astype(np.intp))
        if not len(emitted):
            return no_transitions()
        rule, row = pairs.rule[emitted], pairs.row[emitted]
        order = _in_order(rule, row, time[row])
        rule, row, raised = rule[order], row[order], after[emitted][order]
        return Transitions(rule, raised, rows.value[row], rows.quality[row], time[row])

    def _pairs(self, point: NDArray[np.int32]) -> _Pairs:
        """Each row with each rule of its point; the rows of each rule side by side, in their order."""
        count = self._count[point]
        row = np.repeat(np.arange(len(point)), count)
        within = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        rule = self._rules.first[point][row] + within
        order = np.argsort(rule, kind="stable")
        row, rule = row[order], rule[order]
        first = np.ones(len(rule), np.bool_)
        first[1:] = rule[1:] != rule[:-1]
        return _Pairs(rule, row, first, np.roll(first, -1))

    def _events(self, pairs: _Pairs, known: Bools, rows: Updates, klass: NDArray[np.uint16]) -> tuple[Bools, Bools]:
        """Where the condition of a rule is true for sure, and where it is false for sure; neither: it stays."""
        rules, rule = self._rules, pairs.rule
        value = np.where(known, rows.value[pairs.row], np.nan)
        signed = rules.sign[rule] * value
        begins: Bools = signed >= rules.on[rule]
        ends: Bools = signed < rules.off[rule]
        family = rules.family[rule]
        state = np.flatnonzero((family == Family.STATE) & known)
        if len(state):
            found = self._is_alarm_state(rule[state], value[state])
            begins[state], ends[state] = found, ~found
        bad, lost = klass != 0, (rows.quality & NT) != 0
        for which, true in ((Family.QUALITY, bad), (Family.LOST, lost)):
            mine = np.flatnonzero(family == which)
            now = true[pairs.row[mine]]
            begins[mine], ends[mine] = now, ~now
        return begins, ends

    def _is_alarm_state(self, rule: NDArray[np.int64], value: NDArray[np.float64]) -> Bools:
        whole = (np.abs(value) < STATE_SPAN // 2) & (value == np.floor(value))
        key = state_key(rule, np.where(whole, value, 0).astype(np.int64))
        keys = self._rules.states
        at = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
        result: Bools = (keys[at] == key) & whole
        return result

    def _without_delay(self, rule: NDArray[np.int64], begins: Bools) -> Bools:
        """Which changes of condition are transitions at once; marks their rules raised or not."""
        delayed = self._rules.delay_ns[rule] > 0
        # With a delay only the first end of a raised one counts: what begins again must hold for the delay again.
        ends = np.flatnonzero(delayed & ~begins & self._raised[rule])
        _, index = np.unique(rule[ends], return_index=True)
        result = ~delayed
        result[ends[index]] = True
        self._raised[rule[result]] = begins[result]
        return result

    def _wait(
        self, pairs: _Pairs, known: Bools, after: Bools, changed: Ints, *, time: NDArray[np.int64], now_ns: int
    ) -> None:
        """Start, restart and stop the clocks of rules with a delay."""
        rule, row = pairs.rule, pairs.row
        delayed = self._rules.delay_ns[rule] > 0
        if not delayed.any():
            return
        end = np.flatnonzero(pairs.last & delayed)
        self._pending[rule[end]] = after[end] & ~self._raised[rule[end]]
        begun = changed[delayed[changed] & after[changed]]
        self._since[rule[begun]] = now_ns
        self._since_time[rule[begun]] = time[row[begun]]
        # An unusable value proves nothing: the delay begins again with the next usable one.
        self._since[rule[delayed & ~known]] = _NEVER
        again = end[known[end]]
        again = again[self._since[rule[again]] == _NEVER]
        self._since[rule[again]] = now_ns
        self._since_time[rule[again]] = time[row[again]]

    # -------------------------------------------------------------------------------------------- the calm band

    def _calm_down(self, points: Ints) -> None:
        """Work out anew the bands of some points (each once, all with rules)."""
        if not len(points):
            return
        rules = self._rules
        count = self._count[points]
        start = np.cumsum(count) - count
        rule = np.repeat(rules.first[points] - start, count) + np.arange(count.sum())
        sign, on, off = rules.sign[rule], rules.on[rule], rules.off[rule]
        latched, upward = self._latched[rule], sign > 0
        low, high = np.full(len(rule), -np.inf), np.full(len(rule), np.inf)
        limit = rules.family[rule] == Family.LIMIT
        # Upward: off below the limit, on down to the return level; downward the mirror image.
        high = np.where(limit & upward & ~latched, np.nextafter(on, -np.inf), high)
        low = np.where(limit & upward & latched, off, low)
        low = np.where(limit & ~upward & ~latched, np.nextafter(-on, np.inf), low)
        high = np.where(limit & ~upward & latched, -off, high)
        # A state changes with any other value; a pending alarm wants to know the value when it is raised.
        state = rules.family[rule] == Family.STATE
        here = self._value[rules.point[rule]]
        low, high = np.where(state, here, low), np.where(state, here, high)
        low = np.where(self._pending[rule], np.inf, low)
        self._low[points] = np.maximum.reduceat(low, start)  # a NaN wins, and is no band
        self._high[points] = np.minimum.reduceat(high, start)


def _filled(begins: Bools, ends: Bools, first: Bools, initial: Bools) -> Bools:
    """The condition after each row: what the last decisive row of the same rule said, else what it was before."""
    decisive = begins | ends
    index = np.arange(len(first))
    source = np.maximum.accumulate(np.where(decisive | first, index, 0))
    result: Bools = np.where(decisive[source], begins[source], initial)
    return result


def _in_order(rule: NDArray[np.int64], row: Ints, time: NDArray[np.int64]) -> Ints:
    """Positions by source time, then by row; but never a rule's own transitions in another order than they happened.

    `rule` is sorted, and stands in the order in which things happened within each rule.
    """
    rank = np.empty(len(rule), np.int64)
    rank[np.lexsort((row, time))] = np.arange(len(rule))
    segment = np.cumsum(np.concatenate([[0], rule[1:] != rule[:-1]])) * len(rule)
    return np.argsort(np.maximum.accumulate(rank + segment) - segment, kind="stable")
