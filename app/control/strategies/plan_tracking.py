"""A plan of 96 points a day is followed by storage together."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Final

import numpy as np
from pydantic import BeforeValidator, ValidationInfo, WithJsonSchema

from app.control.plan import EVERY_DAY, Plan, read_plan
from app.control.strategies.contract import Ask, Params, Strategy, View, Wish, about
from app.control.strategies.sharing import share
from app.model.control import Rank
from app.model.errors import Wrong
from app.model.text import Text

_WRITTEN: Final = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "number"}, "minItems": 96, "maxItems": 96}]
}


def _plan(value: object, info: ValidationInfo) -> Plan:
    if isinstance(value, Plan):
        return value
    if isinstance(value, list | tuple):
        return Plan({EVERY_DAY: value})
    name = str(value)
    folders: tuple[Path, ...] = (info.context or {}).get("folders", ())
    inside = not (Path(name).is_absolute() or ".." in Path(name).parts or "\\" in name)
    for folder in folders if inside else ():
        if (file := folder / name).is_file():
            return read_plan(file)
    raise Wrong(
        Text(f"there is no plan '{name}' in the station's folder", f"站点文件夹中没有计划“{name}”"),
        Text("write the name of a .csv or .xlsx beside station.yaml", "请写 station.yaml 旁的 .csv 或 .xlsx 文件名"),
    )


class PlanParams(Params):
    plan: Annotated[Plan, BeforeValidator(_plan), WithJsonSchema(_WRITTEN)] = about(
        "", "file of 96 points a day, or the points", "每日 96 点计划文件"
    )
    tolerance_kw: float = about("kW", "so far from it is near enough", "允许偏差", default=0.0, ge=0)


class PlanTracking(Strategy[PlanParams, None]):
    kind = "plan_tracking"
    name = Text("Plan tracking", "计划跟踪")
    rank = Rank.PLAN
    form = PlanParams

    def begin(self) -> None:
        return None

    def decide(self, view: View, state: None) -> tuple[Wish, None]:
        planned, free = self.params.plan.at(view.local), Ask.free(len(view.storage))
        if math.isnan(planned):
            return Wish(Text("nothing is planned now", "当前无计划")), None
        near = abs(view.storage.total - planned) <= self.params.tolerance_kw and bool(
            np.isfinite(view.storage.held).all()
        )
        target = view.storage.held if near else share(planned, view.storage)
        why = Text(f"planned are {planned:.0f} kW", f"计划 {planned:.0f} kW")
        return Wish(why, storage=Ask(free.low, free.high, target)), None
