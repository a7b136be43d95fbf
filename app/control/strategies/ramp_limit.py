"""Smoothing: what PV gives and storage together changes by no more than so much a minute."""

from __future__ import annotations

import math

import numpy as np

from app.control.strategies.contract import Ask, Params, Strategy, View, Wish, about, unsound
from app.control.strategies.sharing import share
from app.model.control import Rank
from app.model.fields import DurationS
from app.model.text import Text


class RampParams(Params):
    kw_per_min: float = about(
        "kW/min", "the fastest change of PV and storage together", "光伏与储能总功率最大变化率", gt=0
    )
    window: DurationS | None = about("", "slow changes are left to PV over so long", "平滑时间窗", default=None)


class RampLimit(Strategy[RampParams, float | None]):
    """Remembers what was given last, kW."""

    kind = "ramp_limit"
    name = Text("PV smoothing", "光伏平滑")
    rank = Rank.PLAN
    form = RampParams

    def begin(self) -> float | None:
        return None

    def decide(self, view: View, state: float | None) -> tuple[Wish, float | None]:
        pv = view.pv.total
        if len(view.pv) == 0 or not np.isfinite(view.pv.power).all():
            return unsound(Text("PV power has no usable value", "光伏功率无有效值")), None
        if state is None or view.dt_s <= 0:
            state = pv
        step = self.params.kw_per_min * view.dt_s / 60.0
        smooth = min(max(pv, state - step), state + step)
        if self.params.window:  # led back to PV, so that storage is not used up by a slow change
            smooth += (pv - smooth) * (1.0 - math.exp(-view.dt_s / self.params.window))
        free = Ask.free(len(view.storage))
        given = share(smooth - pv, view.storage)
        why = Text(f"PV {pv:.0f} kW, smoothed {smooth:.0f}", f"光伏 {pv:.0f} kW，平滑后 {smooth:.0f}")
        return Wish(why, storage=Ask(free.low, free.high, given)), smooth
