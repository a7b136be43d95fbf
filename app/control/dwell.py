"""Minimum times: what has begun to run runs for a while, and what rests rests for a while."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.control.fleet import Fleet, Floats, carried

_TINY = 1e-6


class Dwell:
    """Of a fleet's active channels, by `control: minimum_on` and `minimum_off`. On the engine's loop."""

    def __init__(self, fleet: Fleet) -> None:
        forms = [one.device.control for one in fleet.channels]
        active = fleet.is_active
        self._on_s: Floats = np.where(active, np.array([form.minimum_on or 0.0 for form in forms]), 0.0)
        self._off_s: Floats = np.where(active, np.array([form.minimum_off or 0.0 for form in forms]), 0.0)
        self._any = bool((self._on_s > 0).any() or (self._off_s > 0).any())
        self._way: Floats = np.zeros(len(fleet))
        """-1 charges, 0 rests, 1 discharges."""
        self._since_s: Floats = np.full(len(fleet), -np.inf)

    def follow(self, before: Dwell, at: NDArray[np.intp]) -> None:
        """Go on where that of another fleet stood (`Fleet.positions_in`)."""
        self._way, self._since_s = carried(before._way, at, 0.0), carried(before._since_s, at, -np.inf)

    def hold(
        self, value: Floats, last: Floats, free: NDArray[np.bool_], by_hand: NDArray[np.bool_], now_s: float
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Values of length n, and which were held: a rest that is too young goes on, and so does a run at its last
        value. `free`: those must not be held; `by_hand`: those may end a run."""
        if not self._any:
            return value, free & False
        changes = np.isfinite(value) & (_way(value) != self._way) & ~free
        age_s = now_s - self._since_s
        rests, runs = self._way == 0.0, self._way != 0.0
        runs &= ~by_hand & np.isfinite(last)
        held = changes & ((rests & (age_s < self._off_s)) | (runs & (age_s < self._on_s)))
        return np.where(held, np.where(rests, 0.0, last), value), held

    def note(self, allowed: Floats, now_s: float) -> None:
        """What was allowed in the end."""
        if self._any:
            way = _way(allowed)
            self._since_s = np.where(way != self._way, now_s, self._since_s)
            self._way = way


def _way(value: Floats) -> Floats:
    way: Floats = np.where(np.abs(np.nan_to_num(value)) <= _TINY, 0.0, np.sign(np.nan_to_num(value)))
    return way
