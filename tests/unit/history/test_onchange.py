"""What is stored: rounded, on change beyond the deadband, on a change of quality, at each heartbeat."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.history.onchange import OnChange, round_to
from app.model.updates import turns

S = 1_000_000_000
VALUES = st.sampled_from([0.0, 0.1, 0.2, 0.25, 1.0, 5.0, -5.0, math.nan, math.inf, -math.inf])
ROWS = st.lists(st.tuples(st.integers(0, 3), VALUES, st.sampled_from([0, 0x40])), min_size=1, max_size=40)
BANDS = np.array([0.0, 0.1, 1.0, 0.0])


def moved(old: float, new: float, band: float) -> bool:
    if math.isnan(old) or math.isnan(new):
        return math.isnan(old) != math.isnan(new)
    if old == new:
        return False
    return math.isinf(old) or math.isinf(new) or abs(new - old) > band * (1 + 1e-9)


@given(ROWS, st.integers(1, 4))
def test_every_row_is_judged_against_the_last_stored_one_however_batches_fall(
    rows: list[tuple[int, float, int]], pieces: int
) -> None:
    subject = OnChange(BANDS, np.ones(4), heartbeat_s=1e6)
    stored: dict[int, tuple[float, int]] = {}
    expected = []
    for point, value, quality in rows:
        last = stored.get(point)
        keep = last is None or moved(last[0], value, BANDS[point]) or last[1] != quality
        expected.append(keep)
        if keep:
            stored[point] = (value, quality)
    kept: list[bool] = []
    for part in np.array_split(np.arange(len(rows)), pieces):
        point, value, quality = (np.array([rows[i][k] for i in part]) for k in range(3))
        received = np.zeros(len(part), np.int64)
        kept += subject.keep(point.astype(np.int32), value.astype(float), quality.astype(np.uint16), received).tolist()
    assert kept == expected


@given(st.lists(st.integers(0, 5), max_size=30))
def test_in_a_turn_no_point_stands_twice_and_a_points_rows_keep_their_order(points: list[int]) -> None:
    column = np.array(points, dtype=np.int32)
    seen = [np.arange(len(points))[turn].tolist() for turn in turns(column)]
    assert sorted(row for turn in seen for row in turn) == list(range(len(points)))
    for turn in seen:
        assert len({points[row] for row in turn}) == len(turn)
    for point in set(points):
        rows = [row for turn in seen for row in turn if points[row] == point]
        assert rows == sorted(rows)


def one(subject: OnChange, value: float, time_s: float, quality: int = 0) -> bool:
    batch = np.array([0], np.int32), np.array([value]), np.array([quality], np.uint16), np.array([round(time_s * S)])
    return bool(subject.keep(*batch)[0])


def test_a_value_that_stands_is_stored_at_each_heartbeat_by_its_own_update() -> None:
    subject = OnChange(np.zeros(1), np.ones(1), heartbeat_s=60)
    stored = [t for t in range(200) if one(subject, 7.0, t)]
    assert stored == [0, 59, 118, 177]  # a scan early, so that it is never late
    assert not len(subject.due(200 * S)[0])


def test_a_point_that_gets_no_updates_is_stored_when_its_heartbeat_falls_due() -> None:
    subject = OnChange(np.zeros(2), np.ones(2), heartbeat_s=60)
    one(subject, 7.0, 0)
    assert not len(subject.due(59 * S)[0])
    point, value, quality = subject.due(60 * S)
    assert (point.tolist(), value.tolist(), quality.tolist()) == ([0], [7.0], [0])
    assert not len(subject.due(61 * S)[0])  # the second point was never received: nothing is known of it
    assert subject.due(120 * S)[0].tolist() == [0]


def test_a_heartbeat_stores_what_was_seen_last_though_it_was_within_the_deadband() -> None:
    subject = OnChange(np.ones(1), np.ones(1), heartbeat_s=60)
    assert one(subject, 7.0, 0)
    assert not one(subject, 7.5, 1)
    assert subject.due(60 * S)[1].tolist() == [7.5]
    assert not one(subject, 8.4, 61)  # judged against the 7.5 that was stored


def test_a_clock_set_back_does_not_silence_the_heartbeat() -> None:
    subject = OnChange(np.zeros(1), np.ones(1), heartbeat_s=60)
    one(subject, 7.0, 10_000)
    subject.set_clock(100 * S)
    assert subject.due(160 * S)[0].tolist() == [0]


@given(st.floats(-1e12, 1e12), st.integers(0, 9))
def test_values_are_rounded_to_their_decimals(value: float, decimals: int) -> None:
    result = float(round_to(np.array([value]), np.array([decimals], np.int8))[0])
    if abs(value) * 10**decimals < 2**52:
        assert result == round(result, decimals)
        assert abs(result - value) <= 0.5 * 10.0**-decimals + np.spacing(abs(value))
        assert round(result * 10**decimals) / 10**decimals == result  # what closing into whole numbers gives back
    elif abs(value) * 10**decimals > 2**54:  # between the two, either is right
        assert result == value


def test_what_cannot_be_rounded_stays() -> None:
    values = np.array([math.nan, math.inf, -math.inf, 1e300, 1.23456, -0.0001])
    decimals = np.array([2, 2, 2, 2, -1, 2], np.int8)
    result = round_to(values, decimals)
    assert np.array_equal(result[:5], values[:5], equal_nan=True)
    assert str(result[5]) == "0.0"
