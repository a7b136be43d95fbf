"""Spikes and changes that are too fast: a single wrong value is not given out, a step is, and soon."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.model import quality as q
from tests.support.cleaned import Cleaned

SPIKE = [{"spike": {"window": 7, "sigmas": 3}}]
EST = q.ESTIMATED


def test_a_spike_is_replaced_by_the_median_and_marked() -> None:
    rows = Cleaned(SPIKE).run([10, 11, 10, 12, 11, 10, 9999, 11, 12])
    assert rows == [(v, 0) for v in (10, 11, 10, 12, 11, 10)] + [(11, EST), (11, 0), (12, 0)]


@pytest.mark.parametrize("window", [3, 5, 7, 21])
def test_a_step_comes_through_after_half_the_window(window: int) -> None:
    cleaned = Cleaned([{"spike": {"window": window, "hold": "1h"}}])
    cleaned.run([5.0] * window)
    rows = cleaned.run([100.0] * window)
    half = window // 2
    assert rows == [(5.0, EST)] * half + [(100.0, 0)] * (window - half)


@settings(deadline=None)
@given(values=st.lists(st.floats(-1e12, 1e12), min_size=20, max_size=60), window=st.sampled_from([3, 7, 9]))
def test_never_more_than_half_a_window_in_a_row_is_held_back(values: list[float], window: int) -> None:
    """Even of what grows beyond every bound."""
    rows = Cleaned([{"spike": {"window": window, "sigmas": 1, "hold": "1h"}}]).run(values, step_s=0.1)
    run = 0
    for (value, quality), came in zip(rows, values, strict=True):
        run = run + 1 if quality else 0
        assert run <= window // 2
        assert (value == came) if not quality else (value in values)


def test_a_runaway_that_grows_faster_and_faster_comes_through() -> None:
    rows = Cleaned([{"spike": {"window": 7, "hold": "1h"}}]).run([1.0] * 7 + [10.0**i for i in range(2, 14)])
    assert sum(quality == 0 for _, quality in rows[7:]) >= 3


def test_a_step_of_a_device_that_then_falls_silent_is_told_by_itself() -> None:
    """Devices that report changes only send a step once."""
    for chain in ([{"spike": {"hold": "2s"}}], [{"rate": {"per_s": 1, "hold": "2s"}}]):
        cleaned = Cleaned(chain)
        cleaned.run([5.0] * 7)
        cleaned.send([0], [100.0])
        assert cleaned.rows()[-1] == (5.0, EST)
        cleaned.wait(1.9)
        assert cleaned.rows()[-1] == (5.0, EST)
        cleaned.wait(0.2)
        assert cleaned.rows()[-1] == (100.0, 0)
        cleaned.wait(10)
        assert len(cleaned.rows()) == 9, "and only once"


def test_what_is_smaller_than_the_deadband_is_no_spike() -> None:
    assert Cleaned(SPIKE, deadband=0.5).run([5.0] * 7 + [5.4])[-1] == (5.4, 0)
    assert Cleaned(SPIKE, deadband=0.5).run([5.0] * 7 + [5.6])[-1] == (5.0, EST)
    assert Cleaned([{"spike": {"least": 1}}], deadband=0.5).run([5.0] * 7 + [5.6])[-1] == (5.6, 0)


def test_what_is_not_usable_passes_and_teaches_nothing() -> None:
    cleaned = Cleaned(SPIKE)
    cleaned.run([5.0] * 7)
    assert cleaned.run([9e9, float("nan")], q.IV)[0] == (9e9, q.IV)
    assert cleaned.run([9e9])[-1] == (5.0, EST)


def test_after_a_lost_device_a_filter_begins_anew() -> None:
    for chain in (SPIKE, [{"rate": {"per_s": 1}}]):
        cleaned = Cleaned(chain)
        cleaned.run([5.0] * 7)
        cleaned.lose()
        assert cleaned.run([100.0]) == [(100.0, 0)]


def test_a_change_that_is_too_fast_is_held_until_it_may_be_true() -> None:
    cleaned = Cleaned([{"rate": {"per_s": 10}}])
    rows = cleaned.run([0, 10, 45, 45, 45, 45])
    assert rows == [(0, 0), (10, 0), (10, EST), (10, EST), (10, EST), (45, 0)]


def test_a_change_that_stays_is_believed_after_hold() -> None:
    cleaned = Cleaned([{"rate": {"per_s": 1, "hold": "3s"}}])
    assert cleaned.run([0, 1e6, 1e6, 1e6, 1e6]) == [(0, 0), (0, EST), (0, EST), (0, EST), (1e6, 0), (1e6, 0)]


def test_where_time_does_not_rise_no_rate_is_known() -> None:
    cleaned = Cleaned([{"rate": {"per_s": 1}}])
    cleaned.send([0], [0.0], times_s=[100])
    cleaned.send([0], [50.0], times_s=[100])
    cleaned.send([0], [99.0], times_s=[40])
    assert cleaned.rows() == [(0, 0), (50, 0), (99, 0)]


def test_what_became_true_by_time_is_not_doubted_again() -> None:
    """A slow scan: its next value comes long after `hold`, and the window is still full of the old level."""
    cleaned = Cleaned(SPIKE)
    cleaned.run([5.0] * 7, step_s=60)
    assert cleaned.run([100.0] * 3, step_s=60) == [(5.0, EST), (100.0, 0), (100.0, 0), (100.0, 0)]


def test_a_single_wrong_value_of_a_slow_scan_never_comes_through() -> None:
    """Until the next value comes, nobody can tell a spike from a step: what is held back waits for that."""
    for chain in ([{"spike": {"window": 5}}], [{"rate": {"per_s": 1}}]):
        cleaned = Cleaned(chain, scan="30s")
        cleaned.run([5.0] * 5, step_s=30)
        assert cleaned.run([9999.0, 5.0, 5.0], step_s=30) == [(5.0, EST), (5.0, 0), (5.0, 0)]


def test_time_counts_also_where_no_tick_came_between() -> None:
    for chain in (SPIKE, [{"rate": {"per_s": 1}}]):
        cleaned = Cleaned(chain)
        for second in range(9):
            cleaned.at_s = 60.0 * second
            cleaned.send([0], [5.0 if second < 7 else 100.0])
        cleaned.at_s += 9
        cleaned.send([0], [100.0])
        cleaned.at_s += 60
        cleaned.send([0], [100.0])
        assert cleaned.rows()[7:] == [(5.0, EST), *[(100.0, 0)] * 3]
