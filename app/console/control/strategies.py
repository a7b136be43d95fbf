"""Strategies: which run, live or in shadow, and what each does now."""

from __future__ import annotations

from functools import partial
from typing import Final

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QLineEdit

from app.console.control.devices import LOOK_MS
from app.console.pages.page import Context
from app.console.tab import Tab
from app.model.control import RANK_NAMES, Running, StrategyRow
from widgets import language
from widgets.cells import Cell
from widgets.language import tr

RUNNING: Final = {Running.LIVE: "runs live", Running.SHADOW: "in shadow", Running.OFF: "off"}


class StrategiesTab(Tab):
    title = "Strategies"
    reads = "control.state"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.reason = QLineEdit()
        self.verbs.addWidget(self.reason, 1)
        self._run = {how: self.verb(partial(self._on_run, how)) for how in RUNNING}
        self.rows = self.table(
            ("Strategy", "Id", "Runs", "Rank", "Devices", "Parameters", "Now"),
            (150, 110, 80, 110, 180, 240, 300), self._tell, stretch=6,
        )  # fmt: skip
        self.column.addWidget(self.rows, 1)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._timer.start()

    def _tell(self, row: StrategyRow) -> list[Cell | str]:
        tongue = language.name()
        params = ", ".join(f"{key} {value}" for key, value in row.params.items())
        runs = Cell(tr(RUNNING[row.running]), "ink" if row.running is Running.LIVE else "ink-soft",
                    bold=row.running is Running.LIVE)  # fmt: skip
        return [row.name.in_(tongue), Cell(row.id, "ink-soft"), runs, RANK_NAMES[row.rank].in_(tongue),
                ", ".join(row.devices), params, Cell(row.why.in_(tongue), bold=not row.sound)]  # fmt: skip

    def _look(self) -> None:
        if self.isVisible() and not self._denied:
            self.read()

    def read(self) -> None:
        rows = self.context.facade.control.state().strategies
        self.rows.rows_model.refresh(rows)
        if not rows:
            self.say(tr("The station has no strategies.yaml, or it names none."))
        self.show_rights()

    def clear(self) -> None:
        self.rows.rows_model.set_rows([])

    def retranslate(self) -> None:
        self.reason.setPlaceholderText(tr("Reason, for the ledger"))
        self.reason.setAccessibleName(tr("Reason, for the ledger"))
        words = {Running.LIVE: "Run live", Running.SHADOW: "Run in shadow", Running.OFF: "Switch off"}
        for how, button in self._run.items():
            button.setText(tr(words[how]))
        self.show_rights()

    def show_rights(self) -> None:
        row: StrategyRow | None = self.rows.chosen()
        for how, button in self._run.items():
            self.may(button, "control.run_strategy", able=row is not None and row.running is not how)

    def _on_run(self, how: Running) -> None:
        row: StrategyRow = self.rows.chosen()
        reason, name = self.reason.text().strip(), row.name.in_(language.name())
        words = tr("{name}: {how}", name=name, how=tr(RUNNING[how]))
        self.do(lambda: self.context.facade.control.run_strategy(row.id, how, reason), lambda _: self.say(words))
