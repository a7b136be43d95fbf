"""The audit: who did what, searched, verified and written to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QComboBox, QFileDialog, QLineEdit, QPlainTextEdit, QSplitter

from app.console.pages.page import Context
from app.console.system.words import meant, word
from app.console.tab import Tab
from app.model.audit import AuditFilter, AuditRow, Result, Verdict
from app.model.clock import SECOND_NS
from widgets.cells import Cell
from widgets.language import name as language
from widgets.language import tr

_PAGE: Final = 200
_SETTLE_MS: Final = 300
RESULTS: Final = {
    Result.DONE: "done", Result.ASKED: "asked", Result.FAILED: "failed", Result.DENIED: "denied",
}  # fmt: skip
PERIODS: Final = {0: "any time", 1: "last hour", 24: "last day", 7 * 24: "last 7 days", 30 * 24: "last 30 days"}
"""By their hours."""


class AuditTab(Tab):
    title = "Audit"
    reads = "audit.rows"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(self.reload)
        self.search, self.period, self.result = QLineEdit(), QComboBox(), QComboBox()
        self.search.setClearButtonEnabled(True)
        self.verbs.addWidget(self.search, 1)
        for choice in (self.period, self.result):
            choice.setMinimumWidth(120)
            choice.currentIndexChanged.connect(lambda *_: self._settle.start())
            self.verbs.addWidget(choice)
        self._verify, self._export = self.verb(self._on_verify), self.verb(self._on_export)
        self.rows = self.table(
            ("Time", "Who", "What", "Target", "Result", "Reason", "From"), (170, 90, 180, 110, 80, 240, 120),
            self._tell, stretch=5,
        )  # fmt: skip
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setMaximumBlockCount(500)
        split = QSplitter()
        split.setChildrenCollapsible(False)
        split.setHandleWidth(8)
        split.addWidget(self.rows)
        split.addWidget(self.details)
        split.setStretchFactor(0, 1)
        split.setSizes([1000, 240])
        self.column.addWidget(split, 1)
        self.search.textChanged.connect(lambda *_: self._settle.start())
        self.rows.more_asked.connect(self._on_more)
        self._whole = self._asking = False
        self._dialog: QFileDialog | None = None

    def wanted(self) -> AuditFilter:
        """As it is searched for now."""
        chosen, hours, text = self.result.currentData(), self.period.currentData(), self.search.text().strip()
        return AuditFilter(
            text=text,
            meant=tuple(meant(text)) if text else (),
            results=(chosen,) if chosen else (),
            start=self.context.bridge.snapshot.taken - hours * 3600 * SECOND_NS if hours else 0,
        )

    def _tell(self, row: AuditRow) -> list[Cell | str]:
        bad = row.result in {Result.DENIED, Result.FAILED}
        ended = tr(RESULTS[Result(row.result)]) if row.result in RESULTS else row.result
        return [
            Cell(self.moment(row.time), "ink-soft"), row.actor, word(row.what, language()), row.target,
            Cell(ended, bold=bad), row.reason, Cell(row.origin, "ink-soft"),
        ]  # fmt: skip

    def read(self) -> None:
        self._asking = True
        self.ask(self.context.facade.audit.rows(self.wanted(), _PAGE), self._on_first, "rows")

    def _on_first(self, rows: list[AuditRow]) -> None:
        self._asking, self._whole = False, len(rows) < _PAGE
        self.rows.rows_model.set_rows(rows)
        self.show_rights()

    def _on_more(self) -> None:
        rows = self.rows.rows_model.rows
        if rows and not self._whole and not self._asking:
            self._asking = True
            future = self.context.facade.audit.rows(self.wanted(), _PAGE, rows[-1].id)
            self.ask(future, self._on_older, "rows")

    def _on_older(self, rows: list[AuditRow]) -> None:
        self._asking, self._whole = False, len(rows) < _PAGE
        self.rows.rows_model.add_rows(rows)

    def clear(self) -> None:
        self.rows.rows_model.set_rows([])
        self.details.clear()

    def retranslate(self) -> None:
        self.search.setPlaceholderText(tr("Search who, what, target, reason, details"))
        self.search.setAccessibleName(tr("Search who, what, target, reason, details"))
        _offer(self.period, [(tr(words), hours) for hours, words in PERIODS.items()])
        _offer(self.result, [(tr("all results"), ""), *((tr(words), result) for result, words in RESULTS.items())])
        self.period.setAccessibleName(tr("Period"))
        self.result.setAccessibleName(tr("Result"))
        self.details.setAccessibleName(tr("Details"))
        self.details.setPlaceholderText(tr("Choose a row to see its details, before and after."))
        self._verify.setText(tr("Verify"))
        self._export.setText(tr("Export…"))
        self.show_rights()

    def show_rights(self) -> None:
        self.may(self._verify, "audit.verify", hint=tr("Look at every row of the chain, and at heads kept elsewhere"))
        self.may(self._export, "audit.export", hint=tr("Write what is searched for to CSV or Excel"))
        row: AuditRow | None = self.rows.chosen()
        words = [] if row is None else [f"#{row.id}  {row.what}\n{row.hash}", row.details, row.before, row.after]
        text = "\n\n".join(word for word in words if word)
        if text != self.details.toPlainText():
            self.details.setPlainText(text)

    def _on_verify(self) -> None:
        self.say(tr("looking at every row"))
        self.ask(self.context.facade.audit.verify(), self._on_verdict, "verify")

    def _on_verdict(self, verdict: Verdict) -> None:
        n, heads = f"{verdict.rows:,}", f"{verdict.heads_checked:,}"
        if verdict.sound:
            self.say(tr("Sound: {n} rows, and {m} heads that were kept elsewhere.", n=n, m=heads))
        else:
            self.say(tr("NOT SOUND: {why}; {n} rows before it are sound.", why=verdict.fault, n=n), bad=True)

    def _on_export(self) -> None:
        if self._dialog is not None:
            self._dialog.deleteLater()
        dialog = QFileDialog(self.window(), tr("Export to"))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters(["CSV (*.csv)", "Excel (*.xlsx)"])
        dialog.setDefaultSuffix("csv")
        dialog.selectFile(f"{self.context.facade.station.id}-audit.csv")
        dialog.setModal(False)
        dialog.fileSelected.connect(lambda file: self.write(Path(file)))
        self._dialog = dialog
        dialog.show()

    def write(self, path: Path) -> None:
        """What is searched for, into a file."""
        wanted = self.wanted()
        self.do(
            lambda: self.context.facade.audit.export(path, wanted),
            lambda count: self.say(tr("{n} rows are in {file}", n=f"{count:,}", file=path)),
        )


def _offer(choice: QComboBox, items: list[tuple[str, object]]) -> None:
    """Words in another language; what is chosen stays chosen."""
    chosen = choice.currentIndex()
    choice.blockSignals(True)
    choice.clear()
    for words, value in items:
        choice.addItem(words, value)
    choice.setCurrentIndex(max(chosen, 0))
    choice.blockSignals(False)
