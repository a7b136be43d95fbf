"""Asking is not knowing: what was sent is confirmed by what the device holds and by what then flows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from app.control.fleet import Fleet, Floats
from app.model.clock import SECOND_NS
from app.model.control import Quantity
from app.model.text import Text

OPPOSITE: Final = 0.1
"""Share of the rating by which a device must do the opposite, and have been told to, before it trips."""
STILL: Final = 0.02
"""Share of the rating within which a setpoint counts as the same."""


class Doubt(StrEnum):
    """What does not fit."""

    NONE = ""
    FOLLOWS_NOT = "follows_not"
    """What flows is not what was sent."""
    OPPOSITE = "opposite"
    """It does the opposite."""


WORDS: Final = {
    Doubt.FOLLOWS_NOT: Text("does not follow its setpoint", "未跟随设定值"),
    Doubt.OPPOSITE: Text("does the opposite of its setpoint", "与设定值方向相反"),
}


@dataclass(slots=True)
class _Step:
    value: float
    since_ns: int
    """Monotonic, since when this value is what was sent."""


class Feedback:
    """Watches active power. On the engine's loop."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._steps: dict[int, _Step] = {}
        n = len(fleet)
        self.doubt: list[Doubt] = [Doubt.NONE] * n
        self.confirmed = np.zeros(n, np.bool_)
        """Of each channel: what flows has come to what was sent."""

    def look(self, sent: Floats, power: Floats, now_ns: int) -> None:
        """`sent` float64[n] what each device took last, NaN where nothing; `power` what flows, NaN where unknown."""
        for i, one in enumerate(self._fleet.channels):
            if one.quantity is not Quantity.ACTIVE or np.isnan(sent[i]) or np.isnan(power[i]):
                self._steps.pop(i, None)
                self.doubt[i], self.confirmed[i] = Doubt.NONE, False
                continue
            value, flows = float(sent[i]), float(power[i])
            step = self._steps.get(i)
            if step is None or abs(step.value - value) > STILL * one.rating:
                step = self._steps[i] = _Step(value, now_ns)
                self.confirmed[i] = False
            confirm = one.device.control.confirm
            near = abs(flows - value) <= max(confirm.tolerance_pct / 100.0 * one.rating, 1e-6)
            late = now_ns - step.since_ns > confirm.within * SECOND_NS
            self.confirmed[i] |= near
            if near:
                step.since_ns = now_ns if self.doubt[i] is not Doubt.NONE else step.since_ns
                self.doubt[i] = Doubt.NONE
            elif late:
                far = OPPOSITE * one.rating
                opposite = value * flows < 0 and min(abs(value), abs(flows)) > far
                self.doubt[i] = Doubt.OPPOSITE if opposite else Doubt.FOLLOWS_NOT
