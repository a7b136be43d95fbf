"""Curves of one unit over time, as steps: what a trial compares. Painted by itself; no pan, no zoom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets import theme
from widgets.fonts import SMALL_PX, sized
from widgets.trend.ticks import ticks

LEFT: Final = 64
RIGHT: Final = 12
TOP: Final = 24
BOTTOM: Final = 36
_TICK_PX: Final = 36
_TIME_PX: Final = 110


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve: a value for each time."""

    name: str
    value: NDArray[np.float64]
    """float64[k], NaN where there is none."""
    pen: int
    """Number of its colour."""


class Curves(QWidget):
    """`show_curves` says everything; without it, it is an empty frame."""

    def __init__(self, zone: ZoneInfo, unit: str) -> None:
        super().__init__()
        self._zone, self._unit = zone, unit
        self._time: NDArray[np.int64] = np.empty(0, np.int64)
        self._curves: tuple[Curve, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(160)
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(480, 220)

    def show_curves(self, time_ns: NDArray[np.int64], curves: Sequence[Curve]) -> None:
        """`time_ns` int64[k], the beginning of each step, of equal length."""
        self._time, self._curves = time_ns, tuple(curves)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(sized(self.font(), SMALL_PX))
        area = QRectF(LEFT, TOP, max(self.width() - LEFT - RIGHT, 1), max(self.height() - TOP - BOTTOM, 1))
        painter.fillRect(area, theme.colour("surface"))
        known = [one.value[np.isfinite(one.value)] for one in self._curves]
        if len(self._time) >= 2 and any(len(one) for one in known):
            low = min(float(one.min()) for one in known if len(one))
            high = max(float(one.max()) for one in known if len(one))
            marks = round_values(low, high, area.height())
            low, high = min(low, marks[0]), max(high, marks[-1])
            paint_values(painter, area, marks, low, high, self._unit)
            self._paint_times(painter, area)
            self._paint_names(painter, area)
            painter.setClipRect(area)
            for one in self._curves:
                self._paint(painter, area, one, low, high)
        painter.end()

    def _paint(self, painter: QPainter, area: QRectF, one: Curve, low: float, high: float) -> None:
        """At most a column a pixel: of several steps in one the least and the most."""
        columns = min(len(one.value), max(int(area.width()), 1))
        edges = np.linspace(0, len(one.value), columns + 1).astype(np.intp)
        painter.setPen(QPen(theme.pen_colour(one.pen), 1.5))
        line = QPolygonF()
        for k in range(columns):
            part = one.value[edges[k] : edges[k + 1]]
            part = part[np.isfinite(part)]
            if not len(part):
                painter.drawPolyline(line)
                line = QPolygonF()
                continue
            left = area.left() + area.width() * k / columns
            right = area.left() + area.width() * (k + 1) / columns
            first, last = (
                (float(part[0]), float(part[-1])) if len(part) == 1 else (float(part.min()), float(part.max()))
            )
            line.append(QPointF(left, height_of(first, area, low, high)))
            line.append(QPointF(right, height_of(last, area, low, high)))
        painter.drawPolyline(line)

    def _paint_times(self, painter: QPainter, area: QRectF) -> None:
        start, end = int(self._time[0]), 2 * int(self._time[-1]) - int(self._time[-2])
        painter.setPen(theme.colour("ink-soft"))
        for tick in ticks(start, end, self._zone, max(int(area.width() / _TIME_PX), 1)):
            x = area.left() + area.width() * (tick.time_ns - start) / (end - start)
            painter.drawLine(QPointF(x, area.bottom()), QPointF(x, area.bottom() + 4))
            for row, words in enumerate((tick.label, tick.below)):
                box = QRectF(x - _TIME_PX / 2, area.bottom() + 4 + 14 * row, _TIME_PX, 16)
                painter.drawText(_within(box, self.width()), Qt.AlignmentFlag.AlignCenter, words)

    def _paint_names(self, painter: QPainter, area: QRectF) -> None:
        x = area.left()
        for one in self._curves:
            painter.fillRect(QRectF(x, 9, 14, 4), theme.pen_colour(one.pen))
            painter.setPen(theme.colour("ink"))
            width = painter.fontMetrics().horizontalAdvance(one.name)
            painter.drawText(QRectF(x + 20, 0, width + 4, 22), Qt.AlignmentFlag.AlignVCenter, one.name)
            x += width + 44


def height_of(value: float, area: QRectF, low: float, high: float) -> float:
    """Pixels from above."""
    return area.bottom() - area.height() * (value - low) / ((high - low) or 1.0)


def round_values(low: float, high: float, height: float) -> list[float]:
    """Round numbers that hold both ends, 0 among them where it lies between; as many as there is room for."""
    low, high = (low - 1.0, high + 1.0) if high - low < 1e-9 else (low, high)
    rough = (high - low) / max(height / _TICK_PX, 1.0)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * one for one in (1.0, 2.0, 5.0, 10.0) if size * one >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * k for k in range(first, last + 1)]


def paint_values(painter: QPainter, area: QRectF, marks: Sequence[float], low: float, high: float, unit: str) -> None:
    """The axis of values: its lines, numbers and unit."""
    soft = QColor(theme.colour("line"))
    soft.setAlphaF(0.35)
    for mark in marks:
        y = height_of(mark, area, low, high)
        painter.setPen(QPen(theme.colour("line") if mark == 0 else soft, 1))
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        painter.setPen(theme.colour("ink-soft"))
        box = QRectF(0, y - 8, LEFT - 6, 16)
        painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{mark:,.10g}")
    painter.setPen(theme.colour("ink-soft"))
    painter.drawText(QRectF(0, 0, LEFT - 6, 22), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, unit)


def _within(box: QRectF, width: float) -> QRectF:
    """Moved so far that it is not cut off at the right."""
    return box.translated(min(0.0, width - box.right()), 0.0)
