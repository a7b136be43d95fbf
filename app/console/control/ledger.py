"""The ledger: the life of each command, from the wish to what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QFileDialog, QLineEdit, QPlainTextEdit, QSplitter

from app.console.pages.page import Context
from app.console.system.log import RESULTS
from app.console.system.words import meant, word
from app.console.tab import Tab
from app.model.audit import AuditRow, Result
from app.model.control import CLIP_NAMES, Clip
from widgets import language
from widgets.cells import Cell
from widgets.language import tr

_PAGE: Final = 300
_SETTLE_MS: Final = 300


@dataclass(frozen=True, slots=True)
class Life:
    """A command: its first row, and how it ended where it has."""

    asked: AuditRow
    ended: AuditRow | None


def lives(rows: list[AuditRow]) -> list[Life]:
    """Of rows, the newest first: each that asked, with the one that answers it; those that stand alone as they are."""
    answers = {row.asks: row for row in rows if row.asks}
    asked = {row.id for row in rows}
    return [Life(row, answers.get(row.id)) for row in rows if not (row.asks and row.asks in asked)]


class LedgerTab(Tab):
    title = "Ledger"
    reads = "control.ledger"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.search = QLineEdit()
        self.search.setClearButtonEnabled(True)
        self.verbs.addWidget(self.search, 1)
        self._export = self.verb(self._on_export)
        self._dialog: QFileDialog | None = None
        self.rows = self.table(
            ("Time", "Who", "What", "Device", "Asked", "Limited by", "Result", "Took", "Why"),
            (150, 80, 120, 70, 130, 100, 70, 70, 200), self._tell, stretch=8,
        )  # fmt: skip
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        split = QSplitter()
        split.setChildrenCollapsible(False)
        split.setHandleWidth(8)
        split.addWidget(self.rows)
        split.addWidget(self.details)
        split.setStretchFactor(0, 1)
        split.setSizes([1080, 200])
        self.column.addWidget(split, 1)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(self.reload)
        self.search.textChanged.connect(lambda *_: self._settle.start())
        self.rows.more_asked.connect(self._on_more)
        self._all: list[AuditRow] = []
        self._whole = self._asking = False

    def _tell(self, one: Life) -> list[Cell | str]:
        row, ended, tongue = one.asked, one.ended, language.name()
        details = _json(row.details)
        clip = str(details.get("clip", ""))
        limited = CLIP_NAMES[Clip(clip)].in_(tongue) if clip in list(Clip) else clip
        result = ended.result if ended is not None else row.result
        words = tr(RESULTS[Result(result)]) if result in RESULTS else result
        took = f"{(ended.time - row.time) / 1e9:,.2f} s" if ended is not None else "–"
        bad = result in {Result.FAILED, Result.DENIED}
        why = ended.reason if ended is not None and bad and ended.reason else row.reason
        return [Cell(self.moment(row.time), "ink-soft"), row.actor or "–", word(row.what, tongue), row.target,
                _asked(details), limited, Cell(words, bold=bad), Cell(took, right=True), why]  # fmt: skip

    def read(self) -> None:
        self._asking = True
        self.ask(self._page(None), self._on_first, "rows")

    def _page(self, before_id: int | None) -> Any:
        text = self.search.text().strip()
        return self.context.facade.control.ledger(text, tuple(meant(text)) if text else (), _PAGE, before_id)

    def _on_first(self, rows: list[AuditRow]) -> None:
        self._all, self._asking, self._whole = rows, False, len(rows) < _PAGE
        self.rows.rows_model.set_rows(lives(rows))
        self.show_rights()

    def _on_more(self) -> None:
        if self._all and not self._whole and not self._asking:
            self._asking = True
            self.ask(self._page(self._all[-1].id), self._on_older, "rows")

    def _on_older(self, rows: list[AuditRow]) -> None:
        self._all += rows
        self._asking, self._whole = False, len(rows) < _PAGE
        self.rows.rows_model.set_rows(lives(self._all))

    def clear(self) -> None:
        self.rows.rows_model.set_rows([])
        self.details.clear()

    def retranslate(self) -> None:
        self.search.setPlaceholderText(tr("Search who, what, target, reason, details"))
        self.search.setAccessibleName(tr("Search who, what, target, reason, details"))
        self._export.setText(tr("Export..."))
        self.details.setAccessibleName(tr("Details"))
        self.details.setPlaceholderText(tr("Choose a row to see its life."))
        self.show_rights()

    def show_rights(self) -> None:
        self.may(self._export, "control.export_ledger", hint=tr("Write what is searched for to CSV or Excel"))
        one: Life | None = self.rows.chosen()
        rows = [] if one is None else [row for row in (one.asked, one.ended) if row is not None]
        blocks = [
            "\n".join(part for part in (
                f"#{row.id}  {self.moment(row.time)}  {row.result}", row.reason, row.details, row.before, row.after
            ) if part)
            for row in rows
        ]  # fmt: skip
        text = "\n\n".join(blocks)
        if text != self.details.toPlainText():
            self.details.setPlainText(text)

    def _on_export(self) -> None:
        if self._dialog is not None:
            self._dialog.deleteLater()
        dialog = QFileDialog(self.window(), tr("Export to"))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters(["CSV (*.csv)", "Excel (*.xlsx)"])
        dialog.setDefaultSuffix("csv")
        dialog.selectFile(f"{self.context.facade.station.id}-ledger.csv")
        dialog.setModal(False)
        dialog.fileSelected.connect(lambda file: self.write(Path(file)))
        self._dialog = dialog
        dialog.show()

    def write(self, path: Path) -> None:
        """What is searched for, into a file."""
        text = self.search.text().strip()
        self.do(
            lambda: self.context.facade.control.export_ledger(path, text, tuple(meant(text)) if text else ()),
            lambda count: self.say(tr("{n} rows are in {file}", n=f"{count:,}", file=path)),
        )


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _asked(details: dict[str, Any]) -> str:
    """`-250 kW active_power`, `120.5 → 100.0`, `stop`: what was asked, and what was allowed of it."""
    if "requested" in details:
        requested, allowed = details["requested"], details.get("allowed")
        return f"{_short(requested)} → {_short(allowed)}" if requested != allowed else _short(allowed)
    if "value" in details:
        return f"{_short(details['value'])} ({details.get('quantity', '')})"
    return str(details.get("mode") or details.get("role") or details.get("running") or "")


def _short(value: object) -> str:
    return f"{value:,.1f}" if isinstance(value, int | float) else "–"
