"""Turns on a line that carries one request at a time: commands go ahead of polls, equals in order of arrival."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import IntEnum


class Precedence(IntEnum):
    """Who goes first."""

    COMMAND = 0
    POLL = 1


class Turns:
    """A lock with precedence. Taken for one request, not for a whole poll, so that a command waits for one at most."""

    def __init__(self) -> None:
        self._busy = False
        self._arrivals = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def turn(self, precedence: Precedence) -> AsyncIterator[None]:
        """Hold the line for one request."""
        await self._acquire(precedence)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, precedence: Precedence) -> None:
        if not self._busy:
            self._busy = True
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._arrivals += 1
        heapq.heappush(self._waiting, (precedence, self._arrivals, mine))
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._release()  # the turn was already ours: pass it on
            raise

    def _release(self) -> None:
        while self._waiting:
            _, _, next_ = heapq.heappop(self._waiting)
            if not next_.done():
                next_.set_result(None)
                return
        self._busy = False
