"""Lines opened by tests are closed; meters of ours and of the package dlt645 behind TCP and pseudo-terminals."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from app.model.clock import ManualClock
from app.model.station import Device
from drivers.dlt645 import dlt645
from drivers.dlt645.link import Dlt645Link
from tests.support.devices import device, point
from tests.support.meters import Meters

A, B = "000012345678", "202411110002"
KINDS = ("tcp", *(("serial",) if os.name == "posix" else ()))
"""A serial line is a pseudo-terminal here, which Windows has not, and which knows no parity."""

POINTS = [
    point("p_kw", {"di": "02030000"}),
    point("u_v", {"di": "02010100"}),
    point("e_kwh", {"di": "00010000"}),
]
ITEMS = {0x02030000: "563492", 0x02010100: "0522", 0x00010000: "78563412"}
VALUES = [-12.3456, 220.5, 123456.78]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


Open = Callable[..., Dlt645Link]


@pytest_asyncio.fixture
async def open_link(clock: ManualClock) -> AsyncIterator[Open]:
    links: list[Dlt645Link] = []

    def open_(*devices: Device) -> Dlt645Link:
        for each in devices:
            assert dlt645().check(each) == []
        link = dlt645().open(devices, clock, read_only=False)
        assert isinstance(link, Dlt645Link)
        links.append(link)
        return link

    yield open_
    for link in links:
        await link.close()
    for _ in range(3):
        await asyncio.sleep(0)


@dataclass
class Field:
    """Meters of ours on a line, and how to reach them."""

    meters: Meters
    connection: dict[str, Any]

    def device(self, address: str, points: list[dict[str, Any]] = POINTS, **more: Any) -> Device:
        """Device `mADDRESS`, with a time-out of 200 ms."""
        return device(f"m{address}", {**self.connection, "address": address, "timeout": "200ms", **more}, points)


Serve = Callable[[str], Awaitable[Field]]


@pytest_asyncio.fixture
async def serve() -> AsyncIterator[Serve]:
    """`await serve("serial")`: meters A and B on such a line, until the test ends."""
    closing: list[Callable[[], None]] = []

    async def serve_(kind: str) -> Field:
        meters = Meters({address: {di: bytes.fromhex(data) for di, data in ITEMS.items()} for address in (A, B)})
        if kind == "serial":
            name, close = meters.open_pty()
            closing.append(close)
            return Field(meters, {"device": name, "baudrate": 115200, "parity": "N"})
        server, port = await meters.listen()
        closing.extend((meters.drop, server.close))
        return Field(meters, {"host": "127.0.0.1", "port": port})

    yield serve_
    for close in closing:
        close()


@pytest_asyncio.fixture
async def wired() -> AsyncIterator[tuple[str, str]]:
    """Two serial ports that are wired to each other. POSIX only."""
    loop = asyncio.get_running_loop()
    pairs = [os.openpty(), os.openpty()]
    masters = [master for master, _ in pairs]
    for here, there in (masters, masters[::-1]):
        os.set_blocking(here, False)
        loop.add_reader(here, lambda here=here, there=there: os.write(there, os.read(here, 4096)))
    yield os.ttyname(pairs[0][1]), os.ttyname(pairs[1][1])
    for master, other in pairs:
        loop.remove_reader(master)
        os.close(master)
        os.close(other)
