"""PV inverters: irradiance to DC to AC, with temperature, losses, power limit and first-order response."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from app.simulation.dynamics import Machines, State, Verb, approach, given
from app.simulation.noise import Floats, uniform
from app.simulation.weather import Weather

DC_AC_RATIO: Final = 1.053
TEMPERATURE_COEFFICIENT: Final = -0.0035
"""Power a kelvin above 25 degC; crystalline silicon."""
SYSTEM_EFFICIENCY: Final = 0.95
"""Soiling, mismatch and cables."""
LOSS_IDLE, LOSS_LINEAR, LOSS_SQUARE = 0.002, 0.005, 0.008
"""Inverter losses by AC power, of the rating: 98.5 % at full power."""
LIMIT_TAU_S: Final = 1.0
MODULE_TAU_S: Final = 300.0
CABINET_TAU_S: Final = 900.0
FULL_VOLTAGE_V: Final = 720.0


class PvInverters(Machines):
    """`ratings_kw` float64[n], AC. `mppts` and `strings` say how many inputs each inverter's point map shows."""

    def __init__(self, seed: int, ratings_kw: Floats, mppts: Sequence[int], strings: Sequence[int]) -> None:
        super().__init__(len(ratings_kw))
        rows = np.arange(self.count)
        self.rating_kw = ratings_kw
        self.peak_kw = ratings_kw * DC_AC_RATIO
        self.apparent_kva = ratings_kw * 1.1
        self._quality = 0.97 + 0.03 * uniform(seed, rows, 0)
        self.mppt_share = _shares(seed + 1, mppts)
        self.string_share = _shares(seed + 2, strings)
        self._limit_kw = ratings_kw.copy()
        self.limited = np.ones(self.count, dtype=np.bool_)
        """Whether the power limit acts: some inverters have a switch for it."""
        self.module_c: Floats = np.full(self.count, 20.0)
        self.cabinet_c: Floats = np.full(self.count, 25.0)
        self.dc_kw: Floats = np.zeros(self.count)
        self.dc_v: Floats = np.zeros(self.count)
        self.available_kw: Floats = np.zeros(self.count)
        self.running_h: Floats = 610.0 + 20.0 * uniform(seed + 3, rows, 0)
        self.running_day_min: Floats = np.zeros(self.count)

    def command(self, row: int, verb: str, value: float = 1.0) -> None:
        if verb == Verb.LIMIT_SWITCH:
            self.limited[row] = value > 0.0
        else:
            super().command(row, verb, value)

    def step(self, dt_s: float, weather: Weather) -> None:
        """Advance; afterwards `p_kw` and `q_kvar` (positive into the busbar) hold for the step."""
        self.expire(dt_s)
        poa = weather.poa_sites
        # Faiman (2008): module above air by irradiance over heat loss.
        warm = weather.ambient_c + poa / (25.0 + 6.84 * weather.wind_m_s)
        self.module_c = approach(self.module_c, warm, dt_s, MODULE_TAU_S)
        potential = self.peak_kw * poa / 1000.0 * (1.0 + TEMPERATURE_COEFFICIENT * (self.module_c - 25.0))
        dc_kw = np.maximum(potential * self._quality * SYSTEM_EFFICIENCY, 0.0)
        self.available_kw = self._ac_of(dc_kw)
        able = self.able & (self.available_kw > 0.002 * self.rating_kw)

        written = np.clip(given(self.setpoints[Verb.LIMIT], self.rating_kw), 0.0, self.rating_kw)
        limit = np.where(self.limited, written, self.rating_kw)
        derate = np.clip(1.0 - 0.02 * (self.cabinet_c - 60.0), 0.3, 1.0)
        target = np.where(self.able, np.minimum(limit, self.rating_kw * derate), 0.0)
        self._limit_kw = approach(self._limit_kw, target, dt_s, LIMIT_TAU_S)
        ceiling = np.where(self.closed & ~self.tripped, self._limit_kw, 0.0)
        self.p_kw = np.where(able | (self._limit_kw > 1e-3), np.minimum(self.available_kw, ceiling), 0.0)

        room = np.sqrt(np.maximum(self.apparent_kva**2 - self.p_kw**2, 0.0))
        wanted = np.where(able, np.clip(given(self.setpoints[Verb.REACTIVE], np.zeros(self.count)), -room, room), 0.0)
        self.q_kvar = np.clip(approach(self.q_kvar, wanted, dt_s, LIMIT_TAU_S), -room, room)

        self.dc_kw = np.where(self.p_kw > 0.0, self._dc_of(self.p_kw), 0.0)
        used = np.divide(self.dc_kw, dc_kw, out=np.zeros(self.count), where=dc_kw > 0.0)
        # A curtailed inverter leaves the maximum power point towards the open-circuit voltage.
        lit = np.sqrt(np.clip(poa / 60.0, 0.0, 1.0))
        self.dc_v = FULL_VOLTAGE_V * lit * (1.0 - 0.0028 * (self.module_c - 25.0)) * (1.0 + 0.18 * (1.0 - used))
        load = self.p_kw / self.rating_kw
        self.cabinet_c = approach(self.cabinet_c, weather.ambient_c + 4.0 + 24.0 * load, dt_s, CABINET_TAU_S)
        running = self.p_kw > 0.0
        self.running_h = self.running_h + running * (dt_s / 3600.0)
        self.running_day_min = self.running_day_min + running * (dt_s / 60.0)

    def new_day(self) -> None:
        """Midnight in the station's zone."""
        self.running_day_min = np.zeros(self.count)

    def state(self) -> Floats:
        """A `State` each, as numbers."""
        limited = (self.p_kw > 0.0) & (self.p_kw < 0.98 * np.minimum(self.available_kw, self.rating_kw))
        return np.select(
            [self.tripped, ~self.started, self.p_kw <= 0.0, limited],
            [float(State.FAULT), float(State.STOPPED), float(State.STANDBY), float(State.LIMITED)],
            float(State.RUNNING),
        )

    def columns(self) -> dict[str, Floats]:
        """Quantities besides the AC side, a column each."""
        amps = np.divide(1000.0 * self.dc_kw, self.dc_v, out=np.zeros(self.count), where=self.dc_v > 1.0)
        efficiency = np.divide(100.0 * self.p_kw, self.dc_kw, out=np.zeros(self.count), where=self.dc_kw > 0.0)
        result = {
            "state": self.state(),
            "fault": self.tripped.astype(np.float64),
            "breaker": self.closed.astype(np.float64),
            "running": (self.p_kw > 0.0).astype(np.float64),
            "limit_switch": self.limited.astype(np.float64),
            "rated_power": self.rating_kw,
            "rated_reactive_power": 0.6 * self.rating_kw,
            "available_power": np.minimum(self.available_kw, self.rating_kw),
            "dc_power": self.dc_kw,
            "dc_voltage": self.dc_v,
            "dc_current": amps,
            "efficiency": efficiency,
            "bus_voltage": np.where(self.dc_v > 100.0, np.maximum(self.dc_v, 640.0), self.dc_v),
            "module_temperature": self.module_c,
            "internal_temperature": self.cabinet_c,
            "insulation_resistance": np.full(self.count, 1.2e6),
            "running_hours": self.running_h,
            "running_minutes_day": self.running_day_min,
            "power_limit_setpoint": given(self.setpoints[Verb.LIMIT], self.rating_kw),
            "reactive_power_setpoint": given(self.setpoints[Verb.REACTIVE], np.zeros(self.count)),
        }
        for name, shares in (("mppt", self.mppt_share), ("string", self.string_share)):
            for k in range(shares.shape[1]):
                result[f"{name}_{k + 1}_voltage"] = self.dc_v * (shares[:, k] > 0.0)
                result[f"{name}_{k + 1}_current"] = amps * shares[:, k]
                result[f"{name}_{k + 1}_power"] = self.dc_kw * shares[:, k]
        return result

    def _dc_of(self, ac_kw: Floats) -> Floats:
        loss_kw = self.rating_kw * LOSS_IDLE + LOSS_LINEAR * ac_kw + LOSS_SQUARE * ac_kw**2 / self.rating_kw
        result: Floats = ac_kw + loss_kw
        return result

    def _ac_of(self, dc_kw: Floats) -> Floats:
        """The inverse of `_dc_of`, 0 where DC does not cover the idle loss."""
        a, b = LOSS_SQUARE / self.rating_kw, 1.0 + LOSS_LINEAR
        rest = np.maximum(dc_kw - self.rating_kw * LOSS_IDLE, 0.0)
        result: Floats = (np.sqrt(b * b + 4.0 * a * rest) - b) / (2.0 * a)
        return result


def _shares(seed: int, counts: Sequence[int]) -> Floats:
    """How the DC power of each inverter is split over its inputs: float64[n, most], rows sum to 1 (or to 0)."""
    most = max(counts, default=0)
    used = np.arange(most) < np.asarray(counts, dtype=np.int64).reshape(-1, 1)
    rows = np.arange(len(counts) * most).reshape(len(counts), most)
    weights = used * (0.97 + 0.06 * uniform(seed, rows, 0).reshape(rows.shape)) if most else used * 1.0
    total = weights.sum(axis=1, keepdims=True)
    result: Floats = np.divide(weights, total, out=np.zeros_like(weights, dtype=np.float64), where=total > 0.0)
    return result
