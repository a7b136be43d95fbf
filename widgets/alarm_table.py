"""The list of what needs a person: its model and its table."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from PySide6.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

from app.model.config import Priority
from app.model.station import Station
from app.model.views import AlarmRow
from widgets import blink, language
from widgets.alarm_words import (
    CONDITION_WORDS,
    PRIORITY_WORDS,
    RANK,
    STATE_WORDS,
    message_text,
    source_name,
    unacknowledged,
    urgency,
    value_text,
)
from widgets.cells import Cell, CellDelegate, CellModel
from widgets.icons import PRIORITY_TOKENS
from widgets.language import tr
from widgets.tables import COPY_ROLE, Table
from widgets.times import clock_text, moment_text

_Index = QModelIndex | QPersistentModelIndex


class AlarmColumn(IntEnum):
    PRIORITY = 0
    RAISED = 1
    DEVICE = 2
    MESSAGE = 3
    CONDITION = 4
    VALUE = 5
    STATE = 6
    SOURCE = 7


_ALARM_TITLES: Final = ("Priority", "Raised", "Device", "Alarm", "Condition", "Value (limit)", "State", "Id")


class AlarmModel(CellModel):
    """Active and unacknowledged alarms, the most important first unless a column was clicked."""

    def __init__(self, station: Station, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._station = station
        self._all: tuple[AlarmRow, ...] = ()
        self._needle: tuple[str, ...] = ()
        self._priorities: frozenset[Priority] = frozenset(Priority)
        self._order: tuple[int, Qt.SortOrder] | None = None
        self._now_ns = 0
        self.rows: list[AlarmRow] = []
        language.changed.connect(self._on_language)
        blink.changed.connect(self._on_blink)

    def set_rows(self, rows: Sequence[AlarmRow], now_ns: int) -> None:
        """What is active now."""
        self._all, self._now_ns = tuple(rows), now_ns
        self._arrange()

    def set_filter(self, text: str, priorities: frozenset[Priority]) -> None:
        """Rows of these priorities in which every word occurs."""
        self._needle, self._priorities = tuple(text.lower().split()), priorities
        self._arrange()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self._order = (column, order)
        self._arrange()

    def _arrange(self) -> None:
        rows = [row for row in self._all if row.priority in self._priorities and self._matches(row)]
        rows.sort(key=urgency)
        if self._order is not None:
            column, order = self._order
            rows.sort(key=lambda row: self._key(row, column), reverse=order is Qt.SortOrder.DescendingOrder)
        if [row.id for row in rows] == [row.id for row in self.rows]:
            self.rows = rows  # the same list in new states: selection and scroll stay
            self._repaint()
            return
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def _matches(self, row: AlarmRow) -> bool:
        if not self._needle:
            return True
        text = f"{row.source} {source_name(self._station, row.source)} {row.message.en} {row.message.zh}".lower()
        return all(word in text for word in self._needle)

    def _key(self, row: AlarmRow, column: int) -> tuple[float | str, ...]:
        if column == AlarmColumn.PRIORITY:
            return (RANK[row.priority], -row.raised)
        if column == AlarmColumn.RAISED:
            return (row.raised,)
        return (self._text(row, column),)

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own default)
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(AlarmColumn)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return tr(_ALARM_TITLES[section])
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid() or index.row() >= len(self.rows):
            return None
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, index.column())
        if role == COPY_ROLE and index.column() == AlarmColumn.RAISED:
            return clock_text(row.raised, self._station.zone)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(row)
        return None

    def cell(self, row: int, column: int) -> Cell:
        alarm = self.rows[row]
        text = self._text(alarm, column)
        if column == AlarmColumn.PRIORITY:
            open_ = unacknowledged(alarm)
            token = PRIORITY_TOKENS[alarm.priority]
            outline = token if open_ and blink.still() else ""
            return Cell(text, token, bold=open_, frame=outline, shape=alarm.priority, filled=open_ and blink.lit())
        if column == AlarmColumn.MESSAGE:
            return Cell(text, bold=unacknowledged(alarm))
        soft = column in {AlarmColumn.CONDITION, AlarmColumn.SOURCE, AlarmColumn.RAISED}
        return Cell(text, "ink-soft" if soft else "ink")

    def _text(self, row: AlarmRow, column: int) -> str:
        if column == AlarmColumn.PRIORITY:
            return tr(PRIORITY_WORDS[row.priority])
        if column == AlarmColumn.RAISED:
            return moment_text(row.raised, self._station.zone, self._now_ns)
        if column == AlarmColumn.DEVICE:
            return source_name(self._station, row.source)
        if column == AlarmColumn.MESSAGE:
            return message_text(self._station, row)
        if column == AlarmColumn.CONDITION:
            return tr(CONDITION_WORDS.get(row.condition, row.condition))
        if column == AlarmColumn.VALUE:
            return value_text(self._station, row)
        if column == AlarmColumn.STATE:
            return tr(STATE_WORDS[row.state])
        return row.source

    def _tip(self, row: AlarmRow) -> str:
        zone = self._station.zone
        lines = [row.message.in_(language.name()), row.source, tr("Raised: {time}", time=clock_text(row.raised, zone))]
        if row.returned:
            lines.append(tr("Returned: {time}", time=clock_text(row.returned, zone)))
        if row.acknowledged:
            who = row.acknowledged_by
            lines.append(tr("Acknowledged: {time} by {who}", time=clock_text(row.acknowledged, zone), who=who))
        return "\n".join(lines)

    def _repaint(self, column: int | None = None) -> None:
        if self.rows:
            left, right = (0, len(AlarmColumn) - 1) if column is None else (column, column)
            self.dataChanged.emit(self.index(0, left), self.index(len(self.rows) - 1, right))

    def _on_blink(self) -> None:
        self._repaint(AlarmColumn.PRIORITY)

    def _on_language(self) -> None:
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(AlarmColumn) - 1)
        self._arrange()


class AlarmTable(Table):
    """The active list. A acknowledges what is selected, Enter opens the device."""

    acknowledge_asked = Signal(list)
    """Ids of the alarms."""
    device_asked = Signal(str)

    def __init__(self, model: AlarmModel, parent: QWidget | None = None) -> None:
        super().__init__(model, parent)
        self.alarms = model
        self.setItemDelegate(CellDelegate(self))
        self.set_widths((100, 116, 150, 200, 90, 140, 176, 150), stretch=AlarmColumn.MESSAGE)
        self.setColumnHidden(AlarmColumn.SOURCE, True)
        self._kept: list[int] = []
        model.modelAboutToBeReset.connect(self._keep_selection)
        model.modelReset.connect(self._restore_selection)
        self.doubleClicked.connect(lambda index: self.device_asked.emit(self.alarms.rows[index.row()].source))

    def selected_ids(self) -> list[int]:
        """Ids of the selected alarms."""
        return [self.alarms.rows[row].id for row in self.selected_rows()]

    def _keep_selection(self) -> None:
        self._kept = self.selected_ids()

    def _restore_selection(self) -> None:
        """Alarms came, went or moved: what a person had chosen stays chosen."""
        chosen = QItemSelection()
        for row, alarm in enumerate(self.alarms.rows):
            if alarm.id in self._kept:
                chosen.select(self.alarms.index(row, 0), self.alarms.index(row, 0))
        flags = QItemSelectionModel.SelectionFlag
        self.selectionModel().select(chosen, flags.ClearAndSelect | flags.Rows)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        rows = self.selected_rows()
        if event.key() == Qt.Key.Key_A and not event.modifiers() and rows:
            self.acknowledge_asked.emit(self.selected_ids())
        elif event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter} and rows:
            self.device_asked.emit(self.alarms.rows[rows[0]].source)
        else:
            super().keyPressEvent(event)
