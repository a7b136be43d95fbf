"""`TrendView`: pens over time, live and from history, with their table. It asks nobody for data: it says what it shows.

A page calls `set_pens`, then answers `range_changed` with `set_series` (history) and calls `append` with what arrives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import ArrayLike
from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QStackedLayout, QToolButton, QVBoxLayout, QWidget

from app.model.clock import MS_NS, SECOND_NS, Clock, SystemClock
from app.model.views import Series
from widgets import language
from widgets.language import tr
from widgets.times import moment_text, zone_name
from widgets.trend.canvas import Canvas
from widgets.trend.empty import EmptySheet
from widgets.trend.overlay import Mark
from widgets.trend.pens import Pen, Pens
from widgets.trend.table import PenTable
from widgets.trend.window import Window

POINTS_MIME: Final = "application/x-gridroom-points"
"""Full point names, one a line, UTF-8."""
THROTTLE_MS: Final = 100
_FRESH_MS: Final = 100
"""The newest values stand in the table so soon, however slowly the curves move."""
_FASTEST_MS: Final = 100
_SLOWEST_MS: Final = 1000
_FIRST_SPAN_NS: Final = 900 * SECOND_NS
_KEY_ZOOM: Final = 0.8


class TrendView(QWidget):
    """Pens, axes and cursors above, the table of pens below. Nothing runs while it is hidden."""

    range_changed = Signal(object, object)
    """Start and end, UTC ns as int: a person or the live edge moved the window. At most one in 100 ms, the last is
    never lost."""
    points_dropped = Signal(list)
    """Full names of points that were dropped on it."""
    live_changed = Signal(bool)
    pen_removed = Signal(str)
    """The person wants the pen away; the view keeps it until `set_pens`."""

    def __init__(self, parent: QWidget | None = None, clock: Clock | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._pens = Pens()
        now = self._clock.now_ns()
        self._window = Window(now - _FIRST_SPAN_NS, now)
        self._live = False
        self._canvas = Canvas(self._pens, self._window)
        self._table = PenTable(self._pens, self._canvas.overlay)
        self._range_label = QLabel()
        self._cursor_label = QLabel()
        self._cursors_button = self._button(checkable=True)
        self._fit_button = self._button()
        self._live_button = self._button(checkable=True)
        self._empty = EmptySheet()
        self._throttle = self._timer(THROTTLE_MS, self._tell_range, single=True)
        self._edge = self._timer(_FASTEST_MS, self._on_edge)
        self._fresh = self._timer(_FRESH_MS, self._table.pen_model.refresh, single=True)
        self._told: tuple[int, int] | None = None
        self._build()
        self._connect()
        self._retranslate()

    def _button(self, *, checkable: bool = False) -> QToolButton:
        button = QToolButton()
        button.setCheckable(checkable)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _timer(self, interval_ms: int, slot: object, *, single: bool = False) -> QTimer:
        timer = QTimer(self)
        timer.setInterval(interval_ms)
        timer.setSingleShot(single)
        timer.timeout.connect(slot)
        return timer

    def _build(self) -> None:
        self.setAcceptDrops(True)
        self.setFocusProxy(self._canvas)
        bar = QHBoxLayout()
        bar.setContentsMargins(8, 4, 8, 4)
        bar.setSpacing(6)
        self._cursor_label.setProperty("soft", True)
        bar.addWidget(self._range_label)
        bar.addSpacing(16)
        bar.addWidget(self._cursor_label)
        bar.addStretch(1)
        for button in (self._cursors_button, self._fit_button, self._live_button):
            bar.addWidget(button)
        self._stack = QStackedLayout()
        self._stack.setStackingMode(QStackedLayout.StackingMode.StackOne)
        full = QWidget()
        column = QVBoxLayout(full)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bar)
        column.addWidget(self._canvas, 1)
        column.addWidget(self._table)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(full)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addLayout(self._stack)

    def _connect(self) -> None:
        self._canvas.moved.connect(self._on_moved)
        self._canvas.painted.connect(self._on_painted)
        self._canvas.pointed.connect(self._on_pointed)
        self._canvas.key_pressed.connect(self._on_key)
        self._table.remove_asked.connect(self.pen_removed)
        self._table.shown_changed.connect(self._canvas.stale)
        self._cursors_button.toggled.connect(self._on_cursors)
        self._fit_button.clicked.connect(self._canvas.fit_all)
        self._live_button.toggled.connect(self.follow)
        language.changed.connect(self._retranslate)

    # ------------------------------------------------------------------------------------------- what it is told

    def set_zone(self, zone: ZoneInfo) -> None:
        """The station's zone: every label is in it."""
        self._canvas.zone = zone
        self._canvas.stale()
        self._show_range()

    def set_pens(self, pens: Sequence[Pen]) -> None:
        """Exactly these, in this order. A pen that stays keeps its rows, colour and visibility."""
        self._pens.set(pens)
        self._table.pen_model.reset()
        self._table.fit_height()
        self._stack.setCurrentIndex(1 if pens else 0)
        self._canvas.stale()

    def pens(self) -> list[Pen]:
        """The pens in their order."""
        return [drawn.pen for drawn in self._pens]

    def set_series(self, series: Sequence[Series], start_ns: int, end_ns: int) -> None:
        """History of [start, end), in place of what was shown there for these points.

        Series of points that have no pen (any more) are let go.
        """
        known_until = min(end_ns, self._clock.now_ns())
        for one in series:
            drawn = self._pens.get(one.point)
            if drawn is not None:
                drawn.track.replace(one, start_ns, end_ns)
                drawn.track.know_until(known_until)
        self._canvas.stale()

    def append(self, point: str, time_ns: ArrayLike, value: ArrayLike, quality: ArrayLike) -> None:
        """The live tail of one point: columns of one length, oldest first. Without a pen nothing happens."""
        drawn = self._pens.get(point)
        if drawn is None:
            return
        time = np.atleast_1d(np.asarray(time_ns, np.int64))
        drawn.track.append(
            time, np.atleast_1d(np.asarray(value, np.float64)), np.atleast_1d(np.asarray(quality, np.uint16))
        )
        if self.isVisible() and not self._fresh.isActive():
            self._fresh.start()
        if not self._live and len(time) and time[-1] >= self._window.start and time[0] <= self._window.end:
            self._canvas.stale()

    def set_marks(self, marks: Sequence[tuple[int, str, str]]) -> None:
        """Alarms and commands on the time axis: (UTC ns, token such as `priority-1`, text)."""
        self._canvas.marks = tuple(sorted(Mark(*mark) for mark in marks))
        self._canvas.stale()

    def show_range(self, start_ns: int, end_ns: int) -> None:
        """Show an interval. Ends live; `range_changed` is for moves that the caller did not make."""
        self.follow(False)
        if self._window.show(start_ns, end_ns):
            self._canvas.stale()
        self._told = self.shown_range()
        self._show_range()

    def shown_range(self) -> tuple[int, int]:
        """Start and end of what is shown, UTC ns."""
        return self._window.start, self._window.end

    @property
    def canvas(self) -> Canvas:
        """The sheet, for tests and the bench."""
        return self._canvas

    def pixels(self) -> int:
        """How many columns a query should be made for."""
        return max(round(self._canvas.frame.plot.width() * self.devicePixelRatioF()), 1)

    def live(self) -> bool:
        """Whether the right edge is now."""
        return self._live

    def follow(self, on: bool) -> None:
        """Keep the right edge at now, until the person moves."""
        if on != self._live:
            self._live = on
            self._live_button.setChecked(on)
            self._settle_timers()
            if on:
                self._on_edge()
            self.live_changed.emit(on)

    # ----------------------------------------------------------------------------------------------------- moves

    def _settle_timers(self) -> None:
        if self._live and self.isVisible():
            pixel_ms = self._window.span // max(self._canvas.width(), 1) // MS_NS
            self._edge.start(min(max(pixel_ms, _FASTEST_MS), _SLOWEST_MS))
        else:
            self._edge.stop()

    def _on_edge(self) -> None:
        """The live edge moves by whole pixels; new rows are painted with the same stroke."""
        now = self._clock.now_ns()
        for drawn in self._pens:
            if len(drawn.track):
                drawn.track.know_until(now)
        moved = self._window.end_at(now, round(self._canvas.frame.plot.width()))
        self._canvas.stale()
        if moved:
            self._range_moved()

    def _on_moved(self) -> None:
        self.follow(False)
        self._range_moved()

    def _range_moved(self) -> None:
        self._show_range()
        if not self._throttle.isActive():
            self._tell_range()
            self._throttle.start()

    def _tell_range(self) -> None:
        """At once for the first move, then at most each 100 ms while it goes on."""
        if self._told != self.shown_range():
            self._told = self.shown_range()
            self.range_changed.emit(*self._told)
            if self.isVisible():
                self._throttle.start()

    def _on_key(self, key: int) -> None:
        span = self._pens.span()
        match Qt.Key(key):
            case Qt.Key.Key_Plus | Qt.Key.Key_Equal | Qt.Key.Key_Minus:
                factor = 1 / _KEY_ZOOM if key == Qt.Key.Key_Minus else _KEY_ZOOM
                self._zoom_by_key(factor)
            case Qt.Key.Key_Home if span is not None:
                self._window.show(span[0], span[0] + self._window.span)
                self._after_key()
            case Qt.Key.Key_End if span is not None:
                self._window.show(span[1] - self._window.span, span[1])
                self._after_key()
            case Qt.Key.Key_L:
                self.follow(True)
            case Qt.Key.Key_C:
                self._cursors_button.toggle()
            case Qt.Key.Key_F:
                self._canvas.fit_all()

    def _zoom_by_key(self, factor: float) -> None:
        """About the middle; while live about the right edge, which stays live."""
        if not self._live:
            self._canvas.zoom_time(factor)
            return
        self._window.zoom(factor, self._window.end)
        self._settle_timers()
        self._canvas.stale()
        self._range_moved()

    def _after_key(self) -> None:
        self._canvas.stale()
        self._on_moved()

    def _on_cursors(self, on: bool) -> None:
        overlay, window = self._canvas.overlay, self._window
        third = window.span // 3
        overlay.cursors = (window.start + third, window.end - third) if on else None
        self._table.show_cursor_columns(on)
        self._canvas.update()
        self._on_pointed()

    # ----------------------------------------------------------------------------------------------------- shown

    def _on_painted(self) -> None:
        sides = {True: tr("left"), False: tr("right")}
        counts = {True: 0, False: 0}
        for axis in self._canvas.frame.axes:
            counts[axis.left] += 1
            number = f" {counts[axis.left]}" if counts[axis.left] > 1 else ""
            self._table.pen_model.axis_of[axis.scale.unit] = f"{sides[axis.left]}{number}"
        self._table.pen_model.refresh()

    def _on_pointed(self) -> None:
        self._table.pen_model.refresh()
        self._show_cursors()

    def _show_range(self) -> None:
        start, end = self.shown_range()
        zone = self._canvas.zone
        short = end - start < 60 * SECOND_NS
        first = moment_text(start, zone, milliseconds=short)
        last = moment_text(end, zone, milliseconds=short)
        if last[:10] == first[:10]:
            last = last[11:]
        self._range_label.setText(f"{first} – {last}  {zone_name(end, zone)}")

    def _show_cursors(self) -> None:
        cursors = self._canvas.overlay.cursors
        if cursors is None:
            self._cursor_label.clear()
            return
        a, b = (moment_text(moment, self._canvas.zone)[11:] for moment in cursors)
        self._cursor_label.setText(f"A {a}   B {b}   Δt {duration_text(cursors[1] - cursors[0])}")

    def _retranslate(self) -> None:
        self._cursors_button.setText(tr("Cursors"))
        self._cursors_button.setToolTip(tr("Two cursors with difference and slope (C); drag them or press Ctrl+arrow"))
        self._fit_button.setText(tr("Fit"))
        self._fit_button.setToolTip(tr("Show all that is loaded (F or double click)"))
        self._live_button.setText("▸ " + tr("live"))
        self._live_button.setToolTip(tr("Keep the right edge at now (L)"))
        self._canvas.setAccessibleName(tr("Trend"))
        self._table.setAccessibleName(tr("Pens"))
        model = self._table.pen_model
        model.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, model.columnCount() - 1)
        self._empty.retranslate()
        self._show_range()
        self._show_cursors()
        self._canvas.stale()

    # ------------------------------------------------------------------------------------------------ Qt's events

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._settle_timers()
        if self._live:
            self._on_edge()
        self._show_range()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._edge.stop()
        self._throttle.stop()
        self._fresh.stop()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._table.fit_height()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasFormat(POINTS_MIME):
            event.acceptProposedAction()
            self._empty.welcome(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._empty.welcome(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self._empty.welcome(False)
        text = bytes(event.mimeData().data(POINTS_MIME).data()).decode("utf-8", "replace")
        names = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
        if names:
            event.acceptProposedAction()
            self.points_dropped.emit(names)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.FontChange:
            self._canvas.stale()
        return super().event(event)


def duration_text(duration_ns: int) -> str:
    """`−00:01:09.250`, with days where there are any; milliseconds only below an hour."""
    sign = "\N{MINUS SIGN}" if duration_ns < 0 else ""
    seconds, rest = divmod(abs(duration_ns), SECOND_NS)
    days, seconds = divmod(seconds, 86_400)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    if days or seconds >= 3600:
        return f"{sign}{f'{days} d ' if days else ''}{text}"
    return f"{sign}{text}.{rest // MS_NS:03d}"
