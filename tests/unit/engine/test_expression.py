"""The expression language: what it computes, what it marks, and all that it refuses."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.columns import Columns
from app.engine.expression import ExpressionError, parse
from app.model import quality as q

NAMES = {"a": 0, "b": 1, "other.c": 2}


def match(pattern: str) -> list[int]:
    return {"*": [0, 1, 2], "a*": [0]}.get(pattern, [])


def compute(
    text: str, a: float = 2.0, b: float = 3.0, c: float = 5.0, quality: tuple[int, int, int] = (0, 0, 0)
) -> tuple[float, int]:
    columns = Columns([3], [parse(text, NAMES.get, match)])
    value, marks = columns.evaluate(np.array([a, b, c, np.nan]), np.array([*quality, q.NT], np.uint16))
    return float(value[0]), int(marks[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b * 2", 8), ("-a + +b", 1), ("a ** b", 8), ("7 % b + 0 * a", 1), ("other.c / a", 2.5),
        ("abs(a - b)", 1), ("min(a, b)", 2), ("max(a, b, other.c)", 5), ("max(a, 0)", 2), ("min(0, -a)", -2), ("(a and 1) * 1", 1), ("(0 or b) * 1", 1), ("clip(other.c, 0, 4)", 4),
        ("sqrt(a * 2)", 2), ("round(other.c / b, 1)", 1.7), ("convert(a, 'kW', 'W')", 2000), ("convert(a, 'K', 'degC')", -271.15),
        ("a if b > 2 else other.c", 2), ("other.c if not b > 2 else a", 2), ("(a > 1 and b > 1) * 1", 1), ("(a > 5 or b > 5) * 1", 0),
        ("sum('*')", 10), ("mean('*')", 10 / 3), ("min('*')", 2), ("max('*')", 5), ("count('*')", 3),
    ],
)  # fmt: skip
def test_values(text: str, expected: float) -> None:
    value, marks = compute(text)
    assert value == pytest.approx(expected) and marks == q.GOOD


def test_a_bad_input_marks_the_result() -> None:
    assert compute("a + b", quality=(q.NT, 0, 0)) == (5.0, q.NT | q.DERIVED)
    assert compute("a + b", quality=(q.SB, 0, 0)) == (5.0, q.SB)


def test_only_the_chosen_side_of_a_choice_is_an_input() -> None:
    assert compute("a if other.c > 1 else b", quality=(q.SB, q.NT, 0)) == (2.0, q.SB)
    assert compute("a if other.c > 9 else b", quality=(q.SB, q.NT, 0)) == (3.0, q.NT | q.DERIVED)
    assert compute("a if other.c > 1 else b", quality=(0, 0, q.NT)) == (2.0, q.NT | q.DERIVED), (
        "nor is the choice known"
    )


def test_known_functions_are_named_once() -> None:
    with pytest.raises(ExpressionError) as caught:
        compute("f(a)")
    known = str(caught.value).partition("known: ")[2].split()
    assert "min" in known and len(known) == len(set(known))


def test_no_number_is_invalid() -> None:
    for text in ("a / b", "round(a, 400)", "b + 1e400 * a"):
        value, marks = compute(text, b=0.0)
        assert np.isnan(value) and marks & q.IV


def test_a_pattern_leaves_bad_members_out_and_says_so() -> None:
    assert compute("sum('*')", quality=(0, q.NT, 0)) == (7.0, q.DERIVED)
    value, marks = compute("sum('*')", quality=(q.NT, q.IV, q.NT))
    assert np.isnan(value) and marks == q.NT | q.DERIVED
    assert compute("count('*')", quality=(0, q.NT, 0))[0] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("__import__('os').system('x')", "is not part of the language"), ("a.__class__", "unknown point"), ("eval('1')", "unknown function 'eval'"),
        ("[a for a in b]", "not part"), ("lambda: a", "not part"), ("a; b", "not an expression"), ("a +", "not an expression"),
        ("'text' + a", "not part"), ("f(a)", "unknown function 'f'; known:"), ("abs(a, b)", "abs takes 1 values, not 2"),
        ("nowhere.x", "unknown point 'nowhere.x'"), ("sum('none*')", "matches no point"), ("1 + 1", "reads no point"),
        ("integral(a) + 1", "must stand outermost"), ("integral(a, reset=week)", "unknown reset"), ("a < b < other.c", "not part"),
        ("convert(a, 'kW', 'kWh')", "they cannot be converted"), ("a" + "+a" * 2000, "longer than"), ("(" * 900 + "a" + ")" * 900, "not an expression"),
        ("a[0]", "not part"), ("a @ b", "not part"), ("sum(a)", "unknown function 'sum'"), ("True", "reads no point"), ("a := 1", "not an expression"),
        ("a + 1" + "0" * 400, "too large"), ("-" * 300 + "a", "nested deeper than 200 levels"), ("a" + "+a" * 300, "nested deeper"),
    ],
)  # fmt: skip
def test_what_is_not_listed_is_refused(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message.replace("(", r"\(").replace(")", r"\)")):
        parse(text, NAMES.get, match)


@given(st.text(max_size=60))
def test_any_text_is_an_expression_or_an_expression_error(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        parse(text, NAMES.get, match)


def test_instances_of_one_shape_run_together() -> None:
    first = parse("a * 2 + sum('*')", {"a": 0}.get, lambda p: [0, 1])
    second = parse("a * 2 + sum('*')", {"a": 1}.get, lambda p: [2])
    assert first.shape == second.shape
    columns = Columns([3, 4], [first, second])
    value, _ = columns.evaluate(np.array([1.0, 2.0, 4.0, 0, 0]), np.zeros(5, np.uint16))
    assert value.tolist() == [5.0, 8.0]
    assert columns.touched(np.array([False, False, True, False, False])).tolist() == [False, True]
