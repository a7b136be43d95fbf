"""Graphic items of conductors: lines between elements, bars of busbars."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from widgets import theme
from widgets.diagram.energised import Live
from widgets.diagram.layout import BAR_INSET, Bar

_WIDTHS: Final = {Live.LIVE: 2.0, Live.DEAD: 1.0, Live.UNKNOWN: 1.0}
_BAR_WIDTHS: Final = {Live.LIVE: 5.0, Live.DEAD: 3.0, Live.UNKNOWN: 3.0}


def line_pen(live: Live, scale: float = 1.0, widths: dict[Live, float] = _WIDTHS) -> QPen:
    """One weight for energised, thinner for dead, dotted for unknown; at a scale whole pixels of the screen."""
    pen = QPen(theme.colour("ink" if live is Live.LIVE else "line"), max(round(widths[live] * scale), 1))
    pen.setCosmetic(True)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    if live is Live.UNKNOWN:
        pen.setDashPattern([2.0, 3.0])
    return pen


class _Conductor(QGraphicsItem):
    def __init__(self, z: float) -> None:
        super().__init__()
        self._live = Live.UNKNOWN
        self.setZValue(z)

    @property
    def live(self) -> Live:
        return self._live

    def set_live(self, live: Live) -> None:
        """Whether it is under voltage."""
        if live is not self._live:
            self._live = live
            self.update()


class LineItem(_Conductor):
    """The conductor between two elements."""

    def __init__(self) -> None:
        super().__init__(z=-1)
        self._points = QPolygonF()

    def set_points(self, points: tuple[tuple[float, float], ...]) -> None:
        """Corners from one end to the other."""
        self.prepareGeometryChange()
        self._points = QPolygonF([QPointF(x, y) for x, y in points])

    def boundingRect(self) -> QRectF:
        return self._points.boundingRect().adjusted(-2, -2, 2, 2)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(line_pen(self._live, painter.worldTransform().m11()))
        painter.drawPolyline(self._points)


class BarsItem(_Conductor):
    """The bars of a busbar, joined at their left."""

    def __init__(self) -> None:
        super().__init__(z=-0.5)
        self._bars: tuple[Bar, ...] = ()

    def set_bars(self, bars: tuple[Bar, ...]) -> None:
        """From the top."""
        self.prepareGeometryChange()
        self._bars = bars

    def boundingRect(self) -> QRectF:
        if not self._bars:
            return QRectF()
        left, right = min(bar[0] for bar in self._bars), max(bar[1] for bar in self._bars)
        top, bottom = self._bars[0][2], self._bars[-1][2]
        return QRectF(left, top, right - left, bottom - top).adjusted(-BAR_INSET, -BAR_INSET, BAR_INSET, BAR_INSET)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        scale = painter.worldTransform().m11()
        pen = line_pen(self._live, scale, _BAR_WIDTHS)
        painter.setPen(pen)
        for left, right, y in self._bars:
            painter.drawLine(QLineF(left, y, right, y))
        if len(self._bars) > 1:
            left = self._bars[0][0] + pen.widthF() / scale / 2
            painter.drawLine(QLineF(left, self._bars[0][2], left, self._bars[-1][2]))
