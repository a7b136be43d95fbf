"""What a broker or the way to it refuses, in words with the mend."""

from __future__ import annotations

import socket
import ssl
from typing import Final

from paho.mqtt.reasoncodes import ReasonCode

from drivers.mqtt.connection import Broker

TAKEN_OVER: Final = 0x8E
"""Session taken over (MQTT 5, 3.14.2.1): somebody else came with our client id."""
NOBODY: Final = 0x10
"""No matching subscribers (MQTT 5, 3.4.2.1)."""
_BAD_LOGIN: Final = (0x86, 0x87)
_BAD_VERSION: Final = 0x84
_BAD_ID: Final = 0x85


def of_connecting(error: Exception, broker: Broker) -> str:
    """Why no connection came to be."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}; give its authority as `tls: {{ca: FILE}}`"
    if isinstance(error, ssl.SSLError):
        mend = "does the broker speak TLS on this port, and does it want a client's certificate?"
        return f"no TLS: {error.reason or error}; {mend}"
    if isinstance(error, socket.gaierror):
        return f"the name {broker.host} is not known; correct `host`, or look at the name service"
    if isinstance(error, TimeoutError):
        return f"no connection within {broker.timeout_s:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there; is the broker running, and is the port right?"
    return f"no connection: {error}"


def of_refusal(reason: ReasonCode, broker: Broker) -> str:
    """Why the broker did not take us."""
    words = reason.getName().lower()
    if reason.value in _BAD_LOGIN:
        return f"the broker refused the login ({words}); correct `user` and `password`"
    if reason.value == _BAD_VERSION:
        other = "3.1.1" if broker.version == "5" else "5"
        return f"the broker does not speak MQTT {broker.version}; write `version: {other}`"
    if reason.value == _BAD_ID:
        return f"the broker does not take the client id {broker.client_id}; give another as `client_id`"
    return f"the broker refused the connection: {words}"


def unanswered(broker: Broker) -> str:
    """Why a broker may end a connection instead of answering. TLS 1.3 tells of a missing certificate so late."""
    mend = "does it want a client's certificate (`tls: {cert: ..., key: ...}`)" if broker.tls else "does it want TLS"
    return f"the broker ended the connection without an answer; {mend}, or another `version`?"


def stolen(broker: Broker) -> str:
    return f"another client took the client id {broker.client_id}; give each its own `client_id`"
