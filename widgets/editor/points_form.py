"""The points of a device: those of its template, of which one may say something else, and its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QSizePolicy, QSplitter, QVBoxLayout, QWidget

from app.model.text import Text
from widgets import language
from widgets.cells import Cell, CellDelegate, CellModel
from widgets.editor.draft import LIMITS, DeviceDraft, PointDraft
from widgets.editor.point_form import PointForm
from widgets.editor.scalars import line_of
from widgets.language import tr
from widgets.tables import Table

POINT_TITLES: Final = ("Id", "Point", "Scan", "Limits", "Stands")
WHERE: Final = ("own", "overridden", "template")
_WIDTHS: Final = (80, 112, 66, 98, 76)
_Index = QModelIndex | QPersistentModelIndex
_Place = tuple[str, ...]


class DraftPoints(CellModel):
    """Rows are the points of a draft that fit the filter."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._draft: DeviceDraft | None = None
        self._words: tuple[str, ...] = ()
        self._faulty: frozenset[str] = frozenset()
        self.rows: list[PointDraft] = []
        language.changed.connect(self._on_language)

    def show_draft(self, draft: DeviceDraft | None) -> None:
        """All points of it."""
        self._draft = draft
        self.arrange()

    def set_filter(self, text: str) -> None:
        """Keep points in whose id or names every word occurs."""
        self._words = tuple(text.lower().split())
        self.arrange()

    def set_faulty(self, ids: frozenset[str]) -> None:
        """Points with which something is wrong."""
        if ids != self._faulty:
            self._faulty = ids
            self.refresh()

    def arrange(self) -> None:
        """Rows anew: points came or went."""
        self.beginResetModel()
        points = self._draft.points if self._draft is not None else []
        self.rows = [p for p in points if all(word in f"{p.id} {p.value('name')}".lower() for word in self._words)]
        self.endResetModel()

    def refresh(self) -> None:
        """What stands in the rows has changed."""
        if self.rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, len(POINT_TITLES) - 1))

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own default)
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(POINT_TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return tr(POINT_TITLES[section])
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if index.isValid() and role == Qt.ItemDataRole.DisplayRole:
            return self.cell(index.row(), index.column()).text
        return None

    def cell(self, row: int, column: int) -> Cell:
        point = self.rows[row]
        changed = point.form() is not None
        if column == 0:
            return Cell(f"✕ {point.id}", "bad-quality") if point.id in self._faulty else Cell(point.id, bold=changed)
        if column == 1:
            return Cell(_name(point.value("name")), bold=changed)
        if column == 2:
            return Cell(line_of(point.value("scan")), "ink" if "scan" in point.given else "ink-soft")
        if column == 3:
            return Cell(_limits(point), "ink" if "alarms" in point.given else "ink-soft")
        where = 0 if point.own else 1 if changed else 2
        return Cell(tr(WHERE[where]), "ink" if changed else "ink-soft")

    def _on_language(self) -> None:
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(POINT_TITLES) - 1)
        self.refresh()


class PointsForm(QWidget):
    """Writes into the draft that it is given."""

    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._draft: DeviceDraft | None = None
        self._faults: list[tuple[_Place, Text]] = []
        self.model = DraftPoints()
        self.table = Table(self.model)
        self.table.setProperty("verbatim", True)
        self.table.setItemDelegate(CellDelegate(self.table))
        self.table.setSelectionMode(Table.SelectionMode.SingleSelection)
        self.table.set_widths(_WIDTHS)
        self.table.horizontalHeader().setStretchLastSection(True)
        self.filter = QLineEdit()
        self.filter.setClearButtonEnabled(True)
        self.add, self.remove = QPushButton(), QPushButton()
        self.form = PointForm()
        for button in (self.add, self.remove):  # a narrow window takes from the form beside it
            button.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        bar = QHBoxLayout()
        bar.setSpacing(6)
        bar.addWidget(self.add)
        bar.addWidget(self.remove)
        bar.addStretch(1)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.filter)
        column.addWidget(self.table, 1)
        column.addLayout(bar)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setChildrenCollapsible(False)
        split.setHandleWidth(12)
        split.addWidget(left)
        split.addWidget(self.form)
        split.setStretchFactor(0, 1)
        split.setSizes([560, 440])
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(split)
        self.filter.textChanged.connect(self._on_filter)
        self.table.selectionModel().currentRowChanged.connect(lambda *_: self._on_row())
        self.add.clicked.connect(self._on_add)
        self.remove.clicked.connect(self._on_remove)
        self.form.edited.connect(self._on_edited)
        language.changed.connect(self._retranslate)
        self._retranslate()
        self._on_row()

    def _retranslate(self) -> None:
        self.filter.setPlaceholderText(tr("Filter points"))
        self.filter.setAccessibleName(tr("Filter points"))
        self.table.setAccessibleName(tr("Points"))
        self.add.setText(tr("Add point"))
        self.remove.setText(tr("Remove point"))
        self.remove.setToolTip(tr("A point of the template stays; what is said of it here goes"))

    def show_draft(self, draft: DeviceDraft) -> None:
        """Its points; the same one stays chosen where it is still there."""
        before = self.current()
        self._draft = draft
        self.model.show_draft(draft)
        self.choose(before.id if before is not None else "")

    def current(self) -> PointDraft | None:
        """The chosen point."""
        row = self.table.currentIndex().row()
        return self.model.rows[row] if 0 <= row < len(self.model.rows) else None

    def choose(self, point: str) -> None:
        """Choose it; the first one where there is none of that id."""
        row = next((i for i, one in enumerate(self.model.rows) if one.id == point), 0)
        if self.model.rows:
            self.table.setCurrentIndex(self.model.index(row, 0))
        self._on_row()

    def set_faults(self, faults: Sequence[tuple[_Place, Text]]) -> None:
        """(place, words) of each; what belongs to another part is left alone."""
        self._faults = [(place[1:], words) for place, words in faults if place[:1] == ("points",) and len(place) > 1]
        self.model.set_faulty(frozenset(place[0] for place, _ in self._faults))
        self._show_faults()

    def problems(self) -> list[str]:
        """What cannot even be asked."""
        point = self.current()
        return [f"{point.id}: {problem}" for problem in self.form.problems()] if point is not None else []

    def _show_faults(self) -> None:
        point = self.current()
        if point is not None:
            self.form.set_faults([(place[1:], words) for place, words in self._faults if place[0] == point.id])

    def _on_filter(self, text: str) -> None:
        before = self.current()
        self.model.set_filter(text)
        self.choose(before.id if before is not None else "")

    def _on_row(self) -> None:
        point = self.current()
        self.form.show_point(point)
        self._hold()
        self.remove.setEnabled(point is not None and point.form() is not None)
        self._show_faults()

    def _hold(self) -> None:
        """What cannot be read is not left: it would be lost with the next point."""
        readable = not self.form.problems()
        for widget in (self.table, self.filter, self.add):
            widget.setEnabled(readable)

    def _on_add(self) -> None:
        if self._draft is not None:
            point = self._draft.add_point()
            self.filter.clear()
            self.model.arrange()
            self.choose(point.id)
            self.form.rest.setFocus()
            self.edited.emit()

    def _on_remove(self) -> None:
        point = self.current()
        if self._draft is None or point is None:
            return
        if point.own:
            self._draft.points.remove(point)
        else:
            point.given = {"id": point.id}
        self.model.arrange()
        self.choose(point.id)
        self.edited.emit()

    def _on_edited(self) -> None:
        self.model.refresh()
        self._hold()
        point = self.current()
        self.remove.setEnabled(point is not None and point.form() is not None)
        self.edited.emit()


def _name(name: object) -> str:
    if isinstance(name, Mapping):
        return str(name.get(language.name()) or next(iter(name.values()), ""))
    return str(name or "")


def _limits(point: PointDraft) -> str:
    """`LL 5 · L 10 · H 95`."""
    said = [(name, point.limit(name)[0]) for name in reversed(LIMITS)]
    return " · ".join(f"{name.upper()} {line_of(value)}" for name, value in said if value is not None)
