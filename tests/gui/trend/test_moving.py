"""Mouse, keys, live edge, cursors, dropping: what a person does with a trend."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QByteArray, QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDropEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.model import quality as q
from app.model.clock import SECOND_NS as S
from app.model.clock import ManualClock
from app.model.text import Text
from widgets.trend import POINTS_MIME, TrendView
from widgets.trend.overlay import spread
from widgets.trend.table import Column, slope
from widgets.trend.view import duration_text
from widgets.values import MINUS

from .conftest import NOW, pen, series, settle

Make = Callable[..., TrendView]
SECONDS = np.arange(-3600, 1, 10.0)
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def view(make: Make) -> TrendView:
    """An hour of a ramp from 0 to 100."""
    made = make(pen("a.p"))
    made.set_series([series("a.p", SECONDS, (SECONDS + 3600) / 36)], NOW - 3600 * S, NOW)
    made.show_range(NOW - 3600 * S, NOW)
    settle()
    return made


def inside(view: TrendView, across: float, down: float = 0.5) -> QPoint:
    plot = view.canvas.frame.curves
    return QPointF(plot.left() + across * plot.width(), plot.top() + down * plot.height()).toPoint()


def wheel(view: TrendView, at: QPoint, notches: int, modifiers: Qt.KeyboardModifier | None = None) -> None:
    canvas = view.canvas
    event = QWheelEvent(
        QPointF(at), QPointF(canvas.mapToGlobal(at)), QPoint(), QPoint(0, 120 * notches), Qt.MouseButton.NoButton,
        modifiers or Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(canvas, event)
    settle()


def drag(view: TrendView, begin: QPoint, end: QPoint, modifiers: Any = Qt.KeyboardModifier.NoModifier) -> None:
    canvas = view.canvas
    QTest.mousePress(canvas, LEFT, modifiers, begin)
    QTest.mouseMove(canvas, (begin + end) / 2)
    settle()
    QTest.mouseMove(canvas, end)
    settle()
    QTest.mouseRelease(canvas, LEFT, modifiers, end)
    settle()


def test_the_wheel_zooms_time_at_the_pointer(view: TrendView) -> None:
    at = inside(view, 0.25)
    moment = view.canvas.frame.moment(at.x())
    wheel(view, at, 3)
    start, end = view.shown_range()
    assert end - start == pytest.approx(3600 * S * 0.8**3, rel=0.001)
    assert view.canvas.frame.moment(at.x()) == pytest.approx(moment, abs=2 * view.canvas.frame.pixel_ns)
    wheel(view, at, -3)
    assert view.shown_range()[1] - view.shown_range()[0] == pytest.approx(3600 * S, rel=0.001)


def test_shift_and_wheel_zoom_the_scale_and_double_click_brings_it_back(view: TrendView) -> None:
    scale = view.canvas.frame.axes[0].scale
    before = view.shown_range()
    wheel(view, inside(view, 0.5), 1, Qt.KeyboardModifier.ShiftModifier)
    assert scale.span == pytest.approx(80)
    assert (scale.low + scale.high) / 2 == pytest.approx(50, abs=0.5)
    assert view.shown_range() == before
    axis = view.canvas.frame.axes[0].rect.center().toPoint()
    wheel(view, axis, 1)
    assert scale.span == pytest.approx(64)
    QTest.mouseDClick(view.canvas, LEFT, Qt.KeyboardModifier.NoModifier, axis)
    settle()
    assert (scale.low, scale.high) == (0, 100)


def test_a_drag_pans_by_what_it_was_dragged(view: TrendView) -> None:
    plot = view.canvas.frame.plot
    drag(view, inside(view, 0.5), inside(view, 0.5) + QPoint(100, 0))
    moved = NOW - view.shown_range()[1]
    assert moved == pytest.approx(100 * 3600 * S / plot.width(), rel=0.001)
    assert view.shown_range()[1] - view.shown_range()[0] == 3600 * S


def test_a_box_zooms_time_and_scale(view: TrendView) -> None:
    begin, end = inside(view, 0.25, 0.25), inside(view, 0.5, 0.75)
    expected = [view.canvas.frame.moment(p.x()) for p in (begin, end)]
    drag(view, begin, end, Qt.KeyboardModifier.ShiftModifier)
    pixel = 3600 * S / view.canvas.frame.plot.width()
    assert view.shown_range() == pytest.approx(expected, abs=2 * pixel)
    scale = view.canvas.frame.axes[0].scale
    assert (scale.low, scale.high) == pytest.approx((25, 75), abs=1)


def test_a_double_click_fits_all_that_is_loaded(view: TrendView) -> None:
    wheel(view, inside(view, 0.5), 10)
    QTest.mouseDClick(view.canvas, LEFT, Qt.KeyboardModifier.NoModifier, inside(view, 0.5))
    settle()
    start, end = view.shown_range()
    assert start <= NOW - 3600 * S
    assert end >= NOW
    assert end - start < 3800 * S


def test_keys_pan_zoom_and_go_to_the_ends(view: TrendView) -> None:
    canvas = view.canvas
    QTest.keyClick(canvas, Qt.Key.Key_Left)
    assert view.shown_range()[1] == NOW - 360 * S
    QTest.keyClick(canvas, Qt.Key.Key_Plus)
    assert view.shown_range()[1] - view.shown_range()[0] == 2880 * S
    QTest.keyClick(canvas, Qt.Key.Key_Home)
    assert view.shown_range()[0] == NOW - 3600 * S
    QTest.keyClick(canvas, Qt.Key.Key_End)
    assert view.shown_range()[1] == NOW
    QTest.keyClick(canvas, Qt.Key.Key_Minus)
    assert view.shown_range()[1] - view.shown_range()[0] == 3600 * S


def test_the_view_gives_its_focus_to_the_sheet(view: TrendView) -> None:
    assert view.focusProxy() is view.canvas


# ----------------------------------------------------------------------------------------------------------- live


def test_live_follows_the_edge_until_the_person_moves(view: TrendView, clock: ManualClock, qtbot: QtBot) -> None:
    told: list[bool] = []
    view.live_changed.connect(told.append)
    view.follow(True)
    clock.advance(120)
    qtbot.waitUntil(lambda: view.shown_range()[1] >= NOW + 120 * S, timeout=5000)
    assert view.shown_range()[1] - view.shown_range()[0] == 3600 * S
    assert view._live_button.isChecked()
    drag(view, inside(view, 0.5), inside(view, 0.6))
    assert not view.live()
    stays = view.shown_range()
    clock.advance(60)
    QTest.qWait(150)
    assert view.shown_range() == stays
    assert view._live_button.text() == "▸ live"
    QTest.mouseClick(view._live_button, LEFT)
    assert view.live()
    assert view.shown_range()[1] >= NOW + 180 * S
    assert told == [True, False, True]


def test_l_brings_live_back_and_plus_keeps_it(view: TrendView) -> None:
    QTest.keyClick(view.canvas, Qt.Key.Key_L)
    assert view.live()
    QTest.keyClick(view.canvas, Qt.Key.Key_Plus)
    assert view.live()
    assert view.shown_range()[1] >= NOW
    view.show_range(NOW - 100 * S, NOW)
    assert not view.live()


def test_the_live_tail_is_drawn_and_read(view: TrendView, clock: ManualClock) -> None:
    view.follow(True)
    clock.advance(30)
    view.append("a.p", [NOW + 10 * S, NOW + 20 * S], [42.0, 43.0], [0, q.IV])
    view.append("other.p", [NOW], [1.0], [0])
    model = view._table.pen_model
    view._on_edge()
    settle()
    cell = model.cell(0, Column.NOW)
    assert cell.text == "43.0"
    assert cell.strike, "an invalid value is struck through"
    assert model.cell(0, Column.QUALITY).text == "IV"
    assert model.cell(0, Column.MAX).text == "100.0"


def test_timers_rest_while_it_is_hidden(view: TrendView, clock: ManualClock) -> None:
    view.follow(True)
    assert view._edge.isActive()
    view.hide()
    assert not view._edge.isActive()
    assert not view._throttle.isActive()
    clock.advance(500)
    view.show()
    settle()
    assert view.shown_range()[1] >= NOW + 500 * S
    view.follow(False)
    assert not view._edge.isActive()


def test_moves_are_told_throttled_and_the_last_one_always(view: TrendView, qtbot: QtBot) -> None:
    told: list[tuple[int, int]] = []
    view.range_changed.connect(lambda start, end: told.append((start, end)))
    for _ in range(20):
        view.canvas.pan_time(0.01)
    assert len(told) == 1, "at once for the first, then not for each"
    qtbot.waitUntil(lambda: bool(told) and told[-1] == view.shown_range(), timeout=2000)
    assert len(told) <= 3
    assert all(isinstance(number, int) for number in told[-1])
    count = len(told)
    view.show_range(NOW - 60 * S, NOW)
    QTest.qWait(150)
    assert len(told) == count, "what the page itself asked for is not told back"


# -------------------------------------------------------------------------------------------------------- cursors


def test_the_pointer_reads_every_pen(make: Make) -> None:
    states = {0: Text("open", "分"), 1: Text("closed", "合")}
    view = make(pen("a.p"), pen("b.s", "", states))
    view.set_series([series("a.p", [-3600, 0], [0, 100]), series("b.s", [-3600, -1800], [1, 0])], NOW - 3600 * S, NOW)
    view.show_range(NOW - 3600 * S, NOW)
    settle()
    model = view._table.pen_model
    QTest.mouseMove(view.canvas, inside(view, 0.25))
    settle()
    assert float(model.cell(0, Column.CURSOR).text) == pytest.approx(25, abs=0.3)
    assert model.cell(1, Column.CURSOR).text == "closed"
    QTest.mouseMove(view.canvas, inside(view, 0.75))
    settle()
    assert float(model.cell(0, Column.CURSOR).text) == pytest.approx(75, abs=0.3)
    assert model.cell(1, Column.CURSOR).text == "open"
    assert [model.cell(row, Column.AXIS).text for row in (0, 1)] == ["left", "lane"]


def test_two_cursors_give_difference_and_slope(view: TrendView) -> None:
    QTest.keyClick(view.canvas, Qt.Key.Key_C)
    model = view._table.pen_model
    assert view.canvas.overlay.cursors == (NOW - 2400 * S, NOW - 1200 * S)
    cells = {column: model.cell(0, column).text for column in (Column.A, Column.B, Column.DIFFERENCE, Column.SLOPE)}
    assert cells == {Column.A: "33.3", Column.B: "66.7", Column.DIFFERENCE: "33.3", Column.SLOPE: "1.67 /min"}
    assert not view._table.isColumnHidden(Column.SLOPE)
    assert view._cursor_label.text() == "A 13:20:00   B 13:40:00   Δt 00:20:00.000"
    frame = view.canvas.frame
    at = QPointF(frame.x(NOW - 1200 * S), frame.curves.center().y()).toPoint()
    drag(view, at, at + QPoint(round(600 * S / frame.pixel_ns), 0))
    assert float(model.cell(0, Column.B).text) == pytest.approx(83.3, abs=0.3)
    assert view.shown_range() == (NOW - 3600 * S, NOW), "a cursor was dragged, not the window"
    QTest.keyClick(view.canvas, Qt.Key.Key_C)
    assert view.canvas.overlay.cursors is None
    assert view._table.isColumnHidden(Column.SLOPE)


def test_a_reading_with_bad_quality_shows_it(view: TrendView) -> None:
    view.append("a.p", [NOW + S], [50.0], [q.SB])
    view._table.pen_model.refresh()
    assert view._table.pen_model.cell(0, Column.NOW).frame == "manual"


def test_slopes_are_per_a_unit_that_suits() -> None:
    assert slope(10, 20) == (0.5, "s")
    assert slope(10, 600) == (1.0, "min")
    assert slope(10, 36_000) == (1.0, "h")
    assert slope(-10, -600) == (1.0, "min")
    assert slope(10, 864_000) == (1.0, "d")


def test_durations() -> None:
    assert duration_text(69_250_000_000) == "00:01:09.250"
    assert duration_text(-3600 * S) == f"{MINUS}01:00:00"
    assert duration_text(90_061 * S) == "1 d 01:01:01"


def test_tags_neither_overlap_nor_leave() -> None:
    tops = spread([10, 11, 12, 90, 99], 10, 0, 100)
    assert all(b - a >= 10 - 1e-9 for a, b in itertools.pairwise(tops))
    assert tops[0] >= 0
    assert tops[-1] + 10 <= 100


# ---------------------------------------------------------------------------------------------------------- pens


def test_points_can_be_dropped_on_it(view: TrendView) -> None:
    dropped: list[list[str]] = []
    view.points_dropped.connect(dropped.append)
    mime = QMimeData()
    mime.setData(POINTS_MIME, QByteArray(b"m1.p_kw\nm2.p_kw\n\nm1.p_kw\n"))
    event = QDropEvent(QPointF(300, 200), Qt.DropAction.CopyAction, mime, LEFT, Qt.KeyboardModifier.NoModifier)
    view.dropEvent(event)
    assert dropped == [["m1.p_kw", "m2.p_kw"]]
    assert view.acceptDrops()
    assert not view.canvas.acceptDrops(), "the sheet must let drops through to the view"


def test_a_pen_is_removed_by_click_and_by_key(view: TrendView, qtbot: QtBot) -> None:
    removed: list[str] = []
    view.pen_removed.connect(removed.append)
    table = view._table
    at = table.visualRect(table.pen_model.index(0, Column.REMOVE)).center()
    QTest.mouseClick(table.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, at)
    table.setCurrentIndex(table.pen_model.index(0, Column.NAME))
    QTest.keyClick(table, Qt.Key.Key_Delete)
    assert removed == ["a.p", "a.p"]
    assert view.pens(), "it is the page that takes it away"
    QTest.keyClick(table, Qt.Key.Key_Space)
    assert model_visible(view) is False
    QTest.keyClick(table, Qt.Key.Key_Space)
    assert model_visible(view) is True


def model_visible(view: TrendView) -> bool:
    return view._table.pen_model.pen(0).visible


def test_the_table_can_be_copied_with_headers(view: TrendView) -> None:
    lines = view._table.as_text([0]).splitlines()
    assert lines[0].split("\t")[1:7] == ["Pen", "At cursor", "Now", "Min", "Max", "Mean"]
    assert lines[1].split("\t")[1] == "a.p"
