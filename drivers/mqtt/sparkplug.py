"""Sparkplug B on the wire: topics, metric data types, and the payloads that Gridroom sends.

Source: Eclipse Sparkplug Specification 3.0.0, chapters 4 (topics), 5 (operation) and 6 (payloads).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from google.protobuf.message import DecodeError

from drivers.mqtt.documents import PayloadFault
from drivers.mqtt.sparkplug_b_pb2 import Payload

NAMESPACE: Final = "spBv1.0"
REBIRTH: Final = "Node Control/Rebirth"
BD_SEQ: Final = "bdSeq"
SEQUENCE: Final = 256


class Kind(StrEnum):
    """The message types that an edge node sends."""

    NBIRTH = "NBIRTH"
    NDEATH = "NDEATH"
    NDATA = "NDATA"
    DBIRTH = "DBIRTH"
    DDEATH = "DDEATH"
    DDATA = "DDATA"


class DataType(IntEnum):
    """Of a metric (6.4.16); those above TEXT that are no text have no number."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15


BITS: Final[dict[int, tuple[int, bool]]] = {
    DataType.INT8: (8, True), DataType.INT16: (16, True), DataType.INT32: (32, True), DataType.INT64: (64, True),
    DataType.UINT8: (8, False), DataType.UINT16: (16, False), DataType.UINT32: (32, False),
    DataType.UINT64: (64, False), DataType.DATETIME: (64, False),
}  # fmt: skip
"""Whole numbers: width, and whether signed."""
TEXTS: Final = frozenset((DataType.STRING, DataType.TEXT, DataType.UUID))


@dataclass(frozen=True, slots=True)
class Topic:
    """Who sent what: `spBv1.0/GROUP/KIND/NODE[/DEVICE]`."""

    group: str
    kind: Kind
    node: str
    device: str

    @staticmethod
    def of(topic: str) -> Topic | None:
        """None where it is not of an edge node: a command, a host's state, another namespace."""
        levels = topic.split("/")
        if len(levels) not in (4, 5) or levels[0] != NAMESPACE or levels[2] not in set(Kind):
            return None
        kind = Kind(levels[2])
        if (len(levels) == 5) != kind.startswith("D"):
            return None
        return Topic(levels[1], kind, levels[3], levels[4] if len(levels) == 5 else "")


def filter_of(group: str, node: str) -> str:
    """Everything of an edge node and of the devices behind it."""
    return f"{NAMESPACE}/{group}/+/{node}/#"


def command_topic(group: str, node: str, device: str) -> str:
    return f"{NAMESPACE}/{group}/DCMD/{node}/{device}" if device else f"{NAMESPACE}/{group}/NCMD/{node}"


def host_topic(host_id: str) -> str:
    return f"{NAMESPACE}/STATE/{host_id}"


def host_state(online: bool, time_ns: int) -> bytes:
    """The payload of a host's state and of its will: both carry the same time (5.14)."""
    return json.dumps({"online": online, "timestamp": time_ns // 1_000_000}).encode()


def decode(payload: bytes) -> Payload:
    """Raises PayloadFault where the bytes are no Sparkplug B payload."""
    try:
        return Payload.FromString(payload)
    except DecodeError:
        raise PayloadFault("not a Sparkplug B payload", "不是 Sparkplug B 报文") from None


def rebirth_request(time_ns: int) -> bytes:
    """Asks an edge node for its births (5.11)."""
    payload = Payload(timestamp=time_ns // 1_000_000)
    payload.metrics.add(name=REBIRTH, datatype=DataType.BOOLEAN, boolean_value=True, timestamp=payload.timestamp)
    return payload.SerializeToString()


def command(name: str, alias: int | None, datatype: int, value: float, time_ns: int) -> bytes:
    """One metric to be written. Raises ValueError where its type cannot hold the value."""
    payload = Payload(timestamp=time_ns // 1_000_000)
    metric = payload.metrics.add(name=name, datatype=datatype, timestamp=payload.timestamp)
    if alias is not None:
        metric.alias = alias
    if datatype in BITS:
        whole = _whole(datatype, value)
        if BITS[datatype][0] == 64:
            metric.long_value = whole
        else:
            metric.int_value = whole
    elif datatype == DataType.FLOAT:
        if abs(value) > _LARGEST_FLOAT:
            raise ValueError(f"{value:g} is beyond a FLOAT")
        metric.float_value = value
    elif datatype == DataType.DOUBLE:
        metric.double_value = value
    elif datatype == DataType.BOOLEAN and value in (0, 1):
        metric.boolean_value = bool(value)
    else:
        raise ValueError(f"{value:g} does not go into data type {datatype}")
    return payload.SerializeToString()


_LARGEST_FLOAT: Final = 3.4028234663852886e38


def _whole(datatype: int, value: float) -> int:
    """In two's complement of 32 or 64 bits, as the payload carries it."""
    bits, signed = BITS[datatype]
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if not math.isfinite(value) or value != round(value) or not low <= value <= high:
        raise ValueError(f"{value:g} is not a whole number from {low} to {high}")
    return round(value) & ((1 << (64 if bits == 64 else 32)) - 1)


def number(metric: Payload.Metric, datatype: int) -> float:
    """The number of a metric that is not null, by the type of its birth. Raises PayloadFault where it has none."""
    which = metric.WhichOneof("value")
    if datatype in BITS and which in ("int_value", "long_value"):
        bits, signed = BITS[datatype]
        raw: int = getattr(metric, which) & ((1 << bits) - 1)
        return float(raw - (1 << bits) if signed and raw >> (bits - 1) else raw)
    if which in ("float_value", "double_value", "boolean_value") and datatype in REAL:
        return float(getattr(metric, which))
    raise PayloadFault(
        f"a value in {which or 'nothing'}, where data type {datatype} was born",
        f"上线报文（birth）声明的数据类型是 {datatype}，值却在 {which or '（无）'} 中",
    )


REAL: Final = frozenset((DataType.FLOAT, DataType.DOUBLE, DataType.BOOLEAN))
