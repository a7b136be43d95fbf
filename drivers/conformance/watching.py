"""Watches the loop during a check: nothing holds it, no error is lost, and nothing is left behind.

A callback that takes longer than 20 ms holds the loop, whether it computes or waits. On a busy machine it may also just
not have run; so a check is tried again, and what holds the loop every time is at fault.
"""

from __future__ import annotations

import asyncio
import threading
import time
from types import TracebackType
from typing import Any, Final

LONGEST_S: Final = 0.02
ATTEMPTS: Final = 3
_ROUNDS: Final = 200
"""How often tasks and threads that are ending are given a moment more."""
_MOMENT_S: Final = 0.005
_POOL: Final = "asyncio_"
"""Threads of the loop's own pool, where names are looked up; they end with the loop."""


class Watch:
    """What was there before, what holds the loop meanwhile, and what is left afterwards."""

    def __enter__(self) -> Watch:
        self._loop = asyncio.get_running_loop()
        self._tasks = asyncio.all_tasks()
        self._threads = set(threading.enumerate())
        self._held: tuple[float, str] = (0.0, "")
        self._unhandled: list[str] = []
        self._before = self._loop.get_exception_handler()
        self._loop.set_exception_handler(self._on_unhandled)
        self._run = asyncio.Handle._run
        watch, thread, real = self, threading.get_ident(), self._run

        def run(handle: asyncio.Handle) -> None:
            if threading.get_ident() != thread:
                real(handle)
                return
            began = time.perf_counter()
            real(handle)
            watch._note(time.perf_counter() - began, handle)

        asyncio.Handle._run = run  # type: ignore[method-assign,assignment]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.Handle._run = self._run  # type: ignore[method-assign]
        self._loop.set_exception_handler(self._before)

    def _note(self, took_s: float, handle: asyncio.Handle) -> None:
        if took_s > max(LONGEST_S, self._held[0]):
            task = getattr(getattr(handle, "_callback", None), "__self__", None)
            self._held = took_s, f"task {task.get_coro()!r}" if isinstance(task, asyncio.Task) else repr(handle)

    def _on_unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._unhandled.append(f"{context.get('message')}: {context.get('exception')!r}")

    async def settle(self) -> None:
        """Let what is ending end."""
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)
            if not self._left():
                return
            await asyncio.sleep(_MOMENT_S)

    def _left(self) -> list[str]:
        tasks = asyncio.all_tasks(self._loop) - self._tasks
        threads = {one for one in set(threading.enumerate()) - self._threads if not one.name.startswith(_POOL)}
        return [f"task {one.get_name()}" for one in tasks] + [f"thread {one.name}" for one in threads]

    def left_behind(self) -> str:
        """Tasks and threads that outlive their link, and errors that nobody took; empty where there are none."""
        left = self._left()
        if left:
            return f"after close() there are still: {', '.join(sorted(left))}"
        return f"an error was lost on the loop: {self._unhandled[0]}" if self._unhandled else ""

    def held(self) -> str:
        """What held the loop; empty where nothing did."""
        took_s, what = self._held
        return f"the loop was held for {took_s * 1000:.0f} ms, and 20 ms are allowed, by {what}" if what else ""
