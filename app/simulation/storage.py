"""Battery storage: a converter (PCS) and its battery (BMS), from setpoint to charge, cells and temperatures."""

from __future__ import annotations

from typing import Final

import numpy as np

from app.simulation.dynamics import Machines, State, Verb, approach, given
from app.simulation.noise import Floats, uniform

LOCAL_SCHEDULE: Final = ((0.0, 6.0, -0.12), (8.0, 10.0, 0.15), (11.0, 14.0, -0.38), (17.0, 21.5, 0.32))
"""From hour, to hour, share of the rating (positive discharges); a two-hour battery ends the day as it began it."""
SCHEDULE_RAMP_H: Final = 0.01

POWER_TAU_S: Final = 0.4
LOSS_LINEAR, LOSS_SQUARE = 0.010, 0.010
"""Converter losses by AC power, of the rating: 98 % at full power. What it uses idle is in the auxiliaries."""
IDLE_LOSS: Final = 0.003
BATTERY_LOSS: Final = 0.012
"""Ohmic loss of the battery at rated power."""
COULOMB_EFFICIENCY: Final = 0.995
FULL_TAPER: Final = (90.0, 97.0)
"""SOC in % from which charging is limited, and where it ends."""
EMPTY_TAPER: Final = (10.0, 4.0)
CELL_NOMINAL_V: Final = 3.22
CELLS: Final = 240
CELLS_PER_MODULE: Final = 16
# Open-circuit voltage of a lithium iron phosphate cell, typical of published curves.
_SOC: Final = np.array([0, 2, 5, 10, 15, 20, 30, 40, 50, 60, 70, 80, 90, 95, 98, 100]) / 100.0
_OCV: Final = np.array(
    [2.60, 2.90, 3.05, 3.18, 3.21, 3.24, 3.27, 3.285, 3.29, 3.295, 3.31, 3.33, 3.335, 3.34, 3.36, 3.45]
)
HEAT_CAPACITY_KWH_PER_K: Final = 0.0018
"""Of the cells, by kWh of capacity: about 6.5 kg/kWh at 1 kJ/(kg K)."""
ROOM_C: Final = 24.0
COOLING_COP: Final = 2.8


class Storage(Machines):
    """`ratings_kw`, `capacities_kwh` float64[n]. Power is positive when it discharges into the busbar."""

    def __init__(self, seed: int, ratings_kw: Floats, capacities_kwh: Floats) -> None:
        super().__init__(len(ratings_kw))
        rows = np.arange(self.count)
        self.rating_kw = ratings_kw
        self.capacity_kwh = capacities_kwh
        self.apparent_kva = 1.1 * ratings_kw
        self.soc: Floats = 0.16 + 0.04 * uniform(seed, rows, 0)
        self.soh_pct: Floats = 98.5 + 1.0 * uniform(seed + 1, rows, 0)
        self.cell_c: Floats = np.full(self.count, 25.5) + uniform(seed + 2, rows, 0)
        self.room_c: Floats = np.full(self.count, ROOM_C)
        self.sink_c: Floats = np.full(self.count, 30.0)
        self.charged_ah: Floats = np.zeros(self.count)
        self.cycles: Floats = np.floor(56.0 + 6.0 * uniform(seed + 3, rows, 0))
        self._nominal_v = CELLS * CELL_NOMINAL_V
        self.capacity_ah = capacities_kwh * 1000.0 / self._nominal_v
        self._ohm = BATTERY_LOSS * self._nominal_v**2 / (1000.0 * np.maximum(ratings_kw, 1e-9))
        self.dc_kw: Floats = np.zeros(self.count)
        self.dc_v: Floats = CELLS * self._open_circuit_v()
        self.dc_a: Floats = np.zeros(self.count)
        self.auxiliary_kw: Floats = np.zeros(self.count)
        self.charge_limit_kw: Floats = ratings_kw.copy()
        self.discharge_limit_kw: Floats = ratings_kw.copy()
        self.target_kw: Floats = np.zeros(self.count)
        self.scheduled: Floats = np.zeros(self.count)

    def step(self, dt_s: float, local_hour: float, ambient_c: float) -> None:
        """Advance; afterwards `p_kw`, `q_kvar` and `auxiliary_kw` hold for the step."""
        self.expire(dt_s)
        self._limits(dt_s)
        self.scheduled = np.full(self.count, scheduled_share(local_hour)) * self.rating_kw
        wanted = given(self.setpoints[Verb.POWER], self.scheduled)
        wanted = np.where(self.deaf, self.target_kw, np.where(self.backwards, -wanted, wanted))
        able = self.able
        self.target_kw = np.where(able, np.clip(wanted, -self.rating_kw, self.rating_kw), 0.0)
        p_kw = approach(self.p_kw, self.target_kw, dt_s, POWER_TAU_S)
        carried = self.closed & ~self.tripped
        self.p_kw = np.where(carried, np.clip(p_kw, -self.charge_limit_kw, self.discharge_limit_kw), 0.0)
        self.p_kw[np.abs(self.p_kw) < 1e-6] = 0.0
        room = np.sqrt(np.maximum(self.apparent_kva**2 - self.p_kw**2, 0.0))
        q_wanted = np.where(able, given(self.setpoints[Verb.REACTIVE], np.zeros(self.count)), 0.0)
        self.q_kvar = np.where(carried, np.clip(approach(self.q_kvar, q_wanted, dt_s, POWER_TAU_S), -room, room), 0.0)
        self._discharge(dt_s)
        self._warm(dt_s, ambient_c)

    def _limits(self, dt_s: float) -> None:
        """What the BMS allows, kW: full between the tapers, nothing at the ends, never beyond what is left."""
        soc = 100.0 * self.soc
        full = np.clip((FULL_TAPER[1] - soc) / (FULL_TAPER[1] - FULL_TAPER[0]), 0.0, 1.0)
        empty = np.clip((soc - EMPTY_TAPER[1]) / (EMPTY_TAPER[0] - EMPTY_TAPER[1]), 0.0, 1.0)
        hot = np.clip((55.0 - self.cell_c) / 5.0, 0.0, 1.0)
        hours = dt_s / 3600.0
        self.charge_limit_kw = np.minimum(self.rating_kw * full * hot, (1.0 - self.soc) * self.capacity_kwh / hours)
        left = 0.9 * self.soc * self.capacity_kwh / hours
        self.discharge_limit_kw = np.minimum(self.rating_kw * empty * hot, left)

    def _discharge(self, dt_s: float) -> None:
        """DC side and state of charge from the AC power of the step."""
        size = np.abs(self.p_kw)
        loss = LOSS_LINEAR * size + LOSS_SQUARE * size**2 / np.maximum(self.rating_kw, 1e-9)
        self.dc_kw = self.p_kw + loss
        ocv = CELLS * self._open_circuit_v()
        # U = OCV - R I and P = U I, solved for I.
        self.dc_a = (ocv - np.sqrt(np.maximum(ocv**2 - 4000.0 * self._ohm * self.dc_kw, 0.0))) / (2.0 * self._ohm)
        self.dc_v = ocv - self._ohm * self.dc_a
        stored = np.where(self.dc_a < 0.0, self.dc_a * COULOMB_EFFICIENCY, self.dc_a)
        amp_hours = stored * dt_s / 3600.0
        self.soc = self.soc - amp_hours / self.capacity_ah
        self.charged_ah = self.charged_ah + np.maximum(-amp_hours, 0.0)

    def _warm(self, dt_s: float, ambient_c: float) -> None:
        """Cells heat the room, the air conditioner holds it; both converters and air conditioners need power."""
        ohmic_kw = self._ohm * self.dc_a**2 / 1000.0
        mass = HEAT_CAPACITY_KWH_PER_K * self.capacity_kwh
        to_room_kw = mass / 1.5 * (self.cell_c - self.room_c)  # the cells follow the room with 1.5 h
        self.cell_c = self.cell_c + (ohmic_kw - to_room_kw) * (dt_s / 3600.0) / mass
        leak_kw = 0.0001 * self.capacity_kwh * (ambient_c - self.room_c)
        load_kw = to_room_kw + leak_kw
        wanted_kw = load_kw + 0.0004 * self.capacity_kwh * (self.room_c - ROOM_C)
        cooling_kw = np.clip(wanted_kw, 0.0, 0.02 * self.capacity_kwh)
        heating_kw = np.clip(-wanted_kw, 0.0, 0.006 * self.capacity_kwh)
        drift = ROOM_C + (load_kw - cooling_kw + heating_kw) / (0.0002 * self.capacity_kwh)
        self.room_c = approach(self.room_c, drift, dt_s, 900.0)
        self.auxiliary_kw = (
            0.0008 * self.capacity_kwh
            + np.where(self.started, IDLE_LOSS, 0.001) * self.rating_kw
            + cooling_kw / COOLING_COP
            + heating_kw
        )
        load = np.abs(self.p_kw) / np.maximum(self.rating_kw, 1e-9)
        self.sink_c = approach(self.sink_c, self.room_c + 6.0 + 30.0 * load, dt_s, 240.0)

    def _open_circuit_v(self) -> Floats:
        result: Floats = np.interp(self.soc, _SOC, _OCV)
        return result

    def state(self) -> Floats:
        """A `State` each, as numbers."""
        return np.select(
            [self.tripped, ~self.started, self.p_kw > 0.5, self.p_kw < -0.5],
            [float(State.FAULT), float(State.STOPPED), float(State.DISCHARGING), float(State.CHARGING)],
            float(State.STANDBY),
        )

    def pcs_columns(self) -> dict[str, Floats]:
        """Quantities of the converters besides the AC side."""
        running = self.able
        limited = np.abs(self.p_kw - self.target_kw) > 0.02 * self.rating_kw
        return {
            **self.bms_columns(),
            "state": self.state(),
            "breaker": self.closed.astype(np.float64),
            "running": running.astype(np.float64),
            "standby": (running & (np.abs(self.p_kw) <= 0.5)).astype(np.float64),
            "derating": (running & limited).astype(np.float64),
            "rated_power": self.rating_kw,
            "sink_temperature": self.sink_c,
            "internal_temperature": 0.5 * (self.sink_c + self.room_c),
            "active_power_setpoint": given(self.setpoints[Verb.POWER], self.scheduled),
            "reactive_power_setpoint": given(self.setpoints[Verb.REACTIVE], np.zeros(self.count)),
            "rated_dc_current": 1000.0 * self.rating_kw / self._nominal_v,
            "auxiliary_power": self.auxiliary_kw,
        }

    def bms_columns(self) -> dict[str, Floats]:
        """Quantities of the batteries; a converter shows the same of its battery."""
        soc = 100.0 * self.soc
        cell_v = self.dc_v / CELLS
        spread = 0.003 + 0.04 * np.clip(np.abs(self.soc - 0.5) - 0.42, 0.0, 0.1) / 0.1
        spread_c = 1.2 + 3.0 * np.abs(self.dc_kw) / np.maximum(self.rating_kw, 1e-9)
        volts = np.maximum(self.dc_v, 1.0)
        idle = np.abs(self.dc_kw) <= 0.5
        flow = np.select([self.dc_kw > 0.5, idle], [State.DISCHARGING, State.STANDBY], State.CHARGING)
        return {
            "state": np.where(self.tripped, float(State.FAULT), float(State.RUNNING)),
            "flow_state": flow.astype(np.float64),
            "fault": self.tripped.astype(np.float64),
            "soc": soc,
            "soh": self.soh_pct,
            "dc_power": self.dc_kw,
            "dc_voltage": self.dc_v,
            "dc_current": self.dc_a,
            "dc_current_size": np.abs(self.dc_a),
            "charging": (self.dc_kw < -0.5).astype(np.float64),
            "discharging": (self.dc_kw > 0.5).astype(np.float64),
            "idle": idle.astype(np.float64),
            "full": (self.charge_limit_kw <= 0.0).astype(np.float64),
            "empty": (self.discharge_limit_kw <= 0.0).astype(np.float64),
            "charge_limit": self.charge_limit_kw,
            "discharge_limit": self.discharge_limit_kw,
            "charge_current_limit": 1000.0 * self.charge_limit_kw / volts,
            "discharge_current_limit": 1000.0 * self.discharge_limit_kw / volts,
            "charge_voltage_limit": np.full(self.count, CELLS * 3.55),
            "discharge_voltage_limit": np.full(self.count, CELLS * 2.8),
            "cell_voltage_max": cell_v + spread,
            "cell_voltage_min": cell_v - spread,
            "cell_voltage_mean": cell_v,
            "cell_temperature_mean": self.cell_c,
            "cell_voltage_max_no": np.full(self.count, 17.0),
            "cell_voltage_min_no": np.full(self.count, 203.0),
            "module_voltage_max": CELLS_PER_MODULE * (cell_v + 0.5 * spread),
            "module_voltage_min": CELLS_PER_MODULE * (cell_v - 0.5 * spread),
            "cell_temperature_max": self.cell_c + spread_c,
            "cell_temperature_min": self.cell_c - spread_c,
            "cell_temperature_max_no": np.full(self.count, 122.0),
            "cell_temperature_min_no": np.full(self.count, 3.0),
            "module_temperature_max": self.cell_c + 0.7 * spread_c,
            "module_temperature_min": self.cell_c - 0.7 * spread_c,
            "internal_temperature": self.room_c,
            "cycles": self.cycles + self.charged_ah / self.capacity_ah,
            "rated_energy": self.capacity_kwh,
            "remaining_energy": self.soc * self.capacity_kwh,
            "capacity": self.capacity_ah,
            "remaining_capacity": self.soc * self.capacity_ah,
            "insulation_resistance": np.full(self.count, 2.5e6),
            "piles": np.maximum(1.0, np.round(self.capacity_kwh / 215.0)),
            "closed": self.closed.astype(np.float64),
        }


def scheduled_share(local_hour: float) -> float:
    """What the converter does by itself until somebody writes a setpoint: share of its rating at an hour of the day."""
    for start, end, share in LOCAL_SCHEDULE:
        if start <= local_hour < end:
            edge = min(local_hour - start, end - local_hour) / SCHEDULE_RAMP_H
            return share * min(1.0, edge)
    return 0.0
