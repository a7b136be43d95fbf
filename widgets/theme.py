"""Colours as tokens, two themes from one table, and the style sheet made of them.

No other module writes a colour: it asks `colour("ink")`, and repaints when `changed` is emitted.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColor

TOKENS: Final[dict[str, tuple[str, str]]] = {
    # token: (light, dark)
    "ground": ("#D8DADC", "#24272B"),
    "surface": ("#E6E7E9", "#2D3136"),
    "line": ("#6E7378", "#7F8790"),
    "ink": ("#1F2328", "#DADDE1"),
    "ink-soft": ("#555B61", "#9BA2AA"),
    "live": ("#123C7C", "#9CC3FF"),
    "equipment-on": ("#FFFFFF", "#C9CED4"),
    "equipment-off": ("#A7ABB0", "#474D54"),
    "priority-1": ("#B80D28", "#FF7276"),
    "priority-2": ("#944A00", "#FFA53D"),
    "priority-3": ("#665900", "#F2D13A"),
    "priority-4": ("#5B3F99", "#B79CFF"),
    "bad-quality": ("#8A1C7C", "#E88BDD"),
    "manual": ("#005F73", "#4FC3D9"),
}


class _Theme(QObject):
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.name = "light"


_theme: Final = _Theme()
changed = _theme.changed
"""Emitted after another theme was chosen."""


def colour(token: str) -> QColor:
    """The colour of a token in the present theme. Raises KeyError for a token that the table does not have."""
    return QColor(TOKENS[token][_theme.name == "dark"])


def name() -> str:
    """`light` or `dark`."""
    return _theme.name


def choose(name_: str) -> None:
    """Change to `light` or `dark`; everything on the screen follows."""
    if name_ != _theme.name:
        _theme.name = name_
        _theme.changed.emit()
