"""A path names one value of a JSON document, or is refused."""

from __future__ import annotations

import pytest

from drivers.json_path import MISSING, compile, find


@pytest.mark.parametrize("path", ["$.*", "$.a.*", "$.a*", "$[*]", "$..a", "$[?@.a]", "$[0:2]"])
def test_a_path_that_may_name_several_values_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="a path names one value: wildcards, filters and slices are not known"):
        compile(path)


def test_a_member_may_have_a_name_of_stars() -> None:
    assert find({"*": 1, "a": 2}, compile("$['*']")) == 1
    assert find({"a": 2}, compile("$['*']")) is MISSING
