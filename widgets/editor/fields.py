"""A labelled field with room below it for what is wrong with what stands in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.model.text import Text
from widgets import language
from widgets.icons import paint
from widgets.language import tr

LABEL_PX = 128


class Field(QWidget):
    """A label, an editor beside it, and a line for its fault. `tell` says what it is called in the present language."""

    edited = Signal()
    """A person changed it; not emitted for what the program puts there."""

    def __init__(self, editor: QWidget, tell: Callable[[], str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tell = tell
        self.label, self._fault = QLabel(), QLabel()
        self.label.setProperty("soft", True)
        self.label.setFixedWidth(LABEL_PX)
        self.label.setWordWrap(True)
        self.label.setBuddy(editor)
        self._fault.setProperty("state", "bad")
        self._fault.setWordWrap(True)
        self._fault.setProperty("verbatim", True)
        self._fault.setTextFormat(Qt.TextFormat.PlainText)
        self._fault.hide()
        self.row = QHBoxLayout()
        self.row.setSpacing(8)
        self.row.addWidget(self.label)
        self.row.addWidget(editor, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(self.row)
        column.addWidget(self._fault)
        self._problem: Text | None = None
        """What this field itself finds wrong; nothing is asked while there is any."""
        self._told: list[Text] = []
        self._editor = editor
        language.changed.connect(self.retranslate)
        self.retranslate()

    def retranslate(self) -> None:
        """Say anew what it is called."""
        self.label.setText(self._tell())
        self._editor.setAccessibleName(self._tell())
        self._show_fault()

    @property
    def problem(self) -> str:
        """What the field itself finds wrong with what stands in it."""
        return self._problem.in_(language.name()) if self._problem is not None else ""

    def set_problem(self, problem: Text | None) -> None:
        """Say what the field itself finds wrong; None for nothing."""
        self._problem = problem
        self._show_fault()

    def set_faults(self, faults: Sequence[Text]) -> None:
        """Say what the check of the whole file finds wrong here."""
        self._told = list(faults)
        self._show_fault()

    def fault_text(self) -> str:
        """What it says below the field; empty where nothing is wrong."""
        return self._fault.text() if not self._fault.isHidden() else ""

    def _show_fault(self) -> None:
        said = [self._problem] if self._problem is not None else self._told
        self._fault.setText(crossed(said))
        self._fault.setVisible(bool(said))


class TextField(Field):
    """One line of text."""

    def __init__(self, tell: Callable[[], str], parent: QWidget | None = None) -> None:
        self.edit = QLineEdit()
        super().__init__(self.edit, tell, parent)
        self.edit.textEdited.connect(lambda _: self.edited.emit())

    def text(self) -> str:
        """Without spaces about it."""
        return self.edit.text().strip()

    def set_text(self, text: str) -> None:
        """What the program puts there. The caret stays where nothing changes."""
        if text != self.edit.text():
            self.edit.setText(text)
            self.edit.setCursorPosition(0)

    def set_placeholder(self, text: str) -> None:
        """What holds while nothing is typed."""
        self.edit.setPlaceholderText(text)


class Choice(QComboBox):
    """A list to choose from, with the arrow that a style sheet takes away."""

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        side = 14
        box = QRectF(self.width() - side - 4, (self.height() - side) / 2, side, side)
        paint(painter, "down", box, "ink" if self.isEnabled() else "ink-soft")
        painter.end()


class ChoiceField(Field):
    """One of some words; `free` lets a person type another one."""

    def __init__(self, tell: Callable[[], str], *, free: bool = False, parent: QWidget | None = None) -> None:
        self.box = Choice()
        self.box.setEditable(free)
        self.box.setProperty("verbatim", free)
        self.box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.box.setMinimumContentsLength(8)
        super().__init__(self.box, tell, parent)
        self.box.activated.connect(lambda _: self.edited.emit())
        line = self.box.lineEdit()
        if free and line is not None:
            self.box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
            line.textEdited.connect(lambda _: self.edited.emit())

    def set_choices(self, choices: Sequence[tuple[str, str]]) -> None:
        """(value, text) of each; what is chosen stays chosen."""
        before = self.value()
        self.box.clear()
        for value, text in choices:
            self.box.addItem(text, value)
        self.set_value(before)

    def value(self) -> str:
        """The chosen value, or what was typed."""
        if self.box.isEditable():
            typed = self.box.currentText().strip()
            found = self.box.findText(typed)
            return str(self.box.itemData(found)) if found >= 0 else typed
        return str(self.box.currentData() or "")

    def set_value(self, value: str) -> None:
        """Choose it; a word that is no choice is shown as it is."""
        found = self.box.findData(value)
        if found < 0 and not self.box.isEditable() and value:
            self.box.addItem(value, value)
            found = self.box.count() - 1
        self.box.setCurrentIndex(found)
        if found < 0 and self.box.isEditable():
            self.box.setEditText(value)


class Scrolled(QScrollArea):
    """Fields below each other that may be more than fit."""

    def __init__(self, inside: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(inside)
        self.viewport().setAutoFillBackground(False)
        inside.setAutoFillBackground(False)

    def minimumSizeHint(self) -> QSize:
        """Never narrower than what is inside: it scrolls up and down only."""
        inside = self.widget().minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width()
        return QSize(inside, super().minimumSizeHint().height())


def stacked(fields: Sequence[QWidget], *, spacing: int = 4) -> QWidget:
    """Widgets below each other at the upper edge of one."""
    inside = QWidget()
    column = QVBoxLayout(inside)
    column.setContentsMargins(0, 4, 8, 4)
    column.setSpacing(spacing)
    for field in fields:
        column.addWidget(field)
    column.addStretch(1)
    return inside


def crossed(said: Sequence[Text]) -> str:
    """What is wrong, a line each."""
    return "\n".join(f"✕ {one.in_(language.name())}" for one in said)


def called(english: str) -> Callable[[], str]:
    """A field's name that follows the language."""
    return lambda: tr(english)
