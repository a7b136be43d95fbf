"""What goes through the pipe between a worker and the program that watches it (docs/reference/iec104.md, "The pipe").

Each message is its length, a kind and a payload: notes and requests are JSON, values are columns. No I/O.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from drivers.iec104.asdu import Columns

HEAD: Final = struct.Struct("<IB")
"""Octets of the payload, kind."""
NOTE: Final = 1
VALUES: Final = 2
LONGEST: Final = 1 << 24
_ROWS: Final = struct.Struct("<IIq")
"""Rows, nothing, when they were received (UTC nanoseconds)."""
_COLUMNS: Final = (
    ("value", "<f8"), ("time", "<u8"), ("ioa", "<u4"), ("ca", "<u2"), ("quality", "<u2"),
    ("type", "u1"), ("cause", "u1"),
)  # fmt: skip
"""In this order, the widest first."""
ROW_OCTETS: Final = sum(np.dtype(form).itemsize for _, form in _COLUMNS)

Note = Mapping[str, Any]
"""Of JSON; a text for operators is `{en, zh}` in it (`asdict` there, `Text.of` here)."""


class MessageFault(ValueError):
    """What came through the pipe is no message."""


def pack(note: Note) -> bytes:
    """A note or a request as a message."""
    payload = json.dumps(note, separators=(",", ":")).encode()
    return HEAD.pack(len(payload), NOTE) + payload


def pack_values(columns: Columns, received_ns: int) -> bytes:
    """Values as a message."""
    payload = [np.ascontiguousarray(getattr(columns, name), form).tobytes() for name, form in _COLUMNS]
    size = _ROWS.size + sum(map(len, payload))
    return b"".join((HEAD.pack(size, VALUES), _ROWS.pack(len(columns), 0, received_ns), *payload))


def length_and_kind(head: bytes) -> tuple[int, int]:
    """Of the payload behind a head. Raises MessageFault."""
    length, kind = HEAD.unpack(head)
    if length > LONGEST or kind not in (NOTE, VALUES):
        raise MessageFault(f"a message of kind {kind} and {length} octets")
    return length, kind


def unpack_note(payload: bytes) -> Note:
    """Raises MessageFault."""
    try:
        note = json.loads(payload)
    except ValueError as error:
        raise MessageFault(f"a note is no JSON: {error}") from None
    if not isinstance(note, dict):
        raise MessageFault("a note is no JSON object")
    return note


def unpack_values(payload: bytes) -> tuple[Columns, int]:
    """Columns that look into the payload, and when they were received. Raises MessageFault."""
    if len(payload) < _ROWS.size:
        raise MessageFault(f"values of {len(payload)} octets")
    rows, _, received_ns = _ROWS.unpack_from(payload)
    if len(payload) != _ROWS.size + rows * ROW_OCTETS:
        raise MessageFault(f"{rows} rows of values in {len(payload)} octets")
    place, columns = _ROWS.size, {}
    for name, form in _COLUMNS:
        columns[name] = np.frombuffer(payload, form, rows, place)
        place += columns[name].nbytes
    return Columns(**columns), received_ns
