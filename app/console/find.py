"""Ctrl+K: find a page, a device or a point by any of its names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QLabel,
    QLineEdit,
    QListView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid

from app.model.station import Station
from widgets import language, theme
from widgets.language import tr
from widgets.options import is_selected, item

_Index = QModelIndex | QPersistentModelIndex
_MOST: Final = 50
_WIDTH: Final = 560
_ROWS: Final = 9
_ROW_PX: Final = 30


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that can be gone to."""

    kind: str
    """page, device, point or setting."""
    id: str
    text: str
    detail: str


_KINDS: Final = {"page": "page", "device": "device", "point": "point", "setting": "setting"}


class Index:
    """Everything that can be found, in both languages at once."""

    def __init__(self, station: Station, pages: list[tuple[str, str]], settings: list[tuple[str, str]]) -> None:
        """pages and settings: (id, English title)."""
        from widgets.language import catalogue

        self._station = station
        chinese = catalogue("zh")
        named = [("page", id_, title) for id_, title in pages] + [("setting", id_, title) for id_, title in settings]
        self._titles = {(kind, id_): title for kind, id_, title in named}
        self._keys: list[tuple[str, str, str]] = [
            (f"{id_} {title} {chinese.get(title, '')}".lower(), kind, id_) for kind, id_, title in named
        ]
        names = {d.id: f"{d.name.en} {d.name.zh}" for d in station.devices}
        self._keys += [(f"{d.id} {names[d.id]}".lower(), "device", d.id) for d in station.devices]
        self._keys += [
            (f"{p.name} {p.label.en} {p.label.zh} {names[p.device]}".lower(), "point", p.name) for p in station.points
        ]

    def search(self, text: str) -> list[Hit]:
        """The best hits: every word must occur; ids that begin with the text stand first within their kind."""
        words = text.lower().split()
        if not words:
            return [self._hit(kind, id_) for _, kind, id_ in self._keys if kind in {"page", "setting"}]
        found = [(kind, id_) for key, kind, id_ in self._keys if all(word in key for word in words)]
        order = {"page": 0, "setting": 1, "device": 2, "point": 3}
        found.sort(key=lambda hit: (order[hit[0]], not hit[1].startswith(words[0])))
        return [self._hit(kind, id_) for kind, id_ in found[:_MOST]]

    def _hit(self, kind: str, id_: str) -> Hit:
        if kind in {"page", "setting"}:
            return Hit(kind, id_, tr(self._titles[kind, id_]), tr(_KINDS[kind]))
        shown = language.name()
        if kind == "device":
            return Hit(kind, id_, self._station.by_id[id_].name.in_(shown), f"{tr('device')} · {id_}")
        point = self._station.points[self._station.by_name[id_]]
        device = self._station.by_id[point.device].name.in_(shown)
        return Hit(kind, id_, f"{device} · {point.label.in_(shown)}", f"{tr('point')} · {id_}")


class _Hits(QAbstractListModel):
    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.hits: list[Hit] = []

    def show_hits(self, hits: list[Hit]) -> None:
        self.beginResetModel()
        self.hits = hits
        self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own default)
        return 0 if parent.isValid() else len(self.hits)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        return self.hits[index.row()].text if role == Qt.ItemDataRole.DisplayRole else None


class _HitDelegate(QStyledItemDelegate):
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        model = index.model()
        if not isinstance(model, _Hits):
            return
        hit, rect = model.hits[index.row()], QRect(item(option).rect)
        if is_selected(option):
            painter.fillRect(rect, theme.colour("ground"))
            painter.fillRect(QRect(rect.left(), rect.top(), 3, rect.height()), theme.colour("live"))
        inner = rect.adjusted(12, 0, -10, 0)
        painter.setFont(item(option).font)
        metrics = painter.fontMetrics()
        detail = metrics.elidedText(hit.detail, Qt.TextElideMode.ElideLeft, inner.width() // 2)
        painter.setPen(theme.colour("ink-soft"))
        painter.drawText(inner, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, detail)
        painter.setPen(theme.colour("ink"))
        room = inner.width() - metrics.horizontalAdvance(detail) - 16
        text = metrics.elidedText(hit.text, Qt.TextElideMode.ElideRight, room)
        painter.drawText(inner, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(100, _ROW_PX)


class FindPanel(QFrame):
    """A panel over the page, never modal. Up and Down choose, Enter goes, Esc closes."""

    chosen = Signal(object)
    """The `Hit` to go to."""

    def __init__(self, make_index: Callable[[], Index], parent: QWidget) -> None:
        super().__init__(parent)
        self._make_index = make_index
        self._index: Index | None = None
        self._before: QWidget | None = None
        self.setObjectName("find")
        self.setFixedWidth(_WIDTH)
        self.line = QLineEdit()
        self.line.textChanged.connect(self._on_text)
        self._model = _Hits(self)
        self.list = QListView()
        self.list.setModel(self._model)
        self.list.setItemDelegate(_HitDelegate(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setFixedHeight(_ROWS * _ROW_PX + 4)
        self.list.clicked.connect(lambda index: self._go(index.row()))
        self._none = QLabel()
        self._none.setProperty("soft", True)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 10, 10, 10)
        column.addWidget(self.line)
        column.addWidget(self._none)
        column.addWidget(self.list)
        language.changed.connect(self.retranslate)
        self.retranslate()
        self.hide()

    def retranslate(self) -> None:
        """All texts in the present language."""
        self.line.setPlaceholderText(tr("Find a page, a device, a point: name or id"))
        self.line.setAccessibleName(tr("Find a page, a device, a point: name or id"))
        self._none.setText(tr("Nothing of that name. Names of both languages and ids are searched."))

    def open(self) -> None:
        """Show it, empty and ready to type."""
        self._index = self._index or self._make_index()
        self._before = QApplication.focusWidget()
        self.line.clear()
        self._on_text("")
        self.show()
        self.raise_()
        self.line.setFocus()

    def close_again(self) -> None:
        """Hide it; the keyboard goes back to where it was."""
        before, self._before = self._before, None
        if before is not None and isValid(before) and before.isVisible():
            before.setFocus()
        else:
            self.window().setFocus()
        self.hide()

    def _on_text(self, text: str) -> None:
        if self._index is None:
            return
        self._model.show_hits(self._index.search(text))
        self._none.setVisible(not self._model.hits)
        self.list.setCurrentIndex(self._model.index(0))
        self.adjustSize()

    def _go(self, row: int) -> None:
        if 0 <= row < len(self._model.hits):
            hit = self._model.hits[row]
            self.close_again()
            self.chosen.emit(hit)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        row = self.list.currentIndex().row()
        if event.key() in {Qt.Key.Key_Down, Qt.Key.Key_Up}:
            step = 1 if event.key() == Qt.Key.Key_Down else -1
            row = min(max(row + step, 0), max(len(self._model.hits) - 1, 0))
            self.list.setCurrentIndex(self._model.index(row))
        elif event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            self._go(row)
        elif event.key() == Qt.Key.Key_Escape:
            self.close_again()
        else:
            super().keyPressEvent(event)
