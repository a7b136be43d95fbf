"""What a trend draws: pixels that hide no peak, means that are means, and honest gaps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.history.reduce import (
    TierRows,
    draw_buckets,
    draw_samples,
    lost_gaps,
    silent_gaps,
    uncovered_gaps,
    unite,
)
from app.model.quality import IV, NT

NO_GAPS = np.empty((0, 2), np.int64)


def samples(rows: list[tuple[int, float, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    time, value, quality = zip(*rows, strict=True) if rows else ((), (), ())
    return np.array(time, np.int64), np.array(value, float), np.array(quality, np.uint16)


ROWS = st.lists(
    st.tuples(st.integers(0, 500), st.sampled_from([1.0, -2.0, 30.0, math.nan]), st.sampled_from([0, 0, IV, 0x10])),
    min_size=1, max_size=40, unique_by=lambda r: r[0],
).map(sorted)  # fmt: skip


@given(ROWS, st.integers(1, 100))
def test_a_pixel_has_the_extremes_the_count_and_the_mean_of_its_time(
    rows: list[tuple[int, float, int]], width: int
) -> None:
    drawn = draw_samples(*samples(rows), width, hold_ms=10_000)
    assert drawn.time.tolist() == sorted({t // width * width for t, _, _ in rows})
    for at, start in enumerate(drawn.time.tolist()):
        mine = [r for r in rows if start <= r[0] < start + width]
        good = [r for r in mine if not r[2] & IV and not math.isnan(r[1])]
        assert drawn.count[at] == len(mine)
        assert drawn.min[at] == pytest.approx(min((r[1] for r in good), default=math.nan), nan_ok=True)
        assert drawn.max[at] == pytest.approx(max((r[1] for r in good), default=math.nan), nan_ok=True)
        assert drawn.quality[at] == np.bitwise_or.reduce([r[2] for r in mine])
        held = []
        for t in range(start, start + width):
            last = next((r for r in reversed(rows) if r[0] <= t), None)
            if last is not None and not last[2] & IV and not math.isnan(last[1]):
                held.append(last[1])
        if held:
            assert drawn.mean[at] == pytest.approx(sum(held) / len(held))


def test_a_sample_from_before_a_long_silence_does_not_weigh_in_the_pixel_after_it() -> None:
    drawn = draw_samples(*samples([(0, 100.0, 0), (995, 1.0, 0)]), 100, hold_ms=50)
    assert drawn.mean.tolist() == [100.0, 1.0]


def tier_rows(*rows: dict[str, float]) -> TierRows:
    def column(name: str, kind: type = float) -> np.ndarray:
        return np.array([row.get(name, row.get("v", 0)) for row in rows], kind)

    return TierRows(
        column("time", np.int64), *(column(n) for n in ("min", "max", "mean", "first", "last")),
        column("count", np.int64), column("good", np.int64), column("quality", np.uint16),
    )  # fmt: skip


def test_parts_of_one_bucket_make_one_bucket() -> None:
    part1 = {"time": 0, "min": 1, "max": 3, "mean": 2, "first": 1, "last": 3, "count": 5, "good": 600, "quality": 1}
    part2 = {"time": 0, "min": 0, "max": 9, "mean": 5, "first": 4, "last": 9, "count": 2, "good": 200, "quality": 4}
    nan = math.nan
    late = {"time": 0, "min": -7, "max": -7, "mean": nan, "first": -7, "last": -7, "count": 1, "good": 0, "quality": 0}
    drawn = draw_buckets(tier_rows(part1, part2, late), 1000)
    assert drawn.mean.tolist() == [2.75]
    assert (drawn.min[0], drawn.max[0], drawn.first[0], drawn.last[0]) == (-7, 9, 1, 9)
    assert (drawn.count[0], drawn.quality[0]) == (8, 5)


def test_a_whole_bucket_keeps_its_mean_to_the_last_digit() -> None:
    row = {"time": 0, "min": 0, "max": 1, "mean": 0.832, "first": 0, "last": 1, "count": 5, "good": 5000, "quality": 0}
    assert draw_buckets(tier_rows(row), 5000).mean.tolist() == [0.832]


def test_buckets_without_a_usable_moment_are_drawn_as_nothing() -> None:
    nan = math.nan
    row = {
        "time": 0,
        "min": nan,
        "max": nan,
        "mean": nan,
        "first": nan,
        "last": nan,
        "count": 1,
        "good": 0,
        "quality": 64,
    }
    drawn = draw_buckets(tier_rows(row), 5000)
    assert math.isnan(drawn.min[0])
    assert math.isnan(drawn.mean[0])
    assert drawn.quality[0] == NT


def test_a_lost_device_is_a_gap_from_its_loss_to_its_return() -> None:
    time, value, quality = samples([(0, 1, 0), (10, 1, NT), (70, 1, NT), (90, 2, 0), (95, 2, NT)])
    assert lost_gaps(time, quality, 100).tolist() == [[10, 90], [95, 100]]
    assert lost_gaps(time[:0], quality[:0], 100).tolist() == []
    assert len(value) == 5


@pytest.mark.parametrize(
    ("time", "pieces", "expected"),
    [
        ([-5, 10], [[0, 100]], []),  # held from before
        ([10], [[0, 100]], [[0, 10]]),  # nothing known until the first sample
        ([], [[0, 100]], [[0, 100]]),
        ([-5, 10, 60], [[0, 40], [50, 100]], [[40, 60]]),  # stopped, and known again some time after the start
        ([-5], [[0, 40]], [[40, 100]]),
        ([], [], [[0, 100]]),
        ([20, 30], [[20, 80]], [[0, 20], [80, 100]]),
    ],
)
def test_outside_the_runs_and_until_the_first_sample_of_a_run_there_is_a_gap(
    time: list[int], pieces: list[list[int]], expected: list[list[int]]
) -> None:
    runs = np.array(pieces, np.int64).reshape(-1, 2)
    assert silent_gaps(np.array(time, np.int64), runs, (0, 100)).tolist() == expected


def test_missing_buckets_are_gaps() -> None:
    row = {"v": 1.0, "good": 10, "quality": 0}
    rows = tier_rows({"time": 10, **row}, {"time": 20, **row}, {"time": 50, **row}, {"time": 60, **row, "good": 0})
    assert uncovered_gaps(rows, 10, (0, 80)).tolist() == [[0, 10], [30, 50], [60, 80]]
    assert uncovered_gaps(tier_rows(), 10, (0, 80)).tolist() == [[0, 80]]


@given(st.lists(st.tuples(st.integers(-5, 30), st.integers(-5, 30)), max_size=10))
def test_united_gaps_are_the_same_moments_in_rising_pieces(pairs: list[tuple[int, int]]) -> None:
    result = unite(np.array(pairs, np.int64).reshape(-1, 2), (0, 20)).tolist()
    assert {t for a, b in result for t in range(a, b)} == {t for a, b in pairs for t in range(a, b)} & set(range(20))
    flat = [edge for gap in result for edge in gap]
    assert flat == sorted(set(flat))
