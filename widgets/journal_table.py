"""A journal of alarms or events: the newest first, older ones as one scrolls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtWidgets import QWidget

from app.model.config import Priority
from app.model.station import Station
from app.model.views import JournalRow
from widgets import language
from widgets.alarm_words import PRIORITY_WORDS, WHAT_WORDS, source_name, source_point
from widgets.cells import Cell, CellDelegate, CellModel
from widgets.icons import PRIORITY_TOKENS
from widgets.language import tr
from widgets.tables import Table
from widgets.times import moment_text
from widgets.values import format_value

_Index = QModelIndex | QPersistentModelIndex


class JournalColumn(IntEnum):
    TIME = 0
    WHAT = 1
    PRIORITY = 2
    DEVICE = 3
    MESSAGE = 4
    VALUE = 5
    ACTOR = 6
    SOURCE = 7


_JOURNAL_TITLES: Final = ("Time", "What", "Priority", "Device", "Message", "Value", "Who", "Id")


class JournalModel(CellModel):
    """Rows of a journal as they were asked for, the newest first."""

    def __init__(self, station: Station, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._station = station
        self.rows: list[JournalRow] = []
        language.changed.connect(self._on_language)

    def set_rows(self, rows: Sequence[JournalRow]) -> None:
        """Begin anew with these."""
        self.beginResetModel()
        self.rows = list(rows)
        self.endResetModel()

    def add_rows(self, rows: Sequence[JournalRow]) -> None:
        """Older ones, below."""
        if rows:
            self.beginInsertRows(QModelIndex(), len(self.rows), len(self.rows) + len(rows) - 1)
            self.rows += rows
            self.endInsertRows()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(JournalColumn)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return tr(_JOURNAL_TITLES[section])
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid() or index.row() >= len(self.rows):
            return None
        if role in {Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole}:
            return self._text(self.rows[index.row()], index.column())
        return None

    def cell(self, row: int, column: int) -> Cell:
        entry = self.rows[row]
        text = self._text(entry, column)
        if column == JournalColumn.PRIORITY and entry.priority in _PRIORITIES:
            priority = _PRIORITIES[entry.priority]
            return Cell(text, PRIORITY_TOKENS[priority], shape=priority, filled=entry.what == "raised")
        soft = column in {JournalColumn.TIME, JournalColumn.SOURCE, JournalColumn.WHAT}
        return Cell(text, "ink-soft" if soft else "ink")

    def _text(self, row: JournalRow, column: int) -> str:
        if column == JournalColumn.TIME:
            return moment_text(row.time, self._station.zone, milliseconds=True)
        if column == JournalColumn.WHAT:
            return tr(WHAT_WORDS.get(row.what, row.what))
        if column == JournalColumn.PRIORITY:
            priority = _PRIORITIES.get(row.priority)
            return tr(PRIORITY_WORDS[priority]) if priority else ""
        if column == JournalColumn.DEVICE:
            return source_name(self._station, row.source)
        if column == JournalColumn.MESSAGE:
            return row.message.in_(language.name())
        if column == JournalColumn.VALUE:
            point = source_point(self._station, row.source)
            if math.isnan(row.value) or row.condition in {"lost", "quality", "system"} or point is None:
                return ""
            return format_value(row.value, point.form.precision, point.unit, point.form.states)
        return row.actor if column == JournalColumn.ACTOR else row.source

    def _on_language(self) -> None:
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(JournalColumn) - 1)
        if self.rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, len(JournalColumn) - 1))


_PRIORITIES: Final[Mapping[str, Priority]] = {str(priority): priority for priority in Priority}


class JournalTable(Table):
    """A journal; near its end it asks for older rows."""

    more_asked = Signal()

    def __init__(self, model: JournalModel, parent: QWidget | None = None) -> None:
        super().__init__(model, parent)
        self.journal = model
        self.setItemDelegate(CellDelegate(self))
        self.set_widths((180, 110, 96, 150, 200, 120, 100, 150), stretch=JournalColumn.MESSAGE)
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)

    def _on_scrolled(self, value: int) -> None:
        if value >= self.verticalScrollBar().maximum() - 2 * self.viewport().height():
            self.more_asked.emit()
