"""How a device is reached: its driver, and a line for each key that the driver knows or the file has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from app.model.errors import Wrong
from app.model.text import Text
from widgets import language
from widgets.editor.draft import DeviceDraft
from widgets.editor.fields import ChoiceField, Scrolled, TextField, called
from widgets.editor.scalars import is_reference, is_secret, line_of, parse, plain_secrets
from widgets.language import both, tr


class ConnectionForm(QWidget):
    """Writes into the draft that it is given."""

    edited = Signal()
    driver_chosen = Signal(str)
    """Answer with `set_keys`."""

    def __init__(self, *, complete: bool = True, parent: QWidget | None = None) -> None:
        """`complete`: a connection to one device; otherwise what a search needs, which the search itself judges."""
        super().__init__(parent)
        self._complete = complete
        self._draft: DeviceDraft | None = None
        self._known: Mapping[str, object] = {}
        self._faults: list[tuple[tuple[str, ...], Text]] = []
        self.keys: dict[str, TextField] = {}
        """Key -> its line."""
        self.driver = ChoiceField(called("Driver"))
        self._other = QLineEdit()
        self._add = QPushButton()
        other = QHBoxLayout()
        other.addWidget(self._other, 1)
        other.addWidget(self._add)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 4, 8, 4)
        column.setSpacing(4)
        column.addWidget(self.driver)
        self._lines = QVBoxLayout()
        self._lines.setSpacing(4)
        column.addLayout(self._lines)
        column.addLayout(other)
        column.addStretch(1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(Scrolled(inside))
        self.driver.edited.connect(self._on_driver)
        self._other.returnPressed.connect(self._on_add)
        self._add.clicked.connect(self._on_add)
        language.changed.connect(self._retranslate)
        self._retranslate()

    def _retranslate(self) -> None:
        self._other.setPlaceholderText(tr("another key"))
        self._other.setAccessibleName(tr("another key"))
        self._add.setText(tr("Add key"))
        self._placeholders()

    def set_drivers(self, drivers: Sequence[str]) -> None:
        """Every driver word."""
        none = [("", tr("no connection"))] if self._complete else []
        self.driver.set_choices([*none, *((word, word) for word in drivers)])

    def show_draft(self, draft: DeviceDraft) -> None:
        """Fill the lines from it."""
        self._draft = draft
        self._known = {}
        word = str(self._connection().get("driver") or "")
        self.driver.set_value(word)
        self._rebuild()
        self.driver_chosen.emit(word)

    def set_keys(self, driver: str, known: Mapping[str, object]) -> None:
        """The keys that a driver knows, each with its default; None where it must be given."""
        if driver == self.driver.value():
            self._known = known
            self._rebuild()

    def set_faults(self, faults: Sequence[tuple[tuple[str, ...], Text]]) -> None:
        """(place, words) of each; what belongs to another part is left alone."""
        self._faults = [(place, words) for place, words in faults if place[:1] == ("connection",)]
        here: dict[str, list[Text]] = {}
        for place, words in self._faults:
            key = place[1] if len(place) > 1 and place[1] in self.keys else "driver"
            here.setdefault(key, []).append(words)
        self.driver.set_faults(here.get("driver", []))
        for key, field in self.keys.items():
            field.set_faults(here.get(key, []))

    def problems(self) -> list[str]:
        """What cannot even be asked."""
        return [f"{key}: {field.problem}" for key, field in self.keys.items() if field.problem]

    def _connection(self) -> Mapping[str, Any]:
        connection = self._draft.form.get("connection") if self._draft is not None else None
        return connection if isinstance(connection, Mapping) else {}

    def _rebuild(self, *extra: str) -> None:
        """The known keys in their order, then what else there is."""
        given = self._connection()
        wanted = [key for key in dict.fromkeys([*self._known, *given, *self.keys, *extra]) if key != "driver"]
        wanted = [key for key in wanted if key in self._known or key in given or key in extra]
        for field in self.keys.values():
            self._lines.removeWidget(field)
            field.hide()
            field.deleteLater()
        self.keys = {}
        for key in wanted:
            field = TextField(lambda key=key: key)  # type: ignore[misc]
            field.label.setProperty("verbatim", True)
            field.set_text(line_of(given.get(key)))
            field.edited.connect(lambda key=key: self._on_key(key))
            self._lines.addWidget(field)
            self.keys[key] = field
            self._hide_secret(key)
        self._placeholders()
        self.set_faults(self._faults)

    def _placeholders(self) -> None:
        for key, field in self.keys.items():
            default = self._known.get(key)
            if is_secret(key):
                field.set_placeholder("secret:NAME, env:NAME")
            elif key in self._known:
                needed = tr("must be given") if self._complete else ""
                field.set_placeholder(needed if default is None else line_of(default) if default != "" else "")

    def _on_driver(self) -> None:
        if self._draft is None:
            return
        word = self.driver.value()
        before = self._connection()
        self._draft.set(("connection",), {"driver": word, **{k: v for k, v in before.items() if k != "driver"}})
        if not word:
            self._draft.set(("connection",), None)
        self._known = {}
        self._rebuild()
        self.driver_chosen.emit(word)
        self.edited.emit()

    def _on_key(self, key: str) -> None:
        field = self.keys[key]
        self._hide_secret(key)
        try:
            value = parse(field.text())
        except Wrong as error:
            field.set_problem(error.text)
        else:
            plain = plain_secrets({key: value})
            secret = both("a secret must not stand in the file; write secret:NAME or env:NAME")
            field.set_problem(secret if plain else None)
            if self._draft is not None and not plain:
                self._draft.set(("connection", key), value)
        self.edited.emit()

    def _hide_secret(self, key: str) -> None:
        """Dots, until it is the name of a secret and not the secret; also where a mapping holds one."""
        edit = self.keys[key].edit
        typed = edit.text()
        try:
            plain = bool(plain_secrets(parse(typed)))
        except ValueError:
            plain = False
        shown = not plain and (not is_secret(key) or is_reference(typed) or _begins_one(typed))
        edit.setEchoMode(QLineEdit.EchoMode.Normal if shown else QLineEdit.EchoMode.Password)

    def _on_add(self) -> None:
        key = self._other.text().strip()
        if key and key != "driver":
            self._other.clear()
            if key not in self.keys:
                self._rebuild(key)
            self.keys[key].edit.setFocus()


def _begins_one(text: str) -> bool:
    """Whether it is about to become a reference, so that one sees what one types."""
    return any(word.startswith(text.strip()) for word in ("secret:", "env:"))
