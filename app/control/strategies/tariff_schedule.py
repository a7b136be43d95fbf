"""Valley filling: charge in cheap periods of a dated tariff, discharge in dear ones."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BeforeValidator, ValidationInfo, WithJsonSchema

from app.control.strategies.contract import Ask, Params, Strategy, View, Wish, about, unsound
from app.control.strategies.sharing import capacity, share
from app.control.tariff import Period, Tariff, find_tariff
from app.model.control import Rank
from app.model.text import Text

PERIOD_NAMES = {
    "sharp": Text("sharp", "尖峰"), "peak": Text("peak", "高峰"), "flat": Text("flat", "平段"),
    "valley": Text("valley", "低谷"), "deep_valley": Text("deep valley", "深谷"),
}  # fmt: skip


def _tariff(value: object, info: ValidationInfo) -> Tariff:
    return value if isinstance(value, Tariff) else find_tariff(str(value), (info.context or {}).get("folders", ()))


class TariffParams(Params):
    tariff: Annotated[Tariff, BeforeValidator(_tariff), WithJsonSchema({"type": "string"})] = about(
        "", "name of a file of dated periods", "分时电价文件名称"
    )
    charge_in: tuple[Period, ...] = about(
        "", "periods in which it is charged", "充电时段", default=("valley", "deep_valley")
    )
    discharge_in: tuple[Period, ...] = about(
        "", "periods in which it is discharged", "放电时段", default=("sharp", "peak")
    )
    power_kw: float | None = about(
        "kW", "with so much; left out, the ratings", "充放电功率；省略时用额定", default=None, gt=0
    )


class TariffSchedule(Strategy[TariffParams, None]):
    kind = "tariff_schedule"
    name = Text("Tariff schedule", "峰谷套利")
    rank = Rank.ECONOMICS
    form = TariffParams

    def begin(self) -> None:
        return None

    def decide(self, view: View, state: None) -> tuple[Wish, None]:
        period = self.params.tariff.period_at(view.local)
        if period is None:
            return unsound(Text("the tariff does not name this day", "电价未覆盖当天")), None
        params, free = self.params, Ask.free(len(view.storage))
        charge, discharge = capacity(view.storage)
        most = params.power_kw or math.inf
        total = (
            -min(charge, most)
            if period in params.charge_in
            else min(discharge, most)
            if period in params.discharge_in
            else 0.0
        )
        name = PERIOD_NAMES[period]
        why = Text(f"{name.en}: {total:.0f} kW", f"{name.zh}：{total:.0f} kW")
        return Wish(why, storage=Ask(free.low, free.high, share(total, view.storage)), reason=period), None
