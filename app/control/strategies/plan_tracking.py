"""A plan of 96 points a day is followed by storage together."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import BeforeValidator, ValidationInfo, WithJsonSchema

from app.control.plan import EVERY_DAY, Plan, read_plan
from app.control.strategies.contract import Ask, Params, Strategy, View, Wish, about
from app.control.strategies.sharing import share
from app.model.control import Rank
from app.model.errors import Wrong
from app.model.text import Text

QUARTER_NS: Final = 900 * 10**9
_SET_S: Final = 2.0
"""A clock that goes so far otherwise than time passes was set."""
_LEAST_S: Final = 30.0
"""At the end of a quarter of an hour nothing is made up for faster."""
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


PlanOf = Annotated[Plan, BeforeValidator(_plan), WithJsonSchema(_WRITTEN)]
"""A file of the station's folder, or 96 numbers."""


class PlanParams(Params):
    plan: PlanOf = about("", "file of 96 points a day, or the points", "每日 96 点计划文件")
    by: Literal["power", "energy"] = about(
        "", "power is followed, or the energy of each quarter of an hour is met",
        "按功率跟踪，或按每刻钟电量跟踪", default="power",
    )  # fmt: skip
    tolerance_kw: float = about("kW", "so far from it is near enough", "允许偏差", default=0.0, ge=0)


Given = tuple[int, float, int]
"""Beginning of a quarter of an hour, UTC nanoseconds (0: none yet); kWh given in it; time of the last view."""


class PlanTracking(Strategy[PlanParams, Given]):
    """Remembers which quarter of an hour it is, and what was given in it."""

    kind = "plan_tracking"
    name = Text("Plan tracking", "计划跟踪")
    rank = Rank.PLAN
    form = PlanParams

    def begin(self) -> Given:
        return 0, 0.0, 0

    def decide(self, view: View, state: Given) -> tuple[Wish, Given]:
        planned, free = self.params.plan.at(view.local), Ask.free(len(view.storage))
        now = quarter, given, _ = _given(view, state)
        if math.isnan(planned):
            return Wish(Text("nothing is planned now", "当前无计划")), now
        total = planned
        if self.params.by == "energy":
            left_s = (quarter + QUARTER_NS - view.now_ns) / 1e9
            missed = (planned / 4.0 - given) * 3600.0 - planned * left_s  # kWs
            total = planned + missed / max(left_s, _LEAST_S)
        near = abs(view.storage.total - total) <= self.params.tolerance_kw and bool(
            np.isfinite(view.storage.held).all()
        )
        target = view.storage.held if near else share(total, view.storage)
        why = Text(f"planned are {planned:.0f} kW", f"计划 {planned:.0f} kW")
        return Wish(why, storage=Ask(free.low, free.high, target)), now


def _given(view: View, state: Given) -> Given:
    """The beginning of the quarter of an hour that it is, what was given since, kWh, and now; what nobody saw, and what
    a clock that was set tells wrongly, is as planned by what flows now."""
    quarter, total = view.now_ns - view.now_ns % QUARTER_NS, view.storage.total
    passed_s = (view.now_ns - state[2]) / 1e9
    is_set = state[0] != 0 and abs(passed_s - view.dt_s) > _SET_S
    if not state[0] or is_set:
        return quarter, total * (view.now_ns - quarter) / 1e9 / 3600.0, view.now_ns
    if quarter != state[0]:
        return quarter, total * min(view.dt_s, (view.now_ns - quarter) / 1e9) / 3600.0, view.now_ns
    return quarter, state[1] + total * view.dt_s / 3600.0, view.now_ns
