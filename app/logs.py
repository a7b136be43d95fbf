"""Where log lines go: a rotating file in the data folder, and warnings to the terminal. Writing never blocks a loop."""

from __future__ import annotations

import logging
import queue
import sys
import threading
import traceback
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from typing import Final

import platformdirs

from app.model.errors import StorageError, mend_of

FORM: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
MOST_BYTES: Final = 5_000_000
KEPT_FILES: Final = 5
LAST_ERROR: Final = "last-error.txt"

PLACES: Final = "gridroom.places"
"""The logger whose lines are on the terminal at any level: where everything is kept."""

log = logging.getLogger("gridroom.logs")


class Logs:
    """The program's logging, from `start` until `stop`."""

    def __init__(self, folder: Path | None, *, terminal_level: int = logging.WARNING) -> None:
        """`folder` is the data folder, None for the terminal only. Raises StorageError where no log can be kept."""
        terminal = logging.StreamHandler(sys.stderr)
        terminal.addFilter(lambda line: line.levelno >= terminal_level or line.name == PLACES)
        terminal.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        handlers: list[logging.Handler] = [terminal]
        if folder is not None:
            handlers.append(_file(folder / "logs" / "gridroom.log"))
        self._handlers = handlers
        self._hook = threading.excepthook
        lines: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        self._in = QueueHandler(lines)
        self._listener = QueueListener(lines, *handlers, respect_handler_level=True)

    def start(self) -> None:
        root = logging.getLogger()
        root.setLevel(logging.INFO)
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # it logs each time-out; the supervisor says it once
        logging.getLogger("bacpypes3").setLevel(logging.CRITICAL)  # and this each packet of rubbish, with a traceback
        root.addHandler(self._in)
        self._listener.start()
        self._hook, threading.excepthook = threading.excepthook, _on_dead_thread

    def stop(self) -> None:
        threading.excepthook = self._hook
        logging.getLogger().removeHandler(self._in)
        self._listener.stop()
        for handler in self._handlers:
            handler.close()


class _OneLine(logging.Formatter):
    """A message is one line of the file, whatever a device or a person put into it; a trace stands below it as ever."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in record.message)
        return super().formatMessage(record)


def _on_dead_thread(what: threading.ExceptHookArgs) -> None:
    """A thread that ends by an error is to be found in the file, not only where somebody may watch a terminal."""
    if what.exc_type is not SystemExit and what.exc_value is not None:
        name = what.thread.name if what.thread is not None else "a thread"
        log.critical("%s has ended by an error; restart the program and send its log", name, exc_info=what.exc_value)


def last_words(error: Exception) -> str:
    """One line on an error that nobody foresaw; its traceback is kept in a file, in place of the one before it."""
    what = " ".join(f"{type(error).__name__}: {error}".split())
    trace = "".join(traceback.format_exception(error))
    path = Path(platformdirs.user_log_path("gridroom", appauthor=False)) / LAST_ERROR
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(trace, encoding="utf-8")
    except OSError:
        return f"a fault of Gridroom's own ({what})\n{trace}"
    return f"a fault of Gridroom's own ({what}); start it again, and send its makers {path}"


def _file(path: Path) -> logging.Handler:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = RotatingFileHandler(path, maxBytes=MOST_BYTES, backupCount=KEPT_FILES, encoding="utf-8")
    except OSError as error:
        why = error.strerror or str(error)
        raise StorageError(
            f"log {path} cannot be written ({why}); {mend_of(error).en}, or name another folder with --data"
        ) from error
    file.setFormatter(_OneLine(FORM))
    return file
