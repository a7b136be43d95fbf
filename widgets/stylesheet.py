"""The style sheet and palette of the present theme, made from the tokens."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Final

from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QApplication

from widgets import theme

_FILE: Final = Path(__file__).resolve().parent.parent / "resources" / "themes" / "gridroom.qss"
_TOKEN: Final = re.compile(r"@([a-z]+(?:-[a-z0-9]+)*)")


@lru_cache(maxsize=1)
def _source() -> str:
    return re.sub(r"/\*.*?\*/", "", _FILE.read_text(encoding="utf-8"), flags=re.DOTALL)


def stylesheet() -> str:
    """The sheet with the present theme's colours. Raises KeyError where it names a token that does not exist."""
    return _TOKEN.sub(lambda match: theme.colour(match[1]).name(), _source())


def palette() -> QPalette:
    """What the style sheet does not reach."""
    made = QPalette()
    role = QPalette.ColorRole
    for roles, token in (
        ((role.Window, role.Button, role.Midlight), "ground"),
        ((role.Base, role.AlternateBase, role.ToolTipBase, role.Light), "surface"),
        ((role.WindowText, role.Text, role.ButtonText, role.ToolTipText, role.BrightText), "ink"),
        ((role.PlaceholderText,), "ink-soft"),
        ((role.Highlight, role.Link, role.Accent), "live"),
        ((role.HighlightedText,), "surface"),
        ((role.Mid, role.Dark, role.Shadow), "line"),
    ):
        for one in roles:
            made.setColor(one, theme.colour(token))
    made.setColor(QPalette.ColorGroup.Disabled, role.Text, theme.colour("ink-soft"))
    made.setColor(QPalette.ColorGroup.Disabled, role.ButtonText, theme.colour("ink-soft"))
    return made


def apply(app: QApplication) -> None:
    """Dress the application in the present theme."""
    app.setPalette(palette())
    app.setStyleSheet(stylesheet())
