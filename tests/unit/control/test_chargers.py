"""What a load management of others finds: chargers in its view, caps in its wish. None of ours uses them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from app.control.registry import kinds
from app.control.standing import Manual
from app.control.strategies.contract import Ask, Params, Strategy, View, Wish, about, unsound
from app.model.control import Mode, Quantity, Rank
from app.model.text import Text
from tests.support.control_station import Bench, park, point

EXPORT = {"id": "zero", "kind": "zero_export", "devices": ["pcs1", "inv1", "chg1", "chg2"]}
EV = {"id": "ev", "kind": "ev_load", "devices": ["chg1", "chg2"], "params": {"limit_kw": 100}}


def charger(n: int) -> dict[str, Any]:
    return {
        "id": f"chg{n}", "name": f"Charger {n}", "kind": "charger", "parent": "bus",
        "connection": {"driver": "modbus-tcp", "host": "127.0.0.1", "port": 9, "unit": n}, "ratings": {"power_kw": 60},
        "points": [point("p_kw", "active_power", "kW", 0),
                   point("p_lim", "power_limit_setpoint", "kW", 10, "setpoint")],
    }  # fmt: skip


class EvParams(Params):
    limit_kw: float = about("kW", "the site draws no more", "全站受电不超过此值")


class EvLoad(Strategy[EvParams, None]):
    """As somebody else would write it: what is left below a limit is shared by the chargers."""

    kind: ClassVar[str] = "ev_load"
    name: ClassVar[Text] = Text("EV load", "充电负荷管理")
    rank: ClassVar[Rank] = Rank.DEMAND
    uses: ClassVar[tuple[Quantity, ...]] = ()
    uses_chargers: ClassVar[bool] = True
    form: ClassVar[type[Params]] = EvParams

    def begin(self) -> None:
        return None

    def decide(self, view: View, state: None) -> tuple[Wish, None]:
        if math.isnan(view.meter_kw):
            return unsound(Text("no meter", "无电表")), None
        free = self.params.limit_kw - (view.meter_kw - view.chargers.total)
        m = len(view.chargers)
        cap = np.full(m, max(free, 0.0) / m)
        return Wish(Text("shared", "分配"), chargers=Ask(np.full(m, -np.inf), cap, np.full(m, np.nan))), None


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setitem(kinds(), "ev_load", EvLoad)
    made = Bench(park(tmp_path, more=[charger(1), charger(2)]), [EV, EXPORT])
    made.set(**{"chg1.p_kw": 40.0, "chg2.p_kw": 40.0, "meter1.p_kw": 120.0})
    return made


def test_chargers_share_what_is_left_and_never_more_than_they_may(bench: Bench) -> None:
    allowed = bench.run()
    assert allowed["chg1.p_lim"] == allowed["chg2.p_lim"] == 30
    bench.set(**{"meter1.p_kw": 300.0})
    assert bench.run()["chg1.p_lim"] == 0
    bench.set(**{"meter1.p_kw": -500.0})
    assert bench.run()["chg1.p_lim"] == 60, "its rating"


def test_they_are_no_inverters_to_a_limit_of_the_export(bench: Bench) -> None:
    bench.set(**{"meter1.p_kw": -80.0, "inv1.p_kw": 50.0, "bms1.c_lim": 0.0})
    allowed = bench.run()
    assert allowed["inv1.p_lim"] == 0 and allowed.get("chg1.p_lim", 60) == 60, "nobody stops a vehicle for the sun"


def test_without_its_meter_they_are_free_and_the_stop_stops_them(bench: Bench) -> None:
    bench.run()
    bench.lose("meter1.p_kw")
    for _ in range(700):
        allowed = bench.run()
    assert allowed.get("chg1.p_lim", 60) == 60, "a cap that caps nothing is not written"
    bench.standing.stopped = True
    assert bench.run()["chg1.p_lim"] == 0


def test_a_person_caps_one_by_hand(bench: Bench) -> None:
    bench.standing.modes["chg1"] = Mode.MANUAL
    bench.standing.manual["chg1.p_lim"] = Manual(11.0, "li", "", 1)
    assert bench.run()["chg1.p_lim"] == 11
