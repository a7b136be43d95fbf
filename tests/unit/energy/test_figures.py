"""Key figures of any station: found by role and kind, honest about what is missing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from app.energy.figures import FigureReader
from app.energy.today import DayBaseline, day_start_ns
from app.model.clock import SECOND_NS
from app.model.loading import load_station
from app.model.quality import DERIVED, ESTIMATED, IV, NT, RANGE
from app.model.station import Station
from app.model.views import Snapshot

NOON_NS = 1_700_020_800 * SECOND_NS
"""2023-11-15 12:00 in Shanghai."""


def _point(role: str, unit: str, **more: Any) -> dict[str, Any]:
    address = {"table": "holding", "register": 0, "type": "f32"}
    return {"id": role, "name": role, "kind": "measurement", "role": role, "unit": unit, "address": address, **more}


def make(path: Path, devices: dict[str, dict[str, Any]], grid: str | None = None) -> Station:
    """A station; each device's `has` lists its roles."""
    units = {"active_power": "kW", "soc": "%", "energy_import": "kWh", "energy_export": "kWh"}
    rows = []
    for number, (id_, device) in enumerate(devices.items()):
        points = [_point(role, units[role]) for role in device.pop("has")]
        connection = {"driver": "modbus-tcp", "host": "127.0.0.1", "port": 1000 + number}
        rows.append({"id": id_, "name": id_, "connection": connection, "points": points, **device})
    head: dict[str, Any] = {
        "id": "s", "name": "S", "timezone": "Asia/Shanghai", "location": {"latitude": 30, "longitude": 120},
    }  # fmt: skip
    if grid:
        head["grid_meter"] = grid
    path.mkdir(exist_ok=True)
    (path / "station.yaml").write_text(yaml.safe_dump({"version": 1, "station": head, "devices": rows}))
    return load_station(path).station


def shot(station: Station, values: dict[str, float], quality: dict[str, int] | None = None) -> Snapshot:
    """A snapshot at noon; what is not given was never received."""
    n = len(station.points)
    value, bits, time = np.full(n, np.nan), np.full(n, NT, np.uint16), np.zeros(n, np.int64)
    for name, number in values.items():
        i = station.by_name[name]
        value[i], bits[i], time[i] = number, (quality or {}).get(name, 0), NOON_NS
    return Snapshot(1, NOON_NS, value, bits, time, time, np.zeros(n, np.int64))


def pv(n: int) -> dict[str, dict[str, Any]]:
    return {f"inv{i}": {"kind": "pv_inverter", "has": ["active_power", "energy_export"]} for i in range(1, n + 1)}


def test_powers_are_summed_by_kind(tmp_path: Path) -> None:
    station = make(tmp_path, {**pv(2), "pcs1": {"kind": "pcs", "has": ["active_power"]}})
    figures = FigureReader(station).read(
        shot(station, {"inv1.active_power": 100, "inv2.active_power": 50.5, "pcs1.active_power": -30})
    )
    assert figures.pv.value == 150.5 and figures.pv.quality == 0
    assert figures.storage.value == -30


def test_a_missing_contributor_is_counted_and_marks_the_sum(tmp_path: Path) -> None:
    station = make(tmp_path, pv(3))
    values = {"inv1.active_power": 100.0, "inv2.active_power": 80.0, "inv3.active_power": 999.0}
    figure = FigureReader(station).read(shot(station, values, {"inv3.active_power": NT})).pv
    assert (figure.value, figure.used, figure.of) == (180.0, 2, 3)
    assert figure.quality & DERIVED


def test_nothing_usable_is_no_number(tmp_path: Path) -> None:
    station = make(tmp_path, pv(1))
    figure = FigureReader(station).read(shot(station, {"inv1.active_power": 7.0}, {"inv1.active_power": IV})).pv
    assert math.isnan(figure.value) and figure.quality == NT and figure.there


def test_doubt_of_a_contributor_travels_to_the_sum(tmp_path: Path) -> None:
    station = make(tmp_path, pv(2))
    values = {"inv1.active_power": 1.0, "inv2.active_power": 2.0}
    assert FigureReader(station).read(shot(station, values, {"inv1.active_power": RANGE})).pv.quality == RANGE


def test_what_a_station_does_not_have_is_not_there(tmp_path: Path) -> None:
    station = make(tmp_path, pv(1))
    figures = FigureReader(station).read(shot(station, {}))
    assert not figures.storage.there and not figures.grid.there and not figures.load.there


def batteries(first_kwh: float | None, second_kwh: float | None) -> dict[str, dict[str, Any]]:
    def ratings(kwh: float | None) -> dict[str, Any]:
        return {"ratings": {"energy_kwh": kwh}} if kwh else {}

    return {
        "bms1": {"kind": "bms", "has": ["soc"]},
        "bms2": {"kind": "bms", "has": ["soc"]},
        "pcs1": {"kind": "pcs", "has": ["active_power", "soc"], "bms": "bms1", **ratings(first_kwh)},
        "pcs2": {"kind": "pcs", "has": ["active_power"], "bms": "bms2", **ratings(second_kwh)},
    }


def test_soc_is_weighted_by_rated_energy_and_counts_each_battery_once(tmp_path: Path) -> None:
    station = make(tmp_path, batteries(3000, 1000))
    values = {"bms1.soc": 80.0, "bms2.soc": 40.0, "pcs1.soc": 1.0}
    figure = FigureReader(station).read(shot(station, values)).soc
    assert figure.value == pytest.approx(70.0) and figure.of == 2


def test_soc_without_ratings_is_the_plain_mean(tmp_path: Path) -> None:
    station = make(tmp_path, batteries(3000, None))
    assert FigureReader(station).read(shot(station, {"bms1.soc": 80.0, "bms2.soc": 40.0})).soc.value == 60.0


def test_a_converter_with_its_own_soc_needs_no_bms(tmp_path: Path) -> None:
    station = make(tmp_path, {"ess1": {"kind": "pcs", "has": ["active_power", "soc"]}})
    assert FigureReader(station).read(shot(station, {"ess1.soc": 55.0})).soc.value == 55.0


def plant() -> dict[str, dict[str, Any]]:
    return {
        "meter1": {"kind": "meter", "has": ["active_power", "energy_import", "energy_export"]},
        **pv(1),
        "pcs1": {"kind": "pcs", "has": ["active_power"]},
        "chg1": {"kind": "charger", "has": ["active_power"]},
    }


def test_load_without_load_devices_is_the_balance_and_says_so(tmp_path: Path) -> None:
    station = make(tmp_path, plant(), grid="meter1")
    powers = {"meter1": 100.0, "inv1": 200.0, "pcs1": -50.0, "chg1": 30.0}
    load = FigureReader(station).read(shot(station, {f"{d}.active_power": p for d, p in powers.items()})).load
    assert load.value == pytest.approx(100 + 200 - 50 - 30)
    assert load.quality == ESTIMATED


def test_the_balance_needs_the_grid(tmp_path: Path) -> None:
    station = make(tmp_path, plant(), grid="meter1")
    load = FigureReader(station).read(shot(station, {"inv1.active_power": 200.0})).load
    assert math.isnan(load.value) and load.there


def test_energy_of_today_counts_from_midnight_of_the_station(tmp_path: Path) -> None:
    station = make(tmp_path, plant(), grid="meter1")
    reader, baseline = FigureReader(station), DayBaseline(station)
    assert "meter1.energy_import" in reader.counters and "pcs1.active_power" not in reader.counters
    assert baseline.roll(NOON_NS) and not baseline.roll(NOON_NS + SECOND_NS)
    assert baseline.start_ns == NOON_NS - 12 * 3600 * SECOND_NS
    baseline.put("meter1.energy_import", 1000.0, baseline.start_ns)
    figures = reader.read(shot(station, {"meter1.energy_import": 1012.5}), baseline)
    assert figures.import_today.value == 12.5 and figures.import_today.since == baseline.start_ns
    assert math.isnan(figures.export_today.value)


def test_energy_without_history_counts_from_the_first_live_value(tmp_path: Path) -> None:
    station = make(tmp_path, pv(1))
    reader, baseline = FigureReader(station), DayBaseline(station)
    baseline.roll(NOON_NS)
    baseline.fill(shot(station, {"inv1.energy_export": 500.0}))
    baseline.fill(shot(station, {"inv1.energy_export": 600.0}))
    figure = reader.read(shot(station, {"inv1.energy_export": 640.0}), baseline).pv_today
    assert figure.value == 140.0 and figure.since == NOON_NS


def test_a_counter_that_was_reset_counts_from_zero(tmp_path: Path) -> None:
    station = make(tmp_path, pv(1))
    reader, baseline = FigureReader(station), DayBaseline(station)
    baseline.roll(NOON_NS)
    baseline.put("inv1.energy_export", 90_000.0, NOON_NS)
    assert reader.read(shot(station, {"inv1.energy_export": 3.0}), baseline).pv_today.value == 3.0


def test_the_counter_of_a_lost_device_keeps_its_share_of_today(tmp_path: Path) -> None:
    station = make(tmp_path, pv(2))
    reader, baseline = FigureReader(station), DayBaseline(station)
    baseline.roll(NOON_NS)
    for name in ("inv1.energy_export", "inv2.energy_export"):
        baseline.put(name, 100.0, NOON_NS)
    values = {"inv1.energy_export": 110.0, "inv2.energy_export": 105.0}
    figure = reader.read(shot(station, values, {"inv2.energy_export": NT}), baseline).pv_today
    assert figure.value == 15.0 and figure.quality & DERIVED


def test_a_day_of_a_zone_with_summer_time_begins_at_its_own_midnight(tmp_path: Path) -> None:
    station = make(tmp_path, pv(1))
    berlin = Station(**{**station.__dict__, "timezone": "Europe/Berlin"})
    change = 1_698_537_600 * SECOND_NS  # 2023-10-29 00:00 UTC, the night that has 25 hours
    assert day_start_ns(berlin, change + 20 * 3600 * SECOND_NS) == change - 2 * 3600 * SECOND_NS
