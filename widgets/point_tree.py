"""Picking points: devices, and below each its points, narrowed as one types.

Rows are computed, not built: a device row is its position, a point row its position among the points that fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractItemModel,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import QAbstractItemView, QStyledItemDelegate, QStyleOptionViewItem, QTreeView, QWidget

from app.model.station import Device, Point, Station
from app.model.units import symbol
from widgets import language, theme
from widgets.options import is_selected, item
from widgets.point_table import MIME, points_mime
from widgets.tables import row_height

_Index = QModelIndex | QPersistentModelIndex
_TOP: Final = 0
"""Internal id of device rows; a point row carries the position of its device plus one."""
_EXPANDED_WHEN_FEW: Final = 60


class PointTreeModel(QAbstractItemModel):
    """Devices with at least one fitting point, in the station's order."""

    def __init__(self, station: Station, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._station = station
        self._shown: list[tuple[Device, tuple[Point, ...]]] = [(d, d.points) for d in station.devices if d.points]
        self._chosen: frozenset[str] = frozenset()
        language.changed.connect(self._on_language)

    def set_filter(self, text: str) -> None:
        """Keep points in whose names, or whose device's names, every word occurs."""
        words = text.lower().split()
        shown = []
        for device in self._station.devices:
            names = f"{device.id} {device.name.en} {device.name.zh}".lower()
            left = [word for word in words if word not in names]
            points = tuple(p for p in device.points if self._fits(p, left))
            if points:
                shown.append((device, points))
        self.beginResetModel()
        self._shown = shown
        self.endResetModel()

    def _fits(self, point: Point, words: Sequence[str]) -> bool:
        if not words:
            return True
        text = f"{point.id} {point.label.en} {point.label.zh} {point.unit}".lower()
        return all(word in text for word in words)

    def set_chosen(self, names: Sequence[str]) -> None:
        """Mark these points, full names, as already taken."""
        self._chosen = frozenset(names)
        self.layoutChanged.emit()

    @property
    def count(self) -> int:
        """How many points fit."""
        return sum(len(points) for _, points in self._shown)

    def device_of(self, index: _Index) -> Device:
        """The device of a row of either kind."""
        position = index.row() if index.internalId() == _TOP else int(index.internalId()) - 1
        return self._shown[position][0]

    def point_of(self, index: _Index) -> Point | None:
        """The point of a row; None for a device."""
        return None if index.internalId() == _TOP else self._shown[int(index.internalId()) - 1][1][index.row()]

    def is_chosen(self, index: _Index) -> bool:
        """Whether the point of a row is already taken."""
        point = self.point_of(index)
        return point is not None and point.name in self._chosen

    def index(self, row: int, column: int, parent: _Index = QModelIndex()) -> QModelIndex:  # noqa: B008 (Qt's own)
        if not parent.isValid():
            return self.createIndex(row, column, _TOP) if 0 <= row < len(self._shown) else QModelIndex()
        points = self._shown[parent.row()][1]
        return self.createIndex(row, column, parent.row() + 1) if 0 <= row < len(points) else QModelIndex()

    def parent(self, index: _Index) -> QModelIndex:  # type: ignore[override]
        if not index.isValid() or index.internalId() == _TOP:
            return QModelIndex()
        return self.createIndex(int(index.internalId()) - 1, 0, _TOP)

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        if not parent.isValid():
            return len(self._shown)
        return len(self._shown[parent.row()][1]) if parent.internalId() == _TOP else 0

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 1

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        point = self.point_of(index)
        if role == Qt.ItemDataRole.DisplayRole:
            return (point.label if point else self.device_of(index).name).in_(language.name())
        if role == Qt.ItemDataRole.ToolTipRole:
            return point.name if point else self.device_of(index).id
        return None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsDragEnabled if index.isValid() and self.point_of(index) else flags

    def mimeTypes(self) -> list[str]:
        return [MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        return points_mime([point.name for index in indexes if (point := self.point_of(index)) is not None])

    def _on_language(self) -> None:
        self.layoutChanged.emit()


class _RowDelegate(QStyledItemDelegate):
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        model, rect = index.model(), item(option).rect
        if not isinstance(model, PointTreeModel):
            return
        if is_selected(option):
            painter.fillRect(rect, theme.colour("ground"))
            painter.fillRect(QRect(rect.left(), rect.top(), 3, rect.height()), theme.colour("live"))
        point = model.point_of(index)
        inner = rect.adjusted(8, 0, -8, 0)
        painter.setFont(item(option).font)
        metrics = painter.fontMetrics()
        right = ("✓ " if model.is_chosen(index) else "") + symbol(point.unit) if point else ""
        painter.setPen(theme.colour("ink-soft"))
        painter.drawText(inner, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, right)
        inner.setRight(inner.right() - metrics.horizontalAdvance(right) - 8)
        painter.setPen(theme.colour("ink"))
        text = metrics.elidedText(str(index.data()), Qt.TextElideMode.ElideRight, inner.width())
        painter.drawText(inner, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        widget = item(option).widget
        return QSize(120, row_height(widget) if widget is not None else 26)


class PointTree(QTreeView):
    """The view: a double click or Enter takes the selected points, and they can be dragged."""

    taken = Signal(list)
    """Full names."""

    def __init__(self, model: PointTreeModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.points = model
        self.setModel(model)
        self.setItemDelegate(_RowDelegate(self))
        self.setHeaderHidden(True)
        self.setUniformRowHeights(True)
        self.setIndentation(14)
        self.setExpandsOnDoubleClick(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.doubleClicked.connect(lambda index: self._take([index]))

    def set_filter(self, text: str) -> None:
        """Narrow the tree; what is found opens when it is not much."""
        self.points.set_filter(text)
        if text.strip() and self.points.count <= _EXPANDED_WHEN_FEW:
            self.expandAll()

    def _take(self, indexes: Sequence[QModelIndex]) -> None:
        names = [point.name for index in indexes if (point := self.points.point_of(index)) is not None]
        if names:
            self.taken.emit(names)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            self._take(self.selectedIndexes())
        else:
            super().keyPressEvent(event)
