"""State of charge: what is kept in reserve, and a band with room at both ends."""

from __future__ import annotations

import math

import numpy as np

from app.control.strategies.contract import Ask, Bools, Params, Strategy, Units, View, Wish, about
from app.control.strategies.sharing import share
from app.model.control import Rank
from app.model.text import Text

_DAY_S = 86400.0
_BACK_PCT = 1.0
"""So far within the band a unit must be before it is used again."""


class SocParams(Params):
    reserve_pct: float = about("%", "nothing is discharged below this", "低于此值不放电", default=10.0, ge=0, le=100)
    band_pct: tuple[float, float] | None = about(
        "%", "where it is kept without other wishes", "无其他需求时保持的区间", default=None
    )
    power_kw: float | None = about(
        "kW", "with so much it is led back into the band", "回到区间的功率", default=None, gt=0
    )
    calibrate_days: float | None = about(
        "d", "so long after it was full a unit is charged to the top of its band",
        "距上次充满超过此天数则充至区间上限校准", default=None, gt=0,
    )  # fmt: skip
    balance: bool = about("", "units that differ are brought together", "单元之间均衡", default=True)
    balance_pct: float = about("%", "how far they may differ", "允许偏差", default=5.0, gt=0, le=100)


class SocManagement(Strategy[SocParams, tuple[str, ...]]):
    """Remembers which devices are at their reserve."""

    kind = "soc_management"
    name = Text("SOC management", "SOC 管理")
    rank = Rank.OPERATOR
    form = SocParams

    def begin(self) -> tuple[str, ...]:
        return ()

    def decide(self, view: View, state: tuple[str, ...]) -> tuple[Wish, tuple[str, ...]]:
        units, params = view.storage, self.params
        was = np.isin(units.device, state) if state else np.zeros(len(units), np.bool_)
        empty: Bools = (units.soc <= params.reserve_pct) | (was & (units.soc < params.reserve_pct + _BACK_PCT))
        high = np.where(empty, 0.0, np.inf)
        target, idle = np.full(len(units), np.nan), np.full(len(units), np.nan)
        why = Text("within reserve and band", "在备用与区间之内")
        known = np.isfinite(units.soc) & units.usable
        if params.band_pct is not None and known.any():
            mean = float(units.soc[known].mean())
            power = params.power_kw or float(units.rating[np.isfinite(units.rating)].sum()) / 10.0
            if mean < params.band_pct[0] or mean > params.band_pct[1]:
                idle = share(-power if mean < params.band_pct[0] else power, units)
                why = Text(f"{mean:.0f} % is outside of the band", f"SOC {mean:.0f} % 超出区间")
        if (due := self._due(units, known) & (units.charge > 0)).any():
            power = params.power_kw or float(units.rating[np.isfinite(units.rating)].sum()) / 10.0
            target = np.where(due, -np.minimum(power / due.sum(), units.charge), target)
            names = ", ".join(np.array(units.device)[due])
            why = Text(f"charged full, so that their SOC is told right again: {names}", f"充满以校准 SOC：{names}")
        if params.balance and np.isnan(idle).all() and np.isnan(target).all() and known.sum() > 1:
            idle, why = self._balanced(view, why)
        if empty.any():
            low = ", ".join(np.array(units.device)[empty])
            why = Text(f"at their reserve: {low}", f"已到备用下限：{low}")
        now = tuple(device for device, flag in zip(units.device, empty, strict=True) if flag)
        free = Ask.free(len(units))
        return Wish(why, storage=Ask(free.low, high, target), idle=Ask(free.low, free.high, idle)), now

    def _due(self, units: Units, known: Bools) -> Bools:
        """Which were not full for too long."""
        days = self.params.calibrate_days
        late: Bools = known & (units.full_age_s > (days if days is not None else math.inf) * _DAY_S)
        return late

    def _balanced(self, view: View, why: Text) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], Text]:
        """The fullest gives to the emptiest: the sum stays nothing."""
        units = view.storage
        soc = np.where(units.usable, units.soc, np.nan)
        target = np.full(len(units), np.nan)
        if math.isnan(float(np.nanmax(soc))) or np.nanmax(soc) - np.nanmin(soc) <= self.params.balance_pct:
            return target, why
        full, empty = int(np.nanargmax(soc)), int(np.nanargmin(soc))
        power = min(float(units.discharge[full]), float(units.charge[empty]), float(units.rating[full]) / 10.0)
        target[full], target[empty] = power, -power
        names = f"{units.device[full]} → {units.device[empty]}"
        return target, Text(f"balancing: {names}", f"均衡：{names}")
