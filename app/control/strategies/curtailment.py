"""Curtailment: what the station gives to the grid stays below what the grid orders."""

from __future__ import annotations

import math

from app.control.strategies.contract import NO_METER, Params, Strategy, View, Wish, about, unsound
from app.control.strategies.limits import limited
from app.control.strategies.sharing import at_most, capacity
from app.model.control import Quantity, Rank
from app.model.text import Text


class CurtailmentParams(Params):
    order: str = about(
        "",
        "point or northbound.CENTRE.OBJECT: the ordered limit of the export, kW",
        "限电指令：测点，或 northbound.主站.对象（上网功率限值，kW）",
    )
    storage_first: bool = about("", "storage takes it before PV is limited", "优先储能吸收", default=True)


class Curtailment(Strategy[CurtailmentParams, None]):
    kind = "curtailment"
    name = Text("Curtailment", "限电跟踪")
    rank = Rank.GRID
    uses = (Quantity.ACTIVE, Quantity.LIMIT)
    form = CurtailmentParams

    def begin(self) -> None:
        return None

    def points(self) -> tuple[str, ...]:
        return (self.params.order,)

    def decide(self, view: View, state: None) -> tuple[Wish, None]:
        order, without = view.values.get(self.params.order, math.nan), view.without_storage_kw
        if order == math.inf:
            return Wish(Text("nothing is ordered", "无限电指令")), None
        if not math.isfinite(order):
            return unsound(Text("the order has no usable value", "限电指令无有效值")), None
        if not math.isfinite(without):
            return unsound(NO_METER), None
        most = without + max(order, 0.0)  # what storage may give at most, so that the export stays below the order
        charge, _ = capacity(view.storage) if self.params.storage_first else (0.0, 0.0)
        pv = limited(view, view.pv.total + most + charge) if len(view.pv) else None
        why = Text(f"ordered: {order:.0f} kW into the grid at most", f"指令：上网不超过 {order:.0f} kW")
        storage = at_most(most, view.storage) if self.params.storage_first else at_most(max(most, 0.0), view.storage)
        return Wish(why, storage=storage, pv=pv), None
