"""Demand control: the mean import of every settlement window stays below the limit.

Settlement in China takes windows of 15 minutes that slide by one; elsewhere they are fixed. What the rest of a window
may draw follows from what it has drawn already, so storage gives early where late would be too much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from app.control.strategies.contract import NO_METER, Params, Strategy, View, Wish, about, unsound
from app.control.strategies.sharing import at_least, share
from app.model.control import Rank
from app.model.fields import DurationS
from app.model.text import Text

_MOST_SLIPS = 240
_LEAST_S = 15.0
"""At the end of a slip nothing is made up for faster: what is left of it is the margin's."""


class DemandParams(Params):
    limit_kw: float = about("kW", "the mean of a window stays below this", "窗口平均功率不超过此值", gt=0)
    window: DurationS = about("", "length of a settlement window", "需量结算窗口", default=900.0)
    method: Literal["sliding", "fixed"] = about(
        "", "windows begin each slip, or one after the other", "滑差式或固定式", default="sliding"
    )
    slip: DurationS = about("", "how far a sliding window moves", "滑差步长", default=60.0)
    margin_pct: float = about("%", "kept free below the limit", "裕度", default=3.0, ge=0, lt=100)


@dataclass(frozen=True, slots=True)
class DemandState:
    """Energy of the slips of a window, the running one last."""

    slip: int
    """Number of the running slip since 1970."""
    kwh: tuple[float, ...]
    """Of the slips before, the oldest first; NaN of one in which the meter was away."""
    running_kwh: float
    known_s: float
    """How long the meter was known in the running slip."""


class DemandControl(Strategy[DemandParams, DemandState | None]):
    kind = "demand_control"
    name = Text("Demand control", "需量控制")
    rank = Rank.DEMAND
    form = DemandParams

    def memory(self) -> tuple[object, ...]:
        return self.params.window, self.params.method, self.params.slip

    def begin(self) -> DemandState | None:
        return None

    def decide(self, view: View, state: DemandState | None) -> tuple[Wish, DemandState | None]:
        state = self._moved(view, state)
        without = view.without_storage_kw
        if not math.isfinite(without):
            return unsound(NO_METER), state
        bound = self._allowed(view, state)
        needed = without - bound
        target = share(needed, view.storage) if needed > 0 else np.full(len(view.storage), np.nan)
        limit = self.params.limit_kw
        why = Text(
            f"the rest of the window may draw {bound:.0f} kW (limit {limit:.0f}), {without:.0f} without storage",
            f"本窗口剩余时间可受电 {bound:.0f} kW（限值 {limit:.0f}），不计储能 {without:.0f} kW",
        )
        return Wish(
            why, storage=at_least(needed, view.storage, target), reason="shave" if needed > 0 else "below"
        ), state

    def __init__(self, params: DemandParams) -> None:
        super().__init__(params)
        sliding = max(params.slip, params.window / _MOST_SLIPS)
        self._limit_kw = params.limit_kw * (1.0 - params.margin_pct / 100.0)
        self._slip_s = params.window if params.method == "fixed" else sliding

    def _moved(self, view: View, state: DemandState | None) -> DemandState:
        """The energies, with what was drawn since the last view."""
        number = int(view.now_ns / 1e9 // self._slip_s)
        slips = max(1, round(self.params.window / self._slip_s))
        if state is None or not 0 <= number - state.slip <= slips:  # the first, or the clock was set
            state = DemandState(number, (math.nan,) * (slips - 1), 0.0, 0.0)
        kwh, running, known_s = state.kwh, state.running_kwh, state.known_s
        for _ in range(number - state.slip):
            # What was not seen of it counts as the limit, as all that was not seen.
            unseen_kwh = self._limit_kw * max(self._slip_s - known_s, 0.0) / 3600.0
            kwh = (*kwh, running + unseen_kwh if known_s > 0 else math.nan)[-(slips - 1) :] if slips > 1 else ()
            running = known_s = 0.0
        if math.isfinite(view.meter_kw) and 0 < view.dt_s < self._slip_s:
            running += view.meter_kw * view.dt_s / 3600.0
            known_s += view.dt_s
        return DemandState(number, kwh, running, known_s)

    def _allowed(self, view: View, state: DemandState) -> float:
        """kW that the import may have from now on, so that no window that is running ends above the limit.

        What was not seen of a window counts as if it had drawn the limit.
        """
        params, limit = self.params, self._limit_kw
        into_s = view.now_ns / 1e9 - state.slip * self._slip_s
        unseen_kwh = limit * max(into_s - state.known_s, 0.0) / 3600.0
        drawn = state.running_kwh + unseen_kwh
        rest_s = self._slip_s - into_s
        least = math.inf
        # The window that ends with the running slip, then those that end a slip later each.
        past = [limit * self._slip_s / 3600.0 if math.isnan(one) else one for one in state.kwh]
        whole, energy = limit * params.window / 3600.0, drawn + sum(past)
        for later in range(len(past) + 1):
            left_s = rest_s + later * self._slip_s
            beside = (whole - energy) * 3600.0 - limit * left_s  # kWs, what was drawn less than the limit so far
            least = min(least, limit + beside / max(left_s, _LEAST_S))
            energy -= past[later] if later < len(past) else 0.0
        return least
