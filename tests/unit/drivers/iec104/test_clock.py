"""Times of a station, in UTC and in local time with its two ambiguous and its missing hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.model.clock import MS_NS, SECOND_NS, from_datetime
from drivers.iec104.asdu import NO_TIME
from drivers.iec104.clock import StationClock
from tests.support.fuzzing import a_million

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
NOON = from_datetime(datetime(2026, 6, 1, 12, tzinfo=UTC))


def octets(text: str, *, invalid: bool = False, summer: bool = False) -> int:
    """CP56Time2a of a clock that shows this, by the standard's own layout."""
    moment = datetime.fromisoformat(text)
    ms = moment.second * 1000 + moment.microsecond // 1000
    minute, hour = moment.minute | invalid << 7, moment.hour | summer << 7
    return ms | minute << 16 | hour << 24 | moment.day << 32 | moment.month << 40 | (moment.year % 100) << 48


def read(clock: StationClock, value: int, received: int) -> tuple[int, bool]:
    time, doubtful = clock.read(np.array([value], np.uint64), received)
    return int(time[0]), bool(doubtful[0])


def utc(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


def test_utc_and_local_time_are_told_apart() -> None:
    shown = octets("2026-06-01T12:00:00.250")
    assert read(StationClock(None, 60), shown, NOON) == (NOON + SECOND_NS // 4, False)
    eight_hours_before = utc("2026-06-01T04:00:00.250")
    assert read(StationClock(SHANGHAI, 60), shown, eight_hours_before) == (eight_hours_before, False)


def test_the_weekday_does_not_matter() -> None:
    assert read(StationClock(None, 60), octets("2026-06-01T12:00:00") | 5 << 37, NOON) == (NOON, False)


def test_a_value_without_time_has_the_time_when_it_came() -> None:
    assert read(StationClock(SHANGHAI, 60), NO_TIME, NOON) == (NOON, False)


def test_some_with_and_some_without_time() -> None:
    clock = StationClock(None, 60)
    time, doubtful = clock.read(np.array([NO_TIME, octets("2026-06-01T11:59:59")], np.uint64), NOON)
    assert time.tolist() == [NOON, NOON - SECOND_NS] and not doubtful.any()


@pytest.mark.parametrize(
    "value",
    [
        60_000 | octets("2026-06-01T12:00:00"),
        60 << 16 | octets("2026-06-01T12:00:00"),
        24 << 24 | octets("2026-06-01T00:00:00"),
        octets("2026-06-30T12:00:00") + (1 << 32),
        octets("2026-02-28T12:00:00") + (1 << 32),
        0,
        2**56 - 1,
    ],
)
def test_what_no_clock_shows_gives_the_time_when_it_came_and_doubt(value: int) -> None:
    for zone in (None, BERLIN):
        assert read(StationClock(zone, 60), value, NOON) == (NOON, True)


def test_the_29th_of_february_is_a_day_in_leap_years() -> None:
    leap = utc("2028-02-29T10:00:00")
    assert read(StationClock(None, 60), octets("2028-02-29T10:00:00"), leap) == (leap, False)


def test_a_clock_that_says_that_it_is_wrong_is_doubted_and_kept() -> None:
    assert read(StationClock(None, 60), octets("2026-06-01T12:00:00", invalid=True), NOON) == (NOON, True)


@pytest.mark.parametrize(("seconds", "doubt"), [(61, True), (59, False), (-3599, False), (-3601, True)])
def test_a_time_too_far_off_is_doubted(seconds: int, doubt: bool) -> None:
    shown = (datetime(2026, 6, 1, 12, tzinfo=UTC) + timedelta(seconds=seconds)).isoformat()
    assert read(StationClock(None, 60), octets(shown), NOON) == (NOON + seconds * SECOND_NS, doubt)


@pytest.mark.parametrize(
    ("now", "summer", "expected", "doubt"),
    [
        ("2026-10-25T00:30:00", True, "2026-10-25T00:30:00", False),  # 02:30 for the first time
        ("2026-10-25T01:30:00", True, "2026-10-25T00:30:00", False),  # half an hour late, and it says so
        ("2026-10-25T00:30:00", False, "2026-10-25T00:30:00", True),  # many clocks never set the bit
        ("2026-10-25T01:30:00", False, "2026-10-25T01:30:00", True),  # the second time
    ],
)
def test_the_hour_that_is_twice(now: str, summer: bool, expected: str, doubt: bool) -> None:
    clock = StationClock(BERLIN, 60)
    assert read(clock, octets("2026-10-25T02:30:00", summer=summer), utc(now)) == (utc(expected), doubt)


def test_the_hour_that_is_not() -> None:
    time, doubtful = read(StationClock(BERLIN, 60), octets("2026-03-29T02:30:00"), utc("2026-03-29T01:30:00"))
    assert doubtful and abs(time - utc("2026-03-29T01:30:00")) <= 3600 * SECOND_NS


moments = st.integers(utc("2000-01-02T00:00:00") // MS_NS, utc("2099-12-30T00:00:00") // MS_NS).map(
    lambda ms: ms * MS_NS
)


@settings(deadline=None)
@given(moments, st.sampled_from([None, SHANGHAI, BERLIN, ZoneInfo("Asia/Kolkata"), ZoneInfo("America/New_York")]))
def test_what_a_clock_writes_it_reads(now: int, zone: ZoneInfo | None) -> None:
    clock = StationClock(zone, 60)
    time, doubtful = read(clock, int.from_bytes(clock.octets(now), "little"), now)
    assert time == now or doubtful  # doubt: the second of two equal hours, which no bit tells


def fuzz(count: int, random: Random) -> None:
    """Seven octets of any kind: a time within a century and half, or the time when it came with doubt."""
    clocks = [StationClock(zone, 60) for zone in (None, SHANGHAI, BERLIN)]
    for number in range(count // 100):
        values = np.array([random.getrandbits(56) for _ in range(100)], np.uint64)
        if number % 2:  # fields that are near to what they may be
            values &= np.uint64(0x7F0F1F9FBFFFFF)
        times, doubtful = clocks[number % 3].read(values, NOON)
        assert times.shape == doubtful.shape == (100,)
        assert (np.abs(times - NOON) < 150 * 366 * 86400 * SECOND_NS).all()
        assert doubtful[np.abs(times - NOON) > 3600 * SECOND_NS].all()


def test_any_octets_are_a_time_or_doubt() -> None:
    fuzz(20_000, Random(1))


@pytest.mark.slow
def test_a_million_octets_are_a_time_or_doubt() -> None:
    a_million(fuzz)
