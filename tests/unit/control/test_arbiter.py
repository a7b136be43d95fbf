"""Every pair of ranks: intervals intersect from the top, the higher one stays, the highest target wins and is clamped."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.control.arbiter import NOBODY, Claim, arbitrate
from app.model.control import RANKS, Rank

PAIRS = list(combinations(RANKS, 2))
"""Each pair, the higher rank first."""
NONE = float("nan")


def claim(rank: Rank, low: float = -np.inf, high: float = np.inf, target: float = NONE) -> Claim:
    return Claim(rank, np.array([0]), np.array([low]), np.array([high]), np.array([target]))


def value(*claims: Claim, rest: float = 0.0) -> float:
    return float(arbitrate(claims, np.array([rest])).value[0])


@pytest.mark.parametrize(("higher", "lower"), PAIRS)
@pytest.mark.parametrize("order", [1, -1])
def test_the_higher_target_wins_whoever_is_named_first(higher: Rank, lower: Rank, order: int) -> None:
    claims = [claim(higher, target=10), claim(lower, target=-20)][::order]
    verdict = arbitrate(claims, np.zeros(1))
    assert verdict.value[0] == 10 and claims[int(verdict.holder[0])].rank is higher


@pytest.mark.parametrize(("higher", "lower"), PAIRS)
def test_the_higher_interval_clamps_the_lower_target_and_is_named(higher: Rank, lower: Rank) -> None:
    verdict = arbitrate([claim(lower, target=50), claim(higher, high=30)], np.zeros(1))
    assert verdict.value[0] == 30 and verdict.requested[0] == 50
    assert verdict.holder[0] == 0 and verdict.clipper[0] == 1


@pytest.mark.parametrize(("higher", "lower"), PAIRS)
def test_the_lower_may_tighten_the_higher_target(higher: Rank, lower: Rank) -> None:
    assert value(claim(higher, target=50), claim(lower, high=30)) == 30


@pytest.mark.parametrize(("higher", "lower"), PAIRS)
def test_the_lower_never_loosens(higher: Rank, lower: Rank) -> None:
    assert value(claim(higher, -5, 5), claim(lower, 10, 20, 15)) == 5
    assert value(claim(higher, -5, 5), claim(lower, -20, -10, -15)) == -5
    assert value(claim(higher, -5, 5, 3), claim(lower, -100, 100, 50)) == 3


def test_where_nobody_has_a_target_it_is_at_rest_or_as_near_as_it_may() -> None:
    assert value(claim(Rank.GRID, -10, 10)) == 0
    assert value(claim(Rank.GRID, 5, 10)) == 5
    assert value(claim(Rank.GRID, high=20), rest=50) == 20
    assert np.isnan(arbitrate([], np.zeros(1)).value[0])


def test_channels_are_each_by_themselves() -> None:
    one = Claim(Rank.PLAN, np.array([2, 0]), np.array([-1.0, -np.inf]), np.array([np.inf, 4.0]), np.array([7.0, 9.0]))
    verdict = arbitrate([one], np.zeros(3))
    assert verdict.value[0] == 4 and verdict.value[2] == 7 and np.isnan(verdict.value[1])
    assert verdict.holder.tolist() == [0, NOBODY, 0]


NUMBERS = st.floats(-1000, 1000)


@given(
    st.lists(
        st.tuples(st.sampled_from(RANKS), NUMBERS, NUMBERS, st.one_of(NUMBERS, st.just(NONE))), min_size=1, max_size=8
    )
)
def test_no_order_of_claims_leaves_the_highest_interval(rows: list[tuple[Rank, float, float, float]]) -> None:
    claims = [claim(rank, min(a, b), max(a, b), target) for rank, a, b, target in rows]
    verdict = arbitrate(claims, np.zeros(1))
    top = min(claims, key=lambda one: RANKS.index(one.rank))
    assert top.low[0] <= verdict.value[0] <= top.high[0]
    assert verdict.low[0] <= verdict.value[0] <= verdict.high[0]


def test_every_rank_is_told_apart() -> None:
    assert len(list(product(RANKS, RANKS))) == 36 and len(PAIRS) == 15
