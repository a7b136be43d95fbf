"""Backup reserve: what storage keeps for an outage, and a genset that is started before it is used up."""

from __future__ import annotations

import numpy as np
from pydantic import model_validator

from app.control.strategies.contract import Ask, Bools, Params, Strategy, View, Wish, about, unsound
from app.model.control import Rank
from app.model.errors import Wrong
from app.model.text import Text

_BACK_PCT = 1.0
"""So far above the reserve a unit must be before it is used again."""


class BackupParams(Params):
    reserve_pct: float = about("%", "nothing is discharged below this", "低于此值不放电（备用）", ge=0, le=100)
    genset: str | None = about("", "device that is started and stopped", "启停的柴油发电机", default=None)
    start_below_pct: float | None = about("%", "it is started below this", "低于此值启动", default=None, ge=0, le=100)
    stop_above_pct: float | None = about("%", "it is stopped above this", "高于此值停止", default=None, ge=0, le=100)

    @model_validator(mode="after")
    def _rises(self) -> BackupParams:
        given = (self.genset, self.start_below_pct, self.stop_above_pct)
        if any(one is None for one in given) and any(one is not None for one in given):
            raise Wrong(
                Text("genset, start_below_pct and stop_above_pct go together",
                     "genset、start_below_pct、stop_above_pct 须一并给出"),
                Text("write all three, or none", "请全部写出，或都不写"),
            )  # fmt: skip
        if self.genset is not None and (self.start_below_pct or 0.0) >= (self.stop_above_pct or 0.0):
            raise Wrong(
                Text("start_below_pct is not below stop_above_pct", "start_below_pct 应小于 stop_above_pct"),
                Text("leave room between them, such as 30 and 60", "两者应有间隔，例如 30 与 60"),
            )
        return self


class BackupReserve(Strategy[BackupParams, tuple[str, ...]]):
    """Remembers which devices are at their reserve. What it started is remembered by control."""

    kind = "backup_reserve"
    name = Text("Backup reserve", "备用保留")
    rank = Rank.PROTECTION
    form = BackupParams

    def switches(self) -> tuple[str, ...]:
        return (self.params.genset,) if self.params.genset is not None else ()

    def begin(self) -> tuple[str, ...]:
        return ()

    def decide(self, view: View, state: tuple[str, ...]) -> tuple[Wish, tuple[str, ...]]:
        units, params = view.storage, self.params
        known = np.isfinite(units.soc) & units.usable
        if not known.any():
            return unsound(Text("no state of charge is known", "无可用的 SOC")), state
        was = np.isin(units.device, state) if state else np.zeros(len(units), np.bool_)
        empty: Bools = (units.soc <= params.reserve_pct) | (was & (units.soc < params.reserve_pct + _BACK_PCT))
        weight = np.where(np.isfinite(units.energy_kwh), units.energy_kwh, 1.0)[known]
        mean = float((units.soc[known] * weight).sum() / weight.sum())
        switch: dict[str, bool] = {}
        why = Text(
            f"{mean:.0f} %, of which {params.reserve_pct:g} are kept",
            f"SOC {mean:.0f} %，保留 {params.reserve_pct:g} %",
        )
        if params.genset is not None and params.start_below_pct is not None and params.stop_above_pct is not None:
            if mean < params.start_below_pct:
                switch = {params.genset: True}
                why = Text(f"{mean:.0f} %: {params.genset} shall run", f"SOC {mean:.0f} %：应启动 {params.genset}")
            elif mean > params.stop_above_pct:
                switch = {params.genset: False}
        ask = Ask(np.full(len(units), -np.inf), np.where(empty, 0.0, np.inf), np.full(len(units), np.nan))
        now = tuple(device for device, flag in zip(units.device, empty, strict=True) if flag)
        return Wish(why, storage=ask, switch=switch), now
