"""Oscillation: a setpoint that goes up and down again and again is damped, whoever is the cause."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.control.fleet import Fleet, Floats, carried

LARGE: Final = 0.1
"""Share of the rating: what turns back by less is no oscillation."""
TURNS: Final = 6
WITHIN_S: Final = 60.0
CALM_S: Final = 120.0
"""So long after its last turn a channel is damped."""
DAMPED_S: Final = 10.0
"""A damped channel takes so long from rest to its rating."""


class Hunting:
    """Of a fleet's active channels. On the engine's loop."""

    def __init__(self, fleet: Fleet) -> None:
        n = len(fleet)
        usable = fleet.is_active & np.isfinite(fleet.rating)
        self._large: Floats = np.where(usable, LARGE * fleet.rating, np.inf)
        self._rate: Floats = fleet.rating / DAMPED_S
        self._extreme: Floats = np.full(n, np.nan)
        """The farthest value since the last turn."""
        self._upwards = np.zeros(n, np.bool_)
        self._turns: Floats = np.full((n, TURNS), -np.inf)
        """Monotonic seconds of the last turns, the oldest first."""
        self.hunts: NDArray[np.bool_] = np.zeros(n, np.bool_)
        """bool[n]: it is damped now."""

    def follow(self, before: Hunting, at: NDArray[np.intp]) -> None:
        """Go on where that of another fleet stood (`Fleet.positions_in`)."""
        self._extreme, self._upwards = carried(before._extreme, at, np.nan), carried(before._upwards, at, False)
        self._turns, self.hunts = carried(before._turns, at, -np.inf), carried(before.hunts, at, False)

    def look(self, allowed: Floats, automatic: NDArray[np.bool_], now_s: float) -> None:
        """`allowed` float64[n] of this cycle. Where nothing is sent, or a person sets it, it begins anew."""
        known = np.isfinite(allowed) & automatic
        extreme = np.where(np.isnan(self._extreme), allowed, self._extreme)
        further = np.where(self._upwards, allowed > extreme, allowed < extreme)
        turned = known & (np.abs(allowed - extreme) >= self._large) & ~further
        self._extreme = np.where(known, np.where(further | turned, allowed, extreme), np.nan)
        self._upwards = np.where(turned, ~self._upwards, self._upwards)
        if turned.any():
            self._turns[turned] = np.roll(self._turns[turned], -1, axis=1)
            self._turns[turned, -1] = now_s
        begins = now_s - self._turns[:, 0] <= WITHIN_S
        self.hunts = known & (begins | (self.hunts & (now_s - self._turns[:, -1] <= CALM_S)))

    def rates(self, per_s: Floats) -> Floats:
        """The ramps of a fleet, slower where it hunts."""
        damped: Floats = np.where(self.hunts, np.minimum(per_s, self._rate), per_s)
        return damped
