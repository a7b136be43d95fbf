"""The busbar: power of every terminal by phases, the balance, and what a meter at each terminal counts and shows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.simulation.grid import Supply
from app.simulation.noise import Floats, uniform

SHARP, PEAK, FLAT, VALLEY = range(4)
TARIFF: Final = (
    (0.0, 7.0, VALLEY), (7.0, 11.0, FLAT), (11.0, 14.0, VALLEY), (14.0, 16.0, FLAT), (16.0, 18.0, PEAK),
    (18.0, 22.0, SHARP), (22.0, 23.0, PEAK), (23.0, 24.0, FLAT),
)  # fmt: skip
"""Periods by which the counters with a tariff count: one fixed day, after Zhejiang's summer and winter of 2026."""


def tariff_period(local_hour: float) -> int:
    """Which of sharp, peak, flat and valley an hour of the day belongs to."""
    return next((period for start, end, period in TARIFF if start <= local_hour < end), FLAT)


@dataclass(frozen=True, slots=True)
class Flows:
    """Power of n terminals in one step, each with its own sign: sources into the busbar, loads out of it."""

    p: Floats
    """float64[n], kW."""
    q: Floats
    """float64[n], kvar."""
    p_phase: Floats
    """float64[n, 3]; rows sum to `p`."""
    q_phase: Floats


class Counters:
    """Energies of n terminals: they integrate the power of each step and never fall.

    `import` is what the device takes from the busbar, `export` what it gives to it; of the grid connection, `import`
    is from the grid. `positive_imports` bool[n] says whether positive power is import.
    """

    def __init__(self, seed: int, positive_imports: NDArray[np.bool_], import_kwh: Floats, export_kwh: Floats) -> None:
        n = len(positive_imports)
        self._imports = positive_imports
        part = np.array([1.0, 1 / 3, 1 / 3, 1 / 3])
        wobble = 0.9 + 0.2 * uniform(seed, np.arange(n), 0)
        self.imported: Floats = np.outer(np.round(import_kwh * wobble, 2), part)
        """float64[n, 4], kWh: all, and each phase."""
        self.exported: Floats = np.outer(np.round(export_kwh * wobble, 2), part)
        self.imported_kvarh: Floats = 0.25 * self.imported[:, 0]
        self.exported_kvarh: Floats = 0.02 * self.imported[:, 0]
        self.by_tariff: Floats = np.outer(self.imported[:, 0], np.array([0.15, 0.2, 0.35, 0.3]))
        """float64[n, 4], kWh imported in sharp, peak, flat and valley; their sum is `imported`."""
        self.day_import: Floats = np.zeros(n)
        self.day_export: Floats = np.zeros(n)

    def step(self, dt_s: float, flows: Flows, period: int) -> None:
        """Count one step."""
        hours = dt_s / 3600.0
        sign = np.where(self._imports, 1.0, -1.0)
        taken = np.column_stack([flows.p, flows.p_phase]) * sign[:, np.newaxis] * hours
        into, out = np.maximum(taken, 0.0), np.maximum(-taken, 0.0)
        self.imported = self.imported + into
        self.exported = self.exported + out
        self.by_tariff[:, period] += into[:, 0]
        reactive = flows.q * sign * hours
        self.imported_kvarh = self.imported_kvarh + np.maximum(reactive, 0.0)
        self.exported_kvarh = self.exported_kvarh + np.maximum(-reactive, 0.0)
        self.day_import = self.day_import + into[:, 0]
        self.day_export = self.day_export + out[:, 0]

    def new_day(self) -> None:
        """Midnight in the station's zone."""
        self.day_import = np.zeros(len(self.day_import))
        self.day_export = np.zeros(len(self.day_export))

    def columns(self) -> dict[str, Floats]:
        """Quantities, a column each."""
        result = {
            "energy_import": self.imported[:, 0],
            "energy_export": self.exported[:, 0],
            "energy_total": self.imported[:, 0] + self.exported[:, 0],
            "energy_import_day": self.day_import,
            "energy_export_day": self.day_export,
            "energy_day": self.day_import + self.day_export,
            "reactive_energy_import": self.imported_kvarh,
            "reactive_energy_export": self.exported_kvarh,
        }
        for k in range(3):
            result[f"energy_import_l{k + 1}"] = self.imported[:, k + 1]
            result[f"energy_export_l{k + 1}"] = self.exported[:, k + 1]
        for name, period in (("sharp", SHARP), ("peak", PEAK), ("flat", FLAT), ("valley", VALLEY)):
            result[f"energy_import_{name}"] = self.by_tariff[:, period]
        return result


def shown(flows: Flows, supply: Supply) -> dict[str, Floats]:
    """What meters show at each terminal: currents, factors, voltages, all following from power and supply.

    Each phase: S = sqrt(P^2 + Q^2) = U I. Together: I = S / (sqrt 3 U) with U between lines, pf = P / S.
    """
    n = len(flows.p)
    s = np.hypot(flows.p, flows.q)
    s_phase = np.hypot(flows.p_phase, flows.q_phase)
    line_v = supply.line_v
    mean_line_v = float(line_v.mean())
    amps = 1000.0 * s_phase / supply.phase_v
    result = {
        "active_power": flows.p,
        "reactive_power": flows.q,
        "apparent_power": s,
        "power_factor": _factor(flows.p, s),
        "frequency": np.full(n, supply.frequency_hz),
        "mains_frequency": np.full(n, supply.frequency_hz),
        "voltage": np.full(n, supply.phase_v.mean()),
        "line_voltage": np.full(n, mean_line_v),
        "current": 1000.0 * s / (math.sqrt(3.0) * mean_line_v),
        "current_n": np.sqrt(np.maximum((amps**2).sum(axis=1) - (amps * amps[:, [1, 2, 0]]).sum(axis=1), 0.0)),
    }
    for k in range(3):
        phase, pair = f"l{k + 1}", ("l12", "l23", "l31")[k]
        result[f"active_power_{phase}"] = flows.p_phase[:, k]
        result[f"reactive_power_{phase}"] = flows.q_phase[:, k]
        result[f"apparent_power_{phase}"] = s_phase[:, k]
        result[f"power_factor_{phase}"] = _factor(flows.p_phase[:, k], s_phase[:, k])
        result[f"voltage_{phase}"] = np.full(n, supply.phase_v[k])
        result[f"voltage_{pair}"] = np.full(n, line_v[k])
        result[f"current_{phase}"] = amps[:, k]
        result[f"thd_{phase}"] = 1.4 + 0.4 * k + 1.5 * np.exp(-s_phase[:, k] / 40.0)
    return result


def _factor(p: Floats, s: Floats) -> Floats:
    """Power factor with the sign of active power; 1 where nothing flows."""
    return np.divide(p, s, out=np.ones_like(p), where=s > 1e-9)


def split(p: Floats, q: Floats, share: Floats) -> Flows:
    """Spread totals over the phases by `share` float64[n, 3], whose rows sum to 1."""
    p_phase, q_phase = p[:, np.newaxis] * share, q[:, np.newaxis] * share
    return Flows(p, q, p_phase, q_phase)
