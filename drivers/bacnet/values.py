"""Encoded values to numbers and texts, status flags to quality. Pure.

A value is taken as what its own tag says that it is (ASHRAE 135, 20.2), not as what the standard says that it should
be: devices answer an Unsigned where a Real belongs.
"""

from __future__ import annotations

import math
import struct
from enum import IntEnum
from typing import Final

from app.model import quality as q


class Kind(IntEnum):
    """Application tags (ASHRAE 135, 20.2.1.4)."""

    NULL = 0
    BOOLEAN = 1
    UNSIGNED = 2
    INTEGER = 3
    REAL = 4
    DOUBLE = 5
    OCTETS = 6
    TEXT = 7
    BITS = 8
    ENUMERATED = 9
    DATE = 10
    TIME = 11
    OBJECT = 12


_CALLED: Final = {
    Kind.NULL: "null", Kind.OCTETS: "octets", Kind.TEXT: "a text", Kind.BITS: "a bit string", Kind.DATE: "a date",
    Kind.TIME: "a time", Kind.OBJECT: "an object identifier",
}  # fmt: skip
_FAULT, _OVERRIDDEN, _OUT_OF_SERVICE = 0x40, 0x20, 0x10
"""Bits of BACnetStatusFlags as encoded, the first one the most significant. In-alarm, 0x80, says nothing of quality."""
RELIABILITY: Final = {
    1: "no sensor", 2: "over range", 3: "under range", 4: "open loop", 5: "shorted loop", 6: "no output",
    7: "unreliable", 8: "process error", 9: "fault of a state", 10: "configuration error", 12: "communication failure",
    13: "fault of a member", 14: "fault of the monitored object", 15: "tripped", 16: "lamp failure",
    17: "activation failure", 18: "DHCP renewal failed", 19: "foreign device renewal failed",
    20: "restart of negotiation failed", 21: "restart failed", 22: "proprietary command failed", 23: "faults listed",
    24: "fault of a referenced object", 25: "state out of range",
}  # fmt: skip
"""BACnetReliability (ASHRAE 135-2020, clause 21), in words."""
OUT_OF_RANGE: Final = (2, 3)
_CODECS: Final = {0: "utf-8", 3: "utf-32-be", 4: "utf-16-be", 5: "iso8859-1"}
"""Character sets of 20.2.9 that Python has; 1 (DBCS) and 2 (JIS) need to be told more."""


def number(kind: int, length: int, data: bytes) -> tuple[float, str]:
    """(value, why there is none) of one application-tagged value. `length` is the tag's length, value or type."""
    try:
        match kind:
            case Kind.BOOLEAN:
                return float(length != 0), ""
            case Kind.UNSIGNED | Kind.ENUMERATED if data:
                return float(int.from_bytes(data, "big")), ""
            case Kind.INTEGER if data:
                return float(int.from_bytes(data, "big", signed=True)), ""
            case Kind.REAL:
                value = struct.unpack(">f", data)[0]
            case Kind.DOUBLE:
                value = struct.unpack(">d", data)[0]
            case _:
                return math.nan, f"{_CALLED.get(Kind(kind), 'nothing')} where a number should be"
    except (struct.error, ValueError, OverflowError):
        return math.nan, f"{len(data)} bytes that are no value of kind {kind}"
    return (value, "") if math.isfinite(value) else (math.nan, "no finite number")


def text(kind: int, length: int, data: bytes) -> str:
    """What a point of kind text shows of a value."""
    if kind == Kind.TEXT and data:
        return data[1:].decode(_CODECS.get(data[0], "ascii"), "replace")
    value, why = number(kind, length, data)
    return why or f"{value:.15g}"


def flags_quality(kind: int, data: bytes) -> int:
    """Quality that BACnetStatusFlags mean: fault IV, overridden SB, out of service BL. IV where they are none."""
    if kind != Kind.BITS or len(data) != 2:
        return q.IV
    flags = data[1]
    return (
        (q.IV if flags & _FAULT else 0)
        | (q.SB if flags & _OVERRIDDEN else 0)
        | (q.BL if flags & _OUT_OF_SERVICE else 0)
    )
