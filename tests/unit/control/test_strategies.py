"""Strategies as tables of cycles: views in, wishes out, nothing else."""

from __future__ import annotations

import math
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import numpy as np
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.control.plan import EVERY_DAY, Plan, read_plan
from app.control.registry import OURS
from app.control.strategies.contract import Strategy, Units, View, Wish
from app.control.strategies.sharing import share
from app.control.tariff import RESOURCES, find_tariff
from app.model.clock import from_datetime
from app.model.errors import Wrong

ZONE = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 8, 3, 12, 0, tzinfo=ZONE)


def units(*rows: dict[str, float], **all_: float) -> Units:
    """Storage of 100 kW and 200 kWh at 50 % each, unless a row says otherwise."""
    usual = {"rating": 100, "power": 0, "held": math.nan, "soc": 50, "soh": 100, "charge": 100, "discharge": 100,
             "energy": 200, "low": 5, "high": 95, "days": 0, "usable": 1, **all_}  # fmt: skip
    full = [{**usual, **row} for row in rows]
    for row in full:  # as the controller makes them
        able = row["usable"] and not math.isnan(row["soc"])
        row["charge"] = row["charge"] if able and row["soc"] < row["high"] else 0.0
        row["discharge"] = row["discharge"] if able and row["soc"] > row["low"] else 0.0
    column = {key: np.array([row[key] for row in full], np.float64) for key in usual}
    return Units(
        tuple(f"pcs{i + 1}" for i in range(len(full))), column["rating"], column["power"], column["held"], column["soc"],
        column["soh"], column["charge"], column["discharge"], column["energy"], column["low"], column["high"],
        column["days"] * 86400, column["usable"] > 0,
    )  # fmt: skip


def view(local: datetime = NOON, *, meter: float = 0.0, kvar: float = 0.0, storage: Units | None = None,
         pv: Units | None = None, reactive: Units | None = None, dt_s: float = 1.0, **values: float) -> View:  # fmt: skip
    none = units()
    two = units({}, {}) if storage is None else storage
    return View(from_datetime(local), local, dt_s, meter, kvar, two, pv or none, reactive or none, none, values)


def made(kind: str, **params: Any) -> Strategy[Any, Any]:
    cls = OURS[kind]
    return cls(cls.form.model_validate(params, context={"folders": ()}))


def decided(strategy: Strategy[Any, Any], *views: View) -> Wish:
    state = strategy.begin()
    for one in views:
        wish, state = strategy.decide(one, state)
    return wish


def targets(wish: Wish) -> list[float]:
    assert wish.storage is not None
    return [round(float(value), 6) for value in wish.storage.target]


def idle(wish: Wish) -> list[float]:
    assert wish.idle is not None and all(map(math.isnan, targets(wish))), "it stands behind every other wish"
    return [round(float(value), 6) for value in wish.idle.target]


class TestSharing:
    def test_by_what_is_left_in_each_and_by_health(self) -> None:
        assert share(90, units({"soc": 35}, {"soc": 65})).tolist() == [30, 60]
        assert share(-90, units({"soc": 35}, {"soc": 65})).tolist() == [-60, -30]
        assert share(90, units({"soh": 50}, {"soh": 100})).tolist() == [30, 60]

    def test_a_limit_hands_the_rest_to_the_others(self) -> None:
        assert share(150, units({"discharge": 20}, {}, {})).tolist() == [20, 65, 65]
        assert share(500, units({}, {})).tolist() == [100, 100]

    @pytest.mark.parametrize("row", [{"usable": 0}, {"soc": 5}, {"soc": math.nan}, {"discharge": 0}])
    def test_who_cannot_gives_nothing(self, row: dict[str, float]) -> None:
        assert share(50, units(row, {})).tolist() == [0, 50]

    @given(
        st.floats(-1000, 1000),
        st.lists(
            st.tuples(st.floats(0, 100), st.floats(0, 200), st.floats(0, 200), st.booleans()), min_size=1, max_size=6
        ),
    )
    def test_never_more_than_asked_or_than_each_can(
        self, total: float, rows: list[tuple[float, float, float, bool]]
    ) -> None:
        some = units(*({"soc": soc, "charge": c, "discharge": d, "usable": float(u)} for soc, c, d, u in rows))
        given_ = share(total, some)
        assert abs(given_.sum()) <= abs(total) + 1e-6 and np.all(given_ * total >= 0)
        assert np.all(given_ <= some.discharge + 1e-9) and np.all(-given_ <= some.charge + 1e-9)
        can = (
            np.where(some.usable & (some.soc > 5) & (total > 0), some.discharge, 0).sum()
            + np.where(some.usable & (some.soc < 95) & (total < 0), some.charge, 0).sum()
        )
        assert abs(given_.sum()) == pytest.approx(min(abs(total), can), abs=1e-6)


def test_peak_shaving_shaves_and_charges_again() -> None:
    shave = made("peak_shaving", limit_kw=100, recharge_below_kw=60, recharge_kw=30)
    assert targets(decided(shave, view(meter=180))) == [40, 40]
    assert targets(decided(shave, view(meter=100, storage=units({"power": 40}, {"power": 40})))) == [40, 40]
    assert targets(decided(shave, view(meter=40))) == [-10, -10]
    assert targets(decided(shave, view(meter=0))) == [-15, -15], "no more than 30 together"
    between = decided(shave, view(meter=80))
    assert all(map(math.isnan, targets(between))) and between.storage is not None
    assert between.storage.low.tolist() == [-10, -10], "others may charge up to the limit"
    assert not decided(shave, view(meter=math.nan)).sound


class TestDemand:
    FIXED: ClassVar[dict[str, Any]] = {"limit_kw": 100, "method": "fixed", "margin_pct": 0}

    def at(self, minute: float, meter: float, **more: Any) -> View:
        whole = NOON.replace(minute=int(minute), second=round(minute % 1 * 60))
        return view(whole, meter=meter, **more)

    def test_what_was_drawn_early_is_saved_late(self) -> None:
        demand = made("demand_control", **self.FIXED)
        state = demand.begin()
        for second in range(600):  # ten minutes at 130 kW: 21.7 of 25 kWh
            wish, state = demand.decide(self.at(second / 60, 130), state)
        wish, _ = demand.decide(self.at(10, 130), state)
        assert sum(targets(wish)) == pytest.approx(130 - (100 * 900 - 130 * 600) / 300, rel=0.02)

    def test_a_window_that_was_not_seen_counts_as_the_limit(self) -> None:
        demand = made("demand_control", **self.FIXED)
        wish = decided(demand, self.at(10, 130))
        assert sum(targets(wish)) == pytest.approx(30, rel=0.01)

    def test_a_new_window_begins_anew(self) -> None:
        demand = made("demand_control", **self.FIXED)
        state = demand.begin()
        for second in range(0, 900, 10):
            _, state = demand.decide(self.at(second / 60, 150, dt_s=10), state)
        wish, _ = demand.decide(view(NOON.replace(minute=15, second=1), meter=90), state)
        assert all(map(math.isnan, targets(wish)))

    @pytest.mark.parametrize("method", ["sliding", "fixed"])
    def test_no_window_ends_above_the_limit(self, method: str) -> None:
        """Storage follows at once; every quarter of an hour, wherever it begins, is within the limit."""
        demand = made("demand_control", limit_kw=100, method=method, margin_pct=0)
        state, drawn, power = demand.begin(), [], 0.0
        for second in range(0, 3 * 3600, 5):
            load = 80 + 70 * math.sin(second / 900) + (60 if second % 1700 < 200 else 0)
            moment = datetime.fromtimestamp(NOON.timestamp() + second, ZONE)
            storage = units({"power": power, "discharge": 500, "charge": 500, "rating": 500})
            wish, state = demand.decide(view(moment, meter=load - power, storage=storage, dt_s=5), state)
            target = targets(wish)[0]
            power = 0.0 if math.isnan(target) else target
            drawn.append(load - power)
        starts = range(0, len(drawn) - 180, 12 if method == "sliding" else 180)
        means = [sum(drawn[i : i + 180]) / 180 for i in starts if i >= 180]
        assert max(means) <= 100.5

    @pytest.mark.parametrize("jump", [-7200, 86400])
    def test_a_set_clock_begins_anew(self, jump: int) -> None:
        demand = made("demand_control", **self.FIXED)
        state = demand.begin()
        for second in range(100):
            _, state = demand.decide(self.at(second / 60, 200), state)
        moment = datetime.fromtimestamp(NOON.timestamp() + jump + 30, ZONE)
        wish, _ = demand.decide(view(moment, meter=90), state)
        assert all(map(math.isnan, targets(wish)))

    def test_the_end_of_a_slip_is_no_kick(self) -> None:
        """Noise around the limit is a little energy, and not a lot of power in the last second."""
        demand = made("demand_control", limit_kw=100, margin_pct=0)
        state, largest = demand.begin(), 0.0
        for second in range(1800):
            meter = 100.0 + (10.0 if second % 2 else -9.9)
            wish, state = demand.decide(self.at(second / 60.0, meter, dt_s=1.0), state)
            largest = max(largest, sum(one for one in targets(wish) if not math.isnan(one)))
        assert largest < 25

    def test_what_was_not_seen_of_a_slip_counts_as_the_limit(self) -> None:
        demand = made("demand_control", limit_kw=100, margin_pct=0)
        state = demand.begin()
        for second in range(61):
            _, state = demand.decide(self.at(second / 60, 0.0 if second < 3 else math.nan, dt_s=1.0), state)
        assert state.kwh[-1] == pytest.approx(100 * 57 / 3600, rel=0.02), (
            "three seconds without any are no minute of it"
        )

    def test_a_meter_that_is_away_is_no_energy(self) -> None:
        demand = made("demand_control", **self.FIXED)
        state = demand.begin()
        for second in range(300):
            wish, state = demand.decide(self.at(second / 60, math.nan), state)
        assert not wish.sound
        wish, _ = demand.decide(self.at(5, 130), state)
        assert sum(targets(wish)) == pytest.approx(30, rel=0.02)


class TestTariff:
    def test_it_charges_in_the_valley_and_discharges_in_the_peak(self) -> None:
        tariff = made("tariff_schedule", tariff="zhejiang", power_kw=60)
        by_hour = {
            hour: sum(targets(decided(tariff, view(NOON.replace(hour=hour))))) for hour in (3, 9, 12, 17, 19, 23)
        }
        assert by_hour == {3: -60, 9: 0, 12: -60, 17: 60, 19: 60, 23: 0}

    def test_a_day_before_the_first_is_nobodys(self) -> None:
        assert not decided(made("tariff_schedule", tariff="jiangsu"), view(NOON.replace(year=2024))).sound

    @pytest.mark.parametrize("file", sorted(RESOURCES.glob("*.yaml")), ids=lambda file: file.stem)
    def test_each_says_where_it_is_from_and_knows_every_minute(self, file: Path) -> None:
        tariff = find_tariff(file.stem, ())
        assert len(tariff.form.source) > 5 and tariff.form.sure
        begin = max(one.from_ for one in tariff.form.dated)
        for month in range(1, 13):
            day = datetime(begin.year + 1, month, 15, tzinfo=ZONE)
            assert all(
                tariff.period_at(day.replace(hour=hour, minute=minute)) for hour in range(24) for minute in (0, 30)
            )

    @pytest.mark.parametrize("name", ["../demo", "/etc/passwd", "nowhere", "", ".hidden"])
    def test_a_name_leads_nowhere_else(self, name: str) -> None:
        with pytest.raises(Wrong):
            find_tariff(name, ())

    def test_the_first_named_of_two_spans_holds_and_a_later_date_takes_over(self) -> None:
        tariff = find_tariff("guangdong", ())
        assert tariff.period_at(datetime(2026, 8, 1, 11, 30, tzinfo=ZONE)) == "sharp"
        assert tariff.period_at(datetime(2026, 6, 1, 11, 30, tzinfo=ZONE)) == "peak"
        zhejiang = find_tariff("zhejiang", ())
        assert zhejiang.period_at(datetime(2026, 6, 30, 7, 30, tzinfo=ZONE)) == "valley"
        assert zhejiang.period_at(datetime(2026, 7, 1, 7, 30, tzinfo=ZONE)) == "flat"


def test_soc_management_keeps_a_reserve_and_a_band() -> None:
    soc = made("soc_management", reserve_pct=20, band_pct=[40, 60], power_kw=30, balance=False)
    wish = decided(soc, view(storage=units({"soc": 20}, {"soc": 50})))
    assert wish.storage is not None and wish.storage.high.tolist() == [0, math.inf]
    low, high = view(storage=units({"soc": 20}, {"soc": 20.5})), view(storage=units({"soc": 20.5}, {"soc": 20.5}))
    again = decided(soc, low, high)
    assert again.storage is not None and again.storage.high.tolist() == [0, math.inf], (
        "it comes back with a little more"
    )
    assert sum(idle(decided(soc, view(storage=units({"soc": 30}, {"soc": 40}))))) == -30
    assert sum(idle(decided(soc, view(storage=units({"soc": 80}, {"soc": 70}))))) == 30
    balance = made("soc_management", reserve_pct=5)
    assert idle(decided(balance, view(storage=units({"soc": 70}, {"soc": 50})))) == [10, -10]
    assert all(map(math.isnan, idle(decided(balance, view(storage=units({"soc": 52}, {"soc": 50}))))))


def test_what_was_not_full_for_too_long_is_charged_to_the_top() -> None:
    soc = made("soc_management", calibrate_days=30, power_kw=40, balance=False)
    assert all(map(math.isnan, targets(decided(soc, view(storage=units({"days": 29}, {"days": 30}))))))
    wish = decided(soc, view(storage=units({"days": 31}, {"days": 2})))
    assert targets(wish)[0] == -40 and math.isnan(targets(wish)[1]) and "pcs1" in wish.why.en
    assert targets(decided(soc, view(storage=units({"days": 31}, {"days": 40})))) == [-20, -20]
    held_back = view(storage=units({"days": 31, "charge": 0}, {"days": 40}))
    assert targets(decided(soc, held_back))[1] == -40, "one that may not be charged is not held for it"
    assert all(
        map(math.isnan, targets(decided(made("soc_management", balance=False), view(storage=units({"days": 999})))))
    )


class TestPlan:
    def test_a_clock_that_is_set_makes_nothing_up(self) -> None:
        plan = made("plan_tracking", plan=[40.0] * 96, by="energy")
        at, storage = NOON.replace(hour=7, minute=30, second=2), units({"power": 20}, {"power": 20})
        for seconds in (-5, 600):
            state = plan.begin()
            for k in range(120):
                _, state = plan.decide(view(at - timedelta(seconds=120 - k), dt_s=1.0, storage=storage), state)
            for k in range(3):
                moved = view(at + timedelta(seconds=seconds + k), dt_s=1.0, storage=storage)
                wish, state = plan.decide(moved, state)
                assert sum(targets(wish)) == pytest.approx(40, abs=1), seconds

    def test_a_quarter_of_an_hour_is_a_point(self) -> None:
        plan = made("plan_tracking", plan=[float(i) for i in range(96)])
        assert sum(targets(decided(plan, view(NOON.replace(hour=7, minute=29))))) == 29
        assert sum(targets(decided(plan, view(NOON.replace(hour=7, minute=30))))) == 30

    def test_near_enough_stays(self) -> None:
        plan = made("plan_tracking", plan=[50.0] * 96, tolerance_kw=5)
        storage = units({"power": 24, "held": 24}, {"power": 24, "held": 24})
        assert targets(decided(plan, view(storage=storage))) == [24, 24]

    def test_by_energy_what_was_missed_in_a_quarter_is_made_up_for_within_it(self) -> None:
        plan = made("plan_tracking", plan=[40.0] * 96, by="energy")
        at = NOON.replace(hour=7, minute=30)
        views = [
            view(at + timedelta(seconds=60 * k), dt_s=60.0, storage=units({"power": 0}, {"power": 0})) for k in range(8)
        ]
        assert sum(targets(decided(plan, views[0]))) == pytest.approx(40)
        late = sum(targets(decided(plan, *views)))
        assert late == pytest.approx(10 * 3600 / (8 * 60)), "7 of 15 minutes gave nothing"
        following = view(at + timedelta(seconds=905), dt_s=5.0, storage=units({"power": 20}, {"power": 20}))
        assert sum(targets(decided(plan, *views, following))) == pytest.approx(40, abs=0.5), "the next one begins anew"
        last = view(at + timedelta(seconds=899), dt_s=60.0)
        assert sum(targets(decided(plan, view(at, dt_s=1.0), last))) <= 200, "nothing absurd at its end"

    def test_what_is_not_planned_is_not_wanted(self) -> None:
        wish = decided(made("plan_tracking", plan=[math.nan] * 96), view())
        assert wish.sound and wish.storage is None

    @pytest.mark.parametrize("form", [".csv", ".xlsx"])
    def test_from_a_file(self, tmp_path: Path, form: str) -> None:
        file = tmp_path / f"plan{form}"
        rows = [("time", "power_kw"), ("07:15", 10.5), ("7:30", -20)]
        if form == ".csv":
            file.write_text("\n".join(",".join(map(str, row)) for row in rows), encoding="utf-8-sig")
        else:
            book = openpyxl.Workbook()
            for row in rows:
                book.active.append(row)
            book.save(file)
        plan = read_plan(file)
        assert [plan.at(NOON.replace(hour=7, minute=minute)) for minute in (15, 30)] == [10.5, -20]
        assert math.isnan(plan.at(NOON)) and list(plan.days) == [EVERY_DAY]

    def test_days_go_before_every_day(self) -> None:
        plan = Plan({EVERY_DAY: [1.0] * 96, NOON.date(): [2.0] * 96})
        assert (plan.at(NOON), plan.at(NOON.replace(day=4))) == (2, 1)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("a,b\n1,2", "does not name 'time' and 'power_kw'"), ("time,power_kw\n07:20,1", "no quarter of an hour"),
            ("time,power_kw\n07:15,x", "no power in kW"), ("time,power_kw\n07:15,nan", "no power in kW"),
            ("time,power_kw\n07:15,1\n07:15,2", "twice"), ("time,power_kw\n25:00,1", "no time"),
            ("time,power_kw\n07:15", "cell is missing"), ("", "does not name"), ("time,power_kw\n", "holds no point"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_told_with_its_line(self, tmp_path: Path, text: str, words: str) -> None:
        file = tmp_path / "plan.csv"
        file.write_text(text, encoding="utf-8")
        with pytest.raises(Wrong, match=words):
            read_plan(file)

    def test_a_zip_bomb_is_not_unpacked(self, tmp_path: Path) -> None:
        file = tmp_path / "plan.xlsx"
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as parts:
            parts.writestr("xl/sharedStrings.xml", b" " * (64 << 20))
        assert file.stat().st_size < 1 << 20
        with pytest.raises(Wrong, match="too large for a plan"):
            read_plan(file)
        (tmp_path / "plan.csv").write_text("time,power_kw\n" + " " * (21 << 20), encoding="utf-8")
        with pytest.raises(Wrong, match="too large for a plan"):
            read_plan(tmp_path / "plan.csv")

    def test_a_foreign_file_is_no_spreadsheet(self, tmp_path: Path) -> None:
        (tmp_path / "plan.xlsx").write_bytes(b"PK\x03\x04 and then nothing")
        with pytest.raises(Wrong, match="is no spreadsheet"):
            read_plan(tmp_path / "plan.xlsx")


PV = {"rating": 50, "charge": 0, "discharge": 50}


def test_curtailment_lets_storage_take_it_first() -> None:
    order = made("curtailment", order="meter1.order")
    pv = units({**PV, "power": 50}, {**PV, "power": 50})
    wish = decided(order, view(meter=-80, pv=pv, **{"meter1.order": 30}))
    assert wish.storage is not None and wish.storage.high.tolist() == [-25, -25]
    assert wish.pv is not None and np.isinf(wish.pv.high).all()
    full = units({"soc": 96}, {"charge": 10})
    wish = decided(order, view(meter=-80, pv=pv, storage=full, **{"meter1.order": 30}))
    assert wish.pv is not None and wish.pv.high.tolist() == [30, 30], "100 kW of PV less the 40 that nobody takes"
    assert not decided(order, view(meter=-80, pv=pv)).sound, "an order that is not known is none"
    first = made("curtailment", order="o", storage_first=False)
    wish = decided(first, view(meter=-80, pv=pv, o=30.0))
    assert wish.pv is not None and wish.pv.high.tolist() == [25, 25]
    pv = units({**PV, "power": 50}, {**PV, "power": 0, "usable": 0})
    wish = decided(first, view(meter=-30, pv=pv, o=20.0))
    assert wish.pv is not None and wish.pv.high.tolist() == [40, 40], "all of it may come from the one that answers"


def test_smoothing_gives_what_pv_lost_and_lets_go_slowly() -> None:
    ramp = made("ramp_limit", kw_per_min=60)
    state = ramp.begin()
    sums = []
    for pv_kw in (100.0, 100.0, 40.0, 40.0, 40.0):
        wish, state = ramp.decide(view(pv=units({**PV, "power": pv_kw}), dt_s=10), state)
        sums.append(pv_kw + sum(targets(wish)))
    assert sums == pytest.approx([100, 100, 90, 80, 70])


def test_the_power_factor_is_met_by_what_it_takes() -> None:
    pf = made("power_factor", target=0.95)
    two = units({"rating": 100}, {"rating": 50, "charge": 50, "discharge": 50})
    wish = decided(pf, view(meter=100, kvar=80, reactive=two))
    needed = 80 - 100 * math.tan(math.acos(0.95))
    assert wish.reactive is not None and float(wish.reactive.target.sum()) == pytest.approx(needed)
    assert wish.reactive.target[0] == pytest.approx(2 * wish.reactive.target[1])
    wish = decided(pf, view(meter=100, kvar=20, reactive=two))
    assert wish.reactive is not None and float(wish.reactive.target.sum()) == 0


def test_reactive_power_follows_a_plan_without_any_meter() -> None:
    pf = made("power_factor", plan=[30.0] * 48 + [math.nan] * 48)
    two = units({"rating": 100}, {"rating": 50, "charge": 50, "discharge": 50})
    wish = decided(pf, view(NOON.replace(hour=8), meter=math.nan, kvar=math.nan, reactive=two))
    assert wish.sound and wish.reactive is not None and wish.reactive.target.tolist() == pytest.approx([20, 10])
    assert decided(pf, view(NOON.replace(hour=20), reactive=two)).reactive is None


@pytest.mark.parametrize("kind", sorted(OURS))
def test_every_parameter_says_its_meaning_in_both_languages(kind: str) -> None:
    for name, field in OURS[kind].form.model_fields.items():
        said = field.json_schema_extra
        assert isinstance(said, dict) and said["en"] and said["zh"] and "unit" in said, name


@pytest.mark.parametrize("kind", sorted(OURS))
def test_every_kind_is_in_the_document(kind: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "control.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith("| `") and f"`{kind}`" in line.split("|")[1]]
    missing = [name for name in OURS[kind].form.model_fields if f"`{name}`" not in row]
    assert missing == []
