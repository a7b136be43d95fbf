"""Position is read faster than digits: a value on its range with limits, and a small trend of the last minutes."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.model.config import AlarmsForm, limit_value
from app.model.quality import UNUSABLE
from widgets import theme

_LIMITS: Final = (("ll", "priority-1"), ("l", "priority-2"), ("h", "priority-2"), ("hh", "priority-1"))


class RangeBar(QWidget):
    """A range from low to high, its limits as notches, the present value as a filled part from zero (or from low)."""

    def __init__(
        self, low: float, high: float, alarms: AlarmsForm | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._low, self._high = low, high
        self._limits = [
            (value, token) for name, token in _LIMITS if (value := limit_value(getattr(alarms, name, None))) is not None
        ]
        self._value, self._quality = math.nan, 0
        self.setFixedHeight(12)
        self.setMinimumWidth(40)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def set_value(self, value: float, quality: int) -> None:
        """The present value; a bad one leaves the bar empty."""
        if (value, quality) != (self._value, self._quality):
            self._value, self._quality = value, quality
            self.update()

    def _x(self, value: float) -> float:
        share = (value - self._low) / (self._high - self._low)
        return 1 + min(max(share, 0.0), 1.0) * (self.width() - 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(0.5, 2.5, self.width() - 1, 7)
        painter.fillRect(box, theme.colour("ground"))
        zero = min(max(0.0, self._low), self._high)
        if math.isfinite(self._value) and not self._quality & UNUSABLE:
            left, right = sorted((self._x(zero), self._x(self._value)))
            painter.fillRect(QRectF(left, 2.5, max(right - left, 2.0), 7), theme.colour("live"))
        painter.setPen(QPen(theme.colour("line"), 1))
        painter.drawRect(box)
        if self._low < 0 < self._high:
            painter.drawLine(QPointF(self._x(0), 0), QPointF(self._x(0), 12))
        for value, token in self._limits:
            if self._low <= value <= self._high:
                painter.fillRect(QRectF(self._x(value) - 1, 0, 2, 12), theme.colour(token))
        painter.end()


class Sparkline(QWidget):
    """The last minutes of a point, without axes; gaps stay gaps."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._time: NDArray[np.int64] = np.empty(0, np.int64)
        self._value: NDArray[np.float64] = np.empty(0)
        self._span = (0, 1)
        self.setFixedHeight(26)
        self.setMinimumWidth(60)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def set_series(self, time: NDArray[np.int64], value: NDArray[np.float64], start_ns: int, end_ns: int) -> None:
        """Samples between two moments; NaN breaks the line."""
        self._time, self._value, self._span = time, value, (start_ns, max(end_ns, start_ns + 1))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(120, 26)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        w, h = self.width(), self.height()
        painter.setPen(QPen(theme.colour("line"), 1, Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(0, h - 0.5), QPointF(w, h - 0.5))
        good = np.isfinite(self._value)
        if good.sum() >= 2:
            low, high = float(self._value[good].min()), float(self._value[good].max())
            spread = max(high - low, abs(high) * 0.002, 1e-9)
            middle = (low + high) / 2
            x = (self._time - self._span[0]) / (self._span[1] - self._span[0]) * w
            y = h / 2 - (self._value - middle) / spread * (h - 6)
            painter.setPen(QPen(theme.colour("live"), 1))
            for part in np.split(np.arange(len(good)), np.flatnonzero(np.diff(good.astype(np.int8))) + 1):
                if len(part) > 1 and good[part[0]]:
                    line = QPolygonF([QPointF(float(x[i]), float(y[i])) for i in part])
                    painter.drawPolyline(line)
        painter.end()
