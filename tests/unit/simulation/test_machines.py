"""The machines of the park, each by itself: what they do when told, and what they never do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.config import LocationForm
from app.simulation.charger import Chargers
from app.simulation.dynamics import State, Verb
from app.simulation.genset import COOL_DOWN_S, CRANK_S, WARM_UP_S, Gensets
from app.simulation.grid import Transformer
from app.simulation.load import Loads
from app.simulation.noise import Floats
from app.simulation.pv import PvInverters
from app.simulation.storage import Storage, scheduled_share
from app.simulation.weather import Sky, Weather
from tests.support.simulated import moment

SKY = Sky(1, LocationForm(latitude=30.27, longitude=120.15), 2)
NIGHT = SKY.at(moment("2026-06-03 23:00"))
NOON = replace(SKY.at(moment("2026-06-03 12:00")), poa_sites=np.array([1000.0, 300.0]), wind_m_s=2.0, ambient_c=25.0)


def inverters() -> PvInverters:
    return PvInverters(1, np.array([110.0, 100.0]), [6, 0], [0, 8])


def settled(plant: PvInverters, weather: Weather, seconds: float = 3600.0) -> PvInverters:
    for _ in range(int(seconds // 10)):
        plant.step(10.0, weather)
    return plant


# --- photovoltaics ------------------------------------------------------------------------------------------------


def test_night_gives_no_power_at_all() -> None:
    plant = settled(inverters(), NOON)
    plant.step(1.0, NIGHT)
    assert not plant.p_kw.any() and not plant.dc_kw.any() and not plant.columns()["mppt_1_current"].any()
    assert (plant.state() == State.STANDBY).all()


def test_losses_and_inputs_add_up() -> None:
    plant = settled(inverters(), NOON)
    assert (plant.dc_kw > plant.p_kw).all()
    efficiency = plant.p_kw / plant.dc_kw
    assert ((efficiency > 0.95) & (efficiency < 0.99)).all()
    columns = plant.columns()
    by_input = sum(columns[f"mppt_{k}_voltage"][0] * columns[f"mppt_{k}_current"][0] for k in range(1, 7)) / 1000
    assert by_input == pytest.approx(plant.dc_kw[0])
    by_string = sum(columns[f"string_{k}_voltage"][1] * columns[f"string_{k}_current"][1] for k in range(1, 9)) / 1000
    assert by_string == pytest.approx(plant.dc_kw[1])


def test_hot_modules_give_less() -> None:
    cool, hot = settled(inverters(), replace(NOON, ambient_c=0.0)), settled(inverters(), replace(NOON, ambient_c=38.0))
    assert hot.module_c[1] > cool.module_c[1] + 35
    assert hot.p_kw[1] == pytest.approx(cool.p_kw[1] * (1 - 0.0035 * 38), rel=0.03)


@given(limit=st.floats(-50, 300))
def test_a_power_limit_is_kept_and_reached_within_seconds(limit: float) -> None:
    plant = settled(inverters(), NOON, 600)
    free = plant.p_kw.copy()
    plant.command(0, Verb.LIMIT, limit)
    plant.step(1.0, NOON)
    first = plant.p_kw[0]
    for _ in range(10):
        plant.step(1.0, NOON)
    kept = min(max(limit, 0.0), 110.0)
    assert plant.p_kw[0] <= kept + 0.1
    assert plant.p_kw[0] == pytest.approx(min(kept, free[0]), abs=0.3)
    if kept < 0.5 * free[0]:
        assert kept + 1 < first < free[0]  # not at once
    assert plant.p_kw[1] == pytest.approx(free[1], abs=0.5)


def test_a_stopped_inverter_stays_off_until_it_is_started() -> None:
    plant = settled(inverters(), NOON)
    plant.command(0, Verb.STOP)
    settled(plant, NOON, 60)
    assert plant.p_kw[0] == 0 and plant.state()[0] == State.STOPPED and plant.p_kw[1] > 0
    plant.command(0, Verb.START)
    settled(plant, NOON, 60)
    assert plant.p_kw[0] > 80


def test_a_tripped_inverter_needs_a_reset() -> None:
    plant = settled(inverters(), NOON)
    plant.command(0, Verb.TRIP)
    plant.step(1.0, NOON)
    assert plant.p_kw[0] == 0 and plant.state()[0] == State.FAULT
    plant.command(0, Verb.START)
    assert settled(plant, NOON, 60).p_kw[0] == 0
    plant.command(0, Verb.RESET)
    plant.command(0, Verb.START)
    assert settled(plant, NOON, 60).p_kw[0] > 80


@given(kvar=st.floats(-500, 500))
def test_reactive_power_follows_its_setpoint_within_the_rating(kvar: float) -> None:
    plant = inverters()
    plant.command(1, Verb.REACTIVE, kvar)
    settled(plant, NOON, 100)
    room = float(np.sqrt(110.0**2 - plant.p_kw[1] ** 2))
    assert plant.q_kvar[1] == pytest.approx(min(max(kvar, -room), room), abs=0.5)


# --- storage ------------------------------------------------------------------------------------------------------


def battery(soc: float = 0.5) -> Storage:
    storage = Storage(1, np.array([500.0]), np.array([1000.0]))
    storage.soc = np.array([soc])
    return storage


def run(storage: Storage, seconds: float, dt_s: float = 1.0) -> float:
    """kWh given to the busbar."""
    given_kwh = 0.0
    for _ in range(int(seconds / dt_s)):
        storage.step(dt_s, 15.0, 20.0)
        given_kwh += storage.p_kw[0] * dt_s / 3600.0
    return given_kwh


def test_charging_and_discharging_lose_what_a_battery_plant_loses() -> None:
    storage = battery(0.3)
    storage.command(0, Verb.POWER, -400.0)
    taken = -run(storage, 3600)
    risen = storage.soc[0] - 0.3
    storage.command(0, Verb.POWER, 400.0)
    given_back = 0.0
    while storage.soc[0] > 0.3:
        given_back += run(storage, 10)
    assert 0.9 * taken < 1000 * risen < taken
    assert 0.86 < given_back / taken < 0.96  # round trip, without auxiliaries


def test_power_answers_a_setpoint_as_a_first_order_system() -> None:
    storage = battery()
    storage.command(0, Verb.POWER, 300.0)
    run(storage, 0.4, 0.05)
    assert storage.p_kw[0] == pytest.approx(300 * (1 - np.exp(-1)), rel=0.01)
    run(storage, 4)
    assert storage.p_kw[0] == pytest.approx(300, abs=0.1)


@given(
    power=st.floats(-2000, 2000), soc=st.floats(0.0, 1.0), dt_s=st.sampled_from([0.1, 1.0, 12.0, 60.0]),
    hours=st.integers(1, 4),
)  # fmt: skip
def test_charge_stays_within_the_battery_whatever_is_asked(power: float, soc: float, dt_s: float, hours: int) -> None:
    storage = battery(soc)
    storage.command(0, Verb.POWER, power)
    for _ in range(min(400, int(hours * 3600 / dt_s))):
        storage.step(dt_s, 15.0, 30.0)
        assert 0.0 <= storage.soc[0] <= 1.0
        assert abs(storage.p_kw[0]) <= 500.0 + 1e-9
        assert -storage.charge_limit_kw[0] - 1e-9 <= storage.p_kw[0] <= storage.discharge_limit_kw[0] + 1e-9


def test_it_stops_at_both_ends() -> None:
    storage = battery(0.8)
    storage.command(0, Verb.POWER, -500.0)
    run(storage, 4 * 3600, 5.0)
    assert 0.96 < storage.soc[0] <= 0.97 and storage.p_kw[0] > -5
    storage.command(0, Verb.POWER, 500.0)
    run(storage, 5 * 3600, 5.0)
    assert 0.04 <= storage.soc[0] < 0.055 and storage.p_kw[0] < 25
    assert storage.bms_columns()["cell_voltage_min"][0] < 3.1


def test_its_own_schedule_ends_with_the_first_setpoint() -> None:
    storage = battery()
    for _ in range(20):
        storage.step(1.0, 12.5, 20.0)
    assert storage.p_kw[0] == pytest.approx(-0.38 * 500)  # noon: it charges
    storage.command(0, Verb.POWER, 50.0)
    for hour in (12.5, 19.0, 3.0):
        for _ in range(20):
            storage.step(1.0, hour, 20.0)
        assert storage.p_kw[0] == pytest.approx(50)


def test_the_schedule_ends_the_day_where_it_began() -> None:
    storage = battery(0.17)
    for second in range(0, 86400, 30):
        storage.step(30.0, second / 3600.0, 20.0)
    assert storage.soc[0] == pytest.approx(0.17, abs=0.06)
    assert scheduled_share(12.0) < 0 < scheduled_share(19.0)


def test_work_warms_the_cells_and_needs_cooling() -> None:
    storage = battery(0.95)
    run(storage, 3600, 10.0)
    rest_c, rest_kw = storage.cell_c[0], storage.auxiliary_kw[0]
    storage.command(0, Verb.POWER, 500.0)
    run(storage, 4000, 10.0)
    assert storage.cell_c[0] > rest_c + 1.5 and storage.auxiliary_kw[0] > rest_kw


def test_battery_voltage_sags_with_discharge_and_agrees_with_power() -> None:
    storage = battery()
    storage.command(0, Verb.POWER, 0.0)
    run(storage, 10)
    open_v = storage.dc_v[0]
    storage.command(0, Verb.POWER, 500.0)
    run(storage, 10)
    assert storage.dc_v[0] < open_v - 5
    assert storage.dc_v[0] * storage.dc_a[0] / 1000 == pytest.approx(storage.dc_kw[0])
    assert storage.dc_kw[0] > storage.p_kw[0]


# --- genset -------------------------------------------------------------------------------------------------------


def test_a_genset_starts_warms_takes_load_cools_and_stops() -> None:
    gensets = Gensets(1, np.array([500.0]))
    seen: list[State] = []

    def live(seconds: float) -> None:
        for _ in range(int(seconds)):
            gensets.step(1.0, 20.0)
            if not seen or seen[-1] is not State(int(gensets.phase[0])):
                seen.append(State(int(gensets.phase[0])))

    live(10)
    assert seen == [State.STOPPED] and gensets.p_kw[0] == 0 and gensets.speed_rpm[0] == 0
    fuel = gensets.fuel_l[0]
    gensets.command(0, Verb.START)
    live(CRANK_S + WARM_UP_S + 1)
    assert gensets.speed_rpm[0] == pytest.approx(1500, abs=5)
    early = gensets.p_kw[0]
    live(60)
    assert early < 60 and gensets.p_kw[0] == pytest.approx(300)  # 60 % where nobody says otherwise
    gensets.command(0, Verb.POWER, 450.0)
    live(3600)
    assert gensets.p_kw[0] == pytest.approx(450)
    assert fuel - gensets.fuel_l[0] == pytest.approx(0.235 * 450 + 11, rel=0.1)
    assert gensets.coolant_c[0] > 80
    gensets.command(0, Verb.STOP)
    live(COOL_DOWN_S + 40)
    assert gensets.p_kw[0] == 0
    assert seen == [State.STOPPED, State.STARTING, State.WARMING, State.RUNNING, State.COOLING, State.STOPPED]


def test_an_empty_tank_stops_the_engine() -> None:
    gensets = Gensets(1, np.array([500.0]))
    gensets.fuel_l = np.array([3.0])
    gensets.command(0, Verb.START)
    for _ in range(600):
        gensets.step(1.0, 20.0)
        assert gensets.fuel_l[0] >= 0
    assert gensets.fuel_l[0] == pytest.approx(0, abs=1e-6) and gensets.p_kw[0] == 0


# --- chargers, loads, transformer ---------------------------------------------------------------------------------


def test_cars_come_charge_what_they_need_and_leave() -> None:
    chargers = Chargers(2, np.array([150.0, 22.0]), [2, 1])
    taken_kwh, phases, most = 0.0, set(), 0.0
    start_kwh = chargers.total_kwh.sum()
    for second in range(0, 86400, 5):
        chargers.step(5.0, 739400, float(second))
        taken_kwh += chargers.dc_kw.sum() * 5 / 3600
        phases |= {State(int(phase)) for phase in chargers.phase}
        most = max(most, float(chargers.p_kw[0]))
        assert (chargers.p_kw[0] <= 150.2) and (chargers.p_kw[1] <= 22.2) and (chargers.soc <= 93).all()
    assert phases == {State.AVAILABLE, State.CONNECTED, State.CHARGING, State.FINISHED}
    assert taken_kwh > 200 and most > 60
    assert chargers.total_kwh.sum() - start_kwh == pytest.approx(taken_kwh)


def test_a_charger_keeps_its_limit() -> None:
    chargers = Chargers(2, np.array([150.0]), [2])
    chargers.command(0, Verb.LIMIT, 30.0)
    seen = []
    for second in range(0, 86400, 20):
        chargers.step(20.0, 739400, float(second))
        seen.append(float(chargers.p_kw[0]))
    assert 29 < max(seen) <= 30.2


def test_working_days_differ_from_weekends() -> None:
    loads = Loads(1, np.array([600.0, 400.0, 300.0]))

    def mean_kw(weekday: int) -> Floats:
        rows = []
        for minute in range(0, 1440, 5):
            loads.step(1e9 + 60.0 * minute, minute / 60.0, weekday)
            assert (loads.p_kw > 0).all() and (loads.q_kvar > 0).all()
            rows.append(loads.p_kw)
        mean: Floats = np.array(rows).mean(axis=0)
        return mean

    monday, sunday = mean_kw(0), mean_kw(6)
    assert (monday[:2] > 1.7 * sunday[:2]).all() and monday[2] < 1.3 * sunday[2]


def test_windings_follow_the_load_in_minutes_and_the_oil_in_hours() -> None:
    transformer = Transformer(1, np.array([2500.0]))
    for _ in range(600):
        transformer.step(60.0, 500.0, 20.0)
    oil, winding = transformer.oil_rise[0], transformer.winding_rise[0]
    for _ in range(15):
        transformer.step(60.0, 2500.0, 20.0)
    assert transformer.winding_rise[0] - winding > 0.8 * (28 - winding)
    assert transformer.oil_rise[0] - oil < 0.2 * (45 - oil)
    for _ in range(1200):
        transformer.step(60.0, 2500.0, 20.0)
    columns = transformer.columns()
    assert columns["winding_temperature"][0] == pytest.approx(20 + 73, abs=20)
    assert columns["fan"][0] == 1.0
