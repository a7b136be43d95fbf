"""The list of what needs a person, and the journals: models and their texts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
from app.model.station import Point, Station
from app.model.views import AlarmRow, AlarmState, JournalRow
from widgets import blink, language
from widgets.cells import Cell, CellDelegate, CellModel
from widgets.icons import PRIORITY_TOKENS
from widgets.language import tr
from widgets.tables import COPY_ROLE, Table
from widgets.times import clock_text, moment_text
from widgets.values import format_value

_Index = QModelIndex | QPersistentModelIndex
PRIORITY_WORDS: Final[dict[Priority, str]] = {
    Priority.URGENT: "Urgent",
    Priority.HIGH: "High",
    Priority.MEDIUM: "Medium",
    Priority.LOW: "Low",
}
STATE_WORDS: Final[dict[AlarmState, str]] = {
    AlarmState.ACTIVE_UNACKNOWLEDGED: "active, unacknowledged",
    AlarmState.ACTIVE_ACKNOWLEDGED: "active",
    AlarmState.RETURNED_UNACKNOWLEDGED: "returned, unacknowledged",
}
CONDITION_WORDS: Final[dict[str, str]] = {
    "hh": "HH", "h": "H", "l": "L", "ll": "LL", "state": "state", "quality": "quality", "lost": "lost",
    "system": "system",
}  # fmt: skip
WHAT_WORDS: Final[dict[str, str]] = {
    "raised": "raised", "returned": "returned", "acknowledged": "acknowledged", "status": "changed", "system": "system",
}  # fmt: skip
_RANK: Final = {priority: i for i, priority in enumerate(Priority)}


def unacknowledged(row: AlarmRow) -> bool:
    """Whether nobody has seen it yet."""
    return row.state is not AlarmState.ACTIVE_ACKNOWLEDGED


def urgency(row: AlarmRow) -> tuple[bool, int, bool, int]:
    """Sort key, the most important first: unacknowledged, then priority, then active, then the newest."""
    gone = row.state is AlarmState.RETURNED_UNACKNOWLEDGED
    return (not unacknowledged(row), _RANK[row.priority], gone, -row.raised)


def counts(rows: Sequence[AlarmRow]) -> dict[Priority, int]:
    """Priority -> how many unacknowledged."""
    return {p: sum(row.priority is p and unacknowledged(row) for row in rows) for p in Priority}


def by_device(rows: Sequence[AlarmRow]) -> dict[str, tuple[Priority, bool]]:
    """Device id -> (worst priority, whether any is unacknowledged)."""
    found: dict[str, tuple[Priority, bool]] = {}
    for row in rows:
        device = row.source.partition(".")[0]
        priority, open_ = found.get(device, (row.priority, False))
        found[device] = (min(priority, row.priority, key=_RANK.__getitem__), open_ or unacknowledged(row))
    return found


def source_point(station: Station, source: str) -> Point | None:
    """The point that an alarm is about; None for Gridroom's own and for what the config no longer has."""
    index = station.by_name.get(source)
    return station.points[index] if index is not None else None


def source_name(station: Station, source: str) -> str:
    """The device's name in the present language; `Gridroom` for its own alarms."""
    device = station.by_id.get(source.partition(".")[0])
    if device is not None:
        return device.name.in_(language.name())
    return "Gridroom" if source.startswith("_") else source


def value_text(station: Station, row: AlarmRow) -> str:
    """What was measured and the limit: `92.4 °C (90)`."""
    if math.isnan(row.value) or row.condition in {"lost", "quality", "system"}:
        return ""
    point = source_point(station, row.source)
    precision = point.form.precision if point else None
    text = format_value(row.value, precision, row.unit, point.form.states if point else None)
    text = text if math.isnan(row.limit) else f"{text} ({format_value(row.limit)})"
    return text.replace(" ", "\N{NO-BREAK SPACE}")


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
            return (_RANK[row.priority], -row.raised)
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
            return row.message.in_(language.name())
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
