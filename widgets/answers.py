"""What points said when they were asked once: value, quality, time, how long it took, or why not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QWidget

from app.model.config import PointForm
from app.model.text import Text
from app.model.units import symbol
from widgets import language
from widgets.cells import Cell, CellDelegate, CellModel
from widgets.language import tr
from widgets.tables import Table
from widgets.times import moment_text
from widgets.values import NOTHING, MarkStyle, format_value, quality_mark

ANSWER_TITLES: Final = ("Point", "Value", "Unit", "Quality", "Source time", "Took", "Remark")
_NUMBERS: Final = (1, 5)
_WIDTHS: Final = (190, 110, 56, 90, 110, 80, 200)
_Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Answer:
    """Of one point. `form` is None where only its name is known."""

    point: str
    form: PointForm | None
    value: float
    quality: int
    time: int
    """Source time, UTC nanoseconds; 0 where nothing came."""
    took_ms: float
    """NaN where it was not measured for this point."""
    remark: Text | None
    waiting: bool = False


class AnswerModel(CellModel):
    """Rows in the order given."""

    def __init__(self, zone: ZoneInfo, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._zone = zone
        self._now_ns = 0
        self.rows: list[Answer] = []
        language.changed.connect(self._on_language)

    def show_answers(self, rows: Sequence[Answer], now_ns: int) -> None:
        """Replace them all. now_ns: what today is."""
        self.beginResetModel()
        self.rows, self._now_ns = list(rows), now_ns
        self.endResetModel()

    def put(self, row: int, answer: Answer) -> None:
        """One has answered."""
        self.rows[row] = answer
        self.dataChanged.emit(self.index(row, 0), self.index(row, len(ANSWER_TITLES) - 1))

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own default)
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(ANSWER_TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return tr(ANSWER_TITLES[section])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section in _NUMBERS else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.cell(index.row(), index.column()).text
        if role == Qt.ItemDataRole.ToolTipRole:
            answer = self.rows[index.row()]
            return answer.remark.in_(language.name()) if answer.remark else answer.point
        return None

    def cell(self, row: int, column: int) -> Cell:
        answer = self.rows[row]
        form = answer.form
        if column == 0:
            return Cell(form.name.in_(language.name()) if form else answer.point)
        if column == 1:
            style = quality_mark(answer.quality).style
            states = form.states if form else None
            text = format_value(answer.value, form.precision if form else None, "", states)
            return Cell(text, "live", right=True, strike=style is MarkStyle.INVALID and not math.isnan(answer.value))
        if column == 2:
            return Cell(symbol(form.unit or "") if form else "", "ink-soft")
        if column == 3:
            return Cell("" if answer.waiting else quality_mark(answer.quality).text, "bad-quality")
        if column == 4:
            return Cell(moment_text(answer.time, self._zone, self._now_ns, milliseconds=True), "ink-soft")
        if column == 5:
            took = NOTHING if math.isnan(answer.took_ms) else format_value(answer.took_ms, 1, "ms")
            return Cell(tr("waiting") if answer.waiting else took, "ink-soft", right=True)
        return Cell(answer.remark.in_(language.name()) if answer.remark else "", "bad-quality")

    def _on_language(self) -> None:
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(ANSWER_TITLES) - 1)
        if self.rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, len(ANSWER_TITLES) - 1))


class AnswerTable(Table):
    """Its table."""

    def __init__(self, model: AnswerModel, parent: QWidget | None = None) -> None:
        super().__init__(model, parent)
        self.answers = model
        self.setItemDelegate(CellDelegate(self))
        self.set_widths(_WIDTHS)
        self.horizontalHeader().setStretchLastSection(True)
