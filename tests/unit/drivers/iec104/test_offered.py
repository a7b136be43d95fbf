"""What a controlled station shows: deadbands, quality by type, order, and what waits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model import quality as q
from drivers.iec104.asdu import Columns, decode
from drivers.iec104.offered import Offered, OfferedPoint, Rows, fit
from drivers.iec104.outbox import Outbox
from drivers.iec104.typeids import MONITORED, MONITORED_BY_TYPE, Element

POINTS = [
    OfferedPoint(1, 1, groups=(1,)), OfferedPoint(2, 3), OfferedPoint(10, 13, deadband=5.0, groups=(2, 16)),
    OfferedPoint(11, 11), OfferedPoint(20, 15, groups=(4,)),
]  # fmt: skip


def columns(*rows: tuple[Any, ...], cause: int = 3) -> Columns:
    """(ioa, value) or (ioa, value, quality)."""
    n = len(rows)
    return Columns(
        np.full(n, 1, np.uint16), np.array([row[0] for row in rows], np.uint32), np.zeros(n, np.uint8),
        np.full(n, cause, np.uint8), np.array([row[2] if len(row) > 2 else 0 for row in rows], np.uint16),
        np.array([row[1] for row in rows], np.float64), np.arange(n, dtype=np.uint64),
    )  # fmt: skip


def known(offered: Offered) -> Offered:
    offered.learn(columns((1, 0), (2, 0), (10, 0), (11, 0), (20, 0), cause=20))
    return offered


def told(offered: Offered, rows: Rows) -> list[tuple[int, float]]:
    return list(zip(offered.ioa[rows.point].tolist(), rows.value.tolist(), strict=True))


def test_what_was_never_received_is_invalid_and_not_topical() -> None:
    offered = Offered(POINTS, 1)
    rows = offered.interrogated(0)
    assert offered.ioa[rows.point].tolist() == [1, 2, 10, 11]
    assert set(rows.quality.tolist()) == {q.IV | q.NT}


def test_a_change_is_told_beyond_the_deadband_and_counts_from_what_was_told() -> None:
    offered = known(Offered(POINTS, 1))
    rows = offered.learn(columns((10, 3), (10, 5), (10, 5.5), (10, 9), (10, 11), (10, 11)))
    assert told(offered, rows) == [(10, 5.5), (10, 11)]
    assert offered.interrogated(2).value.tolist() == [11]


def test_a_change_within_the_deadband_is_in_the_next_interrogation() -> None:
    offered = known(Offered(POINTS, 1))
    assert not len(offered.learn(columns((10, 3))))
    assert offered.interrogated(0).value.tolist() == [0, 0, 3, 0]


def test_another_quality_is_a_change() -> None:
    offered = known(Offered(POINTS, 1))
    rows = offered.learn(columns((10, 0, q.NT), (10, 0, q.NT), (1, 0, q.OV | q.CLOCK), (1, 0, q.CLOCK), (10, 0)))
    assert [(int(offered.ioa[p]), int(u)) for p, u in zip(rows.point, rows.quality, strict=True)] == [
        (10, q.NT), (1, q.IV), (1, 0), (10, 0),
    ]  # fmt: skip
    assert [bool(int(t) & 1 << 23) for t in rows.time] == [False, True, True, False]


def test_every_change_of_a_state_is_told_in_its_order() -> None:
    offered = known(Offered(POINTS, 1))
    rows = offered.learn(columns((1, 1), (2, 1), (1, 0), (1, 0), (1, 1)))
    assert told(offered, rows) == [(1, 1), (2, 1), (1, 0), (1, 1)]


def test_groups() -> None:
    offered = known(Offered(POINTS, 1))
    addresses = [offered.ioa[offered.interrogated(group).point].tolist() for group in (1, 2, 3, 16)]
    assert addresses == [[1], [10], [], [10]]
    assert [len(offered.counters(group)) for group in range(5)] == [1, 0, 0, 0, 1]
    assert offered.ioa[offered.measurements().point].tolist() == [10, 11]


@pytest.mark.parametrize(
    ("element", "value", "quality", "expected"),
    [
        ("siq", 1, 0, (1, 0)),
        ("siq", 2, 0, (0, q.IV)),
        ("siq", 1, q.NT | q.OV, (1, q.NT | q.IV)),
        ("siq", math.nan, q.NT, (0, q.IV | q.NT)),
        ("diq", 0, q.BL | q.SB, (0, q.BL | q.SB)),
        ("ieee", 1.5, q.RANGE, (1.5, q.OV)),
        ("ieee", 1e39, 0, (3.4028234663852886e38, q.OV)),
        ("ieee", math.nan, 0, (0, q.IV)),
        ("ieee", math.inf, 0, (3.4028234663852886e38, q.OV)),
        ("ieee", 1.5, q.DERIVED, (1.5, q.IV)),
        ("ieee", 1.5, q.ESTIMATED, (1.5, q.SB)),
        ("ieee", 1.5, q.FORCED | q.TEST, (1.5, q.SB | q.TEST)),
        ("sva", 32768, 0, (32767, q.OV)),
        ("sva", 1.6, 0, (2, 0)),
        ("nva", -1.5, 0, (-1, q.OV)),
        ("vti", 64, 0, (63, q.OV)),
        ("bsi", -1, 0, (0, q.OV)),
        ("bcr", 5, q.SB | q.BL, (5, 0)),
        ("bcr", 5, q.NT, (5, q.IV)),
        ("bcr", 2**31, 0, (2**31 - 1, q.IV)),
    ],
)
def test_quality_by_type(element: Element, value: float, quality: int, expected: tuple[float, int]) -> None:
    values, qualities = fit(element, np.array([value], np.float64), np.array([quality], np.uint16))
    assert (values[0], qualities[0]) == expected


@given(
    st.sampled_from([kind.plain for kind in MONITORED]),
    st.lists(st.tuples(st.floats(allow_nan=True), st.integers(0, 2**14 - 1)), min_size=1, max_size=60),
    st.booleans(),
)
def test_what_is_sent_is_what_a_reader_of_ours_reads(
    type_: int, given_rows: list[tuple[float, int]], timed: bool
) -> None:
    """Whatever value and quality: it can be encoded, and the present value is what was fitted."""
    offered = Offered([OfferedPoint(7, type_)], 9)
    rows = offered.learn(columns(*((7, value, quality) for value, quality in given_rows)))
    read = decode(offered.asdus(rows, 3, timed=timed))
    assert not read.faults
    element = MONITORED_BY_TYPE[type_].element
    resolution = {"nva": 1 / 32768, "ieee": 0}.get(element, 0)
    wanted = rows.value.astype(np.float32) if element == "ieee" else rows.value
    np.testing.assert_allclose(read.columns.value, wanted, rtol=1e-6, atol=resolution)
    assert (read.columns.quality & ~np.uint16(q.TEST)).tolist() == (rows.quality & 0xFF).tolist()
    assert set(read.columns.ca.tolist()) <= {9}


# ------------------------------------------------------------------------------------------------------ the outbox


def drained(outbox: Outbox) -> list[tuple[int, float, int]]:
    """(ioa, value, cause) of everything that waits."""
    asdus: list[bytes] = []
    while some := outbox.take(3):
        asdus += some
    read = decode(asdus).columns
    return list(zip(read.ioa.tolist(), read.value.tolist(), read.cause.tolist(), strict=True))


def put(outbox: Outbox, offered: Offered, *rows: tuple[Any, ...]) -> None:
    outbox.put(offered.learn(columns(*rows)))


def test_confirmations_go_first_and_answers_behind_what_waits() -> None:
    offered = known(Offered(POINTS, 1))
    outbox = Outbox(offered)
    put(outbox, offered, (1, 1))
    outbox.answer(offered.asdus(offered.interrogated(1), 20))
    put(outbox, offered, (1, 0))
    outbox.reply(b"confirmation")
    assert outbox.take(1) == [b"confirmation"]
    assert drained(outbox) == [(1, 1, 3), (1, 1, 20), (1, 0, 3)]


def test_too_many_measurements_leave_the_newest_and_every_state() -> None:
    offered = known(Offered(POINTS, 1))
    outbox = Outbox(offered, capacity=50)
    for n in range(1, 101):
        put(outbox, offered, (10, 10.0 * n), (11, n))
        if n % 10 == 0:
            put(outbox, offered, (1, n // 10 % 2))
    came = drained(outbox)
    assert [value for ioa, value, _ in came if ioa == 1] == [1, 0] * 5
    for ioa, last in ((10, 1000.0), (11, 100.0)):
        values = [value for address, value, _ in came if address == ioa]
        assert values == sorted(values) and values[-1] == last
    assert outbox.superseded > 100 and outbox.lost == 0


def test_the_value_that_is_too_many_is_the_one_that_stays() -> None:
    offered = known(Offered(POINTS, 1))
    outbox = Outbox(offered, capacity=10)
    for n in range(1, 12):
        put(outbox, offered, (11, n))
    assert drained(outbox) == [(11, 11, 3)]


def test_too_many_states_lose_the_oldest_and_everything_is_sent_once_more() -> None:
    offered = known(Offered(POINTS, 1))
    outbox = Outbox(offered, capacity=20)
    for n in range(100):
        put(outbox, offered, (1, (n + 1) % 2))
    came = drained(outbox)
    assert outbox.lost > 0
    assert len([1 for ioa, _, cause in came if (ioa, cause) == (1, 3)]) + outbox.lost == 100
    assert came[-1] == (20, 0, 3), "counters know no background scan"
    assert sorted((ioa, value) for ioa, value, cause in came if cause == 2) == [(1, 0), (2, 0), (10, 0), (11, 0)]


def test_an_interruption_keeps_states_and_nothing_else() -> None:
    offered = known(Offered(POINTS, 1))
    outbox = Outbox(offered)
    put(outbox, offered, (1, 1), (10, 50.0))
    sent = outbox.take(2)
    put(outbox, offered, (10, 100.0), (2, 1))
    outbox.answer(offered.asdus(offered.interrogated(0), 20))
    outbox.reply(b"confirmation")
    outbox.interrupted(sent, keep_states=True)
    assert drained(outbox) == [(1, 1, 3), (2, 1, 3)]
    put(outbox, offered, (1, 0))
    outbox.interrupted([], keep_states=False)
    assert not drained(outbox)


@given(st.lists(st.tuples(st.sampled_from([1, 10, 11, 20]), st.integers(0, 400)), max_size=200), st.integers(11, 40))
def test_however_little_room_each_point_keeps_its_order_and_ends_with_its_last_value(
    changes: list[tuple[int, int]], capacity: int
) -> None:
    offered = known(Offered(POINTS, 1))
    outbox = Outbox(offered, capacity)
    made: dict[int, list[float]] = {1: [], 10: [], 11: [], 20: []}
    for ioa, number in changes:
        rows = offered.learn(columns((ioa, number % 2 if ioa == 1 else 10.0 * number)))
        made[ioa] += rows.value.tolist()
        outbox.put(rows)
        assert len(outbox) <= capacity
    came = drained(outbox)
    for ioa, values in made.items():
        got = [value for address, value, cause in came if address == ioa and cause == 3]
        present = offered.one(ioa)
        assert present is not None
        # Where something was dropped, everything is sent once more behind it, counters as spontaneous.
        rest = iter([*values, *(present.value.tolist() if outbox.lost else [])])
        assert all(value in rest for value in got), "in their order"
        assert not values or got[-1:] == values[-1:] or outbox.lost
