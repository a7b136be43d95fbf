"""Where log lines go: a rotating file in the data folder, and warnings to the terminal. Writing never blocks a loop."""

from __future__ import annotations

import logging
import queue
import sys
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from typing import Final

FORM: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
MOST_BYTES: Final = 5_000_000
KEPT_FILES: Final = 5


class Logs:
    """The program's logging, from `start` until `stop`."""

    def __init__(self, folder: Path | None, *, terminal_level: int = logging.WARNING) -> None:
        """`folder` is the data folder, None for the terminal only."""
        terminal = logging.StreamHandler(sys.stderr)
        terminal.setLevel(terminal_level)
        terminal.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        handlers: list[logging.Handler] = [terminal]
        if folder is not None:
            logs = folder / "logs"
            logs.mkdir(parents=True, exist_ok=True)
            file = RotatingFileHandler(
                logs / "gridroom.log", maxBytes=MOST_BYTES, backupCount=KEPT_FILES, encoding="utf-8"
            )
            file.setFormatter(logging.Formatter(FORM))
            handlers.append(file)
        self._handlers = handlers
        lines: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        self._in = QueueHandler(lines)
        self._listener = QueueListener(lines, *handlers, respect_handler_level=True)

    def start(self) -> None:
        root = logging.getLogger()
        root.setLevel(logging.INFO)
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # it logs each time-out; the supervisor says it once
        root.addHandler(self._in)
        self._listener.start()

    def stop(self) -> None:
        logging.getLogger().removeHandler(self._in)
        self._listener.stop()
        for handler in self._handlers:
            handler.close()
