"""The language of the screen, switched while running.

English text is the key; `resources/translations/zh.yaml` holds the Chinese. A widget sets its texts in one method and
connects it to `changed`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

import yaml
from PySide6.QtCore import QObject, Signal

_CATALOGUES: Final = Path(__file__).resolve().parent.parent / "resources" / "translations"


class _Language(QObject):
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.name = "en"


_language: Final = _Language()
changed = _language.changed
"""Emitted after another language was chosen."""


@lru_cache(maxsize=None)
def catalogue(name_: str) -> dict[str, str]:
    """English -> that language. Empty for English."""
    if name_ == "en":
        return {}
    loaded = yaml.safe_load((_CATALOGUES / f"{name_}.yaml").read_text(encoding="utf-8"))
    return {str(key): str(value) for key, value in (loaded or {}).items()}


def tr(english: str, **values: object) -> str:
    """The text in the present language, with `{names}` filled in. An unknown text stays English (a test finds it)."""
    text = catalogue(_language.name).get(english, english)
    return text.format(**values) if values else text


def name() -> str:
    """`en` or `zh`."""
    return _language.name


def choose(name_: str) -> None:
    """Change to `en` or `zh`; everything on the screen follows."""
    if name_ != _language.name:
        _language.name = name_
        _language.changed.emit()
