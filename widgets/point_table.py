"""All points of some devices, live: a model over columns, and the table that shows it.

The model keeps positions, not objects: a hundred thousand rows are one int array, a filter is one pass over strings,
and a snapshot repaints only rows that changed and can be seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QMimeData, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QWidget

from app.model.clock import to_datetime
from app.model.config import LimitForm
from app.model.station import Point, Station
from app.model.text import Text
from app.model.units import symbol
from app.model.views import Snapshot
from widgets import language
from widgets.cells import Cell, CellDelegate, CellModel
from widgets.language import tr
from widgets.point_tip import point_tip
from widgets.tables import COPY_ROLE, Table
from widgets.times import moment_text
from widgets.values import MarkStyle, age_text, format_value, quality_mark

MIME: Final = "application/x-gridroom-points"
"""Full point names, one a line."""
_FLAGS: Final = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsDragEnabled
_Index = QModelIndex | QPersistentModelIndex


class Column(IntEnum):
    DEVICE = 0
    NAME = 1
    VALUE = 2
    UNIT = 3
    QUALITY = 4
    AGE = 5
    TIME = 6
    LIMITS = 7
    REMARK = 8
    ID = 9


_TITLES: Final = ("Device", "Point", "Value", "Unit", "Quality", "Age", "Source time", "Limits", "Remark", "Id")
_WIDTHS: Final = (110, 180, 118, 52, 76, 60, 104, 236, 60, 160)
"""All but the id stand side by side in a window of 1366 px; four limits are whole."""
_STYLE_TOKENS: Final = {
    MarkStyle.GOOD: "live",
    MarkStyle.INVALID: "bad-quality",
    MarkStyle.OLD: "ink-soft",
    MarkStyle.MANUAL: "manual",
    MarkStyle.DOUBTFUL: "live",
}


def limits_text(point: Point) -> str:
    """The alarm limits in their order: `LL 5 · L 10 · H 95`; the declared range where there are none."""
    alarms = point.form.alarms
    parts = []
    for name in ("ll", "l", "h", "hh"):
        limit = getattr(alarms, name) if alarms is not None else None
        if limit is not None:
            value = limit.value if isinstance(limit, LimitForm) else limit
            parts.append(f"{name.upper()} {format_value(value)}")
    if not parts and point.form.range is not None:
        low, high = (format_value(limit) for limit in point.form.range)
        parts = [tr("{low} to {high}", low=low, high=high)]
    return " · ".join(parts)


def value_cell(point: Point, value: float, quality: int) -> Cell:
    """A value as tables show it: quality is seen before it is read."""
    text = format_value(value, point.form.precision, "", point.form.states)
    style = quality_mark(quality).style
    return Cell(
        text,
        _STYLE_TOKENS[style] if not math.isnan(value) else "ink-soft",
        right=True,
        strike=style is MarkStyle.INVALID and not math.isnan(value),
        frame="manual" if style is MarkStyle.MANUAL else "",
    )


class PointModel(CellModel):
    """Rows are points of a station, chosen by `show_points`, narrowed by `set_filter`."""

    def __init__(self, station: Station, snapshot: Snapshot, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._station = station
        self._snapshot = snapshot
        self._chosen = np.arange(len(station.points), dtype=np.int32)
        self._needle: tuple[str, ...] = ()
        self._order: tuple[int, Qt.SortOrder] | None = None
        self._keys: list[str] | None = None
        self._remarks: Mapping[str, Text] = {}
        self._rows = self._chosen
        self._row_of = np.arange(len(station.points), dtype=np.int32)
        language.changed.connect(self._on_language)

    # ------------------------------------------------------------------------------------------- what is shown

    def show_points(self, indices: Sequence[int] | NDArray[np.int32]) -> None:
        """Choose which points there are, by index."""
        self._chosen = np.asarray(indices, dtype=np.int32)
        self._arrange()

    def set_filter(self, text: str) -> None:
        """Keep rows in whose names, ids or units every word occurs."""
        needle = tuple(text.lower().split())
        if needle != self._needle:
            self._needle = needle
            self._arrange()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self._order = (column, order)
        self._arrange()

    def point_at(self, row: int) -> Point:
        """The point of a row."""
        return self._station.points[int(self._rows[row])]

    def row_of(self, index: int) -> int:
        """Row of a point's index; -1 when it is not shown."""
        return int(self._row_of[index])

    def _arrange(self) -> None:
        self.beginResetModel()
        rows = self._chosen
        if self._needle:
            keys = self._search_keys()
            kept = [i for i in rows.tolist() if all(word in keys[i] for word in self._needle)]
            rows = np.array(kept, dtype=np.int32)
        self._rows = self._sorted(rows)
        self._row_of = np.full(len(self._station.points), -1, dtype=np.int32)
        self._row_of[self._rows] = np.arange(len(self._rows), dtype=np.int32)
        self.endResetModel()

    def _search_keys(self) -> list[str]:
        if self._keys is None:
            names = {device.id: f"{device.name.en} {device.name.zh}" for device in self._station.devices}
            self._keys = [
                f"{p.name} {p.label.en} {p.label.zh} {p.unit} {names[p.device]}".lower() for p in self._station.points
            ]
        return self._keys

    def _sorted(self, rows: NDArray[np.int32]) -> NDArray[np.int32]:
        if self._order is None or not len(rows):
            return rows
        column, order = self._order
        shot, points = self._snapshot, self._station.points
        if column == Column.VALUE:
            keys: NDArray[Any] = shot.value[rows]
        elif column == Column.QUALITY:
            keys = shot.quality[rows]
        elif column in {Column.AGE, Column.TIME}:
            keys = shot.time[rows] if column == Column.TIME else -shot.time[rows]
        else:
            readers: dict[Column, Callable[[Point], str]] = {
                Column.NAME: lambda p: p.label.in_(language.name()),
                Column.UNIT: lambda p: p.unit,
                Column.LIMITS: limits_text,
                Column.REMARK: self._remark,
                Column.DEVICE: lambda p: p.device,
            }
            read: Callable[[Point], str] = readers.get(Column(column), lambda p: p.name)
            keys = np.array([read(points[i]) for i in rows.tolist()])
        ranked = np.argsort(keys, kind="stable")
        return rows[ranked[::-1] if order is Qt.SortOrder.DescendingOrder else ranked]

    # --------------------------------------------------------------------------------------------------- live

    def set_snapshot(self, changed: NDArray[np.intp], snapshot: Snapshot, visible: range) -> None:
        """Take new values; repaint the changed rows that can be seen, in as few spans as they form."""
        self._snapshot = snapshot
        if not len(visible):
            return
        rows = self._row_of[changed]
        rows = np.unique(rows[(rows >= visible.start) & (rows < visible.stop)])
        if len(rows):
            breaks = np.flatnonzero(np.diff(rows) > 1)
            starts, ends = rows[np.r_[0, breaks + 1]], rows[np.r_[breaks, len(rows) - 1]]
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
                self.dataChanged.emit(self.index(start, Column.VALUE), self.index(end, Column.TIME))

    def set_remarks(self, remarks: Mapping[str, Text]) -> None:
        """Full point name -> why it has no value."""
        self._remarks = remarks

    def _remark(self, point: Point) -> str:
        return self._remarks[point.name].in_(language.name()) if point.name in self._remarks else ""

    def tick(self, visible: range) -> None:
        """A second has passed: the ages that can be seen have grown."""
        if len(visible):
            self.dataChanged.emit(self.index(visible.start, Column.AGE), self.index(visible.stop - 1, Column.AGE))

    # -------------------------------------------------------------------------------------------------- Qt's own

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own default)
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return tr(_TITLES[section])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            right = section in {Column.VALUE, Column.AGE}
            return (
                Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
            ) | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        i, column = int(self._rows[index.row()]), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._cell(i, column).text
        if role == COPY_ROLE:
            return self._plain(i, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(i)
        return None

    def cell(self, row: int, column: int) -> Cell:
        return self._cell(int(self._rows[row]), column)

    def _cell(self, i: int, column: int) -> Cell:
        point, shot = self._station.points[i], self._snapshot
        quality, time = int(shot.quality[i]), int(shot.time[i])
        if column == Column.VALUE:
            return value_cell(point, float(shot.value[i]), quality)
        if column == Column.NAME:
            return Cell(point.label.in_(language.name()))
        if column == Column.UNIT:
            return Cell(symbol(point.unit), "ink-soft")
        if column == Column.QUALITY:
            return Cell(quality_mark(quality).text, "bad-quality")
        if column == Column.AGE:
            old = quality_mark(quality).style is MarkStyle.OLD
            return Cell(age_text(shot.taken - time) if time else "–", "bad-quality" if old else "ink-soft", right=True)
        if column == Column.TIME:
            return Cell(moment_text(time, self._station.zone, shot.taken, milliseconds=True), "ink-soft")
        if column == Column.LIMITS:
            return Cell(limits_text(point), "ink-soft")
        if column == Column.REMARK:
            return Cell(self._remark(point), "bad-quality")
        if column == Column.DEVICE:
            return Cell(self._station.by_id[point.device].name.in_(language.name()))
        return Cell(point.name, "ink-soft")

    def _plain(self, i: int, column: int) -> str:
        point, shot = self._station.points[i], self._snapshot
        value, time = float(shot.value[i]), int(shot.time[i])
        if column == Column.VALUE:
            if math.isnan(value):
                return ""
            if point.form.states:
                return format_value(value, 0, "", point.form.states)
            return f"{value:.{point.form.precision}f}" if point.form.precision is not None else repr(value)
        if column == Column.AGE:
            return f"{(shot.taken - time) / 1e9:.1f}" if time else ""
        if column == Column.TIME:
            return to_datetime(time).astimezone(self._station.zone).isoformat(timespec="milliseconds") if time else ""
        return self._cell(i, column).text

    def _tip(self, i: int) -> str:
        point = self._station.points[i]
        return point_tip(self._station, self._snapshot, point, self._remark(point))

    def flags(self, index: _Index) -> Qt.ItemFlag:
        return _FLAGS

    def mimeTypes(self) -> list[str]:
        return [MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        return points_mime([self.point_at(row).name for row in sorted({index.row() for index in indexes})])

    def _on_language(self) -> None:
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(Column) - 1)
        if len(self._rows):
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, len(Column) - 1))


def points_mime(names: Sequence[str]) -> QMimeData:
    """Full point names as what is dragged: for trends, and as text for everything else."""
    mime = QMimeData()
    mime.setData(MIME, "\n".join(names).encode())
    mime.setText("\n".join(names))
    return mime


class PointTable(Table):
    """The table of points. Rows can be dragged to a trend; Enter asks for it."""

    trend_asked = Signal(list)
    """Full names of the chosen points."""

    def __init__(self, model: PointModel, parent: QWidget | None = None) -> None:
        super().__init__(model, parent)
        self.points = model
        self.setItemDelegate(CellDelegate(self))
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.set_widths(_WIDTHS)
        self.horizontalHeader().setStretchLastSection(True)
        self.setColumnHidden(Column.DEVICE, True)
        self.setColumnHidden(Column.ID, True)

    def selected_points(self) -> list[str]:
        """Full names of the selected rows."""
        return [self.points.point_at(row).name for row in self.selected_rows()]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter} and self.selected_rows():
            self.trend_asked.emit(self.selected_points())
        else:
            super().keyPressEvent(event)
