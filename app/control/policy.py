"""What a device does while nobody may say what it should do: hold, ramp, or fall back (`on_bad_input`)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.control.fleet import Fleet, Floats, carried, clamp

HOLD_S: Final = 60.0
"""What is held longer than this falls back: nobody knows any more what it would do."""


def steps(per_s: Floats, dt_s: float) -> Floats:
    """The largest change in this time; inf where there is no ramp."""
    free = np.isinf(per_s)
    largest: Floats = np.where(free, np.inf, np.where(free, 0.0, per_s) * dt_s)
    return largest


class Policy:
    """Of every channel of a fleet."""

    def __init__(self, fleet: Fleet) -> None:
        words = [one.device.control.on_bad_input for one in fleet.channels]
        self._fleet = fleet
        self._holds = np.array([word == "hold" for word in words], np.bool_)
        self._ramps = np.array([word == "ramp" for word in words], np.bool_)
        self._since = np.full(len(fleet), np.nan)
        """Monotonic seconds, since when a channel goes by its policy."""

    def follow(self, before: Policy, at: NDArray[np.intp]) -> None:
        """Go on where that of another fleet stood (`Fleet.positions_in`)."""
        self._since = carried(before._since, at, np.nan)

    def values(self, bad: NDArray[np.bool_], last: Floats, now_s: float, dt_s: float) -> Floats:
        """float64[n]: where each channel goes by its policy; `last` is what was allowed last, NaN before the first."""
        fleet = self._fleet
        self._since = np.where(bad, np.where(np.isnan(self._since), now_s, self._since), np.nan)
        safe = fleet.safe
        step = steps(fleet.ramp_per_s, dt_s)
        base = np.where(np.isfinite(last), last, safe)
        towards = base + clamp(safe - base, -step, step)
        holding = self._holds & (now_s - self._since < HOLD_S) & np.isfinite(last)
        slowly = self._ramps | (self._holds & ~holding)
        values: Floats = np.where(holding, base, np.where(slowly, towards, safe))
        return values

    def idle(self) -> Floats:
        """No channel goes by its policy now, and nobody asks where it would go."""
        self._since[:] = np.nan
        return self._fleet.safe
