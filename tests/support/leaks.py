"""Finds what a test left behind."""

from __future__ import annotations

import gc
import logging
import sys
import threading
import time
import weakref
from asyncio import tasks as asyncio_tasks
from types import TracebackType
from typing import Any, Final

GRACE_S: Final = 2.0
"""A thread that was told to end may take this long."""


class Leaks:
    """What there was at the start, to compare with at the end."""

    def __init__(self) -> None:
        self._threads = set(threading.enumerate())
        self._tasks = set(_tasks())
        self._windows = {id(window) for window in _windows()}

    def found(self) -> list[str]:
        """Everything new that is still alive, in words."""
        return [*self._left_threads(), *self._left_tasks(), *self._left_windows(), *_timers()]

    def _left_threads(self) -> list[str]:
        end = time.monotonic() + GRACE_S
        while True:
            left = [thread for thread in threading.enumerate() if thread not in self._threads and _ours(thread)]
            if not left or time.monotonic() > end:
                return [f"thread {thread.name}" for thread in left]
            left[0].join(0.05)

    def _left_tasks(self) -> list[str]:
        return [f"task {task.get_name()}" for task in _tasks() if task not in self._tasks and not task.done()]

    def _left_windows(self) -> list[str]:
        if any(id(window) not in self._windows for window in _windows()):
            _settle()
        new = [window for window in _windows() if id(window) not in self._windows]
        return [f"window {type(window).__name__}" for window in new]


def _ours(thread: threading.Thread) -> bool:
    """pytest's own and the interpreter's pools of finished futures are not a test's."""
    return not thread.name.startswith(("pytest", "Dummy"))


def _tasks() -> list[Any]:
    everything: weakref.WeakSet[Any] = getattr(asyncio_tasks, "_scheduled_tasks", None) or asyncio_tasks._all_tasks  # type: ignore[attr-defined]
    return list(everything)


def _windows() -> list[Any]:
    widgets = sys.modules.get("PySide6.QtWidgets")
    application = widgets.QApplication.instance() if widgets is not None else None
    if application is None or not hasattr(application, "topLevelWidgets"):
        return []
    return [window for window in application.topLevelWidgets() if window.parent() is None]


def _settle() -> None:
    """Let Qt delete what was told to go."""
    core = sys.modules["PySide6.QtCore"]
    gc.collect()
    core.QCoreApplication.sendPostedEvents(None, core.QEvent.Type.DeferredDelete.value)
    core.QCoreApplication.processEvents()


def _timers() -> list[str]:
    """Active timers without a parent that lives: nothing stops them any more."""
    core = sys.modules.get("PySide6.QtCore")
    if core is None or core.QCoreApplication.instance() is None:
        return []
    running = [o for o in gc.get_objects() if type(o) is core.QTimer and _runs(o)]
    return [f"timer of {timer.interval()} ms" for timer in running]


def _runs(timer: Any) -> bool:
    shiboken = sys.modules["shiboken6"]
    return bool(shiboken.isValid(timer) and timer.isActive() and timer.parent() is None)


class Errors(logging.Handler):
    """Collects ERROR lines of Gridroom's loggers while it is entered."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name}: {record.getMessage()}")

    def __enter__(self) -> Errors:
        logging.getLogger("gridroom").addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger("gridroom").removeHandler(self)
