"""Sun, clouds and air over the park, as functions of time.

Simplified on purpose (docs/explanation/simulation.md): the sun from Spencer's Fourier series (1971), clear sky after
Haurwitz (1945, coefficients as in SAND2012-2389), diffuse share after Erbs, Klein and Duffie (1982), tilted plane with
an isotropic sky (Liu and Jordan, 1963). Clouds are smooth noise that drifts across the park; air temperature, humidity,
pressure and wind are seasons and days as cosines, with noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from app.model.config import LocationForm
from app.simulation.noise import Floats, Noise, smoothstep, uniform

ALBEDO: Final = 0.2
SITE_M: Final = 300.0
"""Length of the park along the wind: clouds need so many metres from the first inverter to the last."""
CLOUD_SPEED_M_PER_S: Final = 8.0


@dataclass(frozen=True, slots=True)
class Sun:
    """Where the sun stands."""

    cos_zenith: float
    """Below 0 at night."""
    azimuth: float
    """Radians from north, clockwise."""
    extraterrestrial: float
    """W/m2 on a plane facing the sun above the atmosphere."""
    solar_hour: float
    """True solar time, 0 to 24."""
    day_of_year: float


def sun_at(time_s: float, latitude: float, longitude: float) -> Sun:
    """The sun at a moment (UTC seconds since 1970). Declination and equation of time after Spencer (1971)."""
    moment = datetime.fromtimestamp(time_s, UTC)
    hour = moment.hour + moment.minute / 60.0 + (time_s % 60.0) / 3600.0
    day = moment.timetuple().tm_yday
    angle = 2.0 * math.pi * (day - 1 + (hour - 12.0) / 24.0) / 365.25
    c1, s1, c2, s2 = math.cos(angle), math.sin(angle), math.cos(2 * angle), math.sin(2 * angle)
    declination = (
        0.006918 - 0.399912 * c1 + 0.070257 * s1 - 0.006758 * c2 + 0.000907 * s2
        - 0.002697 * math.cos(3 * angle) + 0.00148 * math.sin(3 * angle)
    )  # fmt: skip
    equation_min = 229.18 * (0.000075 + 0.001868 * c1 - 0.032077 * s1 - 0.014615 * c2 - 0.040849 * s2)
    solar_hour = (hour + longitude / 15.0 + equation_min / 60.0) % 24.0
    hour_angle = math.radians(15.0 * (solar_hour - 12.0))
    phi = math.radians(latitude)
    cos_zenith = math.sin(phi) * math.sin(declination) + math.cos(phi) * math.cos(declination) * math.cos(hour_angle)
    east = -math.cos(declination) * math.sin(hour_angle)
    north = math.cos(phi) * math.sin(declination) - math.sin(phi) * math.cos(declination) * math.cos(hour_angle)
    return Sun(
        cos_zenith=cos_zenith,
        azimuth=math.atan2(east, north) % (2.0 * math.pi),
        extraterrestrial=1361.0 * (1.00011 + 0.034221 * c1 + 0.00128 * s1 + 0.000719 * c2 + 0.000077 * s2),
        solar_hour=solar_hour,
        day_of_year=day + hour / 24.0,
    )


def clear_sky_ghi(cos_zenith: float) -> float:
    """Global horizontal irradiance under a clear sky, W/m2 (Haurwitz)."""
    return 1098.0 * cos_zenith * math.exp(-0.059 / cos_zenith) if cos_zenith > 0.01 else 0.0


def plane_irradiance(ghi: Floats, sun: Sun, tilt: float, azimuth: float) -> Floats:
    """W/m2 on a tilted plane from global horizontal irradiance; shapes equal. Angles in radians, azimuth from north."""
    if sun.cos_zenith <= 0.01:
        return np.zeros_like(ghi)
    kt = np.clip(ghi / (sun.extraterrestrial * max(sun.cos_zenith, 0.065)), 0.0, 1.0)
    middle = 0.9511 + kt * (-0.1604 + kt * (4.388 + kt * (-16.638 + kt * 12.336)))
    share = np.where(kt <= 0.22, 1.0 - 0.09 * kt, np.where(kt <= 0.8, middle, 0.165))
    diffuse = ghi * share
    incidence = sun.cos_zenith * math.cos(tilt) + math.sqrt(max(0.0, 1.0 - sun.cos_zenith**2)) * math.sin(
        tilt
    ) * math.cos(sun.azimuth - azimuth)
    # Near the horizon the ratio of two small numbers would exaggerate the beam.
    beam = (ghi - diffuse) * max(incidence, 0.0) / max(sun.cos_zenith, 0.087)
    result: Floats = beam + diffuse * (1 + math.cos(tilt)) / 2 + ghi * ALBEDO * (1 - math.cos(tilt)) / 2
    return result


@dataclass(frozen=True, slots=True)
class Weather:
    """The weather at one moment."""

    sun: Sun
    clear_ghi: float
    ghi: float
    """At the weather station, W/m2 horizontal."""
    diffuse: float
    poa: float
    """At the weather station, W/m2 in the plane of the modules."""
    poa_sites: Floats
    """float64[sites], W/m2 in the plane of the modules of each site."""
    ambient_c: float
    dew_point_c: float
    humidity_pct: float
    pressure_hpa: float
    wind_m_s: float
    wind_deg: float
    rain_mm_h: float


class Sky:
    """The weather over `sites` places of one park (inverters along the wind), reproducible from the seed."""

    def __init__(self, seed: int, location: LocationForm, sites: int) -> None:
        self._place = location
        self._tilt = math.radians(min(max(abs(location.latitude) * 0.5, 8.0), 40.0))
        self._facing = math.pi if location.latitude >= 0 else 0.0
        # Site 0 of the field is the weather station; the others are scattered downwind of it.
        scatter = np.sort(uniform(seed + 1, np.arange(sites), 0))
        self._delay_s = np.concatenate(([0.0], scatter * SITE_M / CLOUD_SPEED_M_PER_S))
        self._field = Noise(seed + 2, sites + 1, (2400.0, 540.0, 120.0, 35.0), (1.0, 0.55, 0.3, 0.15), same=True)
        self._ragged = Noise(seed + 3, sites + 1, (45.0,), (0.12,))
        self._slow = Noise(seed + 4, 6, (4.2 * 86400.0, 13.0 * 3600.0, 2.7 * 3600.0), (1.0, 0.8, 0.5))
        self._gusts = Noise(seed + 5, 2, (300.0, 40.0, 8.0), (0.5, 0.35, 0.25))

    def at(self, time_s: float) -> Weather:
        """The weather at a moment, UTC seconds since 1970."""
        place = self._place
        sun = sun_at(time_s, place.latitude, place.longitude)
        slow = self._slow.at(np.full(6, time_s)).tolist()
        gusts = self._gusts.at(np.full(2, time_s)).tolist()
        clear = clear_sky_ghi(sun.cos_zenith)
        ghi = clear * self._transmission(time_s, slow[0])
        poa = plane_irradiance(ghi, sun, self._tilt, self._facing)
        ambient = self._ambient_c(sun, slow)
        dew_point = min(ambient - 0.5, self._daily_mean_c(sun.day_of_year) - 4.0 + 4.0 * slow[1] - 2.0 * slow[0])
        here = float(ghi[0])
        return Weather(
            sun=sun,
            clear_ghi=clear,
            ghi=here,
            diffuse=min(here, 0.25 * here + 0.6 * max(0.0, clear - here) * (here / clear if clear > 0 else 0.0)),
            poa=float(poa[0]),
            poa_sites=poa[1:],
            ambient_c=ambient,
            dew_point_c=dew_point,
            humidity_pct=100.0 * _vapour_hpa(dew_point) / _vapour_hpa(ambient),
            pressure_hpa=1013.25 * math.exp(-place.elevation_m / 8430.0) + 7.0 * slow[2],
            wind_m_s=min(25.0, 2.6 * math.exp(0.5 * slow[3]) * (1.0 + 0.6 * gusts[0] + 0.2 * max(0.0, sun.cos_zenith))),
            wind_deg=(120.0 + 70.0 * slow[4] + 25.0 * gusts[1]) % 360.0,
            rain_mm_h=max(0.0, -slow[0] - 0.95) * 6.0 * max(0.0, 1.0 + gusts[0]),
        )

    def _transmission(self, time_s: float, fair: float) -> Floats:
        """Share of the clear-sky irradiance, float64[sites + 1]. `fair` from about -1.3 (overcast) to 1.3 (blue)."""
        moments = time_s - self._delay_s
        density = self._field.at(moments) + self._ragged.at(np.full(len(moments), time_s))
        threshold = 0.05 + 0.9 * fair
        cover = smoothstep(threshold - 0.1, threshold + 0.7, density)
        edge = 0.05 * 4.0 * cover * (1.0 - cover) * (cover < 0.5)
        result: Floats = np.clip(1.0 - 0.78 * cover + edge, 0.06, 1.06)
        return result

    def _daily_mean_c(self, day_of_year: float) -> float:
        """Rule of thumb by latitude: Hangzhou gets 17 degC over the year, 30 in July and 5 in January."""
        latitude = self._place.latitude
        season = math.cos(2.0 * math.pi * (day_of_year - 200.0) / 365.25) * (1.0 if latitude >= 0 else -1.0)
        return 27.0 - 0.32 * abs(latitude) + min(20.0, 0.42 * abs(latitude)) * season - self._place.elevation_m * 0.0065

    def _ambient_c(self, sun: Sun, slow: list[float]) -> float:
        day = math.cos(2.0 * math.pi * (sun.solar_hour - 14.5) / 24.0)
        return self._daily_mean_c(sun.day_of_year) + (4.0 + 1.5 * slow[0]) * day + 2.5 * slow[5]


def _vapour_hpa(temperature_c: float) -> float:
    """Saturation vapour pressure after Magnus."""
    return 6.112 * math.exp(17.62 * temperature_c / (243.12 + temperature_c))
