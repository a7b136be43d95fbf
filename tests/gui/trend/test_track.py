"""Rows of one pen: history and live joined, gaps kept, readings true."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.model import quality as q
from app.model.views import Series
from widgets.trend import track as track_module
from widgets.trend.track import Track, figures

S = 1_000_000_000
T0 = 1_700_000_000 * S


def series(
    seconds: list[float],
    values: list[float],
    *,
    bucket_s: int = 0,
    gaps: list[tuple[float, float]] | None = None,
    quality: list[int] | None = None,
) -> Series:
    time = np.array([T0 + round(s * S) for s in seconds], np.int64)
    value = np.array(values, np.float64)
    return Series(
        "a.b",
        "raw" if not bucket_s else f"{bucket_s}s",
        bucket_s * S,
        time,
        value - bucket_s / 10,
        value + bucket_s / 10,
        value,
        value,
        value,
        np.ones(len(time), np.int64),
        np.array(quality or [0] * len(seconds), np.uint16),
        np.array([(T0 + round(a * S), T0 + round(b * S)) for a, b in gaps or []], np.int64).reshape(-1, 2),
    )


def put(track: Track, seconds: list[float], values: list[float], quality: int = 0) -> None:
    time = np.array([T0 + round(s * S) for s in seconds], np.int64)
    track.append(time, np.array(values, np.float64), np.full(len(time), quality, np.uint16))


def at(track: Track, second: float) -> float:
    return track.at(T0 + round(second * S)).value


def test_a_line_is_read_between_samples_and_a_state_is_not() -> None:
    for hold, expected in ((False, 2.5), (True, 0.0)):
        track = Track(hold=hold)
        track.replace(series([0, 4], [0, 10]), T0, T0 + 5 * S)
        assert at(track, 1) == expected
        assert at(track, 4) == 10
        assert math.isnan(at(track, -1))


def test_nothing_is_read_in_a_gap_nor_after_what_is_known() -> None:
    track = Track()
    track.replace(series([0, 10, 50, 60], [1, 1, 1, 1], gaps=[(10, 50)]), T0, T0 + 60 * S)
    assert at(track, 5) == 1
    assert math.isnan(at(track, 11))
    assert math.isnan(at(track, 49))
    assert at(track, 55) == 1
    assert math.isnan(at(track, 61))
    track.know_until(T0 + 70 * S)
    assert at(track, 65) == 1


def test_a_held_state_lasts_until_its_gap_begins() -> None:
    track = Track(hold=True)
    track.replace(series([0, 50], [1, 0], gaps=[(20, 40)]), T0, T0 + 60 * S)
    assert at(track, 19) == 1
    assert math.isnan(at(track, 21))
    assert math.isnan(at(track, 39))


def test_a_value_that_is_not_there_breaks_the_line_until_it_comes_back() -> None:
    track = Track()
    put(track, [0, 1, 2], [5, math.nan, math.nan])
    put(track, [100, 101], [6, 6])
    columns = track.columns(T0, T0 + 101 * S, 20)
    broken = columns.begin[np.isnan(columns.mid)]
    assert len(broken)
    assert broken[-1] > T0 + 40 * S, "the break lies far from both neighbours, so that no bucket swallows it"
    assert math.isnan(at(track, 60))


def test_history_replaces_its_interval_and_nothing_else() -> None:
    track = Track()
    track.replace(series([0, 10, 20, 30], [1, 1, 1, 1]), T0, T0 + 31 * S)
    track.replace(series([10, 15, 19], [7, 7, 7]), T0 + 10 * S, T0 + 20 * S)
    assert [at(track, s) for s in (0, 10, 15, 20, 30)] == [1, 7, 7, 1, 1]
    assert len(track) == 6


def test_live_rows_that_are_newer_than_history_stay() -> None:
    track = Track()
    put(track, [100, 101, 102], [1, 2, 3])
    track.replace(series([90, 95, 100], [9, 9, 1], gaps=[(100, 110)]), T0 + 90 * S, T0 + 110 * S)
    assert at(track, 102) == 3
    assert at(track, 101) == 2
    assert at(track, 95) == 9


def test_a_row_of_an_earlier_time_finds_its_place() -> None:
    track = Track()
    put(track, [10, 20], [1, 2])
    put(track, [15], [9])
    assert at(track, 15) == 9
    assert at(track, 20) == 2


def test_a_row_that_is_told_again_is_not_kept_again() -> None:
    track = Track()
    for _ in range(5):
        put(track, [10], [1])
    assert len(track) == 1
    put(track, [10], [1], q.NT)
    assert track.newest().quality == q.NT


def test_buckets_are_drawn_at_their_middle_with_their_extremes() -> None:
    track = Track()
    track.replace(series([0, 60, 120], [10, 20, 30], bucket_s=60), T0, T0 + 180 * S)
    assert at(track, 30) == 10
    assert at(track, 60) == 15
    columns = track.columns(T0, T0 + 180 * S, 1000)
    assert columns.low[0] == 4
    assert columns.high[0] == 16


def test_a_fine_tier_may_lie_in_a_coarse_one() -> None:
    track = Track()
    track.replace(series([0, 60, 120], [10, 10, 10], bucket_s=60), T0, T0 + 180 * S)
    track.replace(series([60, 70, 80], [1, 2, 3]), T0 + 60 * S, T0 + 120 * S)
    assert at(track, 70) == 2
    put(track, [200], [5])
    assert at(track, 200) == 5
    assert bool(np.all(np.diff(track.columns(T0, T0 + 200 * S, 1000).begin) >= 0))


def test_the_tail_is_seen_at_once_and_after_the_pyramid_is_rebuilt() -> None:
    track = Track()
    seconds = [float(s) for s in range(20_000)]
    track.replace(series(seconds, [1.0] * 20_000), T0, T0 + 20_000 * S)
    track.columns(T0, T0 + 20_000 * S, 500)
    put(track, [20_000], [77.0])
    assert track.columns(T0, T0 + 20_001 * S, 500).high.max() == 77
    put(track, [float(s) for s in range(20_001, 40_000)], [2.0] * 19_999)
    columns = track.columns(T0, T0 + 40_000 * S, 500)
    assert columns.high.max() == 77
    assert columns.mid[-1] == 2


def test_the_tail_does_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track_module, "MOST_ROWS", 120)
    monkeypatch.setattr(track_module, "_KEPT_ROWS", 100)
    track = Track()
    for s in range(500):
        put(track, [float(s)], [float(s)])
    assert 100 <= len(track) <= 121
    assert at(track, 499) == 499


def test_figures_are_of_what_is_seen_and_weighted_by_time() -> None:
    track = Track(hold=True)
    track.replace(series([0, 90, 100], [0, 10, 10]), T0, T0 + 100 * S)
    start, end = T0, T0 + 100 * S
    low, high, mean = figures(track.columns(start, end, 500), start, end, hold=True)
    assert (low, high) == (0, 10)
    assert mean == pytest.approx(1.0)


def test_figures_leave_out_what_is_not_usable() -> None:
    track = Track()
    put(track, [0, 1, 2], [1, 1, 1])
    put(track, [3], [6553.5], q.IV)
    put(track, [4, 5], [3, 3])
    assert figures(track.columns(T0, T0 + 5 * S, 500), T0, T0 + 5 * S, hold=False).high == 3


def test_a_state_that_did_not_change_in_the_window_has_figures_all_the_same() -> None:
    track = Track(hold=True)
    track.replace(series([0], [1]), T0, T0 + 100 * S)
    track.know_until(T0 + 100 * S)
    start, end = T0 + 50 * S, T0 + 60 * S
    assert figures(track.columns(start, end, 100), start, end, hold=True).low == 1
