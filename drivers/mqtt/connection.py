"""The `connection` of a device behind a broker, judged and parsed. No I/O."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from app.model.durations import parse_duration_s
from app.model.text import Text
from drivers.judging import KeyFault, duration_faults, number_faults, secret_faults, tcp_faults
from drivers.mqtt import topics
from drivers.mqtt.address import READING, Format, reading_faults, strangers, topic_of

VERSIONS: Final = ("3.1.1", "5")
USUAL_PORT: Final = 1883
USUAL_TLS_PORT: Final = 8883
TIMEOUT: Final = "1s"
KEEPALIVE: Final = "60s"
SESSION: Final = "1h"
BIRTH: Final = "10s"
MAX_PAYLOAD: Final = 1_048_576
LARGEST_PAYLOAD: Final = 268_435_455
"""What fits into an MQTT packet."""
OF_THE_LINE: Final[dict[str, Any]] = {
    "version": "5", "tls": False, "user": None, "password": None, "timeout": TIMEOUT,
    "keepalive": KEEPALIVE, "session": SESSION, "max_payload": MAX_PAYLOAD, "will": None, "host_id": None,
}  # fmt: skip
"""What all devices of one connection to a broker must agree on, and what is given."""
_OF_DEVICE: Final = ("base", "silence", "presence", "birth", "topic", "device", "profile", *READING)
KEYS: Final = ("host", "port", "client_id", *OF_THE_LINE, *_OF_DEVICE)
OFFERED: Final[dict[str, Any]] = {
    "host": None, "port": USUAL_PORT, "user": "", "password": "", "base": "", "silence": "", "version": "5",
    "tls": False, "timeout": TIMEOUT, "keepalive": KEEPALIVE, "session": SESSION, "birth": BIRTH,
    "max_payload": MAX_PAYLOAD, "format": "json", "retained": "old", "qos": 1,
}  # fmt: skip
"""What a form offers, with what is given; empty where nothing is. Other keys are written by hand."""
_OF_TLS: Final = ("ca", "cert", "key", "key_password")
_OF_WILL: Final = ("topic", "online", "offline")
_LONGEST_SESSION_S: Final = 0xFFFFFFFE


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM; without `ca`, the system's authorities are trusted."""

    ca: str | None
    cert: str | None
    key: str | None
    key_password: str | None
    """A reference to it."""


@dataclass(frozen=True, slots=True)
class Said:
    """A topic where somebody is said to be there or not."""

    topic: str
    online: str
    offline: str


@dataclass(frozen=True, slots=True)
class Broker:
    """How a broker is reached, and as whom. Equal for all devices of a line."""

    host: str
    port: int
    version: Literal["3.1.1", "5"]
    tls: Tls | None
    client_id: str
    user: str | None
    password: str | None
    """A reference to it."""
    timeout_s: float
    keepalive_s: int
    session_s: int
    max_payload: int
    will: Said | None
    host_id: str | None

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"


def broker_of(connection: Mapping[str, Any]) -> Broker:
    """Of a connection that has been judged."""
    given = {**OF_THE_LINE, **connection}
    tls = given["tls"]
    files = tls if isinstance(tls, Mapping) else {}
    return Broker(
        host=given["host"],
        port=_port(given),
        version="3.1.1" if str(given["version"]) == "3.1.1" else "5",
        tls=Tls(*(files.get(key) for key in _OF_TLS)) if tls else None,
        client_id=client_id_of(connection),
        user=given["user"],
        password=given["password"],
        timeout_s=parse_duration_s(given["timeout"]),
        keepalive_s=max(1, round(parse_duration_s(given["keepalive"]))),
        session_s=min(round(parse_duration_s(given["session"])), _LONGEST_SESSION_S),
        max_payload=given["max_payload"],
        will=said_of(given["will"], connection),
        host_id=given["host_id"],
    )


def said_of(mapping: Mapping[str, Any] | None, connection: Mapping[str, Any]) -> Said | None:
    """`will` or `presence`; None where there is none."""
    if mapping is None:
        return None
    words = [str(mapping.get(word, word)) for word in ("online", "offline")]
    return Said(topic_of(mapping["topic"], connection), *words)


def _port(connection: Mapping[str, Any]) -> int:
    return int(connection.get("port", USUAL_TLS_PORT if connection.get("tls") else USUAL_PORT))


def client_id_of(connection: Mapping[str, Any]) -> str:
    """As given; else made of this machine's name and the broker, so that it stays and a session can be taken up."""
    if "client_id" in connection:
        return str(connection["client_id"])
    whom = (
        f"{socket.gethostname()} {str(connection.get('host')).lower()}:{_port(connection)} {connection.get('user', '')}"
    )
    return f"gridroom-{hashlib.sha256(whom.encode()).hexdigest()[:12]}"


def line_of(connection: Mapping[str, Any]) -> str:
    """The name of the line: devices with the same broker, client id and user share one connection."""
    try:
        port = _port(connection)
    except (TypeError, ValueError):
        port = 0
    return f"{str(connection.get('host', '')).lower()}:{port} as {client_id_of({**connection, 'port': port})}"


# ---------------------------------------------------------------------------------------------------------- judging


def faults(connection: Mapping[str, Any]) -> list[KeyFault]:
    """Everything wrong with the `connection` of one device."""
    found = strangers(connection, KEYS, "connection") + tcp_faults(connection, USUAL_PORT)
    found += number_faults("max_payload", connection.get("max_payload", MAX_PAYLOAD), 64, LARGEST_PAYLOAD)
    for key in ("timeout", "keepalive", "session", "silence", "birth"):
        found += duration_faults(key, connection.get(key, TIMEOUT))
    found += secret_faults("password", connection["password"]) if "password" in connection else []
    found += reading_faults(connection) + _tls_faults(connection)
    if str(connection.get("version", "5")) not in VERSIONS:
        found.append(
            KeyFault(
                "version",
                Text(f"unknown version '{connection['version']}'", f"未知的 version “{connection['version']}”"),
                Text("write 3.1.1 or 5", "请写 3.1.1 或 5"),
            )
        )
    for key in ("client_id", "user", "base", "device", "profile", "host_id"):
        if key in connection and (not isinstance(connection[key], str) or not connection[key]):
            found.append(
                KeyFault(
                    key,
                    Text(f"{key} '{connection[key]}' is not a text", f"{key}“{connection[key]}”不是文本"),
                    Text("put it in quotes", "请加引号"),
                )
            )
    for key in ("base", "host_id"):
        wrong = topics.trouble(connection.get(key, "x"))
        found += [KeyFault(key, *wrong)] if wrong and isinstance(connection[key], str) and connection[key] else []
    for key in ("will", "presence"):
        found += _said_faults(key, connection) if key in connection else []
    if "password" in connection and "user" not in connection:
        found.append(
            KeyFault(
                "password",
                Text("there is a password, and no user", "有 password 而没有 user"),
                Text("add `user:`", "请添加“user:”"),
            )
        )
    return found + _edgex_faults(connection)


def _tls_faults(connection: Mapping[str, Any]) -> list[KeyFault]:
    tls = connection.get("tls", False)
    if isinstance(tls, bool):
        return []
    if not isinstance(tls, Mapping):
        return [
            KeyFault(
                "tls",
                Text(f"tls '{tls}' is not understood", f"无法理解 tls “{tls}”"),
                Text(
                    "write true, or {ca: FILE, cert: FILE, key: FILE}",
                    "请写 true，或 {ca: 文件, cert: 文件, key: 文件}",
                ),
            )
        ]
    found = [KeyFault("tls", fault.what, fault.mend) for fault in strangers(tls, _OF_TLS, "tls")]
    if "key_password" in tls:
        in_tls = secret_faults("key_password", tls["key_password"])
        found += [KeyFault("tls", fault.what, fault.mend) for fault in in_tls]
    found += [
        KeyFault(
            "tls",
            Text(f"{key} '{tls[key]}' is not a file", f"{key}“{tls[key]}”不是文件"),
            Text("write its path", "请写其路径"),
        )
        for key in ("ca", "cert", "key")
        if key in tls and (not isinstance(tls[key], str) or not tls[key])
    ]
    if "key" in tls and "cert" not in tls:
        found.append(
            KeyFault(
                "tls",
                Text("tls has a key, and no cert that it belongs to", "tls 有 key 而没有对应的 cert"),
                Text("add `cert:`", "请添加“cert:”"),
            )
        )
    return found


def _said_faults(key: str, connection: Mapping[str, Any]) -> list[KeyFault]:
    said = connection[key]
    if not isinstance(said, Mapping) or "topic" not in said:
        return [
            KeyFault(
                key,
                Text(f"{key} has no topic", f"{key} 缺少 topic"),
                Text(
                    "write {topic: ..., online: WORD, offline: WORD}", "请写 {topic: ..., online: 单词, offline: 单词}"
                ),
            )
        ]
    found = [KeyFault(key, fault.what, fault.mend) for fault in strangers(said, _OF_WILL, key)]
    topic = said["topic"]
    wrong = topics.trouble(topic_of(topic, connection) if isinstance(topic, str) else topic)
    return found + ([KeyFault(key, *wrong)] if wrong else [])


def _edgex_faults(connection: Mapping[str, Any]) -> list[KeyFault]:
    of_edgex = ("topic", "device", "profile")
    if connection.get("format") != Format.EDGEX:
        mend = Text(
            "write it in the points' addresses, or add `format: edgex`", "请写在测点的地址中，或添加“format: edgex”"
        )
        return [
            KeyFault(k, Text(f"{k} in a connection is for EdgeX", f"连接中的 {k} 用于 EdgeX"), mend)
            for k in of_edgex
            if k in connection
        ]
    found = []
    if "device" not in connection:
        found.append(
            KeyFault(
                "device",
                Text("connection has no device", "连接缺少 device"),
                Text("add `device:`, its name in the EdgeX gateway", "请添加“device:”，即 EdgeX 网关中的名称"),
            )
        )
    if "topic" not in connection:
        mend = Text(
            "add `topic:`, where the gateway exports its events, such as edgex/events/device/#",
            "请添加“topic:”，即网关发布事件的主题，例如 edgex/events/device/#",
        )
        return [*found, KeyFault("topic", Text("connection has no topic", "连接缺少 topic"), mend)]
    wrong = topics.filter_trouble(connection["topic"])
    return found + ([KeyFault("topic", *wrong)] if wrong else [])


def disagreements(first: Mapping[str, Any], other: Mapping[str, Any]) -> Sequence[tuple[str, Any, Any]]:
    """(key, of the first, of the other) for what two devices of one line may not have different."""
    pairs = [(key, first.get(key, given), other.get(key, given)) for key, given in OF_THE_LINE.items()]
    return [(key, ours, theirs) for key, ours, theirs in pairs if str(ours) != str(theirs)]
