"""The grid connection: voltage and frequency of the supply, and the transformer before the busbar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.simulation.dynamics import approach
from app.simulation.noise import Floats, Noise, uniform

FREQUENCY_HZ: Final = 50.0


@dataclass(frozen=True, slots=True)
class Supply:
    """The busbar at one moment."""

    frequency_hz: float
    phase_v: Floats
    """float64[3], phase to neutral."""

    @property
    def line_v(self) -> Floats:
        """float64[3], L1-L2, L2-L3, L3-L1, the phases 120 degrees apart."""
        u = self.phase_v
        following = u[[1, 2, 0]]
        result: Floats = np.sqrt(u * u + following * following + u * following)
        return result


class Grid:
    """Frequency and voltage as they come, and the voltage that the park's own power makes at the busbar."""

    def __init__(self, seed: int, nominal_v: float) -> None:
        self.nominal_v = nominal_v
        self._unbalance = 0.004 * (uniform(seed, np.arange(3), 0) - 0.5)
        self._frequency = Noise(seed + 1, 1, (900.0, 60.0, 9.0), (0.012, 0.012, 0.008))
        self._voltage = Noise(seed + 2, 1, (7200.0, 300.0, 20.0), (0.012, 0.004, 0.0015))
        self._phases = Noise(seed + 3, 3, (400.0,), (0.001,))

    def at(self, time_s: float, import_kw: float, import_kvar: float, rated_kva: float) -> Supply:
        """The busbar's supply while so much is drawn through a transformer of 1 % resistance and 6 % reactance."""
        drop = (0.01 * import_kw + 0.06 * import_kvar) / rated_kva
        level = 1.0 + float(self._voltage.at(time_s)[0]) - drop
        spread = self._unbalance + self._phases.at(np.full(3, time_s))
        volts: Floats = self.nominal_v / math.sqrt(3.0) * level * (1.0 + spread)
        return Supply(FREQUENCY_HZ + float(self._frequency.at(time_s)[0]), volts)


class Transformer:
    """Temperatures of the transformers after the idea of IEC 60076-7, simplified: one first-order response each for oil
    (or core) over ambient and winding over oil, ultimate rises from the square of the load.
    """

    OIL_RISE_K: Final = 45.0
    WINDING_RISE_K: Final = 28.0
    LOSS_RATIO: Final = 6.0
    """Load losses at rating over no-load losses."""
    OIL_EXPONENT, WINDING_EXPONENT = 0.8, 1.6
    OIL_TAU_S, WINDING_TAU_S = 9000.0, 420.0
    NO_LOAD_SHARE: Final = 0.0012
    FAN_ON_C, FAN_OFF_C, ALARM_C, TRIP_C = 80.0, 70.0, 130.0, 150.0

    def __init__(self, seed: int, ratings_kva: Floats) -> None:
        self.count = len(ratings_kva)
        self.rating_kva = ratings_kva
        self._phase_k = 2.0 * (uniform(seed, np.arange(3 * self.count), 0).reshape(self.count, 3) - 0.5)
        self.oil_rise: Floats = np.full(self.count, 14.0)
        self.winding_rise: Floats = np.full(self.count, 4.0)
        self.ambient_c = 20.0
        self.load: Floats = np.zeros(self.count)
        self.fan: Floats = np.zeros(self.count)
        self.loss_kw: Floats = self.NO_LOAD_SHARE * ratings_kva

    def step(self, dt_s: float, apparent_kva: float, ambient_c: float) -> None:
        """Advance under the power that flows through, shared by parallel transformers by their ratings."""
        self.ambient_c = ambient_c
        self.load = np.full(self.count, apparent_kva / max(float(self.rating_kva.sum()), 1e-9))
        loss = (1.0 + self.LOSS_RATIO * self.load**2) / (1.0 + self.LOSS_RATIO)
        cooled = np.where(self.fan > 0.0, 0.75, 1.0)
        oil = self.OIL_RISE_K * loss**self.OIL_EXPONENT * cooled
        winding = self.WINDING_RISE_K * self.load**self.WINDING_EXPONENT * cooled
        self.oil_rise = approach(self.oil_rise, oil, dt_s, self.OIL_TAU_S)
        self.winding_rise = approach(self.winding_rise, winding, dt_s, self.WINDING_TAU_S)
        self.loss_kw = self.NO_LOAD_SHARE * self.rating_kva * (1.0 + self.LOSS_RATIO * self.load**2)
        hottest = self.ambient_c + self.oil_rise + self.winding_rise
        self.fan = np.where(hottest >= self.FAN_ON_C, 1.0, np.where(hottest <= self.FAN_OFF_C, 0.0, self.fan))

    def columns(self) -> dict[str, Floats]:
        """Quantities of the transformers and their temperature controllers."""
        oil = self.ambient_c + self.oil_rise
        winding = oil + self.winding_rise
        phases = winding[:, np.newaxis] + self._phase_k
        return {
            "oil_temperature": oil,
            "winding_temperature": phases.max(axis=1, initial=-273.0),
            **{f"winding_temperature_l{k + 1}": phases[:, k] for k in range(3)},
            "ambient_temperature": np.full(self.count, self.ambient_c),
            "core_temperature": oil - 2.0,
            "load": 100.0 * self.load,
            "loss": self.loss_kw,
            "fan": self.fan,
            "overtemperature": (winding >= self.ALARM_C).astype(np.float64),
            "trip": (winding >= self.TRIP_C).astype(np.float64),
            "oil_level": np.full(self.count, 62.0),
            "rated_apparent_power": self.rating_kva,
            "fault": np.zeros(self.count),
        }
