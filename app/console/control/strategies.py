"""Strategies: which run, live or in shadow, and what each does now."""

from __future__ import annotations

from functools import partial
from typing import Final

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.console.control.adding import AddCard
from app.console.control.devices import LOOK_MS
from app.console.control.trial import TrialCard
from app.console.pages.page import Context
from app.console.tab import Tab
from app.model.control import RANK_NAMES, ParamRow, Running, StrategyRow, TemplateRow
from widgets import language
from widgets.cells import Cell
from widgets.language import tr
from widgets.rows_table import RowsTable

_LONG: Final = 10
RUNNING: Final = {Running.LIVE: "runs live", Running.SHADOW: "in shadow", Running.OFF: "off"}


class StrategiesTab(Tab):
    title = "Strategies"
    reads = "control.state"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.reason = QLineEdit()
        self.verbs.addWidget(self.reason, 1)
        self._run = {how: self.verb(partial(self._on_run, how)) for how in RUNNING}
        self._open, self._remove = self.verb(self._on_open), self.verb(self._on_remove)
        self.rows = self.table(
            ("Strategy", "Id", "Runs", "Rank", "Devices", "Parameters", "Now"),
            (150, 110, 80, 110, 180, 240, 300), self._tell, stretch=6,
        )  # fmt: skip
        self.column.addWidget(self.rows, 2)
        self.column.addWidget(self._below(), 5)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._timer.start()

    def _below(self) -> QWidget:
        """Of the strategy that is chosen: its parameters, and what it would have done."""
        card = QFrame()
        card.setObjectName("card")
        self.head, self.value, self.change = QLabel(), QLineEdit(), QPushButton()
        self.head.setProperty("heading", True)
        self.change.clicked.connect(self._on_change)
        self.value.textChanged.connect(lambda *_: self.show_rights())
        titles, widths = ("Parameter", "Value", "Unit", "Default", "Meaning"), (120, 90, 45, 90, 200)
        self.params = RowsTable(titles, widths, self._tell_param, stretch=4)
        self.params.selectionModel().selectionChanged.connect(lambda *_: self._on_param())
        row = QHBoxLayout()
        row.addWidget(self.value, 1)
        row.addWidget(self.change)
        self.adding = AddCard(self.context)
        self.adding.changed.connect(self.show_rights)
        self.adding.add.clicked.connect(self._on_add)
        self.adding.cancel.clicked.connect(lambda: self._turn(card))
        column = QVBoxLayout(card)
        column.setContentsMargins(10, 8, 10, 8)
        column.addWidget(self.head)
        column.addWidget(self.params, 1)
        column.addLayout(row)
        self.trial = TrialCard(self.context)
        split = QSplitter()
        split.setChildrenCollapsible(False)
        split.setHandleWidth(8)
        self.left = QStackedWidget()
        self.left.addWidget(card)
        self.left.addWidget(self.adding)
        split.addWidget(self.left)
        split.addWidget(self.trial)
        split.setSizes([560, 760])
        self._of = ""
        """The strategy whose parameters are shown."""
        return split

    def _tell_param(self, one: ParamRow) -> list[Cell | str]:
        return [one.key, Cell(one.value or "–", bold=bool(one.value)), Cell(one.unit, "ink-soft"),
                Cell(one.default or "–", "ink-soft"), one.meaning.in_(language.name())]  # fmt: skip

    def _tell(self, row: StrategyRow) -> list[Cell | str]:
        tongue = language.name()
        params = ", ".join(f"{key} {_said(value)}" for key, value in row.params.items())
        runs = Cell(tr(RUNNING[row.running]), "ink" if row.running is Running.LIVE else "ink-soft",
                    bold=row.running is Running.LIVE)  # fmt: skip
        return [row.name.in_(tongue), Cell(row.id, "ink-soft"), runs, RANK_NAMES[row.rank].in_(tongue),
                ", ".join(row.devices), params, Cell(row.why.in_(tongue), bold=not row.sound)]  # fmt: skip

    def _look(self) -> None:
        if self.isVisible() and not self._denied:
            self.read()

    def read(self) -> None:
        rows, first = self.context.facade.control.state().strategies, not self.rows.rows_model.rows
        self.rows.refresh(rows, _id)
        if rows and first and self.rows.chosen() is None:
            self.rows.selectRow(0)
        if not rows:
            self.say(tr("The station has no strategies.yaml, or it names none."))
        self.show_rights()

    def resume(self, before: Tab) -> None:
        if isinstance(before, StrategiesTab) and before.rows.rows_model.rows:
            self.reason.setText(before.reason.text())
            self.read()
            row: StrategyRow | None = before.rows.chosen()
            self.rows.choose(row.id if row is not None else None, _id)
            if before.note.isVisibleTo(before):
                self.say(before.note.text())

    def clear(self) -> None:
        self.rows.rows_model.set_rows([])
        self.params.rows_model.set_rows([])
        self._of = ""

    def retranslate(self) -> None:
        self.reason.setPlaceholderText(tr("Reason, for the ledger"))
        self.reason.setAccessibleName(tr("Reason, for the ledger"))
        self.value.setPlaceholderText(tr("Value; empty for the default"))
        self.value.setAccessibleName(tr("Value; empty for the default"))
        self.change.setText(tr("Change"))
        self.trial.retranslate()
        self.adding.retranslate()
        self._open.setText(tr("Add…"))
        self._remove.setText(tr("Remove"))
        words = {Running.LIVE: "Run live", Running.SHADOW: "Run in shadow", Running.OFF: "Switch off"}
        for how, button in self._run.items():
            button.setText(tr(words[how]))
        self.show_rights()

    def show_rights(self) -> None:
        row: StrategyRow | None = self.rows.chosen()
        for how, button in self._run.items():
            self.may(button, "control.run_strategy", able=row is not None and row.running is not how)
        self.may(self._open, "strategies.add")
        rests = row is not None and row.running is Running.OFF
        self.may(self._remove, "strategies.remove", able=rests, hint="" if rests else tr("Switch it off first"))
        why = self.adding.missing()
        self.adding.note.setText(why)
        self.may(self.adding.add, "strategies.add", able=not why, hint=why)
        self._show_params(row)
        param: ParamRow | None = self.params.chosen()
        self.may(self.change, "strategies.change", able=param is not None and self.value.text().strip() != param.value)
        self.may(self.trial.run, "strategies.try_out", able=row is not None and not self.trial.runs)
        typed = param is not None and self.value.text().strip() not in ("", param.value)
        key, value = (param.key, self.value.text().strip()) if param is not None and typed else ("", "")
        self.trial.choose(row.id if row is not None else "", key, value)

    def _show_params(self, row: StrategyRow | None) -> None:
        """Of another strategy, or of the same one with other values."""
        given = (row.id, str(row.params)) if row is not None else ("", "")
        name = " · ".join(one for one in (row.id, row.template) if one) if row is not None else ""
        self.head.setText(tr("Parameters of {name}", name=name) if name else tr("Parameters"))
        if f"{given}" == self._of:
            return
        self._of = f"{given}"
        self.params.rows_model.set_rows(self.context.facade.strategies.parameters(row.id) if row is not None else [])
        self.value.clear()

    def _on_param(self) -> None:
        param: ParamRow | None = self.params.chosen()
        self.value.setText(param.value if param is not None else "")
        self.show_rights()

    def _on_change(self) -> None:
        row: StrategyRow = self.rows.chosen()
        param: ParamRow = self.params.chosen()
        value, reason = self.value.text().strip(), self.reason.text().strip()
        words = tr("{name}: {key} is {value} now", name=row.id, key=param.key, value=value or param.default)
        self.do(
            lambda: self.context.facade.strategies.change(row.id, param.key, value, reason),
            lambda _: self.say(words),
        )

    def _turn(self, card: QWidget) -> None:
        """Show one of the two cards on the left."""
        self.left.setCurrentWidget(card)
        self.show_rights()

    def _on_open(self) -> None:
        state = self.context.facade.control.state()

        def show(rows: list[TemplateRow]) -> None:
            self.adding.open(rows, state.channels, frozenset(one.id for one in state.strategies))
            self._turn(self.adding)

        self.ask(self.context.facade.strategies.templates(), show, "templates")

    def _on_add(self) -> None:
        id_, template, devices, params = self.adding.asked()
        reason, words = self.reason.text().strip(), tr("{name} runs in shadow now: try it, then run it live", name=id_)

        def done(_: object) -> None:
            self._turn(self.left.widget(0))
            at = next((k for k, row in enumerate(self.rows.rows_model.rows) if row.id == id_), 0)
            self.rows.selectRow(at)
            self.say(words)

        self.do(lambda: self.context.facade.strategies.add(id_, template, devices, params, reason), done)

    def _on_remove(self) -> None:
        row: StrategyRow = self.rows.chosen()
        reason, words = self.reason.text().strip(), tr("{name} is removed", name=row.id)
        self.do(lambda: self.context.facade.strategies.remove(row.id, reason), lambda _: self.say(words))

    def _on_run(self, how: Running) -> None:
        row: StrategyRow = self.rows.chosen()
        reason, name = self.reason.text().strip(), row.name.in_(language.name())
        words = tr("{name}: {how}", name=name, how=tr(RUNNING[how]))
        self.do(lambda: self.context.facade.control.run_strategy(row.id, how, reason), lambda _: self.say(words))


def _id(row: StrategyRow) -> str:
    return row.id


def _said(value: object) -> str:
    """A list as its file has it, and not as Python does; of a long one how many."""
    if not isinstance(value, list | tuple):
        return str(value)
    return f"[{', '.join(map(str, value))}]" if len(value) < _LONG else f"({len(value)})"
