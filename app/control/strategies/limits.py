"""Limits of the grid connection: import, export, none at all. They bind devices in manual as well."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from app.control.strategies.contract import NO_METER, Ask, Params, Strategy, View, Wish, about, unsound
from app.control.strategies.sharing import at_least, at_most, capacity
from app.model.control import Quantity, Rank
from app.model.text import Text


class LimitParams(Params):
    limit_kw: float | None = about(
        "kW", "the limit; left out, that of the station", "限值；省略时用站点限值", default=None, ge=0
    )
    margin_kw: float = about("kW", "kept free below it", "预留裕度", default=0.0, ge=0)


class ImportLimit(Strategy[LimitParams, None]):
    kind = "import_limit"
    name = Text("Import limit", "受电限值")
    rank = Rank.GRID
    is_limit = True
    form = LimitParams

    def begin(self) -> None:
        return None

    def decide(self, view: View, state: None) -> tuple[Wish, None]:
        without = view.without_storage_kw
        if not math.isfinite(without):
            return unsound(NO_METER), None
        needed = without - (self.params.limit_kw or 0.0) + self.params.margin_kw
        why = Text(f"storage gives {needed:.0f} kW at least", f"储能至少 {needed:.0f} kW")
        return Wish(why, storage=at_least(needed, view.storage)), None


class ExportLimit(Strategy[LimitParams, None]):
    """Storage takes what must not leave, and PV is limited by what storage cannot take."""

    kind = "export_limit"
    name = Text("Export limit", "上网限值")
    rank = Rank.GRID
    uses = (Quantity.ACTIVE, Quantity.LIMIT)
    is_limit = True
    form = LimitParams

    def begin(self) -> None:
        return None

    def decide(self, view: View, state: None) -> tuple[Wish, None]:
        without = view.without_storage_kw
        if not math.isfinite(without):
            return unsound(NO_METER), None
        most = without + (self.params.limit_kw or 0.0) - self.params.margin_kw
        charge, _ = capacity(view.storage)
        why = Text(f"storage gives {most:.0f} kW at most", f"储能至多 {most:.0f} kW")
        left = most + charge  # what storage cannot take: negative
        pv = limited(view, view.pv.total + left) if len(view.pv) else None
        if left < 0 and pv is not None:
            why = Text(f"storage cannot take it all: PV gives {-left:.0f} kW less",
                       f"储能无法全部吸收：光伏降 {-left:.0f} kW")  # fmt: skip
        return Wish(why, storage=at_most(most, view.storage), pv=pv), None


class ZeroExport(ExportLimit):
    kind = "zero_export"
    name = Text("Zero export", "防逆流")

    def decide(self, view: View, state: None) -> tuple[Wish, None]:
        none = self.params.model_copy(update={"limit_kw": self.params.limit_kw or 0.0})
        return ExportLimit(none).decide(view, state)


def limited(view: View, total_kw: float) -> Ask:
    """PV together gives at most this total, in parts of the ratings; nothing is limited where it gives less anyway.

    Of units that are not usable nobody knows what they give; they are limited as the others are.
    """
    free, rating = Ask.free(len(view.pv)), view.pv.rating
    able = float(rating.sum(where=view.pv.usable)) or float(rating.sum())
    if total_kw >= able:
        return free
    part = max(total_kw, 0.0) / able
    high: np.ndarray[tuple[int], np.dtype[np.float64]] = view.pv.rating * part
    return replace(free, high=high)
