"""Strategies over a record that a test makes: the books of energy close, limits hold, and what was recorded is read back."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from app.backtesting import recorded, tariff_of, told
from app.control.backtest import EFFICIENCY, Record, backtest
from app.control.loading import load_strategies
from app.model.backtest import Report
from app.model.clock import SECOND_NS
from app.model.control import Running
from app.model.errors import GridroomError
from app.model.station import Station
from app.model.views import Series
from app.trial import Trial
from tests.support.control_station import park

BEGIN = 1_785_513_600 * SECOND_NS
"""2026-08-01 00:00 in Shanghai."""
STEP = 900 * SECOND_NS
BOTH = ["pcs1", "pcs2"]
SHAVE = {"id": "shave", "kind": "peak_shaving", "devices": BOTH, "params": {"limit_kw": 150, "recharge_below_kw": 100}}

CURTAIL = {"id": "curtail", "kind": "curtailment", "devices": [*BOTH, "inv1", "inv2"]}


def record(site: np.ndarray[Any, Any], pv: np.ndarray[Any, Any] | None = None) -> Record:
    k = len(site)
    return Record(BEGIN + STEP * np.arange(k), 900.0, site.astype(float), np.zeros((k, 2)) if pv is None else pv)


def day(days: int = 1) -> np.ndarray[Any, Any]:
    """100 kW, and 230 from ten to twelve."""
    one = np.full(96, 100.0)
    one[40:48] = 230.0
    return np.tile(one, days)


def run(station: Station, site: Record, *strategies: dict[str, Any], soc: float = 50.0) -> Report:
    bound, faults, _ = load_strategies(station, yaml.safe_dump({"strategies": list(strategies)}))
    assert not faults
    return backtest(station, bound, site, tariff_of(bound), soc=soc)


@pytest.fixture
def station(tmp_path: Path) -> Station:
    return park(tmp_path)


def test_the_peak_is_shaved_and_charged_again(station: Station) -> None:
    report = run(station, record(day(3)), {**SHAVE, "params": {"limit_kw": 150, "recharge_below_kw": 120}})
    assert report.before.peak_kw == 230 and report.after.peak_kw == pytest.approx(150)
    assert sum(one.discharged_kwh for one in report.storage) == pytest.approx(3 * 80 * 2, rel=0.01)
    assert sum(one.charged_kwh for one in report.storage) > 300
    assert report.soc.min() >= 5 - 1e-6 and report.soc.max() <= 95 + 1e-6
    once = run(station, record(day(3)), SHAVE)
    assert sum(one.charged_kwh for one in once.storage) == 0, "at 100 kW there is no room below 100"
    assert once.after.peak_kw > 200, "and the second day finds it empty"


def test_the_books_of_energy_close(station: Station) -> None:
    site = day(5)
    site[:20] = 20.0
    report = run(station, record(site), {**SHAVE, "params": {"limit_kw": 150, "recharge_below_kw": 90}})
    for i, used in enumerate(report.storage):
        stored = (report.soc[-1, i] - 50.0) / 100.0 * 200.0
        assert used.charged_kwh * EFFICIENCY - used.discharged_kwh / EFFICIENCY == pytest.approx(stored, abs=0.5)
    moved = sum(one.charged_kwh - one.discharged_kwh for one in report.storage)
    assert report.after.import_kwh - report.before.import_kwh == pytest.approx(moved, abs=0.1)


def test_an_empty_battery_shaves_nothing_and_a_full_one_takes_nothing(station: Station) -> None:
    assert run(station, record(day()), SHAVE, soc=5).after.peak_kw == 230
    full = run(station, record(np.full(96, 10.0)), SHAVE, soc=95)
    assert full.storage[0].charged_kwh == 0


def test_a_year_of_a_tariff_costs_less(station: Station) -> None:
    tariff = {
        "id": "t",
        "kind": "tariff_schedule",
        "mode": "shadow",
        "devices": BOTH,
        "params": {"tariff": "demonstration"},
    }
    report = run(station, record(np.full(96 * 30, 300.0)), tariff)
    assert report.before.energy_cost == pytest.approx(
        300 * 24 * 30 * (8 * 0.345 + 10 * 0.708 + 6 * 1.159) / 24, rel=0.01
    )
    assert report.after.energy_cost < 0.97 * report.before.energy_cost
    assert math.isnan(report.after.demand_cost) and "demand" not in told(report)
    assert 0.5 < report.storage[0].cycles / 30 < 1.2


def test_what_must_not_leave_is_charged_and_then_limited(station: Station) -> None:
    site = np.full(96, 20.0)
    pv = np.zeros((96, 2))
    site[40:60], pv[40:60] = -60.0, 40.0
    report = run(
        station, record(site, pv), {"id": "z", "kind": "zero_export", "devices": [*BOTH, "inv1", "inv2"]}, soc=90
    )
    assert report.before.export_kwh == pytest.approx(300) and report.after.export_kwh < 10, (
        "of the step in which it became full"
    )
    took = sum(one.charged_kwh for one in report.storage)
    assert took > 10 and report.pv_lost_kwh == pytest.approx(300 - took, abs=10)


def test_a_step_without_a_record_is_left_out(station: Station) -> None:
    site = day()
    site[44:46] = np.nan
    report = run(station, record(site), SHAVE)
    assert report.unknown == 2 and np.isnan(report.after_kw[44]) and (report.storage_kw[44:46] == 0).all()
    assert "2 of them without a record" in told(report)


def test_what_is_no_part_of_the_record_takes_nothing_away(tmp_path: Path) -> None:
    """A lock or a temperature that nobody recorded would make every strategy worth nothing."""
    more = {"interlocks": ["meter1.order"], "derate": [{"by": "cell_temperature_max", "curve": [[45, 100], [55, 0]]}]}
    for n, form in enumerate(({}, more)):
        report = run(park(tmp_path / str(n), **form), record(day()), {**SHAVE, "params": {"limit_kw": 150}})
        assert report.after.peak_kw == pytest.approx(150) and report.unsound == {}


def test_a_strategy_goes_by_the_points_that_were_recorded(station: Station) -> None:
    given = record(np.full(96, -80.0))
    curtail = {**CURTAIL, "params": {"order": "meter1.order", "storage_first": False}}
    report = run(station, given, curtail)
    assert report.unsound == {"curtail": 96} and report.after_kw.min() == -80
    order = np.where(np.arange(96) < 48, np.nan, 30.0)
    report = run(station, replace(given, pv_kw=np.full((96, 2), 40.0), points={"meter1.order": order}), curtail)
    assert report.unsound == {"curtail": 48}
    assert report.after_kw[:47].tolist() == [-80] * 47 and report.after_kw[-1] == pytest.approx(-30, abs=0.1)


def test_a_station_that_only_reads_may_try(tmp_path: Path) -> None:
    report = run(park(tmp_path, read_only=True), record(day()), {**SHAVE, "params": {"limit_kw": 150}})
    assert report.after.peak_kw == pytest.approx(150)


def test_it_is_called_off(station: Station) -> None:
    bound = load_strategies(station, yaml.safe_dump({"strategies": [SHAVE]}))[0]
    with pytest.raises(GridroomError, match="called off"):
        backtest(station, bound, record(day()), told=lambda share: False)


def test_without_meter_or_storage_there_is_nothing_to_try(station: Station) -> None:
    bound = load_strategies(station, yaml.safe_dump({"strategies": [SHAVE]}))[0]
    with pytest.raises(GridroomError, match="grid meter"):
        backtest(replace(station, grid_meter=None), bound, record(day()))


def test_the_record_is_the_meter_with_its_storage_taken_out(station: Station) -> None:
    asked: list[str] = []
    silent = False

    def query(points: Any, start: int, end: int, pixels: int) -> list[Series]:
        asked.extend(points)
        found = []
        for name in points:
            time = np.arange(start, end, STEP // 3)  # finer than a step
            value = np.full(len(time), {"meter1.p_kw": 100.0, "pcs1.p_kw": 30.0, "pcs2.p_kw": -10.0}.get(name, 5.0))
            quality = np.zeros(len(time), np.uint16)
            if name == "meter1.p_kw":
                quality[:3] = 0x80
            if name == "pcs1.p_kw":
                quality[-3:] = 0x80
            if name == "pcs2.p_kw" and silent:
                quality[:] = 0x80
            nothing = np.zeros(len(time), np.int64)
            found.append(Series(name, "5s", STEP // 3, time, value, value, value, value, value, nothing, quality,
                                np.empty((0, 2), np.int64)))  # fmt: skip
        return found

    text = yaml.safe_dump({"strategies": [{**CURTAIL, "params": {"order": "meter1.order"}}]})
    got = recorded(station, load_strategies(station, text)[0], query, BEGIN, BEGIN + 4 * STEP)
    assert asked == ["meter1.p_kw", "pcs1.p_kw", "pcs2.p_kw", "inv1.p_kw", "inv2.p_kw", "meter1.order"]
    assert {name: values.tolist() for name, values in got.points.items()} == {"meter1.order": [5, 5, 5, 5]}
    assert np.isnan(got.site_kw[[0, 3]]).all() and got.site_kw[1:3].tolist() == [120, 120]
    silent = True
    assert recorded(station, (), query, BEGIN, BEGIN + 4 * STEP).site_kw[1:3].tolist() == [130, 130]
    assert got.pv_kw.tolist() == [[5, 5]] * 4


def test_strategies_run_as_people_have_decided(station: Station) -> None:
    """A trial goes by what holds now, and not by the file alone."""
    bound = load_strategies(station, yaml.safe_dump({"strategies": [{**SHAVE, "params": {"limit_kw": 150}}]}))[0]
    peaks = [
        backtest(station, bound, record(day()), modes=modes).after.peak_kw
        for modes in (None, {"shave": Running.SHADOW}, {"shave": Running.OFF})
    ]
    assert peaks == pytest.approx([150, 150, 230])


def test_a_trial_ends_with_the_program(station: Station) -> None:
    trial = Trial()
    text = yaml.safe_dump({"strategies": [SHAVE]})
    long = record(day(365))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(trial.run, station.directory, None, text, long, {})
        while trial._child is None and not asked.done():
            time.sleep(0.01)
        trial.stop()
        with pytest.raises(GridroomError, match="ended without an answer"):
            asked.result(60)
    with pytest.raises(GridroomError):
        trial.run(station.directory, None, text, record(day()), {})
