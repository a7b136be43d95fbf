"""Which device of ours reads and writes what: made once of a line's devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.model.config import PointKind
from app.model.durations import parse_duration_s
from app.model.station import Device, Point
from drivers.mqtt import connection as connections
from drivers.mqtt import sparkplug
from drivers.mqtt.address import Address, Metric, Resource, Source
from drivers.mqtt.edge_node import EdgeNode
from drivers.mqtt.edgex import EdgexReader, EdgexRoute
from drivers.mqtt.readers import TopicReader, TopicRoute, words_of
from drivers.mqtt.routing import PresenceRoute, ReplyRoute, Route, Router
from drivers.mqtt.rows import Rows, Sheet
from drivers.mqtt.troubles import Trouble

WRITTEN = (PointKind.COMMAND, PointKind.SETPOINT)


@dataclass(slots=True)
class Part:
    """One device of ours on the line."""

    device: Device
    rows: Rows
    filters: dict[str, int] = field(default_factory=dict)
    """Topic filter -> QoS."""
    troubles: list[Trouble] = field(default_factory=list)
    nodes: list[tuple[EdgeNode, str]] = field(default_factory=list)
    """Edge nodes and which of their devices it is ('' the node itself)."""
    presence: PresenceRoute | None = None
    silence_s: float | None = None
    birth_s: float = 0.0

    def want(self, pattern: str, qos: int = 1) -> None:
        self.filters[pattern] = max(qos, self.filters.get(pattern, 0))


@dataclass(slots=True)
class Roster:
    """All devices of a line, and where their messages go."""

    parts: dict[str, Part]
    nodes: dict[tuple[str, str], EdgeNode]
    router: Router


def address_of(point: Point, device: Device) -> Address:
    return Address.of(point.form.address or {}, device.connection, written=point.kind in WRITTEN)


def roster_of(devices: Sequence[Device], max_payload: int) -> Roster:
    """Of devices that have been judged."""
    exact: dict[str, list[Route]] = {}
    readers: dict[str, list[TopicReader]] = {}
    gateways: dict[str, list[EdgexReader]] = {}
    nodes: dict[tuple[str, str], EdgeNode] = {}
    replies = ReplyRoute()
    sheet = Sheet({device.id: [p for p in device.points if p.form.address is not None] for device in devices})
    parts = {}
    for device in devices:
        part = parts[device.id] = _part(device, sheet.rows[device.id])
        sources = _Sources(part)
        for topic, points in sources.topics.items():
            reader = TopicReader(part.rows, topic, points)
            readers.setdefault(topic, []).append(reader)
            part.troubles += reader.troubles
        _read_gateway(part, sources.resources, gateways)
        _read_nodes(part, sources.metrics, nodes)
        for topic in sources.replies:
            part.want(topic)
            if replies not in exact.setdefault(topic, []):
                exact[topic].append(replies)
        said = connections.said_of(device.connection.get("presence"), device.connection)
        if said:
            part.presence = PresenceRoute(said.online, said.offline)
            part.want(said.topic)
            exact.setdefault(said.topic, []).append(part.presence)
    for topic, here in readers.items():
        exact.setdefault(topic, []).append(TopicRoute(here))
    edgex = {pattern: EdgexRoute(here) for pattern, here in gateways.items()}
    router = Router(sheet, exact, edgex, nodes, replies, max_payload)
    return Roster(parts, nodes, router)


def _part(device: Device, rows: Rows) -> Part:
    connection = device.connection
    silence = connection.get("silence")
    return Part(
        device,
        rows,
        silence_s=parse_duration_s(silence) if silence is not None else None,
        birth_s=parse_duration_s(connection.get("birth", connections.BIRTH)),
    )


class _Sources:
    """A device's points by the kind of their addresses. `slot` is a point's place in its rows, -1 for a text."""

    def __init__(self, part: Part) -> None:
        self.topics: dict[str, list[tuple[Point, int, Source, Mapping[str, float]]]] = {}
        self.resources: list[tuple[Point, int, Resource, Mapping[str, float]]] = []
        self.metrics: dict[tuple[str, str, str], list[tuple[Point, int, str, Mapping[str, float]]]] = {}
        self.replies: list[str] = []
        texts = [(point, -1) for point in part.device.texts if point.form.address is not None]
        for point, slot in [*((point, slot) for slot, point in enumerate(part.rows.points)), *texts]:
            address = address_of(point, part.device)
            words = words_of(point, address.words)
            source: Any = address.source
            if isinstance(source, Source):
                self.topics.setdefault(source.topic, []).append((point, slot, source, words))
                part.want(source.topic, source.qos)
            elif isinstance(source, Resource):
                self.resources.append((point, slot, source, words))
            elif isinstance(source, Metric):
                place = (source.group, source.node, source.device)
                self.metrics.setdefault(place, []).append((point, slot, source.name, words))
            if address.request is not None and address.request.reply is not None:
                self.replies.append(address.request.reply.topic)


def _read_gateway(
    part: Part,
    points: Sequence[tuple[Point, int, Resource, Mapping[str, float]]],
    gateways: dict[str, list[EdgexReader]],
) -> None:
    if not points:
        return
    connection = part.device.connection
    reader = EdgexReader(part.rows, connection["device"], connection.get("profile"), points)
    gateways.setdefault(connection["topic"], []).append(reader)
    part.want(connection["topic"], connection.get("qos", 1))
    part.troubles += reader.troubles


def _read_nodes(
    part: Part,
    places: Mapping[tuple[str, str, str], Sequence[tuple[Point, int, str, Mapping[str, float]]]],
    nodes: dict[tuple[str, str], EdgeNode],
) -> None:
    for (group, name, device), points in places.items():
        node = nodes.setdefault((group, name), EdgeNode(group, name))
        part.troubles += node.read_by(part.rows, device, points)
        part.nodes.append((node, device))
        part.want(sparkplug.filter_of(group, name), part.device.connection.get("qos", 1))
