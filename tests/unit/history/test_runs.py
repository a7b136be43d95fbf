"""Run intervals: united, clipped, and the same after writing them again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.history.runs import Runs, load_runs

INTERVALS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)).map(lambda p: (p[0], p[0] + p[1])), max_size=8)


@given(INTERVALS, st.integers(0, 50), st.integers(1, 50))
def test_pieces_are_exactly_the_recorded_moments_of_the_window(
    intervals: list[tuple[int, int]], start: int, length: int
) -> None:
    runs = Runs(intervals)
    pieces = runs.pieces(start, start + length)
    recorded = {t for a, b in intervals for t in range(a, b)} & set(range(start, start + length))
    assert {t for a, b in pieces.tolist() for t in range(a, b)} == recorded
    flat = pieces.ravel().tolist()
    assert flat == sorted(flat)


def test_a_run_grows_with_its_marks_and_never_shrinks() -> None:
    runs = Runs()
    for alive in (5, 9, 7):
        runs.add(1, alive)
    assert runs.pieces(0, 100).tolist() == [[1, 9]]
    assert runs.last() == 9


def test_saved_twice_is_saved_once(tmp_path: Path) -> None:
    runs = Runs([(1, 5), (8, 9)])
    runs.save(tmp_path)
    runs.save(tmp_path)
    assert load_runs(tmp_path).pieces(0, 100).tolist() == [[1, 5], [8, 9]]


def test_a_file_that_is_none_says_where(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text("start_ms,end_ms\n1,2\n3\n")
    with pytest.raises(ValueError, match=r"runs\.csv:3: not two numbers"):
        load_runs(tmp_path)
