"""The outstation by c104, started for one test, and spoken to by lines of JSON."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio


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


@pytest_asyncio.fixture
async def outstation() -> AsyncIterator[Outstation]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.c104_outstation", str(port), stdin=pipe, stdout=pipe,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    running = Outstation(process, port)
    await running.hears("ready")
    yield running
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()
    assert process.stdout is not None
    await process.stdout.read()
