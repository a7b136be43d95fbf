"""A whole engine on a broker that stops and comes back: every device's supervisor tries by itself, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.configuration import configure
from app.engine.engine import Engine
from app.model.clock import SystemClock
from app.model.updates import Updates
from app.model.views import LinkState
from tests.support.mqtt_peer import Peer
from tests.system.mqtt.conftest import StartBroker, until
from tests.system.mqtt.test_reading import at

pytestmark = [pytest.mark.asyncio, pytest.mark.mosquitto]

DEVICES = 5


class Collector:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.values: dict[int, list[float]] = defaultdict(list)

    def take(self, updates: Updates) -> None:
        for point, value, quality in zip(updates.point, updates.value, updates.quality, strict=True):
            if not quality:
                self.values[int(point)].append(float(value))


def write_station(folder: Path, port: int) -> None:
    devices: list[dict[str, Any]] = [
        {
            "id": f"m{i}", "name": f"M{i}", "kind": "meter", "connection": {"driver": "mqtt", **at(port)},
            "points": [{"id": "n", "name": "N", "kind": "measurement", "address": {"topic": f"m{i}/state", "path": "$.n"}},
                       {"id": "sn", "name": "SN", "kind": "text", "address": {"topic": f"m{i}/state", "path": "$.sn"}}],
        }
        for i in range(DEVICES)
    ]  # fmt: skip
    head = {"id": "s", "name": "S", "timezone": "UTC", "location": {"latitude": 0, "longitude": 0}}
    (folder / "station.yaml").write_text(yaml.safe_dump({"version": 1, "station": head, "devices": devices}))


async def test_no_message_is_lost_to_any_sink(
    tmp_path: Path, start_broker: StartBroker, peer: Callable[..., Peer]
) -> None:
    broker = start_broker(persistence=True)
    write_station(tmp_path, broker.port)
    configuration = configure(tmp_path)
    collector = Collector()
    engine = Engine(configuration.station, configuration.expressions, SystemClock(), sinks=(collector,))
    points = [configuration.station.by_name[f"m{i}.n"] for i in range(DEVICES)]

    def states() -> set[LinkState]:
        return {status.state for status in engine.devices()}

    def send(first: int, last: int) -> None:
        there = peer(broker.port)
        for n in range(first, last):
            for i in range(DEVICES):
                sent = there.client.publish(f"m{i}/state", json.dumps({"n": n, "sn": f"A{n}"}), 1)
        sent.wait_for_publish(10)

    running = asyncio.create_task(engine.run())
    try:
        await until(lambda: states() == {LinkState.ONLINE}, "all online")
        await asyncio.to_thread(send, 0, 100)
        await until(lambda: all(collector.values[p][-1:] == [99] for p in points), "the first hundred")
        await asyncio.to_thread(broker.stop)
        await until(lambda: states() == {LinkState.LOST}, "all lost")
        assert {engine.table.quality[p] for p in points} == {0x40}
        await asyncio.to_thread(broker.start)
        await asyncio.to_thread(send, 100, 300)
        everything = [float(n) for n in range(300)]
        await until(lambda: all(set(collector.values[p]) >= set(everything) for p in points), "all of it", timeout_s=30)
        await until(lambda: states() == {LinkState.ONLINE}, "all back", timeout_s=40)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert {status.texts["sn"] for status in engine.devices()} == {"A299"}
    for point in points:
        values = collector.values[point]
        assert [value for value in values if value >= 100] == everything[100:], "in order, each once"
