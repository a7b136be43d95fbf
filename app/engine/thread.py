"""The engine's own thread and loop: never Qt's, where acquisition would wait for every repaint (design, part 4)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from app.engine.engine import Engine

T = TypeVar("T")
log = logging.getLogger("gridroom.engine")

LONGEST_STOP_S = 10.0


class EngineThread:
    """Runs one engine. `start` and `stop` are called from another thread."""

    def __init__(self, engine: Engine, on_failure: Callable[[], None] = lambda: None) -> None:
        """`on_failure` is told, on the engine's thread, when acquisition ended by an error of ours."""
        self._engine = engine
        self._on_failure = on_failure
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._running: Future[None] = Future()
        self._thread = threading.Thread(target=self._main, name="engine", daemon=True)

    def start(self) -> None:
        """Return when the engine's loop runs. Raises what kept it from running."""
        self._thread.start()
        self._running.result()

    def stop(self) -> None:
        """Cancel, wait until every line is closed. Safe to call twice, and when `start` was interrupted."""
        if not self._thread.is_alive():
            return
        wait([self._running], LONGEST_STOP_S)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop ended by itself meanwhile
                self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join(LONGEST_STOP_S)
        if self._thread.is_alive():
            log.error("the engine did not stop within %.0f s; the program ends without it", LONGEST_STOP_S)

    def ask(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the engine's loop. Fails with RuntimeError where it does not run any more."""
        if self._loop is None or not self._thread.is_alive():
            work.close()
            refused: Future[T] = Future()
            refused.set_exception(RuntimeError("the engine does not run"))
            return refused
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, work: Callable[[], None]) -> None:
        """Do `work` on the engine's loop soon; nothing where it does not run any more."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(work)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except Exception as error:
            if not self._running.done():
                self._running.set_exception(error)
                return
            log.exception("the engine ended with an error; acquisition has stopped, restart the program")
            self._on_failure()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        if self._task is not None:
            self._task.set_name("tick")  # what holds the loop is looked for by name
        self._running.set_result(None)
        with contextlib.suppress(asyncio.CancelledError):
            await self._engine.run()
