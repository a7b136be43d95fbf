"""Who comes, goes and takes over at one screen, on a real station: what is open on it stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from app.configuration import configure
from app.console.main import Console
from app.console.screenshots import render
from app.model.clock import ManualClock, SystemClock
from app.station import RunningStation
from tests.support.doors import ADMINISTRATOR, BETTER, GOOD
from tests.support.fake_station import write_station
from widgets.sign_in import Purpose

SHORT_LOCK = "\naccess: {lock_after: 5min, second_person: [accounts]}\n"


class Place:
    """A running station of which nobody is an administrator yet, and a console on it."""

    def __init__(self, folder: Path, more: str = "") -> None:
        write_station(folder / "park")
        file = folder / "park" / "station.yaml"
        file.write_text(file.read_text(encoding="utf-8") + more, encoding="utf-8")
        (folder / "data").mkdir()
        self.clock = ManualClock(SystemClock().now_ns())
        self.station = RunningStation(configure(folder / "park"), folder / "data", clock=self.clock)
        self.station.start()
        self.facade = self.station.facade("console")
        self.console = Console(self.facade, folder / "console.json")
        self.console.window.resize(1366, 768)
        self.console.open()

    def close(self) -> None:
        self.console.close()
        self.station.stop()


@pytest.fixture
def place(dressed: None, tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, SHORT_LOCK)
    yield made
    made.close()


def answer(place: Place, qtbot: QtBot, **lines: str) -> None:
    """Type into the panel and press Enter."""
    panel = place.console.window.sign_in
    for name, text in lines.items():
        line: QLineEdit = getattr(panel, name)
        line.clear()
        QTest.keyClicks(line, text)
    QTest.keyClick(panel.password if panel.password.isVisible() else panel.again, Qt.Key.Key_Return)


def until(qtbot: QtBot, what: Callable[[], bool]) -> None:
    qtbot.waitUntil(what, timeout=15_000)


def named(place: Place, qtbot: QtBot) -> None:
    answer(place, qtbot, name="ada", new=GOOD, again=GOOD)
    until(qtbot, lambda: place.console.window.door.standing.actor.name == "ada")


def test_the_first_start_asks_for_the_administrator(place: Place, qtbot: QtBot) -> None:
    panel = place.console.window.sign_in
    assert panel.isVisible() and panel.purpose is Purpose.FIRST
    answer(place, qtbot, name="ada", new="12345678", again="12345678")
    until(qtbot, lambda: "first that anybody tries" in panel.trouble.text())
    assert panel.isVisible() and panel.trouble.isVisible()
    named(place, qtbot)
    assert not panel.isVisible()


def test_why_a_sign_in_was_refused_stays_until_somebody_types(place: Place, qtbot: QtBot) -> None:
    named(place, qtbot)
    window, panel = place.console.window, place.console.window.sign_in
    window.door.sign_out()
    window.door.ask()
    answer(place, qtbot, name="ada", password="not this one")
    until(qtbot, lambda: bool(panel.trouble.text()))
    QTest.qWait(300)
    assert panel.trouble.isVisible() and "wrong" in panel.trouble.text()
    assert panel.password.text() == "" and panel.password.isEnabled() and panel.name.text() == "ada"
    QTest.keyClicks(panel.password, GOOD[:1])
    assert not panel.trouble.isVisible()
    answer(place, qtbot, password=GOOD)
    until(qtbot, lambda: window.door.standing.actor.name == "ada")


def test_a_password_given_by_another_is_changed_before_anything_else(place: Place, qtbot: QtBot) -> None:
    named(place, qtbot)
    given = place.station.accounts.add("li", "operator", who=ADMINISTRATOR).result(30).answer
    window, panel = place.console.window, place.console.window.sign_in
    window.door.ask()
    answer(place, qtbot, name="li", password=given)
    until(qtbot, lambda: panel.purpose is Purpose.CHANGE and panel.isVisible())
    assert "password" in window.door.why_not("alarms.acknowledge")
    answer(place, qtbot, password=given, new=given, again=given)
    until(qtbot, panel.trouble.isVisible)
    answer(place, qtbot, password=given, new=BETTER, again=BETTER)
    until(qtbot, lambda: not panel.isVisible())
    assert window.door.standing.actor.name == "li" and not window.door.why_not("alarms.acknowledge")


def test_the_next_shift_signs_in_over_the_lock_and_the_screen_stays(place: Place, qtbot: QtBot) -> None:
    named(place, qtbot)
    given = place.station.accounts.add("li", "operator", who=ADMINISTRATOR).result(30).answer
    place.station.facade("elsewhere").access.sign_in("li", given).result(30)
    window, panel = place.console.window, place.console.window.sign_in
    window.go("trends")
    page = window.pages["trends"]
    QTest.keyClick(window, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
    until(qtbot, lambda: window.door.standing.locked)
    assert window.door.why_not("commissioning.contents")
    window.door.ask()
    assert panel.purpose is Purpose.UNLOCK and panel.name.text() == "ada"
    answer(place, qtbot, name="li", password=given)
    until(qtbot, lambda: window.door.standing.actor.name == "li" and panel.purpose is Purpose.CHANGE)
    answer(place, qtbot, password=given, new=BETTER, again=BETTER)
    until(qtbot, lambda: not panel.isVisible() and not window.door.standing.must_change)
    assert window.page == "trends" and window.pages["trends"] is page and not window.door.standing.locked
    assert window.door.why_not("accounts.add")


def test_a_screen_left_alone_locks_by_itself(place: Place, qtbot: QtBot) -> None:
    named(place, qtbot)
    place.clock.advance(301)
    until(qtbot, lambda: place.console.window.door.standing.locked)
    assert place.console.window.isVisible() and not place.console.window.sign_in.isVisible()


def test_a_second_person_confirms_and_never_the_same_one(place: Place, qtbot: QtBot) -> None:
    named(place, qtbot)
    window, panel = place.console.window, place.console.window.sign_in
    second = place.station.accounts.add("bo", "administrator", who=ADMINISTRATOR).result(30).answer
    other = place.station.facade("elsewhere").access
    other.sign_in("bo", second).result(30)
    other.change_password(second, BETTER).result(30)
    other.sign_out()
    made: list[object] = []
    failed: list[BaseException] = []
    facade = place.facade
    window.door.do(lambda: facade.accounts.add("li", "operator"), window, made.append, failed.append)
    until(qtbot, lambda: panel.isVisible() and panel.purpose is Purpose.CONFIRM)
    answer(place, qtbot, name="ada", password=GOOD)
    until(qtbot, panel.trouble.isVisible)
    assert "must be another one" in panel.trouble.text() and not made
    answer(place, qtbot, name="bo", password=BETTER)
    until(qtbot, lambda: bool(made))
    assert not failed and window.door.standing.actor.name == "ada"


def test_pictures_of_a_station_without_an_administrator(place: Place, tmp_path: Path) -> None:
    out = tmp_path / "pictures"
    out.mkdir()
    files = list(
        render(place.station.facade("screenshots"), out, sizes=[(1366, 768)], languages=["en"], themes=["light"])
    )
    names = {file.name.partition("-")[0] for file in files}
    assert "devices" in names and "editor" not in names
