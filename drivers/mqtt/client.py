"""A paho client for a broker: version, login, TLS, session and will, as the station file has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from drivers.mqtt import credentials, sparkplug
from drivers.mqtt.connection import Broker
from drivers.mqtt.credentials import Context

IN_FLIGHT: Final = 10_000
"""Messages that an MQTT 5 broker may send before it is told that we have them."""
_AROUND: Final = 70_000
"""Bytes of a packet beside its payload: a topic's 64 KiB, and properties."""


@dataclass(frozen=True, slots=True)
class Presence:
    """What is said of us, retained."""

    topic: str
    online: bytes
    offline: bytes


def presence_of(broker: Broker, now_ns: int) -> Presence | None:
    """As a Sparkplug host, or as `will` has it; None where nobody is to be told."""
    if broker.host_id is not None:
        states = (sparkplug.host_state(online, now_ns) for online in (True, False))
        return Presence(sparkplug.host_topic(broker.host_id), *states)
    if broker.will is not None:
        return Presence(broker.will.topic, broker.will.online.encode(), broker.will.offline.encode())
    return None


def make_client(broker: Broker, presence: Presence | None, *, passing: bool) -> tuple[paho.Client, Context | None]:
    """A client that `reconnect()` connects; `passing` without a session that lasts.

    Raises TransportError where a certificate cannot be read or a secret is missing.
    """
    five = broker.version == "5"
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=broker.client_id,
        clean_session=None if five else passing,
        protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.connect_timeout = broker.timeout_s
    client.on_socket_register_write = lambda *_: None  # or paho writes wherever it is called
    tls = credentials.give(client, broker)
    if presence is not None:
        client.will_set(presence.topic, presence.offline, qos=1, retain=True)
    client.connect_async(
        broker.host,
        broker.port,
        broker.keepalive_s,
        clean_start=passing if five else paho.MQTT_CLEAN_START_FIRST_ONLY,  # what paho wants to be told in 3.1.1
        properties=_properties(broker, passing) if five else None,
    )
    return client, tls


def _properties(broker: Broker, passing: bool) -> Properties:
    properties = Properties(PacketTypes.CONNECT)
    properties.ReceiveMaximum = IN_FLIGHT
    properties.MaximumPacketSize = broker.max_payload + _AROUND
    properties.SessionExpiryInterval = 0 if passing else broker.session_s
    return properties
