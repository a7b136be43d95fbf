"""The templates to choose from: a filter over vendor, model, kind and name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from app.model.commissioning import TemplateName
from app.model.config import DeviceKind
from widgets import language
from widgets.cells import Cell, CellDelegate, CellModel
from widgets.device_tree import KIND_WORDS
from widgets.language import tr
from widgets.tables import Table

TEMPLATE_TITLES: Final = ("Vendor", "Model", "Kind", "Template")
_WIDTHS: Final = (110, 110, 120, 150)
_Index = QModelIndex | QPersistentModelIndex


def kind_text(kind: str) -> str:
    """A kind of device in the present language."""
    return tr(KIND_WORDS[DeviceKind(kind)]) if kind in set(DeviceKind) else kind


class TemplateModel(CellModel):
    """The templates that fit the filter."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: list[TemplateName] = []
        self._words: tuple[str, ...] = ()
        self.rows: list[TemplateName] = []
        self.chosen = ""
        language.changed.connect(self._arrange)

    def set_templates(self, templates: Sequence[TemplateName]) -> None:
        """All there are."""
        self._all = sorted(templates, key=lambda one: (one.vendor.lower(), one.model.lower()))
        self._arrange()

    def set_filter(self, text: str) -> None:
        """Keep those in whose words every word occurs."""
        self._words = tuple(text.lower().split())
        self._arrange()

    def set_chosen(self, name: str) -> None:
        """The one that the device names is marked."""
        self.chosen = name
        if self.rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, len(TEMPLATE_TITLES) - 1))

    def find(self, name: str) -> TemplateName | None:
        """The template of a name."""
        return next((one for one in self._all if one.name == name), None)

    def _arrange(self) -> None:
        self.beginResetModel()
        self.rows = [one for one in self._all if all(word in self._key(one) for word in self._words)]
        self.endResetModel()

    def _key(self, one: TemplateName) -> str:
        return f"{one.vendor} {one.model} {one.kind} {kind_text(one.kind)} {one.name}".lower()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own default)
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(TEMPLATE_TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return tr(TEMPLATE_TITLES[section])
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if index.isValid() and role == Qt.ItemDataRole.DisplayRole:
            return self.cell(index.row(), index.column()).text
        if index.isValid() and role == Qt.ItemDataRole.ToolTipRole:
            return self.rows[index.row()].source
        return None

    def cell(self, row: int, column: int) -> Cell:
        one = self.rows[row]
        text = (one.vendor, one.model, kind_text(one.kind), one.name)[column]
        return Cell(text, "live" if one.name == self.chosen else "ink", bold=one.name == self.chosen)


class _TemplateTable(Table):
    entered = Signal(int)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter} and self.currentIndex().isValid():
            self.entered.emit(self.currentIndex().row())
        else:
            super().keyPressEvent(event)


class TemplateList(QWidget):
    """Filter and table. Double click or Enter takes one."""

    taken = Signal(str)
    """Name of the template."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = TemplateModel()
        self.filter = QLineEdit()
        self.filter.setClearButtonEnabled(True)
        self.table = _TemplateTable(self.model)
        self.table.setProperty("verbatim", True)
        self.table.setItemDelegate(CellDelegate(self.table))
        self.table.setSelectionMode(Table.SelectionMode.SingleSelection)
        self.table.set_widths(_WIDTHS)
        self.table.horizontalHeader().setStretchLastSection(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.filter)
        column.addWidget(self.table, 1)
        self.filter.textChanged.connect(self.model.set_filter)
        self.filter.returnPressed.connect(lambda: self._take(0) if len(self.model.rows) == 1 else None)
        self.table.doubleClicked.connect(lambda index: self._take(index.row()))
        self.table.entered.connect(self._take)
        language.changed.connect(self._retranslate)
        self._retranslate()

    def _retranslate(self) -> None:
        self.filter.setPlaceholderText(tr("Filter templates"))
        self.filter.setAccessibleName(tr("Filter templates"))
        self.table.setAccessibleName(tr("Templates"))
        self.table.setToolTip(tr("Double-click or Enter takes a template"))

    def _take(self, row: int) -> None:
        if 0 <= row < len(self.model.rows):
            self.taken.emit(self.model.rows[row].name)
