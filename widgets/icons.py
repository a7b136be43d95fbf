"""Our own icons: small drawings of one stroke colour, recoloured by the theme and sharp at every scale."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from PySide6.QtCore import QByteArray, QObject, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QPainter, QPainterPath, QPaintEvent, QPixmap, QPolygonF
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton, QWidget

from app.model.config import Priority
from widgets import theme

_FOLDER: Final = Path(__file__).resolve().parent.parent / "resources" / "icons"
_SCALES: Final = (1.0, 1.5, 2.0, 2.5)

PRIORITY_TOKENS: Final[dict[Priority, str]] = {
    Priority.URGENT: "priority-1",
    Priority.HIGH: "priority-2",
    Priority.MEDIUM: "priority-3",
    Priority.LOW: "priority-4",
}


@cache
def _drawing(name: str, colour: str) -> QSvgRenderer:
    source = (_FOLDER / f"{name}.svg").read_text(encoding="utf-8").replace("currentColor", colour)
    return QSvgRenderer(QByteArray(source.encode()))


def paint(painter: QPainter, name: str, rect: QRectF, ink: str = "ink") -> None:
    """Draw an icon. Raises FileNotFoundError for a name that resources/icons does not have."""
    _drawing(name, theme.colour(ink).name()).render(painter, rect)


def icon(name: str, ink: str = "ink", size: int = 18) -> QIcon:
    """An icon in the present theme's colour; ask again after `theme.changed`, or use `keep`."""
    return _drawn(size, lambda painter: paint(painter, name, QRectF(0, 0, size, size), ink))


def _drawn(size: int, draw: Callable[[QPainter], None]) -> QIcon:
    made = QIcon()
    for scale in _SCALES:
        pixmap = QPixmap(QSize(round(size * scale), round(size * scale)))
        pixmap.setDevicePixelRatio(scale)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        draw(painter)
        painter.end()
        made.addPixmap(pixmap)
    return made


class _Keeper(QObject):
    """A child of the button, so that it ends with it."""

    def __init__(self, button: QAbstractButton, make: Callable[[], QIcon]) -> None:
        super().__init__(button)
        self._button, self._make = button, make
        theme.changed.connect(self._follow)
        self._follow()

    def _follow(self) -> None:
        self._button.setIcon(self._make())


def keep(button: QAbstractButton, name: str, ink: str = "ink") -> None:
    """Give a button an icon that follows the theme for as long as it lives."""
    _Keeper(button, lambda: icon(name, ink))


def priority_icon(priority: Priority, *, calm: bool = False) -> QIcon:
    """The shape of a priority in its colour; calm: an outline without colour, where there is nothing of it."""
    box = QRectF(1, 1, 12, 12)
    return _drawn(14, lambda painter: paint_priority(painter, priority, box, filled=not calm, calm=calm))


def priority_path(priority: Priority, rect: QRectF) -> QPainterPath:
    """◆ ▲ ● ■ of a priority, filling a square: drawn, because fonts disagree on their size."""
    path = QPainterPath()
    corners: tuple[tuple[float, float], ...]
    x, y, w, h = rect.x(), rect.y(), rect.width(), rect.height()
    if priority is Priority.URGENT:
        corners = ((x + w / 2, y), (x + w, y + h / 2), (x + w / 2, y + h), (x, y + h / 2))
    elif priority is Priority.HIGH:
        corners = ((x + w / 2, y + h * 0.04), (x + w, y + h * 0.94), (x, y + h * 0.94))
    elif priority is Priority.MEDIUM:
        path.addEllipse(rect.adjusted(w * 0.05, h * 0.05, -w * 0.05, -h * 0.05))
        return path
    else:
        path.addRect(rect.adjusted(w * 0.1, h * 0.1, -w * 0.1, -h * 0.1))
        return path
    polygon = QPolygonF()
    for px, py in corners:
        polygon.append(QPointF(px, py))
    path.addPolygon(polygon)
    path.closeSubpath()
    return path


def paint_priority(
    painter: QPainter, priority: Priority, rect: QRectF, *, filled: bool = True, calm: bool = False
) -> None:
    """Draw the shape of a priority; unfilled is the outline of what is known already, calm has no alarm colour."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    colour = theme.colour("line" if calm else PRIORITY_TOKENS[priority])
    path = priority_path(priority, rect)
    if filled:
        painter.fillPath(path, colour)
    else:
        pen = painter.pen()
        pen.setColor(colour)
        pen.setWidthF(1.6)
        painter.strokePath(path, pen)
    painter.restore()


class IconView(QWidget):
    """An icon that stands by itself."""

    def __init__(self, name: str, size: int = 18, ink: str = "ink", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._ink = name, ink
        self.setFixedSize(size, size)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        theme.changed.connect(self.update)

    def show_icon(self, name: str, ink: str = "ink") -> None:
        """Change the drawing."""
        self._name, self._ink = name, ink
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint(painter, self._name, QRectF(self.rect()), self._ink)
        painter.end()
