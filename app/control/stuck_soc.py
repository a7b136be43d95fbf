"""A state of charge that stands still while energy flows is none: the battery would be emptied by a number."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.control.fleet import Fleet, Floats, carried
from app.control.inputs import Inputs, or_else
from app.control.standing import Standing
from app.model.text import Text

PASSED_PCT: Final = 3.0
"""So much of what the battery holds may pass while its state of charge is told to be the same. It is told in whole
percent at the coarsest."""
_ENDS: Final = (1.0, 99.0)
"""Beyond these a battery rightly tells the same while it is charged full, or the last is taken."""

_WORDS: Final = Text("its state of charge stands still while energy flows", "充放电时 SOC 不变")


class StuckSoc:
    """Of a fleet's active channels. On the engine's loop."""

    def __init__(self, fleet: Fleet) -> None:
        self._capacity = np.where(fleet.is_active, fleet.energy_kwh, np.nan)
        self._soc: Floats = np.full(len(fleet), np.nan)
        self._passed_kwh: Floats = np.zeros(len(fleet))
        self._devices = [one.device.id for one in fleet.channels]

    def follow(self, before: StuckSoc, at: NDArray[np.intp]) -> None:
        """Go on where that of another fleet stood (`Fleet.positions_in`)."""
        self._soc, self._passed_kwh = carried(before._soc, at, np.nan), carried(before._passed_kwh, at, 0.0)

    def watch(self, inputs: Inputs, dt_s: float, standing: Standing) -> None:
        """Trip it. `dt_s` since the last look. Of a battery whose capacity nobody told, nothing is known."""
        soc = inputs.soc
        moved = soc != self._soc  # also where there is none, or was none
        passed = self._passed_kwh + or_else(inputs.power, 0.0) * dt_s / 3600.0
        self._passed_kwh = np.where(moved, 0.0, passed)
        self._soc = np.where(np.isnan(soc), self._soc, soc)
        too_much = np.abs(self._passed_kwh) > PASSED_PCT / 100.0 * self._capacity
        if not too_much.any():
            return
        full = (soc >= _ENDS[1]) & (self._passed_kwh < 0)
        empty = (soc <= _ENDS[0]) & (self._passed_kwh > 0)
        for i in np.flatnonzero(~moved & ~full & ~empty & too_much).tolist():
            standing.trips.setdefault(self._devices[i], _WORDS)

    def forget(self, device: str) -> None:
        """A person has looked at it: count anew."""
        self._passed_kwh[[one == device for one in self._devices]] = 0.0
