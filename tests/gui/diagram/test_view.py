"""What a person sees of a diagram, and what it does under mouse and keys."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.model import quality as q
from app.model.clock import SECOND_NS as S
from app.model.config import DeviceKind, Priority
from widgets import blink, language, theme
from widgets.diagram import DiagramView, Element, ElementValue, Kind, Role, Switch, items
from widgets.diagram.elements import sum_up
from widgets.diagram.energised import Live
from widgets.diagram.faces import face
from widgets.diagram.folding import group_id

from .conftest import NOW, cell, count, device, node, park, pixels, settle

Make = Callable[..., DiagramView]
V = ElementValue
SHANGHAI = ZoneInfo("Asia/Shanghai")
CLOSED = {id_: V(state=Switch.CLOSED) for id_ in ("qf0", "qf_pv", "qf_gen", "qf_ess", "qf_ev")}
LEFT = Qt.MouseButton.LeftButton
GROUP = group_id("f_pv", DeviceKind.PV_INVERTER)


def lines(element: Element, value: ElementValue, *, above: bool = False) -> tuple[str, ...]:
    return face(element, value, above=above, now_ns=NOW, zone=SHANGHAI).lines


# ------------------------------------------------------------------------------------------------------------ words


def test_power_has_an_arrow_and_a_word_for_its_direction() -> None:
    pcs = device("pcs", DeviceKind.PCS, "bus")
    for kw, arrow, word in ((250.0, 1, "discharging"), (-250.0, -1, "charging"), (0.0, 0, None)):
        shown = face(pcs, V(kw), above=False, now_ns=NOW, zone=SHANGHAI)
        assert shown.power is not None
        assert (shown.power.text, shown.power.arrow) == (f"{abs(kw):.1f} kW", arrow)
        assert shown.lines == ((word,) if word else ())
    language.choose("zh")
    assert lines(pcs, V(-250.0)) == ("充电",)
    grid = node("grid", Kind.GRID, kv=10)
    assert lines(grid, V(-5.0), above=True) == ("上网", "10 kV")


@pytest.mark.parametrize(
    ("role", "kw", "above", "arrow"),
    [
        (Role.SOURCE, 10.0, True, -1),  # PV above its bar: down into it
        (Role.SOURCE, 10.0, False, 1),
        (Role.LOAD, 10.0, False, -1),  # a load's power leaves the bar
        (Role.LOAD, -10.0, False, 1),
        (Role.GRID, 10.0, True, -1),
        (Role.GRID, -10.0, True, 1),
        (None, 10.0, False, 0),
    ],
)
def test_arrows_point_where_the_power_goes(role: Role | None, kw: float, above: bool, arrow: int) -> None:
    element = Element("x", Kind.DEVICE, park()[0].label, role=role)
    power = face(element, V(kw), above=above, now_ns=NOW, zone=SHANGHAI).power
    assert power is not None
    assert power.arrow == arrow


def test_quality_is_seen_at_the_number() -> None:
    load = device("l", DeviceKind.LOAD, "bus")

    def power(kw: float, quality: int, time_ns: int = NOW) -> tuple[str, str, bool, bool]:
        shown = face(load, V(kw, quality, time_ns), above=False, now_ns=NOW, zone=SHANGHAI).power
        assert shown is not None
        return shown.text, shown.mark, shown.strike, shown.framed

    assert power(5, q.IV) == ("5.0 kW", "IV", True, False)
    assert power(5, q.SB) == ("5.0 kW", "SB", False, True)
    assert power(5, q.NT, NOW - 185 * S) == ("5.0 kW", "NT 3 min", False, False)
    assert power(5, q.RANGE | q.CLOCK) == ("5.0 kW", "RANGE CLOCK", False, False)
    assert power(math.nan, q.NT, 0) == ("–", "", False, False), "never received"
    assert face(load, V(), above=False, now_ns=NOW, zone=SHANGHAI).power is None, "it has no power at all"


def test_a_breaker_says_its_state_and_whether_that_is_inferred() -> None:
    breaker = node("qf", Kind.BREAKER)
    assert lines(breaker, V(state=Switch.CLOSED)) == ("closed",)
    assert lines(breaker, V(state=Switch.OPEN, inferred=True)) == ("open, inferred",)
    assert lines(breaker, V(state=Switch.UNKNOWN, inferred=True)) == ("position unknown",)
    language.choose("zh")
    assert lines(breaker, V(state=Switch.OPEN, inferred=True)) == ("分（推断）",)


def test_lost_says_since_when_in_the_stations_zone() -> None:
    load = device("l", DeviceKind.LOAD, "bus")
    assert lines(load, V(lost_since_ns=NOW - 600 * S)) == ("lost since 13:50:00",)
    assert lines(load, V(lost_since_ns=NOW - 86_400 * S)) == ("lost since 11-19 14:00:00",)


def test_a_group_sums_what_is_usable_and_tells_how_many_are_there() -> None:
    members = [device(f"i{n}", DeviceKind.PV_INVERTER, "f") for n in range(4)]
    values = {
        "i0": V(10), "i1": V(20, alarm=Priority.LOW), "i2": V(99, q.IV),
        "i3": V(40, q.NT, lost_since_ns=NOW, alarm=Priority.HIGH, unacknowledged=True),
    }  # fmt: skip
    total = sum_up(members, values)
    assert total.power_kw == 30
    assert total.quality == q.DERIVED, "an invalid part makes a doubtful whole"
    assert (total.alarm, total.unacknowledged) == (Priority.HIGH, True)
    assert not total.lost_since_ns
    everything = sum_up(members, {m.id: V(1, lost_since_ns=NOW + n) for n, m in enumerate(members)})
    assert everything.lost_since_ns == NOW
    assert math.isnan(sum_up(members, {}).power_kw)


# ------------------------------------------------------------------------------------------------------ the picture


def test_energised_lines_are_heavy_dead_ones_thin_unknown_ones_dotted(make: Make) -> None:
    view = make(park())
    view.look_at(1.0, (300, 300))
    view.set_values({**CLOSED, "qf_ess": V(state=Switch.OPEN), "grid": V(voltage_v=10_000)})
    assert view.live_of("bus") is Live.LIVE
    assert view.live_of("pcs") is Live.DEAD

    def column(id_: str) -> np.ndarray:
        """Where the line through a feeder's cell is not background."""
        rows, columns = cell(view, id_)
        part = pixels(view)[rows, columns][:, 24:40]
        surface = theme.colour("surface").getRgb()[:3]
        return np.any(part != surface, axis=2)

    assert column("f_pv").sum(axis=1).max() == 2
    assert column("f_ess").sum(axis=1).max() == 1
    assert column("f_ess").all(axis=0).sum() == 1, "thin but unbroken"
    view.set_values({"qf_ess": V(state=Switch.UNKNOWN)})
    assert view.live_of("pcs") is Live.UNKNOWN
    dotted = column("f_ess").any(axis=1).mean()
    assert 0.2 < dotted < 0.8


def test_position_is_told_by_fill_or_as_in_china_by_red_and_green(make: Make) -> None:
    view = make(park())
    view.look_at(1.0, (300, 300))
    view.set_values({**CLOSED, "qf_gen": V(state=Switch.OPEN), "grid": V(voltage_v=10_000)})
    assert count(view, "qf_ess", "equipment-on") > 150
    assert count(view, "qf_gen", "equipment-off") > 150
    assert count(view, "qf_ess", "gb-closed") == 0
    view.set_breaker_colours("gb")
    assert count(view, "qf_ess", "gb-closed") > 150
    assert count(view, "qf_gen", "gb-open") > 150
    view.set_breaker_colours("isa")
    assert count(view, "qf_ess", "gb-closed") == 0


def test_nothing_normal_is_red_amber_or_yellow(make: Make) -> None:
    view = make(park())
    view.set_values({**CLOSED, "grid": V(120, voltage_v=10_000), "pcs": V(-100)})
    for token in ("priority-1", "priority-2", "priority-3", "priority-4", "bad-quality", "manual", "gb-closed"):
        assert not any(count(view, id_, token) for id_ in view.shown().places), token


def test_a_lost_device_greys_its_block(make: Make) -> None:
    view = make(park())
    view.look_at(1.0, (300, 400))
    view.set_values({**CLOSED, "grid": V(voltage_v=10_000), "pcs": V(-430.5)})
    assert count(view, "pcs", "ground") < 20
    assert count(view, "pcs", "live") > 0
    view.set_values({"pcs": V(-430.5, q.NT, lost_since_ns=NOW)})
    assert count(view, "pcs", "ground") > 5000
    assert count(view, "pcs", "live") == 0
    assert count(view, "bms", "ground") < 20, "its own block and no other"


def test_an_alarm_has_the_shape_and_colour_of_its_priority(make: Make) -> None:
    view = make(park())
    view.look_at(1.0, (300, 400))
    view.set_values({"pcs": V(1, alarm=Priority.URGENT)})
    assert count(view, "pcs", "priority-1") > 40
    view.set_values({"pcs": V(1, alarm=Priority.LOW)})
    assert count(view, "pcs", "priority-1") == 0
    assert count(view, "pcs", "priority-4") > 60


def test_an_unacknowledged_alarm_blinks_with_the_house(make: Make) -> None:
    view = make(park())
    view.look_at(1.0, (300, 400))
    view.set_values({"pcs": V(1, alarm=Priority.URGENT, unacknowledged=True), "bms": V(alarm=Priority.URGENT)})
    steady, filled = count(view, "bms", "priority-1"), count(view, "pcs", "priority-1")
    blink.want(True)
    QTest.qWait(10)
    blink._blink.turn()
    assert count(view, "pcs", "priority-1") < filled
    assert count(view, "bms", "priority-1") == steady, "acknowledged stands still"
    blink.want(False)


def test_the_grid_meter_says_the_direction_in_words(make: Make) -> None:
    view = make(park())
    view.set_values({"meter": V(-120.0)})
    assert view._symbols["meter"].texts.lines == ("exporting",)
    view.set_values({"meter": V(120.0)})
    assert view._symbols["meter"].texts.lines == ("importing",)


@pytest.mark.parametrize("scale", [1.0, 0.8])
def test_only_what_changed_is_painted_again(make: Make, monkeypatch: pytest.MonkeyPatch, scale: float) -> None:
    view = make(park())
    view.look_at(scale, (300, 300))
    view.set_values({**CLOSED, "grid": V(120, voltage_v=10_000), "pcs": V(-100), "works": V(50)})
    settle()
    painted: list[str] = []
    for item in view._symbols.values():
        for part in (item, item.texts, item.name):
            kind, id_ = type(part).__name__, item.element.id

            def record(*args: object, was: object = part.paint, what: str = f"{id_} {kind}") -> None:
                painted.append(what)
                was(*args)  # type: ignore[operator]

            monkeypatch.setattr(part, "paint", record)
    view.set_values({"pcs": V(-101), "works": V(50)})
    settle()
    assert painted == ["pcs TextItem"]
    painted.clear()
    view.set_values({"pcs": V(-101.04)})
    settle()
    assert painted == [], "the number on the screen is the same"


def test_texts_are_left_out_where_nobody_could_read_them(make: Make) -> None:
    view = make(park())
    view.set_values({"pcs": V(-100), "works": V(51)})
    view.look_at(0.4)
    assert count(view, "works", "live") == 0
    view.set_values({"works": V(77.7)})
    view.look_at(1.0, (600, 400))
    assert view._symbols["works"].texts.face.power is not None
    assert view._symbols["works"].texts.face.power.text == "77.7 kW", "and are up to date when they come back"
    assert count(view, "works", "live") > 0


def test_theme_and_language_follow_at_once(make: Make) -> None:
    view = make(park())
    view.set_values({**CLOSED, "pcs": V(-100)})
    theme.choose("dark")
    assert tuple(pixels(view)[2, 2]) == theme.colour("surface").getRgb()[:3]
    language.choose("zh")
    assert view._symbols["pcs"].name.text == "pcs号"
    assert view._symbols["pcs"].texts.face.lines == ("充电",)
    assert view._symbols[GROUP].name.text == "光伏 20/20"


def test_an_empty_diagram_says_what_to_do(make: Make) -> None:
    view = make([])
    soft = theme.colour("ink-soft")
    found = np.all(np.abs(pixels(view).astype(int) - soft.getRgb()[:3]) < 8, axis=2)
    assert found.sum() > 50


# -------------------------------------------------------------------------------------------------- mouse and keys


def middle(view: DiagramView, id_: str) -> QPoint:
    place = view.shown().places[id_]
    return view.mapFromScene(place.trunk, place.y + min(place.height, 50) / 2)


def test_a_click_selects_and_a_group_unfolds(make: Make) -> None:
    view = make(park())
    selected: list[str] = []
    view.selected.connect(selected.append)
    QTest.mouseClick(view.viewport(), LEFT, pos=middle(view, "pcs"))
    assert selected == ["pcs"]
    assert view.focused() == "pcs"
    assert "inv7" not in view.shown().places
    QTest.mouseClick(view.viewport(), LEFT, pos=middle(view, GROUP))
    assert selected == ["pcs"], "a group is no device"
    assert "inv7" in view.shown().places
    settle()
    QTest.mouseClick(view.viewport(), LEFT, pos=middle(view, "inv7"))
    assert selected == ["pcs", "inv7"]
    QTest.mouseClick(view.viewport(), LEFT, pos=middle(view, GROUP))
    assert "inv7" not in view.shown().places


def test_members_that_are_lost_are_counted_in_the_groups_name(make: Make) -> None:
    view = make(park())
    view.set_values({f"inv{i}": V(50.0) for i in range(1, 21)})
    view.set_values({"inv3": V(50.0, q.NT, lost_since_ns=NOW)})
    item = view._symbols[GROUP]
    assert item.name.text == "PV 19/20"
    assert item.texts.face.power is not None
    assert item.texts.face.power.text == "950.0 kW"


def test_arrow_keys_walk_and_enter_confirms(make: Make) -> None:
    view = make(park())
    selected: list[str] = []
    view.selected.connect(selected.append)
    view.focus_on("grid")
    QTest.keyClick(view, Qt.Key.Key_Down)
    assert view.focused() == "t1"
    assert count(view, "t1", "live") > 300, "the focus is seen"
    assert count(view, "grid", "live") == 0
    QTest.keyClick(view, Qt.Key.Key_Return)
    assert selected == ["t1"]


def test_the_wheel_zooms_at_the_pointer_and_a_double_click_fits(make: Make) -> None:
    view = make(park())
    whole = view.transform().m11()
    at = middle(view, "pcs")
    scene = view.mapToScene(at)
    QTest.mouseMove(view.viewport(), at)
    for _ in range(4):
        event = QWheelEvent(
            QPointF(at), QPointF(view.viewport().mapToGlobal(at)), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(view.viewport(), event)
    assert view.transform().m11() == pytest.approx(whole * 1.15**4, rel=0.01)
    after = view.mapFromScene(scene)
    assert abs(after.x() - at.x()) <= 3
    assert abs(after.y() - at.y()) <= 3
    view.resize(1200, 580)
    settle()
    assert view.transform().m11() == pytest.approx(whole * 1.15**4, rel=0.01), "a chosen scale stays"
    QTest.mouseDClick(view.viewport(), LEFT, pos=QPoint(view.viewport().width() - 2, 2))
    bounds = view.bounds
    assert view.transform().m11() * bounds.width() <= view.viewport().width() * 1.02
    view.resize(900, 500)
    settle()
    assert view.transform().m11() * bounds.width() <= view.viewport().width() * 1.02, "and goes on fitting"


def test_symbols_can_be_moved_in_edit_mode_and_are_kept(make: Make) -> None:
    view = make(park())
    changed: list[bool] = []
    view.positions_changed.connect(lambda: changed.append(True))
    before = view.shown().places["gen"]
    drag(view, middle(view, "gen"), QPoint(80, 40))
    assert view.shown().places["gen"] == before, "not without edit mode"
    view.fit()
    view.set_edit_mode(True)
    drag(view, middle(view, "gen"), QPoint(80, 40))
    assert changed
    moved = view.positions()
    assert set(moved) == {"gen"}
    x, y = moved["gen"]
    assert x > before.x + 40
    assert (x % 10, y % 10) == (0, 0)
    other = make(park())
    other.set_positions(moved)
    assert (other.shown().places["gen"].x, other.shown().places["gen"].y) == (x, y)
    assert other.shown().places["pcs"] == make(park()).shown().places["pcs"]
    other.set_positions({})
    assert other.shown().places["gen"] == before


def drag(view: DiagramView, begin: QPoint, step: QPoint) -> None:
    QTest.mousePress(view.viewport(), LEFT, pos=begin)
    QTest.mouseMove(view.viewport(), begin + step / 2)
    QTest.mouseMove(view.viewport(), begin + step)
    QTest.mouseRelease(view.viewport(), LEFT, pos=begin + step)
    settle()


def test_a_moved_group_takes_its_members_along(make: Make) -> None:
    view = make(park())
    view.set_positions({GROUP: (600.0, 10.0)})
    view.unfold(GROUP)
    places = view.shown().places
    frame = places[GROUP]
    assert (frame.x, frame.y) == (600, 10)
    assert frame.x <= places["inv1"].x
    assert places["inv20"].bottom <= frame.bottom


def test_values_for_unknown_elements_do_nothing(make: Make) -> None:
    view = make(park())
    view.set_values({"nobody": V(1)})
    view.set_elements(park(2))
    view.set_values({"inv1": V(12.0)})
    assert view._symbols["inv1"].texts.face.power is not None


def test_timer_rests_while_it_is_hidden(make: Make) -> None:
    view = make(park())
    assert view._ages.isActive()
    view.hide()
    assert not view._ages.isActive()


def test_every_symbol_of_the_standard_is_drawn(make: Make) -> None:
    kinds: Sequence[DeviceKind] = tuple(DeviceKind)
    elements = [node("bus", Kind.BUS), *(device(kind.value, kind, "bus") for kind in kinds)]
    view = make(elements)
    seen = set()
    for kind in kinds:
        rows, columns = cell(view, kind.value)
        seen.add(pixels(view)[rows, columns][:, :48].tobytes())
    assert len(seen) >= len(kinds) - 2, "weather, gateway and other share a box; every other one is its own"


def test_a_lone_grid_meter_is_live_and_points_down_when_it_imports(make: Make) -> None:
    meter = replace(device("m", DeviceKind.METER, None), role=Role.GRID)
    view = make([meter])
    item = view._symbols["m"]
    view.set_values({"m": V(161.0)})
    assert item.live is Live.LIVE
    assert item.texts.face.power is not None and item.texts.face.power.arrow == -1, (
        "from the grid down into the station"
    )
    view.set_values({"m": V(-20.0)})
    assert item.texts.face.power.arrow == 1
    view.set_values({"m": V(0.0)})
    assert item.live is Live.UNKNOWN, "no power proves nothing"


def test_the_frame_of_a_lost_device_holds_its_alarm(make: Make) -> None:
    view = make(park())
    view.set_values({"pcs": V(-430.5, q.NT, lost_since_ns=NOW, alarm=Priority.HIGH)})
    item = view._symbols["pcs"]
    alarm_left = item.centre().x() - items._ALARM_LEFT
    assert item.frame.boundingRect().left() + 4 <= alarm_left
