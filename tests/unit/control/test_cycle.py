"""Cycles of control as tables: a small park, values on its table, what is allowed of each setpoint."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from app.control.controller import Outcome
from app.control.protection import CLIPS
from app.control.standing import Manual, Standing
from app.model.clock import SECOND_NS
from app.model.control import Clip, Mode, Quantity, Running
from app.model.text import Text
from tests.support.control_station import Bench, battery, park, point, storage

BOTH = ["pcs1", "pcs2"]
SHAVE = {"id": "shave", "kind": "peak_shaving", "devices": BOTH, "params": {"limit_kw": 100}}
LIMIT = {"id": "limit", "kind": "import_limit", "devices": BOTH, "params": {"limit_kw": 100}}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(park(tmp_path), [SHAVE])


def clip(bench: Bench, outcome: Outcome, device: str = "pcs1") -> Clip:
    return CLIPS[int(outcome.clip[bench.controller.fleet.by_device[device][0]])]


def set_to(bench: Bench, **values: float) -> dict[str, float]:
    """One cycle after these values came; `meter1_p_kw=5` is `meter1.p_kw`."""
    bench.set(**{name.replace("_", ".", 1): value for name, value in values.items()})
    return bench.run()


def test_nothing_is_set_where_nothing_is_asked(tmp_path: Path) -> None:
    assert Bench(park(tmp_path)).run() == {}


def test_two_storages_share_by_state_of_charge_and_limits(bench: Bench) -> None:
    assert set_to(bench, meter1_p_kw=180) == {"pcs1.p_set": 40, "pcs2.p_set": 40}
    assert set_to(bench, bms1_soc=20) == {"pcs1.p_set": 20, "pcs2.p_set": 60}  # 15 and 45 above the band's end of 5
    assert set_to(bench, bms1_d_lim=10) == {"pcs1.p_set": 10, "pcs2.p_set": 70}
    assert set_to(bench, meter1_p_kw=500) == {"pcs1.p_set": 10, "pcs2.p_set": 100}, "no more than they can"


def test_what_they_give_already_is_taken_in(bench: Bench) -> None:
    bench.set(**{"pcs1.p_kw": 40, "pcs2.p_kw": 40})
    assert set_to(bench, meter1_p_kw=100) == {"pcs1.p_set": 40, "pcs2.p_set": 40}


@pytest.mark.parametrize(
    ("soc", "asked", "allowed", "why"),
    [(4, 180, 0, Clip.SOC), (5, 180, 0, Clip.SOC), (6, 180, 40, Clip.NONE), (96, -100, 0, Clip.SOC)],
)
def test_the_band_of_charge_ends_at_both_ends(
    tmp_path: Path, soc: float, asked: float, allowed: float, why: Clip
) -> None:
    bench = Bench(park(tmp_path))
    bench.standing.modes["pcs1"] = Mode.MANUAL
    bench.standing.manual["pcs1.p_set"] = Manual(40 if asked > 0 else -40, "li", "", 1)
    bench.set(**{"bms1.soc": soc})
    outcome = bench.cycle()
    assert bench.allowed(outcome)["pcs1.p_set"] == allowed and clip(bench, outcome) is why


class TestBadInput:
    @pytest.mark.parametrize(
        ("policy", "soon", "later"),
        [("hold", 40, 40), ("ramp", 39, 30), ("fall_back", 0, 0)],
    )
    def test_without_the_meter_each_goes_by_its_policy(
        self, tmp_path: Path, policy: str, soon: float, later: float
    ) -> None:
        bench = Bench(park(tmp_path, on_bad_input=policy, ramp_kw_per_s=10), [SHAVE])
        for _ in range(60):
            set_to(bench, meter1_p_kw=180)
        assert bench.run()["pcs1.p_set"] == pytest.approx(40)
        bench.lose("meter1.p_kw")
        outcome = bench.cycle(0.1)
        first = bench.allowed(outcome)["pcs1.p_set"]
        if policy == "fall_back":  # at once, as fast as its ramp allows
            assert first == pytest.approx(39)
        else:
            assert first == pytest.approx(soon)
        for _ in range(9):
            last = bench.run(0.1)
        assert last["pcs1.p_set"] == pytest.approx(40 if policy == "hold" else later if policy == "ramp" else 30)

    def test_what_is_held_for_too_long_falls_back(self, bench: Bench) -> None:
        set_to(bench, meter1_p_kw=180)
        bench.lose("meter1.p_kw")
        assert bench.run(1)["pcs1.p_set"] == 40
        assert bench.run(58)["pcs1.p_set"] == 40
        assert bench.run(2)["pcs1.p_set"] == 0

    def test_a_value_that_is_old_is_no_value(self, bench: Bench) -> None:
        set_to(bench, meter1_p_kw=180)
        row = bench.station.by_name["meter1.p_kw"]
        kept = bench.table.received[row]
        for seconds, who in ((1.9, "shave"), (0.2, "policy")):
            bench.now_ns += round(seconds * 1e9)
            bench.monotonic_ns += round(seconds * 1e9)
            bench.fresh()
            bench.table.received[row] = kept
            outcome = bench.controller.cycle(bench.table, bench.now_ns, bench.monotonic_ns)
            assert outcome.key(0)[0] == who and outcome.allowed[0] == 40

    @pytest.mark.parametrize("hours", [-2, 2])
    def test_a_clock_that_is_set_makes_nothing_old_and_nothing_new(self, bench: Bench, hours: int) -> None:
        set_to(bench, meter1_p_kw=180)
        bench.now_ns += hours * 3600 * 1_000_000_000
        bench.monotonic_ns += 100_000_000
        outcome = bench.controller.cycle(bench.table, bench.now_ns, bench.monotonic_ns)  # nothing was received since
        assert outcome.key(0)[0] == "shave" and outcome.allowed[0] == 40
        bench.monotonic_ns += 3_000_000_000
        bench.now_ns += 3_000_000_000
        outcome = bench.controller.cycle(bench.table, bench.now_ns, bench.monotonic_ns)
        assert outcome.key(0)[0] == "policy"

    def test_without_its_state_of_charge_a_storage_is_not_used(self, bench: Bench) -> None:
        bench.lose("bms1.soc")
        outcome = bench.cycle()
        bench.set(**{"meter1.p_kw": 180})
        outcome = bench.cycle()
        assert bench.allowed(outcome) == {"pcs1.p_set": 0, "pcs2.p_set": 80}

    @pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
    def test_no_number_commands(self, bench: Bench, number: float) -> None:
        set_to(bench, meter1_p_kw=180)
        assert all(np.isfinite(value) for value in set_to(bench, meter1_p_kw=number).values())


class TestSite:
    def test_charging_stays_within_the_import_limit(self, tmp_path: Path) -> None:
        bench = Bench(park(tmp_path, limits={"import_kw": 100, "export_kw": 20}))
        bench.standing.modes |= dict.fromkeys(BOTH, Mode.MANUAL)
        bench.standing.manual |= {f"{id_}.p_set": Manual(-80, "li", "", 1) for id_ in BOTH}
        bench.set(**{"meter1.p_kw": 40})
        outcome = bench.cycle()
        assert bench.allowed(outcome) == {"pcs1.p_set": pytest.approx(-30), "pcs2.p_set": pytest.approx(-30)}
        assert clip(bench, outcome) is Clip.IMPORT
        bench.standing.manual |= {f"{id_}.p_set": Manual(80, "li", "", 1) for id_ in BOTH}
        outcome = bench.cycle()
        assert bench.allowed(outcome) == {"pcs1.p_set": pytest.approx(30), "pcs2.p_set": pytest.approx(30)}
        assert clip(bench, outcome) is Clip.EXPORT

    def test_too_much_import_limits_no_pv(self, tmp_path: Path) -> None:
        zero = {"id": "zero", "kind": "zero_export", "devices": ["pcs1", "inv1", "inv2"]}
        bench = Bench(park(tmp_path, limits={"import_kw": 100}), [zero])
        bench.controller.last[bench.controller.fleet.of(["inv1"], Quantity.LIMIT)] = 20
        bench.standing.modes["pcs2"] = Mode.MANUAL
        bench.standing.manual["pcs2.p_set"] = Manual(-80, "li", "", 1)
        bench.set(**{"inv1.p_kw": 15, "meter1.p_kw": 60})
        allowed = bench.run()
        assert allowed["pcs2.p_set"] == pytest.approx(-40) and allowed["inv1.p_lim"] == 50

    def test_without_the_meter_nothing_goes_further_from_rest(self, tmp_path: Path) -> None:
        bench = Bench(park(tmp_path, limits={"import_kw": 1000}))
        bench.standing.modes["pcs1"] = Mode.MANUAL
        bench.standing.manual["pcs1.p_set"] = Manual(-20, "li", "", 1)
        assert bench.run()["pcs1.p_set"] == -20
        bench.lose("meter1.p_kw")
        bench.standing.manual["pcs1.p_set"] = Manual(-80, "li", "", 2)
        outcome = bench.cycle()
        assert bench.allowed(outcome)["pcs1.p_set"] == -20 and clip(bench, outcome) is Clip.BAD_INPUT
        bench.standing.manual["pcs1.p_set"] = Manual(-10, "li", "", 3)
        assert bench.run()["pcs1.p_set"] == -10

    def test_zero_export_charges_first_and_then_limits_pv(self, tmp_path: Path) -> None:
        zero = {"id": "zero", "kind": "zero_export", "devices": [*BOTH, "inv1", "inv2"]}
        bench = Bench(park(tmp_path), [zero])
        bench.set(**{"inv1.p_kw": 50, "inv2.p_kw": 50, "meter1.p_kw": -60})
        allowed = bench.run()
        assert allowed == {"pcs1.p_set": -30, "pcs2.p_set": -30}, "no limit is written that limits nothing"
        bench.set(**{"bms1.c_lim": 0, "bms2.c_lim": 10})
        allowed = bench.run()
        assert allowed == {"pcs1.p_set": 0, "pcs2.p_set": -10, "inv1.p_lim": 25, "inv2.p_lim": 25}
        bench.set(**{"meter1.p_kw": 500, "bms1.c_lim": 100, "bms2.c_lim": 100})
        limits = [[value for name, value in bench.run().items() if "p_lim" in name] for _ in range(2)]
        assert limits == [[50, 50], []], "taken back once, and then left alone"


class TestModes:
    def test_manual_begins_where_it_is_and_auto_goes_on_from_there(self, bench: Bench) -> None:
        set_to(bench, meter1_p_kw=180)
        bench.standing.modes["pcs1"] = Mode.MANUAL
        assert bench.run() == {"pcs1.p_set": 40, "pcs2.p_set": 80}, "the other one takes what it has to"
        bench.standing.manual["pcs1.p_set"] = Manual(-15, "li", "", 1)
        assert bench.run()["pcs1.p_set"] == -15
        bench.standing.modes.pop("pcs1")
        assert bench.run()["pcs1.p_set"] == 40

    def test_only_protection_grid_and_site_limits_clip_a_device_in_manual(self, tmp_path: Path) -> None:
        plan = {"id": "plan", "kind": "plan_tracking", "devices": BOTH, "params": {"plan": [50.0] * 96}}
        bench = Bench(park(tmp_path), [plan, SHAVE, LIMIT])
        bench.standing.modes["pcs1"] = Mode.MANUAL
        bench.standing.manual["pcs1.p_set"] = Manual(-50, "li", "", 1)
        bench.set(**{"meter1.p_kw": 20})
        assert bench.run()["pcs1.p_set"] == -40, "both together may draw 80 kW more, the import limit says"
        bench = Bench(bench.station, [plan, SHAVE])
        bench.standing.modes["pcs1"] = Mode.MANUAL
        bench.standing.manual["pcs1.p_set"] = Manual(-50, "li", "", 1)
        bench.set(**{"meter1.p_kw": 80})
        assert bench.run()["pcs1.p_set"] == -50

    def test_off_leads_to_the_safe_power_and_then_leaves_it_alone(self, tmp_path: Path) -> None:
        bench = Bench(park(tmp_path, ramp_kw_per_s=100), [SHAVE])
        for _ in range(9):
            set_to(bench, meter1_p_kw=180)
        bench.standing.mode = Mode.OFF
        values = [bench.run().get("pcs1.p_set") for _ in range(6)]
        assert values == [pytest.approx(30), pytest.approx(20), pytest.approx(10), pytest.approx(0), None, None]

    def test_a_tag_and_a_device_in_local_get_nothing(self, bench: Bench) -> None:
        bench.standing.tags["pcs1"] = "work on the cable"
        assert set_to(bench, meter1_p_kw=180) == {"pcs2.p_set": 80}
        bench.standing.tags.clear()
        assert set_to(bench, pcs1_remote=0) == {"pcs2.p_set": 80}

    def test_shadow_is_recorded_and_commands_nothing(self, bench: Bench) -> None:
        bench.standing.running["shave"] = Running.SHADOW
        bench.set(**{"meter1.p_kw": 180})
        outcome = bench.cycle()
        assert bench.allowed(outcome) == {}
        assert [(one.who, one.live, one.claim.target.tolist()) for one in outcome.claims] == [
            ("shave", False, [40, 40])
        ]

    def test_a_read_only_station_sets_nothing(self, tmp_path: Path) -> None:
        bench = Bench(park(tmp_path, read_only=True), [SHAVE])
        assert set_to(bench, meter1_p_kw=180) == {}
        bench.standing.stopped = True
        assert bench.run() == {}


class TestTrips:
    HOT: ClassVar[dict[str, Any]] = {"trips": [{"by": "cell_temperature_max", "above": 55, "after": "2s"}]}

    def test_it_stays_until_a_person_resets_it(self, tmp_path: Path) -> None:
        bench = Bench(park(tmp_path, **self.HOT), [SHAVE])
        assert set_to(bench, meter1_p_kw=180, bms1_t_max=60) == {"pcs1.p_set": 40, "pcs2.p_set": 40}, "not for a moment"
        outcome = bench.cycle(2.1)
        assert bench.allowed(outcome)["pcs1.p_set"] == 0 and clip(bench, outcome) is Clip.TRIP and outcome.urgent[0]
        assert "bms1.t_max was 60 degC" in bench.standing.trips["pcs1"].en
        assert set_to(bench, bms1_t_max=25)["pcs1.p_set"] == 0
        bench.standing.trips.clear()
        bench.run()
        assert bench.run()["pcs1.p_set"] == 40

    def test_the_others_take_over_what_it_gave(self, bench: Bench) -> None:
        set_to(bench, meter1_p_kw=180)
        bench.standing.trips["pcs1"] = Text("hot", "过热")
        assert bench.run()["pcs2.p_set"] == 80

    def test_the_safe_power_itself_is_within_what_the_battery_bears(self, tmp_path: Path) -> None:
        bench = Bench(park(tmp_path, safe_kw=-20), [SHAVE])
        bench.standing.trips["pcs1"] = Text("hot", "过热")
        assert bench.run()["pcs1.p_set"] == -20
        assert set_to(bench, bms1_soc=97)["pcs1.p_set"] == 0, "it is full"

    def test_bad_input_trips_nothing(self, tmp_path: Path) -> None:
        bench = Bench(park(tmp_path, **self.HOT), [SHAVE])
        bench.set(**{"bms1.t_max": 99})
        bench.lose("bms1.t_max")
        bench.run(5)
        assert bench.standing.trips == {}

    def test_derating_takes_power_away_by_a_curve(self, tmp_path: Path) -> None:
        curve = {"derate": [{"by": "cell_temperature_max", "curve": [[45, 100], [55, 0]]}]}
        bench = Bench(park(tmp_path, **curve), [SHAVE])
        bench.set(**{"meter1.p_kw": 300, "bms1.t_max": 52})
        outcome = bench.cycle()
        assert bench.allowed(outcome) == {"pcs1.p_set": pytest.approx(30), "pcs2.p_set": 100}
        bench.lose("bms1.t_max")
        assert bench.run()["pcs1.p_set"] == 0, "a temperature that is not known allows nothing"

    def test_without_a_rating_it_takes_parts_of_the_range_and_of_nothing_known_leaves_nothing(
        self, tmp_path: Path
    ) -> None:
        control = {"derate": [{"by": "cell_temperature_max", "curve": [[45, 100], [55, 0]]}]}
        for n, (range_, left) in enumerate((([-60.0, 60.0], 18.0), (None, 0.0))):
            pcs = storage(3, **control)
            del pcs["ratings"]
            if range_:
                pcs["points"][2]["range"] = range_
            bench = Bench(park(tmp_path / str(n), more=[pcs, battery(3)]))
            bench.set(**{"pcs3.p_kw": 0, "pcs3.remote": 1, "bms3.soc": 50, "bms3.c_lim": 900, "bms3.d_lim": 900})
            bench.standing.modes["pcs3"] = Mode.MANUAL
            bench.standing.manual["pcs3.p_set"] = Manual(1000.0, "li", "", 1)
            bench.set(**{"bms3.t_max": 25})
            assert bench.run()["pcs3.p_set"] == (60.0 if range_ else 900.0)
            bench.set(**{"bms3.t_max": 52})
            assert bench.run()["pcs3.p_set"] == pytest.approx(left)

    def test_an_interlock_that_is_open_allows_nothing(self, tmp_path: Path) -> None:
        bench = Bench(park(tmp_path, interlocks=["meter1.order"]), [SHAVE])
        assert set_to(bench, meter1_p_kw=180) == {"pcs1.p_set": 0, "pcs2.p_set": 0}, "one that is not known is open"
        assert set_to(bench, meter1_order=1) == {"pcs1.p_set": 40, "pcs2.p_set": 40}

    def test_what_commands_ask_of_a_device_is_known_or_it_is_not_so(self, tmp_path: Path) -> None:
        control = (bench := Bench(park(tmp_path, interlocks=["meter1.order"]))).controller
        assert not control.interlocks_hold("pcs1") and math.isnan(control.remote("pcs1")), "before the first cycle"
        set_to(bench, meter1_order=1)
        assert control.interlocks_hold("pcs1") and control.interlocks_hold("meter1")
        assert control.remote("pcs1") == 1 and control.remote("meter1") == 1, "it has no such switch"
        set_to(bench, meter1_order=math.nan, pcs1_remote=0)
        assert not control.interlocks_hold("pcs1") and control.remote("pcs1") == 0
        set_to(bench, meter1_order=1)
        bench.lose("meter1.order", "pcs1.remote")
        bench.cycle()
        assert not control.interlocks_hold("pcs1") and math.isnan(control.remote("pcs1"))

    def test_the_emergency_stop_waits_for_no_ramp(self, tmp_path: Path) -> None:
        bench = Bench(park(tmp_path, ramp_kw_per_s=1), [SHAVE])
        for _ in range(20):
            set_to(bench, meter1_p_kw=180)
        bench.standing.stopped = True
        outcome = bench.cycle()
        allowed = bench.allowed(outcome)
        assert allowed["pcs1.p_set"] == 0 and outcome.urgent.all()


def test_a_ramp_and_the_least_change(tmp_path: Path) -> None:
    bench = Bench(park(tmp_path, ramp_kw_per_s=50, minimum_change_kw=3), [SHAVE])
    assert bench.run()["pcs1.p_set"] == 0
    bench.set(**{"meter1.p_kw": 180})
    assert [bench.run(0.2)["pcs1.p_set"] for _ in range(5)] == pytest.approx([10, 20, 30, 40, 40])
    assert set_to(bench, meter1_p_kw=184)["pcs1.p_set"] == 40
    assert set_to(bench, meter1_p_kw=188)["pcs1.p_set"] == 44


PLAN = {"id": "plan", "kind": "plan_tracking", "devices": BOTH, "params": {"plan": [-80.0] * 96}}


def test_care_for_the_state_of_charge_stands_behind_every_wish(tmp_path: Path) -> None:
    care = {"id": "care", "kind": "soc_management", "devices": BOTH}
    bench = Bench(park(tmp_path), [care])
    bench.set(**{"bms1.soc": 60.0})
    assert bench.run() == {"pcs1.p_set": 10, "pcs2.p_set": -10}
    bench = Bench(park(tmp_path / "b"), [care, {**PLAN, "params": {"plan": [-100.0] * 96}}])
    bench.set(**{"bms1.soc": 60.0})
    assert sum(bench.run().values()) == pytest.approx(-100), "a plan of a lower rank is followed"


def test_what_a_demand_remembers_is_of_its_window(tmp_path: Path) -> None:
    demand = {"id": "demand", "kind": "demand_control", "devices": BOTH, "params": {"limit_kw": 100, "margin_pct": 0}}
    before = Bench(park(tmp_path / "a"), [demand])
    before.set(**{"meter1.p_kw": 100})
    for _ in range(2400):
        before.run(1.0)
    kept = before.controller.runners[0].state
    for params, same in ({"limit_kw": 90}, True), ({"window": "30min"}, False), ({"method": "fixed"}, False):
        after = Bench(park(tmp_path / "b"), [{**demand, "params": {**demand["params"], **params}}])
        after.controller.follow(before.controller)
        assert (after.controller.runners[0].state == kept) is same, params


T1: dict[str, Any] = {
    "id": "t1", "name": "T1", "kind": "transformer", "ratings": {"apparent_kva": 100},
    "connection": {"driver": "modbus-tcp", "host": "127.0.0.1", "port": 9, "unit": 1},
    "points": [point("t", None, "degC", 0)],
}  # fmt: skip


class TestApparentPower:
    def test_what_gives_reactive_power_alone_has_all_of_its_rating(self, tmp_path: Path) -> None:
        svg = {
            "id": "svg", "name": "SVG", "kind": "other", "ratings": {"apparent_kva": 100},
            "connection": {"driver": "modbus-tcp", "host": "127.0.0.1", "port": 9, "unit": 1},
            "points": [point("q", "reactive_power", "kvar", 0), point("q_set", "reactive_power_setpoint", "kvar", 2, "setpoint")],
        }  # fmt: skip
        bench = Bench(park(tmp_path, more=[svg]))
        bench.standing.modes["svg"] = Mode.MANUAL
        bench.standing.manual["svg.q_set"] = Manual(80.0, "li", "", 1)
        assert set_to(bench, svg_q=0) == {"svg.q_set": 80}

    def test_a_transformer_bears_active_and_reactive_power_together(self, tmp_path: Path) -> None:
        bench = Bench(park(tmp_path, more=[T1]), [{**PLAN, "params": {"plan": [-140.0] * 96}}])
        assert set_to(bench, meter1_p_kw=0) == {"pcs1.p_set": -50, "pcs2.p_set": -50}
        assert clip(bench, bench.cycle()) is Clip.TRANSFORMER
        assert set_to(bench, meter1_q_kvar=60) == {"pcs1.p_set": -40, "pcs2.p_set": -40}, "of 100 kVA beside 60 kvar"
        bench.lose("meter1.q_kvar")
        assert bench.run() == {"pcs1.p_set": -40, "pcs2.p_set": -40}, "what is not known leaves no more than it did"
        assert set_to(bench, meter1_q_kvar=-100) == {"pcs1.p_set": 0, "pcs2.p_set": 0}
        bench = Bench(park(tmp_path / "export", more=[T1]), [{**PLAN, "params": {"plan": [140.0] * 96}}])
        assert set_to(bench, meter1_p_kw=0) == {"pcs1.p_set": 50, "pcs2.p_set": 50}

    def test_what_one_has_no_room_for_another_gives(self, tmp_path: Path) -> None:
        strategy = {"id": "pf", "kind": "power_factor", "devices": BOTH, "params": {"target": 1.0}}
        bench = Bench(park(tmp_path), [strategy])
        assert set_to(bench, meter1_q_kvar=120) == pytest.approx({"pcs1.q_set": 60, "pcs2.q_set": 60})
        allowed = set_to(bench, pcs1_p_kw=100)
        assert allowed["pcs1.q_set"] + allowed["pcs2.q_set"] == pytest.approx(120) and allowed["pcs1.q_set"] < 40
        assert set_to(bench, meter1_q_kvar=-120)["pcs1.q_set"] == pytest.approx(-allowed["pcs1.q_set"])

    def test_a_converter_gives_as_much_reactive_power_as_its_rating_leaves(self, bench: Bench) -> None:
        """110 kVA and 100 kW."""
        bench.standing.modes["pcs1"] = Mode.MANUAL
        bench.standing.manual["pcs1.q_set"] = Manual(110.0, "li", "", 1)
        assert bench.run()["pcs1.q_set"] == 110
        assert set_to(bench, pcs1_p_kw=-66)["pcs1.q_set"] == pytest.approx(88)
        bench.lose("pcs1.p_kw")
        assert bench.run()["pcs1.q_set"] == pytest.approx(math.sqrt(110**2 - 100**2)), "as if it gave its rating"
        bench.standing.manual["pcs1.q_set"] = Manual(-110.0, "li", "", 2)
        assert set_to(bench, pcs1_p_kw=110)["pcs1.q_set"] == 0


def test_the_least_change_undoes_no_limit_of_the_site(tmp_path: Path) -> None:
    bench = Bench(park(tmp_path, limits={"import_kw": 100}, minimum_change_kw=5), [PLAN])
    set_to(bench, meter1_p_kw=0)
    bench.set(**{"pcs1.p_kw": -40, "pcs2.p_kw": -40})
    assert set_to(bench, meter1_p_kw=100) == {"pcs1.p_set": -40, "pcs2.p_set": -40}
    assert set_to(bench, meter1_p_kw=106) == {"pcs1.p_set": -37, "pcs2.p_set": -37}, "3 kW are less than 5"
    assert set_to(bench, meter1_p_kw=104) == {"pcs1.p_set": -37, "pcs2.p_set": -37}, "and not back for less than 5"


def test_the_least_change_puts_nothing_back_that_passes_a_limit_of_the_site(tmp_path: Path) -> None:
    """The strategy asks for less by itself, and the gate has nothing to take of that."""
    shave = {**SHAVE, "params": {"limit_kw": 99, "recharge_below_kw": 99}}
    bench = Bench(park(tmp_path, limits={"import_kw": 100}, minimum_change_kw=5), [shave])
    assert set_to(bench, meter1_p_kw=39) == {"pcs1.p_set": -30, "pcs2.p_set": -30}
    bench.set(**{"pcs1.p_kw": -30, "pcs2.p_kw": -30})
    allowed = set_to(bench, meter1_p_kw=103)
    assert sum(allowed.values()) == pytest.approx(-57), "43 kW of loads, and 57 of storage"


@pytest.mark.parametrize("gone", ["trip", "tag", "local"])
def test_no_limit_of_the_site_counts_on_what_does_nothing(tmp_path: Path, gone: str) -> None:
    bench = Bench(park(tmp_path, limits={"import_kw": 100}))
    for device, kw in (("pcs1", 50.0), ("pcs2", -60.0)):
        bench.standing.modes[device] = Mode.MANUAL
        bench.standing.manual[f"{device}.p_set"] = Manual(kw, "li", "", 1)
    bench.set(**{"meter1.p_kw": 90, "pcs1.p_kw": 50, "pcs2.p_kw": -60})
    assert bench.run() == {"pcs1.p_set": 50, "pcs2.p_set": -60}, "80 kW of loads"
    if gone == "trip":
        bench.standing.trips["pcs1"] = Text("hot", "过热")
    elif gone == "tag":
        bench.standing.tags["pcs1"] = "work"
    else:
        bench.set(**{"pcs1.remote": 0})
    bench.set(**{"meter1.p_kw": 140, "pcs1.p_kw": 0})
    outcome = bench.cycle()
    assert bench.allowed(outcome)["pcs2.p_set"] == -20 and clip(bench, outcome, "pcs2") is Clip.IMPORT


def test_the_least_change_undoes_no_limit_of_the_grid(tmp_path: Path) -> None:
    bench = Bench(park(tmp_path, minimum_change_kw=5), [LIMIT])
    assert set_to(bench, meter1_p_kw=180) == {"pcs1.p_set": 40, "pcs2.p_set": 40}
    assert set_to(bench, meter1_p_kw=186) == {"pcs1.p_set": 43, "pcs2.p_set": 43}


def test_a_limit_below_nothing_asks_for_nothing(bench: Bench) -> None:
    """What a battery tells is a limit, and no order to do the opposite."""
    assert set_to(bench, meter1_p_kw=180, bms1_d_lim=-65)["pcs1.p_set"] == 0
    assert set_to(bench, meter1_p_kw=50, bms1_d_lim=100, bms1_c_lim=-65)["pcs1.p_set"] == 0


def test_what_is_near_to_nothing_is_nothing(tmp_path: Path) -> None:
    bench = Bench(park(tmp_path, dead_zone_kw=5), [SHAVE])
    assert set_to(bench, meter1_p_kw=109) == {"pcs1.p_set": 0, "pcs2.p_set": 0}
    assert set_to(bench, meter1_p_kw=112) == {"pcs1.p_set": 6, "pcs2.p_set": 6}


def test_the_first_value_begins_where_the_device_is(tmp_path: Path) -> None:
    bench = Bench(park(tmp_path, ramp_kw_per_s=10), [SHAVE])
    bench.standing.tags["pcs1"] = "work"
    bench.set(**{"meter1.p_kw": 500, "pcs1.p_kw": 30})
    bench.run()
    bench.standing.tags.clear()
    assert bench.run()["pcs1.p_set"] == pytest.approx(31)


def test_a_strategy_that_fails_hurts_only_itself(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    set_to(bench, meter1_p_kw=180)

    def broken(self: object, view: object, state: object) -> None:
        raise ZeroDivisionError("a foreign fault")

    monkeypatch.setattr("app.control.strategies.peak_shaving.PeakShaving.decide", broken)
    assert bench.run() == {"pcs1.p_set": 40, "pcs2.p_set": 40}, "they hold"
    wish = bench.controller.runners[0].wish
    assert wish is not None and not wish.sound and "a foreign fault" in wish.why.en


test_a_strategy_that_fails_hurts_only_itself = pytest.mark.expects_errors(test_a_strategy_that_fails_hurts_only_itself)


def test_what_a_trip_says_is_kept(bench: Bench) -> None:
    bench.standing.trips["pcs1"] = Text("hot", "过热")
    bench.standing.modes["pcs2"] = Mode.MANUAL
    bench.standing.manual["pcs2.p_set"] = Manual(5, "li", "try", 3)
    assert type(bench.standing).of_json(bench.standing.to_json()) == bench.standing


def test_when_a_battery_was_full_is_remembered_over_a_restart(tmp_path: Path) -> None:
    strategy = {"id": "soc", "kind": "soc_management", "devices": ["pcs1"],
                "params": {"calibrate_days": 10, "power_kw": 30, "balance": False}}  # fmt: skip
    bench = Bench(park(tmp_path), [strategy])
    bench.run()
    assert set(bench.standing.full) == {"pcs1", "pcs2"} and bench.controller.is_to_be_kept, "it is looked for since now"
    bench.standing = Standing.of_json(bench.standing.to_json())
    bench.controller.standing = bench.standing
    bench.now_ns += 11 * 86400 * SECOND_NS
    assert bench.run()["pcs1.p_set"] == -30
    bench.set(**{"bms1.soc": 94.6})  # the band ends at 95
    assert "pcs1.p_set" not in bench.run() or bench.run()["pcs1.p_set"] == 0
    assert bench.now_ns - bench.standing.full["pcs1"] < SECOND_NS and bench.run().get("pcs1.p_set", 0) == 0
