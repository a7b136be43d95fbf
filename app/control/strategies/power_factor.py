"""Power factor at the meter: reactive power of converters and inverters makes up for what the site draws."""

from __future__ import annotations

import math

import numpy as np

from app.control.strategies.contract import NO_METER, Ask, Params, Strategy, View, Wish, about, unsound
from app.control.strategies.plan_tracking import PlanOf
from app.model.control import Quantity, Rank
from app.model.text import Text


class PowerFactorParams(Params):
    target: float = about("1", "power factor at the meter that is kept", "关口目标功率因数", default=0.95, gt=0, le=1)
    plan: PlanOf | None = about(
        "kvar", "96 points a day of reactive power, in place of the target",
        "每日 96 点无功计划，替代目标功率因数", default=None,
    )  # fmt: skip


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
        units = view.reactive
        if self.params.plan is not None:
            wanted = self.params.plan.at(view.local)
            why = Text(f"planned are {wanted:.0f} kvar", f"计划 {wanted:.0f} kvar")
            if math.isnan(wanted):
                return Wish(Text("nothing is planned now", "当前无计划")), None
        elif math.isfinite(view.meter_kw) and math.isfinite(view.meter_kvar):
            wanted, why = self._at_the_meter(view)
        else:
            return unsound(NO_METER), None
        able = units.discharge if wanted > 0 else units.charge  # what ratings leave beside the active power
        able = np.where(units.usable & np.isfinite(able), able, 0.0)
        total = float(able.sum())
        part = min(max(wanted / total, -1.0), 1.0) if total > 0 else 0.0
        free = Ask.free(len(units))
        return Wish(why, reactive=Ask(free.low, free.high, able * part)), None

    def _at_the_meter(self, view: View) -> tuple[float, Text]:
        """What units shall give so that the target is kept."""
        drawn = view.meter_kvar + float(np.nansum(view.reactive.power))
        allowed = abs(view.meter_kw) * math.tan(math.acos(self.params.target))
        wanted = drawn - allowed if drawn > allowed else drawn + allowed if drawn < -allowed else 0.0
        return wanted, Text(
            f"{drawn:.0f} kvar drawn, {allowed:.0f} allowed", f"无功 {drawn:.0f} kvar，允许 {allowed:.0f}"
        )
