"""Every page in both languages, both themes and four sizes: nothing clipped, overlapping, untranslated, off-colour or faint."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from app.console import inspection
from app.console.main import Console
from app.console.pages.devices import DevicesPage
from app.console.pages.tabbed import TabbedPage
from app.console.pages.trends import TrendsPage
from app.console.screenshots import ALL_PAGES, EDITOR, SIZES, settle, show_page, telling_points
from tests.gui.console.test_control import acting
from tests.support.fake_station import FakeControl, FakeStation
from widgets import language, theme
from widgets.rows_table import RowsTable


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", ALL_PAGES)
def test_a_page_stands_inspection(console: Console, facade: FakeStation, name: str, size: tuple[int, int]) -> None:
    facade.trouble()
    console.bridge.refresh()
    window = console.window
    window.resize(*size)
    show_page(window, name)
    page = window.pages.get(name)
    if isinstance(page, TrendsPage):
        page.add_points(telling_points(facade.station))
    found = []
    for device in ("", "inv4"):
        if device:
            window.show_device(device)
        for tongue in ("en", "zh"):
            language.choose(tongue)
            for dress in ("light", "dark") if size == SIZES[0] else ("light",):
                theme.choose(dress)
                settle(window, 0.02)
                faults = inspection.inspect(window, facade.station)
                found += [f"{tongue} {dress} {device}: {finding}" for finding in faults]
    assert not found, "\n" + "\n".join(found)


def show(qtbot: QtBot, widget: QWidget) -> list[QWidget]:
    qtbot.addWidget(widget)
    widget.show()
    return [widget, *widget.findChildren(QWidget)]


def test_a_clipped_label_is_found(qtbot: QtBot, dressed: None) -> None:
    label = QLabel("a long text that has no room")
    label.setFixedWidth(40)
    assert [finding.kind for finding in inspection.clipped(show(qtbot, label))] == ["clipped"]


def test_a_clipped_placeholder_is_found(qtbot: QtBot, dressed: None) -> None:
    edit = QLineEdit()
    edit.setPlaceholderText("filter by everything there is")
    edit.setFixedWidth(60)
    assert [finding.kind for finding in inspection.clipped(show(qtbot, edit))] == ["clipped"]


def test_overlapping_neighbours_are_found(qtbot: QtBot, dressed: None) -> None:
    parent = QWidget()
    row = QHBoxLayout(parent)
    left, right = QLabel("left"), QLabel("right")
    row.addWidget(left)
    row.addWidget(right)
    widgets = show(qtbot, parent)
    assert list(inspection.overlapping(widgets)) == []
    right.setGeometry(left.geometry())
    assert [finding.kind for finding in inspection.overlapping(widgets)] == ["overlap"]


def test_an_english_text_on_a_chinese_screen_is_found(qtbot: QtBot, dressed: None, facade: FakeStation) -> None:
    widgets = show(qtbot, QLabel("Acquired"))
    assert [finding.what for finding in inspection.untranslated(widgets, facade.station)] == ["'Acquired'"]


@pytest.mark.parametrize(
    "text", ["1,234.5 kW", "inv1.p_kw", "荷电状态", "IV CLOCK", "2026-11-20 14:03:27 CST", "–", "Gridroom"]
)
def test_numbers_ids_units_and_names_need_no_translation(
    qtbot: QtBot, dressed: None, facade: FakeStation, text: str
) -> None:
    assert list(inspection.untranslated(show(qtbot, QLabel(text)), facade.station)) == []


def test_a_colour_that_is_no_token_is_found(qtbot: QtBot, dressed: None) -> None:
    label = QLabel("x")
    label.setStyleSheet("color: #12ab34")
    assert [finding.what for finding in inspection.foreign_colours(show(qtbot, label))] == ["#12ab34"]


def test_a_faint_text_is_found(qtbot: QtBot, dressed: None) -> None:
    label = QLabel("hardly to be read")
    label.setStyleSheet("color: #A7ABB0; background: #E6E7E9")
    assert [finding.kind for finding in inspection.faint(label, show(qtbot, label))] == ["contrast"]


@pytest.mark.parametrize("faceplate", [False, True])
def test_every_part_of_the_editor_stands_inspection(console: Console, facade: FakeStation, faceplate: bool) -> None:
    facade.trouble()
    window = console.window
    window.resize(*SIZES[0])
    show_page(window, EDITOR)
    page = window.pages["devices"]
    assert isinstance(page, DevicesPage)
    if faceplate:
        window.show_device("pcs1")
    editor = page.editor
    editor.device.ratings["power_kw"].edit.setText("510")
    editor.device.ratings["power_kw"].edited.emit()
    while editor._preview is None:
        settle(window, 0.02)
    editor.try_.click()
    while not editor.try_.isEnabled():
        settle(window, 0.02)
    found = []
    for above, below in ((0, 0), (1, 1), (2, 2)):
        editor.forms.setCurrentIndex(above)
        editor.below.setCurrentIndex(below)
        for tongue in ("en", "zh"):
            language.choose(tongue)
            settle(window, 0.02)
            found += [f"{tongue} {above}: {finding}" for finding in inspection.inspect(window, facade.station)]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(("name", "tab"), [*(("system", i) for i in range(7)), *(("control", i) for i in range(5))])
def test_a_tab_stands_inspection(console: Console, facade: FakeStation, name: str, tab: int) -> None:
    """But for language: who, from where and why stand there as they were written."""
    assert isinstance(facade.control, FakeControl)
    facade.control.now = acting(facade.station)
    window = console.window
    window.resize(*SIZES[0])
    window.go(name)
    page = window.pages[name]
    assert isinstance(page, TabbedPage)
    page.tabs.setCurrentIndex(tab)
    settle(window, 0.05)
    for table in page.view.findChildren(RowsTable)[:1]:
        table.selectRow(0)
    found = []
    for tongue in ("en", "zh"):
        language.choose(tongue)
        for dress in ("light", "dark"):
            theme.choose(dress)
            settle(window, 0.05)
            faults = inspection.inspect(window, facade.station)
            found += [f"{tongue} {dress}: {one}" for one in faults if one.kind != "untranslated"]
    assert not found, "\n" + "\n".join(found)
