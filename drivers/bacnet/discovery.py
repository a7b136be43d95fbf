"""Who is there, and what it has: devices that answer a Who-Is, with their objects, as proposals for a station file."""

from __future__ import annotations

import asyncio
import re
from asyncio import timeout
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from bacpypes3.apdu import IAmRequest

from app.model.errors import DeviceError, TransportError, words_of
from app.model.text import Text
from drivers.bacnet.address import DEVICE, OBJECTS, PROPERTIES
from drivers.bacnet.connection import PORT, Peer, Place, faults, interface_of
from drivers.bacnet.reading import Answer, Reference, read_many, read_one
from drivers.bacnet.units import UNITS
from drivers.bacnet.values import Kind
from drivers.bacnet.wire import Denied, Wire, Wires, place_of
from drivers.contract import Found, Proposal

MOST_DEVICES: Final = 256
MOST_OBJECTS: Final = 1000
LONGEST_S: Final = 60.0
"""How long the objects of one device may take."""
_TIMEOUT_S: Final = 2.0
_TOGETHER: Final = 10
_STATUS: Final = ("binary-", "multi-state-")
_PROPOSED: Final = {
    number: name
    for name, number in OBJECTS.items()
    if name.endswith(("-input", "-output", "-value")) or name in ("accumulator", "pulse-converter", "loop")
}
"""Object types that make a point. What could be commanded is proposed for reading: commands are a person's word."""


async def look_around(wires: Wires, connection: Mapping[str, Any], seconds: float, tell: Found) -> list[Proposal]:
    """Who answers within `seconds`, and what it has. Raises TransportError.

    Each is told twice: when it answers, and with its objects.
    """
    wrong = [fault for fault in faults(connection) if fault.key in ("address", "interface") and fault.key in connection]
    for fault in wrong:
        raise TransportError(Text.of(str(fault)))
    place = Place.of(connection["address"]) if "address" in connection else None
    interface = interface_of(connection)
    if place is None and interface.mask == 32:
        text = Text(
            f"nobody can be looked for from {interface}, whose network is not known; write `interface` with its mask, "
            "such as 192.168.1.5/24",
            f"{interface} 的网段未知，无法搜索设备；请在 interface 中写明掩码，例如 192.168.1.5/24",
        )
        raise TransportError(text)
    wire = wires.of(interface)
    await wire.open(_TIMEOUT_S)
    try:
        found: dict[Place, int] = {}

        def heard(i_am: IAmRequest) -> None:
            with suppress(ValueError):
                where, instance = place_of(i_am.pduSource), int(i_am.iAmDeviceIdentifier[1])
                if len(found) < MOST_DEVICES and where not in found:
                    found[where] = instance
                    tell(_proposal(where, instance, connection, f"BACnet {instance}", []))

        await wire.who_is(seconds, place, heard)
        proposals = []
        for where, instance in found.items():
            proposals.append(await _propose(wire, where, instance, connection))
            tell(proposals[-1])
        return proposals
    finally:
        await wire.close()


async def _propose(wire: Wire, place: Place, instance: int, connection: Mapping[str, Any]) -> Proposal:
    """One device. Where its objects cannot be read, it is proposed without points, and why."""
    peer = Peer(f"device {instance}", place, instance, _TIMEOUT_S, "", 0)
    name, points, trouble = f"BACnet {instance}", [], None
    try:
        async with timeout(LONGEST_S):
            answer = await read_one(wire, peer, (DEVICE, instance, PROPERTIES["object-name"], None))
            name = _text(answer) or name
            points = await _points(wire, peer)
    except (DeviceError, Denied, TimeoutError) as error:
        slow = isinstance(error, TimeoutError)
        trouble = Text("it takes too long", "耗时过长") if slow else words_of(error)
    return _proposal(place, instance, connection, name, points, trouble)


def _proposal(
    place: Place,
    instance: int,
    connection: Mapping[str, Any],
    name: str,
    points: Sequence[Mapping[str, Any]],
    trouble: Text | None = None,
) -> Proposal:
    reached = {key: connection[key] for key in ("interface",) if key in connection}
    address = str(place).removesuffix(f":{PORT}")
    device = {
        "id": f"bacnet_{instance}",
        "name": name,
        "kind": "other",
        "connection": {"driver": "bacnet", "address": address, "device": instance, **reached},
        "points": list(points),
    }
    why = Text(f"answered a Who-Is at {place}", f"在 {place} 应答 Who-Is")
    if trouble is not None:
        why = Text(f"{why.en}; its objects could not be read: {trouble.en}", f"{why.zh}；无法读取其对象：{trouble.zh}")
    return Proposal(device, why)


async def _points(wire: Wire, peer: Peer) -> list[dict[str, Any]]:
    wanted = [object_ for object_ in await _objects(wire, peer) if object_[0] in _PROPOSED]
    points: list[dict[str, Any]] = []
    taken: set[str] = set()
    for start in range(0, len(wanted), _TOGETHER):
        some = wanted[start : start + _TOGETHER]
        properties = [PROPERTIES[word] for word in ("object-name", "units")]
        answers = await _read(wire, peer, [(*object_, one, None) for object_ in some for one in properties])
        for object_ in some:
            name = _text(answers[(*object_, properties[0], None)])
            points.append(_point(object_, name, answers[(*object_, properties[1], None)], taken))
        await asyncio.sleep(0)
    return points


async def _objects(wire: Wire, peer: Peer) -> list[tuple[int, int]]:
    """The device's object list: whole, or one by one where it does not fit into an answer."""
    list_ = PROPERTIES["object-list"]
    answer = await read_one(wire, peer, (DEVICE, peer.instance, list_, None))
    if isinstance(answer, Denied):
        count = await read_one(wire, peer, (DEVICE, peer.instance, list_, 0))
        if isinstance(count, Denied):
            raise count
        many = min(int(count[0].number()[0]), MOST_OBJECTS) if count else 0
        found = [await read_one(wire, peer, (DEVICE, peer.instance, list_, 1 + n)) for n in range(many)]
        answer = [one for each in found if not isinstance(each, Denied) for one in each]
    whole = [int.from_bytes(one.data, "big") for one in answer if one.kind == Kind.OBJECT]
    return [(number >> 22, number & 0x3FFFFF) for number in whole[:MOST_OBJECTS]]


async def _read(wire: Wire, peer: Peer, references: Sequence[Reference]) -> Mapping[Reference, Answer]:
    try:
        return await read_many(wire, peer, references)
    except Denied:
        return {reference: await read_one(wire, peer, reference) for reference in references}


def _point(object_: tuple[int, int], name: str, units: Answer, taken: set[str]) -> dict[str, Any]:
    word = _PROPOSED[object_[0]]
    point = {
        "id": _id(name or f"{word}_{object_[1]}", taken),
        "name": name or f"{word} {object_[1]}",
        "kind": "status" if word.startswith(_STATUS) else "counter" if word == "accumulator" else "measurement",
        "address": {"object": f"{word}:{object_[1]}", "property": "present-value"},
    }
    unit = UNITS.get(int.from_bytes(units[0].data, "big")) if not isinstance(units, Denied) and units else None
    return point | ({"unit": unit} if unit is not None and unit != "1" else {})


def _id(name: str, taken: set[str]) -> str:
    """An id of a name: `[a-z][a-z0-9_]*`, and nobody else's."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    wish = plain if plain[:1].isalpha() else f"p_{plain}".rstrip("_")
    id_ = next(one for one in _numbered(wish) if one not in taken)
    taken.add(id_)
    return id_


def _numbered(wish: str) -> Iterable[str]:
    yield wish
    number = 2
    while True:
        yield f"{wish}_{number}"
        number += 1


def _text(answer: Answer) -> str:
    return "" if isinstance(answer, Denied) or not answer else answer[0].text().strip()
