"""Power factor at the meter: reactive power of converters and inverters makes up for what the site draws."""

from __future__ import annotations

import math

import numpy as np

from app.control.strategies.contract import NO_METER, Ask, Params, Strategy, View, Wish, about, unsound
from app.model.control import Quantity, Rank
from app.model.text import Text


class PowerFactorParams(Params):
    target: float = about("1", "power factor at the meter that is kept", "关口目标功率因数", default=0.95, gt=0, le=1)


class PowerFactor(Strategy[PowerFactorParams, None]):
    """An inductive draw is met by as much supplied; a capacitive one is left, unless units make it."""

    kind = "power_factor"
    name = Text("Power factor", "功率因数")
    rank = Rank.PLAN
    uses = (Quantity.REACTIVE,)
    form = PowerFactorParams

    def begin(self) -> None:
        return None

    def decide(self, view: View, state: None) -> tuple[Wish, None]:
        kw, kvar = view.meter_kw, view.meter_kvar
        if not (math.isfinite(kw) and math.isfinite(kvar)):
            return unsound(NO_METER), None
        units = view.reactive
        given = float(np.nansum(units.power))
        drawn = kvar + given
        allowed = abs(kw) * math.tan(math.acos(self.params.target))
        wanted = drawn - allowed if drawn > allowed else drawn + allowed if drawn < -allowed else 0.0
        able = np.where(units.usable & np.isfinite(units.rating), units.rating, 0.0)
        total = float(able.sum())
        part = min(max(wanted / total, -1.0), 1.0) if total > 0 else 0.0
        free = Ask.free(len(units))
        why = Text(f"{drawn:.0f} kvar drawn, {allowed:.0f} allowed", f"无功 {drawn:.0f} kvar，允许 {allowed:.0f}")
        return Wish(why, reactive=Ask(free.low, free.high, able * part)), None
