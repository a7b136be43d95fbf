"""EV chargers: cars that come, charge along a tapering curve, and leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from app.simulation.dynamics import Machines, State, Verb, approach, given
from app.simulation.noise import Floats, uniform

SLOTS: Final = 16
"""Times of the day at which a car may come to a connector; not all are taken."""
DC_FROM_KW: Final = 40.0
EFFICIENCY: Final = 0.95
STANDBY_KW: Final = 0.06
HANDSHAKE_S: Final = 20.0
RAMP_TAU_S: Final = 4.0
REACTIVE_SHARE: Final = 0.05
AMPS_PER_KW: Final = 1000.0 / (3.0**0.5 * 400.0)
"""What a three-phase charger's limit in amperes means."""


class Chargers(Machines):
    """`ratings_kw` float64[n] (AC); `connectors` of each. Power is positive out of the busbar.

    The cars of a day follow from the seed, the connector and the date alone.
    """

    def __init__(self, seed: int, ratings_kw: Floats, connectors: Sequence[int]) -> None:
        super().__init__(len(ratings_kw))
        self.rating_kw = ratings_kw
        self._seed = seed
        self.owner = np.repeat(np.arange(self.count), np.asarray(connectors, dtype=np.int64))
        self.number = np.concatenate([np.arange(n) for n in connectors]) if self.count else np.arange(0)
        size = len(self.owner)
        self._most = max(connectors, default=0)
        self._fast = ratings_kw[self.owner] >= DC_FROM_KW
        self._connector_limit: Floats = np.full(size, np.nan)
        self._day = -1
        self._arrival_s = np.zeros((size, SLOTS))
        self._leaving_s = np.zeros((size, SLOTS))
        self._need_kwh = np.zeros((size, SLOTS))
        self._first_soc = np.zeros((size, SLOTS))
        self._battery_kwh = np.zeros((size, SLOTS))
        self._car = np.full(size, -1)
        self.phase: Floats = np.full(size, float(State.AVAILABLE))
        self.dc_kw: Floats = np.zeros(size)
        self.session_kwh: Floats = np.zeros(size)
        self.session_s: Floats = np.zeros(size)
        self.soc: Floats = np.zeros(size)
        self.total_kwh: Floats = 2000.0 + np.round(900.0 * uniform(seed + 9, np.arange(size), 0), 2)

    def command(self, row: int, verb: str, value: float = 1.0) -> None:
        base, _, number = verb.rpartition("_")
        if base == Verb.LIMIT and number.isdecimal():
            self._connector_limit[(self.owner == row) & (self.number == int(number) - 1)] = value
        else:
            super().command(row, verb, value)

    def step(self, dt_s: float, day: int, second_of_day: float) -> None:
        """Advance; `day` numbers the local date. Afterwards `p_kw` and `q_kvar` hold for the step."""
        if day != self._day:
            self._day = day
            self._plan_day(day)
        self._come_and_go(second_of_day)
        here = self._car >= 0
        car = np.maximum(self._car, 0)
        row = np.arange(len(car))
        need, battery = self._need_kwh[row, car], self._battery_kwh[row, car]
        since = second_of_day - self._arrival_s[row, car]
        charging = here & (self.session_kwh < need) & (since >= HANDSHAKE_S) & self.able[self.owner]
        # Full power up to 60 %, then falling; a car takes what its own battery stands.
        taper = np.clip(1.0 - (self.soc - 60.0) / 55.0, 0.2, 1.0)
        car_kw = np.where(self._fast, 1.6 * battery, 0.11 * battery + 3.0) * taper
        own_kw = np.minimum(car_kw, given(self._connector_limit, self.rating_kw[self.owner]))
        target = np.where(charging, own_kw, 0.0)
        limit = np.minimum(given(self.setpoints[Verb.LIMIT], self.rating_kw), self.rating_kw) * EFFICIENCY
        asked = self._by_charger(target)
        fits = np.divide(limit, asked, out=np.ones(self.count), where=asked > limit)
        self.dc_kw = np.where(
            charging | (self.dc_kw > 0.05), approach(self.dc_kw, target * fits[self.owner], dt_s, RAMP_TAU_S), 0.0
        )
        self.dc_kw = np.where(here & self.able[self.owner], self.dc_kw, 0.0)
        self.dc_kw = np.minimum(self.dc_kw, np.maximum(need - self.session_kwh, 0.0) * 3600.0 / dt_s)
        energy = self.dc_kw * dt_s / 3600.0
        self.session_kwh = self.session_kwh + energy
        self.total_kwh = self.total_kwh + energy
        self.session_s = self.session_s + charging * dt_s
        self.soc = np.where(here, self._first_soc[row, car] + 100.0 * self.session_kwh / battery, 0.0)
        self.phase = np.select(
            [~here, charging, self.session_kwh >= need],
            [float(State.AVAILABLE), float(State.CHARGING), float(State.FINISHED)],
            float(State.CONNECTED),
        )
        powered = self.closed & ~self.tripped
        self.p_kw = np.where(powered, self._by_charger(self.dc_kw) / EFFICIENCY + STANDBY_KW, 0.0)
        reactive = given(self.setpoints[Verb.REACTIVE], REACTIVE_SHARE * self.p_kw)
        self.q_kvar = np.where(powered, reactive, 0.0)

    def _plan_day(self, day: int) -> None:
        size = len(self.owner)
        draw = [uniform(self._seed + k, np.arange(size * SLOTS), day).reshape(size, SLOTS) for k in range(5)]
        fast = self._fast[:, np.newaxis]
        # Fast chargers see a car most hours of the day; at a wallbox one car parks in the morning, one after noon.
        slot = np.arange(SLOTS)
        starts = np.where(fast, 6.5 + slot, np.select([slot == 0, slot == 1], [8.2, 13.2], 99.0))
        taken = draw[0] < np.where(fast, 0.75, 0.85)
        arrival_h = np.where(taken, starts + np.where(fast, 0.35, 0.8) * draw[1], 99.0)
        stay_h = np.where(fast, 0.4 + 0.25 * draw[2], 3.2 + 1.0 * draw[2])
        self._arrival_s = 3600.0 * arrival_h
        self._leaving_s = 3600.0 * np.minimum(arrival_h + stay_h, 23.9)
        self._battery_kwh = np.round(45.0 + 45.0 * draw[3])
        self._first_soc = np.round(12.0 + 38.0 * draw[4], 1)
        wanted_pct = np.where(fast, 82.0, 92.0) - self._first_soc
        self._need_kwh = self._battery_kwh * wanted_pct / 100.0

    def _come_and_go(self, second_of_day: float) -> None:
        present = (self._arrival_s <= second_of_day) & (second_of_day < self._leaving_s)
        car = np.where(present.any(axis=1), present.argmax(axis=1), -1)
        changed = car != self._car
        self.session_kwh = np.where(changed, 0.0, self.session_kwh)
        self.session_s = np.where(changed, 0.0, self.session_s)
        self._car = car

    def _by_charger(self, values: Floats) -> Floats:
        return np.bincount(self.owner, weights=values, minlength=self.count).astype(np.float64)

    def columns(self) -> dict[str, Floats]:
        """Quantities besides the AC side. Those of a connector a charger does not have are 0."""
        busy = np.zeros(self.count)
        np.maximum.at(busy, self.owner, (self.phase == State.CHARGING) * 1.0)
        waiting = np.zeros(self.count)
        np.maximum.at(waiting, self.owner, (self.phase != State.AVAILABLE) * 1.0)
        state = np.select(
            [self.tripped, ~self.started, busy > 0.0, waiting > 0.0],
            [float(State.FAULT), float(State.STOPPED), float(State.CHARGING), float(State.CONNECTED)],
            float(State.AVAILABLE),
        )
        volts = np.where(self.phase == State.CHARGING, 340.0 + 0.9 * self.soc, 0.0)
        amps = np.divide(1000.0 * self.dc_kw, volts, out=np.zeros(len(volts)), where=volts > 0.0)
        of_connector = {
            "state": np.where((self.tripped | ~self.started)[self.owner], state[self.owner], self.phase),
            "power": self.dc_kw,
            "voltage": volts,
            "current": amps,
            "soc": self.soc,
            "session_energy": self.session_kwh,
            "session_time": self.session_s,
            "energy": self.total_kwh,
            "available_power": self.rating_kw[self.owner],
            "power_limit_setpoint": given(self._connector_limit, self.rating_kw[self.owner]),
        }
        first = self.number == 0
        result = {
            "state": state,
            "fault": self.tripped.astype(np.float64),
            "breaker": self.closed.astype(np.float64),
            "charging": busy,
            "connected": waiting,
            "rated_power": self.rating_kw,
            "rated_current": self.rating_kw * AMPS_PER_KW,
            "least_current": np.full(self.count, 6.0),
            "phases": np.full(self.count, 3.0),
            "connectors": self._by_charger(np.ones(len(self.owner))),
            "dc_power": self._by_charger(self.dc_kw),
            "soc": self.soc[first],
            "session_energy": self._by_charger(self.session_kwh),
            "session_time": self.session_s[first],
            "power_limit_setpoint": given(self.setpoints[Verb.LIMIT], self.rating_kw),
            "reactive_power_setpoint": given(self.setpoints[Verb.REACTIVE], REACTIVE_SHARE * self.p_kw),
            "reactive_inductive": np.maximum(self.q_kvar, 0.0),
            "reactive_capacitive": np.maximum(-self.q_kvar, 0.0),
        }
        for k in range(self._most):
            rows = self.number == k
            for name, values in of_connector.items():
                column = np.zeros(self.count)
                column[self.owner[rows]] = values[rows]
                result[f"connector_{k + 1}_{name}"] = column
        return result
