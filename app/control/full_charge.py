"""When each battery was last charged to the top of its band: what its BMS tells drifts until it is."""

from __future__ import annotations

from typing import Final

import numpy as np

from app.control.fleet import Fleet, Floats
from app.control.inputs import Inputs
from app.control.standing import Standing
from app.model.clock import SECOND_NS

NEAR_PCT: Final = 0.5
AGAIN_NS: Final = 3600 * SECOND_NS
"""One that stays full is noted no oftener."""


class FullCharge:
    """Of a fleet's active channels. On the engine's loop."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._devices = [one.device.id for one in fleet.channels]
        self._at = np.flatnonzero(fleet.is_active)
        self.age_s: Floats = np.full(len(fleet), np.nan)
        """float64[n]: seconds since then; NaN for what has no battery."""

    def look(self, inputs: Inputs, now_ns: int, standing: Standing) -> bool:
        """Whether something is to be kept on the disk."""
        full = inputs.soc >= self._fleet.soc_high - NEAR_PCT
        noted = False
        for i in self._at.tolist():
            device = self._devices[i]
            known = standing.full.get(device)
            if known is None or (full[i] and now_ns - known > AGAIN_NS):
                standing.full[device] = known = now_ns
                noted = True
            self.age_s[i] = max(0.0, (now_ns - known) / SECOND_NS)
        return noted
