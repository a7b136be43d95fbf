"""The measure of a million inputs finds what is kept."""

from __future__ import annotations

from random import Random

import pytest

from tests.support.fuzzing import a_million


@pytest.mark.parametrize(("every", "size"), [(1, 200), (50, 60), (500, 200_000)])
def test_what_is_kept_of_the_inputs_is_found(every: int, size: int) -> None:
    kept: list[bytes] = []

    def fuzz(count: int, random: Random) -> None:
        for number in range(count):
            data = random.randbytes(size if number % every == 0 else 1)
            if number % every == 0:
                kept.append(data)

    with pytest.raises(AssertionError, match="objects more after 100,000 inputs"):
        a_million(fuzz, inputs=100_000)


def test_what_is_let_go_is_none() -> None:
    def fuzz(count: int, random: Random) -> None:
        for _ in range(count):
            random.randbytes(200)

    a_million(fuzz, inputs=100_000)
