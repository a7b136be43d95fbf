"""Median and mean: a row for a row over a window, one row at the end of a time."""

from __future__ import annotations

import math

import pytest

from app.engine.cleaning.smoothing import MOST_FOR_MEDIAN
from app.model import quality as q
from tests.support.cleaned import Cleaned


def test_a_moving_mean_and_median_follow_their_window() -> None:
    assert Cleaned([{"mean": {"window": 3}}]).run([3, 6, 9, 30]) == [(3, 0), (4.5, 0), (6, 0), (15, 0)]
    assert Cleaned([{"median": {"window": 3}}]).run([3, 6, 9, 1]) == [(3, 0), (3, 0), (6, 0), (6, 0)]


def test_a_bad_value_stays_out_of_the_window_and_marks_stay_with_their_values() -> None:
    cleaned = Cleaned([{"mean": {"window": 2}}])
    cleaned.send([0], [4.0], q.CLOCK)
    cleaned.send([0], [999.0], q.IV)
    cleaned.send([0], [6.0])
    cleaned.send([0], [8.0])
    assert cleaned.rows() == [(4, q.CLOCK), (999, q.IV), (5, q.CLOCK), (7, 0)]


def test_over_a_time_one_row_comes_at_its_end() -> None:
    cleaned = Cleaned([{"mean": {"over": "10s"}}], [{"median": {"over": "10s"}}])
    for value in (1.0, 2.0, 9.0):
        cleaned.send([0, 1], [value, value], times_s=[cleaned.at_s, cleaned.at_s])
        cleaned.wait(2)
    assert cleaned.rows() == []
    cleaned.wait(60)
    assert cleaned.rows(0) == [(4, 0)] and cleaned.rows(1) == [(2, 0)]
    assert cleaned.out[-1].time[0] == cleaned.table.snapshot(0).raw.time[0], "the newest value's own time"  # type: ignore[union-attr]


def test_what_was_bad_within_the_time_is_left_out_and_told() -> None:
    cleaned = Cleaned([{"mean": {"over": "10s"}}])
    cleaned.run([1.0])
    cleaned.run([99.0], q.IV)
    cleaned.wait(10)
    assert cleaned.rows() == [(1, q.DERIVED)]
    cleaned.run([99.0], q.IV)
    cleaned.wait(10)
    assert cleaned.rows()[-1] == (99, q.IV), "nothing usable: it is told as it came"
    cleaned.run([5.0])
    cleaned.wait(10)
    assert cleaned.rows()[-1] == (5, 0)


def test_a_lost_device_is_told_at_once() -> None:
    cleaned = Cleaned([{"median": {"over": "10s"}}])
    cleaned.run([1.0])
    cleaned.lose()
    ((value, quality),) = cleaned.rows()
    assert math.isnan(value) and quality == q.NT
    cleaned.wait(60)
    assert len(cleaned.rows()) == 1


def test_a_median_over_a_time_is_of_the_newest_and_a_mean_of_all() -> None:
    cleaned = Cleaned([{"median": {"over": "10s"}}], [{"mean": {"over": "10s"}}])
    values = [0.0] * 500 + [1.0] * MOST_FOR_MEDIAN
    for value in values:
        cleaned.send([0, 1], [value, value])
    cleaned.wait(11)
    assert cleaned.values(0) == [1.0]
    assert cleaned.values(1) == [pytest.approx(sum(values) / len(values))]
