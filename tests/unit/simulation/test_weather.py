"""Sun, clouds and air: what the sky does to the park, whatever the time factor."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.model.config import LocationForm
from app.simulation.noise import Noise, uniform
from app.simulation.weather import CLOUD_SPEED_M_PER_S, SITE_M, Sky, clear_sky_ghi, sun_at
from tests.support.simulated import moment

HANGZHOU = LocationForm(latitude=30.27, longitude=120.15, elevation_m=20)
SYDNEY = LocationForm(latitude=-33.87, longitude=151.21)


def test_the_sun_stands_where_the_almanac_has_it() -> None:
    """At the solstice's noon it stands at latitude minus the obliquity, and noon is the sun's, not the clock's."""
    noon = sun_at(moment("2026-06-21 12:00"), HANGZHOU.latitude, HANGZHOU.longitude)
    assert math.degrees(math.acos(noon.cos_zenith)) == pytest.approx(30.27 - 23.44, abs=0.3)
    assert noon.solar_hour == pytest.approx(12.0, abs=0.1)
    morning = sun_at(moment("2026-06-21 08:00"), HANGZHOU.latitude, HANGZHOU.longitude)
    assert 60 < math.degrees(morning.azimuth) < 100  # east
    # Sunrise in Hangzhou on 20 March 2026 is at 6:02 local time, sunset at 18:08.
    assert sun_at(moment("2026-03-20 05:50"), HANGZHOU.latitude, HANGZHOU.longitude).cos_zenith < 0
    assert sun_at(moment("2026-03-20 06:15"), HANGZHOU.latitude, HANGZHOU.longitude).cos_zenith > 0


def test_clear_sky_is_bright_at_noon_and_nothing_at_night() -> None:
    assert clear_sky_ghi(1.0) == pytest.approx(1035, abs=5)  # Haurwitz with the sun overhead
    assert clear_sky_ghi(-0.2) == 0.0
    sky = Sky(1, HANGZHOU, 5)
    night = sky.at(moment("2026-06-03 23:30"))
    assert night.ghi == 0.0 and not night.poa_sites.any() and night.poa == 0.0


@pytest.mark.parametrize("place", [HANGZHOU, SYDNEY], ids=["north", "south"])
def test_no_day_is_brighter_than_its_sky_allows(place: LocationForm) -> None:
    sky = Sky(7, place, 6)
    for hour in range(24 * 10):
        weather = sky.at(moment("2026-06-01 00:00") + 3600 * hour)
        assert 0 <= weather.ghi <= 1.07 * weather.clear_ghi
        assert 0 <= weather.diffuse <= weather.ghi + 1e-9
        assert 0 <= weather.humidity_pct <= 100
        assert np.all((weather.poa_sites >= 0) & (weather.poa_sites < 1400))


def test_seasons_are_those_of_the_hemisphere() -> None:
    def mean_c(place: LocationForm, month: str) -> float:
        sky = Sky(1, place, 1)
        return float(np.mean([sky.at(moment(f"2026-{month}-01 00:00") + 3600 * 7 * k).ambient_c for k in range(96)]))

    assert mean_c(HANGZHOU, "07") > mean_c(HANGZHOU, "01") + 15
    assert mean_c(SYDNEY, "01") > mean_c(SYDNEY, "07") + 10


@pytest.mark.parametrize("seed", [1, 2, 6])
def test_clouds_reach_one_inverter_after_the_other(seed: int) -> None:
    """The last inverter sees what the first saw, later by the time that clouds take from one to the other."""
    sky = Sky(seed, HANGZHOU, 12)
    start = moment("2026-06-03 09:00")
    seen = np.array([sky.at(start + 2.0 * k).poa_sites for k in range(3600)])
    change = seen[30:] - seen[:-30]  # over a minute, so that the sun's own course does not count
    first, last = change[:, 0], change[:, -1]
    assert first.std() > 50, "a day without clouds tells nothing; take another seed"

    def likeness(lag: int) -> float:
        return float(np.corrcoef(first[: len(first) - lag], last[lag:])[0, 1])

    delay = max(range(30), key=likeness)
    assert 10 <= 2.0 * delay <= SITE_M / CLOUD_SPEED_M_PER_S
    assert likeness(delay) > 0.75
    assert likeness(0) < 0.6


def test_the_seed_alone_decides_the_weather() -> None:
    at = moment("2026-06-03 10:00")
    one, same, other = Sky(5, HANGZHOU, 4), Sky(5, HANGZHOU, 4), Sky(6, HANGZHOU, 4)
    one.at(at - 86400.0)  # what was asked before changes nothing
    assert np.array_equal(one.at(at).poa_sites, same.at(at).poa_sites)
    assert one.at(at).ambient_c == same.at(at).ambient_c
    assert one.at(at).ambient_c != other.at(at).ambient_c


def test_noise_is_smooth_bounded_and_without_bias() -> None:
    noise = Noise(3, 4, (60.0, 7.0), (0.8, 0.2))
    values = np.array([noise.at(0.1 * k) for k in range(40000)])
    assert np.abs(values).max() <= 1.0
    assert np.abs(values.mean(axis=0)).max() < 0.15
    assert np.abs(np.diff(values, axis=0)).max() < 0.05
    assert abs(np.corrcoef(values.T)[0, 1]) < 0.4  # channels go their own ways


def test_random_numbers_are_spread_evenly() -> None:
    drawn = uniform(1, np.arange(20000), 5)
    counts, _ = np.histogram(drawn, bins=20, range=(0, 1))
    assert drawn.min() >= 0 and drawn.max() < 1
    assert counts.min() > 850 and counts.max() < 1150
