"""Who is at the screen: a panel over the page to sign in, name the first administrator, change a password, confirm.

Never modal: alarms and trends go on below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFormLayout, QFrame, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from widgets import language
from widgets.language import tr

_WIDTH: Final = 380


class Purpose(StrEnum):
    """What the panel asks for."""

    SIGN_IN = "sign in"
    UNLOCK = "unlock"
    FIRST = "first"
    """Name the first administrator."""
    CHANGE = "change"
    """One's own password."""
    CONFIRM = "confirm"
    """A second person."""


@dataclass(frozen=True, slots=True)
class _Words:
    title: str
    note: str
    verb: str
    name: bool
    """Whether a name is asked for."""
    password: str
    """Label of the password that exists; empty: none is asked for."""
    new: bool
    """Whether a new password is asked for, twice."""


_WORDS: Final = {
    Purpose.SIGN_IN: _Words("Sign in", "", "Sign in", True, "Password", False),
    Purpose.UNLOCK: _Words(
        "The session is locked",
        "Another name takes over here: what is open on the screen stays.",
        "Sign in",
        True,
        "Password",
        False,
    ),
    Purpose.FIRST: _Words(
        "Name the administrator of this station",
        "Until somebody is named, the screen shows values and nothing can be changed. There is no password to begin "
        "with: choose one, at least 8 characters, such as four words.",
        "Name administrator",
        True,
        "",
        True,
    ),
    Purpose.CHANGE: _Words(
        "Choose a new password",
        "At least 8 characters, such as four words; not one of the commonest.",
        "Change password",
        False,
        "Present password",
        True,
    ),
    Purpose.CONFIRM: _Words(
        "A second person must confirm",
        "Another person who may do this signs for it. Nobody is signed out.",
        "Confirm",
        True,
        "Password of the second person",
        False,
    ),
}


class SignInPanel(QFrame):
    """Enter moves on and answers, Esc closes. What was typed is forgotten when it closes."""

    answered = Signal(str, str, str)
    """(name, password, new password) as far as they were asked for."""
    demo_asked = Signal()
    closed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.purpose = Purpose.SIGN_IN
        self._what = self._refused = ""
        self.setObjectName("sign-in")
        self.setFixedWidth(_WIDTH)
        self._title, self._note, self._about = QLabel(), QLabel(), QLabel()
        self._title.setProperty("level", "title")
        self._note.setProperty("soft", True)
        for label in (self._title, self._note, self._about):
            label.setWordWrap(True)
        self.trouble = QLabel()
        self.trouble.setWordWrap(True)
        self.trouble.setProperty("trouble", True)
        self.name, self.password, self.new, self.again = (QLineEdit() for _ in range(4))
        for secret in (self.password, self.new, self.again):
            secret.setEchoMode(QLineEdit.EchoMode.Password)
        self._labels = [QLabel() for _ in range(4)]
        self.verb, self.demo, self._close = QPushButton(), QPushButton(), QPushButton()
        self.demo.hide()
        self.form = QFormLayout()
        for label, line in zip(self._labels, self._lines(), strict=True):
            label.setBuddy(line)
            self.form.addRow(label, line)
            line.returnPressed.connect(self._on_return)
            line.textChanged.connect(self._describe)
            line.textEdited.connect(self._begin_again)
        buttons = QHBoxLayout()
        buttons.addWidget(self.demo)
        buttons.addStretch(1)
        buttons.addWidget(self._close)
        buttons.addWidget(self.verb)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(10)
        for widget in (self._title, self._about, self._note):
            column.addWidget(widget)
        column.addLayout(self.form)
        column.addWidget(self.trouble)
        column.addLayout(buttons)
        self.verb.clicked.connect(self._answer)
        self.demo.clicked.connect(self.demo_asked)
        self._close.clicked.connect(self.close_again)
        language.changed.connect(self.retranslate)
        self.hide()
        self.retranslate()

    def _lines(self) -> tuple[QLineEdit, ...]:
        return self.name, self.password, self.new, self.again

    def open(self, purpose: Purpose, *, name: str = "", what: str = "", demo: bool = False) -> None:
        """Ask. name: written already; what: said of what is to be confirmed; demo: the demo engineer is offered."""
        self.purpose, self._what = purpose, what
        self._forget()
        self.name.setText(name)
        self.demo.setVisible(demo)
        self.retranslate()
        self.show()
        self.raise_()
        first = next(line for line in self._lines() if line.isVisibleTo(self) and not line.text())
        first.setFocus()

    def close_again(self) -> None:
        """Close it, and forget what was typed."""
        if self.isVisible():
            self._forget()
            self.hide()
            self.window().setFocus()
            self.closed.emit()

    def set_waiting(self) -> None:
        """What was answered is looked at."""
        for widget in (*self._lines(), self.verb):
            widget.setEnabled(False)
        self._say("")

    def refuse(self, why: str) -> None:
        """It was not right: why, and another try."""
        for widget in (*self._lines(), self.verb):
            widget.setEnabled(True)
        self._refused = why
        self.password.clear()
        self._describe()
        if self.password.isVisibleTo(self):
            self.password.setFocus()

    def retranslate(self) -> None:
        """All texts in the present language."""
        words = _WORDS[self.purpose]
        self._title.setText(tr(words.title))
        self._note.setText(tr(words.note) if words.note else "")
        self._note.setVisible(bool(words.note))
        self._about.setText(self._what)
        self._about.setVisible(bool(self._what))
        names = ("Name", words.password, "New password", "Again")
        shown = (words.name, bool(words.password), words.new, words.new)
        for label, line, text, visible in zip(self._labels, self._lines(), names, shown, strict=True):
            label.setText(tr(text) if text else "")
            line.setAccessibleName(tr(text) if text else "")
            self.form.setRowVisible(line, visible)
        self.verb.setText(tr(words.verb))
        self.demo.setText(tr("As demo engineer"))
        self._close.setText(tr("Close"))
        self._describe()
        self._fit()

    def _describe(self) -> None:
        """The verb waits until all is written, and both new passwords are the same."""
        asked = [line for line in self._lines() if line.isVisibleTo(self)]
        different = self.new.isVisibleTo(self) and bool(self.again.text()) and self.new.text() != self.again.text()
        self.verb.setEnabled(all(line.text() for line in asked) and not different)
        self._say(tr("The two are not the same.") if different else self._refused)

    def _begin_again(self) -> None:
        """Who types has read why it was refused."""
        self._refused = ""
        self._describe()

    def _say(self, words: str) -> None:
        if words != self.trouble.text():
            self.trouble.setText(words)
            self.trouble.setVisible(bool(words))
            self._fit()
        self.trouble.setVisible(bool(words))

    def _fit(self) -> None:
        layout = self.layout()
        if layout is not None:
            layout.activate()
            self.setFixedHeight(layout.totalHeightForWidth(_WIDTH))

    def _on_return(self) -> None:
        empty = next((line for line in self._lines() if line.isVisibleTo(self) and not line.text()), None)
        if empty is not None:
            empty.setFocus()
        elif self.verb.isEnabled():
            self._answer()

    def _answer(self) -> None:
        self.answered.emit(self.name.text(), self.password.text(), self.new.text())

    def _forget(self) -> None:
        for line in self._lines():
            line.setEnabled(True)
            line.clear()
        self._refused = ""
        self._say("")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close_again()
        else:
            super().keyPressEvent(event)
