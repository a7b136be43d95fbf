"""Alarms: what needs a person, and the journals of alarms and events."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.console.pages.page import Context, Page
from app.facade import JournalService
from app.model.config import Priority
from app.model.views import AlarmRow, DeviceStatus, Health, JournalRow
from widgets import blink, theme
from widgets.alarm_table import AlarmModel, AlarmTable
from widgets.alarm_words import PRIORITY_WORDS, counts, unacknowledged
from widgets.icons import keep, priority_icon
from widgets.journal_table import JournalModel, JournalTable
from widgets.language import told, tr

JOURNAL_ROWS = 200
"""Asked for at once."""


class _JournalView(QWidget):
    """One journal: its newest rows when it appears, older ones as one scrolls, newer ones on demand and on change."""

    def __init__(self, context: Context, service: JournalService) -> None:
        super().__init__()
        self._context, self._service = context, service
        self._whole = self._asking = False
        self.model = JournalModel(context.facade.station)
        self.table = JournalTable(self.model)
        self.note = QLabel()
        self.note.setProperty("soft", True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.addWidget(self.note)
        column.addWidget(self.table, 1)
        self.table.more_asked.connect(self._on_more)

    def reload(self) -> None:
        """The newest rows again."""
        self._asking = True
        future = self._service.journal(JOURNAL_ROWS, None)
        self._context.bridge.ask(future, self, self._on_first, self._on_error, slot="journal")

    def _on_more(self) -> None:
        if self.model.rows and not self._whole and not self._asking:
            self._asking = True
            future = self._service.journal(JOURNAL_ROWS, self.model.rows[-1].id)
            self._context.bridge.ask(future, self, self._on_older, self._on_error, slot="journal")

    def _on_first(self, rows: list[JournalRow]) -> None:
        self._asking, self._whole = False, len(rows) < JOURNAL_ROWS
        if [row.id for row in rows] != [row.id for row in self.model.rows]:
            self.model.set_rows(rows)
        self.describe()

    def _on_older(self, rows: list[JournalRow]) -> None:
        self._asking, self._whole = False, len(rows) < JOURNAL_ROWS
        self.model.add_rows(rows)
        self.describe()

    def _on_error(self, error: BaseException) -> None:
        self._asking = False
        self.note.setText(tr("The journal cannot be read: {why}", why=told(error)))

    def describe(self) -> None:
        """Say how much is shown."""
        n = f"{len(self.model.rows):,}"
        if not self.model.rows:
            self.note.setText(tr("Nothing yet. What happens from now on is written here, the newest first."))
        elif self._whole:
            self.note.setText(tr("{n} entries", n=n))
        else:
            self.note.setText(tr("the newest {n} entries; scroll down for older ones", n=n))


class AlarmsPage(Page):
    name = "alarms"
    title = "Alarms"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.model = AlarmModel(self.station)
        self.table = AlarmTable(self.model)
        self.table.restore_columns(context.settings.get("alarms.columns", {}))
        self.filter = QLineEdit()
        self.filter.setClearButtonEnabled(True)
        self._priorities = {priority: QToolButton() for priority in Priority}
        self._acknowledge, self._acknowledge_all = QPushButton(), QPushButton()
        keep(self._acknowledge, "check")
        keep(self._acknowledge_all, "checks")
        self._still = QCheckBox()
        self._still.setChecked(blink.still())
        self._trouble = QLabel()
        self._trouble.setProperty("trouble", True)
        self._trouble.setWordWrap(True)
        self._trouble.hide()
        self._empty = QLabel()
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setProperty("soft", True)
        self.journal = _JournalView(context, context.facade.alarms)
        self.events = _JournalView(context, context.facade.events)
        self.tabs = QTabWidget()
        self._lay_out()
        self.filter.textChanged.connect(self._on_filter)
        for button in self._priorities.values():
            button.setCheckable(True)
            button.setChecked(True)
            button.setProperty("sieve", True)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.toggled.connect(self._on_filter)
        self.table.acknowledge_asked.connect(self.acknowledge)
        self.table.device_asked.connect(self._on_device)
        self.table.selectionModel().selectionChanged.connect(self._describe)
        self._acknowledge.clicked.connect(lambda: self.acknowledge(self.table.selected_ids()))
        self._acknowledge_all.clicked.connect(lambda: self.acknowledge([row.id for row in self.model.rows]))
        self._still.toggled.connect(self._on_still)
        self.tabs.currentChanged.connect(self._on_tab)
        find = QShortcut(QKeySequence("Ctrl+F"), self)
        find.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        find.activated.connect(self.filter.setFocus)
        theme.changed.connect(self._describe)
        self.retranslate()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self._acknowledge)
        head.addWidget(self._acknowledge_all)
        head.addSpacing(12)
        for button in self._priorities.values():
            head.addWidget(button)
        head.addWidget(self.filter, 1)
        active = QWidget()
        column = QVBoxLayout(active)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self._trouble)
        column.addWidget(self._empty, 1)
        column.addWidget(self.table, 1)
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.setCornerWidget(self._still)
        for view in (active, self.journal, self.events):
            self.tabs.addTab(view, "")
        whole = QVBoxLayout(self)
        whole.setContentsMargins(12, 8, 12, 12)
        whole.addWidget(self.tabs)

    def retranslate(self) -> None:
        for i, text in enumerate(("Active", "Alarm journal", "Event journal")):
            self.tabs.setTabText(i, tr(text))
        self._acknowledge.setText(tr("Acknowledge"))
        self._acknowledge_all.setText(tr("Acknowledge all shown"))
        self.filter.setPlaceholderText(tr("Filter by device, text or id"))
        self.filter.setAccessibleName(tr("Filter by device, text or id"))
        self._still.setText(tr("Do not blink"))
        self._still.setToolTip(tr("Mark what is unacknowledged by a still outline"))
        self._describe()
        self.journal.describe()
        self.events.describe()

    def main_widget(self) -> QWidget:
        return self.table

    def show_device(self, device_id: str) -> None:
        """The active list, of one device where one is given."""
        self.tabs.setCurrentIndex(0)
        self.filter.setText(f"{device_id}." if device_id else "")

    def acknowledge(self, ids: list[int]) -> None:
        """Tell the station that these were seen."""
        wanted = [row.id for row in self.model.rows if row.id in set(ids) and unacknowledged(row)]
        if wanted:
            self._trouble.hide()
            self.context.door.do(
                lambda: self.context.facade.alarms.acknowledge(wanted), self, lambda _: None, self._on_refused
            )

    def _on_refused(self, error: BaseException) -> None:
        self._trouble.setText(tr("Not acknowledged: {why}", why=told(error)))
        self._trouble.show()

    def show_rights(self) -> None:
        self._describe()

    # --------------------------------------------------------------------------------------------------- live

    def take_alarms(self, rows: tuple[AlarmRow, ...]) -> None:
        self.model.set_rows(rows, self.context.bridge.snapshot.taken)
        self._describe()
        self._reload_journal(only_at_top=True)

    def take_health(self, health: Health, devices: dict[str, DeviceStatus]) -> None:
        if self.tabs.currentWidget() is self.events:
            self._reload_journal(only_at_top=True)

    def remember(self) -> None:
        self.context.settings.set("alarms.columns", self.table.columns())
        self.context.settings.set("alarms.still", blink.still())

    # -------------------------------------------------------------------------------------------------- doing

    def _reload_journal(self, *, only_at_top: bool = False) -> None:
        """Newer rows; not under the hands of somebody who reads older ones."""
        view = self.tabs.currentWidget()
        if isinstance(view, _JournalView) and not (only_at_top and view.table.verticalScrollBar().value()):
            view.reload()

    def _on_tab(self, index: int) -> None:
        self._reload_journal()

    def _on_filter(self, *_: object) -> None:
        chosen = frozenset(priority for priority, button in self._priorities.items() if button.isChecked())
        self.model.set_filter(self.filter.text(), chosen)
        self._describe()

    def _on_still(self, still: bool) -> None:
        blink.set_still(still)

    def _on_device(self, source: str) -> None:
        device = source.partition(".")[0]
        if device in self.station.by_id:
            self.context.intents.device.emit(device)

    def _describe(self, *_: object) -> None:
        rows = self.context.bridge.alarm_rows
        numbers = counts(rows)
        for priority, button in self._priorities.items():
            button.setText(f"{tr(PRIORITY_WORDS[priority])} {numbers[priority]}")
            button.setIcon(priority_icon(priority, calm=not numbers[priority]))
            button.setToolTip(tr("Show or hide this priority; the number is what is unacknowledged"))
        selected = set(self.table.selected_ids())
        waiting = [row for row in self.model.rows if unacknowledged(row)]
        chosen = [row for row in waiting if row.id in selected]
        for verb, rows_, hint in (
            (self._acknowledge, chosen, tr("Acknowledge the selected alarms (A)")),
            (self._acknowledge_all, waiting, ""),
        ):
            devices = {row.source.partition(".")[0] for row in rows_}
            self.context.door.allow(verb, "alarms.acknowledge", able=bool(rows_), hint=hint, devices=devices)
        empty = not self.model.rows
        self._empty.setVisible(empty)
        self.table.setVisible(not empty)
        if rows:
            self._empty.setText(tr("No alarm fits the filter. {n} are hidden by it.", n=len(rows)))
        else:
            self._empty.setText(tr("No alarm. What needs a person will stand here, the most important first."))
