"""Diesel gensets: standing by, started on order, warmed up, loaded by a ramp, cooled down; fuel and engine."""

from __future__ import annotations

from typing import Final

import numpy as np

from app.simulation.dynamics import Machines, State, Verb, approach, given
from app.simulation.noise import Floats, uniform

CRANK_S: Final = 6.0
WARM_UP_S: Final = 12.0
COOL_DOWN_S: Final = 60.0
RAMP_PER_S: Final = 0.05
"""Share of the rating by which power may change in a second."""
DEFAULT_LOAD: Final = 0.6
"""Where nobody writes a power setpoint, a running genset carries this share of its rating."""
POWER_FACTOR_TAN: Final = 0.33
FUEL_L_PER_KWH: Final = 0.235
FUEL_IDLE_L_PER_H_KW: Final = 0.022
TANK_L_PER_KW: Final = 2.0
SPEED_RPM: Final = 1500.0


class Gensets(Machines):
    """`ratings_kw` float64[n]. Off until started. Power is positive into the busbar."""

    def __init__(self, seed: int, ratings_kw: Floats) -> None:
        super().__init__(len(ratings_kw), started=False)
        rows = np.arange(self.count)
        self.rating_kw = ratings_kw
        self.phase: Floats = np.full(self.count, float(State.STOPPED))
        self._in_phase_s: Floats = np.zeros(self.count)
        self.tank_l = TANK_L_PER_KW * ratings_kw
        self.fuel_l: Floats = self.tank_l * (0.82 + 0.1 * uniform(seed, rows, 0))
        self.speed_rpm: Floats = np.zeros(self.count)
        self.coolant_c: Floats = np.full(self.count, 38.0)
        self.oil_c: Floats = np.full(self.count, 34.0)
        self.running_h: Floats = np.floor(8.0 + 6.0 * uniform(seed + 1, rows, 0))
        self.fuel_used_l: Floats = np.floor(900.0 + 300.0 * uniform(seed + 3, rows, 0))
        self.starts: Floats = np.floor(9.0 + 5.0 * uniform(seed + 2, rows, 0))

    def step(self, dt_s: float, ambient_c: float) -> None:
        """Advance; afterwards `p_kw` and `q_kvar` hold for the step."""
        self._in_phase_s = self._in_phase_s + dt_s
        wants = self.started & ~self.tripped & (self.fuel_l > 0.0)
        for row in range(self.count):
            self._switch(row, bool(wants[row]))
        loaded = self.phase == State.RUNNING
        wanted = np.clip(given(self.setpoints[Verb.POWER], DEFAULT_LOAD * self.rating_kw), 0.0, self.rating_kw)
        hours = dt_s / 3600.0
        per_kwh = FUEL_L_PER_KWH
        idle_l = FUEL_IDLE_L_PER_H_KW * self.rating_kw * hours * (self.speed_rpm > 1000.0)
        left_kw = np.maximum(self.fuel_l - idle_l, 0.0) / (per_kwh * hours)
        target = np.where(loaded & wants & self.closed, np.minimum(wanted, left_kw), 0.0)
        change = np.clip(target - self.p_kw, -RAMP_PER_S * self.rating_kw * dt_s, RAMP_PER_S * self.rating_kw * dt_s)
        self.p_kw = np.where(loaded & self.closed, np.minimum(self.p_kw + change, left_kw), 0.0)
        self.q_kvar = POWER_FACTOR_TAN * self.p_kw
        turning = (self.phase != State.STOPPED) & ((self.phase != State.STARTING) | (self._in_phase_s > 0.6 * CRANK_S))
        self.speed_rpm = approach(self.speed_rpm, np.where(turning, SPEED_RPM, 0.0), dt_s, 1.5)
        before_l = self.fuel_l
        self.fuel_l = np.maximum(before_l - idle_l - per_kwh * self.p_kw * hours, 0.0)
        self.fuel_used_l = self.fuel_used_l + before_l - self.fuel_l
        self._warm(dt_s, ambient_c)

    def _switch(self, row: int, wants: bool) -> None:
        """The start and stop sequence of one engine."""
        phase, since = State(int(self.phase[row])), float(self._in_phase_s[row])
        following = phase
        if self.tripped[row]:
            following = State.STOPPED
        elif phase is State.STOPPED and wants:
            following = State.STARTING
            self.starts[row] += 1.0
        elif phase is State.STARTING and since >= CRANK_S:
            following = State.WARMING
        elif wants and (phase is State.COOLING or (phase is State.WARMING and since >= WARM_UP_S)):
            following = State.RUNNING
        elif (phase in (State.STARTING, State.WARMING) and not wants) or (
            phase is State.RUNNING and not wants and self.p_kw[row] <= 1e-3
        ):
            following = State.COOLING
        elif phase is State.COOLING and since >= COOL_DOWN_S:
            following = State.STOPPED
        if following is not phase:
            self.phase[row] = following
            self._in_phase_s[row] = 0.0

    def _warm(self, dt_s: float, ambient_c: float) -> None:
        running = self.speed_rpm > 1000.0
        load = self.p_kw / np.maximum(self.rating_kw, 1e-9)
        rest = max(38.0, ambient_c)  # a heater keeps the coolant ready to start
        self.coolant_c = approach(self.coolant_c, np.where(running, 78.0 + 10.0 * load, rest), dt_s, 400.0)
        self.oil_c = approach(self.oil_c, np.where(running, 82.0 + 22.0 * load, rest - 4.0), dt_s, 600.0)
        self.running_h = self.running_h + running * (dt_s / 3600.0)

    def columns(self) -> dict[str, Floats]:
        """Quantities besides the AC side. `excited` tells where voltage stands at the terminals."""
        running = self.speed_rpm > 1000.0
        cranking = self.phase == State.STARTING
        return {
            "state": np.where(self.tripped, float(State.FAULT), self.phase),
            "fault": self.tripped.astype(np.float64),
            "running": running.astype(np.float64),
            "breaker": (self.phase == State.RUNNING).astype(np.float64) * self.closed,
            "excited": np.clip(self.speed_rpm / SPEED_RPM, 0.0, 1.0) * running,
            "speed": self.speed_rpm,
            "load": 100.0 * self.p_kw / np.maximum(self.rating_kw, 1e-9),
            "rated_power": self.rating_kw,
            "fuel_level": 100.0 * self.fuel_l / np.maximum(self.tank_l, 1e-9),
            "fuel_volume": self.fuel_l,
            "fuel_used": self.fuel_used_l,
            "oil_pressure": 4400.0 * np.clip(self.speed_rpm / SPEED_RPM, 0.0, 1.0),
            "coolant_temperature": self.coolant_c,
            "oil_temperature": self.oil_c,
            "coolant_level": np.full(self.count, 96.0),
            "oil_level": np.full(self.count, 88.0),
            "battery_voltage": np.where(cranking, 20.8, np.where(running, 27.4, 25.7)),
            "alternator_voltage": np.where(running, 28.2, 0.0),
            "running_hours": self.running_h,
            "starts": self.starts,
            "active_power_setpoint": given(self.setpoints[Verb.POWER], DEFAULT_LOAD * self.rating_kw),
        }
