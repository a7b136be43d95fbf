"""Going about in the console: keys, back and forward, the drawer, find, language, and what is remembered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from app.console.find import Hit
from app.console.inspection import seen
from app.console.main import Console
from app.console.pages.devices import DevicesPage
from app.console.screenshots import settle
from app.console.window import PAGES, on_a_screen
from app.model.config import Priority
from app.model.text import Text
from tests.support.fake_station import FakeStation, alarm
from widgets import language, theme
from widgets.device_tree import NODE_ROLE
from widgets.values import age_text


def press(
    qtbot: QtBot, widget: QWidget, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
) -> None:
    qtbot.keyClick(widget, key, modifier)


def activate(console: Console, qtbot: QtBot) -> None:
    with qtbot.waitActive(console.window):
        console.window.activateWindow()


def test_number_keys_go_to_pages_also_from_a_table(console: Console, qtbot: QtBot) -> None:
    activate(console, qtbot)
    for number, page in ((2, "devices"), (4, "alarms"), (3, "trends"), (1, "overview")):
        press(qtbot, QApplication.focusWidget() or console.window, Qt.Key(Qt.Key.Key_0 + number))
        assert console.window.page == page
    console.window.go("devices")
    table = console.window.pages["devices"].table  # type: ignore[attr-defined]
    table.setFocus()
    press(qtbot, table, Qt.Key.Key_1)
    assert console.window.page == "overview"


def test_a_digit_typed_into_a_filter_stays_there(console: Console, qtbot: QtBot) -> None:
    activate(console, qtbot)
    console.window.go("devices")
    edit = console.window.pages["devices"].filter  # type: ignore[attr-defined]
    edit.setFocus()
    press(qtbot, edit, Qt.Key.Key_1)
    assert console.window.page == "devices" and edit.text() == "1"


def test_a_page_chosen_by_its_key_does_not_put_the_next_key_into_a_filter(console: Console, qtbot: QtBot) -> None:
    activate(console, qtbot)
    for number, page in ((2, "devices"), (3, "trends"), (4, "alarms"), (2, "devices"), (1, "overview")):
        press(qtbot, QApplication.focusWidget() or console.window, Qt.Key(Qt.Key.Key_0 + number))
        assert console.window.page == page


def test_the_keyboard_is_where_it_was_after_find(console: Console, qtbot: QtBot) -> None:
    activate(console, qtbot)
    console.window.go("devices")
    table = console.window.pages["devices"].table  # type: ignore[attr-defined]
    table.setFocus()
    press(qtbot, table, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    assert QApplication.focusWidget() is console.window.finder.line
    press(qtbot, console.window.finder.line, Qt.Key.Key_Escape)
    assert QApplication.focusWidget() is table and not console.window.finder.isVisible()


def test_back_and_forward(console: Console, qtbot: QtBot) -> None:
    window = console.window
    activate(console, qtbot)
    window.go("devices")
    window.go("alarms")
    press(qtbot, window, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert window.page == "devices"
    press(qtbot, window, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert window.page == "overview"
    press(qtbot, window, Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)
    assert window.page == "devices"
    window.go("trends")
    press(qtbot, window, Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)
    assert window.page == "trends", "a new way ends the old one"


@pytest.mark.parametrize("name", [page.name for page in PAGES])
def test_tab_reaches_every_control_of_a_page(console: Console, facade: FakeStation, qtbot: QtBot, name: str) -> None:
    facade.trouble()
    console.bridge.refresh()
    window = console.window
    activate(console, qtbot)
    window.go(name)
    window.show_device("pcs1")
    qtbot.wait(10)
    wanted = {
        w for w in seen(window) if w.isEnabled() and w.focusPolicy() & Qt.FocusPolicy.TabFocus and not w.focusProxy()
    }
    reached: set[QWidget] = set()
    for _ in range(3 * len(wanted) + 20):
        press(qtbot, QApplication.focusWidget() or window, Qt.Key.Key_Tab)
        focus = QApplication.focusWidget()
        if focus is not None:
            reached.add(focus)
    missed = [f"{type(w).__name__} {getattr(w, 'text', lambda: '')()}" for w in wanted - reached]
    assert not missed


def test_focus_can_be_seen(console: Console, qtbot: QtBot) -> None:
    """Each control that the keyboard reaches looks different with focus."""
    window = console.window
    activate(console, qtbot)
    window.go("alarms")
    for widget in (window.banner, *window.rail.findChildren(QAbstractButton), window.topbar.user):
        widget.clearFocus()
        before = widget.grab().toImage()
        widget.setFocus(Qt.FocusReason.TabFocusReason)
        assert widget.grab().toImage() != before


def test_f6_walks_from_area_to_area(console: Console, qtbot: QtBot) -> None:
    window = console.window
    activate(console, qtbot)
    window.go("devices")
    window.setFocus()
    areas = []
    for _ in range(3):
        press(qtbot, QApplication.focusWidget() or window, Qt.Key.Key_F6)
        focus = QApplication.focusWidget()
        areas.append(next(a for a in (window.rail, window.stack, window.banner) if focus is a or a.isAncestorOf(focus)))
    assert areas == [window.rail, window.stack, window.banner]


def test_a_lost_device_is_shown_lost_and_old(console: Console, facade: FakeStation) -> None:
    facade.lose("inv4", 180)
    console.bridge.refresh()
    window = console.window
    window.go("devices")
    window.show_device("inv4")
    page = window.pages["devices"]
    assert isinstance(page, DevicesPage)
    tree = page.tree.tree
    online, total = tree.counts(tree.index(0, 0).data(NODE_ROLE))
    assert online == total - 1
    assert tree.state(tree.nodes["inv4"]) == "lost"
    values = {value.point.id: value.value for value in window.faceplate._values}
    assert values["p_kw"].text != "–", "the last value stays"
    assert values["p_kw"].marks == age_text(180 * 1_000_000_000)
    row = page.model.row_of(facade.station.by_name["inv4.p_kw"])
    assert page.model.cell(row, 2).ink == "ink-soft" and page.model.cell(row, 4).text == "NT"
    assert page.model.cell(row, 5).text == "3 min"


def test_the_faceplate_closes_with_escape(console: Console, qtbot: QtBot) -> None:
    activate(console, qtbot)
    console.window.show_device("pcs1")
    assert console.window.faceplate.isVisible()
    press(qtbot, console.window, Qt.Key.Key_Escape)
    assert not console.window.faceplate.isVisible()


def test_the_faceplate_leads_on(console: Console, qtbot: QtBot) -> None:
    window = console.window
    window.show_device("pcs2")
    points, trend, alarms = window.faceplate._buttons
    points.click()
    page = window.pages["devices"]
    assert window.page == "devices" and isinstance(page, DevicesPage)
    assert page.model.rowCount() == len(window._facade.station.by_id["pcs2"].points)
    trend.click()
    assert window.page == "trends"
    assert "pcs2.p_kw" in [pen.point for pen in window.pages["trends"].view.pens()]  # type: ignore[attr-defined]
    alarms.click()
    assert window.page == "alarms"


def test_the_faceplate_shows_the_last_minutes(console: Console, qtbot: QtBot) -> None:
    console.window.show_device("pcs1")
    value = console.window.faceplate._values[0]
    assert value.spark is not None
    spark = value.spark
    qtbot.waitUntil(lambda: len(spark._value) > 10, timeout=5000)


@pytest.mark.parametrize("text", ["PCS 2", "pcs2", "2 号储能"])
def test_find_knows_both_languages_and_ids(console: Console, qtbot: QtBot, text: str) -> None:
    activate(console, qtbot)
    press(qtbot, console.window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    finder = console.window.finder
    finder.line.setText(text)
    press(qtbot, finder.line, Qt.Key.Key_Return)
    device = console.window.faceplate.device
    assert device is not None and device.id == "pcs2"


def test_find_goes_to_points_pages_and_settings(console: Console) -> None:
    window = console.window
    window._on_found(Hit("point", "bms1.soc", "", ""))
    page = window.pages["devices"]
    assert window.page == "devices" and isinstance(page, DevicesPage) and page.model.point_at(0).device == "bms1"
    window._on_found(Hit("page", "alarms", "", ""))
    assert window.page == "alarms"
    window._on_found(Hit("setting", "dark", "", ""))
    assert theme.name() == "dark"


def test_find_says_when_there_is_nothing(console: Console) -> None:
    finder = console.window.finder
    finder.open()
    finder.line.setText("zzz no such thing")
    assert finder._none.isVisible()


def texts(window: QWidget) -> list[str]:
    return [w.text() for w in seen(window) if isinstance(w, QLabel | QAbstractButton) and w.text()]


@pytest.mark.parametrize("name", [page.name for page in PAGES])
def test_the_language_is_switched_there_and_back(console: Console, facade: FakeStation, name: str) -> None:
    facade.trouble()
    console.bridge.refresh()
    window = console.window
    window.go(name)
    window.show_device("pcs2")
    settle(window, 0.05)
    english = sorted(texts(window))
    language.choose("zh")
    settle(window, 0.05)
    assert not any(text.startswith("IGBT temperature") or text in {"Points", "Values"} for text in texts(window))
    language.choose("en")
    settle(window, 0.05)
    assert sorted(texts(window)) == english


def test_the_language_menu_switches(console: Console) -> None:
    actions = {action.text(): action for action in console.window.topbar.user.menu().actions()}
    actions["中文"].trigger()
    assert language.name() == "zh" and console.window.windowTitle().startswith("一号园区")
    next(a for a in console.window.topbar.user.menu().actions() if a.text() == "深色").trigger()
    assert theme.name() == "dark"


def test_the_banner_shows_the_most_important_unacknowledged_alarm(console: Console, facade: FakeStation) -> None:
    now = facade.clock.now_ns()
    facade.alarms.set(
        alarm(1, "inv1.t_igbt", Priority.MEDIUM, at=now),
        alarm(2, "pcs2.t_igbt", Priority.URGENT, at=now - 60_000_000_000),
        alarm(3, "inv2.t_igbt", Priority.HIGH, at=now),
    )
    console.bridge.refresh()
    banner = console.window.banner
    assert banner.first is not None and banner.first.id == 2
    assert "PCS 2" in banner.headline()
    banner.click()
    assert console.window.page == "alarms"


def test_what_was_chosen_is_there_after_a_restart(
    console: Console, facade: FakeStation, tmp_path: Path, qtbot: QtBot
) -> None:
    window = console.window
    language.choose("zh")
    theme.choose("dark")
    window.setGeometry(20, 30, 1200, 700)
    window.show_trend(["pcs1.p_kw", "bms1.soc"])
    devices = window.pages["devices"]
    assert isinstance(devices, DevicesPage)
    devices.show_device("pcs2")
    devices.table._show_column(7, False)
    size = window.geometry().size()
    console.close()
    language.choose("en")
    theme.choose("light")
    again = Console(facade, tmp_path / "console.json")
    try:
        again.window.show()
        assert (language.name(), theme.name(), again.window.page) == ("zh", "dark", "trends")
        assert again.window.geometry().size() == size
        assert [pen.point for pen in again.window.pages["trends"].view.pens()] == ["pcs1.p_kw", "bms1.soc"]  # type: ignore[attr-defined]
        table = again.window.pages["devices"].table  # type: ignore[attr-defined]
        assert table.isColumnHidden(7)
        assert again.window.pages["devices"].model.point_at(0).device == "pcs2"  # type: ignore[attr-defined]
    finally:
        again.close()


def test_unreadable_settings_are_set_aside(dressed: None, facade: FakeStation, tmp_path: Path) -> None:
    path = tmp_path / "console.json"
    path.write_text("{ half a file")
    made = Console(facade, path)
    try:
        assert made.window.page == "overview"
    finally:
        made.close()
    assert (tmp_path / "console.unreadable.json").read_text() == "{ half a file"
    assert json.loads(path.read_text())["window.page"] == "overview"


def test_settings_of_a_wrong_kind_are_ignored(dressed: None, facade: FakeStation, tmp_path: Path) -> None:
    path = tmp_path / "console.json"
    path.write_text(
        json.dumps({"window.geometry": "left", "language": 7, "trends.pens": {"a": 1}, "window.page": "gone"})
    )
    made = Console(facade, path)
    try:
        assert made.window.page == "overview" and language.name() == "en"
    finally:
        made.close()


def test_a_window_of_a_monitor_that_is_gone_comes_back(dressed: None) -> None:
    home = QGuiApplication.primaryScreen().availableGeometry()
    placed = on_a_screen(QRect(20_000, 9_000, 1200, 800))
    assert home.contains(placed)
    here = QRect(home.topLeft() + QPoint(10, 10), home.size() / 2)
    assert on_a_screen(here) == here


def test_the_top_bar_says_what_is_wrong_with_the_history_in_the_language_of_the_screen(
    console: Console, facade: FakeStation
) -> None:
    label = console.window.topbar._history
    assert label.text() == "history ok"
    facade.history_trouble = Text("the disk is full", "磁盘已满")
    console.bridge.refresh()
    assert label.text() == "history: the disk is full" and label.property("state") == "bad"
    language.choose("zh")
    assert label.text() == "历史：磁盘已满" and label.toolTip() == "磁盘已满"
    facade.history_trouble = None
    console.bridge.refresh()
    assert label.text() == "历史正常" and label.property("state") == ""
