"""Devices that a broker tells of: whoever publishes while we listen. Nothing is sent, not even a rebirth request."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from app.model.clock import Clock
from app.model.errors import TransportError
from app.model.text import Text
from drivers.contract import Found as HowTold
from drivers.contract import Proposal
from drivers.mqtt import connection as connections
from drivers.mqtt import edgex, sparkplug, topics
from drivers.mqtt.documents import PayloadFault, number, parse_json, parse_plain
from drivers.mqtt.routing import Batch
from drivers.mqtt.rows import Message
from drivers.mqtt.session import Session

MOST_DEVICES: Final = 1000
MOST_POINTS: Final = 500
_DEEPEST: Final = 6
_TELL_S: Final = 0.3
_EDGEX_TOPIC: Final = "edgex/events/#"
"""Where EdgeX publishes its events unless told otherwise, on a topic for each device."""

Points = dict[str, dict[str, Any]]
"""What identifies a point in its device -> its form."""


async def discover(connection: Mapping[str, Any], clock: Clock, seconds: float, tell: HowTold) -> Sequence[Proposal]:
    """Proposals of what published within this time, in the order in which it was heard. Raises TransportError."""
    broker = connections.broker_of(connection)
    broker = replace(broker, client_id=f"gridroom-{secrets.token_hex(6)}", will=None, host_id=None)
    found = Found(connection)
    listening = _Listening(found)
    session = Session(broker, listening, clock, listening.delivered, read_only=True, passing=True)
    await session.open()
    try:
        await session.subscribe({connection.get("topic", "#"): 1})
        telling = asyncio.create_task(_tell(found, tell))
        try:
            await asyncio.wait({session.lost}, timeout=seconds)
        finally:
            telling.cancel()
        if session.lost.done():
            raise TransportError(session.lost.result())
    finally:
        await session.close()
    return found.proposals()


async def _tell(found: Found, tell: HowTold) -> None:
    """Who is new or has shown more points, a few times a second."""
    told: dict[str, int] = {}
    while True:
        await asyncio.sleep(_TELL_S)
        for proposal in found.proposals():
            id_, points = proposal.device["id"], len(proposal.device["points"])
            if told.get(id_) != points:
                told[id_] = points
                tell(proposal)


class _Listening:
    """Stands where a line has its router."""

    def __init__(self, found: Found) -> None:
        self._found = found

    def begin(self, kept: bool) -> None:
        """A connection is new."""

    def decode(self, messages: Sequence[Message], received: int) -> Batch:
        for message in messages:
            if len(message.payload) <= connections.MAX_PAYLOAD:
                self._found.take(message)
        return Batch(acknowledge=[message.mid for message in messages if message.qos])

    @staticmethod
    def delivered(session: Session, batch: Batch) -> None:
        session.delivered(batch)


class Found:
    """What was heard so far. No I/O."""

    def __init__(self, connection: Mapping[str, Any]) -> None:
        self._connection = {"driver": "mqtt", **{k: v for k, v in connection.items() if k != "topic"}}
        self._devices: dict[str, tuple[Text, dict[str, Any], Points]] = {}
        """Key -> where it was heard, what its connection has beside the broker, its points."""

    def take(self, message: Message) -> None:
        """Learn from a message; what is neither of the known payloads teaches nothing."""
        try:
            if message.topic.startswith(f"{sparkplug.NAMESPACE}/"):
                self._birth(message)
            else:
                self._publication(message)
        except PayloadFault:
            return

    def proposals(self) -> list[Proposal]:
        """One device each, with the points that it showed. A person gives them names and units."""
        taken: set[str] = set()
        found = []
        for key, (why, own, points) in self._devices.items():
            id_ = _id(key, taken)  # also of who has shown no number yet: the id is the same when it has
            connection, forms = {**self._connection, **own}, list(points.values())
            device = {"id": id_, "name": key, "kind": "other", "connection": connection, "points": forms}
            if points:
                found.append(Proposal(device, why))
        return found

    def _points(self, key: str, why: Text, own: dict[str, Any]) -> Points:
        if key not in self._devices and len(self._devices) >= MOST_DEVICES:
            return {}
        return self._devices.setdefault(key, (why, own, {}))[2]

    def _birth(self, message: Message) -> None:
        topic = sparkplug.Topic.of(message.topic)
        if topic is None or topic.kind not in (sparkplug.Kind.NBIRTH, sparkplug.Kind.DBIRTH):
            return
        place = "/".join(filter(None, (topic.group, topic.node, topic.device)))
        points = self._points(
            place, Text(f"Sparkplug birth on {message.topic}", f"{message.topic} 上的 Sparkplug 上线报文"), {}
        )
        for metric in sparkplug.decode(message.payload).metrics:
            name: object = metric.name
            if not isinstance(name, str):  # protobuf gives bytes for what is no UTF-8
                continue
            numeric = metric.datatype in sparkplug.BITS or metric.datatype in sparkplug.REAL
            own = name.startswith(("Node Control/", "Device Control/")) or name == sparkplug.BD_SEQ
            if numeric and name and not own:
                _add(points, name, {"sparkplug": place, "metric": name})

    def _publication(self, message: Message) -> None:
        try:
            document = parse_json(message.payload)
        except PayloadFault:
            document = parse_plain(message.payload)
        if isinstance(document, dict):
            try:
                self._event(edgex.event_of(document), message.topic)
                return
            except PayloadFault:
                pass
            points = self._points(message.topic, Text(f"JSON on {message.topic}", f"{message.topic} 上的 JSON"), {})
            _leaves(document, "$", lambda path: _add(points, path, {"topic": message.topic, "path": path}))
        elif not isinstance(document, list):
            number(document, {})
            parent, _, name = message.topic.rpartition("/")
            place = parent or message.topic
            why = Text(f"plain values below {place}", f"{place} 下的纯数值")
            points = self._points(place, why, {"format": "plain"})
            _add(points, name, {"topic": message.topic})

    def _event(self, event: Mapping[str, Any], topic: str) -> None:
        name = event["deviceName"]
        everywhere = topics.matches(_EDGEX_TOPIC, topic)
        own = {"format": "edgex", "topic": _EDGEX_TOPIC if everywhere else topic, "device": name}
        points = self._points(name, Text(f"EdgeX event of {name}", f"{name} 的 EdgeX 事件"), own)
        for reading in event["readings"]:
            if isinstance(reading, dict) and isinstance(reading.get("resourceName"), str):
                try:
                    number(edgex.value_of(reading), {})
                except PayloadFault:
                    continue
                _add(points, reading["resourceName"], {"resource": reading["resourceName"]})


def _leaves(document: Any, path: str, add: Callable[[str], None], depth: int = 0) -> None:
    """Every number or boolean of an object, by its path."""
    if isinstance(document, dict) and depth < _DEEPEST:
        for name, value in document.items():
            plain = re.fullmatch(r"[^.\[\]'\"\s]+", name)
            if plain or (name and "'" not in name):
                _leaves(value, f"{path}.{name}" if plain else f"{path}['{name}']", add, depth + 1)
    elif isinstance(document, int | float):
        add(path)


def _add(points: Points, key: str, address: dict[str, Any]) -> None:
    if key in points or len(points) >= MOST_POINTS:
        return
    taken = {point["id"] for point in points.values()}
    name = key.removeprefix("$.")
    points[key] = {"id": _id(name, taken), "name": name, "kind": "measurement", "address": address}


def _id(name: str, taken: set[str]) -> str:
    """An id as the station file allows, made of a name, and not taken yet."""
    base = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:60] or "x"
    base = base if base[0].isalpha() else f"x_{base}"
    id_, count = base, 2
    while id_ in taken:
        id_, count = f"{base}_{count}", count + 1
    taken.add(id_)
    return id_
