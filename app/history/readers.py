"""Threads that answer questions, and questions that can be called off while they are being answered."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import duckdb

T = TypeVar("T")


class Task(Future[T], Generic[T]):
    """A future whose `cancel` also works while it runs: DuckDB is interrupted, and `result` raises CancelledError."""

    def __init__(self) -> None:
        super().__init__()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._cursor: duckdb.DuckDBPyConnection | None = None

    def cancel(self) -> bool:
        """Call it off. False when it is done already."""
        if super().cancel():
            return True
        if self.done():
            return False
        self._stop.set()
        with self._lock:
            if self._cursor is not None:
                self._cursor.interrupt()
        return True

    def check(self) -> None:
        """Raise CancelledError when it was called off. Long work asks now and then."""
        if self._stop.is_set():
            raise CancelledError

    @contextmanager
    def using(self, cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """`cancel` interrupts this cursor from here on."""
        with self._lock:
            self._cursor = cursor
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._cursor = None


class Readers:
    """A few threads, each with one task at a time."""

    def __init__(self, count: int, name: str = "history-reader") -> None:
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._running: set[Task[Any]] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[Task[T]], T]) -> Task[T]:
        """Have `work` done on a reader's thread; it is given its task, to `check` and to be interrupted by."""
        task: Task[T] = Task()

        def run() -> None:
            if not task.set_running_or_notify_cancel():
                return
            with self._lock:
                self._running.add(task)
            try:
                result = work(task)
            except duckdb.InterruptException:
                task.set_exception(CancelledError())
            except BaseException as error:
                task.set_exception(error)
            else:
                task.set_result(result)
            finally:
                with self._lock:
                    self._running.discard(task)

        if self._closed:
            task.cancel()
        else:
            self._queue.put(run)
        return task

    def close(self) -> None:
        """Call off what runs, leave out what waits, end the threads."""
        self._closed = True
        with self._lock:
            running = list(self._running)
        for task in running:
            task.cancel()
        while True:
            try:
                self._queue.get_nowait()
            except queue.Empty:
                break
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            work()
