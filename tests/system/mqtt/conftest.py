"""Real brokers, peers on them, and links that are closed again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from app.model.clock import SystemClock
from app.model.errors import DeviceError
from app.model.station import Device
from app.model.updates import Updates
from drivers.mqtt import mqtt
from drivers.mqtt.link import MqttLink
from tests.support.mqtt_broker import Amqtt, Mosquitto, plain_broker
from tests.support.mqtt_peer import Peer

StartBroker = Callable[..., Mosquitto]


@pytest.fixture
def start_broker(tmp_path: Path) -> Iterator[StartBroker]:
    """`start_broker(*lines of its configuration, persistence=False)`: mosquitto, until the test ends."""
    started: list[Mosquitto] = []

    def start(*lines: str, persistence: bool = False) -> Mosquitto:
        started.append(Mosquitto(tmp_path / f"broker{len(started)}", lines, persistence=persistence))
        return started[-1].start()

    yield start
    for broker in started:
        broker.stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto | Amqtt]:
    """The plainest broker: mosquitto, or what stands in for it."""
    one = plain_broker(tmp_path / "broker")
    yield one
    one.stop()


@pytest.fixture
def peer() -> Iterator[Callable[..., Peer]]:
    peers: list[Peer] = []

    def connect(port: int, *topics: str, **more: Any) -> Peer:
        peers.append(Peer(port, *topics, **more))
        return peers[-1]

    yield connect
    for one in peers:
        one.close()


@dataclass
class Watched:
    """One device on a link, supervised by nobody: what it delivered, and how it ended."""

    device: Device
    task: asyncio.Task[Any]
    online: int = 0
    batches: list[Updates] = field(default_factory=list)

    def rows(self, index: int = 0) -> list[tuple[float, int, int]]:
        """(value, quality, time) of one point, by its index."""
        return [
            (float(b.value[i]), int(b.quality[i]), int(b.time[i]))
            for b in self.batches
            for i in range(len(b))
            if b.point[i] == index
        ]

    def values(self, index: int = 0) -> list[float]:
        return [value for value, _, _ in self.rows(index)]

    async def loss(self) -> str:
        """Wait for it; its words."""
        await asyncio.wait([self.task], timeout=15)
        error = self.task.exception()
        assert isinstance(error, DeviceError), error
        return str(error)


class Lines:
    """Links of a test."""

    def __init__(self) -> None:
        self._links: list[MqttLink] = []
        self._watched: list[Watched] = []

    def open(self, *devices: Device, read_only: bool = False) -> MqttLink:
        driver = mqtt()
        assert [complaint for device in devices for complaint in driver.check(device)] == []
        link = driver.open(devices, SystemClock(), read_only=read_only)
        assert isinstance(link, MqttLink)
        self._links.append(link)
        return link

    async def watch(
        self, link: MqttLink, device: Device, *, until_online: bool = True, into: list[Updates] | None = None
    ) -> Watched:
        """`into` where several devices deliver to the same, as they do in the engine."""
        await link.connect()
        watched = Watched(device, None, batches=[] if into is None else into)  # type: ignore[arg-type]

        def online() -> None:
            watched.online += 1

        watched.task = asyncio.create_task(link.report(device, watched.batches.append, online))
        self._watched.append(watched)
        if until_online:
            await until(lambda: watched.online or watched.task.done(), f"{device.id} online")
            if watched.task.done():
                watched.task.result()
        return watched

    async def close(self) -> None:
        for watched in self._watched:
            watched.task.cancel()
        await asyncio.gather(*(watched.task for watched in self._watched), return_exceptions=True)
        for link in self._links:
            await link.close()
            await link.close()


@pytest_asyncio.fixture
async def lines() -> AsyncIterator[Lines]:
    """After the test: no task and no thread is left (the common fixtures look)."""
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    lines = Lines()
    yield lines
    await lines.close()
    assert unhandled == []


@contextlib.asynccontextmanager
async def cable(port: int) -> AsyncIterator[tuple[int, Callable[[], None]]]:
    """Between us and a broker: the port of our end, and how to pull it out."""
    ends: list[asyncio.StreamWriter] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, to_them = await asyncio.open_connection("127.0.0.1", port)
        ends.extend((writer, to_them))
        await asyncio.gather(carry(reader, to_them), carry(theirs, writer))

    def pull() -> None:
        for end in ends:
            end.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], pull
        pull()


async def until(condition: Callable[[], object], what: str, *, timeout_s: float = 10.0) -> None:
    """Poll until it holds; fail with `what` otherwise."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {timeout_s:g} s"
        await asyncio.sleep(0.005)
