"""What the console remembers between starts: one JSON file, written by a thread, set aside when it cannot be read."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

log = logging.getLogger("gridroom.console.settings")

T = TypeVar("T")
FILE_NAME: Final = "console.json"


class Settings:
    """Plain values under dotted names. Reading happens once, at start; `save` never blocks the screen."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values = self._read()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="gridroom-settings")

    def get(self, name: str, default: T) -> T:
        """What is remembered, when it is of the default's type; the default otherwise."""
        value = self._values.get(name, default)
        if isinstance(default, float) and isinstance(value, int):
            value = float(value)
        return value if default is None or type(value) is type(default) else default

    def set(self, name: str, value: Any) -> None:
        """Remember a JSON value; it is on disk after the next `save`."""
        self._values[name] = value

    def save(self) -> None:
        """Write in the background what is remembered now."""
        self._writer.submit(self._write, json.dumps(self._values, ensure_ascii=False, indent=1))

    def close(self) -> None:
        """Write for the last time and wait for it."""
        self.save()
        self._writer.shutdown(wait=True)

    def _read(self) -> dict[str, Any]:
        try:
            values = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            aside = self._path.with_suffix(".unreadable.json")
            log.warning(
                "%s cannot be read (%s); starting with the defaults, the old file is %s", self._path, error, aside
            )
            try:
                self._path.replace(aside)
            except OSError as moving:
                log.warning("%s cannot be set aside: %s", self._path, moving)
            return {}
        return values if isinstance(values, dict) else {}

    def _write(self, text: str) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            half = self._path.with_suffix(".half.json")
            half.write_text(text, encoding="utf-8")
            half.replace(self._path)
        except OSError as error:
            log.warning("settings are not kept: %s cannot be written: %s", self._path, error)
