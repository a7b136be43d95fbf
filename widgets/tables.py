"""What every table of the console can do: sort, choose columns, copy with headers, rows that fit the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QAction, QGuiApplication, QKeyEvent, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QTableView, QWidget

from widgets.language import tr

ROW_PX: Final = 26
SMALL_ROW_PX: Final = 24
_SMALL_SCREEN_PX: Final = 900
COPY_ROLE: Final = Qt.ItemDataRole.UserRole + 1
"""The cell as it goes to a spreadsheet: plain numbers, whole times. Falls back to what is displayed."""
_LONGEST_COPY: Final = 100_000


def row_height(widget: QWidget) -> int:
    """26 px, or 24 on a small screen."""
    return SMALL_ROW_PX if widget.window().height() < _SMALL_SCREEN_PX else ROW_PX


class Table(QTableView):
    """A table over a model of any length. Only what is on the screen is asked of the model."""

    columns_changed = Signal()

    def __init__(self, model: QAbstractItemModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setModel(model)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSortingEnabled(False)
        self.setCornerButtonEnabled(False)
        vertical = self.verticalHeader()
        vertical.setVisible(False)
        vertical.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        vertical.setMinimumSectionSize(SMALL_ROW_PX)
        vertical.setDefaultSectionSize(ROW_PX)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsMovable(True)
        header.setSectionsClickable(True)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._on_header_menu)
        header.sectionClicked.connect(self._on_sort)
        header.sectionMoved.connect(self.columns_changed)
        header.sectionResized.connect(self.columns_changed)
        self._sorted: tuple[int, Qt.SortOrder] | None = None

    def set_widths(self, widths: Sequence[int], *, stretch: int = -1) -> None:
        """First widths in pixels; one column may take what is left."""
        header = self.horizontalHeader()
        for column, width in enumerate(widths):
            header.resizeSection(column, width)
        if stretch >= 0:
            header.setSectionResizeMode(stretch, QHeaderView.ResizeMode.Stretch)

    def visible_rows(self) -> range:
        """The rows that are on the screen now."""
        count = self.model().rowCount()
        if not count or not self.isVisible():
            return range(0)
        first = self.rowAt(0)
        last = self.rowAt(self.viewport().height() - 1)
        return range(max(first, 0), (last if last >= 0 else count - 1) + 1)

    def selected_rows(self) -> list[int]:
        """Rows of the model that are selected, in their order."""
        return sorted(index.row() for index in self.selectionModel().selectedRows())

    # ------------------------------------------------------------------------------------------------- columns

    def columns(self) -> dict[str, Any]:
        """Which columns are shown, in what order and width, for the settings."""
        header = self.horizontalHeader()
        n = header.count()
        return {
            "order": [header.logicalIndex(i) for i in range(n)],
            "width": [header.sectionSize(i) if not header.isSectionHidden(i) else 0 for i in range(n)],
        }

    def restore_columns(self, stored: Mapping[str, Any] | None) -> None:
        """As they were; nothing happens where the stored ones do not fit this table."""
        header = self.horizontalHeader()
        n = header.count()
        order, widths = (stored or {}).get("order"), (stored or {}).get("width")
        if not isinstance(order, list) or sorted(order) != list(range(n)) or len(widths or ()) != n:
            return
        for position, logical in enumerate(order):
            header.moveSection(header.visualIndex(logical), position)
        for column, width in enumerate(widths or ()):
            header.setSectionHidden(column, not width)
            if width and header.sectionResizeMode(column) != QHeaderView.ResizeMode.Stretch:
                header.resizeSection(column, int(width))

    def columns_menu(self, parent: QWidget) -> QMenu:
        """A menu of the columns with check marks, and to sort by one of them without a mouse."""
        menu = QMenu(parent)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        header = self.horizontalHeader()
        for column in range(header.count()):
            action = QAction(str(self.model().headerData(column, Qt.Orientation.Horizontal) or ""), menu)
            action.setCheckable(True)
            action.setChecked(not header.isSectionHidden(column))
            action.setEnabled(header.isSectionHidden(column) or header.hiddenSectionCount() < header.count() - 1)
            action.toggled.connect(lambda shown, column=column: self._show_column(column, shown))
            menu.addAction(action)
        menu.addSeparator()
        for column in range(header.count()):
            title = str(self.model().headerData(column, Qt.Orientation.Horizontal) or "")
            sort = menu.addAction(tr("Sort by {column}", column=title))
            sort.triggered.connect(lambda _=False, column=column: self._on_sort(column))
        return menu

    def _show_column(self, column: int, shown: bool) -> None:
        header = self.horizontalHeader()
        header.setSectionHidden(column, not shown)
        if shown and header.sectionSize(column) < 30:
            header.resizeSection(column, 100)
        self.columns_changed.emit()

    def _on_header_menu(self, at: QPoint) -> None:
        self.columns_menu(self).popup(self.horizontalHeader().mapToGlobal(at))

    def _on_sort(self, column: int) -> None:
        ascending, descending = Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder
        order = descending if self._sorted == (column, ascending) else ascending
        self.sort_by(column, order)

    def sort_by(self, column: int, order: Qt.SortOrder) -> None:
        """Sort now. Live values do not move rows about by themselves; a click sorts anew."""
        self._sorted = (column, order)
        header = self.horizontalHeader()
        header.setSortIndicatorShown(True)
        header.setSortIndicator(column, order)
        self.model().sort(column, order)

    # ---------------------------------------------------------------------------------------------------- copy

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)

    def copy(self) -> None:
        """The selected rows, or all when none is, with headers, as a spreadsheet takes them from the clipboard."""
        rows = self.selected_rows() or range(min(self.model().rowCount(), _LONGEST_COPY))
        QGuiApplication.clipboard().setText(self.as_text(rows))

    def as_text(self, rows: Sequence[int]) -> str:
        """Tab-separated lines of the shown columns, the header first."""
        header = self.horizontalHeader()
        shown = [header.logicalIndex(i) for i in range(header.count())]
        shown = [column for column in shown if not header.isSectionHidden(column)]
        model = self.model()
        lines = [[str(model.headerData(column, Qt.Orientation.Horizontal) or "") for column in shown]]
        lines += [[_plain(model, model.index(row, column)) for column in shown] for row in rows]
        return "\n".join("\t".join(line) for line in lines) + "\n"

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        height = row_height(self)
        if self.verticalHeader().defaultSectionSize() != height:
            self.verticalHeader().setDefaultSectionSize(height)


def _plain(model: QAbstractItemModel, index: QModelIndex) -> str:
    value = model.data(index, COPY_ROLE)
    if value is None:
        value = model.data(index, Qt.ItemDataRole.DisplayRole)
    return "" if value is None else str(value).replace("\t", " ").replace("\n", " ")
