"""Filters without memory: clamp, scale, bits, map."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.model import quality as q
from tests.support.cleaned import Cleaned


def clean(chain: list[dict[str, object]], *values: float) -> list[tuple[float, int]]:
    return Cleaned(chain).run(values, step_s=0.0)


def test_clamp_marks_what_is_more_than_noise() -> None:
    rows = clean([{"clamp": {"low": 0, "high": 100, "margin": 0.5}}], -0.4, -0.6, 50, 100.5, 101)
    assert rows == [(0, 0), (0, q.RANGE), (50, 0), (100, 0), (100, q.RANGE)]
    assert clean([{"clamp": {"low": 0}}], -0.1, 1e9) == [(0, q.RANGE), (1e9, 0)]


def test_scale_goes_through_its_pairs_and_on() -> None:
    assert clean([{"scale": {"through": [[4, 0], [20, 100]]}}], 3.2, 4, 12, 20, 21.6) == [
        (pytest.approx(v), 0) for v in (-5, 0, 50, 100, 110)
    ]
    bent = [{"scale": {"through": [[0, 0], [10, 1], [20, 100]]}}]
    assert [v for v, _ in clean(bent, -10, 5, 10, 15, 30)] == pytest.approx([-1, 0.5, 1, 50.5, 199])


def test_a_number_that_scale_cannot_hold_is_invalid() -> None:
    assert clean([{"scale": {"through": [[0, 0], [1, 1e300]]}}], 1e300) == [(math.inf, q.IV)]


@settings(deadline=None)
@given(number=st.integers(-(2**52), 2**52), first=st.integers(0, 52), count=st.integers(1, 53))
def test_bits_are_those_of_python(number: int, first: int, count: int) -> None:
    count = min(count, 53 - first)
    (row,) = clean([{"bits": {"first": first, "count": count}}], number)
    assert row == ((number >> first) & ((1 << count) - 1), 0)


def test_a_number_without_bits_is_invalid() -> None:
    for value in (1.5, 2.0**53, -1e300):
        ((out, quality),) = clean([{"bits": {"first": 0}}], value)
        assert math.isnan(out) and quality == q.IV


def test_map_knows_its_states_and_says_so_of_others() -> None:
    chain = [{"map": {"states": {0: 2, 5: 1, -3: 7}}}]
    assert clean(chain, 0, 5, -3) == [(2, 0), (1, 0), (7, 0)]
    for value in (4, 5.5, 99, -9):
        ((out, quality),) = clean(chain, value)
        assert math.isnan(out) and quality == q.IV
    assert clean([{"map": {"states": {0: 2}, "other": 9}}], 4) == [(9, 0)]


def test_a_bit_can_be_turned_round() -> None:
    assert clean([{"bits": {"first": 3}}, {"map": {"states": {0: 1, 1: 0}}}], 0b1000, 0b0111) == [(0, 0), (1, 0)]


def test_what_is_not_usable_passes_as_it_came() -> None:
    for chain in ({"clamp": {"high": 1}}, {"scale": {"through": [[0, 1], [1, 5]]}}, {"bits": {"first": 1}}):
        assert Cleaned([chain]).run([77.0], q.IV, step_s=0.0) == [(77.0, q.IV)]
