"""One point: scan, deadband, precision, range, four limits with priorities; all else as it stands in the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QPlainTextEdit, QSizePolicy, QVBoxLayout, QWidget

from app.model.config import Priority
from app.model.errors import Wrong
from app.model.text import Text
from widgets import language
from widgets.alarm_words import PRIORITY_WORDS
from widgets.editor.draft import LIMITS, POINT_FIELDS, PointDraft
from widgets.editor.fields import Choice, Field, Scrolled, TextField, called, crossed
from widgets.editor.scalars import line_of, lines_of, parse, parse_mapping, plain_secrets
from widgets.language import both, tr

FIELD_NAMES: Final = {"scan": "Scan", "deadband": "Deadband", "precision": "Decimals", "range": "Range"}
_LIMIT_NAMES: Final = {"hh": "HH", "h": "H", "l": "L", "ll": "LL"}
_REST_PX: Final = 64
_DEFAULTS: Final = {"scan": "1s", "deadband": 0}
"""What holds where neither the device nor its template says anything."""
_Place = tuple[str, ...]


class _LimitField(TextField):
    """A number and its priority."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        self.priority = Choice()
        super().__init__(called(_LIMIT_NAMES[name]), parent)
        self.row.addWidget(self.priority)
        self.priority.activated.connect(lambda _: self.edited.emit())
        language.changed.connect(self._priorities)
        self._priorities()

    def _priorities(self) -> None:
        before = self.priority.currentIndex()
        self.priority.clear()
        self.priority.addItem(tr("usual priority"), "")
        for priority in Priority:
            self.priority.addItem(tr(PRIORITY_WORDS[priority]), priority.value)
        self.priority.setCurrentIndex(max(before, 0))
        self.priority.setAccessibleName(tr("Priority"))


class PointForm(QWidget):
    """Writes into the draft of the point that it is given; disabled without one."""

    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._point: PointDraft | None = None
        self.title = QLabel()
        self.title.setProperty("heading", True)
        self.title.setProperty("verbatim", True)
        self.title.setWordWrap(True)
        self.fields = {key: TextField(called(name)) for key, name in FIELD_NAMES.items()}
        self.limits = {name: _LimitField(name) for name in LIMITS}
        self._more = QLabel()
        self._more.setProperty("soft", True)
        self._more.setWordWrap(True)
        self.rest = QPlainTextEdit()
        self.rest.setMinimumHeight(_REST_PX)
        self.rest.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)  # it takes what is left
        self.rest.setTabChangesFocus(True)
        self._rest_problem: Text | None = None
        self._rest_faults: list[Text] = []
        self._rest_fault = QLabel()
        self._rest_fault.setProperty("state", "bad")
        self._rest_fault.setProperty("verbatim", True)
        self._rest_fault.setTextFormat(Qt.TextFormat.PlainText)
        self._rest_fault.setWordWrap(True)
        self._lay_out()
        for field in (*self.fields.values(), *self.limits.values()):
            field.label.setFixedWidth(66)
            field.edited.connect(self._on_edited)
        self.rest.textChanged.connect(self._on_rest)
        language.changed.connect(self._retranslate)
        self._retranslate()
        self.show_point(None)

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(4)
        for row, (field, limit) in enumerate(zip(self.fields.values(), self.limits.values(), strict=True)):
            grid.addWidget(field, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(limit, row, 1, Qt.AlignmentFlag.AlignTop)
        grid.setColumnStretch(0, 2)
        grid.setColumnStretch(1, 3)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 4, 8, 4)
        column.setSpacing(6)
        column.addWidget(self.title)
        column.addLayout(grid)
        column.addWidget(self._more)
        column.addWidget(self.rest, 1)
        column.addWidget(self._rest_fault)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(Scrolled(inside))

    def _retranslate(self) -> None:
        self._more.setText(tr("Everything else, as it stands in the file (key: value on each line)"))
        self.rest.setAccessibleName(self._more.text())
        self._titled()
        self._placeholders()

    def _titled(self) -> None:
        point = self._point
        self.title.setText(f"{point.id} · {_name(point)}" if point is not None else "")

    def show_point(self, point: PointDraft | None) -> None:
        """Fill the fields from it."""
        self._point = None  # what is put into the fields now is not typed
        for field in (*self.fields.values(), *self.limits.values()):
            field.setEnabled(point is not None)
            field.set_problem(None)
            field.set_faults([])
        self.rest.setEnabled(point is not None)
        if point is not None:
            for key, field in self.fields.items():
                field.set_text(line_of(point.given.get(key)))
            for name, limit in self.limits.items():
                value, priority = point.limit(name)
                limit.set_text(line_of(value))
                limit.priority.setCurrentIndex(max(limit.priority.findData(priority), 0))
        self.rest.setPlainText(lines_of(point.rest()) if point is not None else "")
        self._set_rest_problem(None)
        self._point = point
        self._titled()
        self._placeholders()

    def _placeholders(self) -> None:
        for key, field in self.fields.items():
            held = self._point.base.get(key, _DEFAULTS.get(key)) if self._point is not None else None
            field.set_placeholder(line_of(held))

    def set_faults(self, faults: Sequence[tuple[_Place, Text]]) -> None:
        """(place within the point, words) of each."""
        here: dict[Field | None, list[Text]] = {}
        for place, words in faults:
            field: Field | None = self.fields.get(place[0]) if place else None
            if place[:1] == ("alarms",) and len(place) > 1:
                field = self.limits.get(place[1])
            here.setdefault(field, []).append(words)
        for each in (*self.fields.values(), *self.limits.values()):
            each.set_faults(here.get(each, []))
        self._rest_faults = here.get(None, [])
        self._show_rest_fault()

    def problems(self) -> list[str]:
        """What cannot even be asked."""
        named: list[tuple[str, str]] = [(key, field.problem) for key, field in self.fields.items()]
        named += [(name, limit.problem) for name, limit in self.limits.items()]
        found = [f"{key}: {problem}" for key, problem in named if problem]
        return [*found, self._rest_problem.in_(language.name())] if self._rest_problem is not None else found

    def _on_edited(self) -> None:
        point = self._point
        if point is None:
            return
        for key in POINT_FIELDS:
            ok, value = _typed(self.fields[key])
            if ok:
                point.set(key, value)
        for name, limit in self.limits.items():
            ok, value = _typed(limit)
            priority = str(limit.priority.currentData() or "")
            if ok and (value, priority) != point.limit(name):
                point.set_limit(name, value, priority if value is not None else "")
        self.edited.emit()

    def _on_rest(self) -> None:
        point = self._point
        if point is None:
            return
        try:
            rest = parse_mapping(self.rest.toPlainText())
        except Wrong as error:
            self._set_rest_problem(error.text)
        else:
            problem: Text | None = None
            if plain_secrets(rest):
                problem = both("a secret must not stand in the file; write secret:NAME or env:NAME")
            elif point.own and not rest.get("id"):
                problem = both("a point needs an id; add 'id: ...'")
            self._set_rest_problem(problem)
            if problem is None:
                point.set_rest(rest)
        self.edited.emit()

    def _set_rest_problem(self, problem: Text | None) -> None:
        self._rest_problem = problem
        self._show_rest_fault()

    def _show_rest_fault(self) -> None:
        said = [self._rest_problem] if self._rest_problem is not None else self._rest_faults
        self._rest_fault.setText(crossed(said))
        self._rest_fault.setVisible(bool(said))


def _typed(field: TextField) -> tuple[bool, Any]:
    """Whether what stands in it can be read, and what it is."""
    try:
        value = parse(field.text())
    except Wrong as error:
        field.set_problem(error.text)
        return False, None
    field.set_problem(None)
    return True, value


def _name(point: PointDraft) -> str:
    name = point.value("name")
    if isinstance(name, Mapping):
        return str(name.get(language.name()) or next(iter(name.values()), ""))
    return str(name or "")
