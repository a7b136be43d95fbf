"""The outstation by c104, started and spoken to by lines of JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any


class Outstation:
    """The other process."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.port = port
        self.process = process
        self.said: list[dict[str, Any]] = []

    def order(self, **words: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(words).encode() + b"\n")

    async def hears(self, key: str) -> dict[str, Any]:
        """The next thing it says under a key."""
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            while True:
                for one in self.said:
                    if key in one:
                        self.said.remove(one)
                        return one
                self.said.append(json.loads(await self.process.stdout.readline()))


@contextlib.asynccontextmanager
async def outstation_of(points: Mapping[int, str] | None = None) -> AsyncIterator[Outstation]:
    """With these points (address -> type), or with one of each type."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pipe, more = asyncio.subprocess.PIPE, [json.dumps(points)] if points else []
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.c104_outstation", str(port), *more, stdin=pipe, stdout=pipe,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    running = Outstation(process, port)
    try:
        await running.hears("ready")
        yield running
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        assert process.stdout is not None
        await process.stdout.read()
