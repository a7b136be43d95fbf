"""Try before you trust: what strategies would have made of what was recorded, as curves and a table."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QPushButton, QSplitter, QVBoxLayout

from app.console.pages.page import Context
from app.model.backtest import Report, Side
from app.model.clock import SECOND_NS
from widgets.cells import Cell
from widgets.curves import Curve, Curves
from widgets.language import told, tr
from widgets.rows_table import RowsTable

PERIODS: Final = {"the last day": 1, "the last 7 days": 7, "the last 30 days": 30, "the last year": 365}
_DAY_NS: Final = 86400 * SECOND_NS


@dataclass(frozen=True, slots=True)
class Compared:
    """A line of the comparison."""

    what: str
    unit: str
    before: float
    after: float


_SIDES: Final[tuple[tuple[str, str, Callable[[Side], float]], ...]] = (
    ("Imported", "kWh", lambda side: side.import_kwh),
    ("Exported", "kWh", lambda side: side.export_kwh),
    ("Highest quarter of an hour", "kW", lambda side: side.peak_kw),
    ("Cost of energy", "CNY", lambda side: side.energy_cost),
    ("Cost of demand", "CNY", lambda side: side.demand_cost),
)


def compared(report: Report) -> list[Compared]:
    """What is known of both sides, and what the storage did for it."""
    rows = [Compared(what, unit, get(report.before), get(report.after)) for what, unit, get in _SIDES]
    rows = [one for one in rows if not math.isnan(one.before)]
    for used in report.storage:
        rows.append(Compared(f"{used.device}: {tr('full cycles')}", "", 0.0, used.cycles))
        rows.append(Compared(f"{used.device}: {tr('lowest state of charge')}", "%", math.nan, used.soc_low))
    if report.pv_lost_kwh > 0:
        rows.append(Compared("PV that was limited", "kWh", 0.0, report.pv_lost_kwh))
    return rows


class TrialCard(QFrame):
    """Of the strategy that is chosen beside it."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.setObjectName("card")
        self.context = context
        self.strategy = self.key = self.value = ""
        """What is tried: a strategy, and a parameter of it that was typed and not saved."""
        self.head, self.note = QLabel(), QLabel()
        self.head.setProperty("heading", True)
        self.note.setWordWrap(True)
        self.period = QComboBox()
        self.run = QPushButton()
        self.run.clicked.connect(self.try_out)
        row = QHBoxLayout()
        row.addWidget(self.head)
        row.addStretch(1)
        row.addWidget(self.period)
        row.addWidget(self.run)
        self.curves = Curves(context.facade.station.zone, "kW")
        titles, widths = ("", "Doing nothing", "With strategies", "Difference"), (200, 130, 130, 110)
        self.rows = RowsTable(titles, widths, self._tell, stretch=0)
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.setHandleWidth(8)
        split.addWidget(self.curves)
        split.addWidget(self.rows)
        split.setSizes([260, 180])
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 10, 8)
        column.addLayout(row)
        column.addWidget(self.note)
        column.addWidget(split, 1)
        self._report: Report | None = None
        self.runs = False
        """A trial is under way."""
        self._words: tuple[str, dict[str, object]] = ("Choose a strategy and try it before it is enabled.", {})

    def _tell(self, one: Compared) -> list[Cell | str]:
        unit = f", {one.unit}" if one.unit else ""
        difference = one.after - one.before
        return [f"{tr(one.what)}{unit}", Cell(_number(one.before), right=True), Cell(_number(one.after), right=True),
                Cell("–" if math.isnan(difference) else f"{difference:+,.1f}", right=True)]  # fmt: skip

    def retranslate(self) -> None:
        chosen = max(self.period.currentIndex(), 0)
        self.period.clear()
        for words, days in PERIODS.items():
            self.period.addItem(tr(words), days)
        self.period.setCurrentIndex(chosen)
        self.period.setAccessibleName(tr("Period"))
        self.head.setText(tr("Try it"))
        self.run.setText(tr("Try"))
        self.curves.setAccessibleName(tr("Curves of the trial"))
        words, values = self._words
        self.note.setText(tr(words, **values))
        self._show_curves()

    def choose(self, strategy: str, key: str = "", value: str = "") -> None:
        """This would be tried."""
        self.strategy, self.key, self.value = strategy, key, value

    def try_out(self) -> None:
        """Over the period that is chosen, until now."""
        facade, days = self.context.facade, int(self.period.currentData())
        end = self.context.bridge.snapshot.taken
        self._say("Trying over {period}: nothing is commanded.", period=tr(self._period()))
        self.run.setEnabled(False)
        answer = facade.strategies.try_out(end - days * _DAY_NS, end, self.strategy, self.key, self.value)
        tried = f"{self.strategy}, {self.key} {self.value}" if self.key else self.strategy or tr("all that are not off")
        self.runs = True
        self.context.bridge.ask(
            answer, self, lambda report: self._on_report(report, tried), self._on_error, slot="trial"
        )

    def _period(self) -> str:
        return list(PERIODS)[self.period.currentIndex()]

    def _on_report(self, report: Report, tried: str) -> None:
        self.runs = False
        self.run.setEnabled(True)
        self._report = report
        self.rows.rows_model.set_rows(compared(report))
        self._say("Tried: {what}, over {n} quarters of an hour, {m} of them without a record.",
                  what=tried, n=f"{report.steps:,}", m=f"{report.unknown:,}")  # fmt: skip
        if report.unsound:
            self._say("What {what} goes by was not known in {n} of {m} quarters of an hour: its devices went by their "
                      "policy.", what=", ".join(report.unsound), n=f"{max(report.unsound.values()):,}",
                      m=f"{report.steps:,}")  # fmt: skip
        self._show_curves()

    def _on_error(self, error: BaseException) -> None:
        self.runs = False
        self.run.setEnabled(True)
        self._words = ("{why}", {"why": told(error)})
        self.note.setText(told(error))

    def _say(self, words: str, **values: object) -> None:
        self._words = (words, values)
        self.note.setText(tr(words, **values))

    def _show_curves(self) -> None:
        report = self._report
        if report is not None:
            pairs = ((tr("Doing nothing"), report.before_kw), (tr("With strategies"), report.after_kw))
            self.curves.show_curves(report.time_ns, [Curve(name, kw, pen) for pen, (name, kw) in enumerate(pairs)])
            self.rows.rows_model.set_rows(compared(report))


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:,.1f}"
