"""Asking is not knowing: what was sent is confirmed by what the device holds and by what then flows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from app.control.fleet import Channel, Fleet, Floats
from app.model.clock import SECOND_NS
from app.model.control import Quantity
from app.model.text import Text

OPPOSITE: Final = 0.1
"""Share of the rating by which a device must do the opposite, and have been told to, before it trips."""
LARGE: Final = 0.2
MISSING: Final = 0.7
METER_SCANS: Final = 1.5
"""So many scans of the grid meter, and half of `confirm: within`, it has to show what a device says that it does."""
LIMIT_WITHIN_S: Final = 30.0
"""An inverter or a charger comes below its limit by a ramp of its own: so long it has at least."""
STILL: Final = 0.02
"""Share of the rating within which a setpoint counts as the same."""


class Doubt(StrEnum):
    """What does not fit."""

    NONE = ""
    FOLLOWS_NOT = "follows_not"
    """What flows is not what was sent."""
    OPPOSITE = "opposite"
    """It does the opposite."""
    UNSEEN = "unseen"
    """It says that it follows, and the grid meter does not see it."""


WORDS: Final = {
    Doubt.FOLLOWS_NOT: Text("does not follow its setpoint", "未跟随设定值"),
    Doubt.UNSEEN: Text("says that it follows, and the grid meter does not see it", "显示已跟随，但关口表未见变化"),
    Doubt.OPPOSITE: Text("does the opposite of its setpoint", "与设定值方向相反"),
}


@dataclass(slots=True)
class _Step:
    value: float
    since_ns: int
    """Monotonic, since when this value is what was sent."""
    meter_kw: float
    power: Floats
    """float64[n]: what the grid meter and every device showed before the step."""
    near_ns: int = 0
    """Monotonic, since when what flows is what was sent; 0 before."""
    proved: bool = False
    """The grid meter was asked."""


class Feedback:
    """Watches active power and its limits: by what the device shows, and of what is to flow also by what the grid meter
    shows of it. On the engine's loop."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        meter = fleet.station.by_id.get(fleet.station.grid_meter or "")
        point = meter.role("active_power") if meter is not None else None
        self._meter_s = METER_SCANS * point.form.scan if point is not None else 0.0
        self._steps: dict[int, _Step] = {}
        self._below_ns: dict[int, int] = {}
        """Monotonic, when what flows was last below its limit, or began to be watched."""
        n = len(fleet)
        self.doubt: list[Doubt] = [Doubt.NONE] * n
        self.confirmed = np.zeros(n, np.bool_)
        """Of each channel: what flows has come to what was sent."""
        self._looked: tuple[float, Floats] | None = None
        """Meter and powers at the last look: a mirror may show a setpoint before anybody hears that it was taken."""
        self._seen = fleet.is_active | fleet.is_limit

    def look(self, sent: Floats, power: Floats, meter_kw: float, now_ns: int) -> None:
        """`sent` float64[n] what each device took last, NaN where nothing; `power` what flows, NaN where unknown."""
        for i, one in enumerate(self._fleet.channels):
            if one.quantity is Quantity.REACTIVE or np.isnan(sent[i]) or np.isnan(power[i]):
                self._steps.pop(i, None)
                self._below_ns.pop(i, None)
                self.doubt[i], self.confirmed[i] = Doubt.NONE, False
                continue
            if one.quantity is Quantity.LIMIT:
                self._look_at_limit(i, one, float(power[i]) - float(sent[i]), now_ns)
                continue
            confirm = one.device.control.confirm
            value, flows, step = float(sent[i]), float(power[i]), self._steps.get(i)
            if step is None or abs(step.value - value) > STILL * one.rating:
                young = step is not None and now_ns - step.since_ns < confirm.within * SECOND_NS
                before = (
                    (step.meter_kw, step.power) if young and step is not None else self._looked or (meter_kw, power)
                )
                step = self._steps[i] = _Step(value, now_ns, *before)
                self.confirmed[i] = False
            near = abs(flows - value) <= max(confirm.tolerance_pct / 100.0 * one.rating, 1e-6)
            self.confirmed[i] |= near
            late = now_ns - step.since_ns > confirm.within * SECOND_NS
            step.near_ns = (step.near_ns or now_ns) if near else 0
            proof_s = max(confirm.within / 2.0, self._meter_s)
            if near and not step.proved and now_ns - step.near_ns >= proof_s * SECOND_NS:
                step.proved = True
                self.doubt[i] = Doubt.UNSEEN if self._unseen(i, step, power, meter_kw) else Doubt.NONE
            elif near and self.doubt[i] is not Doubt.UNSEEN:
                step.since_ns = now_ns if self.doubt[i] is not Doubt.NONE else step.since_ns
                self.doubt[i] = Doubt.NONE
            elif late and not near:
                large = OPPOSITE * one.rating
                opposite = value * flows < 0 and min(abs(value), abs(flows)) > large
                self.doubt[i] = Doubt.OPPOSITE if opposite else Doubt.FOLLOWS_NOT
        self._looked = (meter_kw, power)

    def _look_at_limit(self, i: int, one: Channel, above_kw: float, now_ns: int) -> None:
        """More flows than is allowed, for how long: a limit that moves meanwhile is no excuse."""
        confirm = one.device.control.confirm
        below = above_kw <= max(confirm.tolerance_pct / 100.0 * one.rating, 1e-6)
        since_ns = now_ns if below else self._below_ns.get(i, now_ns)
        self._below_ns[i], self.confirmed[i] = since_ns, below
        late = now_ns - since_ns > max(confirm.within, LIMIT_WITHIN_S) * SECOND_NS
        self.doubt[i] = Doubt.FOLLOWS_NOT if late else Doubt.NONE

    def _unseen(self, i: int, step: _Step, power: Floats, meter_kw: float) -> bool:
        """Whether a large step, as the device shows it, is not to be seen at the grid meter.

        What the meter should have moved by is what all devices say that they moved by; loads move it too, so only a
        step of a fifth of the rating is judged, and most of it must be missing.
        """
        moved = power - step.power
        mine = float(moved[i])
        if abs(mine) < LARGE * self._fleet.rating[i] or not np.isfinite(meter_kw - step.meter_kw):
            return False
        expected = -float(np.nansum(moved[self._seen]))
        missing = expected - (meter_kw - step.meter_kw)
        return abs(missing) > MISSING * abs(mine) and missing * -mine > 0
