"""The whole park: power balances in every step, energy integrates power, and the same seed lives the same day."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.model.loading import load_station
from app.model.station import Station
from app.simulation.dynamics import Verb
from app.simulation.layout import lay_out
from app.simulation.park import Park
from tests.support.simulated import demo, moment

MORNING = "2026-06-03 10:30"


def park(at: str = MORNING, seed: int = 3, station: Station | None = None) -> Park:
    return Park(station or demo(), seed=seed, start_s=moment(at))


def shows(park: Park, device: str, quantity: str) -> float:
    return float(park.values[park.index[device, quantity]])


def sum_of(park: Park, devices: list[str], quantity: str) -> float:
    return sum(shows(park, device, quantity) for device in devices)


PV = [f"inv{k}" for k in range(1, 19)]
PCS = ["pcs1", "pcs2"]
LOADS = ["load1", "load2", "load3"]
CHARGERS = [f"evc{k}" for k in range(1, 7)]


def assert_balanced(park: Park) -> None:
    """What the meters show closes at the busbar: active, reactive, and in each phase."""
    for quantity in ("active_power", "reactive_power", *(f"active_power_l{k}" for k in (1, 2, 3)), "reactive_power_l2"):
        into = sum_of(park, [*PV, *PCS, "gen1", "meter1"], quantity)
        out = sum_of(park, [*LOADS, *CHARGERS], quantity)
        assert into == pytest.approx(out, abs=1e-9 * 5000)
    for device in (*PV, *PCS, *LOADS, *CHARGERS, "gen1", "meter1", "meter_pv", "meter_ev"):
        for letter in ("active", "reactive"):
            phases = sum(shows(park, device, f"{letter}_power_l{k}") for k in (1, 2, 3))
            assert phases == pytest.approx(shows(park, device, f"{letter}_power"), abs=1e-6)


orders = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(PCS), st.just(Verb.POWER), st.floats(-900, 900)),
        st.tuples(st.sampled_from(PCS), st.just(Verb.REACTIVE), st.floats(-400, 400)),
        st.tuples(st.sampled_from(PV), st.just(Verb.LIMIT), st.floats(0, 120)),
        st.tuples(st.just("gen1"), st.sampled_from([Verb.START, Verb.STOP]), st.just(1.0)),
        st.tuples(
            st.sampled_from([*PV, *PCS, *CHARGERS, *LOADS, "gen1"]),
            st.sampled_from([Verb.TRIP, Verb.RESET, Verb.START, Verb.STOP, Verb.OPEN, Verb.CLOSE]),
            st.just(1.0),
        ),
        st.tuples(st.sampled_from(CHARGERS), st.just(Verb.LIMIT), st.floats(0, 200)),
    ),
    max_size=4,
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    hour=st.integers(0, 23), seed=st.integers(0, 50),
    life=st.lists(st.tuples(orders, st.sampled_from([0.1, 1.0, 6.0, 40.0, 900.0])), min_size=1, max_size=6),
)  # fmt: skip
def test_the_busbar_balances_whatever_is_asked_and_whatever_fails(
    hour: int, seed: int, life: list[tuple[list[tuple[str, str, float]], float]]
) -> None:
    living = park(f"2026-06-0{seed % 9 + 1} {hour:02d}:10", seed)
    before = living.counters.imported.copy(), living.counters.exported.copy()
    for asked, seconds in life:
        for device, verb, value in asked:
            living.command(device, verb, value)
        living.advance(seconds)
        assert_balanced(living)
        assert np.isfinite(living.values).all()
        assert (living.counters.imported >= before[0]).all() and (living.counters.exported >= before[1]).all()
        before = living.counters.imported.copy(), living.counters.exported.copy()
        assert ((living.storage.soc >= 0) & (living.storage.soc <= 1)).all()


def test_counters_integrate_the_power_that_is_shown() -> None:
    living = park()
    devices = [*PV, *PCS, *LOADS, *CHARGERS, "gen1", "meter1", "meter_pv", "meter_ev"]
    imports = {*LOADS, *CHARGERS, "meter1", "meter_ev"}
    living.storage.expiry_s[:] = math.inf  # as if somebody renewed it
    living.command("pcs1", Verb.POWER, 320.0)
    living.command("pcs2", Verb.POWER, -210.0)
    start = {d: (shows(living, d, "energy_import"), shows(living, d, "energy_export")) for d in devices}
    into, out = dict.fromkeys(devices, 0.0), dict.fromkeys(devices, 0.0)
    for step in range(700):
        dt_s = 0.3 + 0.7 * (step % 2)  # at most a second: one step of the physics each
        living.advance(dt_s)
        for device in devices:
            kwh = shows(living, device, "active_power") * dt_s / 3600.0 * (1.0 if device in imports else -1.0)
            into[device] += max(kwh, 0.0)
            out[device] += max(-kwh, 0.0)
    for device in devices:
        assert shows(living, device, "energy_import") - start[device][0] == pytest.approx(into[device], abs=1e-6)
        assert shows(living, device, "energy_export") - start[device][1] == pytest.approx(out[device], abs=1e-6)
    assert out["pcs1"] > 30 and into["pcs2"] > 20 and out["meter_pv"] > 20


def test_the_energy_of_the_day_is_what_the_counter_grew_since_midnight() -> None:
    living = park("2026-06-03 00:00")
    begun = shows(living, "inv1", "energy_export")
    while living.time_s < moment("2026-06-03 23:30"):
        living.advance(1800.0)
    grown = shows(living, "inv1", "energy_export") - begun
    assert shows(living, "inv1", "energy_export_day") == pytest.approx(grown) and grown > 100
    living.advance(2400.0)
    assert shows(living, "inv1", "energy_export_day") == 0.0
    by_tariff = sum(shows(living, "load3", f"energy_import_{period}") for period in ("sharp", "peak", "flat", "valley"))
    assert by_tariff == pytest.approx(shows(living, "load3", "energy_import"))


def test_the_same_seed_lives_the_same_day_and_another_does_not() -> None:
    one, same, other = park(seed=5), park(seed=5), park(seed=6)
    for living in (one, same, other):
        living.command("pcs1", Verb.POWER, 123.0)
        for _ in range(50):
            living.advance(6.0)
    assert np.array_equal(one.values, same.values)
    assert not np.array_equal(one.values, other.values)


@pytest.mark.parametrize("at", ["2026-06-03 10:00", "2026-11-20 17:30"])
def test_the_time_factor_changes_no_energy(at: str) -> None:
    """Twelve minutes in ticks of half a second, in those of 60x (six seconds) and of 3600x (six minutes)."""
    grown, soc = [], []
    for tick_s in (0.5, 6.0, 360.0):
        living = park(at)
        living.command("pcs1", Verb.POWER, 400.0)
        devices = ("meter_pv", "pcs1", "load1", "meter1", "meter_ev")
        start = [shows(living, device, "energy_total") for device in devices]
        for _ in range(round(720 / tick_s)):
            living.advance(tick_s)
        grown.append([shows(living, d, "energy_total") - s for d, s in zip(devices, start, strict=True)])
        soc.append(living.storage.soc[0])
    assert grown[1] == pytest.approx(grown[0], rel=0.01, abs=0.3)
    assert grown[2] == pytest.approx(grown[0], rel=0.02, abs=0.5)
    assert soc == pytest.approx([soc[0]] * 3, abs=0.002)


@pytest.mark.parametrize("seconds", [3600.0, 6 * 3600.0])
def test_a_long_step_stays_stable(seconds: float) -> None:
    living = park()
    living.command("pcs1", Verb.POWER, -500.0)
    for _ in range(12):
        living.advance(seconds)
        assert np.isfinite(living.values).all()
        assert living.storage.soc.min() >= 0 and living.storage.soc.max() <= 1
        assert living.storage.cell_c.min() > 10 and living.storage.cell_c.max() < 50
    assert_balanced(living)


def test_a_setpoint_that_nobody_renews_reverts_and_one_that_is_renewed_stays() -> None:
    living = park()
    for _ in range(4):
        for pcs in PCS:
            living.command(pcs, Verb.POWER, 200.0)
        living.advance(6)
    assert shows(living, "pcs1", "active_power") == pytest.approx(200, abs=1)
    for _ in range(3):
        living.command("pcs2", Verb.POWER, 200.0)
        living.advance(6)
    assert shows(living, "pcs1", "active_power") == pytest.approx(0, abs=1), "its timer has ended"
    assert shows(living, "pcs2", "active_power") == pytest.approx(200, abs=1)


def test_a_converter_may_be_deaf_or_do_the_opposite() -> None:
    living = park()
    living.command("pcs1", Verb.POWER, 100.0)
    living.command("pcs2", Verb.POWER, 100.0)
    living.advance(4)
    living.command("pcs1", Verb.DEAF, 1.0)
    living.command("pcs2", Verb.BACKWARDS, 1.0)
    for pcs in PCS:
        living.command(pcs, Verb.POWER, 200.0)
    living.advance(4)
    assert shows(living, "pcs1", "active_power") == pytest.approx(100, abs=1)
    assert shows(living, "pcs2", "active_power") == pytest.approx(-200, abs=1)


def test_a_converter_that_misses_its_heartbeat_falls_back_however_often_it_is_set() -> None:
    living = park()
    living.storage.expiry_s[:] = math.inf
    living.storage.patience_s[0] = 4.0

    def live(seconds: int, beat: bool) -> None:
        for k in range(seconds):
            for pcs in PCS:
                living.command(pcs, Verb.POWER, 100.0)
            living.command("pcs1", Verb.HEARTBEAT, float(k) if beat else -1.0)
            living.advance(1)

    live(10, beat=True)
    assert shows(living, "pcs1", "active_power") == pytest.approx(100, abs=1)
    live(10, beat=False)
    assert shows(living, "pcs1", "active_power") == pytest.approx(0, abs=1), "a counter that stands is none"
    assert shows(living, "pcs2", "active_power") == pytest.approx(100, abs=1), "it wants none"
    live(5, beat=True)
    assert shows(living, "pcs1", "active_power") == pytest.approx(100, abs=1)


def test_a_setpoint_moves_charge_and_grid() -> None:
    living = park()
    living.storage.expiry_s[:] = math.inf
    for pcs in PCS:
        living.command(pcs, Verb.POWER, 0.0)
    living.advance(10)
    grid, soc = shows(living, "meter1", "active_power"), shows(living, "bms1", "soc")
    living.command("pcs1", Verb.POWER, -400.0)
    living.advance(3)
    assert shows(living, "pcs1", "active_power") == pytest.approx(-400, abs=1)
    assert shows(living, "meter1", "active_power") == pytest.approx(grid + 400, abs=60)  # clouds and loads move too
    for _ in range(30):
        living.advance(60)
    assert shows(living, "bms1", "soc") == pytest.approx(soc + 400 / 1000 * 50, abs=1.5)
    assert shows(living, "bms1", "dc_current") < 0 and shows(living, "bms1", "charging") == 1


def test_meters_show_what_hangs_below_them() -> None:
    living = park()
    living.advance(1)
    assert shows(living, "meter_pv", "active_power") == pytest.approx(sum_of(living, PV, "active_power"))
    assert shows(living, "meter_ev", "active_power") == pytest.approx(sum_of(living, CHARGERS, "active_power"))
    export = shows(living, "meter_pv", "energy_export")
    living.advance(600)
    assert shows(living, "meter_pv", "energy_export") > export and shows(living, "meter_pv", "active_power") > 0


def test_currents_voltages_and_factors_agree() -> None:
    living = park()
    living.advance(1)
    for device in ("meter1", "load1", "pcs1", "inv3"):
        p, s = shows(living, device, "active_power"), shows(living, device, "apparent_power")
        assert p == pytest.approx(s * shows(living, device, "power_factor"))
        line_v, amps = shows(living, device, "line_voltage"), shows(living, device, "current")
        assert s == pytest.approx(np.sqrt(3) * line_v * amps / 1000)
        for k, (following, pair) in enumerate((("l2", "l12"), ("l3", "l23"), ("l1", "l31")), start=1):
            u, v = shows(living, device, f"voltage_l{k}"), shows(living, device, f"voltage_{following}")
            assert shows(living, device, f"voltage_{pair}") == pytest.approx(np.sqrt(u * u + v * v + u * v))
            apparent = u * shows(living, device, f"current_l{k}") / 1000
            assert apparent == pytest.approx(shows(living, device, f"apparent_power_l{k}"))
    assert 380 < shows(living, "meter1", "line_voltage") < 420
    assert 49.9 < shows(living, "meter1", "frequency") < 50.1


def test_a_breaker_that_opens_takes_its_feeder_off() -> None:
    living = park()
    living.command("load1", Verb.OPEN)
    living.command("pcs1", Verb.OPEN)
    living.command("pcs1", Verb.POWER, 300.0)
    living.advance(5)
    assert shows(living, "load1", "active_power") == 0 and shows(living, "pcs1", "active_power") == 0
    assert_balanced(living)
    living.command("load1", Verb.CLOSE)
    living.advance(1)
    assert shows(living, "load1", "active_power") > 100


# --- stations that are not the demo -------------------------------------------------------------------------------


def station(folder: Path, devices: list[dict[str, Any]], **more: Any) -> Station:
    content = {
        "version": 1,
        "station": {"id": "s", "name": "S", "timezone": "UTC", "location": {"latitude": 30, "longitude": 120},
                    **more.pop("head", {})},
        **more,
        "devices": [{"name": d["id"], "connection": {"driver": "modbus-tcp", "host": "h"}, **d} for d in devices],
    }  # fmt: skip
    (folder / "station.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_station(folder).station


def test_a_meter_alone_on_a_feeder_sees_a_load_of_its_own(tmp_path: Path) -> None:
    found = station(
        tmp_path,
        [{"id": "m1", "kind": "meter"}, {"id": "m2", "kind": "meter", "parent": "f1", "ratings": {"power_kw": 80}},
         {"id": "m3", "kind": "meter", "parent": "inv"}, {"id": "m4", "kind": "meter"},
         {"id": "inv", "kind": "pv_inverter", "parent": "bus"}, {"id": "m5", "kind": "meter", "parent": "bus"}],
        head={"grid_meter": "m1"},
        topology=[{"id": "bus", "kind": "bus", "voltage_kv": 0.8}, {"id": "f1", "kind": "feeder", "from": "bus"}],
    )  # fmt: skip
    living = park("2026-06-03 04:00", station=found)
    living.advance(1)
    assert 5 < shows(living, "m2", "active_power") < 90
    assert shows(living, "m3", "active_power") == shows(living, "inv", "active_power")
    assert shows(living, "m4", "active_power") == 0.0
    exchanged = shows(living, "m2", "active_power") - shows(living, "inv", "active_power")
    assert shows(living, "m1", "active_power") == pytest.approx(exchanged)
    assert 750 < shows(living, "m1", "line_voltage") < 850
    # A meter on the whole busbar sees what the grid meter sees, but for the load that no device is.
    assert shows(living, "m5", "active_power") == pytest.approx(shows(living, "inv", "active_power"))


def test_batteries_without_converters_and_converters_without_batteries_live(tmp_path: Path) -> None:
    found = station(
        tmp_path,
        [{"id": "pcs", "kind": "pcs", "ratings": {"power_kw": 200}},
         {"id": "bms", "kind": "bms", "ratings": {"energy_kwh": 300}},
         {"id": "m1", "kind": "meter"}],
        head={"grid_meter": "m1"},
    )  # fmt: skip
    layout = lay_out(found)
    assert [(unit.pcs, unit.bms, unit.capacity_kwh) for unit in layout.storage] == [
        ("pcs", None, 400),
        (None, "bms", 300),
    ]
    living = park("2026-06-03 12:00", station=found)
    living.command("pcs", Verb.POWER, 100.0)
    living.advance(60)
    assert shows(living, "pcs", "active_power") == pytest.approx(100)
    assert shows(living, "bms", "dc_power") == 0 and shows(living, "bms", "soc") > 0
    rest = shows(living, "m1", "active_power") + shows(living, "pcs", "active_power")
    assert rest > 20  # a load that nobody meters


def test_a_station_without_anything_to_simulate_is_no_trouble(tmp_path: Path) -> None:
    living = park(station=station(tmp_path, [{"id": "x", "kind": "other"}]))
    living.advance(5)
    assert shows(living, "x", "unix_time") > 1e9
