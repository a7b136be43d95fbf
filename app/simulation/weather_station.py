"""The weather station: what its sensors make of the weather, with the means, extremes and sums that it keeps."""

from __future__ import annotations

from typing import Final

import numpy as np

from app.simulation.dynamics import Verb, approach
from app.simulation.noise import Floats
from app.simulation.weather import Weather

WINDOW_S: Final = 600.0
"""Over which means are taken and after which extremes are forgotten; as exponential windows."""
MODULE_TAU_S: Final = 300.0


class WeatherStation:
    """All weather stations of a park show the same: they stand side by side."""

    def __init__(self, count: int, elevation_m: float) -> None:
        self.count = count
        self._elevation_m = elevation_m
        self._now: dict[str, float] = {}
        self._mean: dict[str, float] = {}
        self._low: dict[str, float] = {}
        self._high: dict[str, float] = {}
        self.rain_mm = 0.0
        self._module_c: Floats = np.full(1, 15.0)
        self._weather: Weather

    def step(self, dt_s: float, weather: Weather) -> None:
        """Advance."""
        self._weather = weather
        self.rain_mm += weather.rain_mm_h * dt_s / 3600.0
        warm = np.full(1, weather.ambient_c + weather.poa / (25.0 + 6.84 * weather.wind_m_s))
        self._module_c = approach(self._module_c, warm, dt_s, MODULE_TAU_S)
        keep = 1.0 / (1.0 + dt_s / WINDOW_S)
        self._now = {
            "ambient_temperature": weather.ambient_c,
            "wind_speed": weather.wind_m_s,
            "irradiance": weather.ghi,
            "humidity": weather.humidity_pct,
            "pressure": weather.pressure_hpa,
        }
        for name, value in self._now.items():
            self._mean[name] = value + (self._mean.get(name, value) - value) * keep
            self._low[name] = min(value, value + (self._low.get(name, value) - value) * keep)
            self._high[name] = max(value, value + (self._high.get(name, value) - value) * keep)

    def command(self, verb: str) -> bool:
        """Reset of the rain sum; nothing else can be asked of it."""
        if verb == Verb.RESET:
            self.rain_mm = 0.0
        return verb == Verb.RESET

    def columns(self) -> dict[str, Floats]:
        """Quantities, a column each."""
        weather = self._weather
        chill = weather.ambient_c - 0.7 * weather.wind_m_s if weather.ambient_c < 10.0 else weather.ambient_c
        heat = max(weather.ambient_c, 5.0) + 0.5
        rain = 0.0 if weather.rain_mm_h <= 0.0 else 60.0 if weather.ambient_c > 1.0 else 70.0
        numbers = {
            **self._now,
            **{f"{name}_mean": value for name, value in self._mean.items()},
            **{f"{name}_min": value for name, value in self._low.items()},
            **{f"{name}_max": value for name, value in self._high.items()},
            "plane_irradiance": weather.poa,
            "diffuse_irradiance": weather.diffuse,
            "module_temperature": float(self._module_c[0]),
            "dew_point": weather.dew_point_c,
            "wind_direction": weather.wind_deg,
            "wind_chill": chill,
            "heating_temperature": heat,
            "rain": self.rain_mm,
            "rain_intensity": weather.rain_mm_h,
            "rain_type": rain,
            "illuminance": 120.0 * weather.ghi,
            "elevation": self._elevation_m,
        }
        return {name: np.full(self.count, number) for name, number in numbers.items()}
