"""The plan of a strategy: 96 points a day, drawn with the mouse, typed, or read from a spreadsheet."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QComboBox, QFileDialog, QLabel, QLineEdit

from app.console.pages.page import Context
from app.console.tab import Tab
from app.model.control import PlanView, StrategyRow
from widgets import language
from widgets.language import tr
from widgets.plan_chart import POINTS, PlanChart

KIND: Final = "plan_tracking"
_HOURS: Final = 0.25


class PlanTab(Tab):
    """What is drawn is only looked at until it is saved; then the running station takes it."""

    title = "Plan"
    reads = "strategies.plan"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.strategy, self.day = QComboBox(), QComboBox()
        self.day.setEditable(True)
        self.day.setMinimumWidth(150)
        self.reason = QLineEdit()
        self.strategy.currentIndexChanged.connect(lambda *_: self._ask_plan())
        self.day.activated.connect(lambda *_: self._on_day())
        typed = QLineEdit()
        typed.setStyleSheet("border: 0; padding: 0; background: transparent")  # the box around it has both
        typed.editingFinished.connect(self._on_day)
        self.day.setLineEdit(typed)
        self.verbs.addWidget(self.strategy)
        self.verbs.addWidget(self.day)
        self.verbs.addWidget(self.reason, 1)
        self._import, self._undo, self._clear, self._save = (
            self.verb(run) for run in (self._on_import, self._show_day, self._on_clear, self._on_save)
        )
        self.chart = PlanChart()
        self.chart.changed.connect(self._on_drawn)
        self.now = QLabel()
        self.column.addWidget(self.chart, 1)
        self.column.addWidget(self.now)
        self._plan: PlanView | None = None
        self._shown_day = ""
        self._dialog: QFileDialog | None = None
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.timeout.connect(self.show_rights)

    # -------------------------------------------------------------------------------------------------------- reading

    def read(self) -> None:
        if self.chart.is_changed:
            return  # what is drawn is not lost by looking elsewhere
        rows: list[StrategyRow] = [one for one in self.context.facade.control.state().strategies if one.kind == KIND]
        chosen = self.strategy.currentData()
        self.strategy.blockSignals(True)
        self.strategy.clear()
        for row in rows:
            self.strategy.addItem(f"{row.name.in_(language.name())} ({row.id})", row.id)
        self.strategy.setCurrentIndex(max(self.strategy.findData(chosen), 0))
        self.strategy.blockSignals(False)
        if not rows:
            self.say(tr("No strategy tracks a plan; add one of kind plan_tracking to strategies.yaml."))
        self._ask_plan()

    def resume(self, before: Tab) -> None:
        """What was drawn and not saved goes over."""
        if not isinstance(before, PlanTab):
            return
        self.reason.setText(before.reason.text())
        if before.chart.is_changed:
            self.read()
            self.strategy.setCurrentIndex(max(self.strategy.findData(before.strategy.currentData()), 0))
            self._shown_day = before._shown_day
            self.day.setEditText(self._shown_day or tr("every day"))
            self.chart.draw(before.chart.values)

    def clear(self) -> None:
        self._plan = None
        self.chart.show_plan((math.nan,) * POINTS, -100.0, 100.0)

    def _ask_plan(self) -> None:
        if not self.strategy.currentData():
            self.clear()
            self.show_rights()
            return
        self._plan = self.context.facade.strategies.plan(self.strategy.currentData())
        chosen = self.day.currentText()
        self.day.blockSignals(True)
        self.day.clear()
        self.day.addItem(tr("every day"), "")
        for day in sorted(one for one in self._plan.days if one):
            self.day.addItem(day, day)
        self.day.setCurrentIndex(max(self.day.findText(chosen), 0))
        self.day.blockSignals(False)
        self._show_day()

    @property
    def chosen_day(self) -> str:
        """ISO 8601; empty for every day."""
        text = self.day.currentText().strip()
        return "" if text in ("", tr("every day")) else text

    def _on_day(self) -> None:
        if self.chart.is_changed:  # what is drawn is for the day that is named now
            self._shown_day = self.chosen_day
        elif self.chosen_day != self._shown_day:  # else only the focus went
            self._show_day()

    def _show_day(self) -> None:
        if self._plan is not None:
            self._shown_day = self.chosen_day
            values = self._plan.days.get(self.chosen_day) or (math.nan,) * POINTS
            self.chart.show_plan(values, self._plan.low, self._plan.high)
            self.show_rights()

    # --------------------------------------------------------------------------------------------------------- saying

    def retranslate(self) -> None:
        self.strategy.setAccessibleName(tr("Strategy"))
        self.day.setAccessibleName(tr("Day, such as 2026-12-24"))
        self.day.setToolTip(tr("Day, such as 2026-12-24"))
        self.reason.setPlaceholderText(tr("Reason, for the ledger"))
        self.reason.setAccessibleName(tr("Reason, for the ledger"))
        self.chart.setAccessibleName(tr("Plan of a day, kW, discharge positive"))
        self.chart.setToolTip(tr("Draw with the left button, take away with the right one; arrows, Shift and Delete"))
        self._import.setText(tr("Import..."))
        self._undo.setText(tr("Undo"))
        self._clear.setText(tr("Clear"))
        self._save.setText(tr("Save"))
        if self.day.count():
            self.day.setItemText(0, tr("every day"))
            self.day.setEditText(self._shown_day or tr("every day"))  # what was typed is no item of the list
        self._say_now()

    def show_rights(self) -> None:
        there = self._plan is not None
        self.may(self._import, "strategies.read_plan", able=there)
        self.may(self._save, "strategies.draw_plan", able=there and self.chart.is_changed)
        self.may(self._clear, "strategies.draw_plan", able=there)
        self._undo.setEnabled(there and self.chart.is_changed)
        self.chart.able = there and not self.context.door.why_not("strategies.draw_plan")

    def _on_drawn(self) -> None:
        self._say_now()
        if not self._settle.isActive():
            self._settle.start(0)

    def _say_now(self) -> None:
        """The quarter under the cursor, and the energies of the day."""
        k, values = self.chart.at, self.chart.values
        value = "–" if math.isnan(values[k]) else f"{values[k]:+,.0f} kW"
        known = [one for one in values if not math.isnan(one)]
        out = sum(one for one in known if one > 0) * _HOURS
        into = -sum(one for one in known if one < 0) * _HOURS
        self.now.setText(
            tr("{time}: {value}.  Discharged {out} kWh, charged {into} kWh in a day.",
               time=f"{k // 4:02}:{k % 4 * 15:02}", value=value, out=f"{out:,.0f}", into=f"{into:,.0f}")
        )  # fmt: skip

    # ---------------------------------------------------------------------------------------------------------- doing

    def _on_clear(self) -> None:
        self.chart.draw((math.nan,) * POINTS)

    def _on_save(self) -> None:
        self._on_day()
        strategy, day, reason = str(self.strategy.currentData()), self._shown_day, self.reason.text().strip()
        values = tuple(self.chart.values)

        def done(_: object) -> None:
            self._ask_plan()
            self.say(tr("The plan is saved, and the station follows it."))

        self.say("")
        self.context.door.do(
            lambda: self.context.facade.strategies.draw_plan(strategy, day, values, reason), self, done, self.refuse
        )

    def _on_import(self) -> None:
        if self._dialog is not None:
            self._dialog.deleteLater()
        dialog = QFileDialog(self.window(), tr("Import a plan"))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilter(tr("Plans") + " (*.csv *.xlsx)")
        dialog.setModal(False)
        dialog.fileSelected.connect(lambda file: self.read_file(Path(file)))
        self._dialog = dialog
        dialog.show()

    def read_file(self, path: Path) -> None:
        """Draw what stands in a file; it is saved by hand."""
        answer = self.context.facade.strategies.read_plan(str(self.strategy.currentData()), path)
        self.ask(answer, lambda plan: self._on_read(plan, path), "import")

    def _on_read(self, plan: PlanView, path: Path) -> None:
        day = self.chosen_day
        values = plan.days.get(day) or plan.days.get("") or next(iter(plan.days.values()))
        self.chart.draw(values)
        others = sorted(one for one in plan.days if one and one != day)
        words = tr("{file} is drawn; look at it, and save it.", file=path.name)
        if others:
            words += " " + tr("It also holds {days}: choose such a day and import again.", days=", ".join(others[:5]))
        self.say(words)
