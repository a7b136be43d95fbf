"""Who is under voltage: tables of breaker positions and voltages."""

from __future__ import annotations

import math

import pytest

from app.model.config import DeviceKind
from widgets.diagram.elements import Element, Kind, Switch
from widgets.diagram.energised import Live, energised

from .conftest import device, node

SHUT, OPEN, UNSURE = Switch.CLOSED, Switch.OPEN, Switch.UNKNOWN
LIVE, DEAD, WHO_KNOWS = Live.LIVE, Live.DEAD, Live.UNKNOWN

LINE: list[Element] = [
    node("grid", Kind.GRID, kv=10),
    node("t1", Kind.TRANSFORMER, "grid", "qf0"),
    node("qf0", Kind.BREAKER, to="bus"),
    node("bus", Kind.BUS, kv=0.4),
    node("qf1", Kind.BREAKER, "bus", "load"),
    device("load", DeviceKind.LOAD, None),
    node("qf2", Kind.BREAKER, "bus", "gen"),
    device("gen", DeviceKind.GENSET, None),
]


@pytest.mark.parametrize(
    ("breakers", "volts", "expected"),
    [
        # everything closed, grid there
        (
            {"qf0": SHUT, "qf1": SHUT, "qf2": OPEN},
            {"grid": 10_000},
            {"grid": LIVE, "bus": LIVE, "load": LIVE, "gen": DEAD},
        ),
        # the incomer is open: live up to it, dead behind it
        (
            {"qf0": OPEN, "qf1": SHUT, "qf2": OPEN},
            {"grid": 10_000},
            {"t1": LIVE, "qf0": LIVE, "bus": DEAD, "load": DEAD},
        ),
        # island: the genset feeds the bus while the grid is away
        (
            {"qf0": OPEN, "qf1": SHUT, "qf2": SHUT},
            {"grid": 0, "gen": 400},
            {"t1": DEAD, "bus": LIVE, "load": LIVE, "gen": LIVE},
        ),
        # nobody knows one breaker: behind it nothing is certain
        ({"qf0": SHUT, "qf1": UNSURE, "qf2": OPEN}, {"grid": 10_000}, {"bus": LIVE, "load": WHO_KNOWS}),
        ({"qf0": SHUT, "qf2": OPEN}, {"grid": 10_000}, {"bus": LIVE, "load": WHO_KNOWS}),
        # an unknown grid is no proof of anything, an open breaker still is
        ({"qf0": SHUT, "qf1": OPEN, "qf2": OPEN}, {}, {"grid": WHO_KNOWS, "bus": WHO_KNOWS, "load": DEAD}),
        # a measured busbar decides even when the way to the grid is unknown
        (
            {"qf0": UNSURE, "qf1": SHUT, "qf2": OPEN},
            {"bus": 398.0},
            {"bus": LIVE, "load": LIVE, "gen": DEAD, "grid": WHO_KNOWS},
        ),
        # certain beats uncertain where two sources meet
        ({"qf0": UNSURE, "qf1": SHUT, "qf2": SHUT}, {"grid": 10_000, "gen": 400}, {"bus": LIVE, "t1": LIVE}),
        # noise on a dead line is no voltage: 2 V, and 5 % of 10 kV
        ({"qf0": SHUT, "qf1": SHUT, "qf2": SHUT}, {"grid": 500, "gen": 2}, {"grid": DEAD, "bus": DEAD, "gen": DEAD}),
        # NaN and None are no measurements
        (
            {"qf0": SHUT, "qf1": SHUT, "qf2": OPEN},
            {"grid": math.nan, "gen": None},
            {"grid": WHO_KNOWS, "bus": WHO_KNOWS},
        ),
    ],
)
def test_table(breakers: dict[str, Switch], volts: dict[str, float | None], expected: dict[str, Live]) -> None:
    found = energised(LINE, breakers, volts)
    assert {id_: found.elements[id_] for id_ in expected} == expected


def test_a_breaker_divides_its_two_lines() -> None:
    found = energised(LINE, {"qf0": OPEN, "qf1": SHUT, "qf2": OPEN}, {"grid": 10_000})
    assert found.edges["t1", "qf0"] is LIVE
    assert found.edges["qf0", "bus"] is DEAD
    assert found.elements["qf0"] is LIVE, "one side of it is live"


def test_back_feed_through_a_transformer() -> None:
    found = energised(LINE, {"qf0": SHUT, "qf1": OPEN, "qf2": SHUT}, {"grid": 0, "gen": 400})
    assert found.elements["t1"] is LIVE, "a closed breaker feeds the transformer from below: nobody may call it dead"
    assert found.elements["grid"] is LIVE


def test_a_ring_is_fed_from_either_side() -> None:
    ring = [
        node("g", Kind.GRID), node("a", Kind.BUS, "g"), node("b", Kind.BUS), node("c", Kind.BUS),
        node("q1", Kind.BREAKER, "a", "b"), node("q2", Kind.BREAKER, "b", "c"), node("q3", Kind.BREAKER, "c", "a"),
    ]  # fmt: skip
    found = energised(ring, {"q1": OPEN, "q2": SHUT, "q3": SHUT}, {"g": 400})
    assert [found.elements[bus] for bus in "abc"] == [LIVE, LIVE, LIVE]
    found = energised(ring, {"q1": OPEN, "q2": UNSURE, "q3": SHUT}, {"g": 400})
    assert [found.elements[bus] for bus in "abc"] == [LIVE, WHO_KNOWS, LIVE]


def test_two_breakers_in_a_row() -> None:
    row = [
        node("g", Kind.GRID),
        node("q1", Kind.BREAKER, "g", "q2"),
        node("q2", Kind.BREAKER, to="b"),
        node("b", Kind.BUS),
    ]
    found = energised(row, {"q1": SHUT, "q2": OPEN}, {"g": 400})
    assert found.edges["q1", "q2"] is LIVE
    assert found.elements["b"] is DEAD
    found = energised(row, {"q1": UNSURE, "q2": SHUT}, {"g": 400})
    assert found.elements["b"] is WHO_KNOWS


def test_what_no_line_leads_to_is_unknown() -> None:
    assert energised([device("x", DeviceKind.LOAD, None)], {}, {}).elements["x"] is WHO_KNOWS
