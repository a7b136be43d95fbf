"""How one pen is painted: band of min and max, line or steps, single samples, hatching where quality is bad.

Everything is computed in pixels by numpy and handed to Qt as whole arrays; pen width 1 and no antialiasing, because a
wide or smooth pen costs fifty times as much.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pyqtgraph import arrayToQPath
from pyqtgraph.Qt import internals
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QPen

from app.model import quality as q
from widgets import language, theme
from widgets.trend.frame import Frame
from widgets.trend.pens import Drawn
from widgets.trend.pyramid import F8, Bools, Columns
from widgets.values import format_value

MANUAL: Final = q.SB | q.FORCED
"""Values that a person or a test put there: hatched in `manual`."""
BAD: Final = 0xFFFF & ~MANUAL
"""Hatched in `bad-quality`."""
_BAND_ALPHA: Final = 90
_RIM_ALPHA: Final = 170
_NARROW_PX: Final = 3.0
_RIBBON_PX: Final = 6.0
_HATCH_PX: Final = 5
_DOT_PX: Final = 3.0
_DOTS_FROM_PX: Final = 14
"""Samples that lie this far apart are marked one by one."""
_THIN_PX: Final = 3.0
_SHORTEST_STATE_PX: Final = 20


def rectangles(painter: QPainter, rects: NDArray[np.float64]) -> None:
    """Draw float64[n, 4] of x, y, width, height with the painter's brush, as one call."""
    if len(rects):
        array = internals.PrimitiveArray(QRectF, 4)
        array.resize(len(rects))
        array.ndarray()[:] = rects
        arguments: Any = array.drawargs()
        painter.drawRects(*arguments)


def faint(colour: QColor, alpha: int) -> QColor:
    """The colour with that much of 255."""
    made = QColor(colour)
    made.setAlpha(alpha)
    return made


def hatching(colour: QColor, *, rising: bool) -> QBrush:
    """Diagonal lines, denser than Qt's own, so that a ribbon of a few pixels shows them."""
    tile = QImage(_HATCH_PX, _HATCH_PX, QImage.Format.Format_ARGB32_Premultiplied)
    tile.fill(Qt.GlobalColor.transparent)
    for i in range(_HATCH_PX):
        tile.setPixelColor(i, _HATCH_PX - 1 - i if rising else i, colour)
    return QBrush(tile)


def _bounds(begin: F8, end: F8) -> tuple[F8, F8]:
    """Stored buckets come as their middles: each takes half the way to its nearer neighbour."""
    apart = np.diff(begin)
    if not len(apart):
        return begin - 1, end + 1
    half = np.minimum(np.append(apart[:1], apart), np.append(apart, apart[-1:])) / 2
    stored = begin == end
    return np.where(stored, begin - half, begin), np.where(stored, begin + half, end)


class Stroke:
    """One pen's columns on one frame."""

    def __init__(self, painter: QPainter, frame: Frame, drawn: Drawn, columns: Columns) -> None:
        self._painter = painter
        self._frame = frame
        self._drawn = drawn
        self._columns = columns
        self._colour = theme.pen_colour(drawn.number)
        self._hold = drawn.track.hold
        begin = frame.xs(columns.begin)
        self._x = begin if columns.single or self._hold else (begin + frame.xs(columns.end)) / 2
        self._y = frame.ys(drawn, columns.mid)

    def paint(self) -> None:
        """Paint it inside its band. The painter's clip is the caller's."""
        if not len(self._columns):
            return
        painter, x, y = self._painter, self._x, self._y
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        for bits, token, rising in (
            (MANUAL, "manual", False),
            (BAD, "bad-quality", True),
        ):
            marked = (self._columns.quality & bits) != 0
            if marked.any():
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(hatching(theme.colour(token), rising=rising))
                self._hatch(marked)
        if not self._columns.single:
            self._band()
        painter.setPen(QPen(self._colour, 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self._hold:
            x, y = np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]
        painter.drawPath(arrayToQPath(x, y, connect="finite"))
        if not self._hold:
            self._dots()
        if self._drawn.in_lane:
            self._states()

    def _band(self) -> None:
        """From the lowest to the highest of each column, on whole pixels: neighbours neither overlap nor part."""
        frame, columns, painter = self._frame, self._columns, self._painter
        top, bottom = frame.ys(self._drawn, columns.high), frame.ys(self._drawn, columns.low)
        spread = bottom - top >= 1
        if not spread.any():
            return
        begin, end = _bounds(frame.xs(columns.begin), frame.xs(columns.end))
        left, right = np.floor(begin), np.floor(end)
        top, bottom = np.floor(top), np.floor(bottom)
        rects = np.column_stack([left, top, right - left, np.maximum(bottom - top, 1)])
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(faint(self._colour, _BAND_ALPHA))
        rectangles(painter, rects[spread & (right > left)])
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(faint(self._colour, _RIM_ALPHA), 1))
        x = self._x if not self._hold else (begin + end) / 2
        narrow = bottom - top < _NARROW_PX  # noise of a pixel or two is only the line itself
        for rim in (top, bottom):
            painter.drawPath(arrayToQPath(x, np.where(narrow, self._y, rim), connect="finite"))

    def _dots(self) -> None:
        """Samples that lie apart from their neighbours, or stand alone, which no line would show."""
        x, y = self._x, self._y
        finite = np.isfinite(y)
        near = np.zeros(len(y) + 1, np.bool_)
        near[1:-1] = finite[1:] & finite[:-1] & (np.diff(x) < _DOTS_FROM_PX)
        wanted = finite & ~near[1:] & ~near[:-1]
        n = int(np.count_nonzero(wanted))
        if n:
            self._painter.setPen(Qt.PenStyle.NoPen)
            self._painter.setBrush(self._colour)
            half, side = (_DOT_PX - 1) / 2, np.full(n, _DOT_PX)
            rectangles(
                self._painter, np.column_stack([np.floor(x[wanted]) - half, np.floor(y[wanted]) - half, side, side])
            )

    def _hatch(self, marked: Bools) -> None:
        """A ribbon about the curve while its quality is marked; on the floor of its band where it has no value."""
        x, y, plot = self._x, self._y, self._frame.plot
        until = np.append(x[1:], x[-1] + 1)
        width = np.maximum(until - x, 1)
        marked = marked & (until >= plot.left()) & (x <= plot.right())
        empty = marked & np.isnan(y)
        strip = np.full(len(x), _RIBBON_PX)
        floor = self._frame.band(self._drawn)[0].bottom() - strip
        rectangles(self._painter, np.column_stack([x, floor, width, strip])[empty])
        following = y if self._hold else np.append(y[1:], y[-1:])
        following = np.where(np.isnan(following), y, following)
        seen = marked & ~empty
        thin = seen & (width <= _THIN_PX)
        top, bottom = np.minimum(y, following) - strip, np.maximum(y, following) + strip
        rectangles(self._painter, np.column_stack([x, top, width, bottom - top])[thin])
        for i in np.flatnonzero(seen & ~thin):
            corners_x = np.array([x[i], until[i], until[i], x[i]])
            corners_y = np.array([y[i], following[i], following[i], y[i]]) + _RIBBON_PX * np.array([-1, -1, 1, 1])
            self._painter.drawPath(arrayToQPath(corners_x, corners_y))

    def _states(self) -> None:
        """The name of each state where there is room for it; the first one says whose it is."""
        painter, mid, plot = self._painter, self._columns.mid, self._frame.plot
        pen = self._drawn.pen
        middle = self._frame.band(self._drawn)[0].center().y()
        metrics = painter.fontMetrics()
        starts = np.append(0, np.flatnonzero(mid[1:] != mid[:-1]) + 1)
        begins = np.maximum(self._x[starts], plot.left())
        ends = np.minimum(np.append(self._x[starts[1:]], self._x[-1]), plot.right())
        room = np.isfinite(mid[starts]) & (ends - begins >= _SHORTEST_STATE_PX)
        name = pen.label.in_(language.name()) + "  "
        for begin, end, value in zip(begins[room], ends[room], mid[starts[room]], strict=True):
            state = format_value(float(value), pen.precision, "", pen.states)
            text = next((t for t in (name + state, state) if metrics.horizontalAdvance(t) + 14 <= end - begin), "")
            if text:
                name = ""
                box = QRectF(begin + 5, middle - metrics.height() / 2, metrics.horizontalAdvance(text) + 4,
                             metrics.height())  # fmt: skip
                painter.fillRect(box, theme.colour("surface"))
                painter.setPen(theme.colour("ink"))
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
