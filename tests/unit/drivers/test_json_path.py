"""A path names one value of a JSON document, or is refused."""

from __future__ import annotations

from random import Random

import pytest

from drivers.json_path import MISSING, compile, find
from tests.support.fuzzing import a_million, spoilt


@pytest.mark.parametrize("path", ["$.*", "$.a.*", "$.a*", "$[*]", "$..a", "$[?@.a]", "$[0:2]"])
def test_a_path_that_may_name_several_values_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="a path names one value: wildcards, filters and slices are not known"):
        compile(path)


def test_a_member_may_have_a_name_of_stars() -> None:
    assert find({"*": 1, "a": 2}, compile("$['*']")) == 1
    assert find({"a": 2}, compile("$['*']")) is MISSING


def fuzz(count: int, random: Random) -> None:
    """Texts that were paths once: one value or none, or refused."""
    document = {"a": {"b": [1, {"c'd": 2}], "": 3}, "*": [[], {}]}
    seeds = (b"$", b"$.a.b[1]['c\\'d']", b'$["*"][-1]', b"$.a['']", b"$.a.b[0]")
    alphabet = b"$.[]'\"-0123456789ab*?:\\ \n" + bytes(range(256))
    for _ in range(count):
        path = spoilt(random, random.choice(seeds), alphabet).decode("latin-1")
        try:
            steps = compile(path)
        except ValueError as error:
            assert str(error)
            continue
        find(document, steps)


def test_any_text_is_a_path_or_refused() -> None:
    fuzz(5_000, Random(1))


@pytest.mark.slow
def test_a_million_texts_are_paths_or_refused() -> None:
    a_million(fuzz)
