"""What lies over the curves and changes with the pointer: crosshair with values, two cursors, box, marks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen, QPolygonF

from app.model.clock import SECOND_NS
from widgets import theme
from widgets.icons import PRIORITY_TOKENS, priority_path
from widgets.times import moment_text
from widgets.trend.frame import Frame
from widgets.trend.pens import Drawn
from widgets.values import format_value, quality_mark

_TAG_GAP_PX: Final = 12
_MARK_PX: Final = 11
_DOT_PX: Final = 5
_BY_TOKEN: Final = {token: priority for priority, token in PRIORITY_TOKENS.items()}
CURSOR_NAMES: Final = ("A", "B")


class Mark(NamedTuple):
    """Something that happened, shown on the time axis."""

    time_ns: int
    token: str
    """`priority-1` to `priority-4`, drawn in its shape; any other token is drawn as a pointer in that colour."""
    text: str


@dataclass
class Overlay:
    """Where pointer, cursors and box stand."""

    pointer: QPointF | None = None
    cursors: tuple[int, int] | None = None
    """Moments of A and B."""
    box: QRectF | None = None


def paint_marks(painter: QPainter, frame: Frame, marks: Iterable[Mark]) -> None:
    """On the floor of the plot; later ones over earlier ones."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setPen(Qt.PenStyle.NoPen)
    end_ns = frame.start_ns + frame.span_ns
    for mark in marks:
        if frame.start_ns <= mark.time_ns <= end_ns:
            rect = _mark_rect(frame, mark)
            painter.setBrush(theme.colour(mark.token))
            if mark.token in _BY_TOKEN:
                painter.drawPath(priority_path(_BY_TOKEN[mark.token], rect))
            else:
                points = [rect.topLeft(), rect.topRight(), QPointF(rect.center().x(), rect.bottom())]
                painter.drawPolygon(QPolygonF(points))
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _mark_rect(frame: Frame, mark: Mark) -> QRectF:
    return QRectF(frame.x(mark.time_ns) - _MARK_PX / 2, frame.plot.bottom() - _MARK_PX - 1, _MARK_PX, _MARK_PX)


def mark_at(frame: Frame, marks: Sequence[Mark], at: QPointF) -> Mark | None:
    """The mark under the pointer, the one on top first."""
    return next((mark for mark in reversed(marks) if _mark_rect(frame, mark).adjusted(-2, -2, 2, 2).contains(at)), None)


def cursor_at(frame: Frame, overlay: Overlay, at: QPointF) -> int | None:
    """0 or 1 for the cursor within reach of the pointer."""
    if overlay.cursors is None or not frame.plot.contains(at):
        return None
    distance, number = min((abs(frame.x(moment) - at.x()), i) for i, moment in enumerate(overlay.cursors))
    return number if distance <= 5 else None


def paint_overlay(painter: QPainter, frame: Frame, overlay: Overlay, drawn: Iterable[Drawn], zone: ZoneInfo) -> None:
    """Paint all of it. `drawn`: the visible pens, their `at_cursor` up to date."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    if overlay.cursors is not None:
        for name, moment in zip(CURSOR_NAMES, overlay.cursors, strict=True):
            _paint_cursor(painter, frame, name, moment)
    if overlay.box is not None:
        painter.setPen(QPen(theme.colour("ink"), 1, Qt.PenStyle.DashLine))
        painter.drawRect(overlay.box)
    elif overlay.pointer is not None and frame.plot.contains(overlay.pointer):
        _paint_crosshair(painter, frame, overlay.pointer, drawn, zone)


def _paint_cursor(painter: QPainter, frame: Frame, name: str, moment: int) -> None:
    x = round(frame.x(moment))
    if not frame.plot.left() - 1 <= x <= frame.plot.right() + 1:
        return
    painter.setPen(QPen(theme.colour("ink"), 1, Qt.PenStyle.DashLine))
    painter.drawLine(QLineF(x, frame.plot.top(), x, frame.plot.bottom()))
    height = painter.fontMetrics().height()
    box = QRectF(x - 8, frame.plot.top() - height, 17, height)
    painter.fillRect(box, theme.colour("ink"))
    painter.setPen(theme.colour("surface"))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, name)


def _paint_crosshair(painter: QPainter, frame: Frame, at: QPointF, drawn: Iterable[Drawn], zone: ZoneInfo) -> None:
    x = round(at.x())
    painter.setPen(QPen(theme.colour("line"), 1))
    painter.drawLine(QLineF(x, frame.plot.top(), x, frame.plot.bottom()))
    short = frame.span_ns < 120 * SECOND_NS
    _paint_label(painter, frame, x, moment_text(frame.moment(x), zone, milliseconds=short))
    tags = []
    for one in drawn:
        value, quality = one.at_cursor
        if one.in_lane or value != value:  # noqa: PLR0124 (NaN)
            continue
        y = frame.y(one, value)
        if frame.curves.top() - 1 <= y <= frame.curves.bottom() + 1:
            text = format_value(value, one.pen.precision, one.pen.unit, one.pen.states)
            tags.append((y, one, f"{text}  {quality_mark(quality).text}".rstrip()))
    _paint_tags(painter, frame, x, tags)


def _paint_label(painter: QPainter, frame: Frame, x: float, text: str) -> None:
    """The moment, below the crosshair on the time axis."""
    width, height = painter.fontMetrics().horizontalAdvance(text) + 10, painter.fontMetrics().height() + 2
    left = min(max(x - width / 2, frame.plot.left()), frame.plot.right() - width)
    box = QRectF(left, frame.plot.bottom() + 4, width, height)
    painter.fillRect(box, theme.colour("surface"))
    painter.setPen(QPen(theme.colour("line"), 1))
    painter.drawRect(box)
    painter.setPen(theme.colour("ink"))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


def spread(centres: Sequence[float], height: float, top: float, bottom: float) -> list[float]:
    """Tops of tags near their centres that neither overlap nor leave [top, bottom]. Centres must rise."""
    tops: list[float] = []
    lowest = top
    for centre in centres:
        tops.append(max(centre - height / 2, lowest))
        lowest = tops[-1] + height
    highest = bottom
    for i in reversed(range(len(tops))):
        tops[i] = min(tops[i], highest - height)
        highest = tops[i]
    return tops


def _paint_tags(painter: QPainter, frame: Frame, x: float, tags: list[tuple[float, Drawn, str]]) -> None:
    tags.sort(key=lambda tag: tag[0])
    metrics = painter.fontMetrics()
    height = metrics.height() + 2
    tops = spread([y for y, _, _ in tags], height, frame.curves.top(), frame.curves.bottom())
    widest = max((metrics.horizontalAdvance(text) for _, _, text in tags), default=0) + 20
    leftwards = x + _TAG_GAP_PX + widest > frame.plot.right()
    for (y, one, text), top in zip(tags, tops, strict=True):
        colour = theme.pen_colour(one.number)
        painter.fillRect(QRectF(x - _DOT_PX // 2, round(y) - _DOT_PX // 2, _DOT_PX, _DOT_PX), colour)
        width = metrics.horizontalAdvance(text) + 14
        left = x - _TAG_GAP_PX - width if leftwards else x + _TAG_GAP_PX
        box = QRectF(left, top, width, height - 1)
        painter.fillRect(box, theme.colour("surface"))
        painter.fillRect(QRectF(left, top, 4, height - 1), colour)
        painter.setPen(theme.colour("ink"))
        painter.drawText(box.adjusted(9, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, text)
