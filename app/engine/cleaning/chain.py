"""Chains of filters: which filters there are, and points with alike chains side by side in columns."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final

from app.engine.cleaning.counters import Counter
from app.engine.cleaning.rejecting import Rate, Spike
from app.engine.cleaning.shaping import Bits, Clamp, Map, Scale
from app.engine.cleaning.smoothing import MovingMean, MovingMedian, PeriodMean, PeriodMedian
from app.engine.cleaning.stage import Now, Rows, Stage
from app.engine.cleaning.stuck import Stuck
from app.engine.cleaning.substitution import Constant, LastGood, OtherPoint
from app.engine.table import LiveTable
from app.model.cleaning import CleanForm, MeanForm, MedianForm, SubstituteForm
from app.model.station import Point


def _mean(form: MeanForm) -> type[Stage]:
    return MovingMean if form.window is not None else PeriodMean


def _median(form: MedianForm) -> type[Stage]:
    return MovingMedian if form.window is not None else PeriodMedian


def _substitute(form: SubstituteForm) -> type[Stage]:
    return Constant if form.value is not None else LastGood if form.last is not None else OtherPoint


FILTERS: Final[dict[str, Callable[[Any], type[Stage]]]] = {
    "spike": lambda form: Spike,
    "rate": lambda form: Rate,
    "stuck": lambda form: Stuck,
    "clamp": lambda form: Clamp,
    "scale": lambda form: Scale,
    "median": _median,
    "mean": _mean,
    "bits": lambda form: Bits,
    "map": lambda form: Map,
    "substitute": _substitute,
    "counter": lambda form: Counter,
}
"""Name in the station's file -> what runs it, by what its form says (`app.model.cleaning`)."""


def shape(chain: Sequence[CleanForm]) -> Hashable:
    """Points whose chains are alike in this share columns; what else they say stands in the columns."""
    return tuple((stage := FILTERS[step.name](step.form), stage.shape(step.form)) for step in chain)


class Chain:
    """The stages of k points of one shape."""

    def __init__(self, points: Sequence[Point], table: LiveTable) -> None:
        self.points = points
        self.stages: list[Stage] = []
        for i, step in enumerate(points[0].form.clean):
            forms = [point.form.clean[i].form for point in points]
            self.stages.append(FILTERS[step.name](step.form)(forms, points, table))

    def run(self, rows: Rows, now: Now) -> Rows:
        """Through every stage, in the order of the file."""
        return self._from(0, rows, now)

    def tick(self, now: Now) -> list[Rows]:
        """What stages say by themselves, sent through those behind them."""
        said = []
        for i, stage in enumerate(self.stages):
            own = stage.tick(now)
            if own is not None:
                own = self._from(i + 1, own, now)
                if len(own):
                    said.append(own)
        return said

    def _from(self, first: int, rows: Rows, now: Now) -> Rows:
        for stage in self.stages[first:]:
            if not len(rows):
                break
            rows = stage.apply(rows, now)
        return rows
