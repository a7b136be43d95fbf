"""A unified difference, and other lines of a file, to be read and copied: + and − say what the ink says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from PySide6.QtGui import QFont, QFontDatabase, QSyntaxHighlighter, QTextCharFormat
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from app.model.connections import SECRET_KEYS
from widgets import theme
from widgets.fonts import SMALL_PX

_KEY: Final = "|".join(SECRET_KEYS)
_SECRET: Final = re.compile(
    rf"""(\b(?:{_KEY})\s*:\s+|["'](?:{_KEY})["']\s*:\s*)  # the key; a colon within a text has no space behind it
    (?!\s|["']?(?:secret:|env:))
    ("[^"]*"|'[^']*'|[^,}}#\s][^,}}#]*)""",
    re.VERBOSE,
)


def masked(line: str) -> str:
    """The line with dots in place of a secret that is written out in the file."""
    return _SECRET.sub(lambda found: f"{found[1]}••••", line)


class _Inks(QSyntaxHighlighter):
    def highlightBlock(self, text: str) -> None:
        ink = QTextCharFormat()
        if text.startswith("+") and not text.startswith("+++"):
            ink.setForeground(theme.colour("live"))
            ink.setFontWeight(QFont.Weight.DemiBold)
        elif text.startswith("-") and not text.startswith("---"):
            ink.setForeground(theme.colour("bad-quality"))
        elif text.startswith(("@@", "+++", "---")):
            ink.setForeground(theme.colour("ink-soft"))
        else:
            ink.setForeground(theme.colour("ink"))
        self.setFormat(0, len(text), ink)


class Lines(QPlainTextEdit):
    """Read-only text of fixed width; `inked` paints a difference."""

    def __init__(self, *, inked: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setReadOnly(True)
        self.setTabChangesFocus(True)
        if inked:
            font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
            font.setPixelSize(SMALL_PX)
            self.setFont(font)
            self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
            self._inks = _Inks(self.document())
            theme.changed.connect(self._inks.rehighlight)

    def show_lines(self, lines: Sequence[str]) -> None:
        """Replace all of it; the place that one has scrolled to stays."""
        text = "\n".join(map(masked, lines))
        if text != self.toPlainText():
            at = self.verticalScrollBar().value()
            self.setPlainText(text)
            self.verticalScrollBar().setValue(at)
