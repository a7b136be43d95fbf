"""How a table cell is painted: a model answers with a `Cell`, the delegate draws it, and nothing else."""

from __future__ import annotations

from typing import Final, NamedTuple

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QPainter, QPen
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from app.model.config import Priority
from widgets import theme
from widgets.icons import paint_priority
from widgets.options import is_selected, item
from widgets.tables import row_height

_PAD: Final = 6
_TO_THE_LEFT: Final = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_TO_THE_RIGHT: Final = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_SHAPE: Final = 12


class Cell(NamedTuple):
    """One cell: text and how it looks. Colours are tokens."""

    text: str
    ink: str = "ink"
    right: bool = False
    strike: bool = False
    frame: str = ""
    """Token of a frame about the text: a value that a person or a test put there."""
    bold: bool = False
    shape: Priority | None = None
    """Drawn before the text."""
    filled: bool = True
    """Of the shape: filled wants a person, outlined is known."""


class CellModel(QAbstractTableModel):
    """A model whose cells a `CellDelegate` draws."""

    def cell(self, row: int, column: int) -> Cell:
        """The cell of a row that there is. Called for what is on the screen only."""
        raise NotImplementedError(f"{type(self).__name__}.cell")


class CellDelegate(QStyledItemDelegate):
    """Draws cells. Selected rows carry two lines in `live`, so that no colour behind a text changes its contrast."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        model = index.model()
        if not isinstance(model, CellModel):
            return
        cell = model.cell(index.row(), index.column())
        rect: QRect = item(option).rect
        selected = is_selected(option)
        if selected:
            painter.fillRect(rect, theme.colour("ground"))
            painter.fillRect(QRect(rect.left(), rect.top(), rect.width(), 1), theme.colour("live"))
            painter.fillRect(QRect(rect.left(), rect.bottom(), rect.width(), 1), theme.colour("live"))
        inner = rect.adjusted(_PAD, 0, -_PAD, 0)
        if cell.shape is not None:
            top = rect.center().y() - _SHAPE / 2 + 1.5
            paint_priority(painter, cell.shape, QRectF(inner.left(), top, _SHAPE, _SHAPE), filled=cell.filled)
            inner.setLeft(inner.left() + _SHAPE + 6)
        self._text(painter, item(option).font, inner, cell)

    def _text(self, painter: QPainter, base: QFont, inner: QRect, cell: Cell) -> None:
        if not cell.text:
            return
        font = base
        if cell.strike or cell.bold:
            font = QFont(base)
            font.setStrikeOut(cell.strike)
            font.setWeight(QFont.Weight.DemiBold if cell.bold else base.weight())
        painter.setFont(font)
        metrics = painter.fontMetrics()
        text = cell.text
        width = metrics.horizontalAdvance(text)
        if width > inner.width():
            text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, inner.width())
            width = metrics.horizontalAdvance(text)
        painter.setPen(theme.colour(cell.ink))
        painter.drawText(inner, _TO_THE_RIGHT if cell.right else _TO_THE_LEFT, text)
        if cell.frame:
            left = inner.right() - width if cell.right else inner.left()
            painter.setPen(QPen(theme.colour(cell.frame), 1.2))
            painter.drawRect(QRect(left - 4, inner.top() + 3, width + 8, inner.height() - 7))

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        model = index.model()
        cell = model.cell(index.row(), index.column()) if isinstance(model, CellModel) else Cell("")
        widget = item(option).widget
        width = item(option).fontMetrics.horizontalAdvance(cell.text) + 2 * _PAD + (_SHAPE + 6 if cell.shape else 0)
        return QSize(width, row_height(widget) if widget is not None else 26)
