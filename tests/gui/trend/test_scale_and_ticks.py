"""Round scales that stand still, and times of the station's wall clock."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.model.clock import SECOND_NS as S
from app.model.clock import to_datetime
from widgets.trend.axes import value_ticks
from widgets.trend.scale import Scale, round_range
from widgets.trend.ticks import ticks
from widgets.trend.window import NARROWEST_NS, Window

BERLIN, SHANGHAI = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Shanghai")
HOUR, DAY = 3600 * S, 86_400 * S


def ns(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * S  # type: ignore[misc,arg-type]


# ------------------------------------------------------------------------------------------------------- scales


@given(low=st.floats(-1e6, 1e6), width=st.floats(0, 1e6))
def test_a_round_range_holds_what_it_is_for(low: float, width: float) -> None:
    bottom, top = round_range(low, low + width)
    assert bottom <= low <= low + width <= top
    assert top > bottom


def test_ranges_are_those_a_person_would_draw() -> None:
    assert round_range(3, 97) == (0, 100)
    assert round_range(-437.6, 1504.3) == (-500, 2000)
    assert round_range(49.978, 50.021) == pytest.approx((49.97, 50.03))
    assert round_range(50, 50) == pytest.approx((47, 53))


def test_a_scale_stands_still_while_values_wander_within_it() -> None:
    scale = Scale("kW")
    scale.fit(0, 90)
    before = (scale.low, scale.high)
    assert not scale.fit(10, 95)
    assert (scale.low, scale.high) == before
    assert scale.fit(10, 140)
    assert scale.fit(0, 5), "and shrinks when most of it is empty"


def test_a_scale_in_hand_stays_until_it_is_released() -> None:
    scale = Scale("kW")
    scale.fit(0, 100)
    scale.zoom(0.5, 50)
    assert (scale.low, scale.high) == (25, 75)
    assert not scale.fit(0, 1000)
    scale.release()
    assert scale.fit(0, 100)
    assert (scale.low, scale.high) == (0, 100)


def test_value_labels_have_the_decimals_that_their_steps_need() -> None:
    scale = Scale("kW")
    assert value_ticks(scale, 300) == ([], 0), "no numbers before there is a value"
    scale.show(0, 10)
    values, decimals = value_ticks(scale, 46 * 4)
    assert values == [0, 2.5, 5, 7.5, 10]
    assert decimals == 1
    scale.show(49.95, 50.05)
    assert value_ticks(scale, 300)[1] == 2


# -------------------------------------------------------------------------------------------------------- times


def labels(start: int, end: int, zone: ZoneInfo, most: int = 10) -> list[str]:
    return [tick.label for tick in ticks(start, end, zone, most)]


def test_labels_are_the_stations_time_and_not_utc() -> None:
    start = ns(2026, 11, 20, 0)
    assert labels(start, start + 3 * HOUR, SHANGHAI, 4) == ["08:00", "09:00", "10:00", "11:00"]


def test_a_new_day_says_its_date() -> None:
    start = ns(2026, 11, 19, 14)
    found = ticks(start, start + 4 * HOUR, SHANGHAI, 4)
    assert [(tick.label, tick.below) for tick in found][2] == ("00:00", "11-20")


def test_when_the_clock_is_put_back_the_hour_is_there_twice_and_named() -> None:
    start = ns(2026, 10, 24, 22)  # 00:00 CEST; at 03:00 CEST it becomes 02:00 CET
    found = ticks(start, start + 6 * HOUR, BERLIN, 8)
    assert [tick.label for tick in found] == ["00:00", "01:00", "02:00", "02:00", "03:00", "04:00", "05:00"]
    assert [tick.below for tick in found if tick.below] == ["10-25", "CET"]
    assert len({tick.time_ns for tick in found}) == 7


def test_when_the_clock_is_put_forward_an_hour_is_missing() -> None:
    start = ns(2026, 3, 28, 23)  # 00:00 CET; 02:00 does not exist
    assert labels(start, start + 4 * HOUR, BERLIN, 6) == ["00:00", "01:00", "03:00", "04:00", "05:00"]


def test_days_begin_at_local_midnight_also_across_a_change() -> None:
    start = ns(2026, 10, 20, 10)
    for tick in ticks(start, start + 10 * DAY, BERLIN, 12):
        local = to_datetime(tick.time_ns).astimezone(BERLIN)
        assert (local.hour, local.minute) == (0, 0), local


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    start = ns(2026, 1, 10)
    for tick in ticks(start, start + 60 * DAY, SHANGHAI, 10):
        assert to_datetime(tick.time_ns).astimezone(SHANGHAI).weekday() == 0
    assert labels(start, start + 200 * DAY, SHANGHAI, 8) == [f"2026-{m:02d}" for m in range(2, 8)]
    assert labels(start, start + 4000 * DAY, SHANGHAI, 7) == ["2028", "2030", "2032", "2034", "2036"]


def test_below_a_second_labels_have_their_fraction() -> None:
    start = ns(2026, 1, 1)
    assert labels(start, start + S // 2, SHANGHAI, 5) == [
        "00:00.0",
        "00:00.1",
        "00:00.2",
        "00:00.3",
        "00:00.4",
        "00:00.5",
    ]


@settings(max_examples=80, deadline=None)
@given(
    start=st.integers(ns(1990, 1, 1), ns(2060, 1, 1)),
    span=st.integers(NARROWEST_NS, 40 * 366 * DAY),
    most=st.integers(1, 40),
    zone=st.sampled_from([BERLIN, SHANGHAI, ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/St_Johns")]),
)
def test_ticks_rise_lie_inside_and_are_not_too_many(start: int, span: int, most: int, zone: ZoneInfo) -> None:
    found = [tick.time_ns for tick in ticks(start, start + span, zone, most)]
    assert found == sorted(set(found))
    assert all(start <= time <= start + span for time in found)
    assert len(found) <= 2 * most + 4


# ------------------------------------------------------------------------------------------------------- window


def test_zooming_keeps_the_moment_under_the_pointer() -> None:
    window = Window(0, 1000 * S)
    window.zoom(0.5, 250 * S)
    assert (window.start, window.end) == (125 * S, 625 * S)


def test_a_window_has_its_limits() -> None:
    window = Window(100 * S, 200 * S)
    window.zoom(1e-30, 150 * S)
    assert window.span == NARROWEST_NS
    assert not window.pan(0)
    window.pan(-(10**19))
    assert window.start == 0
    window.show(500 * S, 400 * S)
    assert (window.start, window.end) == (400 * S, 500 * S)


def test_the_live_edge_moves_by_whole_pixels() -> None:
    window = Window(0, 1000 * S)
    window.end_at(1000 * S + S // 2, 500)
    assert window.end == 1002 * S
    assert not window.end_at(1001 * S, 500)
