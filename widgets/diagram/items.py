"""Graphic items of an element: its symbol, its frame, its name, its changing texts.

They do not overlap, so that when a number changes nothing but the number is painted again.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen, QPolygonF
from PySide6.QtWidgets import QGraphicsItem, QGraphicsRectItem, QStyleOptionGraphicsItem, QWidget

from app.model.config import Priority
from widgets import blink, theme
from widgets.diagram import symbols
from widgets.diagram.elements import Element, Kind, Switch
from widgets.diagram.energised import Live
from widgets.diagram.faces import Face, Power
from widgets.diagram.layout import CELL_WIDTH, HEADER_HEIGHT, HEIGHTS, TRUNK_X, Place
from widgets.diagram.lines import line_pen
from widgets.icons import paint_priority

LINE_PX: Final = 18.0
READABLE_SCALE: Final = 0.55
"""Below it texts would be dots, and are left out."""
_TEXT_X: Final = TRUNK_X + 24.0
_BASELINE_PX: Final = 14.0
_ASCENT_GAP_PX: Final = 2.0
_BARE_NUMBER_PX: Final = 2.0
"""A number without frame and mark begins so much lower: its name stays out of its repaints on scaled screens too."""
_APART_PX: Final = 6.0
"""Between symbol and texts: Qt repaints what lies within two pixels of a change."""
_ARROW_PX: Final = 15.0
_ALARM_PX: Final = 13.0
_ALARM_LEFT: Final = 31.0
_SYMBOL_TOP: Final = 28.0
_MEMBER_TRUNK: Final = 34.0
_MEMBER_TEXT: Final = 54.0
_MEMBER_SCALE: Final = 0.8
_FRAME_INSET: Final = 8.0
_FRAME_AIR: Final = 5.0
"""Between the frame of a lost element and its alarm."""
_SMOOTH: Final = QPainter.RenderHint.Antialiasing
_NO_PEN: Final = Qt.PenStyle.NoPen
_NO_BRUSH: Final = Qt.BrushStyle.NoBrush
_NAME_FLAGS: Final = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
_ARROWS: Final = {
    1: QPolygonF([QPointF(0, 0), QPointF(10, 0), QPointF(5, -9)]),
    -1: QPolygonF([QPointF(0, -9), QPointF(10, -9), QPointF(5, 0)]),
}


class _Item(QGraphicsRectItem):
    """An item with a rectangle that it is told.

    The rectangle is kept by Qt: it asks for that of every item in every repaint, and Python is slow to answer.
    """

    def __init__(self, parent: QGraphicsItem | None = None) -> None:
        super().__init__(parent)
        self.setPen(QPen(_NO_PEN))
        self._rect = QRectF()

    def set_rect(self, rect: QRectF) -> None:
        """In the coordinates of its parent."""
        if rect != self._rect:
            self._rect = rect
            self.setRect(rect)


class SymbolItem(_Item):
    """The symbol of an element and its alarm; frame, name and texts are its children."""

    def __init__(self, element: Element, font: QFont) -> None:
        super().__init__()
        self.element = element
        self.above = False
        self.place = Place(0, 0, 0, 0)
        self.live = Live.UNKNOWN
        self.position: Switch | None = None
        self.running: bool | None = None
        self.lost = False
        self.alarm: Priority | None = None
        self.unacknowledged = False
        self.gb_colours = False
        self._focused = False
        self.frame = FrameItem(self)
        self.name = NameItem(self, font)
        self.texts = TextItem(self, font)

    # ---------------------------------------------------------------------------------------------------- geometry

    @property
    def is_member(self) -> bool:
        """Whether it stands in the frame of its group."""
        return self.place.within is not None

    @property
    def opened(self) -> bool:
        """Whether it is a group whose members are shown."""
        return self.element.kind is Kind.GROUP and self.place.height > HEIGHTS[Kind.GROUP]

    @property
    def header(self) -> float:
        """Height of the part with symbol and texts."""
        return HEADER_HEIGHT if self.opened else self.place.height

    @property
    def text_x(self) -> float:
        """From the left of the cell to its texts."""
        if self.element.kind is Kind.BUS:
            return TRUNK_X + 10
        return _MEMBER_TEXT if self.is_member else _TEXT_X + (_FRAME_INSET if self.opened else 0.0)

    @property
    def text_width(self) -> float:
        """What is left for texts."""
        return min(self.place.width, CELL_WIDTH if self.element.kind is Kind.BUS else 1e9) - self.text_x - _APART_PX

    def centre(self) -> QPointF:
        """Of the symbol."""
        if self.is_member:
            return QPointF(_MEMBER_TRUNK, self.header / 2)
        return QPointF(TRUNK_X + (_FRAME_INSET if self.opened else 0.0), self.header / 2)

    def set_place(self, place: Place) -> None:
        """Where it stands."""
        self.place = place
        self.setPos(place.x, place.y)
        centre = self.centre()
        top = max(centre.y() - _SYMBOL_TOP, -2)
        self.set_rect(QRectF(0, top, self.text_x - _APART_PX - 3, self.header - top))
        self.frame.set_rect(QRectF(-_FRAME_AIR, 0, place.width - 4, place.height))
        self.texts.arrange()
        self._frame()

    def contains_scene(self, at: QPointF) -> bool:
        """Whether a point of the scene lies in its cell; of an opened group, in its header."""
        return QRectF(self.place.x, self.place.y, self.place.width, self.header).contains(at)

    # ------------------------------------------------------------------------------------------------------ states

    def focus(self, on: bool) -> None:
        """Show the keyboard's frame."""
        self._focused = on
        self._frame()

    @property
    def focused(self) -> bool:
        return self._focused

    def repaint(self) -> None:
        """Symbol, frame and name: anything but the texts changed."""
        self._frame()
        self.update()
        self.name.update()

    def _frame(self) -> None:
        self.frame.setVisible(self.lost or self.opened or self._focused)
        self.frame.update()

    # ---------------------------------------------------------------------------------------------------- painting

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        painter.setRenderHint(_SMOOTH, True)
        if self.element.kind is not Kind.BUS:
            self._paint_symbol(painter)
        if self.alarm is not None:
            centre = self.centre()
            at = QRectF(centre.x() - _ALARM_LEFT, centre.y() - _ALARM_PX / 2, _ALARM_PX, _ALARM_PX)
            if self.unacknowledged and blink.still():
                painter.setPen(QPen(theme.colour("ink"), 1))
                painter.setBrush(_NO_BRUSH)
                painter.drawRect(at.adjusted(-1.5, -1.5, 1.5, 1.5))
            paint_priority(painter, self.alarm, at, filled=not self.unacknowledged or blink.lit())

    def _paint_symbol(self, painter: QPainter) -> None:
        symbol = symbols.of(self.element.kind, self.element.device_kind, self.position)
        painter.save()
        painter.translate(self.centre())
        if self.is_member:
            painter.scale(_MEMBER_SCALE, _MEMBER_SCALE)
        pen = line_pen(Live.DEAD if self.lost else self.live)
        pen.setCosmetic(False)
        pen.setWidthF(min(pen.widthF(), 1.6))
        fill = self._fill()
        within = QPen(_on_fill(fill, pen), pen.widthF())
        if not symbol.body.isEmpty():
            painter.fillPath(symbol.body, theme.colour(fill))
            painter.strokePath(symbol.inner, within)
            painter.strokePath(symbol.body, pen)
        if not symbol.strokes.isEmpty():
            painter.strokePath(symbol.strokes, QPen(pen.color(), pen.widthF()))
        if not symbol.solid.isEmpty():
            painter.fillPath(symbol.solid, (pen if symbol.body.isEmpty() else within).color())
        painter.restore()

    def _fill(self) -> str:
        if self.element.kind is Kind.BREAKER:
            if self.position is Switch.CLOSED:
                return "gb-closed" if self.gb_colours else "equipment-on"
            if self.position is Switch.OPEN:
                return "gb-open" if self.gb_colours else "equipment-off"
            return "surface"
        if self.lost:
            return "equipment-off"
        on = self.live is Live.LIVE if self.running is None else self.running
        return "equipment-on" if on else "equipment-off"


def _on_fill(fill: str, pen: QPen) -> QColor:
    """What is drawn on a fill stands out from it: in the dark theme the fill of what is on is light."""
    dark_on_light = theme.name() == "dark" and fill in ("equipment-on", "gb-closed", "gb-open")
    return theme.colour("surface") if dark_on_light else pen.color()


class FrameItem(_Item):
    """Behind an element: greyed when it is lost, a frame about an opened group, the keyboard's focus."""

    def __init__(self, parent: SymbolItem) -> None:
        super().__init__(parent)
        self._symbol = parent
        self.setPen(QPen(theme.colour("line"), 2))
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemStacksBehindParent)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        painter.setRenderHint(_SMOOTH, False)
        painter.setBrush(_NO_BRUSH)
        if self._symbol.lost:
            painter.setPen(QPen(theme.colour("line"), 1, Qt.PenStyle.DashLine))
            painter.setBrush(theme.colour("ground"))
            painter.drawRect(self._rect.adjusted(1, 1, -1, -1))
        elif self._symbol.opened:
            painter.setPen(QPen(theme.colour("line"), 1))
            painter.drawRect(self._rect.adjusted(1, 0, -1, 0))
        if self._symbol.focused:
            painter.setBrush(_NO_BRUSH)
            painter.setPen(QPen(theme.colour("live"), 2))
            painter.drawRect(self._rect.adjusted(1, 1, -1, -1))


class NameItem(_Item):
    """The name of an element, cut to its cell."""

    def __init__(self, parent: SymbolItem, font: QFont) -> None:
        super().__init__(parent)
        self._symbol = parent
        self._font = QFont(font)
        if parent.element.kind in (Kind.GROUP, Kind.BUS):
            self._font.setWeight(QFont.Weight.DemiBold)
        self.text = ""

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        if painter.worldTransform().m11() < READABLE_SCALE:
            return
        soft = self._symbol.lost or self._symbol.element.kind is Kind.BREAKER
        painter.setFont(self._font)
        painter.setPen(theme.colour("ink-soft" if soft else "ink"))
        painter.drawText(self._rect, _NAME_FLAGS, elided(self.text, self._font, int(self._rect.width())))


class TextItem(_Item):
    """Power and lines of an element: what changes ten times a second."""

    def __init__(self, parent: SymbolItem, font: QFont) -> None:
        super().__init__(parent)
        self._symbol = parent
        self._font = font
        self._strike = QFont(font)
        self._strike.setStrikeOut(True)
        self.face = Face()
        self.lines: tuple[str, ...] = ()
        self._first_baseline = 0.0

    def set_face(self, face: Face) -> None:
        """New texts. More or fewer lines than before move the name as well."""
        before = self.face
        if face == before:
            return
        self.face = face
        if (_bare(before), before.power is None, before.lines) != (_bare(face), face.power is None, face.lines):
            self.arrange()
        self.update()

    def arrange(self) -> None:
        """Put name and lines into the middle of the cell; lines for which there is no room share the last one."""
        symbol, face = self._symbol, self.face
        power = face.power is not None
        if symbol.element.kind is Kind.BUS:
            self.lines = ()
            symbol.name.set_rect(QRectF(symbol.text_x, 2, symbol.text_width, LINE_PX))
            self.set_rect(QRectF())
            return
        room = max(int(symbol.header / LINE_PX) - 1 - power, 0)
        lines = face.lines
        if len(lines) > room:
            lines = (*lines[: room - 1], ", ".join(lines[room - 1 :])) if room else ()
        self.lines = lines
        count = power + len(lines)
        top = max((symbol.header - (count + 1) * LINE_PX) / 2, 0.0)
        symbol.name.set_rect(QRectF(symbol.text_x, top, symbol.text_width, LINE_PX - 1))
        first = top + LINE_PX + _ASCENT_GAP_PX
        self._first_baseline = first - _ASCENT_GAP_PX + _BASELINE_PX
        above = _BARE_NUMBER_PX if _bare(face) else 0.0
        self.set_rect(QRectF(symbol.text_x - 3, first + above, symbol.text_width + 3, count * LINE_PX - above))

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        if painter.worldTransform().m11() < READABLE_SCALE:
            return
        rect = self._rect
        x, baseline = rect.left() + 3, self._first_baseline
        if self.face.power is not None:
            self._paint_power(painter, self.face.power, x, baseline)
            baseline += LINE_PX
        if self.lines:
            painter.setFont(self._font)
            painter.setPen(theme.colour("ink-soft"))
            width = int(rect.width() - 3)
            for line in self.lines:
                painter.drawText(QPointF(x, baseline), elided(line, self._font, width))
                baseline += LINE_PX

    def _paint_power(self, painter: QPainter, power: Power, x: float, baseline: float) -> None:
        colour = theme.colour("ink-soft" if self.face.soft else power.token)
        if power.arrow:
            painter.setRenderHint(_SMOOTH, True)
            painter.setPen(_NO_PEN)
            painter.setBrush(colour)
            painter.drawPolygon(_ARROWS[power.arrow].translated(x, baseline - 0.5))
            x += _ARROW_PX
        painter.setFont(self._strike if power.strike else self._font)
        painter.setPen(colour)
        painter.drawText(QPointF(x, baseline), power.text)
        if power.framed or power.mark:
            width = QFontMetricsF(self._font).horizontalAdvance(power.text)
            if power.framed:
                painter.setRenderHint(_SMOOTH, False)
                painter.setPen(QPen(theme.colour("manual"), 1))
                painter.setBrush(_NO_BRUSH)
                painter.drawRect(QRectF(x - 3, baseline - 13, width + 5, 16))
            if power.mark:
                painter.setFont(self._font)
                painter.setPen(theme.colour("bad-quality"))
                painter.drawText(QPointF(x + width + 8, baseline), power.mark)

    def shape(self) -> QPainterPath:
        return QPainterPath()


def _bare(face: Face) -> bool:
    return face.power is not None and not (face.power.framed or face.power.mark)


_elisions: dict[tuple[str, str, int], str] = {}
_MOST_ELISIONS: Final = 4096


def elided(text: str, font: QFont, width: int) -> str:
    """Cut to a width; remembered, because the same few texts come again and again."""
    key = (text, font.key(), width)
    if key not in _elisions:
        if len(_elisions) >= _MOST_ELISIONS:
            _elisions.clear()
        _elisions[key] = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, width)
    return _elisions[key]
