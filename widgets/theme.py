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
    # Only where `breaker_colours: gb` is chosen (红合绿分); nothing else is painted red or green.
    "gb-closed": ("#C00000", "#FF5A5A"),
    "gb-open": ("#1B7A2F", "#4CC26A"),
}

PENS: Final[dict[str, tuple[str, ...]]] = {
    # Found by search: at least 3:1 on `surface`, 0.09 (Oklab) from every alarm colour and 0.11 from each other,
    # also as people without red or green cones see them; neighbours in the list differ most.
    "light": ("#1B82E1", "#620A6E", "#627F32", "#2D272A", "#9E6797", "#054FB1", "#294C0C", "#684D69"),
    "dark": ("#5698FF", "#ECFBA9", "#56894B", "#DDBE92", "#BD58B0", "#9AF0F5", "#C78EA0", "#9EBEFC"),
}
"""Colours of trend pens in each theme, in the order in which they are handed out."""


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


def pen_colour(number: int) -> QColor:
    """The colour of the trend pen of this number, from 0; after the eighth they come again."""
    pens = PENS[_theme.name]
    return QColor(pens[number % len(pens)])


def name() -> str:
    """`light` or `dark`."""
    return _theme.name


def choose(name_: str) -> None:
    """Change to `light` or `dark`; everything on the screen follows."""
    if name_ != _theme.name:
        _theme.name = name_
        _theme.changed.emit()
