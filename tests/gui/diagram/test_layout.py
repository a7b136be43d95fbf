"""Layouts: nothing overlaps, nothing is hidden, the same always comes out the same."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.model.config import DeviceKind
from app.model.loading import load_station
from widgets.diagram.elements import Element, Kind, Role, connections, from_station
from widgets.diagram.folding import FOLD_FROM, fold, group_id, groups
from widgets.diagram.layout import SCREEN, Layout, Place, layout
from widgets.diagram.routes import route
from widgets.diagram.walking import Direction, nearest

from .conftest import device, node, park

ROOT = Path(__file__).resolve().parents[3]
PV, EV = DeviceKind.PV_INVERTER, DeviceKind.CHARGER


def overlaps(plan: Layout) -> list[tuple[str, str]]:
    """Cells that share more than an edge; members within their own frame do not count against it."""
    found = []
    for (a, one), (b, other) in itertools.combinations(plan.places.items(), 2):
        if one.within == b or other.within == a:
            continue
        across = min(one.right, other.right) - max(one.x, other.x)
        down = min(one.bottom, other.bottom) - max(one.y, other.y)
        if across > 0.01 and down > 0.01:
            found.append((a, b))
    return found


def check(plan: Layout, elements: list[Element]) -> None:
    assert not overlaps(plan)
    folded = {id_ for element in plan.elements for id_ in element.members}
    assert {element.id for element in elements} <= set(plan.places) | folded, "every element is there or in a group"
    for id_, place in plan.places.items():
        assert place.x >= -0.01, id_
        assert place.y >= -0.01, id_
        if place.within:
            frame = plan.places[place.within]
            assert frame.x <= place.x, id_
            assert place.right <= frame.right + 0.01, id_
            assert frame.y <= place.y, id_
            assert place.bottom <= frame.bottom + 0.01, id_


def unfolded(elements: list[Element]) -> set[str]:
    return set(groups(elements))


def test_sources_above_feeders_below() -> None:
    plan = layout(park())
    bus = plan.places["bus"]
    for id_ in ("grid", "t1", "qf0", "meter", "m_pv", "f_pv", group_id("f_pv", PV), "gen"):
        assert plan.places[id_].bottom <= bus.y + 0.01, id_
        assert id_ in plan.above
    for id_ in ("pcs", "bms", "works", "f_ev", group_id("f_ev", EV)):
        assert plan.places[id_].y >= bus.bottom - 0.01, id_
    column = [plan.places[id_].trunk for id_ in ("grid", "t1", "qf0", "meter")]
    assert len(set(column)) == 1, "one straight line"
    order = [plan.places[id_].y for id_ in ("grid", "t1", "qf0", "meter", "bus")]
    assert order == sorted(order)


def test_a_park_fits_a_small_screen_in_a_size_that_can_be_read() -> None:
    width, height = layout(park()).size
    assert width <= SCREEN[0] * 1.05
    assert height <= SCREEN[1] * 1.05


@pytest.mark.parametrize("inverters", [1, 3, 4, 20, 60])
def test_folded_and_unfolded_nothing_overlaps(inverters: int) -> None:
    elements = park(inverters, 7)
    check(layout(elements), elements)
    check(layout(elements, unfolded(elements)), elements)


def test_many_equal_devices_fold_into_one_block() -> None:
    shown = {element.id: element for element in fold(park(20, FOLD_FROM - 1))}
    group = shown[group_id("f_pv", PV)]
    assert len(group.members) == 20
    assert group.label.en == "PV"
    assert "inv7" not in shown
    assert "evc1" in shown, "a few stand for themselves"
    opened = {element.id: element for element in fold(park(20), {group.id})}
    assert opened["inv7"].parent == group.id


def test_the_demo_station_is_laid_out_whole() -> None:
    elements = list(from_station(load_station(ROOT / "station_configs" / "demo").station))
    plan = layout(elements)
    check(plan, elements)
    check(layout(elements, unfolded(elements)), elements)
    width, height = plan.size
    assert min(SCREEN[0] / width, SCREEN[1] / height) > 0.85


def test_the_contract_station_hangs_its_storage_on_the_breaker_and_not_beside_it() -> None:
    elements = [
        node("grid", Kind.GRID), node("t1", Kind.TRANSFORMER, "grid", "bus"), node("bus", Kind.BUS),
        node("qf1", Kind.BREAKER, "bus", "pcs1"), device("pcs1", DeviceKind.PCS, "bus"),
    ]  # fmt: skip
    assert ("bus", "pcs1") not in connections(elements), "parent says where it belongs, not a second wire"
    assert ("qf1", "pcs1") in connections(elements)


def test_a_meter_stands_in_the_line_that_it_measures() -> None:
    pairs = connections(park())
    assert ("qf0", "meter") in pairs
    assert ("meter", "bus") in pairs
    assert ("qf0", "bus") not in pairs
    assert ("qf_pv", "m_pv") in pairs
    assert ("m_pv", "f_pv") in pairs


def test_sections_with_lines_of_their_own_stand_side_by_side() -> None:
    elements = [
        node("g1", Kind.GRID), node("b1", Kind.BUS, "g1"), node("g2", Kind.GRID), node("b2", Kind.BUS, "g2"),
        node("tie", Kind.BREAKER, "b1", "b2"),
        *(device(f"l{i}{b}", DeviceKind.LOAD, b) for b in ("b1", "b2") for i in range(2)),
    ]  # fmt: skip
    plan = layout(elements)
    check(plan, elements)
    assert plan.places["b1"].y == plan.places["b2"].y
    assert plan.places["b2"].x > plan.places["b1"].right
    assert ("tie", "b2") in plan.edges


def test_a_busbar_behind_a_transformer_lies_below() -> None:
    elements = [
        node("g", Kind.GRID), node("hv", Kind.BUS, "g"), node("t1", Kind.TRANSFORMER, "hv", "lv"), node("lv", Kind.BUS),
        device("pv", PV, "lv"), device("load", DeviceKind.LOAD, "lv"),
    ]  # fmt: skip
    plan = layout(elements)
    check(plan, elements)
    assert plan.places["hv"].bottom < plan.places["t1"].y < plan.places["lv"].y
    assert plan.places["pv"].bottom <= plan.places["lv"].y
    assert "pv" in plan.above


def test_forty_feeders_go_in_rows() -> None:
    elements = [node("g", Kind.GRID), node("b", Kind.BUS, "g")]
    for i in range(40):
        elements += [node(f"q{i}", Kind.BREAKER, "b", f"l{i}"), device(f"l{i}", DeviceKind.LOAD, None)]
    plan = layout(elements)
    check(plan, elements)
    assert len(plan.bars["b"]) > 1
    width, height = plan.size
    assert min(SCREEN[0] / width, SCREEN[1] / height) > 0.5


def test_what_no_line_leads_to_is_shown_all_the_same() -> None:
    elements = [*park(), device("lonely", PV, None), device("lost_parent", EV, "nowhere")]
    plan = layout(elements)
    check(plan, elements)
    assert plan.places["lonely"].y > plan.places["bms"].y
    assert layout([]).size == (0, 0)
    assert layout([device("only", PV, None)]).places["only"].y >= 0


def test_loops_end() -> None:
    elements = [
        node("g", Kind.GRID), node("b1", Kind.BUS, "g"), node("b2", Kind.BUS),
        node("q1", Kind.BREAKER, "b1", "b2"), node("q2", Kind.BREAKER, "b1", "b2"), node("q3", Kind.BREAKER, "b2", "b1"),
    ]  # fmt: skip
    check(layout(elements), elements)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_any_topology_is_laid_out_without_overlap_and_repeatably(seed: int) -> None:
    elements = _random_station(random.Random(seed))
    opened = {group for i, group in enumerate(groups(elements)) if (seed >> i) % 2}
    plan = layout(elements, opened)
    check(plan, elements)
    assert layout(list(elements), opened) == plan


def _random_station(dice: random.Random) -> list[Element]:
    elements = [node(f"g{i}", Kind.GRID) for i in range(dice.randint(0, 2))]
    kinds = [Kind.BUS, Kind.BREAKER, Kind.TRANSFORMER, Kind.FEEDER]
    for i in range(dice.randint(1, 14)):
        names = [element.id for element in elements]
        ends = [dice.choice(names) if names and dice.random() < 0.8 else None for _ in range(2)]
        elements.append(node(f"n{i}", dice.choice(kinds), ends[0], ends[1] if dice.random() < 0.3 else None))
    places = [element.id for element in elements]
    for i in range(dice.randint(0, 30)):
        parent = dice.choice([*places, None])
        kind = dice.choice(list(DeviceKind))
        elements.append(device(f"d{i}", kind, parent, inline=kind is DeviceKind.METER and dice.random() < 0.5))
        if dice.random() < 0.2:
            places.append(f"d{i}")
    return elements


# -------------------------------------------------------------------------------------------- lines and walking


def test_lines_run_upright_and_level_between_the_ends_of_the_symbols() -> None:
    plan = layout(park())
    by_id = {element.id: element for element in plan.elements}
    for a, b in plan.edges:
        points = route(by_id[a], by_id[b], plan.places, plan.bars)
        for (x1, y1), (x2, y2) in itertools.pairwise(points):
            assert x1 == x2 or y1 == y2, (a, b)
    bar = plan.bars["bus"][0]
    (x, y), *_, (_, end) = route(by_id["bus"], by_id["qf_ess"], plan.places, plan.bars)
    assert y == bar[2]
    assert bar[0] <= x <= bar[1]
    assert end < plan.places["qf_ess"].middle


def test_arrow_keys_lead_to_the_next_symbol_in_their_direction() -> None:
    places = layout(park()).places
    assert nearest(places, None, Direction.DOWN) is not None
    assert nearest(places, "grid", Direction.DOWN) == "t1"
    assert nearest(places, "t1", Direction.UP) == "grid"
    assert nearest(places, "qf_ess", Direction.DOWN) == "f_ess"
    assert nearest(places, "qf0", Direction.RIGHT) is not None
    assert nearest(places, "grid", Direction.LEFT) is None
    assert nearest({}, None, Direction.LEFT) is None


def test_every_symbol_can_be_reached_by_keys() -> None:
    places = layout(park(), unfolded(park())).places
    reached, todo = set(), ["grid"]
    while todo:
        here = todo.pop()
        if here not in reached:
            reached.add(here)
            todo += [there for d in Direction if (there := nearest(places, here, d)) is not None]
    assert reached == set(places)


def test_a_place_knows_its_edges() -> None:
    place = Place(10, 20, 100, 40)
    assert (place.right, place.bottom, place.middle) == (110, 60, 40)


def test_roles_of_feeders_and_meters_follow_what_hangs_there() -> None:
    elements = from_station(load_station(ROOT / "station_configs" / "demo").station)
    roles = {element.id: element.role for element in elements}
    assert roles["meter1"] is Role.GRID
    assert roles["feeder_pv"] is Role.SOURCE
    assert roles["meter_pv"] is Role.SOURCE
    assert roles["feeder_ess1"] is Role.STORAGE
    assert roles["meter_ev"] is Role.LOAD
    assert "wx1" not in roles, "a weather station is no part of the power circuit"
    assert next(e for e in elements if e.id == "t1").device == "xfmr1"
    assert "xfmr1" not in roles, "it is shown by its transformer"
