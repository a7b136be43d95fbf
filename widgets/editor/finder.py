"""Finding devices: how to look, and who answered. It knows no driver: it tells what one wants, and is told what came.

A find is a proposal; choosing one begins a new device in the editor, and nothing is written here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QSplitter, QVBoxLayout, QWidget

from app.model.commissioning import Proposal
from app.model.durations import parse_duration_s
from app.model.text import Text
from widgets import language
from widgets.cells import Cell, CellDelegate, CellModel
from widgets.editor.connection_form import ConnectionForm
from widgets.editor.draft import DeviceDraft
from widgets.editor.fields import TextField, called
from widgets.editor.templates import kind_text
from widgets.icons import keep
from widgets.language import both, tr
from widgets.tables import Table

FOUND_TITLES: Final = ("Device", "Kind", "Points", "In the file", "Found")
_WIDTHS: Final = (190, 110, 70, 110, 300)
_USUAL: Final = "10s"
_Index = QModelIndex | QPersistentModelIndex


class FoundModel(CellModel):
    """Who answered, in the order in which they did."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: tuple[Proposal, ...] = ()
        self._known: Sequence[Mapping[str, Any]] = ()
        language.changed.connect(self._on_language)

    def show_found(self, rows: Sequence[Proposal]) -> None:
        """All of them; rows that were there stay where they are."""
        if tuple(rows) == self.rows:
            return
        before, after = len(self.rows), len(rows)
        if after > before:
            self.beginInsertRows(QModelIndex(), before, after - 1)
            self.rows = tuple(rows)
            self.endInsertRows()
        else:
            self.beginResetModel()
            self.rows = tuple(rows)
            self.endResetModel()
        self._all_changed()

    def set_known(self, devices: Sequence[Mapping[str, Any]]) -> None:
        """The devices of the file, so that one sees who is there already."""
        self._known = devices
        self._all_changed()

    def known_as(self, proposal: Proposal) -> str:
        """Id of the device of the file that this one is; empty for a new one."""
        return next((str(one.get("id", "")) for one in self._known if _same(proposal.device, one)), "")

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own default)
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(FOUND_TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return tr(FOUND_TITLES[section])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section == 2 else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if index.isValid() and role == Qt.ItemDataRole.DisplayRole:
            return self.cell(index.row(), index.column()).text
        if index.isValid() and role == Qt.ItemDataRole.ToolTipRole:
            return self.rows[index.row()].why.in_(language.name())
        return None

    def cell(self, row: int, column: int) -> Cell:
        proposal = self.rows[row]
        device = proposal.device
        if column == 0:
            return Cell(Text.of(device.get("name") or str(device.get("id", ""))).in_(language.name()))
        if column == 1:
            return Cell(kind_text(str(device.get("kind", ""))), "ink-soft")
        if column == 2:
            points = device.get("points") or ()
            said = f"{len(points):,}" if points or "template" not in device else tr("template")
            return Cell(said, "ink-soft", right=True)
        if column == 3:
            return Cell(self.known_as(proposal), "ink-soft")
        return Cell(proposal.why.in_(language.name()), "ink-soft")

    def _all_changed(self) -> None:
        if self.rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, len(FOUND_TITLES) - 1))

    def _on_language(self) -> None:
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(FOUND_TITLES) - 1)
        self._all_changed()


def _same(found: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Whether a device of the file is reached as the found one is, and reads something of it."""
    reached, there = found.get("connection") or {}, known.get("connection") or {}
    if not reached.items() <= there.items():
        return False
    ours, theirs = ([p.get("address") for p in one.get("points") or ()] for one in (found, known))
    return not ours or not theirs or any(address in theirs for address in ours)


class DeviceFinder(QWidget):
    """Shown in the place of the points, as the editor is."""

    search_asked = Signal(object, float)
    """The connection, a mapping with its driver, and seconds.

    Answer with `show_found`, then `show_ended` or `show_refusal`.
    """
    stop_asked = Signal()
    keys_asked = Signal(str)
    """A driver's keys: answer with `set_keys`."""
    chosen = Signal(object)
    """A device as it would stand in the file; a plain `dict` would lose its order on the way through Qt."""
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._draft = DeviceDraft(None, {})
        self._said: Text | str = ""
        self._searching = self._searched = False
        self.connection = ConnectionForm(complete=False)
        self.seconds = TextField(called("Search for"))
        self.seconds.set_text(_USUAL)
        self.model = FoundModel()
        self.table = Table(self.model)
        self.table.setProperty("verbatim", True)
        self.table.setItemDelegate(CellDelegate(self.table))
        self.table.setSelectionMode(Table.SelectionMode.SingleSelection)
        self.table.set_widths(_WIDTHS)
        self.table.horizontalHeader().setStretchLastSection(True)
        self._title, self._note = QLabel(), QLabel()
        self._title.setProperty("level", "title")
        self._note.setWordWrap(True)
        self._note.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.search, self.add, self.close_ = QPushButton(), QPushButton(), QPushButton()
        keep(self.search, "search")
        keep(self.add, "add")
        self._lay_out()
        self.connection.driver_chosen.connect(self.keys_asked)
        self.connection.edited.connect(self._refresh)
        self.seconds.edited.connect(self._on_seconds)
        self.seconds.edit.returnPressed.connect(self.search.click)
        self.search.clicked.connect(self._on_search)
        self.add.clicked.connect(self._on_add)
        self.close_.clicked.connect(self.closed)
        self.table.doubleClicked.connect(lambda _: self._on_add())
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._refresh())
        language.changed.connect(self._retranslate)
        self._retranslate()

    def _lay_out(self) -> None:
        how = QWidget()
        column = QVBoxLayout(how)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.connection, 1)
        row = QHBoxLayout()
        row.addWidget(self.seconds, 1)
        row.addWidget(self.search, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(row)
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.setHandleWidth(8)
        split.addWidget(how)
        split.addWidget(self.table)
        split.setStretchFactor(0, 1)
        split.setStretchFactor(1, 1)
        foot = QHBoxLayout()
        foot.setSpacing(6)
        foot.addWidget(self._note, 1)
        foot.addWidget(self.add)
        foot.addWidget(self.close_)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(6)
        whole.addWidget(self._title)
        whole.addWidget(split, 1)
        whole.addLayout(foot)

    def set_drivers(self, drivers: Sequence[str]) -> None:
        """Those that can look for devices; the first is chosen where none is yet."""
        self.connection.set_drivers(drivers)
        if not self._draft.form.get("connection") and drivers:
            self._draft.set(("connection",), {"driver": drivers[0]})
            self.connection.show_draft(self._draft)

    def set_keys(self, driver: str, known: Mapping[str, object]) -> None:
        """The keys that a driver knows, with their defaults."""
        self.connection.set_keys(driver, known)

    def set_known(self, devices: Sequence[Mapping[str, Any]]) -> None:
        """The devices of the file."""
        self.model.set_known(devices)

    def show_found(self, proposals: Sequence[Proposal]) -> None:
        """Who has answered so far."""
        self.model.show_found(proposals)
        self._refresh()

    def show_ended(self) -> None:
        """The search is over."""
        self._searching, self._searched = False, True
        self._refresh()

    def show_refusal(self, why: Text | str) -> None:
        """The search could not be made, or went wrong."""
        self._searching, self._said = False, why
        self._refresh()

    # -------------------------------------------------------------------------------------------------- doing

    def _on_seconds(self) -> None:
        self.seconds.set_problem(None if self._seconds() > 0 else both("write a duration, such as 10s"))
        self._refresh()

    def _seconds(self) -> float:
        try:
            return parse_duration_s(self.seconds.text())
        except ValueError:
            return 0.0

    def _on_search(self) -> None:
        if self._searching:
            self.stop_asked.emit()
            self.show_ended()
            return
        self._searching, self._searched, self._said = True, False, ""
        self.model.show_found(())
        self._refresh()
        self.search_asked.emit(dict(self._draft.form.get("connection") or {}), self._seconds())

    def _on_add(self) -> None:
        for row in self.table.selected_rows():
            self.chosen.emit(dict(self.model.rows[row].device))

    # ------------------------------------------------------------------------------------------------ showing

    def _note_text(self) -> str:
        if self._said:
            return self._said.in_(language.name()) if isinstance(self._said, Text) else self._said
        n = len(self.model.rows)
        if self._searching:
            return tr("Searching; {n} found so far. Nothing is written to the field.", n=n)
        if n:
            return tr("{n} found. Choose one to look at it in the editor; nothing is written before you save it.", n=n)
        if self._searched:
            return tr("Nobody answered. Check the connection, or search for longer.")
        return tr("Choose a protocol and where to look. Who answers is listed here, as a proposal.")

    def _refresh(self) -> None:
        self.search.setText(tr("Stop searching") if self._searching else tr("Search"))
        self.search.setEnabled(not self.connection.problems() and self._seconds() > 0)
        self.add.setEnabled(bool(self.table.selected_rows()))
        self._note.setText(self._note_text())
        self._note.setToolTip(self._note.text())
        bad = "bad" if self._said else ""
        if self._note.property("state") != bad:
            self._note.setProperty("state", bad)
            self._note.style().polish(self._note)

    def _retranslate(self) -> None:
        self._title.setText(tr("Find devices"))
        self.add.setText(tr("Open in the editor"))
        self.close_.setText(tr("Close"))
        self.table.setAccessibleName(tr("Found devices"))
        self._refresh()
