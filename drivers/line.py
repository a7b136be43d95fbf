"""A line that carries one request at a time, and reopens itself. Shared by all devices on it, whatever they speak."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

from app.model.errors import TransportError
from app.model.text import Text
from drivers.channel import Channel
from drivers.turns import Precedence, Turns

C = TypeVar("C", bound=Channel)


class Line(ABC, Generic[C]):
    """One line. Reopens itself when it is asked after it was lost."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._turns = Turns()
        self._wire: C | None = None
        self._free_since = 0.0
        """When the last exchange ended, by the loop's clock."""
        self._failures = 0
        self._refusal = Text("", "")
        self._closed = False

    @abstractmethod
    def _new_wire(self) -> C:
        """A connection that is not open yet."""

    async def open(self, timeout_s: float) -> None:
        """Open it where it is not open. Raises TransportError."""
        async with self._taken(Precedence.POLL, timeout_s):
            pass

    async def close(self) -> None:
        """Close it for good."""
        self._closed = True
        if self._wire:
            self._wire.shut()
            self._wire = None
        await asyncio.sleep(0)  # the loop lets go of the socket in its next round

    @contextlib.asynccontextmanager
    async def _taken(self, precedence: Precedence, timeout_s: float, device: str = "") -> AsyncIterator[None]:
        """Hold the line, open. Raises TransportError."""
        failures = self._failures
        async with self._turns.turn(precedence):
            await self._ready(failures, timeout_s, device)
            yield

    async def _ready(self, failures: int, timeout_s: float, device: str) -> None:
        """An open wire. Whoever waited while another failed to open it fails likewise, instead of one after another."""
        if self._closed:
            raise self._closed_here(device)
        if self._wire and self._wire.is_open:
            return
        if failures != self._failures:
            raise TransportError(self._refusal, device=device)
        wire = self._new_wire()
        try:
            await wire.open(timeout_s)
            if self._closed:  # meanwhile
                raise self._closed_here(device)
        except BaseException as error:
            wire.shut()
            if isinstance(error, TransportError):
                self._failures += 1
                self._refusal = error.text
                error.device = device
            raise
        self._wire = wire

    def _closed_here(self, device: str) -> TransportError:
        return TransportError(Text(f"{self._name} was closed here", f"{self._name} 已由本程序关闭"), device=device)

    def _open_wire(self, device: str) -> C:
        """The wire, within a turn. Raises TransportError where it was lost meanwhile."""
        if self._wire is None or not self._wire.is_open:
            text = Text(
                f"{self._name}: the connection was lost; check that the device runs, and the cable",
                f"{self._name}：连接已断开；请检查设备是否运行正常以及线缆",
            )
            raise TransportError(text, device=device)
        return self._wire

    async def _keep_silence(self, silence_s: float) -> None:
        """Wait until the line has been silent for so long."""
        if not silence_s:
            return
        wait_s = self._free_since + silence_s - self._now()
        if wait_s > 0:
            await asyncio.sleep(wait_s)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
