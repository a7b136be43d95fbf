"""Whole chains: order, nothing invented, batches cut anywhere, each point for itself, faults of ours kept apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine.cleaning.chain import FILTERS, shape
from app.engine.cleaning.rejecting import Spike
from app.model import quality as q
from app.model.cleaning import CleanForm
from app.model.updates import Updates
from tests.support.cleaned import T0, Cleaned, Row

ONE_EACH: list[dict[str, Any]] = [
    {"spike": {"window": 3}},
    {"spike": {"window": 7, "sigmas": 1, "hold": "2s"}},
    {"rate": {"per_s": 5, "hold": "3s"}},
    {"stuck": {"after": "4s", "band": 1}},
    {"clamp": {"low": -10, "high": 50}},
    {"scale": {"through": [[0, 1], [10, 5], [20, 50]]}},
    {"median": {"window": 3}},
    {"mean": {"window": 4}},
    {"median": {"over": "3s"}},
    {"mean": {"over": "2s"}},
    {"bits": {"first": 1, "count": 3}},
    {"map": {"states": {0: 3, 1: 1, 7: 2}}},
    {"substitute": {"value": 4}},
    {"substitute": {"last": "3s"}},
    {"substitute": {"point": "p0"}},
]
COUNTERS = [{"counter": {}}, {"counter": {"modulus": 100, "per_s": 20}}]
CHAINS = st.one_of(
    st.lists(st.sampled_from(ONE_EACH), max_size=4),
    st.builds(
        lambda first, rest: [first, *rest], st.sampled_from(COUNTERS), st.lists(st.sampled_from(ONE_EACH), max_size=3)
    ),
)
VALUES = st.one_of(st.integers(0, 100).map(float), st.sampled_from([math.nan, math.inf, -1e300, 1e300, 0.5]))
QUALITIES = st.sampled_from([0, 0, 0, 0, q.IV, q.OV, q.NT, q.CLOCK, q.BL])
ROWS = st.lists(st.tuples(st.integers(0, 3), VALUES, QUALITIES, st.sampled_from([-1.0, 0.0, 0.1, 1.0])), max_size=60)
"""(point, value, quality, by how much the source time goes on)"""
Sent = Sequence[tuple[int, float, int, float]]


def test_every_filter_of_the_file_is_there() -> None:
    assert set(FILTERS) == set(CleanForm.model_fields)
    assert {next(iter(step)) for step in [*ONE_EACH, *COUNTERS]} == set(FILTERS)


def send(cleaned: Cleaned, rows: Sent, cuts: set[int]) -> None:
    """Rows of one moment, in batches that are cut before each position of `cuts`."""
    bounds = [0, *sorted(cut for cut in cuts if 0 < cut < len(rows)), len(rows)]
    time = np.cumsum([row[3] for row in rows])
    for start, end in pairwise(bounds):
        if end > start:
            points, values, qualities, _ = zip(*rows[start:end], strict=True)
            cleaned.send(points, values, qualities, time[start:end])
    cleaned.wait(0.2)


def same(one: Sequence[Row], other: Sequence[Row]) -> bool:
    return np.array_equal(np.array(one), np.array(other), equal_nan=True)


@settings(deadline=None)
@given(
    chains=st.lists(CHAINS, min_size=4, max_size=4),
    batches=st.lists(ROWS, max_size=4),
    cuts=st.sets(st.integers(1, 59)),
)
def test_batches_may_be_cut_anywhere(chains: list[Any], batches: list[Sent], cuts: set[int]) -> None:
    chains = [without_other(chain) for chain in chains]
    whole, cut = Cleaned(*chains), Cleaned(*chains)
    for rows in batches:
        send(whole, rows, set())
        send(cut, rows, cuts)
    assert all(same(whole.rows(point), cut.rows(point)) for point in range(4))


@settings(deadline=None)
@given(chains=st.lists(CHAINS, min_size=4, max_size=4), batches=st.lists(ROWS, max_size=4))
def test_each_point_is_cleaned_as_if_it_were_alone(chains: list[Any], batches: list[Sent]) -> None:
    """Also where several share columns."""
    chains = [without_other(chain) for chain in chains]
    chains[1] = chains[0]
    together = Cleaned(*chains)
    alone = [Cleaned(chain) for chain in chains]
    for rows in batches:
        send(together, rows, set())
        time = np.cumsum([row[3] for row in rows])
        for point, one in enumerate(alone):
            mine = [i for i, row in enumerate(rows) if row[0] == point]
            for i in mine:
                one.send([0], [rows[i][1]], rows[i][2], time[[i]])
            one.wait(0.2)
    assert all(same(together.rows(point), alone[point].rows()) for point in range(4))


@settings(deadline=None)
@given(chain=CHAINS, rows=ROWS)
def test_a_chain_is_its_filters_one_behind_the_other(chain: list[Any], rows: Sent) -> None:
    """Without time passing: what comes out of one filter is what the next one takes."""
    chain = [step for step in without_other(chain) if "over" not in next(iter(step.values()))]
    values = [(value, quality) for _, value, quality, _ in rows]
    together = Cleaned(chain)
    for i, (value, quality) in enumerate(values):
        together.send([0], [value], quality, [i])
    for step in chain:
        single = Cleaned([step])
        for i, (value, quality) in enumerate(values):
            single.send([0], [value], quality, [i])
        values = single.rows()
    assert same(together.rows(), values)


@settings(deadline=None)
@given(
    chain=st.lists(st.sampled_from([*ONE_EACH[:4], {"median": {"window": 5}}, {"median": {"over": "1s"}}]), max_size=4),
    rows=ROWS,
)
def test_what_is_given_out_was_measured(chain: list[Any], rows: Sent) -> None:
    """Rejecting, marking and medians invent nothing: every value came from the device, and bad ones stay bad."""
    cleaned = Cleaned(chain)
    send(cleaned, [(0, *row[1:]) for row in rows], set())
    cleaned.wait(5)
    came = {value for _, value, _, _ in rows}
    for value, quality in cleaned.rows():
        assert value in came or math.isnan(value)
        assert math.isfinite(value) or any(not math.isfinite(one) for one in came) or quality & q.UNUSABLE


@settings(deadline=None)
@given(chain=CHAINS, rows=ROWS)
def test_only_a_declared_substitute_makes_a_bad_value_usable(chain: list[Any], rows: Sent) -> None:
    chain = without_other(chain)
    cleaned = Cleaned(chain)
    for _, value, quality, _ in rows:
        if not math.isnan(value) and quality & q.UNUSABLE:
            out = cleaned.send([0], [value], quality)
            if len(out) and q.usable(out.value, out.quality).all():
                assert any("substitute" in step for step in chain) and out.quality[0] & q.SB


@settings(deadline=None)
@given(chain=CHAINS, rows=ROWS)
def test_source_times_are_those_that_came(chain: list[Any], rows: Sent) -> None:
    cleaned = Cleaned(without_other(chain))
    send(cleaned, [(0, *row[1:]) for row in rows], set())
    times = T0 + np.round(np.cumsum([row[3] for row in rows]) * 1e9).astype(np.int64)
    assert {int(t) for batch in cleaned.out for t in batch.time} <= set(times.tolist()) | {
        T0 + 50_000_000 * i for i in range(9)
    }


def without_other(chain: list[Any]) -> list[Any]:
    """Without what looks at another point, which depends on when that one came."""
    return [step for step in chain if "point" not in next(iter(step.values()))]


def test_what_a_filter_says_by_itself_goes_through_those_behind_it() -> None:
    cleaned = Cleaned([{"stuck": {"after": "2s"}}, {"substitute": {"value": 4}}])
    cleaned.send([0], [7.0])
    cleaned.wait(5)
    assert cleaned.rows() == [(7.0, 0), (4.0, q.SB)]


def test_points_with_alike_chains_share_columns() -> None:
    chains = [[{"spike": {"sigmas": s}}, {"rate": {"per_s": s}}, {"stuck": {"after": f"{s}s"}}] for s in range(2, 50)]
    assert len(Cleaned(*chains, [{"spike": {"window": 9}}]).cleaning.chains) == 2
    assert shape([]) == ()


def test_a_station_without_filters_gives_batches_on_as_they_are() -> None:
    cleaned = Cleaned([], [])
    batch = cleaned.out
    sent = cleaned.send([0, 1], [1.0, math.nan])
    assert sent is batch[-1] and cleaned.table.snapshot(0).raw is None
    updates = Updates.of([0], [1.0], 0, 0, 0)
    assert cleaned.cleaning.clean(updates, cleaned.now) is updates


def test_the_raw_value_stands_beside_the_cleaned_one() -> None:
    cleaned = Cleaned([], [{"clamp": {"high": 10}}])
    cleaned.send([0, 1], [5.0, 99.0], q.CLOCK, [7.0, 8.0])
    raw = cleaned.table.snapshot(0).raw
    assert raw is not None and raw.row(0) is None and raw.row(1) == 0 and raw.row(2) is None
    assert (raw.value[0], raw.quality[0], raw.time[0]) == (99.0, q.CLOCK, T0 + 8_000_000_000)
    cleaned.lose(1)
    raw = cleaned.table.snapshot(0).raw
    assert raw is not None and (raw.value[0], raw.quality[0]) == (99.0, q.CLOCK | q.NT)


@pytest.mark.expects_errors
def test_a_fault_of_ours_stays_with_its_points(monkeypatch: pytest.MonkeyPatch) -> None:
    cleaned = Cleaned([{"spike": {}}], [{"clamp": {"high": 1}}])
    monkeypatch.setattr(Spike, "doubt", lambda *_: 1 / 0)
    out = cleaned.send([0, 1], [5.0, 7.0])
    assert list(zip(out.value.tolist(), out.quality.tolist(), strict=True)) == [(5.0, q.IV), (1.0, q.RANGE)]
    assert cleaned.send([0], [6.0]).quality[0] == q.IV


@pytest.mark.expects_errors
def test_a_fault_of_ours_in_a_tick_makes_its_points_invalid(monkeypatch: pytest.MonkeyPatch) -> None:
    cleaned = Cleaned([{"spike": {}}])
    cleaned.send([0], [5.0])
    monkeypatch.setattr(Spike, "tick", lambda *_: 1 / 0)
    cleaned.wait(1)
    assert cleaned.rows()[-1][1] == q.IV and len(cleaned.rows()) == 2
