"""ASDUs to columns: many at once, so that a frame costs no more than being looked at. No I/O.

Lengths are those of IEC 60870-5-104: cause two octets, common address two, information object address three.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.model import quality as q
from app.model.text import Text
from drivers.iec104.typeids import MONITORED_BY_TYPE, TIME_OCTETS, Element, Monitored, named

LONGEST: Final = 249
"""Octets of an ASDU."""
HEAD: Final = 6
OBJECT: Final = 3
"""Octets of an information object address."""
SEQUENCE: Final = 0x80
"""In the variable structure qualifier: one address, then elements of addresses that follow it."""
NEGATIVE: Final = 0x40
TEST: Final = 0x80
CAUSE: Final = 0x3F
"""In the cause's first octet."""
NO_TIME: Final = 2**64 - 1
_QDS: Final = q.OV | q.BL | q.SB | q.NT | q.IV
_OF_A_STATE: Final = q.BL | q.SB | q.NT | q.IV

Octets = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Columns:
    """Monitored values as they came, one row each, in their order.

    ca uint16[n], ioa uint32[n], type uint8[n], cause uint8[n] without its P/N and test bits, quality uint16[n] as
    bits of `app.model.quality`, value float64[n] (NaN where there is none), time uint64[n] as the octets of
    CP56Time2a, the first the lowest, or NO_TIME.
    """

    ca: NDArray[np.uint16]
    ioa: NDArray[np.uint32]
    type: NDArray[np.uint8]
    cause: NDArray[np.uint8]
    quality: NDArray[np.uint16]
    value: NDArray[np.float64]
    time: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.ioa)


@dataclass(frozen=True, slots=True)
class Control:
    """An ASDU that is no value: of a command, an interrogation, a clock, an end of initialisation."""

    type: int
    cause: int
    negative: bool
    ca: int
    ioa: int
    element: bytes
    """What follows the address of its first object."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What some ASDUs held."""

    columns: Columns
    controls: list[Control]
    faults: Counter[Text]
    """Why ASDUs were not read -> how many."""


class _Group:
    """ASDUs of one type and structure, to be read together."""

    __slots__ = ("bodies", "heads", "places")

    def __init__(self) -> None:
        self.places: list[int] = []
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []


def decode(asdus: Sequence[bytes]) -> Decoded:
    """Read ASDUs. Never raises: what cannot be read is counted."""
    groups: dict[tuple[int, int], _Group] = {}
    controls, faults = [], Counter[Text]()
    for place, asdu in enumerate(asdus):
        if len(asdu) < HEAD + OBJECT or not asdu[1] & 0x7F:
            faults[Text("too short, or without objects", "过短或不含信息对象")] += 1
            continue
        kind = MONITORED_BY_TYPE.get(asdu[0])
        if kind is None:
            if asdu[0] < 45:
                faults[not_read(asdu[0])] += 1
            else:
                controls.append(_control(asdu))
            continue
        if len(asdu) != _length(kind, asdu[0], asdu[1]):
            faults[_misfit(asdu)] += 1
            continue
        key = asdu[0], asdu[1] & SEQUENCE
        group = groups.get(key)
        if group is None:
            group = groups[key] = _Group()
        group.places.append(place)
        group.heads.append(asdu[:HEAD])
        group.bodies.append(asdu[HEAD:])
    return Decoded(_columns(groups), controls, faults)


def not_read(type_: int) -> Text:
    """What is said of a type that means nothing to us."""
    return Text(f"type {named(type_)} is not read here", f"不支持类型标识 {named(type_)}")


def _misfit(asdu: bytes) -> Text:
    length, count, type_ = len(asdu), asdu[1] & 0x7F, named(asdu[0])
    return Text(
        f"length {length} does not fit {count} objects of type {type_}",
        f"长度 {length} 与 {count} 个类型标识为 {type_} 的信息对象不符",
    )


def _control(asdu: bytes) -> Control:
    ca, ioa = int.from_bytes(asdu[4:6], "little"), int.from_bytes(asdu[6:9], "little")
    return Control(asdu[0], asdu[2] & CAUSE, bool(asdu[2] & NEGATIVE), ca, ioa, asdu[9:])


def octets_of(kind: Monitored, type_: int) -> int:
    """Of one element of a type: value, quality and time."""
    return kind.octets + (TIME_OCTETS if type_ == kind.timed else 0)


def _length(kind: Monitored, type_: int, structure: int) -> int:
    count, element = structure & 0x7F, octets_of(kind, type_)
    return HEAD + (OBJECT + count * element if structure & SEQUENCE else count * (OBJECT + element))


def _columns(groups: dict[tuple[int, int], _Group]) -> Columns:
    parts, places = [], []
    for (type_, sequence), group in groups.items():
        part, place = _read(type_, bool(sequence), group)
        parts.append(part)
        places.append(place)
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return _EMPTY
    order = np.argsort(np.concatenate(places), kind="stable")
    return Columns(*(np.concatenate([getattr(part, name) for part in parts])[order] for name in Columns.__slots__))


def _read(type_: int, sequence: bool, group: _Group) -> tuple[Columns, NDArray[np.int64]]:
    """All objects of a group, and the place of each one's ASDU."""
    kind = MONITORED_BY_TYPE[type_]
    size = octets_of(kind, type_)
    heads = np.frombuffer(b"".join(group.heads), np.uint8).reshape(-1, HEAD)
    counts = (heads[:, 1] & 0x7F).astype(np.int64)
    if sequence:
        first = np.frombuffer(b"".join([body[:OBJECT] for body in group.bodies]), np.uint8).reshape(-1, OBJECT)
        elements = np.frombuffer(b"".join([body[OBJECT:] for body in group.bodies]), np.uint8).reshape(-1, size)
        within = np.arange(len(elements)) - np.repeat(np.cumsum(counts) - counts, counts)
        ioa = ((np.repeat(_address(first), counts) + within) & 0xFFFFFF).astype(np.uint32)
    else:
        objects = np.frombuffer(b"".join(group.bodies), np.uint8).reshape(-1, OBJECT + size)
        ioa, elements = _address(objects), objects[:, OBJECT:]
    value, quality = READERS[kind.element](elements)
    cause: Octets = np.repeat(heads[:, 2], counts)
    quality |= np.where(cause & TEST, q.TEST, 0).astype(np.uint16)
    quality[np.isnan(value)] |= q.IV
    ca = np.repeat(heads[:, 4].astype(np.uint16) | heads[:, 5].astype(np.uint16) << 8, counts)
    kinds = np.full(len(ioa), type_, np.uint8)
    columns = Columns(ca, ioa, kinds, (cause & CAUSE).astype(np.uint8), quality, value, _time(elements, kind, type_))
    return columns, np.repeat(np.array(group.places, np.int64), counts)


def _address(octets: Octets) -> NDArray[np.uint32]:
    wide = octets[:, :OBJECT].astype(np.uint32)
    return (wide[:, 0] | wide[:, 1] << 8 | wide[:, 2] << 16).astype(np.uint32)


def _time(elements: Octets, kind: Monitored, type_: int) -> NDArray[np.uint64]:
    if type_ != kind.timed:
        return np.full(len(elements), NO_TIME, np.uint64)
    padded = np.zeros((len(elements), 8), np.uint8)
    padded[:, :TIME_OCTETS] = elements[:, kind.octets : kind.octets + TIME_OCTETS]
    return padded.view("<u8")[:, 0].astype(np.uint64)


# ---------------------------------------------------------------------------------------- elements (7.2.6), one each

Read = tuple[NDArray[np.float64], NDArray[np.uint16]]


def _plain(elements: Octets, form: str) -> NDArray[np.float64]:
    size = np.dtype(form).itemsize
    return np.ascontiguousarray(elements[:, :size]).view(form)[:, 0].astype(np.float64)


def _qds(octet: Octets, mask: int = _QDS) -> NDArray[np.uint16]:
    return (octet & mask).astype(np.uint16)


def _single(elements: Octets) -> Read:
    return (elements[:, 0] & 1).astype(np.float64), _qds(elements[:, 0], _OF_A_STATE)


def _double(elements: Octets) -> Read:
    """1 is off, 2 is on; between the two, and faulty, are no value."""
    states = np.array([np.nan, 0.0, 1.0, np.nan])
    return states[elements[:, 0] & 3], _qds(elements[:, 0], _OF_A_STATE)


def _step(elements: Octets) -> Read:
    """-64 to 63. That the changer is moving (bit 8) says nothing against its position."""
    position = (elements[:, 0] & 0x7F).astype(np.int16)
    return np.where(position > 63, position - 128, position).astype(np.float64), _qds(elements[:, 1])


def _bits(elements: Octets) -> Read:
    return _plain(elements, "<u4"), _qds(elements[:, 4])


def _normalised(elements: Octets) -> Read:
    return _plain(elements, "<i2") / 32768, _qds(elements[:, 2])


def _scaled(elements: Octets) -> Read:
    return _plain(elements, "<i2"), _qds(elements[:, 2])


def _short(elements: Octets) -> Read:
    with np.errstate(invalid="ignore"):
        value = _plain(elements, "<f4")
    value[~np.isfinite(value)] = np.nan
    return value, _qds(elements[:, 4])


def _counter(elements: Octets) -> Read:
    """Its carry and adjusted bits stand where others have NT and SB, and are neither."""
    return _plain(elements, "<i4"), _qds(elements[:, 4], q.IV)


READERS: Final[dict[Element, Callable[[Octets], Read]]] = {
    "siq": _single, "diq": _double, "vti": _step, "bsi": _bits, "nva": _normalised, "sva": _scaled, "ieee": _short,
    "bcr": _counter,
}  # fmt: skip

_EMPTY: Final = Columns(
    np.empty(0, np.uint16), np.empty(0, np.uint32), np.empty(0, np.uint8), np.empty(0, np.uint8),
    np.empty(0, np.uint16), np.empty(0, np.float64), np.empty(0, np.uint64),
)  # fmt: skip
