"""A day of 96 powers that are drawn: with the mouse as a pen, or with the keys, a quarter of an hour at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets import theme
from widgets.curves import BOTTOM, LEFT, RIGHT, TOP, height_of, paint_values, round_values
from widgets.fonts import SMALL_PX, sized

POINTS: Final = 96
_NONE: Final = (math.nan,) * POINTS
_STEPS: Final = 100
"""From nothing to the most."""
_MOVES: Final = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageUp: -4, Qt.Key.Key_PageDown: 4}
_CHANGES: Final = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}


class PlanChart(QWidget):
    """Values in kW, NaN where nothing is planned. The left button draws, the right one takes away."""

    changed = Signal()
    """A value was drawn, or the cursor moved."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[float] = list(_NONE)
        self.shown: tuple[float, ...] = _NONE
        """What stands in the file, behind what is drawn."""
        self.at = 0
        self.able = False
        """Whether it may be drawn."""
        self._low, self._high = -100.0, 100.0
        self._last: int | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(200)
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(800, 320)

    def show_plan(self, values: Sequence[float], low: float, high: float) -> None:
        """Begin with what stands in the file."""
        self.shown = tuple(values)
        self.values = list(values)
        self._low, self._high = low, high
        self.changed.emit()
        self.update()

    def draw(self, values: Sequence[float]) -> None:
        """These, drawn by whatever hand."""
        self.values = list(values)
        self.changed.emit()
        self.update()

    @property
    def is_changed(self) -> bool:
        """Whether something was drawn that does not stand in the file."""
        return any(
            a != b and not (math.isnan(a) and math.isnan(b)) for a, b in zip(self.values, self.shown, strict=True)
        )

    # -------------------------------------------------------------------------------------------------------- drawing

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._last = None
        self._draw(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & (Qt.MouseButton.LeftButton | Qt.MouseButton.RightButton):
            self._draw(event)

    def _draw(self, event: QMouseEvent) -> None:
        """All quarters between the last place of the mouse and this one: a quick hand leaves no hole."""
        if not self.able:
            return
        area = self._area()
        x = (event.position().x() - area.left()) / area.width()
        here = min(max(int(x * POINTS), 0), POINTS - 1)
        takes = bool(event.buttons() & Qt.MouseButton.RightButton)
        value = math.nan if takes else self._value(event.position().y(), area)
        first = here if self._last is None else self._last
        before = self.values[first] if not math.isnan(self.values[first]) else value
        for k in range(min(first, here), max(first, here) + 1):
            part = abs(k - first) / max(abs(here - first), 1)
            self.values[k] = math.nan if takes else self._rounded(before + (value - before) * part)
        self.values[here] = value
        self._last = self.at = here
        self.changed.emit()
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key in _MOVES:
            self.at = min(max(self.at + _MOVES[key], 0), POINTS - 1)
        elif key in _CHANGES and self.able:
            now = self.values[self.at]
            step = self._step() * (10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1)
            value = (0.0 if math.isnan(now) else now) + _CHANGES[key] * step
            self.values[self.at] = min(max(value, self._low), self._high)
        elif key is Qt.Key.Key_Delete and self.able:
            self.values[self.at] = math.nan
        else:
            super().keyPressEvent(event)
            return
        self.changed.emit()
        self.update()

    def _value(self, y: float, area: QRectF) -> float:
        low, high = self._ends(area)
        value = low + (area.bottom() - y) / area.height() * (high - low)
        return self._rounded(min(max(value, self._low), self._high))

    def _step(self) -> float:
        """A round hundredth of the most."""
        rough = max(abs(self._low), abs(self._high)) / _STEPS
        size = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
        return next(size * one for one in (1.0, 2.0, 5.0, 10.0) if size * one >= rough)

    def _rounded(self, value: float) -> float:
        step = self._step()
        return round(value / step) * step

    # ------------------------------------------------------------------------------------------------------- painting

    def _area(self) -> QRectF:
        return QRectF(LEFT, TOP, max(self.width() - LEFT - RIGHT, 1), max(self.height() - TOP - BOTTOM, 1))

    def _ends(self, area: QRectF) -> tuple[float, float]:
        known = [one for one in (*self.values, *self.shown, self._low, self._high) if not math.isnan(one)]
        marks = round_values(min(known), max(known), area.height())
        return marks[0], marks[-1]

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(sized(self.font(), SMALL_PX))
        area = self._area()
        painter.fillRect(area, theme.colour("surface"))
        low, high = self._ends(area)
        paint_values(painter, area, round_values(low, high, area.height()), low, high, "kW")
        wide, zero = area.width() / POINTS, height_of(0.0, area, low, high)
        for k, value in enumerate(self.values):
            if not math.isnan(value):
                y = height_of(value, area, low, high)
                bar = QRectF(area.left() + k * wide, min(y, zero), wide, abs(y - zero)).adjusted(0.5, 0, -0.5, 0)
                painter.fillRect(bar, theme.pen_colour(0))
        painter.setPen(QPen(theme.colour("ink"), 1.5))
        for k, value in enumerate(self.shown):
            if not math.isnan(value):
                y = height_of(value, area, low, high)
                painter.drawLine(QPointF(area.left() + k * wide, y), QPointF(area.left() + (k + 1) * wide, y))
        painter.setPen(theme.colour("ink-soft"))
        for hour in range(0, 25, 2 if area.width() > 600 else 4):
            x = area.left() + area.width() * hour / 24
            painter.drawLine(QPointF(x, area.bottom()), QPointF(x, area.bottom() + 4))
            box = QRectF(min(x - 24, self.width() - 48), area.bottom() + 4, 48, 16)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, f"{hour:02}:00")
        if self.hasFocus():
            painter.setPen(QPen(theme.colour("ink"), 1, Qt.PenStyle.DashLine))
            painter.drawRect(QRectF(area.left() + self.at * wide, area.top(), wide, area.height()))
        painter.end()
