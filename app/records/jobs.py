"""What waits to be stored, and what is given up when it has waited too long."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection

DOUBT: Final = 3.0
"""A COMMIT under way is waited for so many times as long, before its fate is said to be unknown."""
_LOOK_S: Final = 0.05


@dataclass(slots=True, eq=False)
class Job:
    """One thing to store. Its future ends once, whoever comes first: the writer or the deadline."""

    run: Callable[[Connection], Any]
    rows: int
    within_s: float = math.inf
    future: Future[Any] = field(default_factory=Future)
    made: float = field(default_factory=time.monotonic)
    given_up: bool = False
    """Never to be stored any more."""
    sealed: bool = False
    """Its transaction is being committed: too late to give it up."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _settled: bool = False

    # A cancelled future is one that nobody waits for any more: its job is done all the same.

    def done(self, result: Any) -> None:
        if self._settle() and self.future.set_running_or_notify_cancel():
            self.future.set_result(result)

    def fail(self, error: Exception) -> None:
        if self._settle() and self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)

    def _settle(self) -> bool:
        with self._lock:
            first, self._settled = not self._settled, True
        return first


class Deadlines:
    """Watches the jobs that may not wait for ever, on a thread of its own that lives while there are any.

    `expired(job, in_doubt)` is called for each that is late, on that thread; it returns whether the job is settled.
    """

    def __init__(self, expired: Callable[[Job, bool], bool]) -> None:
        self._expired = expired
        self._changed = threading.Condition()
        self._jobs: list[Job] = []
        self._thread: threading.Thread | None = None
        self._ended = False

    def watch(self, job: Job) -> None:
        with self._changed:
            self._jobs.append(job)
            if self._thread is None:
                self._ended = False
                self._thread = threading.Thread(target=self._run, name="records-deadlines", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()
            self._thread = None

    def _run(self) -> None:
        while True:
            with self._changed:
                self._jobs = [job for job in self._jobs if not job.future.done()]
                if self._ended and not self._jobs:
                    return
                late = min((job.made + job.within_s for job in self._jobs), default=math.inf)
                if late > (now := time.monotonic()):
                    self._changed.wait(min(late - now, 3600.0) if not self._ended else _LOOK_S)
                    continue
                due = [job for job in self._jobs if job.made + job.within_s <= now]
            settled = [self._expired(job, now > job.made + DOUBT * job.within_s) for job in due]
            if not all(settled):
                time.sleep(_LOOK_S)
