"""Devices that are not in the file yet: looked for on a real broker, listed as they come, opened, saved by a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.configuration import configure
from app.console.main import Console
from app.console.pages.devices import DevicesPage
from tests.support.doors import GOOD
from tests.support.mqtt_broker import Amqtt, Mosquitto, free_port, plain_broker
from tests.support.mqtt_peer import Peer
from tests.support.remote_station import RemoteStation
from widgets import language
from widgets.editor.finder import DeviceFinder

STATION = """# my site
version: 1
station: {id: s, name: S, timezone: UTC, location: {latitude: 0, longitude: 0}}
devices:
  - id: gate   # known already
    name: Gate
    kind: meter
    connection: {driver: mqtt, host: 127.0.0.1, port: PORT}
    points:
      - {id: kw, name: P, kind: measurement, address: {topic: plant/gate, path: $.kw}}
"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto | Amqtt]:
    one = plain_broker(tmp_path / "broker")
    yield one
    one.stop()


@pytest.fixture
def peer(broker: Mosquitto | Amqtt) -> Iterator[Peer]:
    one = Peer(broker.port)
    yield one
    one.close()


@pytest.fixture
def file(tmp_path: Path, broker: Mosquitto | Amqtt) -> Path:
    path = tmp_path / "site" / "station.yaml"
    path.parent.mkdir()
    path.write_text(STATION.replace("PORT", str(broker.port)), encoding="utf-8")
    return path


@pytest.fixture
def page(dressed: None, file: Path, tmp_path: Path) -> Iterator[DevicesPage]:
    """Of a station that runs in another process."""
    facade = RemoteStation(file.parent, tmp_path / "data")
    facade.access.name_administrator("li", GOOD)
    console = Console(facade, tmp_path / "console.json")
    console.window.resize(1366, 768)
    console.open()
    console.window.go("devices")
    page = console.window.pages["devices"]
    assert isinstance(page, DevicesPage)
    yield page
    console.close()
    facade.close()


def opened(page: DevicesPage, port: int, qtbot: QtBot, seconds: str = "60s") -> DeviceFinder:
    page._find.click()
    finder = page.finder
    qtbot.waitUntil(lambda: page.right.currentWidget() is finder, timeout=20_000)
    finder.connection.driver.box.setCurrentIndex(finder.connection.driver.box.findData("mqtt"))
    finder.connection.driver.box.activated.emit(0)
    qtbot.waitUntil(lambda: "keepalive" in finder.connection.keys)
    for key, value in (("host", "127.0.0.1"), ("port", str(port))):
        QTest.keyClicks(finder.connection.keys[key].edit, value)
    finder.seconds.edit.selectAll()
    QTest.keyClicks(finder.seconds.edit, seconds)
    return finder


def listed(finder: DeviceFinder) -> dict[str, str]:
    """Name of each found device -> its id in the file."""
    rows = range(finder.model.rowCount())
    return {finder.model.cell(row, 0).text: finder.model.cell(row, 3).text for row in rows}


def test_who_publishes_is_listed_while_the_search_runs_and_becomes_a_device_by_saving(
    page: DevicesPage, file: Path, broker: Mosquitto | Amqtt, peer: Peer, qtbot: QtBot
) -> None:
    before = file.read_text(encoding="utf-8")
    finder = opened(page, broker.port, qtbot)
    peer.send("plant/gate", {"kw": 1.0}, retain=True)
    finder.search.click()
    qtbot.waitUntil(lambda: listed(finder) == {"plant/gate": "gate"}, timeout=10_000)
    peer.send("plant/pv1/state", {"p": {"kw": 7.5}, "on": True})
    qtbot.waitUntil(lambda: listed(finder) == {"plant/gate": "gate", "plant/pv1/state": ""}, timeout=10_000)
    assert finder.search.text() == "Stop searching", "it was listed while the search went on"
    finder.table.selectRow(1)
    finder.search.click()
    assert finder.search.text() == "Search" and "2 found" in finder._note.text()
    finder.add.click()
    editor = page.editor
    qtbot.waitUntil(lambda: page.right.currentWidget() is editor and editor._preview is not None)
    added = [line for line in editor.difference.toPlainText().splitlines() if line.startswith("+ ")]
    assert added[0] == "+  - id: plant_pv1_state" and any("$.p.kw" in line for line in added)
    keys = [line.split(":")[0].strip("+- ") for line in added[5:9]]
    assert keys == ["id", "name", "kind", "address"], "in the order in which a person writes a point"
    assert editor.faults.toPlainText() == "" and file.read_text(encoding="utf-8") == before, "nothing is written yet"
    QTest.keyClick(editor, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: "runs with it" in editor._note.text())
    assert file.read_text(encoding="utf-8").startswith(before), "every line that was there, comments too"
    assert [device.id for device in configure(file.parent).station.devices] == ["gate", "plant_pv1_state"]
    qtbot.waitUntil(lambda: not page_is_there(page))
    assert editor.isVisible() and "runs with it" in editor._note.text(), "in the window that was built anew"
    editor.discard.click()
    assert finder.isVisible(), "for the next one"
    qtbot.waitUntil(lambda: listed(finder)["plant/pv1/state"] == "plant_pv1_state")
    finder.close_.click()
    assert not finder.isVisible() and not editor.isVisible()


def page_is_there(page: DevicesPage) -> bool:
    return shiboken6.isValid(page)


def test_a_search_that_cannot_be_made_says_why_in_the_language_of_the_screen(page: DevicesPage, qtbot: QtBot) -> None:
    finder = opened(page, free_port(), qtbot, "2s")
    finder.search.click()
    qtbot.waitUntil(lambda: finder._note.property("state") == "bad", timeout=10_000)
    assert "refused" in finder._note.text() and finder.search.text() == "Search"
    language.choose("zh")
    assert "拒绝" in finder._note.text()
    language.choose("en")
    finder.connection.keys["host"].edit.clear()
    QTest.keyClicks(finder.connection.keys["host"].edit, "a b")
    finder.search.click()
    qtbot.waitUntil(lambda: "is neither a name nor an IP address" in finder._note.text(), timeout=10_000)
    QTest.keyClicks(finder.connection.keys["password"].edit, "hunter2")
    assert not finder.search.isEnabled(), "a secret is never sent as it is typed"
