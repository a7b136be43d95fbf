"""The sheet of a trend: paints pens, axes and overlay, and turns mouse and keys into moves of window and scales."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QFontMetricsF,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QToolTip, QWidget

from widgets import language, theme
from widgets.fonts import SMALL_PX, sized
from widgets.times import moment_text
from widgets.trend.axes import axis_width, paint_axes
from widgets.trend.frame import Frame, lay_out
from widgets.trend.overlay import Mark, Overlay, cursor_at, mark_at, paint_marks, paint_overlay
from widgets.trend.pens import Drawn, Pens
from widgets.trend.pyramid import Columns
from widgets.trend.scale import Scale
from widgets.trend.strokes import Stroke
from widgets.trend.track import NO_FIGURES, NO_READING, figures
from widgets.trend.window import Window

_ZOOM_A_NOTCH: Final = 0.8
_NOTCH: Final = 120
_PAN_SHARE: Final = 0.1
_SMALLEST_BOX_PX: Final = 6
_NO_LABELS_PX: Final = 300.0
"""Height with which axis widths are found before the frame is known; only the number of labels depends on it."""


class Canvas(QWidget):
    """Painted in two parts: a pixmap of all that depends on data and window, and the overlay over it."""

    moved = Signal()
    """A person moved the window of time."""
    painted = Signal()
    """The figures of the pens are those of what is now to be seen."""
    pointed = Signal()
    """Pointer or cursors moved: readings at the cursor are new."""
    key_pressed = Signal(int)
    """Home, End, L, C and others that mean something only to the whole trend."""

    def __init__(self, pens: Pens, window: Window, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.zone = ZoneInfo("UTC")
        self.marks: tuple[Mark, ...] = ()
        self.overlay = Overlay()
        self.frames_painted = 0
        """How often the curves were painted anew, for tests and the bench."""
        self._pens = pens
        self._window = window
        self._pixmap: QPixmap | None = None
        self._grip: _Grip | None = None
        self.frame = lay_out(640, 400, [], [], start_ns=window.start, span_ns=window.span)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(240, 140)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        theme.changed.connect(self.stale)

    # ------------------------------------------------------------------------------------------------- painting

    def stale(self) -> None:
        """Data, window, pens or colours changed: paint anew when Qt next asks, and only if anybody can see it."""
        self._pixmap = None
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._pixmap is None or self._pixmap.deviceIndependentSize() != self.size().toSizeF():
            self._pixmap = self._paint_sheet()
            self._read_cursor()
            self.painted.emit()
        painter = QPainter(self)
        painter.drawPixmap(QPointF(0, 0), self._pixmap)
        painter.setFont(sized(self.font(), SMALL_PX))
        visible = [drawn for drawn in self._pens if drawn.visible]
        paint_overlay(painter, self.frame, self.overlay, visible, self.zone)
        if self.hasFocus():
            painter.setPen(QPen(theme.colour("live"), 1))
            painter.drawRect(QRectF(0.5, 0.5, self.width() - 1, self.height() - 1))
        painter.end()

    def _paint_sheet(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        pixmap = QPixmap((self.size().toSizeF() * ratio).toSize())
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(theme.colour("surface"))
        painter = QPainter(pixmap)
        painter.setFont(sized(self.font(), SMALL_PX))
        self._lay_out(painter)
        seen = self._see()
        self._fit(seen)
        self._lay_out(painter)  # the scales may need wider labels now
        paint_axes(painter, self.frame, self._pens, self.zone)
        for drawn, columns in seen:
            painter.setClipRect(self.frame.band(drawn)[0].adjusted(0, -3, 1, 3))
            Stroke(painter, self.frame, drawn, columns).paint()
        painter.setClipping(False)
        for drawn, rect in self.frame.lanes:
            if not len(drawn.track):
                painter.setPen(theme.colour("ink-soft"))
                name = drawn.pen.label.in_(language.name())
                painter.drawText(rect.adjusted(7, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, name)
        paint_marks(painter, self.frame, self.marks)
        painter.end()
        self.frames_painted += 1
        return pixmap

    def _lay_out(self, painter: QPainter) -> None:
        metrics = QFontMetricsF(painter.font(), painter.device())
        height = self.frame.curves.height() if self.frame.axes else _NO_LABELS_PX
        self.frame = lay_out(
            self.width(),
            self.height(),
            [(scale, axis_width(scale, height, metrics)) for scale in self._pens.scales],
            self._pens.lanes,
            start_ns=self._window.start,
            span_ns=self._window.span,
            marks=bool(self.marks),
        )

    def _see(self) -> list[tuple[Drawn, Columns]]:
        """What of each visible pen falls into the window, with its figures."""
        window, pixels = self._window, max(round(self.frame.plot.width()), 1)
        seen = []
        for drawn in self._pens:
            drawn.figures = NO_FIGURES
            if drawn.visible and len(drawn.track):
                columns = drawn.track.columns(window.start, window.end, pixels)
                drawn.figures = figures(columns, window.start, window.end, hold=drawn.track.hold)
                seen.append((drawn, columns))
        return seen

    def _fit(self, seen: list[tuple[Drawn, Columns]]) -> None:
        for scale in self._pens.scales:
            mine = [(drawn, columns) for drawn, columns in seen if drawn.scale is scale]
            lows = [drawn.figures.low for drawn, _ in mine if np.isfinite(drawn.figures.low)]
            highs = [drawn.figures.high for drawn, _ in mine if np.isfinite(drawn.figures.high)]
            if not lows:  # nothing usable: then at least show what there is
                values = np.concatenate([columns.mid for _, columns in mine] or [np.empty(0)])
                values = values[np.isfinite(values)]
                lows, highs = [float(v) for v in values], [float(v) for v in values]
            if lows:
                scale.fit(min(lows), max(highs))

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.stale()

    # ---------------------------------------------------------------------------------------------------- moves

    def zoom_time(self, factor: float, about_ns: int | None = None) -> None:
        """Make the window `factor` times as long, about its middle when nothing else is said."""
        about = about_ns if about_ns is not None else (self._window.start + self._window.end) // 2
        self._after(self._window.zoom(factor, about))

    def pan_time(self, share: float) -> None:
        """Move the window by a share of its length."""
        self._after(self._window.pan(round(self._window.span * share)))

    def fit_all(self) -> None:
        """All rows of the visible pens, on scales that follow them."""
        for scale in self._pens.all_scales:
            scale.release()
        span = self._pens.span()
        if span is not None and span[1] > span[0]:
            air = (span[1] - span[0]) // 100
            self._window.show(span[0] - air, span[1] + air)
        self._after(moved=True)

    def _after(self, moved: bool) -> None:
        self.stale()
        if moved:
            self.moved.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.accept()
        turn = event.angleDelta().y() or event.angleDelta().x()
        if not turn:
            return
        at = event.position()
        factor = _ZOOM_A_NOTCH ** (turn / _NOTCH)
        axis = self.frame.axis_at(at.x(), at.y())
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if axis is not None:
            self._zoom_scale(axis.scale, factor, at.y())
        elif shift:
            for scale in self._pens.scales:
                self._zoom_scale(scale, factor, at.y())
        elif event.angleDelta().y():
            self.zoom_time(factor, self.frame.moment(at.x()))
        else:
            self.pan_time(-_PAN_SHARE * turn / _NOTCH)

    def _zoom_scale(self, scale: Scale, factor: float, y: float) -> None:
        scale.zoom(factor, self.frame.value(scale, y))
        self.stale()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        if event.button() != Qt.MouseButton.LeftButton:
            return
        cursor = cursor_at(self.frame, self.overlay, at)
        axis = self.frame.axis_at(at.x(), at.y())
        boxing = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier) and self.frame.plot.contains(at)
        self._grip = _Grip(at, self.frame, None if axis is None else axis.scale, cursor, boxing)
        if not boxing and cursor is None:
            self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        self.overlay.pointer = at
        if self._grip is None:
            near = cursor_at(self.frame, self.overlay, at) is not None
            shape = Qt.CursorShape.SizeHorCursor if near else Qt.CursorShape.CrossCursor
            self.setCursor(shape if self.frame.plot.contains(at) else Qt.CursorShape.ArrowCursor)
        else:
            self._drag(self._grip, at)
        self._read_cursor()
        self.pointed.emit()
        self.update()

    def _drag(self, grip: _Grip, at: QPointF) -> None:
        if grip.cursor is not None and self.overlay.cursors is not None:
            moments = list(self.overlay.cursors)
            moments[grip.cursor] = self.frame.moment(at.x())
            self.overlay.cursors = (moments[0], moments[1])
        elif grip.boxing:
            self.overlay.box = QRectF(grip.pressed, at).normalized() & self.frame.plot
        elif grip.scale is not None:
            grip.scale.pan((at.y() - grip.last_y) * grip.scale.span / max(self.frame.curves.height(), 1))
            self.stale()
        else:
            for scale in self._pens.scales:
                if not scale.automatic:
                    scale.pan((at.y() - grip.last_y) * scale.span / max(self.frame.curves.height(), 1))
            offset = round(at.x() - grip.pressed.x())
            start = grip.frame.start_ns - round(offset * grip.frame.pixel_ns)
            self._after(self._window.show(start, start + grip.frame.span_ns))
        grip.last_y = at.y()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        box, self.overlay.box = self.overlay.box, None
        self._grip = None
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.update()
        if box is not None and box.width() >= _SMALLEST_BOX_PX:
            self._zoom_to(box)

    def _zoom_to(self, box: QRectF) -> None:
        """Time to the box; the scales as well when it is not merely a strip along the time axis."""
        frame = self.frame
        box_of_curves = box & frame.curves
        if box_of_curves.height() >= _SMALLEST_BOX_PX:
            for scale in self._pens.scales:
                scale.show(frame.value(scale, box_of_curves.bottom()), frame.value(scale, box_of_curves.top()))
        self._after(self._window.show(frame.moment(box.left()), frame.moment(box.right())))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        axis = self.frame.axis_at(event.position().x(), event.position().y())
        if axis is not None:
            axis.scale.release()
            self.stale()
        else:
            self.fit_all()

    def leaveEvent(self, event: QEvent) -> None:
        self.overlay.pointer = None
        self._read_cursor()
        self.pointed.emit()
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        steps = {Qt.Key.Key_Left: -_PAN_SHARE, Qt.Key.Key_Right: _PAN_SHARE}
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if key in steps and control and self.overlay.cursors is not None:
            number = 0 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
            self._nudge(number, 1 if steps[Qt.Key(key)] > 0 else -1)
        elif key in steps:
            self.pan_time(steps[Qt.Key(key)])
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            for scale in self._pens.scales:
                scale.pan(scale.span * _PAN_SHARE * (1 if key == Qt.Key.Key_Up else -1))
            self.stale()
        elif key in (
            Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus, Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_L,
            Qt.Key.Key_C, Qt.Key.Key_F,
        ):  # fmt: skip
            self.key_pressed.emit(key)
        else:
            super().keyPressEvent(event)

    def _nudge(self, number: int, pixels: int) -> None:
        if self.overlay.cursors is not None:
            moments = list(self.overlay.cursors)
            moments[number] += round(pixels * self.frame.pixel_ns)
            self.overlay.cursors = (moments[0], moments[1])
            self.pointed.emit()
            self.update()

    def _read_cursor(self) -> None:
        pointer = self.overlay.pointer
        moment = self.frame.moment(pointer.x()) if pointer is not None and self.frame.plot.contains(pointer) else None
        for drawn in self._pens:
            drawn.at_cursor = NO_READING if moment is None else drawn.track.at(moment)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            mark = mark_at(self.frame, self.marks, QPointF(event.pos()))
            text = f"{moment_text(mark.time_ns, self.zone, milliseconds=True)}\n{mark.text}" if mark else ""
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)


class _Grip:
    """What the mouse holds while a button is down."""

    def __init__(self, pressed: QPointF, frame: Frame, scale: Scale | None, cursor: int | None, boxing: bool) -> None:
        self.pressed = pressed
        self.frame = frame
        self.scale = scale
        self.cursor = cursor
        self.boxing = boxing
        self.last_y = pressed.y()
