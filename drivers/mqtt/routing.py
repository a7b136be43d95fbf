"""From a topic to those whom a message concerns; and from a burst of messages to one batch."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.model.text import Text
from app.model.updates import Updates
from drivers.mqtt import sparkplug, topics
from drivers.mqtt.documents import PayloadFault
from drivers.mqtt.edge_node import EdgeNode
from drivers.mqtt.edgex import EdgexRoute
from drivers.mqtt.readers import TopicRoute
from drivers.mqtt.rows import Message, Sheet

log = logging.getLogger("gridroom.mqtt")

_MOST_TOPICS: Final = 10_000
"""Remembered answers to where a topic goes; a stranger may invent any number of topics."""


class Route(Protocol):
    """Takes the messages of some topics. Adds rows; never raises."""

    def take(self, message: Message) -> None: ...

    def refuse(self, message: Message, why: Text) -> None:
        """The message is not looked at."""


class NodeRoute:
    """What an edge node sends."""

    def __init__(self, node: EdgeNode) -> None:
        self.node = node

    def take(self, message: Message) -> None:
        topic = sparkplug.Topic.of(message.topic)
        if topic is None:
            return  # a command, ours or another host's
        try:
            self.node.take(topic, message)
        except PayloadFault as fault:
            self.node.trouble.say(fault.text)

    def refuse(self, message: Message, why: Text) -> None:
        self.node.trouble.say(why)


class PresenceRoute:
    """A topic that says whether a device is there: often its last will."""

    def __init__(self, online: str, offline: str) -> None:
        self._words = {online: True, offline: False}
        self.present: bool | None = None
        """As last said; None before."""

    def take(self, message: Message) -> None:
        word = message.payload.decode(errors="replace").strip()
        self.present = self._words.get(word, self.present)

    def refuse(self, message: Message, why: Text) -> None:
        """A word that long is none of the two."""


class ReplyRoute:
    """Answers to commands: handed on as they are."""

    def __init__(self) -> None:
        self.waiting: list[Message] = []

    def take(self, message: Message) -> None:
        if not message.retained:
            self.waiting.append(message)

    def refuse(self, message: Message, why: Text) -> None:
        """Whoever waits for the answer will say that none came."""


@dataclass(slots=True)
class Batch:
    """What a burst of messages came to."""

    updates: Updates = field(default_factory=lambda: Updates.join(()))
    owner: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    """Whose each row is: the device's place on the line."""
    heard: list[str] = field(default_factory=list)
    """Devices that sent something live and sound."""
    replies: list[Message] = field(default_factory=list)
    acknowledge: list[int] = field(default_factory=list)
    """Packet numbers of what the broker keeps until it is told that we have it."""


class Router:
    """All routes of one line."""

    def __init__(
        self,
        sheet: Sheet,
        exact: Mapping[str, Sequence[Route]],
        edgex: Mapping[str, EdgexRoute],
        nodes: Mapping[tuple[str, str], EdgeNode],
        replies: ReplyRoute,
        max_payload: int,
    ) -> None:
        self._sheet = sheet
        self._exact = exact
        self._edgex = tuple(edgex.items())
        self._nodes = {key: NodeRoute(node) for key, node in nodes.items()}
        self._replies = replies
        self._max_payload = max_payload
        self._known: dict[str, tuple[Route, ...]] = {}
        self._failed: set[str] = set()

    def begin(self, kept: bool) -> None:
        """A connection is new; `kept` where the broker kept the session."""
        for routes in self._exact.values():
            for route in routes:
                if isinstance(route, TopicRoute):
                    for reader in route.readers:
                        reader.begin()
        for node in self._nodes.values():
            node.node.begin(kept)

    def decode(self, messages: Sequence[Message], received: int) -> Batch:
        """One batch of a burst, in its order. Never raises: what fails is of one message."""
        batch = Batch()
        for message in messages:
            if message.qos:
                batch.acknowledge.append(message.mid)
            for route in self._routes(message.topic):
                try:
                    if len(message.payload) > self._max_payload:
                        route.refuse(message, self._too_large(message))
                    else:
                        route.take(message)
                except Exception as error:  # a fault of ours must not take the other messages with it
                    route.refuse(message, Text(f"Gridroom failed on it: {error}", f"Gridroom 处理出错：{error}"))
                    if message.topic not in self._failed and len(self._failed) < _MOST_TOPICS:
                        self._failed.add(message.topic)
                        log.exception("a message on %s could not be taken", message.topic)
        batch.heard = list(self._sheet.heard)
        batch.updates, batch.owner = self._sheet.take(received)
        batch.replies, self._replies.waiting = self._replies.waiting, []
        return batch

    def _too_large(self, message: Message) -> Text:
        size, most = f"{len(message.payload):,}", f"{self._max_payload:,}"
        return Text(f"{size} bytes, where max_payload is {most}", f"报文 {size} 字节，超过 max_payload {most}")

    def _routes(self, topic: str) -> tuple[Route, ...]:
        known = self._known.get(topic)
        if known is None:
            if len(self._known) >= _MOST_TOPICS:
                self._known.clear()
            known = self._known[topic] = self._find(topic)
        return known

    def _find(self, topic: str) -> tuple[Route, ...]:
        found = list(self._exact.get(topic, ()))
        found += [route for pattern, route in self._edgex if topics.matches(pattern, topic)]
        levels = topic.split("/")
        if levels[0] == sparkplug.NAMESPACE and len(levels) >= 4 and (levels[1], levels[3]) in self._nodes:
            found.append(self._nodes[levels[1], levels[3]])
        return tuple(found)
