"""Looks at a rendered window as a strict reader would: clipped, overlapping, untranslated, wrong colour, too faint."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QImage
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QHeaderView,
    QLabel,
    QLayout,
    QLineEdit,
    QMenu,
    QTabBar,
    QTableView,
    QWidget,
)

from app.model.quality import LETTERS
from app.model.station import Station
from app.model.units import SYMBOLS, UNITS
from widgets import language, theme
from widgets.banner import AlarmBanner
from widgets.cells import CellModel
from widgets.point_table import Column, PointTable
from widgets.value_label import ValueLabel

TEXT_CONTRAST: Final = 4.5
_SLACK_PX: Final = 1
_HEADER_PADDING_PX: Final = 12
_EDIT_PADDING_PX: Final = 14
_CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z']+")
_PARTED: Final = re.compile(r"\s+·\s+|\n")
"""What stands between texts that are joined into one."""
_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{3,8}\b|\brgba?\([^)]*\)")
_NOT_LANGUAGE: Final = frozenset(
    """Gridroom English HH LL CSV Excel Parquet Alt Ctrl Enter Esc DC AC IGBT PCS BMS PV SOC UTC CST modbus tcp rtu http
    ok""".split()  # noqa: SIM905 (a list of words reads as one)
)
"""Names and keys that stand in every language."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a reader would stumble over."""

    kind: str
    """clipped, overlap, untranslated, colour or contrast."""
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.what}"


def inspect(window: QWidget, station: Station) -> list[Finding]:
    """Everything wrong with what the window shows now, in the present language and theme."""
    widgets = seen(window)
    found = [*clipped(widgets), *overlapping(widgets), *foreign_colours(widgets), *faint(window, widgets)]
    if language.name() == "zh":
        found += untranslated(widgets, station)
    return found


def seen(window: QWidget) -> list[QWidget]:
    """The window and everything in it that can be seen."""
    return [widget for widget in [window, *window.findChildren(QWidget)] if _seen(widget)]


def _seen(widget: QWidget) -> bool:
    return widget.isVisible() and not widget.visibleRegion().isEmpty()


def _where(widget: QWidget) -> str:
    """The way to a widget: the names of its nearest parents."""
    names: list[str] = []
    at: QWidget | None = widget
    while at is not None and len(names) < 4:
        names.append(at.objectName() or type(at).__name__)
        at = at.parentWidget()
    return "/".join(reversed(names))


# ---------------------------------------------------------------------------------------------------------- clipped


def clipped(widgets: Iterable[QWidget]) -> Iterator[Finding]:
    """Texts that have less room than they need."""
    for widget in widgets:
        for text, needed, room in _needs(widget):
            if needed.width() > room.width() + _SLACK_PX or needed.height() > room.height() + _SLACK_PX:
                needs = f"needs {needed.width()}×{needed.height()}, has {room.width()}×{room.height()}"
                yield Finding("clipped", _where(widget), f"'{text}' {needs}")


def _needs(widget: QWidget) -> Iterator[tuple[str, QSize, QSize]]:
    """(text, what it needs, what it has) for each text that a widget shows by itself."""
    metrics = widget.fontMetrics()
    if isinstance(widget, QLabel) and widget.text():
        room = widget.contentsRect().size()
        if widget.wordWrap():
            needed = QSize(0, widget.heightForWidth(widget.width()))
        else:
            needed = QSize(metrics.horizontalAdvance(widget.text()), 0)
        yield widget.text(), needed, room
    elif isinstance(widget, ValueLabel):
        yield widget.text, QSize(widget.sizeHint().width() - 4, 0), widget.size()
    elif isinstance(widget, AlarmBanner):
        return  # its headline is cut with an ellipsis, and whole in the list
    elif isinstance(widget, QAbstractButton) and widget.text():
        yield widget.text(), QSize(widget.minimumSizeHint().width(), 0), widget.size()
    elif isinstance(widget, QLineEdit) and widget.placeholderText():
        needed = QSize(metrics.horizontalAdvance(widget.placeholderText()) + _EDIT_PADDING_PX, 0)
        yield widget.placeholderText(), needed, widget.size()
    elif isinstance(widget, QTabBar):
        for i in range(widget.count()):
            yield widget.tabText(i), QSize(metrics.horizontalAdvance(widget.tabText(i)), 0), widget.tabRect(i).size()
    elif isinstance(widget, QHeaderView):
        yield from _header_needs(widget, metrics)
    elif isinstance(widget, QTableView):
        yield from _number_needs(widget, metrics)


def _header_needs(header: QHeaderView, metrics: QFontMetrics) -> Iterator[tuple[str, QSize, QSize]]:
    model = header.model()
    if header.orientation() is not Qt.Orientation.Horizontal or model is None:
        return
    for section in range(header.count()):
        if not header.isSectionHidden(section):
            text = str(model.headerData(section, Qt.Orientation.Horizontal) or "")
            needed = metrics.horizontalAdvance(text) + (_HEADER_PADDING_PX if text else 0)
            yield text, QSize(needed, 0), QSize(header.sectionSize(section), 1)


def _number_needs(table: QTableView, metrics: QFontMetrics) -> Iterator[tuple[str, QSize, QSize]]:
    """Numbers must never be cut, whatever else may end in an ellipsis."""
    model = table.model()
    if isinstance(model, CellModel):
        for row, column in _shown_cells(table):
            cell = model.cell(row, column)
            if cell.right:
                needed = metrics.horizontalAdvance(cell.text) + _HEADER_PADDING_PX
                yield cell.text, QSize(needed, 0), QSize(table.columnWidth(column), 1)


def _shown_cells(table: QTableView) -> Iterator[tuple[int, int]]:
    model = table.model()
    if not model.rowCount():
        return
    first, last = table.rowAt(0), table.rowAt(table.viewport().height() - 1)
    for row in range(max(first, 0), (last if last >= 0 else model.rowCount() - 1) + 1):
        for column in range(model.columnCount()):
            if not table.isColumnHidden(column):
                yield row, column


# ---------------------------------------------------------------------------------------------------------- overlap


def overlapping(widgets: Iterable[QWidget]) -> Iterator[Finding]:
    """Neighbours of one layout that cover each other."""
    for parent in widgets:
        layout = parent.layout()
        if layout is not None:
            managed = [widget for widget in _managed(layout) if _seen(widget)]
            for one, other in itertools.combinations(managed, 2):
                common = one.geometry().intersected(other.geometry())
                if common.width() > _SLACK_PX and common.height() > _SLACK_PX:
                    yield Finding("overlap", _where(parent), f"{_where(one)} and {_where(other)} by {_size(common)}")


def _managed(layout: QLayout) -> Iterator[QWidget]:
    for i in range(layout.count()):
        item = layout.itemAt(i)
        if item is not None and item.layout() is not None:
            yield from _managed(item.layout())
        elif item is not None and item.widget() is not None:
            yield item.widget()


def _size(rect: QRect) -> str:
    return f"{rect.width()}×{rect.height()}"


# ----------------------------------------------------------------------------------------------------- untranslated


def untranslated(widgets: Iterable[QWidget], station: Station) -> Iterator[Finding]:
    """Texts with a word that is neither Chinese nor a name, unit, id or quality.

    What stands in a file, and is shown as it stands there, carries the property `verbatim`.
    """
    known = _known_words(station)
    for widget in widgets:
        if any(part is not None and part.property("verbatim") for part in (widget, widget.parentWidget())):
            continue
        parts = (part for text in _texts(widget) for part in _PARTED.split(text))
        for text in dict.fromkeys(parts):
            foreign = [word for word in _WORD.findall(text) if word not in known]
            if foreign and not _CHINESE.search(text):
                yield Finding("untranslated", _where(widget), f"'{text}'")


def _known_words(station: Station) -> frozenset[str]:
    words = set(_NOT_LANGUAGE) | set(LETTERS.values())
    texts = [*UNITS, *SYMBOLS.values(), station.id, station.name.zh]
    for device in station.devices:
        texts += [device.id, device.name.zh, device.driver or "", device.vendor, device.model]
        texts += [str(value) for value in device.connection.values()]
    for point in station.points:
        texts += [point.id, point.label.zh, *(state.zh for state in (point.form.states or {}).values())]
    texts += [node.name.zh if node.name else node.id for node in station.topology]
    for text in texts:
        words.update(_WORD.findall(text))
    return frozenset(words)


def _texts(widget: QWidget) -> Iterator[str]:
    """Everything that a widget says, its tool tip and accessible name included."""
    yield widget.toolTip()
    if isinstance(widget, QLabel | QAbstractButton):
        yield widget.text()
    if isinstance(widget, QLineEdit):
        yield widget.placeholderText()
    if isinstance(widget, AlarmBanner):
        yield from widget.headline()
    if isinstance(widget, QMenu):
        yield from (action.text() for action in widget.actions())
    if isinstance(widget, QTabBar):
        yield from (widget.tabText(i) for i in range(widget.count()))
    if isinstance(widget, QAbstractItemView):
        yield from _view_texts(widget)
    menu = widget.menu() if hasattr(widget, "menu") else None
    if isinstance(menu, QMenu):
        yield from (action.text() for action in menu.actions())


def _view_texts(view: QAbstractItemView) -> Iterator[str]:
    model = view.model()
    if isinstance(view, QTableView):
        for column in range(model.columnCount()):
            yield str(model.headerData(column, Qt.Orientation.Horizontal) or "")
        ids = {Column.ID} if isinstance(view, PointTable) else set()
        for row, column in _shown_cells(view):
            if column not in ids:
                yield str(model.index(row, column).data() or "")
        return
    for row in range(min(model.rowCount(), 50)):
        yield str(model.index(row, 0).data() or "")


# ---------------------------------------------------------------------------------------------------------- colours


def foreign_colours(widgets: Iterable[QWidget]) -> Iterator[Finding]:
    """Colours in style sheets that no token of the present theme has."""
    allowed = {theme.colour(token).name().lower() for token in theme.TOKENS}
    app = QApplication.instance()
    sheets = [("application", app.styleSheet())] if isinstance(app, QApplication) else []
    sheets += [(_where(widget), widget.styleSheet()) for widget in widgets if widget.styleSheet()]
    for where, sheet in sheets:
        for colour in sorted(set(_COLOUR.findall(sheet))):
            if colour.lower() not in allowed:
                yield Finding("colour", where, colour)


def faint(window: QWidget, widgets: Iterable[QWidget]) -> Iterator[Finding]:
    """Labels and buttons whose text does not stand out from what is really behind it."""
    image = window.grab().toImage()
    for widget in widgets:
        if not isinstance(widget, QLabel | QAbstractButton) or not widget.text() or not widget.isEnabled():
            continue
        behind = _behind(image, window, widget)
        if behind is not None:
            ink = widget.palette().color(widget.foregroundRole())
            ratio = contrast(ink, behind)
            if ratio < TEXT_CONTRAST:
                yield Finding(
                    "contrast", _where(widget), f"'{widget.text()}' {ink.name()} on {behind.name()}: {ratio:.2f}"
                )


def _behind(image: QImage, window: QWidget, widget: QWidget) -> QColor | None:
    """The commonest colour within a widget, as painted: what its text stands on. None outside of the picture."""
    scale = image.devicePixelRatio()
    corner = widget.mapTo(window, QPoint(0, 0)) * scale
    inside = QRect(corner, widget.size() * scale).intersected(image.rect())
    if inside.isEmpty():
        return None
    columns = range(inside.left(), inside.right() + 1, max(1, inside.width() // 60))
    rows = range(inside.top(), inside.bottom() + 1, max(1, inside.height() // 20))
    pixels = Counter(image.pixel(x, y) for y in rows for x in columns)
    return QColor(pixels.most_common(1)[0][0])


def contrast(one: QColor, other: QColor) -> float:
    """WCAG contrast ratio, 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: QColor) -> float:
    parts = (colour.redF(), colour.greenF(), colour.blueF())
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
