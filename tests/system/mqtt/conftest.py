"""Real brokers, a peer on them that is paho as its documents show it, and links that are closed again."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
import pytest_asyncio
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties

from app.model.clock import SystemClock
from app.model.errors import DeviceError
from app.model.station import Device
from app.model.updates import Updates
from drivers.mqtt import mqtt
from drivers.mqtt.link import MqttLink
from tests.support.mqtt_broker import Amqtt, Mosquitto, runs_mosquitto

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
    one: Mosquitto | Amqtt = Mosquitto(tmp_path / "broker") if runs_mosquitto() else Amqtt()
    one.start()
    yield one
    one.stop()


VERSION = "5" if runs_mosquitto() else "3.1.1"


class Peer:
    """Publishes and listens, as devices do."""

    def __init__(self, port: int, *topics: str, version: str = VERSION, will: tuple[str, bytes] | None = None) -> None:
        five = version == "5"
        protocol = MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=protocol)
        self.heard: list[tuple[str, bytes]] = []
        self.answer: Callable[[paho.MQTTMessage], None] = lambda message: None
        self._granted = not topics
        self.client.on_message = self._on_message
        self.client.on_subscribe = lambda *_: setattr(self, "_granted", True)
        if will:
            self.client.will_set(*will, qos=1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        end = time.monotonic() + 10
        while not self.client.is_connected():
            assert time.monotonic() < end
            time.sleep(0.005)
        if topics:
            self.client.subscribe([(topic, 1) for topic in topics])
        while not self._granted:
            assert time.monotonic() < end
            time.sleep(0.005)

    def _on_message(self, client: paho.Client, _: Any, message: paho.MQTTMessage) -> None:
        self.heard.append((message.topic, message.payload))
        self.answer(message)

    def send(
        self, topic: str, payload: Any, *, qos: int = 1, retain: bool = False, properties: Properties | None = None
    ) -> None:
        """Bytes as they are, anything else as JSON; returns when the broker has it."""
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.client.publish(topic, data, qos, retain, properties).wait_for_publish(10)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def die(self) -> None:
        """Without a goodbye, so that the broker says the will."""
        sock = self.client.socket()
        assert sock is not None
        self.client.loop_stop()
        sock.close()


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

    async def watch(self, link: MqttLink, device: Device, *, until_online: bool = True) -> Watched:
        await link.connect()
        watched = Watched(device, None)  # type: ignore[arg-type]

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


async def until(condition: Callable[[], object], what: str, *, timeout_s: float = 10.0) -> None:
    """Poll until it holds; fail with `what` otherwise."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {timeout_s:g} s"
        await asyncio.sleep(0.005)
