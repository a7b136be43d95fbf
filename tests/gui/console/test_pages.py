"""What each page does with the station."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from app.console.main import Console
from app.console.pages.alarms import AlarmsPage
from app.console.pages.devices import DevicesPage
from app.console.pages.overview import FigureStrip, OverviewPage
from app.console.pages.trends import TrendsPage
from app.console.screenshots import settle
from app.energy.figures import Figure
from app.model.clock import SECOND_NS, ManualClock
from app.model.config import Priority
from app.model.errors import StorageError
from app.model.quality import IV
from app.model.text import Text
from app.model.views import AlarmState, JournalRow
from tests.support.fake_station import Exported, FakeStation, alarm, write_station
from widgets import blink, language
from widgets.point_table import Column
from widgets.value_label import ValueLabel


@pytest.fixture
def devices(console: Console) -> DevicesPage:
    console.window.go("devices")
    page = console.window.pages["devices"]
    assert isinstance(page, DevicesPage)
    return page


@pytest.fixture
def alarms(console: Console) -> AlarmsPage:
    console.window.go("alarms")
    page = console.window.pages["alarms"]
    assert isinstance(page, AlarmsPage)
    return page


@pytest.fixture
def trends(console: Console) -> TrendsPage:
    console.window.go("trends")
    page = console.window.pages["trends"]
    assert isinstance(page, TrendsPage)
    return page


# --------------------------------------------------------------------------------------------------------- overview


def test_the_overview_shows_figures_and_what_they_miss(console: Console, facade: FakeStation) -> None:
    facade.lose("inv4")
    facade.put("pcs1.p_kw", -120.0)
    facade.put("pcs2.p_kw", -80.0)
    console.bridge.refresh()
    page = console.window.pages["overview"]
    assert isinstance(page, OverviewPage)
    tiles = page.strip._tiles
    assert tiles["pv"]._missing.text() == "5/6"
    assert tiles["storage"]._value.text == "200.0" and tiles["storage"]._words.text() == "↓ charging"


def test_what_a_station_lacks_takes_no_room_on_the_overview(qtbot: QtBot, dressed: None, facade: FakeStation) -> None:
    strip = FigureStrip()
    qtbot.addWidget(strip)
    strip.show()
    figures = facade.figures(facade.snapshot())
    lacking = Figure(math.nan, 0, 0, 0)
    load = strip._tiles["load"]
    for chargers, shown in ((Figure(42.0, 0, 1, 1), True), (lacking, False)):
        strip.show_figures(replace(figures, chargers=chargers, genset=lacking), "")
        labels = [label.text() for label in load.findChildren(QLabel) if label.isVisible()]
        assert ("+ chargers" in labels) == shown
        assert len([value for value in load.findChildren(ValueLabel) if value.isVisible()]) == 1 + shown
    assert strip._tiles["genset"].isHidden()
    strip.show_figures(replace(figures, import_today=lacking, export_today=lacking), "kWh today")
    shown = [label.text() for label in strip._tiles["grid"].findChildren(QLabel) if label.isVisible()]
    assert not {"kWh today", "imported", "exported"} & set(shown), "a meter without counters"
    names = ("pv", "storage", "soc", "load", "grid", "genset")
    strip.show_figures(replace(figures, **dict.fromkeys(names, lacking)), "")
    assert strip.isHidden(), "an empty strip takes no room"


def test_the_direction_of_power_is_words(console: Console, facade: FakeStation) -> None:
    page = console.window.pages["overview"]
    assert isinstance(page, OverviewPage)
    for power, words in ((150.0, "↓ importing"), (-90.0, "↑ exporting"), (0.1, "at rest")):
        facade.put("meter1.p_kw", power)
        console.bridge.refresh()
        assert page.strip._tiles["grid"]._words.text() == words


# ---------------------------------------------------------------------------------------------------------- devices


def test_typing_narrows_the_table(devices: DevicesPage, facade: FakeStation) -> None:
    everything = devices.model.rowCount()
    devices.filter.setText("igbt pcs")
    assert devices.model.rowCount() == 2
    devices.filter.setText("有功 逆变器")
    assert devices.model.rowCount() == 6
    devices.filter.clear()
    assert devices.model.rowCount() == everything == len(facade.station.points)


def test_choosing_a_group_shows_the_points_of_its_devices(devices: DevicesPage, facade: FakeStation) -> None:
    tree = devices.tree.tree
    group = tree.nodes["pcs1"].parent
    assert group is not None
    devices.tree.setCurrentIndex(tree.createIndex(group.row, 0, group))
    names = {devices.model.point_at(row).device for row in range(devices.model.rowCount())}
    assert names == {"pcs1", "pcs2", "bms1", "bms2"}


def test_only_changed_rows_that_are_seen_are_repainted(
    console: Console, devices: DevicesPage, facade: FakeStation
) -> None:
    repainted: list[tuple[int, int]] = []
    devices.model.dataChanged.connect(lambda first, last: repainted.append((first.row(), last.row())))
    far = facade.station.points[-1].name
    facade.put("meter1.p_kw", 1.0)
    facade.put("meter1.q_kvar", 2.0)
    facade.put(far, 3.0)
    console.bridge._tell_values()
    assert repainted == [(0, 1)]
    assert devices.model.cell(devices.model.row_of(facade.station.by_name[far]), 2).text == "3"


def test_copying_takes_headers_and_plain_numbers(devices: DevicesPage, facade: FakeStation, console: Console) -> None:
    facade.put("meter1.p_kw", -1234.5)
    console.bridge.refresh()
    devices.show_device("meter1")
    devices.table.selectRow(0)
    devices.table.copy()
    header, row = QGuiApplication.clipboard().text().strip("\n").split("\n")
    assert header.split("\t")[:3] == ["Point", "Value", "Unit"]
    assert row.split("\t")[:3] == ["Active power", "-1234.5", "kW"]


def test_rows_are_dragged_by_full_names(devices: DevicesPage) -> None:
    devices.show_device("pcs1")
    mime = devices.model.mimeData([devices.model.index(0, 0), devices.model.index(0, 1), devices.model.index(2, 0)])
    assert bytes(mime.data("application/x-gridroom-points").data()).decode() == "pcs1.p_kw\npcs1.q_kvar"


def test_enter_sends_points_to_the_trend(console: Console, devices: DevicesPage, qtbot: QtBot) -> None:
    devices.show_device("meter1")
    devices.table.selectRow(0)
    qtbot.keyClick(devices.table, Qt.Key.Key_Return)
    assert console.window.page == "trends"
    assert [pen.point for pen in console.window.pages["trends"].view.pens()] == ["meter1.p_kw"]  # type: ignore[attr-defined]


def test_sorting_by_value_puts_numbers_in_order(devices: DevicesPage) -> None:
    devices.show_device("meter1")
    devices.table.sort_by(2, Qt.SortOrder.DescendingOrder)
    values = [float(devices.model._plain(devices.model.point_at(row).index, 2) or "nan") for row in range(3)]
    assert values == sorted(values, reverse=True)


def test_the_connection_line_says_why_a_device_is_lost(
    console: Console, devices: DevicesPage, facade: FakeStation
) -> None:
    facade.lose("inv4", 60)
    console.bridge.refresh()
    devices.show_device("inv4")
    text = devices.card.text()
    assert (
        "lost since" in text and "no answer within 1 s" in text and "127.0.0.1" in text and "Next try: in 8 s" in text
    )
    assert "Errors: 4" in text and "1 min ago" in text, "the last frame came before it was lost"
    language.choose("zh")
    text = devices.card.text()
    assert "1 s 内无应答" in text and "no answer" not in text
    devices.tree.choose_all()
    text = devices.card.text()
    total = len(facade.station.devices)
    assert f"{total - 1} / {total} 在线" in text and "4 号光伏逆变器" in text, "a group says who is missing"


def test_the_overview_tells_why_a_device_is_lost_in_the_language_of_the_screen(
    console: Console, facade: FakeStation
) -> None:
    facade.lose("pcs1", 60)
    console.bridge.refresh()
    page = console.window.pages["overview"]
    assert isinstance(page, OverviewPage)
    assert page.diagram._values["pcs1"].tip == "no answer within 1 s"
    language.choose("zh")
    assert page.diagram._values["pcs1"].tip == "1 s 内无应答"


def test_a_refused_point_says_why(
    console: Console, devices: DevicesPage, facade: FakeStation, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = [
        replace(
            one,
            remarks={"inv1.t_igbt": Text("exception 2, illegal data address", "异常码 2，非法数据地址")}
            if one.device == "inv1"
            else {},
        )
        for one in facade.devices()
    ]
    monkeypatch.setattr(facade, "devices", lambda: status)
    facade.put("inv1.t_igbt", float("nan"), IV)
    console.bridge.refresh()
    row = devices.model.row_of(facade.station.by_name["inv1.t_igbt"])
    cells = [devices.model.cell(row, column).text for column in (Column.VALUE, Column.QUALITY, Column.REMARK)]
    assert cells == ["–", "IV", "exception 2, illegal data address"]
    language.choose("zh")
    assert devices.model.cell(row, Column.REMARK).text == "异常码 2，非法数据地址"
    devices.show_device("inv1")
    assert "无值测点: 1" in devices.card.text()
    assert not devices.table.isColumnHidden(Column.REMARK)


def test_all_limits_of_a_point_are_whole_on_a_small_screen(console: Console, devices: DevicesPage) -> None:
    console.window.resize(1366, 768)
    settle(console.window, 0.05)
    header, metrics = devices.table.horizontalHeader(), devices.table.fontMetrics()
    padding = 12
    needed = metrics.horizontalAdvance("LL 49.5 · L 49.8 · H 50.2 · HH 50.5") + padding
    assert needed <= header.sectionSize(Column.LIMITS)
    end = header.sectionViewportPosition(Column.LIMITS) + header.sectionSize(Column.LIMITS)
    assert end <= devices.table.viewport().width()


def test_an_open_faceplate_follows_the_tree_and_enter_opens_it(
    console: Console, devices: DevicesPage, qtbot: QtBot
) -> None:
    faceplate = console.window.faceplate
    devices.tree.choose("pcs1")
    assert not faceplate.isVisible()
    qtbot.keyClick(devices.tree, Qt.Key.Key_Return)
    assert faceplate.isVisible() and faceplate.device is not None and faceplate.device.id == "pcs1"
    devices.tree.choose("gen1")
    assert faceplate.device is not None and faceplate.device.id == "gen1"


def test_columns_and_order_are_chosen_from_a_menu(devices: DevicesPage) -> None:
    devices.show_device("meter1")
    menu = devices.table.columns_menu(devices)
    actions = {action.text(): action for action in menu.actions()}
    actions["Limits"].trigger()
    assert devices.table.isColumnHidden(7)
    actions["Sort by Point"].trigger()
    names = [devices.model.cell(row, 1).text for row in range(devices.model.rowCount())]
    assert names == sorted(names)
    menu.deleteLater()


def test_a_hundred_thousand_points_filter_and_scroll(
    dressed: None, tmp_path: Path, manual_clock: ManualClock, qtbot: QtBot
) -> None:
    facade = FakeStation(write_station(tmp_path / "big", extra_points=100_000), manual_clock)
    made = Console(facade, tmp_path / "console.json")
    try:
        made.window.resize(1366, 768)
        made.window.show()
        made.window.go("devices")
        page = made.window.pages["devices"]
        assert isinstance(page, DevicesPage)
        page.tree.choose_all()
        assert page.model.rowCount() > 100_000
        page.filter.setText("extra 9999")
        assert page.model.rowCount() == 19
        page.filter.clear()
        page.table.scrollToBottom()
        qtbot.wait(1)
        shown = page.table.visible_rows()
        assert shown.stop == page.model.rowCount() and len(shown) < 60
        assert made.window.pages["trends"].tree.points.count > 100_000  # type: ignore[attr-defined]
    finally:
        made.close()
        facade.close()


# ----------------------------------------------------------------------------------------------------------- alarms


def three(facade: FakeStation) -> None:
    now = facade.clock.now_ns()
    facade.alarms.set(
        alarm(1, "inv1.t_igbt", Priority.MEDIUM, at=now),
        alarm(2, "pcs2.t_igbt", Priority.URGENT, at=now),
        alarm(3, "meter1.p_kw", Priority.HIGH, at=now, state=AlarmState.ACTIVE_ACKNOWLEDGED),
    )


def test_the_key_a_acknowledges_what_is_selected(
    console: Console, alarms: AlarmsPage, facade: FakeStation, qtbot: QtBot
) -> None:
    three(facade)
    console.bridge.refresh()
    assert [row.id for row in alarms.model.rows] == [2, 1, 3]
    alarms.table.selectRow(0)
    qtbot.keyClick(alarms.table, Qt.Key.Key_A)
    assert facade.alarms.acknowledged == [((2,), "li")]
    console.bridge.refresh()
    assert [row.id for row in alarms.model.rows if row.state is AlarmState.ACTIVE_UNACKNOWLEDGED] == [1]


def test_all_shown_are_acknowledged_and_the_filtered_are_not(
    console: Console, alarms: AlarmsPage, facade: FakeStation
) -> None:
    three(facade)
    console.bridge.refresh()
    alarms.filter.setText("pv inverter")
    alarms._acknowledge_all.click()
    assert facade.alarms.acknowledged[0][0] == (1,)


def test_priorities_are_sieved(console: Console, alarms: AlarmsPage, facade: FakeStation) -> None:
    three(facade)
    console.bridge.refresh()
    alarms._priorities[Priority.URGENT].click()
    assert [row.id for row in alarms.model.rows] == [1, 3]


def test_an_empty_list_says_what_would_be_here(console: Console, alarms: AlarmsPage, facade: FakeStation) -> None:
    assert alarms._empty.isVisible() and "most important first" in alarms._empty.text()
    three(facade)
    console.bridge.refresh()
    assert not alarms._empty.isVisible()
    alarms.filter.setText("nothing like that")
    assert alarms._empty.isVisible() and "3" in alarms._empty.text()


def test_selection_survives_an_acknowledgement_elsewhere(
    console: Console, alarms: AlarmsPage, facade: FakeStation
) -> None:
    three(facade)
    console.bridge.refresh()
    alarms.table.selectRow(1)
    facade.alarms.acknowledge([1])
    facade.alarms.set(*facade.alarms.active())
    console.bridge.refresh()
    assert alarms.table.selected_ids() == [1]


def test_the_unacknowledged_blink_unless_a_person_wants_stillness(
    console: Console, alarms: AlarmsPage, facade: FakeStation, qtbot: QtBot
) -> None:
    three(facade)
    console.bridge.refresh()
    seen = set()

    def look() -> bool:
        seen.add(alarms.model.cell(0, 0).filled)
        return seen == {True, False}

    qtbot.waitUntil(look, timeout=5000)
    assert alarms.model.cell(2, 0).filled is False, "acknowledged: outline"
    alarms._still.click()
    assert blink.lit() and alarms.model.cell(0, 0).frame == "priority-1" and alarms.model.cell(2, 0).frame == ""


def test_the_journal_is_read_in_pages(console: Console, alarms: AlarmsPage, facade: FakeStation, qtbot: QtBot) -> None:
    text = Text("Active power high", "有功功率高")
    facade.alarms.journal_rows = [
        JournalRow(i, i * SECOND_NS, i * SECOND_NS, "meter1.p_kw", "raised", "h", "high", text, 1.0, 0, "")
        for i in range(1, 451)
    ]
    alarms.tabs.setCurrentIndex(1)
    model = alarms.journal.model
    qtbot.waitUntil(lambda: len(model.rows) >= 200, timeout=5000)
    assert model.rows[0].id == 450
    for _ in range(3):
        alarms.journal.table.scrollToBottom()
        qtbot.wait(20)
    qtbot.waitUntil(lambda: len(model.rows) == 450, timeout=5000)
    assert model.rows[-1].id == 1


# ----------------------------------------------------------------------------------------------------------- trends


def test_a_pen_brings_its_history(trends: TrendsPage, facade: FakeStation, qtbot: QtBot) -> None:
    trends.add_points(["meter1.p_kw", "no.such_point", "meter1.p_kw"])
    assert [pen.point for pen in trends.view.pens()] == ["meter1.p_kw"]
    qtbot.waitUntil(lambda: trends._loaded is not None, timeout=5000)
    points, start, end, pixels = facade.history.asked[-1]
    assert points == ("meter1.p_kw",) and start < end <= facade.clock.now_ns() and pixels > 100


def test_a_newer_range_cancels_the_older_question(
    console: Console, trends: TrendsPage, facade: FakeStation, qtbot: QtBot
) -> None:
    trends.add_points(["meter1.p_kw"])
    qtbot.waitUntil(lambda: trends._loaded is not None, timeout=5000)
    facade.history.hold()
    before = len(facade.history.asked)
    for days in (7, 30, 365):
        trends.show_last(days * 86_400 * SECOND_NS)
        trends._load()
    assert len(facade.history.asked) == before + 3
    questions = [q for q in console.bridge._questions.values() if q.slot == "series"]
    assert len(questions) == 1
    facade.history.release()
    qtbot.waitUntil(lambda: trends._asked is None, timeout=5000)
    assert trends._loaded is not None and trends._loaded.end_ns - trends._loaded.start_ns > 365 * 86_400 * SECOND_NS


def test_live_values_reach_the_pens(console: Console, trends: TrendsPage, facade: FakeStation, qtbot: QtBot) -> None:
    trends.add_points(["meter1.p_kw"])
    qtbot.waitUntil(lambda: trends._loaded is not None, timeout=5000)
    told: list[tuple[str, float]] = []
    trends.view.append = lambda point, time, value, quality: told.append((point, value))  # type: ignore[method-assign, assignment, misc]
    facade.put("meter1.p_kw", 77.0)
    facade.put("pcs1.p_kw", 1.0)
    console.bridge.refresh()
    assert told == [("meter1.p_kw", 77.0)]


def test_a_hidden_trend_asks_for_nothing(
    console: Console, trends: TrendsPage, facade: FakeStation, qtbot: QtBot
) -> None:
    console.window.go("overview")
    before = len(facade.history.asked)
    trends.add_points(["meter1.p_kw"])
    assert len(facade.history.asked) == before
    console.window.go("trends")
    assert len(facade.history.asked) == before + 1
    qtbot.waitUntil(lambda: trends._loaded is not None, timeout=5000)


def test_pens_are_taken_from_the_tree_with_enter(trends: TrendsPage, qtbot: QtBot) -> None:
    trends.filter.setText("pcs1 igbt")
    model = trends.tree.points
    trends.tree.setCurrentIndex(model.index(0, 0, model.index(0, 0)))
    qtbot.keyClick(trends.tree, Qt.Key.Key_Return)
    assert [pen.point for pen in trends.view.pens()] == ["pcs1.t_igbt"]


def exporting(trends: TrendsPage, facade: FakeStation, qtbot: QtBot, path: Path) -> None:
    """An export of one pen, under way."""
    trends.add_points(["meter1.p_kw"])
    qtbot.waitUntil(lambda: trends._loaded is not None, timeout=5000)
    trends.exporting.write(["meter1.p_kw"], *trends.view.shown_range(), "5s", path)
    assert trends.exporting.running


def test_an_export_offers_what_is_seen_and_raw_values(trends: TrendsPage, qtbot: QtBot) -> None:
    trends.add_points(["meter1.p_kw"])
    qtbot.waitUntil(lambda: trends._loaded is not None, timeout=5000)
    trends._fill_export_menu()
    texts = [action.text() for action in trends._export_menu.actions() if action.text()]
    assert texts[0] == "CSV, 5s as shown" and "Excel, raw values" in texts and len(texts) == 6


def test_choosing_an_export_file_stands_in_nobodys_way(
    console: Console, trends: TrendsPage, facade: FakeStation, qtbot: QtBot, tmp_path: Path
) -> None:
    trends.add_points(["meter1.p_kw", "bms1.soc"])
    trends._on_export("5s", ".csv")
    dialog = trends.exporting._dialog
    assert dialog is not None and not dialog.isModal() and dialog.isVisible()
    dialog.fileSelected.emit(str(tmp_path / "out.csv"))
    dialog.close()
    points, start, end, every, path = facade.exported[0]
    assert (points, every, path) == (("meter1.p_kw", "bms1.soc"), "5s", tmp_path / "out.csv")
    assert (start, end) == trends.view.shown_range()


def test_an_export_tells_what_it_wrote(trends: TrendsPage, facade: FakeStation, qtbot: QtBot, tmp_path: Path) -> None:
    exporting(trends, facade, qtbot, tmp_path / "out.csv")
    qtbot.waitUntil(lambda: trends.exporting._bar.value() == 500, timeout=5000)
    facade.exporting.set_result(Exported(tmp_path / "out.csv", 12_345))
    qtbot.waitUntil(lambda: not trends.exporting.running, timeout=5000)
    assert "12,345 rows" in trends.exporting._text.text()


def test_an_export_can_be_called_off(trends: TrendsPage, facade: FakeStation, qtbot: QtBot, tmp_path: Path) -> None:
    exporting(trends, facade, qtbot, tmp_path / "out.csv")
    trends.exporting._cancel.click()
    assert facade.exporting.cancelled() and "nothing was written" in trends.exporting._text.text()


@pytest.mark.parametrize(("tongue", "why"), [("en", "disk full"), ("zh", "磁盘已满")])
def test_an_export_that_fails_says_why_in_the_language_of_the_screen(
    trends: TrendsPage, facade: FakeStation, qtbot: QtBot, tmp_path: Path, *, tongue: str, why: str
) -> None:
    language.choose(tongue)
    exporting(trends, facade, qtbot, tmp_path / "out.csv")
    facade.exporting.set_exception(StorageError(Text("out.csv: disk full", "out.csv：磁盘已满")))
    qtbot.waitUntil(lambda: not trends.exporting.running, timeout=5000)
    assert why in trends.exporting._text.text() and why in trends.exporting._text.toolTip()


def test_a_trend_that_history_does_not_answer_says_why_in_the_language_of_the_screen(
    trends: TrendsPage,
) -> None:
    language.choose("zh")
    trends._on_error(StorageError(Text("the disk is gone", "磁盘不见了")))
    assert "磁盘不见了" in trends._note.text() and "disk" not in trends._note.text()
