"""What all machines of the park share: how they approach a target, what they can be told, and which state they show."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Final

import numpy as np

from app.simulation.noise import Floats

NEVER: Final = math.nan
"""A setpoint that nobody has written."""


class State(IntEnum):
    """What a machine is doing. The mapping finds the device's own code for it among the point's `states`."""

    STOPPED = 0
    STANDBY = 1
    STARTING = 2
    RUNNING = 3
    LIMITED = 4
    CHARGING = 5
    DISCHARGING = 6
    COOLING = 7
    AVAILABLE = 8
    CONNECTED = 9
    FINISHED = 10
    FAULT = 11
    WARMING = 12


class Verb:
    """What can be asked of a machine. Values are in kW, kvar, or nothing."""

    POWER: Final = "active_power_setpoint"
    REACTIVE: Final = "reactive_power_setpoint"
    LIMIT: Final = "power_limit_setpoint"
    LIMIT_SWITCH: Final = "limit_switch"
    START: Final = "start"
    STOP: Final = "stop"
    RESET: Final = "reset"
    OPEN: Final = "open"
    CLOSE: Final = "close"
    STANDBY: Final = "standby"
    TRIP: Final = "trip"
    DEAF: Final = "deaf"
    BACKWARDS: Final = "backwards"
    HEARTBEAT: Final = "heartbeat"


class Machines:
    """Switching that any group of machines has: started or not, breaker closed or not, tripped or not.

    Columns have one row a machine. Subclasses add power and what makes it.
    """

    def __init__(self, count: int, *, started: bool = True) -> None:
        self.count = count
        self.started = np.full(count, started)
        self.closed = np.ones(count, dtype=np.bool_)
        self.tripped = np.zeros(count, dtype=np.bool_)
        self.p_kw: Floats = np.zeros(count)
        self.q_kvar: Floats = np.zeros(count)
        self.setpoints: dict[str, Floats] = {
            verb: np.full(count, NEVER) for verb in (Verb.POWER, Verb.REACTIVE, Verb.LIMIT)
        }
        self.expiry_s: Floats = np.full(count, math.inf)
        """After so long without a write, setpoints revert, as SunSpec's timers do (models 704, 123); inf never."""
        self._unwritten_s: Floats = np.zeros(count)
        self.patience_s: Floats = np.full(count, math.inf)
        """After so long without another count of its heartbeat, setpoints revert as well; inf where it wants none."""
        self._unbeaten_s: Floats = np.zeros(count)
        self._beat: Floats = np.full(count, NEVER)
        self.deaf = np.zeros(count, np.bool_)
        """It takes what is written, and does nothing."""
        self.backwards = np.zeros(count, np.bool_)
        """It does the opposite."""

    def command(self, row: int, verb: str, value: float = 1.0) -> None:
        """Do what was written to the device. Verbs that mean nothing to the machine are kept and change nothing."""
        if verb in self.setpoints:
            self.setpoints[verb][row] = value
            self._unwritten_s[row] = 0.0
        elif verb == Verb.HEARTBEAT:
            if value != self._beat[row]:
                self._beat[row], self._unbeaten_s[row] = value, 0.0
        elif verb == Verb.DEAF:
            self.deaf[row] = bool(value)
        elif verb == Verb.BACKWARDS:
            self.backwards[row] = bool(value)
        elif verb == Verb.START:
            self.started[row] = not self.tripped[row]
        elif verb == Verb.STOP:
            self.started[row] = False
        elif verb == Verb.RESET:
            self.tripped[row] = False
        elif verb == Verb.TRIP:
            self.tripped[row] = True
            self.started[row] = False
        elif verb == Verb.STANDBY:
            self.setpoints[Verb.POWER][row] = 0.0
        elif verb in (Verb.OPEN, Verb.CLOSE):
            self.closed[row] = verb == Verb.CLOSE

    def expire(self, dt_s: float) -> None:
        """Setpoints that nobody renewed revert: power and reactive power to nothing, a limit to none."""
        self._unwritten_s = self._unwritten_s + dt_s
        self._unbeaten_s = self._unbeaten_s + dt_s
        over = (self._unwritten_s > self.expiry_s) | (self._unbeaten_s > self.patience_s)
        for verb, safe in ((Verb.POWER, 0.0), (Verb.REACTIVE, 0.0), (Verb.LIMIT, NEVER)):
            column = self.setpoints[verb]
            self.setpoints[verb] = np.where(over & ~np.isnan(column), safe, column)

    @property
    def able(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Whether each may carry power."""
        return self.started & self.closed & ~self.tripped


def approach(now: Floats, target: Floats, dt_s: float, tau_s: float) -> Floats:
    """First-order response over a step, exact for a constant target, so stable at any step."""
    return target + (now - target) * math.exp(-dt_s / tau_s)


def given(setpoint: Floats, default: Floats) -> Floats:
    """The setpoint where one was written, the default elsewhere."""
    return np.where(np.isnan(setpoint), default, setpoint)
