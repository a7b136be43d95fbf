"""The language of the screen, switched while running.

English text is the key; `resources/translations/zh*.yaml` hold the Chinese. A widget sets its texts in one method and
connects it to `changed`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import yaml
from PySide6.QtCore import QObject, Signal

from app.model.errors import GridroomError, Wrong
from app.model.text import Text

_CATALOGUES: Final = Path(__file__).resolve().parent.parent / "resources" / "translations"


class _Language(QObject):
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.name = "en"


_language: Final = _Language()
changed = _language.changed
"""Emitted after another language was chosen."""


@cache
def catalogue(name_: str) -> dict[str, str]:
    """English -> that language. Empty for English."""
    if name_ == "en":
        return {}
    loaded = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(_CATALOGUES.glob(f"{name_}*.yaml")))
    return {str(key): str(value) for part in loaded for key, value in (part or {}).items()}


def tr(english: str, **values: object) -> str:
    """The text in the present language, with `{names}` filled in. An unknown text stays English (a test finds it)."""
    text = catalogue(_language.name).get(english, english)
    return text.format(**values) if values else text


def both(english: str) -> Text:
    """A text of the catalogue, for what is kept and shown again in another language."""
    return Text(english, catalogue("zh").get(english, english))


def told(error: BaseException) -> str:
    """What an error says, in the present language where it knows it."""
    return error.text.in_(_language.name) if isinstance(error, GridroomError | Wrong) else str(error)


def name() -> str:
    """`en` or `zh`."""
    return _language.name


def choose(name_: str) -> None:
    """Change to `en` or `zh`; everything on the screen follows."""
    if name_ != _language.name:
        _language.name = name_
        _language.changed.emit()
