"""The measure of a million inputs finds what is kept."""

from __future__ import annotations

from random import Random

import pytest

from tests.support.fuzzing import GROWTH_MB, a_million


def test_what_is_kept_of_each_input_is_found() -> None:
    kept: list[bytes] = []
    with pytest.raises(AssertionError, match="MB more after 100,000 inputs"):
        a_million(lambda count, random: kept.extend(random.randbytes(200) for _ in range(count)), inputs=100_000)
    assert GROWTH_MB * 1e6 < 200 * 90_000


def test_what_is_let_go_is_none() -> None:
    def fuzz(count: int, random: Random) -> None:
        for _ in range(count):
            random.randbytes(200)

    a_million(fuzz, inputs=100_000)
