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
from app.model.text import Text


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
    Kind.NULL: Text("null", "空值"),
    Kind.OCTETS: Text("octets", "字节串"),
    Kind.TEXT: Text("a text", "文本"),
    Kind.BITS: Text("a bit string", "位串"),
    Kind.DATE: Text("a date", "日期"),
    Kind.TIME: Text("a time", "时间"),
    Kind.OBJECT: Text("an object identifier", "对象标识符"),
}
_NOTHING: Final = Text("nothing", "空")
_NOT_FINITE: Final = Text("no finite number", "不是有限数值")
_FAULT, _OVERRIDDEN, _OUT_OF_SERVICE = 0x40, 0x20, 0x10
"""Bits of BACnetStatusFlags as encoded, the first one the most significant. In-alarm, 0x80, says nothing of quality."""
OUT_OF_RANGE: Final = (2, 3)
"""BACnetReliability over range and under range."""
_CODECS: Final = {0: "utf-8", 3: "utf-32-be", 4: "utf-16-be", 5: "iso8859-1"}
"""Character sets of 20.2.9 that Python has; 1 (DBCS) and 2 (JIS) need to be told more."""


def number(kind: int, length: int, data: bytes) -> tuple[float, Text | None]:
    """(value, why there is none) of one application-tagged value. `length` is the tag's length, value or type."""
    try:
        match kind:
            case Kind.BOOLEAN:
                return float(length != 0), None
            case Kind.UNSIGNED | Kind.ENUMERATED if data:
                return float(int.from_bytes(data, "big")), None
            case Kind.INTEGER if data:
                return float(int.from_bytes(data, "big", signed=True)), None
            case Kind.REAL:
                value = struct.unpack(">f", data)[0]
            case Kind.DOUBLE:
                value = struct.unpack(">d", data)[0]
            case _:
                called = _CALLED.get(Kind(kind), _NOTHING)
                return math.nan, Text(f"{called.en} where a number should be", f"应为数值，实为{called.zh}")
    except (struct.error, ValueError, OverflowError):
        size = len(data)
        why = Text(f"{size} bytes that are no value of kind {kind}", f"{size} 个字节不成类型 {kind} 的数值")
        return math.nan, why
    return (value, None) if math.isfinite(value) else (math.nan, _NOT_FINITE)


def text(kind: int, length: int, data: bytes) -> str:
    """What a point of kind text shows of a value: a text, a number, or the bytes of anything else."""
    if kind == Kind.TEXT and data:
        return data[1:].decode(_CODECS.get(data[0], "ascii"), "replace")
    value, why = number(kind, length, data)
    return f"{value:.15g}" if why is None else data.hex(" ")


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
