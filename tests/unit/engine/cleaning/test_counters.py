"""Counters: rollovers carried on, resets bridged, wrong readings left out, restarts survived; never falling."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.model import quality as q
from tests.support.cleaned import T0, Cleaned

EST = q.ESTIMATED
FREE: list[dict[str, Any]] = [{"counter": {}}]
SHORT: list[dict[str, Any]] = [{"counter": {"modulus": "2^16"}}]
SURE: list[dict[str, Any]] = [{"counter": {"modulus": 65536, "per_s": 100}}]


def counter(chain: list[dict[str, Any]], **point: Any) -> Cleaned:
    return Cleaned(chain, kind="counter", **point)


def test_a_counter_that_grows_is_left_alone() -> None:
    assert counter(FREE).run([5, 5, 7, 1e6]) == [(5, 0), (5, 0), (7, 0), (1e6, 0)]


def test_a_rollover_goes_on_at_once_where_the_rate_is_known() -> None:
    assert counter(SURE).run([65500, 65530, 20, 50]) == [(65500, 0), (65530, 0), (65556, 0), (65586, 0)]


def test_a_rollover_without_a_rate_is_told_from_a_wrong_reading_by_what_follows() -> None:
    rows = counter(SHORT).run([65500, 65530, 20, 50, 80, 110])
    assert rows == [(65500, 0), (65530, 0), (65530, EST), (65530, EST), (65616, 0), (65646, 0)]


@pytest.mark.parametrize(
    ("modulus", "last", "then", "out"), [("2^32", 4294967290, 4, 4294967300), (10**6, 999_999, 0.0, 1e6)]
)
def test_other_moduli(modulus: Any, last: float, then: float, out: float) -> None:
    assert counter([{"counter": {"modulus": modulus, "per_s": 100}}]).run([last, then])[-1] == (out, 0)


def test_the_modulus_is_of_the_register_before_scale() -> None:
    rows = counter(SURE, scale=0.01, precision=2).run([655.30, 0.20])
    assert rows[-1] == (pytest.approx(655.56), 0)


def test_a_reset_is_bridged_and_what_was_counted_since_is_kept() -> None:
    rows = counter(FREE).run([100_000, 100_010, 1, 2, 3, 4])
    assert rows == [(100_000, 0), (100_010, 0), (100_010, EST), (100_010, EST), (100_013, 0), (100_014, 0)]


def test_one_reading_of_nothing_is_no_reset() -> None:
    """What meters and gateways answer now and then; taken for a reset it counts everything twice."""
    for chain in (FREE, SHORT, SURE):
        assert counter(chain).run([40_000, 0, 40_001]) == [(40_000, 0), (40_000, EST), (40_001, 0)]
        assert counter(chain).run([40_000, *[0] * 50, 40_001])[-1] == (40_001, 0)


def test_an_earlier_reading_is_not_counted_twice() -> None:
    assert counter(FREE).run([1000, 990, 1001]) == [(1000, 0), (1000, EST), (1001, 0)]
    assert counter(FREE).run([1000, 990, 991, 992, 993])[-2:] == [(1000, 0), (1001, 0)]


def test_a_jump_that_the_device_cannot_have_made_is_not_counted() -> None:
    rows = counter(SURE).run([1000, 60_000, 1010])
    assert rows == [(1000, 0), (1000, EST), (1010, 0)]
    swapped = counter(SURE).run([1000, 60_000, 60_010, 60_020, 60_030])
    assert swapped[-2:] == [(1000, 0), (1010, 0)]


def test_behind_a_reset_no_more_is_counted_than_can_have_been() -> None:
    """A meter that was replaced by a used one."""
    assert counter([{"counter": {"per_s": 100}}]).run([60_000, 20_000, 20_010, 20_020])[-1] == (60_000, 0)


def test_each_break_is_confirmed_by_readings_of_its_own() -> None:
    assert counter(SURE).run([1000, 60_000, 60_010, 60_020, 65_000])[-2:] == [(1000, 0), (1000, EST)]


def test_a_slow_fall_is_not_taken_for_rounding() -> None:
    rows = counter(FREE, precision=0).run([100, 99.4, 98.8, 98.2])
    assert [value for value, _ in rows] == [100] * 4
    assert [quality for _, quality in rows] == [0, 0, EST, EST]


def test_what_grew_while_the_device_was_lost_counts() -> None:
    cleaned = counter(SURE)
    cleaned.run([1000])
    cleaned.lose()
    cleaned.wait(100)
    assert cleaned.run([9000]) == [(9000, 0)]


def restored(chain: list[dict[str, Any]], value: float, **point: Any) -> Cleaned:
    cleaned = counter(chain, **point)
    cleaned.cleaning.restore({0: (value, 0, T0 - 60_000_000_000)})
    return cleaned


def test_after_a_restart_it_goes_on_from_the_history() -> None:
    assert restored(FREE, 1000).run([1005]) == [(1005, 0)]
    assert restored(SURE, 3 * 65536 + 100).run([150]) == [(3 * 65536 + 150, 0)]
    assert restored(SURE, 65530).run([20]) == [(65556, 0)], "it rolled over meanwhile"


def test_after_a_restart_a_counter_that_had_been_reset_neither_falls_nor_jumps() -> None:
    rows = restored(FREE, 10_500).run([510, 511, 512, 513])
    assert rows == [(10_500, EST), (10_500, EST), (10_500, 0), (10_501, 0)]


def test_what_the_history_rounded_is_no_fall() -> None:
    assert restored(FREE, 123.46, precision=2).run([123.458, 123.470]) == [(123.46, 0), (123.470, 0)]


def test_a_point_that_the_history_does_not_know_begins_with_its_reading() -> None:
    cleaned = counter(SURE)
    cleaned.cleaning.restore({})
    assert cleaned.run([42]) == [(42, 0)]


def test_a_row_that_is_not_usable_holds_the_last_value() -> None:
    """Or the history would end with it, and the next run begin from there."""
    assert counter(FREE).run([1000, 1010]) == [(1000, 0), (1010, 0)]
    cleaned = counter(FREE)
    cleaned.run([1000])
    assert cleaned.run([0], q.IV) == [(1000, q.IV)]
    cleaned.lose()
    assert cleaned.rows()[-1] == (1000, q.NT)
    assert cleaned.run([1001]) == [(1001, 0)]


def test_what_grew_since_a_bad_last_row_of_the_history_counts() -> None:
    cleaned = counter(SURE)
    cleaned.cleaning.restore({0: (1000, q.NT, T0 - 1_000_000_000)})
    assert cleaned.run([9000]) == [(9000, 0)]


@settings(deadline=None)
@given(
    readings=st.lists(st.one_of(st.integers(0, 65535), st.sampled_from([0, 1, 65535])), min_size=1, max_size=60),
    chain=st.sampled_from([FREE, SHORT, SURE]),
    stored=st.none() | st.integers(0, 10**6),
)
def test_it_never_falls(readings: list[int], chain: list[dict[str, Any]], stored: int | None) -> None:
    cleaned = counter(chain) if stored is None else restored(chain, stored)
    for i, reading in enumerate(readings):
        cleaned.run([reading], q.IV if reading % 7 == 3 and i else 0, step_s=0.1)
    values = cleaned.values()
    assert all(a <= b for a, b in zip([stored or 0, *values], values, strict=False))


@settings(deadline=None)
@given(
    steps=st.lists(st.integers(0, 90), min_size=1, max_size=200),
    start=st.integers(0, 65535),
    restart_at=st.integers(0, 200),
)
def test_over_rollovers_and_a_restart_nothing_is_lost(steps: list[int], start: int, restart_at: int) -> None:
    total, last, cleaned = start, None, counter(SURE)
    for i, step in enumerate(steps):
        total += step
        if i == restart_at and last is not None:
            now = cleaned.now
            cleaned = counter(SURE)
            cleaned.at_s = now.monotonic_ns / 1e9
            cleaned.cleaning.restore({0: (last, 0, now.wall_ns - 1_000_000_000)})
        ((last, quality),) = cleaned.run([total % 65536])
        assert (last - (steps[0] + start) % 65536, quality) == (total - steps[0] - start, 0)
