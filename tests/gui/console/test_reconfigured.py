"""The console on a real station whose configuration changes: the same page, on the new points, without a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.configuration import configure
from app.console.main import Console
from app.console.pages.devices import DevicesPage
from app.console.pages.trends import TrendsPage
from app.history.folder import DataFolder
from app.model.access import Actor
from app.station import RunningStation
from tests.support.doors import GOOD
from tests.support.field import MemoryField

HEAD = "version: 1\nstation: {id: s, name: S, timezone: UTC, location: {latitude: 0, longitude: 0}}\ndevices:\n"
DEVICE = """  - id: ID
    name: ID
    kind: meter
    connection: {driver: modbus-tcp, host: 127.0.0.1, port: 1, unit: UNIT}
    points:
      - {id: p_kw, name: P, kind: measurement, unit: kW, scan: 200ms, address: {table: input, register: 0, type: u16}}
"""


def text_of(*devices: str) -> str:
    units = {"a": "1", "b": "2", "first": "3"}
    return HEAD + "".join(DEVICE.replace("ID", one).replace("UNIT", units[one]) for one in devices)


class Place:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "station.yaml"
        self.file.write_text(text_of("a", "b"), encoding="utf-8")
        self.held = DataFolder.open(folder / "data", "a test")
        self.station = RunningStation(configure(folder), folder / "data")
        self.station.start()
        facade = self.station.facade("console")
        facade.access.name_administrator("ada", GOOD).result(30)
        self.console = Console(facade, folder / "console.json")
        self.console.window.resize(1366, 768)
        self.console.open()

    @property
    def devices(self) -> DevicesPage:
        page = self.console.window.pages["devices"]
        assert isinstance(page, DevicesPage)
        return page

    def close(self) -> None:
        self.console.close()
        self.station.stop()
        self.held.close()


@pytest.fixture
def place(dressed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    field = MemoryField(values={"a": 1.0, "b": 2.0, "first": 3.0})
    monkeypatch.setattr("app.engine.engine.driver", lambda name: field)
    made = Place(tmp_path)
    yield made
    made.close()


def shown(page: DevicesPage) -> list[str]:
    return [page.model.point_at(row).name for row in range(page.model.rowCount())]


def test_the_window_stays_where_it_is_on_the_new_points(place: Place, qtbot: QtBot) -> None:
    console = place.console
    old = console.window
    trends = old.pages["trends"]
    assert isinstance(trends, TrendsPage)
    trends.add_points(["b.p_kw"])
    old.go("devices")
    place.devices.show_device("b")
    old.show_device("b")
    place.file.write_text(text_of("first", "a", "b"), encoding="utf-8")
    size = old.size()
    place.station._apply(Actor("ada"))
    qtbot.waitUntil(lambda: console.window is not old and place.devices.isVisible(), timeout=10_000)
    window = console.window
    assert window.page == "devices" and window.size() == size
    assert "first" in window._facade.station.by_id and shown(place.devices)[0] == "b.p_kw"
    assert window.faceplate.isVisible() and window.faceplate.device is not None and window.faceplate.device.id == "b"
    assert "changed configuration" in place.devices._notice.text() and place.devices._notice.isVisible()
    assert window.door.standing.actor.name == "ada"
    row = place.station.station.by_name["b.p_kw"]
    qtbot.waitUntil(lambda: console.bridge.snapshot.value[row] == 2.0, timeout=10_000)
    place.devices.show_device("first")
    assert shown(place.devices)[0] == "first.p_kw"
    qtbot.waitUntil(lambda: sum(one.objectName() == "window" for one in QApplication.topLevelWidgets()) == 1)
    renewed = window.pages["trends"]
    assert isinstance(renewed, TrendsPage) and renewed._pens == ["b.p_kw"]


def test_a_device_that_was_looked_at_may_be_gone(place: Place, qtbot: QtBot) -> None:
    old = place.console.window
    old.go("devices")
    place.devices.show_device("b")
    old.show_device("b")
    place.file.write_text(text_of("a"), encoding="utf-8")
    place.station._apply(Actor("ada"))
    qtbot.waitUntil(lambda: place.console.window is not old, timeout=10_000)
    window = place.console.window
    assert not window.faceplate.isVisible() and {name.partition(".")[0] for name in shown(place.devices)} == {"a"}
    qtbot.wait(300)
