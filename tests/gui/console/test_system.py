"""The System page on a real station: who may, who did, which configuration, which secrets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.configuration import configure
from app.console.main import Console
from app.console.pages.system import SystemPage
from app.console.system.log import AuditTab
from app.console.system.people import RolesTab, SessionsTab, UsersTab
from app.console.system.setup import SecretsTab, StationTab, VersionsTab
from app.console.system.words import WORDS
from app.console.tab import Tab
from app.history.folder import DataFolder
from app.model.access import Action, Grant, SecretPlace
from app.model.clock import SECOND_NS
from app.station import RunningStation
from tests.gui.console.test_reconfigured import text_of
from tests.support.doors import GOOD
from tests.support.field import MemoryField
from tests.support.permissions import members


class Place:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "station.yaml"
        self.file.write_text(text_of("a"), encoding="utf-8")
        self.held = DataFolder.open(folder / "data", "a test")
        self.station = RunningStation(configure(folder), folder / "data")
        self.station.start()
        self.facade = self.station.facade("console")
        self.facade.access.name_administrator("ada", GOOD).result(30)
        self.console = Console(self.facade, folder / "console.json")
        self.console.window.resize(1366, 768)
        self.console.open()
        self.console.window.go("system")

    @property
    def page(self) -> SystemPage:
        page = self.console.window.pages["system"]
        assert isinstance(page, SystemPage)
        return page

    def tab(self, kind: type[Tab]) -> Any:
        page = self.page
        page.tabs.setCurrentIndex(next(i for i, view in enumerate(page.views) if type(view) is kind))
        return page.view

    def close(self) -> None:
        self.console.close()
        self.station.stop()
        self.held.close()


@pytest.fixture
def place(dressed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    field = MemoryField()
    monkeypatch.setattr("app.engine.engine.driver", lambda name: field)
    made = Place(tmp_path)
    yield made
    made.close()


def column(table: Any, number: int) -> list[str]:
    return [table.rows_model.cell(row, number).text for row in range(table.rows_model.rowCount())]


def test_a_user_is_added_given_a_role_locked_out_and_let_in(place: Place, qtbot: QtBot) -> None:
    tab: UsersTab = place.tab(UsersTab)
    assert column(tab.users, 0) == ["ada"] and not tab._add.isEnabled()
    QTest.keyClicks(tab.name, "li")
    tab.role.setCurrentIndex(tab.role.findData("operator"))
    tab._add.click()
    qtbot.waitUntil(lambda: column(tab.users, 0) == ["ada", "li"])
    qtbot.waitUntil(lambda: "li signs in once with" in tab.note.text())
    qtbot.wait(1500)  # while the window looks again at who may what
    password = tab.note.text().split("with ")[1].split(",")[0]
    assert place.station.facade("x").access.sign_in("li", password).result(30).must_change
    tab.users.selectRow(1)
    tab._disable.click()
    qtbot.waitUntil(lambda: column(tab.users, 2) == ["enabled", "disabled"])
    tab.users.selectRow(1)
    assert tab._disable.text() == "Enable"
    tab._disable.click()
    qtbot.waitUntil(lambda: column(tab.users, 2)[1] != "disabled")
    tab.users.selectRow(1)
    tab.role.setCurrentIndex(tab.role.findData("observer"))
    tab._give.click()
    qtbot.waitUntil(lambda: column(tab.users, 1)[1] == tab.role.currentText())
    tab.users.selectRow(0)
    tab._disable.click()
    qtbot.waitUntil(lambda: "nobody could manage accounts" in tab.note.text())
    assert column(tab.users, 2)[0] == "enabled"


def test_who_may_not_sees_why_and_nothing_else(place: Place, qtbot: QtBot) -> None:
    place.console.window.door.sign_out()
    for kind in (UsersTab, RolesTab, SessionsTab, AuditTab, VersionsTab, SecretsTab, StationTab):
        tab = place.tab(kind)
        assert tab.note.isVisible() and "sign in" in tab.note.text().lower(), kind
    tab = place.tab(UsersTab)
    assert tab.users.rows_model.rowCount() == 0 and not tab._reset.isEnabled() and tab._reset.toolTip()


def test_an_own_role_is_copied_and_changed(place: Place, qtbot: QtBot) -> None:
    tab: RolesTab = place.tab(RolesTab)
    assert column(tab.roles, 1) == ["administrator", "engineer", "operator", "observer"]
    tab.roles.selectRow(2)
    assert not tab._change.isEnabled() and not tab.grants.isEnabled(), "a given role stays as it is"
    QTest.keyClicks(tab.name, "night shift")
    tab._copy.click()
    qtbot.waitUntil(lambda: column(tab.roles, 1)[-1] == "night shift")
    tab.roles.selectRow(4)
    assert "acknowledge" in tab.grants.text()
    tab.grants.setText("view, acknowledge@a, fly")
    tab._change.click()
    assert "'fly' is no right; the rights are view, export" in tab.note.text()
    tab.grants.setText("view, acknowledge@nowhere")
    tab._change.click()
    qtbot.waitUntil(lambda: "no area 'nowhere'" in tab.note.text())
    tab.grants.setText("view，acknowledge@a")
    tab._change.click()
    qtbot.waitUntil(lambda: "(a)" in column(tab.roles, 2)[4])
    (role,) = [one for one in place.facade.accounts.roles() if one.name == "night shift"]
    assert role.grants == {Grant(Action.VIEW), Grant(Action.ACKNOWLEDGE, "a")}
    tab.roles.selectRow(4)
    tab._remove.click()
    qtbot.waitUntil(lambda: "night shift" not in column(tab.roles, 1))


def test_sessions_are_listed_and_ended(place: Place, qtbot: QtBot) -> None:
    other = place.station.facade("another console")
    other.access.sign_in("ada", GOOD).result(30)
    tab: SessionsTab = place.tab(SessionsTab)
    assert sorted(column(tab.sessions, 2)) == ["another console", "console"]
    tab.sessions.selectRow(column(tab.sessions, 2).index("another console"))
    tab._end.click()
    qtbot.waitUntil(lambda: column(tab.sessions, 2) == ["console"])
    assert other.access.standing().actor.name == ""


def test_the_audit_is_searched_verified_and_written(place: Place, qtbot: QtBot, tmp_path: Path) -> None:
    tab: AuditTab = place.tab(AuditTab)
    qtbot.waitUntil(lambda: "Station started" in column(tab.rows, 2))
    tab.search.setText("首位管理员")  # in either language, whatever the screen's is
    qtbot.waitUntil(lambda: set(column(tab.rows, 2)) == {"Name the first administrator"})
    tab.search.setText("name_administrator")
    qtbot.waitUntil(lambda: set(column(tab.rows, 2)) == {"Name the first administrator"})
    tab.rows.selectRow(0)
    assert tab.rows.chosen().hash in tab.details.toPlainText() and GOOD not in tab.details.toPlainText()
    tab.search.clear()
    tab.result.setCurrentIndex(tab.result.findData("denied"))
    qtbot.waitUntil(lambda: "Station started" not in column(tab.rows, 2))
    tab.period.setCurrentIndex(tab.period.findData(24))
    assert 0 < place.facade.snapshot().taken - tab.wanted().start < 25 * 3600 * SECOND_NS
    tab._verify.click()
    qtbot.waitUntil(lambda: tab.note.text().startswith("Sound: "))
    tab.result.setCurrentIndex(0)
    qtbot.waitUntil(lambda: "Station started" in column(tab.rows, 2))
    file = tmp_path / "audit.csv"
    tab.write(file)
    qtbot.waitUntil(lambda: "rows are in" in tab.note.text())
    assert "station.started" in file.read_text(encoding="utf-8-sig")


def test_a_version_is_looked_at_and_gone_back_to(place: Place, qtbot: QtBot) -> None:
    before = place.file.read_text(encoding="utf-8")
    place.file.write_text(text_of("a", "b"), encoding="utf-8")
    tab: VersionsTab = place.tab(VersionsTab)
    tab._apply.click()
    old = place.console.window
    qtbot.waitUntil(lambda: place.console.window is not old, timeout=10_000)
    assert place.console.window.page == "system"
    tab = place.tab(VersionsTab)
    qtbot.waitUntil(lambda: tab.versions.rows_model.rowCount() == 2)
    tab.versions.selectRow(0)
    assert column(tab.rows, 0) == ["added"] and column(tab.rows, 1) == ["b"]
    assert not tab._back.isEnabled(), "it runs already"
    tab.versions.selectRow(1)
    assert tab._back.isEnabled()
    tab._back.click()
    old = place.console.window
    qtbot.waitUntil(lambda: place.console.window is not old, timeout=10_000)
    assert place.file.read_text(encoding="utf-8") == before and list(place.station.station.by_id) == ["a"]


def test_a_secret_is_stored_listed_by_name_and_forgotten(place: Place, qtbot: QtBot) -> None:
    tab: SecretsTab = place.tab(SecretsTab)
    qtbot.waitUntil(lambda: "No file of the station asks" in tab.note.text())
    QTest.keyClicks(tab.name, "broker1")
    QTest.keyClicks(tab.value, "hush hush")
    tab._put.click()
    assert tab.value.text() == ""
    qtbot.waitUntil(lambda: column(tab.secrets, 0) == ["secret:broker1"])
    assert tab.secrets.rows_model.rows[0].place is SecretPlace.SEALED
    tab.secrets.selectRow(0)
    tab._forget.click()
    qtbot.waitUntil(lambda: tab.secrets.rows_model.rowCount() == 0)


def test_what_it_runs_on(place: Place, qtbot: QtBot) -> None:
    tab: StationTab = place.tab(StationTab)
    qtbot.waitUntil(lambda: tab.parts.rows_model.rowCount() > 10)
    assert str(place.station.data) in column(tab.facts, 1)


def test_every_audited_method_and_event_has_words_in_both_languages() -> None:
    audited = {name for name, permit in members() if permit is not None and permit.changes}
    assert audited - set(WORDS) == set()
    assert all(words.en and words.zh and words.en != words.zh for words in WORDS.values())


def test_who_may_not_see_the_first_tab_is_shown_the_first_that_they_may(place: Place, qtbot: QtBot) -> None:
    password = place.facade.accounts.add("li", "engineer").result(30)
    place.facade.access.sign_in("li", password).result(30)
    place.facade.access.change_password(password, GOOD + "!").result(30)
    place.console.window.go("overview")
    qtbot.waitUntil(lambda: place.console.window.door.standing.actor.name == "li")
    place.console.window.go("system")
    assert isinstance(place.page.view, AuditTab)
