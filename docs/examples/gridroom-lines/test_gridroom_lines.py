"""The driver against an instrument that lives: Gridroom's conformance suite, check by check."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from gridroom_lines import LinesDriver

from drivers.conformance import CHECKS, Check, Rig, conform, device, name


class Instrument:
    """What the driver is for, as small as it can be."""

    def __init__(self) -> None:
        self.values = {"tank.level": 12.5, "tank.temp": -3.0, "pump.speed": 40.0}
        self.silent = False
        self.writes = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if not self.silent:
                writer.write(f"{self.answer(*line.decode().split())}\n".encode())
        writer.close()

    def answer(self, verb: str, name: str, value: str = "") -> str:
        if name not in self.values:
            return "ERR unknown name"
        if verb == "SET":
            self.values[name] = float(value)
            self.writes += 1
            return "OK"
        return f"OK {self.values[name]}"


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    instrument = Instrument()
    serving: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.ensure_future(instrument.serve(reader, writer)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    connection = {"host": "127.0.0.1", "port": server.sockets[0].getsockname()[1], "timeout": "200ms"}

    def silence(silent: bool) -> None:
        instrument.silent = silent

    points = [
        {"id": "level", "kind": "measurement", "address": {"name": "tank.level"}, "scale": 2},
        {"id": "temp", "kind": "measurement", "address": {"name": "tank.temp"}},
        {"id": "none", "kind": "measurement", "address": {"name": "tank.colour"}},
        {"id": "speed", "kind": "setpoint", "address": {"name": "pump.speed"}},
    ]
    yield Rig(
        LinesDriver(),
        [device("tank", connection, points)],
        values={"tank.level": 25.0, "tank.temp": -3.0},
        refused={"tank.none"},
        faulty=[device("nowhere", {"port": 5025}, []), device("nameless", connection, [{**points[0], "address": {}}])],
        silence=silence,
        writes=lambda: instrument.writes,
        order=("tank.speed", 55.0),
    )
    server.close()
    await asyncio.gather(*serving, return_exceptions=True)


@pytest.mark.asyncio
@pytest.mark.parametrize("check", CHECKS, ids=name)
async def test_conforms(check: Check, rig: Rig) -> None:
    await conform(check, rig)
