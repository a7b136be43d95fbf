"""A device behind a broker: paho as its documents show it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties

from tests.support.mqtt_broker import runs_mosquitto

VERSION = "5" if runs_mosquitto() else "3.1.1"
"""What the broker of the tests speaks."""


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
