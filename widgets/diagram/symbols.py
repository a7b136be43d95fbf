"""Symbols after IEC 60617, drawn as paths about (0, 0), the line coming from above and going on below.

Two-winding transformer, circuit breaker, converter, battery, generator, integrating meter and the arrow of an outgoing
line as the standard draws them in single-line form; the network as a hatched square; photovoltaics as a converter on
which light falls. The standard has no charging station: a post with its cable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainterPath, QPolygonF

from app.model.config import DeviceKind
from widgets.diagram.elements import Element, Kind, Switch


@dataclass(frozen=True)
class Symbol:
    """`body`: closed outline, filled by state; `inner`: lines on that fill; `strokes`: lines beside it; `solid`: filled
    as the lines on the fill are, or as the line itself where there is no body.

    `half`: how far above and below the middle the symbol reaches, where its lines end.
    """

    half: float
    body: QPainterPath = field(default_factory=QPainterPath)
    inner: QPainterPath = field(default_factory=QPainterPath)
    strokes: QPainterPath = field(default_factory=QPainterPath)
    solid: QPainterPath = field(default_factory=QPainterPath)


def _line(path: QPainterPath, *points: tuple[float, float]) -> None:
    path.moveTo(*points[0])
    for point in points[1:]:
        path.lineTo(*point)


def _square(half: float) -> QPainterPath:
    path = QPainterPath()
    path.addRect(QRectF(-half, -half, 2 * half, 2 * half))
    return path


def _circle(radius: float, y: float = 0.0) -> QPainterPath:
    path = QPainterPath()
    path.addEllipse(QPointF(0, y), radius, radius)
    return path


def _wave(path: QPainterPath, x: float, y: float, width: float, height: float) -> None:
    """The sign of alternating current."""
    path.moveTo(x - width / 2, y)
    path.quadTo(x - width / 4, y - 2 * height, x, y)
    path.quadTo(x + width / 4, y + 2 * height, x + width / 2, y)


def _grid() -> Symbol:
    half = 14.0
    strokes = QPainterPath()
    for step in range(-3, 4):
        d = step * half / 2
        low, high = max(-half, d - half), min(half, d + half)
        _line(strokes, (low, d - low), (high, d - high))
        _line(strokes, (low, low - d), (high, high - d))
    return Symbol(half, _square(half), strokes)


def _transformer() -> Symbol:
    radius, apart = 12.0, 8.0
    body = _circle(radius, -apart)
    body.addPath(_circle(radius, apart))
    body.setFillRule(Qt.FillRule.WindingFill)
    return Symbol(radius + apart, body.simplified(), _both(_circle(radius, -apart), _circle(radius, apart)))


def _both(a: QPainterPath, b: QPainterPath) -> QPainterPath:
    path = QPainterPath(a)
    path.addPath(b)
    return path


def _breaker(position: Switch | None) -> Symbol:
    """A box with the contact in it: through when closed, across when open, a question when nobody knows."""
    half = 10.0
    strokes = QPainterPath()
    cross = QPainterPath()
    _line(cross, (-3.5, -half - 6.5), (3.5, -half - 0.5))
    _line(cross, (3.5, -half - 6.5), (-3.5, -half - 0.5))
    if position is Switch.CLOSED:
        _line(strokes, (0, -half), (0, half))
    elif position is Switch.OPEN:
        _line(strokes, (-half + 3, 0), (half - 3, 0))
    else:
        strokes.moveTo(-4, -3)
        strokes.cubicTo(-4, -9, 5, -8, 4, -2.5)
        strokes.cubicTo(3.6, -0.5, 0, 0, 0, 3)
        _line(strokes, (0, 5.4), (0, 6.4))
    return Symbol(half, _square(half), strokes, cross)


def _converter(half: float = 16.0) -> QPainterPath:
    """Square with a diagonal: direct current on one side of it, alternating on the other."""
    strokes = QPainterPath()
    _line(strokes, (-half, half), (half, -half))
    _line(strokes, (-half + 4, -half + 7), (-half + 13, -half + 7))
    _line(strokes, (-half + 4, -half + 11), (-half + 7, -half + 11))
    _line(strokes, (-half + 10, -half + 11), (-half + 13, -half + 11))
    _wave(strokes, half - 8.5, half - 8.5, 10, 3.2)
    return strokes


def _pv_inverter() -> Symbol:
    half = 16.0
    strokes = QPainterPath()
    for dx in (0.0, 7.0):  # light that falls on it
        x, y = -half + 2 + dx, -half - 1.5
        _line(strokes, (x - 7, y - 8), (x, y))
        _line(strokes, (x - 4.5, y - 0.8), (x, y), (x - 0.8, y - 4.5))
    return Symbol(half, _square(half), _converter(half), strokes)


def _pcs() -> Symbol:
    return Symbol(16.0, _square(16.0), _converter())


def _battery() -> Symbol:
    strokes = QPainterPath()
    for y in (-9.0, 3.0):
        _line(strokes, (-13, y), (13, y))
        _line(strokes, (-7, y + 6), (7, y + 6))
    _line(strokes, (9, -16), (15, -16))
    _line(strokes, (12, -19), (12, -13))
    return Symbol(9.0, strokes=strokes)


def _generator() -> Symbol:
    strokes = QPainterPath()
    strokes.moveTo(5, -8.2)
    strokes.cubicTo(1, -12.5, -7, -9.5, -7, -3.5)
    strokes.cubicTo(-7, 2.5, 0, 5, 5.5, 1.2)
    strokes.lineTo(5.5, -3)
    strokes.lineTo(0.5, -3)
    _wave(strokes, 0, 9.5, 11, 2.6)
    return Symbol(17.0, _circle(17.0), strokes)


def _load() -> Symbol:
    strokes, solid = QPainterPath(), QPainterPath()
    _line(strokes, (0, -16), (0, 4))
    solid.addPolygon(QPolygonF([QPointF(-8, 2), QPointF(8, 2), QPointF(0, 16)]))
    solid.closeSubpath()
    return Symbol(16.0, strokes=strokes, solid=solid)


def _charger() -> Symbol:
    body, strokes, solid = QPainterPath(), QPainterPath(), QPainterPath()
    body.addRect(QRectF(-11, -16, 18, 32))
    _line(strokes, (7, -6), (11, -6), (13, -3), (13, 8))
    strokes.addEllipse(QPointF(13, 10.5), 2.5, 2.5)
    points = [(-0.5, -11), (-7, 1), (-2.5, 1), (-4, 10), (3, -3), (-1.5, -3)]
    solid.addPolygon(QPolygonF([QPointF(x, y) for x, y in points]))
    solid.closeSubpath()
    return Symbol(16.0, body, strokes=strokes, solid=solid)


def _meter() -> Symbol:
    """Integrating meter: a square with a head, in it the strokes of W."""
    half = 12.0
    strokes = QPainterPath()
    _line(strokes, (-half, -half + 7), (half, -half + 7))
    _line(strokes, (-7, -1), (-4, 8), (0, 0), (4, 8), (7, -1))
    return Symbol(half, _square(half), strokes)


def _box() -> Symbol:
    return Symbol(13.0, _square(13.0))


_DEVICES: Final[dict[DeviceKind, Callable[[], Symbol]]] = {
    DeviceKind.PV_INVERTER: _pv_inverter,
    DeviceKind.PCS: _pcs,
    DeviceKind.BMS: _battery,
    DeviceKind.METER: _meter,
    DeviceKind.TRANSFORMER: _transformer,
    DeviceKind.GENSET: _generator,
    DeviceKind.CHARGER: _charger,
    DeviceKind.LOAD: _load,
}


@cache
def of(kind: Kind, device_kind: DeviceKind | None, position: Switch | None = None) -> Symbol:
    """The symbol of an element; a box for what has none of its own. `position` is a breaker's."""
    match kind:
        case Kind.GRID:
            return _grid()
        case Kind.TRANSFORMER:
            return _transformer()
        case Kind.BREAKER:
            return _breaker(position)
        case Kind.FEEDER | Kind.BUS:
            return Symbol(0.0)
        case _:
            return _DEVICES.get(device_kind, _box)() if device_kind else _box()


def half_height(element: Element) -> float:
    """How far above and below its middle the lines of an element end."""
    return of(element.kind, element.device_kind).half
