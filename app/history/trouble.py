"""What is wrong with the history just now, told once when it begins and once when it ends."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from app.model.text import Text, joined

log = logging.getLogger("gridroom.history.trouble")


class Troubles:
    """The troubles that stand, by key. Thread-safe; `report` is called on the thread that tells."""

    def __init__(self, report: Callable[[str, Text | None], None]) -> None:
        self._report = report
        self._standing: dict[str, Text] = {}
        self._lock = threading.Lock()

    def tell(self, key: str, en: str, zh: str) -> None:
        """Something is wrong. Told again only when the words change."""
        text = Text(en, zh)
        with self._lock:
            if self._standing.get(key) == text:
                return
            self._standing[key] = text
        log.warning("%s: %s", key, en)
        self._report(key, text)

    def clear(self, key: str) -> None:
        """It is well again."""
        with self._lock:
            if self._standing.pop(key, None) is None:
                return
        log.info("%s: well again", key)
        self._report(key, None)

    def standing(self) -> Text | None:
        """Everything that is wrong now, in one text; None while all is well."""
        with self._lock:
            texts = list(self._standing.values())
        if not texts:
            return None
        return joined(texts)
