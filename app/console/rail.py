"""The navigation rail: an icon and a word for each page, and its number key."""

from __future__ import annotations

from functools import partial
from typing import Final

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QFrame, QVBoxLayout, QWidget

from widgets import icons, language, theme
from widgets.fonts import SMALL_PX, sized
from widgets.language import tr

WIDTH: Final = 64
_ITEM_PX: Final = 58


class _Item(QAbstractButton):
    def __init__(self, icon: str, title: str, number: int) -> None:
        super().__init__()
        self._icon, self._title, self._number = icon, title, number
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedSize(WIDTH - 1, _ITEM_PX)
        theme.changed.connect(self.update)
        language.changed.connect(self.retranslate)
        self.retranslate()

    def retranslate(self) -> None:
        self.setText(tr(self._title))
        self.setToolTip(tr("{page} (key {n})", page=tr(self._title), n=self._number))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(WIDTH - 1, _ITEM_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.isChecked():
            painter.fillRect(self.rect(), theme.colour("ground"))
            painter.fillRect(QRect(0, 0, 4, self.height()), theme.colour("live"))
        token = "ink" if self.isChecked() or self.underMouse() else "ink-soft"
        icons.paint(painter, self._icon, QRectF(self.width() / 2 - 11, 8, 22, 22), token)
        painter.setFont(sized(self.font(), SMALL_PX))
        painter.setPen(theme.colour(token))
        painter.drawText(QRect(2, 32, self.width() - 4, 20), Qt.AlignmentFlag.AlignCenter, self.text())
        if self.hasFocus():
            painter.setPen(QPen(theme.colour("live"), 2))
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
        painter.end()


class Rail(QFrame):
    """Pages by position; `chosen` tells which one is wanted. No QButtonGroup: it leaves Tab only one of its buttons."""

    chosen = Signal(int)

    def __init__(self, pages: list[tuple[str, str]], parent: QWidget | None = None) -> None:
        """pages: (icon, English title) from top to bottom."""
        super().__init__(parent)
        self.setObjectName("rail")
        self.setFixedWidth(WIDTH)
        self._items: list[_Item] = []
        self._current = 0
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(0)
        for i, (icon, title) in enumerate(pages):
            item = _Item(icon, title, i + 1)
            item.clicked.connect(partial(self._on_clicked, i))
            self._items.append(item)
            column.addWidget(item)
        column.addStretch(1)

    def show_current(self, position: int) -> None:
        """Mark the page that is shown."""
        self._current = position
        for i, item in enumerate(self._items):
            item.setChecked(i == position)

    def _on_clicked(self, position: int, checked: bool = False) -> None:
        self.show_current(self._current)
        self.chosen.emit(position)
