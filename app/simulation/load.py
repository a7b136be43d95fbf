"""Load feeders: what the works, the offices and the cold store take on a working day and at the weekend.

The shapes are synthetic: hourly shares of the feeder's rating, drawn to look like the three kinds of consumer they are
named after. They come from no data set.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from app.simulation.dynamics import Machines
from app.simulation.noise import Floats, Noise, uniform

_HOURS: Final = np.arange(25.0)
_WORKS: Final = (
    ".22 .21 .21 .22 .26 .40 .66 .80 .86 .88 .87 .78 .70 .82 .87 .86 .83 .78 .72 .70 .66 .52 .34 .26 .22",
    ".20 .20 .19 .19 .20 .22 .26 .30 .32 .33 .33 .31 .29 .30 .31 .30 .28 .26 .25 .24 .23 .22 .21 .20 .20",
)
"""Two shifts, 6 to 22 o'clock with a pause at noon."""
_OFFICES: Final = (
    ".16 .15 .15 .15 .16 .19 .28 .46 .68 .78 .81 .82 .76 .79 .82 .80 .76 .66 .48 .36 .28 .23 .19 .17 .16",
    ".15 .14 .14 .14 .14 .15 .17 .20 .24 .27 .28 .29 .28 .27 .27 .26 .25 .23 .21 .20 .18 .17 .16 .15 .15",
)
"""Offices and services, 8 to 18 o'clock."""
_COLD_STORE: Final = (
    ".48 .47 .46 .46 .46 .47 .50 .53 .57 .60 .63 .66 .68 .70 .71 .70 .67 .63 .60 .57 .54 .52 .50 .49 .48",
    ".46 .45 .45 .44 .44 .45 .46 .48 .50 .53 .56 .58 .60 .61 .61 .60 .58 .56 .53 .51 .49 .48 .47 .46 .46",
)
"""Cold store and auxiliaries: nearly even, more in the heat of the day."""
SHAPES: Final = [tuple(np.array(day.split(), np.float64) for day in kind) for kind in (_WORKS, _OFFICES, _COLD_STORE)]
"""(working day, weekend), shares at the full hours 0 to 24, eased between."""


class Loads(Machines):
    """`ratings_kw` float64[n]. Power is positive out of the busbar. The n-th load takes the n-th shape, in turn."""

    def __init__(self, seed: int, ratings_kw: Floats) -> None:
        super().__init__(len(ratings_kw))
        self.rating_kw = ratings_kw
        self._kind = np.arange(self.count) % len(SHAPES)
        self._noise = Noise(seed, self.count, (3600.0, 600.0, 70.0, 11.0), (0.05, 0.04, 0.03, 0.015))
        self._factor = Noise(seed + 1, self.count, (5400.0, 240.0), (0.02, 0.01))
        self._base_pf = 0.93 + 0.03 * uniform(seed + 2, np.arange(self.count), 0)
        self.share = _phase_shares(seed + 3, self.count)

    def step(self, time_s: float, local_hour: float, weekday: int) -> None:
        """Set `p_kw` and `q_kvar` of the moment. `weekday` is 0 on Monday."""
        shape = 1 if weekday >= 5 else 0
        level = np.array([np.interp(local_hour, _HOURS, SHAPES[kind][shape]) for kind in self._kind])
        moment = np.full(self.count, time_s)
        swing = 1.0 + self._noise.at(moment)
        p_kw = self.rating_kw * level * np.maximum(swing, 0.1)
        factor = np.clip(self._base_pf + self._factor.at(moment), 0.85, 0.99)
        on = self.closed & ~self.tripped
        self.p_kw = np.where(on, p_kw, 0.0)
        self.q_kvar = np.where(on, p_kw * np.sqrt(1.0 / factor**2 - 1.0), 0.0)


def _phase_shares(seed: int, count: int) -> Floats:
    """How each load spreads over the phases: float64[n, 3], rows sum to 1."""
    raw = 1.0 + 0.06 * (uniform(seed, np.arange(3 * count), 0).reshape(count, 3) - 0.5)
    result: Floats = raw / raw.sum(axis=1, keepdims=True)
    return result
