"""What hovering over a value tells, in the table and on the faceplate alike."""

from __future__ import annotations

from PySide6.QtCore import Qt

from app.console.main import Console
from app.console.pages.devices import DevicesPage
from app.model.clock import ManualClock
from app.model.quality import ESTIMATED, IV, NT
from tests.support.fake_station import FakeStation
from widgets import language
from widgets.point_table import Column
from widgets.point_tip import point_tip
from widgets.value_label import ValueLabel


def test_a_cleaned_point_tells_what_was_read(console: Console, facade: FakeStation) -> None:
    facade.put("meter1.p_kw", 410.0, ESTIMATED)
    facade.raw["meter1.p_kw"] = (65535.0, IV)
    facade.put("meter1.q_kvar", 12.0)
    console.bridge.refresh()
    console.window.go("devices")
    page = console.window.pages["devices"]
    assert isinstance(page, DevicesPage)
    tips = []
    for name in ("meter1.p_kw", "meter1.q_kvar"):
        row = page.model.row_of(facade.station.by_name[name])
        tips.append(page.model.index(row, Column.VALUE).data(Qt.ItemDataRole.ToolTipRole))
    assert tips[0].splitlines()[1:4] == ["410.0 kW", "Quality: ESTIMATED", "Before filters: 65,535 kW IV"]
    assert "Before filters" not in tips[1]


def test_the_faceplate_tells_the_same(console: Console, facade: FakeStation) -> None:
    facade.put("meter1.p_kw", 410.0, ESTIMATED)
    facade.raw["meter1.p_kw"] = (-5.0, 0)
    console.window.intents.device.emit("meter1")
    console.bridge.refresh()
    point = facade.station.points[facade.station.by_name["meter1.p_kw"]]
    expected = point_tip(facade.station, console.bridge.snapshot, point)
    assert "Before filters: −5 kW" in expected
    labels = console.window.findChildren(ValueLabel)
    assert expected in [label.toolTip() for label in labels]


def test_in_chinese(console: Console, facade: FakeStation) -> None:
    facade.put("meter1.p_kw", 410.0)
    console.bridge.refresh()
    point = facade.station.points[facade.station.by_name["meter1.p_kw"]]
    language.choose("zh")
    assert "滤波前：410 kW" in point_tip(facade.station, console.bridge.snapshot, point)


def test_a_stuck_value_shows_its_mark_and_a_lost_one_its_age(
    console: Console, facade: FakeStation, manual_clock: ManualClock
) -> None:
    console.window.show_device("meter1")
    point = facade.station.points[facade.station.by_name["meter1.p_kw"]]
    facade.put("meter1.p_kw", 1.5, NT)  # it is read each second, and has not moved
    console.bridge.refresh()
    expected = point_tip(facade.station, console.bridge.snapshot, point)
    (shown,) = (label for label in console.window.faceplate.findChildren(ValueLabel) if label.toolTip() == expected)
    assert shown.marks == "NT"
    manual_clock.advance(180)
    console.bridge.refresh()
    assert shown.marks == "3 min"
