"""Peak shaving: the import stays below a limit, and what was given for it is charged again when there is room."""

from __future__ import annotations

import math

import numpy as np

from app.control.strategies.contract import NO_METER, Params, Strategy, View, Wish, about, unsound
from app.control.strategies.sharing import at_least, share
from app.model.control import Rank
from app.model.text import Text


class PeakShavingParams(Params):
    limit_kw: float = about("kW", "import is kept below this", "受电功率不超过此值", allow_inf_nan=False)
    recharge_below_kw: float | None = about(
        "kW", "storage is charged while the import is below this", "受电功率低于此值时充电", default=None
    )
    recharge_kw: float | None = about("kW", "the most that is charged for it", "补充充电的最大功率", default=None, gt=0)


class PeakShaving(Strategy[PeakShavingParams, None]):
    kind = "peak_shaving"
    name = Text("Peak shaving", "削峰")
    rank = Rank.DEMAND
    form = PeakShavingParams

    def begin(self) -> None:
        return None

    def decide(self, view: View, state: None) -> tuple[Wish, None]:
        without, params = view.without_storage_kw, self.params
        if not math.isfinite(without):
            return unsound(NO_METER), None
        needed = without - params.limit_kw
        target = np.full(len(view.storage), np.nan)
        why = Text(f"{without:.0f} kW without storage, below the limit", f"不计储能 {without:.0f} kW，低于限值")
        if needed > 0:
            target = share(needed, view.storage)
            why = Text(f"{without:.0f} kW without storage: {needed:.0f} kW to shave",
                       f"不计储能 {without:.0f} kW：需削 {needed:.0f} kW")  # fmt: skip
        elif params.recharge_below_kw is not None and without < params.recharge_below_kw:
            room = min(params.recharge_below_kw - without, params.recharge_kw or math.inf)
            target = share(-min(room, -needed), view.storage)
            why = Text(f"{without:.0f} kW without storage: room to charge", f"不计储能 {without:.0f} kW：可补充充电")
        reason = "shave" if needed > 0 else "recharge" if np.isfinite(target).any() else "below"
        return Wish(why, storage=at_least(needed, view.storage, target), reason=reason), None
