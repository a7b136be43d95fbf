"""The pyramid loses no peak, invents none, and never bridges a gap that one could see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.model import quality as q
from widgets.trend.pyramid import FEWEST_ROWS, Columns, Pyramid, Rows

S = 1_000_000_000
BASE = 1_700_000_000 * S


def rows(time: np.ndarray, value: np.ndarray, quality: np.ndarray | None = None) -> Rows:
    quality = np.zeros(len(time), np.uint16) if quality is None else quality
    return Rows(time, value, value, value, quality, q.usable(value, quality))


def walk(n: int, seed: int = 0) -> Rows:
    generator = np.random.default_rng(seed)
    time = BASE + np.cumsum(generator.integers(1, 3 * S, n))
    return rows(time, generator.normal(size=n).cumsum())


def breaks(columns: Columns) -> np.ndarray:
    return np.isnan(columns.mid)


@settings(max_examples=60, deadline=None)
@given(
    n=st.sampled_from([50, 3_000, FEWEST_ROWS, 60_000]),
    first=st.floats(0, 0.95),
    share=st.floats(0.001, 1),
    pixels=st.integers(20, 2500),
    seed=st.integers(0, 5),
)
def test_every_peak_in_the_window_is_there_and_none_from_elsewhere(
    n: int, first: float, share: float, pixels: int, seed: int
) -> None:
    all_rows = walk(n, seed)
    span = int(all_rows.time[-1] - all_rows.time[0])
    start = int(all_rows.time[0] + first * span)
    end = start + max(int(share * span), S)
    columns = Pyramid(all_rows).columns(start, end, pixels)
    assert len(columns) <= 2 * pixels + 8
    assert bool(np.all(np.diff(columns.begin) >= 0))
    inside = (all_rows.time >= start) & (all_rows.time <= end)
    if inside.any():
        assert np.nanmax(columns.high) >= all_rows.high[inside].max()
        assert np.nanmin(columns.low) <= all_rows.low[inside].min()
    margin = 3 * (end - start) // pixels + 7 * S
    near = (all_rows.time >= start - margin) & (all_rows.time <= end + margin)
    if near.any() and inside.any():
        seen = (columns.end >= start) & (columns.begin <= end)
        assert columns.high[seen].max() <= all_rows.high[near].max()


def test_a_single_spike_among_a_million_is_seen_from_afar() -> None:
    n = 1_000_000
    value = np.zeros(n)
    value[654_321] = 99.0
    columns = Pyramid(rows(BASE + np.arange(n) * S, value)).columns(BASE, BASE + n * S, 800)
    i = int(np.argmax(columns.high))
    assert columns.high[i] == 99.0
    assert columns.begin[i] <= BASE + 654_321 * S < columns.end[i]


def test_mean_of_a_bucket_counts_usable_samples_only() -> None:
    n = 40_000
    value = np.where(np.arange(n) % 2, 10.0, 5_000.0)
    quality = np.where(np.arange(n) % 2, 0, q.IV).astype(np.uint16)
    columns = Pyramid(rows(BASE + np.arange(n) * S, value, quality)).columns(BASE, BASE + n * S, 100)
    assert columns.mid.max() == 10.0
    assert columns.high.max() == 10.0
    assert bool(np.all(columns.quality == q.IV))
    assert bool(columns.usable.all())


def test_a_bucket_of_bad_values_alone_still_shows_them() -> None:
    n = 40_000
    quality = np.full(n, q.IV, np.uint16)
    columns = Pyramid(rows(BASE + np.arange(n) * S, np.full(n, 7.0), quality)).columns(BASE, BASE + n * S, 100)
    assert columns.mid.min() == columns.mid.max() == 7.0
    assert not columns.usable.any()


@pytest.mark.parametrize("pixels", [50, 500, 1900])
def test_a_gap_of_several_pixels_breaks_the_line_on_every_level(pixels: int) -> None:
    n = 200_000
    time = BASE + np.arange(n) * S
    time[n // 2 :] += n * S // 10
    value = np.ones(n)
    middle = int((time[n // 2 - 1] + time[n // 2]) // 2)
    time, value = np.insert(time, n // 2, middle), np.insert(value, n // 2, np.nan)
    columns = Pyramid(rows(time, value)).columns(int(time[0]), int(time[-1]), pixels)
    broken = np.flatnonzero(breaks(columns))
    assert len(broken) == 1
    assert columns.begin[broken[0]] <= middle <= columns.end[broken[0]]


def test_a_held_series_ends_each_bucket_with_its_last_value() -> None:
    n = 64_000
    value = (np.arange(n) % 64 == 0).astype(float)
    time = BASE + np.arange(n) * S
    columns = Pyramid(rows(time, value), hold=True).columns(BASE, BASE + n * S, 60)
    assert bool(np.all(columns.high == 1.0))
    last = np.searchsorted(time, columns.end) - 1
    assert bool(np.all(columns.mid == value[last]))


def test_buckets_do_not_move_when_the_window_does() -> None:
    all_rows = walk(100_000)
    pyramid = Pyramid(all_rows)
    span = int(all_rows.time[-1] - all_rows.time[0])
    start = int(all_rows.time[0])
    one = pyramid.columns(start, start + span // 2, 700)
    other = pyramid.columns(start + 12_345_678_901, start + span // 2 + 12_345_678_901, 700)
    both = np.intersect1d(one.begin, other.begin)
    assert len(both) > len(one) * 0.9
    assert bool(np.all(one.mid[np.isin(one.begin, both)] == other.mid[np.isin(other.begin, both)]))


def test_nothing_gives_nothing() -> None:
    empty = rows(np.empty(0, np.int64), np.empty(0))
    assert len(Pyramid(empty).columns(BASE, BASE + S, 100)) == 0


def test_many_rows_of_one_moment() -> None:
    columns = Pyramid(rows(np.full(50_000, BASE), np.arange(50_000.0))).columns(BASE - S, BASE + S, 100)
    assert columns.high.max() == 49_999
