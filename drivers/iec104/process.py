"""The worker as its parent sees it: started, listened to, and killed when it says nothing any more."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from app.model.errors import TransportError
from app.model.text import Text
from drivers.iec104 import messages
from drivers.iec104.asdu import Columns
from drivers.iec104.messages import Note

log = logging.getLogger("gridroom.iec104")

SILENT_S: Final = 10.0
"""A worker says that it lives every second; after this long it hangs."""
CLOSING_S: Final = 3.0
"""How long a worker may take to close its connections before it is killed."""
_BUFFER: Final = 1 << 20
_ROOT: Final = Path(__file__).parents[2]


class Worker:
    """One worker process. Make it with `start`; `close` ends it, whatever it does."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._said: deque[str] = deque(maxlen=20)
        self._errors = asyncio.create_task(self._read_errors(), name="iec104 worker's errors")

    @staticmethod
    async def start(order: Mapping[str, Any]) -> Worker:
        """Start one and give it its order. Raises TransportError."""
        command = [sys.executable, "-m", "drivers.iec104.worker"]
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, stderr=pipe, limit=_BUFFER, cwd=_ROOT
            )
        except OSError as error:
            text = Text(
                f"the worker for IEC 60870-5-104 cannot be started: {error}",
                f"IEC 60870-5-104 工作进程无法启动：{error}",
            )
            raise TransportError(text) from error
        worker = Worker(process)
        worker.send({"do": "open", **order})
        return worker

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, request: Note) -> None:
        """Ask for something. What comes of it is told by notes; a dead worker is told by `receive`."""
        assert self._process.stdin is not None  # noqa: S101 (for mypy: it was started with pipes)
        with contextlib.suppress(OSError):
            self._process.stdin.write(messages.pack(request))

    async def deliver(self, message: bytes) -> None:
        """Send values, and wait while the worker does not take them. A dead worker is told by `receive`."""
        assert self._process.stdin is not None  # noqa: S101 (for mypy: it was started with pipes)
        with contextlib.suppress(OSError):
            self._process.stdin.write(message)
            await self._process.stdin.drain()

    async def receive(self) -> Note | tuple[Columns, int]:
        """The next note, or values and when they came. Raises TransportError when the worker is dead or hangs."""
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 (for mypy: it was started with pipes)
        try:
            async with asyncio.timeout(SILENT_S):
                length, kind = messages.length_and_kind(await stdout.readexactly(messages.HEAD.size))
                payload = await stdout.readexactly(length)
            return messages.unpack_values(payload) if kind == messages.VALUES else messages.unpack_note(payload)
        except TimeoutError:
            text = Text(
                f"its worker process hangs: nothing for {SILENT_S:g} s; it is started anew",
                f"工作进程无响应：{SILENT_S:g} s 内没有任何消息；将重新启动",
            )
            raise TransportError(text) from None
        except (asyncio.IncompleteReadError, OSError):
            words = await self._last_words()
            text = Text(f"its worker process died {words}; it is started anew", f"工作进程已退出 {words}；将重新启动")
            raise TransportError(text) from None
        except messages.MessageFault as fault:
            text = Text(
                f"its worker process talks nonsense ({fault}); it is started anew",
                f"工作进程消息无法识别（{fault}）；将重新启动",
            )
            raise TransportError(text) from None

    async def close(self) -> None:
        """Let it close its connections, or kill it. Never raises."""
        self.send({"do": "close"})
        try:
            async with asyncio.timeout(CLOSING_S):
                await self._to_its_end()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._to_its_end()
        await asyncio.wait([self._errors])
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def _to_its_end(self) -> None:
        """Take what it still says, so that it can end, and its pipes with it."""
        assert self._process.stdout is not None  # noqa: S101 (for mypy: it was started with pipes)
        while await self._process.stdout.read(_BUFFER):
            pass
        await self._process.wait()

    async def _read_errors(self) -> None:
        """Keep what the worker says of itself, so that it never waits for us."""
        stderr = self._process.stderr
        assert stderr is not None  # noqa: S101 (for mypy: it was started with pipes)
        with contextlib.suppress(OSError):
            while line := await stderr.readline():
                self._said.append(line.decode(errors="replace").rstrip())
                log.debug("iec104 worker %d: %s", self._process.pid, self._said[-1])

    async def _last_words(self) -> str:
        code = await self._process.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.shield(self._errors)
        words = next((line for line in reversed(self._said) if line.strip()), "")
        return f"(code {code}: {words[:200]})" if words else f"(code {code})"
