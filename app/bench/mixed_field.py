"""A field of four protocols, its peers in processes of their own, and the station that reads it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.bench import acquisition, iec104, mqtt

EVENTS: Final = 24 * 3600.0
"""Seconds for which the peers of a field go on by themselves: longer than any run."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything, and how often. A Modbus or HTTP device is read once a second."""

    modbus: int = 50
    modbus_points: int = 800
    links: int = 4
    link_points: int = 500
    link_events: int = 1500
    """Events a second of each link."""
    topics: int = 200
    messages: int = 1500
    """Messages a second on all topics, two points each."""
    http: int = 10
    http_points: int = 100

    @property
    def points_per_s(self) -> int:
        return (
            self.modbus * self.modbus_points
            + self.links * self.link_events
            + 2 * self.messages
            + self.http * self.http_points
        )

    @property
    def mqtt(self) -> mqtt.Load:
        return mqtt.Load("json", self.topics, self.messages, 2, 0)


@dataclass(frozen=True, slots=True)
class Field:
    """The peers that run, by their ports on 127.0.0.1."""

    size: Size
    modbus: list[int]
    links: list[iec104.Peer]
    broker: int
    http: int


@contextmanager
def field(size: Size) -> Iterator[Field]:
    """All peers, as long as the block lasts. Events and messages come only when they are asked for."""
    with ExitStack() as peers:
        yield Field(
            size,
            peers.enter_context(acquisition.servers(size.modbus, size.modbus_points)),
            [peers.enter_context(iec104.outstation(1, size.link_points)) for _ in range(size.links)],
            peers.enter_context(mqtt.broker()),
            peers.enter_context(web_server(size.http, size.http_points)),
        )


@contextmanager
def web_server(devices: int, points: int) -> Iterator[int]:
    """A lean web server; yields its port."""
    command = [sys.executable, "-m", "app.bench.lean_http", "--devices", str(devices), "--points", str(points)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101 (for mypy)
        yield json.loads(process.stdout.readline())
        process.stdin.close()


@contextmanager
def publishing(field: Field) -> Iterator[None]:
    """Messages on all topics, as long as the block lasts."""
    with subprocess.Popen(mqtt.publisher(field.size.mqtt, field.broker, EVENTS)) as process:
        try:
            yield
        finally:
            process.kill()


def write_station(folder: Path, field: Field, through: Mapping[str, int] | None = None) -> None:
    """`m0`, `m1`, ... on Modbus, `i0`, ... on 104, `t0`, ... on MQTT, `h0`, ... on HTTP.

    Every point has two limits and two decimals, and changes with every row: nothing is spared. `through` names devices
    that are reached through another port than their peer's own. A silent device is noticed within seconds.
    """
    through, size = through or {}, field.size
    holding = ({"table": "holding", "register": 2 * i, "type": "f32"} for i in range(size.modbus_points))
    _write_template(folder, "modbus-tcp", holding)
    _write_template(folder, "iec104", ({"ioa": i + 1, "type": "M_ME_NC_1"} for i in range(size.link_points)))
    _write_template(folder, "mqtt", ({"topic": "~", "path": path, "time": "$.ts"} for path in ("$.n", "$.p_kw")))
    _write_template(folder, "http", ({"path": f"$.p[{i}]", "time": "$.t"} for i in range(size.http_points)))
    devices = []

    def add(id_: str, driver: str, port: int, **more: Any) -> None:
        connection: dict[str, Any] = {"driver": driver, **more}
        port = through.get(id_, port)
        connection |= (
            {"url": f"http://127.0.0.1:{port}/d{id_[1:]}"} if driver == "http" else {"host": "127.0.0.1", "port": port}
        )
        devices.append(
            {"id": id_, "name": id_, "kind": "gateway", "template": f"bench/{driver}", "connection": connection}
        )

    for i, port in enumerate(field.modbus):
        add(f"m{i}", "modbus-tcp", port)
    for i, peer in enumerate(field.links):
        add(f"i{i}", "iec104", peer.port, ca=1, t1="4s", t2="2s", t3="4s")
    for i in range(size.topics):
        add(f"t{i}", "mqtt", field.broker, base=f"bench/d{i}", silence="3s", timeout="5s")
    for i in range(size.http):
        add(f"h{i}", "http", field.http, every="1s")
    head = {"id": "bench", "name": "Bench", "timezone": "UTC", "location": {"latitude": 0, "longitude": 0}}
    station = {"version": 1, "station": {**head, "read_only": True}, "devices": devices}
    (folder / "station.yaml").write_text(json.dumps(station), encoding="utf-8")


def _write_template(folder: Path, driver: str, addresses: Iterable[dict[str, Any]]) -> None:
    template = {"version": 1, "vendor": "Bench", "model": driver, "kind": "gateway", "source": "made here"}
    points = [_point(number, address) for number, address in enumerate(addresses)]
    (folder / "templates" / "bench").mkdir(parents=True, exist_ok=True)
    path = folder / "templates" / "bench" / f"{driver}.yaml"
    path.write_text(json.dumps({**template, "licence": "Apache-2.0", "points": points}), encoding="utf-8")


def _point(number: int, address: dict[str, Any]) -> dict[str, Any]:
    limits = {"h": 1e9, "l": -1e9, "hysteresis": 1}
    return {
        "id": f"p{number}", "name": f"P{number}", "kind": "measurement", "unit": "kW", "precision": 2,
        "range": [-2e9, 2e9], "address": address, "alarms": limits,
    }  # fmt: skip
