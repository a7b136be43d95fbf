"""A table of rows that are told as texts: for lists that are short, and change seldom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtWidgets import QWidget

from widgets import language
from widgets.cells import Cell, CellDelegate, CellModel
from widgets.language import tr
from widgets.tables import Table

_Index = QModelIndex | QPersistentModelIndex
Tell = Callable[[Any], Sequence[Cell | str]]
"""The cells of a row, in the present language."""


class RowsModel(CellModel):
    """Rows as they were asked for."""

    def __init__(self, titles: Sequence[str], tell: Tell, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._titles, self._tell = titles, tell
        self.rows: list[Any] = []
        language.changed.connect(self._on_language)

    def set_rows(self, rows: Sequence[Any]) -> None:
        """Begin anew with these."""
        self.beginResetModel()
        self.rows = list(rows)
        self.endResetModel()

    def refresh(self, rows: Sequence[Any]) -> None:
        """The same rows as they are now, so that what is selected stays; begin anew where there are more or fewer."""
        if len(rows) != len(self.rows):
            self.set_rows(rows)
            return
        self.rows = list(rows)
        if self.rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, len(self._titles) - 1))

    def add_rows(self, rows: Sequence[Any]) -> None:
        """More, below."""
        if rows:
            self.beginInsertRows(QModelIndex(), len(self.rows), len(self.rows) + len(rows) - 1)
            self.rows += rows
            self.endInsertRows()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own default)
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._titles)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return tr(self._titles[section])
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if index.isValid() and index.row() < len(self.rows) and role in {
            Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole
        }:  # fmt: skip
            return self.cell(index.row(), index.column()).text
        return None

    def cell(self, row: int, column: int) -> Cell:
        one = self._tell(self.rows[row])[column]
        return one if isinstance(one, Cell) else Cell(one)

    def _on_language(self) -> None:
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(self._titles) - 1)
        if self.rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, len(self._titles) - 1))


class RowsTable(Table):
    """Near its end it asks for more."""

    more_asked = Signal()

    def __init__(
        self, titles: Sequence[str], widths: Sequence[int], tell: Tell, *, stretch: int, parent: QWidget | None = None
    ) -> None:
        self.rows_model = RowsModel(titles, tell)
        super().__init__(self.rows_model, parent)
        self.rows_model.setParent(self)
        self.setItemDelegate(CellDelegate(self))
        self.setSelectionMode(self.SelectionMode.SingleSelection)
        self.set_widths(widths, stretch=stretch)
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)

    def chosen(self) -> Any:
        """The row that is selected; None without one."""
        rows = self.selected_rows()
        return self.rows_model.rows[rows[0]] if rows else None

    def refresh(self, rows: Sequence[Any], key: Callable[[Any], Any]) -> None:
        """The rows as they are now; what was selected stays so by its key, wherever it stands, and nothing else is."""
        chosen = self.chosen()
        moved = [key(row) for row in rows] != [key(row) for row in self.rows_model.rows]
        if not moved:
            self.rows_model.refresh(rows)
            return
        self.rows_model.set_rows(rows)
        if chosen is not None:
            self.choose(key(chosen), key)

    def choose(self, wanted: Any, key: Callable[[Any], Any]) -> None:
        """Select the row with this key; none where there is none."""
        at = next((k for k, row in enumerate(self.rows_model.rows) if key(row) == wanted), None)
        if at is None:
            self.clearSelection()
        else:
            self.selectRow(at)

    def _on_scrolled(self, value: int) -> None:
        if value >= self.verticalScrollBar().maximum() - 2 * self.viewport().height():
            self.more_asked.emit()
