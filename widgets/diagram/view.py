"""`DiagramView`: a single-line diagram that lays itself out, shows values, and is walked by mouse and keys.

A page calls `set_elements` once and `set_values` with what changed, as often as it likes; the view emits `selected`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal
from zoneinfo import ZoneInfo

from PySide6.QtCore import QEvent, QPoint, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QHelpEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QToolTip, QWidget

from app.model import quality as q
from app.model.clock import Clock, SystemClock
from widgets import blink, language, theme
from widgets.diagram.elements import NO_VALUE, Element, ElementValue, Kind, present, sum_up
from widgets.diagram.energised import Energised, Live, energised
from widgets.diagram.faces import IDLE_KW, face, title
from widgets.diagram.items import READABLE_SCALE, SymbolItem
from widgets.diagram.layout import Layout, Place, layout
from widgets.diagram.lines import BarsItem, LineItem
from widgets.diagram.routes import route
from widgets.diagram.sight import ZOOM_A_NOTCH, SightView
from widgets.diagram.walking import Direction, nearest
from widgets.fonts import BASE_PX, sized
from widgets.language import tr

_MARGIN: Final = 8.0
_DRAG_PX: Final = 4
_GRAIN: Final = 10.0
_AGES_MS: Final = 5_000
_KEYS: Final = {
    Qt.Key.Key_Left: Direction.LEFT,
    Qt.Key.Key_Right: Direction.RIGHT,
    Qt.Key.Key_Up: Direction.UP,
    Qt.Key.Key_Down: Direction.DOWN,
}
BreakerColours = Literal["isa", "gb"]


class DiagramView(SightView):
    """See the module. Coordinates of positions are those of the layout: pixels at scale 1, from the top left."""

    selected = Signal(str)
    """Id of the element that was clicked or confirmed with Enter. Groups unfold instead."""
    positions_changed = Signal()
    """A symbol was moved in edit mode."""

    def __init__(self, parent: QWidget | None = None, clock: Clock | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._zone = ZoneInfo("UTC")
        self._elements: tuple[Element, ...] = ()
        self._by_id: dict[str, Element] = {}
        self._layout: Layout = layout(())
        self._alone: tuple[Element, ...] = ()
        """What no line leads to."""
        self._unfolded: set[str] = set()
        self._moved: dict[str, tuple[float, float]] = {}
        self._values: dict[str, ElementValue] = {}
        self._circuit: tuple[object, ...] = ()
        self._symbols: dict[str, SymbolItem] = {}
        self._lines: dict[tuple[str, str], LineItem] = {}
        self._bars: dict[str, BarsItem] = {}
        self._group_of: dict[str, str] = {}
        self._stale_texts: set[str] = set()
        self._seen: frozenset[str] = frozenset()
        self._focus: str | None = None
        self._editing = False
        self._gb = False
        self._grip: _Grip | None = None
        self._ages = QTimer(self)
        self._ages.setInterval(_AGES_MS)
        self._ages.timeout.connect(self._on_ages)
        self._build()

    def _build(self) -> None:
        theme.changed.connect(self._on_theme)
        language.changed.connect(self._on_language)
        blink.changed.connect(self._on_blink)
        self._on_theme()

    # ------------------------------------------------------------------------------------------- what it is told

    def set_zone(self, zone: ZoneInfo) -> None:
        """The station's zone, for "lost since"."""
        self._zone = zone
        self._refresh(self._symbols)

    def set_elements(self, elements: Sequence[Element]) -> None:
        """Another diagram. Values and moved positions of elements that stay are kept."""
        self._elements = tuple(elements)
        self._by_id = {element.id: element for element in elements}
        self._values = {id_: value for id_, value in self._values.items() if id_ in self._by_id}
        self._arrange()

    def set_values(self, values: Mapping[str, ElementValue]) -> None:
        """New values of some elements, by id; the others keep theirs. Only what looks different is painted again."""
        changed = [id_ for id_, value in values.items() if id_ in self._by_id and self._values.get(id_) != value]
        if not changed:
            return
        for id_ in changed:
            self._values[id_] = values[id_]
        circuit = self._circuit_of()
        if circuit != self._circuit:
            self._circuit = circuit
            self._energise()
        touched = dict.fromkeys(id_ for id_ in changed if id_ in self._symbols)
        touched.update(dict.fromkeys(self._group_of[id_] for id_ in changed if id_ in self._group_of))
        self._refresh(touched)

    def set_breaker_colours(self, colours: BreakerColours) -> None:
        """`isa`: position by fill. `gb`: closed red, open green (红合绿分)."""
        self._gb = colours == "gb"
        for item in self._symbols.values():
            item.gb_colours = self._gb
            item.update()

    def unfold(self, group: str, on: bool = True) -> None:
        """Show or fold the members of a group (`folding.group_id`)."""
        before = set(self._unfolded)
        (self._unfolded.add if on else self._unfolded.discard)(group)
        if before != self._unfolded:
            self._arrange()

    def set_edit_mode(self, on: bool) -> None:
        """Whether symbols can be moved with the mouse, or with Ctrl and the arrow keys."""
        self._editing = on
        self._show_hand()

    def positions(self) -> dict[str, tuple[float, float]]:
        """Top left corners of the symbols that a person moved."""
        return dict(self._moved)

    def set_positions(self, positions: Mapping[str, tuple[float, float]]) -> None:
        """Put symbols where they were moved to; the others stand where the layout puts them."""
        self._moved = {str(id_): (float(x), float(y)) for id_, (x, y) in positions.items()}
        self._arrange()

    def shown(self) -> Layout:
        """What is shown where, moved symbols included."""
        return self._layout

    def live_of(self, id_: str) -> Live:
        """Whether an element is energised. Raises KeyError for one that is not shown."""
        return self._symbols[id_].live

    def focused(self) -> str | None:
        """The element on which the keyboard stands."""
        return self._focus

    # ------------------------------------------------------------------------------------------------- arranging

    def _arrange(self) -> None:
        plan = layout(self._elements, self._unfolded)
        places = {id_: self._where(id_, plan) for id_ in plan.places}
        bars = {
            id_: tuple(
                (x1 + places[id_].x - plan.places[id_].x, x2 + places[id_].x - plan.places[id_].x,
                 y + places[id_].y - plan.places[id_].y)
                for x1, x2, y in group
            )
            for id_, group in plan.bars.items()
        }  # fmt: skip
        self._layout = replace(plan, places=places, bars=bars)
        self._group_of = {id_: element.id for element in plan.elements for id_ in element.members}
        wired = {end for pair in plan.edges for end in pair}
        self._alone = tuple(element for element in plan.elements if element.id not in wired)
        self._make_items()
        self._circuit = self._circuit_of()
        self._energise()
        self._seen, self._stale_texts = frozenset(), set()
        self._refresh(self._symbols)
        if self._focus not in self._symbols:
            self._focus = None
        self._set_bounds()

    def _where(self, id_: str, plan: Layout) -> Place:
        """Where the layout puts an element, or where a person did; members go with their group."""
        place = plan.places[id_]
        moved = self._moved.get(place.within or id_)
        if moved is None:
            return place
        whole = plan.places[place.within or id_]
        return replace(place, x=place.x + moved[0] - whole.x, y=place.y + moved[1] - whole.y)

    def _make_items(self) -> None:
        scene = self.scene()
        scene.clear()
        font = sized(self.font(), BASE_PX)
        self._symbols, self._lines, self._bars = {}, {}, {}
        for element in self._layout.elements:
            item = SymbolItem(element, font)
            item.gb_colours = self._gb
            item.focus(element.id == self._focus)
            place = self._layout.places[element.id]
            item.above = element.id in self._layout.above
            item.set_place(place)
            if place.within:
                item.setZValue(1)
            scene.addItem(item)
            self._symbols[element.id] = item
        for pair in self._layout.edges:
            self._lines[pair] = LineItem()
            scene.addItem(self._lines[pair])
        for id_, bars in self._layout.bars.items():
            self._bars[id_] = BarsItem()
            self._bars[id_].set_bars(bars)
            scene.addItem(self._bars[id_])
        self._route(self._lines)

    def _route(self, pairs: Iterable[tuple[str, str]]) -> None:
        places, bars = self._layout.places, self._layout.bars
        for pair in pairs:
            a, b = (self._symbols[end].element for end in pair)
            self._lines[pair].set_points(route(a, b, places, bars))

    def _set_bounds(self) -> None:
        self.set_bounds(self.scene().itemsBoundingRect().adjusted(-_MARGIN, -_MARGIN, _MARGIN, _MARGIN))

    # ------------------------------------------------------------------------------------------------ energising

    def _value(self, element: Element) -> ElementValue:
        if element.members:
            return sum_up([self._by_id[id_] for id_ in element.members], self._values)
        return self._values.get(element.id, NO_VALUE)

    def _flowing(self) -> tuple[str, ...]:
        """Ids of what no line leads to and power flows through."""
        return tuple(
            element.id
            for element in self._alone
            if not (value := self._value(element)).quality & q.UNUSABLE and abs(value.power_kw) >= IDLE_KW
        )

    def _circuit_of(self) -> tuple[object, ...]:
        """What decides who is energised; volts only roughly, so that their noise decides nothing."""
        values = self._values
        return self._flowing(), tuple(
            (id_, value.state, None if math.isnan(value.voltage_v) else round(value.voltage_v / 10))
            for id_, value in values.items()
            if value.state is not None or not math.isnan(value.voltage_v)
        )

    def _energise(self) -> None:
        shown = self._layout.elements
        values = {element.id: self._value(element) for element in shown}
        breakers = {id_: value.state for id_, value in values.items() if value.state is not None}
        volts: dict[str, float | None] = {
            id_: value.voltage_v
            for id_, value in values.items()
            if not math.isnan(value.voltage_v) and not value.lost_since_ns
        }
        self._show_live(energised(shown, breakers, volts, self._flowing()))

    def _show_live(self, found: Energised) -> None:
        for pair, line in self._lines.items():
            line.set_live(found.edges.get(pair, Live.UNKNOWN))
        for id_, item in self._symbols.items():
            live = found.elements[id_]
            if id_ in self._bars:
                self._bars[id_].set_live(live)
            if item.live is not live:
                item.live = live
                item.update()

    # --------------------------------------------------------------------------------------------------- showing

    def _refresh(self, ids: Iterable[str]) -> None:
        now = self._clock.now_ns()
        name = language.name()
        for id_ in ids:
            item = self._symbols.get(id_)
            if item is None:
                continue
            element = item.element
            value = self._value(element)
            members = present([self._by_id[m] for m in element.members], self._values) if element.members else 0
            looks = (
                title(element, name, members), value.state if element.kind is Kind.BREAKER else None, value.running,
                bool(value.lost_since_ns), value.alarm, value.unacknowledged,
            )  # fmt: skip
            if looks != (item.name.text, item.position, item.running, item.lost, item.alarm, item.unacknowledged):
                item.name.text, item.position, item.running, item.lost, item.alarm, item.unacknowledged = looks
                item.repaint()
            if id_ in self._seen:
                item.texts.set_face(face(element, value, above=item.above, now_ns=now, zone=self._zone))
            else:
                self._stale_texts.add(id_)

    def _on_ages(self) -> None:
        """Ages of what is not topical grow by themselves."""
        self._refresh([id_ for id_, item in self._symbols.items() if self._value(item.element).quality & q.NT])

    def _on_theme(self) -> None:
        self.setBackgroundBrush(theme.colour("surface"))
        for item in self.scene().items():
            item.update()
        self.viewport().update()

    def _on_language(self) -> None:
        self._refresh(self._symbols)
        self.viewport().update()

    def _on_blink(self) -> None:
        for item in self._symbols.values():
            if item.unacknowledged:
                item.update()

    # ------------------------------------------------------------------------------------------------------ seeing

    def look(self) -> None:
        """Texts are worked out for what is seen and large enough to be read."""
        scale = self.transform().m11()
        if scale < READABLE_SCALE:
            self._seen = frozenset()
            return
        sight = self.mapToScene(self.viewport().rect()).boundingRect()
        places = self._layout.places
        self._seen = frozenset(
            id_ for id_, p in places.items() if sight.intersects(QRectF(p.x, p.y, p.width, p.height))
        )
        late = self._stale_texts & self._seen
        self._stale_texts -= late
        self._refresh(late)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._ages.start()
        self._on_ages()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._ages.stop()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._elements:
            painter = QPainter(self.viewport())
            painter.setPen(theme.colour("ink-soft"))
            text = tr("The station file declares no topology and no devices of the power circuit, so there is nothing "
                      "to draw. Add `topology` and give devices a `parent`.")  # fmt: skip
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(QRectF(self.viewport().rect()).adjusted(40, 40, -40, -40), int(flags), text)
            painter.end()

    # ------------------------------------------------------------------------------------------------------- mouse

    def _at(self, at: QPoint) -> str | None:
        """The element whose cell is there; a member before the frame in which it stands."""
        scene = self.mapToScene(at)
        found = [item for item in self._symbols.values() if item.contains_scene(scene)]
        return max(found, key=lambda item: item.is_member).element.id if found else None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            at = event.position().toPoint()
            id_ = self._at(at)
            movable = self._editing and id_ is not None and self._layout.places[id_].within is None
            self._grip = _Grip(at, id_, self._layout.places[id_] if movable and id_ is not None else None)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        grip, at = self._grip, event.position().toPoint()
        if grip is None or not (grip.moved or (at - grip.pressed).manhattanLength() >= _DRAG_PX):
            return
        grip.moved = True
        if grip.place is not None and grip.id is not None:
            step = self.mapToScene(at) - self.mapToScene(grip.pressed)
            self._move_to(grip.id, grip.place.x + step.x(), grip.place.y + step.y())
        else:
            self.viewport().setCursor(Qt.CursorShape.ClosedHandCursor)
            self.drag_by(at - grip.last)
        grip.last = at

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        grip, self._grip = self._grip, None
        self._show_hand()
        if grip is None or grip.id is None:
            return
        if not grip.moved:
            self.focus_on(grip.id)
            self._confirm(grip.id)
        elif grip.place is not None and self._layout.places[grip.id] != grip.place:
            self._set_bounds()
            self.positions_changed.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.fit()

    def _show_hand(self) -> None:
        self.viewport().setCursor(Qt.CursorShape.OpenHandCursor if self._editing else Qt.CursorShape.ArrowCursor)

    def _move_to(self, id_: str, x: float, y: float) -> None:
        """Move a symbol on the grain; its lines follow."""
        place = self._layout.places[id_]
        moved = Place(round(x / _GRAIN) * _GRAIN, round(y / _GRAIN) * _GRAIN, place.width, place.height)
        if (moved.x, moved.y) == (place.x, place.y):
            return
        dx, dy = moved.x - place.x, moved.y - place.y
        places = {**self._layout.places, id_: moved}
        self._moved[id_] = (moved.x, moved.y)
        for member in self._symbols[id_].element.members:
            if member in places:
                inner = places[member]
                places[member] = Place(inner.x + dx, inner.y + dy, inner.width, inner.height, inner.within)
                self._symbols[member].set_place(places[member])
        bars = dict(self._layout.bars)
        if id_ in bars:
            bars[id_] = tuple((x1 + dx, x2 + dx, y0 + dy) for x1, x2, y0 in bars[id_])
            self._bars[id_].set_bars(bars[id_])
        self._layout = replace(self._layout, places=places, bars=bars)
        self._symbols[id_].set_place(moved)
        self._route(pair for pair in self._lines if id_ in pair)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            at = self._at(event.pos())
            QToolTip.showText(event.globalPos(), self._tip(self._symbols[at].element) if at else "", self)
            return True
        return super().viewportEvent(event)

    def _tip(self, element: Element) -> str:
        value = self._values.get(element.id, NO_VALUE)
        name = title(element, language.name(), 0) if not element.members else element.label.in_(language.name())
        lines = [name, element.id if not element.members else ", ".join(element.members), value.tip]
        if element.kind is Kind.GROUP:
            lines.append(tr("Click to fold") if element.id in self._unfolded else tr("Click to unfold"))
        return "\n".join(line for line in dict.fromkeys(lines) if line)

    # -------------------------------------------------------------------------------------------------------- keys

    def focus_on(self, id_: str) -> None:
        """Put the keyboard's focus on an element and bring it into sight. Raises KeyError for one not shown."""
        item = self._symbols[id_]
        if self._focus in self._symbols and self._focus != id_:
            self._symbols[self._focus].focus(False)
        self._focus = id_
        item.focus(True)
        place = self._layout.places[id_]
        self.ensureVisible(QRectF(place.x, place.y, place.width, place.height), 20, 20)

    def _confirm(self, id_: str) -> None:
        element = self._symbols[id_].element
        if element.kind is Kind.GROUP:
            self.unfold(element.id, element.id not in self._unfolded)
        else:
            self.selected.emit(id_)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        direction = _KEYS.get(Qt.Key(key))
        if direction is not None and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._nudge(direction)
        elif direction is not None:
            self._walk(direction)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self._focus is not None:
            self._confirm(self._focus)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom(ZOOM_A_NOTCH)
        elif key == Qt.Key.Key_Minus:
            self.zoom(1 / ZOOM_A_NOTCH)
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_0):
            self.fit()
        else:
            super().keyPressEvent(event)

    def _walk(self, direction: Direction) -> None:
        found = nearest(self._layout.places, self._focus, direction)
        if found is not None:
            self.focus_on(found)

    def _nudge(self, direction: Direction) -> None:
        if self._editing and self._focus is not None and self._layout.places[self._focus].within is None:
            place = self._layout.places[self._focus]
            dx, dy = direction.value
            self._move_to(self._focus, place.x + dx * _GRAIN, place.y + dy * _GRAIN)
            self._set_bounds()
            self.positions_changed.emit()

    @property
    def readable(self) -> bool:
        """Whether texts are shown at the present scale."""
        return self.transform().m11() >= READABLE_SCALE


class _Grip:
    """What the mouse holds while its button is down. `place`: where a symbol stood that is being moved."""

    def __init__(self, pressed: QPoint, id_: str | None, place: Place | None) -> None:
        self.pressed = pressed
        self.last = pressed
        self.id = id_
        self.place = place
        self.moved = False
