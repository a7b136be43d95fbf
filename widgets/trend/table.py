"""The table below the plot: each pen with its colour, values, figures, axis and quality."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Any, Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QHeaderView, QStyleOptionViewItem, QWidget

from app.model.clock import SECOND_NS
from app.model.units import symbol
from widgets import language, theme
from widgets.cells import Cell, CellDelegate, CellModel
from widgets.icons import paint
from widgets.language import tr
from widgets.tables import COPY_ROLE, Table, row_height
from widgets.trend.overlay import Overlay
from widgets.trend.pens import Drawn, Pens
from widgets.trend.track import Reading
from widgets.values import NOTHING, MarkStyle, format_value, quality_mark

_Index = QModelIndex | QPersistentModelIndex
_MOST_ROWS: Final = 8


class Column(IntEnum):
    SHOWN = 0
    NAME = 1
    CURSOR = 2
    NOW = 3
    MIN = 4
    MAX = 5
    MEAN = 6
    UNIT = 7
    AXIS = 8
    QUALITY = 9
    A = 10
    B = 11
    DIFFERENCE = 12
    SLOPE = 13
    REMOVE = 14


# fmt: off
HEADERS: Final = {
    Column.SHOWN: "", Column.NAME: "Pen", Column.CURSOR: "At cursor", Column.NOW: "Now", Column.MIN: "Min",
    Column.MAX: "Max", Column.MEAN: "Mean", Column.UNIT: "Unit", Column.AXIS: "Axis", Column.QUALITY: "Quality",
    Column.A: "A", Column.B: "B", Column.DIFFERENCE: "B − A", Column.SLOPE: "Slope", Column.REMOVE: "",
}
# fmt: on
_NUMBERS: Final = {
    Column.CURSOR,
    Column.NOW,
    Column.MIN,
    Column.MAX,
    Column.MEAN,
    Column.A,
    Column.B,
    Column.DIFFERENCE,
    Column.SLOPE,
}  # fmt: skip
_OF_CURSORS: Final = (Column.A, Column.B, Column.DIFFERENCE, Column.SLOPE)
_WIDTHS: Final = {
    Column.SHOWN: 52, Column.NAME: 260, Column.UNIT: 58, Column.AXIS: 68, Column.QUALITY: 84, Column.REMOVE: 34,
}  # fmt: skip
_NUMBER_WIDTH: Final = 84
_PER: Final = ((60, 1, "s"), (3_600, 60, "min"), (172_800, 3_600, "h"), (math.inf, 86_400, "d"))


def slope(difference: float, seconds: float) -> tuple[float, str]:
    """Difference per a unit of time that suits the distance, and that unit."""
    size, per = next((size, per) for limit, size, per in _PER if abs(seconds) < limit)
    return (difference / seconds * size if seconds else math.nan), per


class PenModel(CellModel):
    """One row a pen."""

    def __init__(self, pens: Pens, overlay: Overlay) -> None:
        super().__init__()
        self._pens = pens
        self._overlay = overlay
        self._rows: list[Drawn] = []
        self.axis_of: dict[str, str] = {}
        """Unit -> where its axis stands."""

    def reset(self) -> None:
        """Other pens."""
        self.beginResetModel()
        self._rows = list(self._pens)
        self.endResetModel()

    def refresh(self) -> None:
        """Other values."""
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, len(Column) - 1))

    def pen(self, row: int) -> Drawn:
        """The pen of a row."""
        return self._rows[row]

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own form)
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            english = HEADERS[Column(section)]
            return tr(english) if english else ""
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section in _NUMBERS else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        if role in (Qt.ItemDataRole.DisplayRole, COPY_ROLE):
            return self.cell(index.row(), index.column()).text
        if role == Qt.ItemDataRole.ToolTipRole:
            drawn = self._rows[index.row()]
            if index.column() == Column.REMOVE:
                return tr("Remove this pen")
            if index.column() == Column.SHOWN:
                return tr("Show or hide this pen")
            return f"{drawn.pen.label.in_(language.name())}\n{drawn.pen.point}"
        return None

    def cell(self, row: int, column: int) -> Cell:
        drawn = self._rows[row]
        pen = drawn.pen
        soft = "ink" if drawn.visible else "ink-soft"
        match Column(column):
            case Column.NAME:
                return Cell(pen.label.in_(language.name()), soft)
            case Column.CURSOR:
                return self._value(drawn, drawn.at_cursor)
            case Column.NOW:
                return self._value(drawn, drawn.track.newest())
            case Column.MIN:
                return self._number(drawn, drawn.figures.low)
            case Column.MAX:
                return self._number(drawn, drawn.figures.high)
            case Column.MEAN:
                return Cell("") if pen.states else self._number(drawn, drawn.figures.mean, more=1)
            case Column.UNIT:
                return Cell(symbol(pen.unit), "ink-soft")
            case Column.AXIS:
                return Cell(self._axis(drawn), "ink-soft")
            case Column.QUALITY:
                return Cell(quality_mark(drawn.track.newest().quality).text, "bad-quality")
            case Column.SHOWN | Column.REMOVE:
                return Cell("")
            case _:
                return self._at_cursors(drawn, Column(column))

    def _axis(self, drawn: Drawn) -> str:
        if not drawn.visible:
            return tr("hidden")
        return tr("lane") if drawn.in_lane else self.axis_of.get(drawn.pen.unit, "")

    @staticmethod
    def _number(drawn: Drawn, value: float, more: int = 0) -> Cell:
        precision = drawn.pen.precision
        text = format_value(value, None if precision is None else precision + more, "", drawn.pen.states)
        return Cell(text, "ink" if value == value else "ink-soft", right=True)  # noqa: PLR0124 (NaN)

    @staticmethod
    def _value(drawn: Drawn, reading: Reading) -> Cell:
        text = format_value(reading.value, drawn.pen.precision, "", drawn.pen.states)
        style = quality_mark(reading.quality).style
        if text == NOTHING:
            return Cell(text, "ink-soft", right=True)
        token = {MarkStyle.INVALID: "bad-quality", MarkStyle.OLD: "ink-soft", MarkStyle.DOUBTFUL: "bad-quality"}
        return Cell(
            text,
            token.get(style, "live"),
            right=True,
            strike=style is MarkStyle.INVALID,
            frame="manual" if style is MarkStyle.MANUAL else "",
        )

    def _at_cursors(self, drawn: Drawn, column: Column) -> Cell:
        if self._overlay.cursors is None:
            return Cell("")
        a, b = self._overlay.cursors
        first, second = drawn.track.at(a), drawn.track.at(b)
        if column in (Column.A, Column.B):
            return self._value(drawn, first if column == Column.A else second)
        if drawn.pen.states:
            return Cell("")
        if column == Column.DIFFERENCE:
            return self._number(drawn, second.value - first.value)
        value, per = slope(second.value - first.value, (b - a) / SECOND_NS)
        number = self._number(drawn, value, more=1)
        return number._replace(text=f"{number.text} /{per}") if number.text != NOTHING else number


class _Delegate(CellDelegate):
    """Adds the box and swatch of the first column and the cross of the last."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        super().paint(painter, option, index)
        model = index.model()
        if not isinstance(model, PenModel):
            return
        rect: QRect = option.rect  # type: ignore[attr-defined]
        middle = rect.center().y()
        if index.column() == Column.SHOWN:
            drawn = model.pen(index.row())
            painter.setPen(QPen(theme.colour("line"), 1))
            box = QRect(rect.left() + 8, middle - 6, 12, 12)
            painter.drawRect(box)
            if drawn.visible:
                painter.fillRect(box.adjusted(3, 3, -2, -2), theme.colour("live"))
            painter.fillRect(QRect(rect.left() + 28, middle - 2, 18, 5), theme.pen_colour(drawn.number))
        elif index.column() == Column.REMOVE:
            paint(painter, "close", QRect(rect.center().x() - 7, middle - 7, 14, 14).toRectF(), "ink-soft")


class PenTable(Table):
    """As high as its rows, up to eight."""

    remove_asked = Signal(str)
    shown_changed = Signal()

    def __init__(self, pens: Pens, overlay: Overlay, parent: QWidget | None = None) -> None:
        self._pen_model = PenModel(pens, overlay)
        super().__init__(self._pen_model, parent)
        self._pen_model.setParent(self)
        self.setItemDelegate(_Delegate(self))
        header = self.horizontalHeader()
        header.setMinimumSectionSize(28)
        header.setSectionsMovable(False)
        for column in Column:
            header.resizeSection(column, _WIDTHS.get(column, _NUMBER_WIDTH))
        header.setSectionResizeMode(Column.QUALITY, QHeaderView.ResizeMode.Stretch)
        for fixed in (Column.SHOWN, Column.REMOVE):
            header.setSectionResizeMode(fixed, QHeaderView.ResizeMode.Fixed)
        self.show_cursor_columns(False)

    @property
    def pen_model(self) -> PenModel:
        return self._pen_model

    def show_cursor_columns(self, shown: bool) -> None:
        """Columns of the cursors A and B; the axis makes room for them."""
        for column in _OF_CURSORS:
            self.setColumnHidden(column, not shown)
        self.setColumnHidden(Column.AXIS, shown)

    def fit_height(self) -> None:
        """As high as the rows need."""
        rows = min(max(self._pen_model.rowCount(), 1), _MOST_ROWS)
        height = row_height(self)
        self.verticalHeader().setDefaultSectionSize(height)
        self.setFixedHeight(rows * height + self.horizontalHeader().sizeHint().height() + 2 * self.frameWidth() + 2)

    def sort_by(self, column: int, order: Qt.SortOrder) -> None:
        """Pens stay in the order in which they were put."""

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        index = self.indexAt(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and index.isValid():
            self._act(index.row(), index.column())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        row = self.currentIndex().row()
        if event.key() == Qt.Key.Key_Space and row >= 0:
            self._act(row, Column.SHOWN)
        elif event.key() == Qt.Key.Key_Delete and row >= 0:
            self._act(row, Column.REMOVE)
        else:
            super().keyPressEvent(event)

    def _act(self, row: int, column: int) -> None:
        drawn = self._pen_model.pen(row)
        if column == Column.SHOWN:
            drawn.visible = not drawn.visible
            self._pen_model.refresh()
            self.shown_changed.emit()
        elif column == Column.REMOVE:
            self.remove_asked.emit(drawn.pen.point)
