"""Requests for properties, and what their answers hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bacpypes3.apdu import ReadPropertyACK, ReadPropertyMultipleACK, ReadPropertyMultipleRequest, ReadPropertyRequest
from bacpypes3.basetypes import PropertyReference, ReadAccessSpecification
from bacpypes3.primitivedata import ObjectIdentifier, Tag, TagClass

from app.model.errors import ProtocolError
from app.model.text import Text
from drivers.bacnet import values, words
from drivers.bacnet.connection import Peer
from drivers.bacnet.values import Kind
from drivers.bacnet.wire import Denied, Wire

Reference = tuple[int, int, int, int | None]
"""Object type, instance, property, index."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One application-tagged value as it came: its tag, and the tag's length, value or type."""

    kind: int
    length: int
    data: bytes

    def number(self) -> tuple[float, Text | None]:
        """(value, why there is none)."""
        return values.number(self.kind, self.length, self.data)

    def text(self) -> str:
        return values.text(self.kind, self.length, self.data)


NOTHING: Final = Encoded(Kind.NULL, 0, b"")
Answer = Sequence[Encoded] | Denied
"""The values of a property, several where it is a list; or why there is none."""


async def read_one(wire: Wire, peer: Peer, reference: Reference) -> Answer:
    """One property by ReadProperty. Raises TransportError, ProtocolError, or Denied by the device as a whole."""
    type_, instance, property_, index = reference
    request = ReadPropertyRequest(
        objectIdentifier=ObjectIdentifier((type_, instance)), propertyIdentifier=property_, propertyArrayIndex=index
    )
    try:
        answer = await wire.ask(peer, request)
    except Denied as denied:
        if denied.of_device or denied.unknown_service:
            raise
        return denied
    if not isinstance(answer, ReadPropertyACK):
        raise _other(peer, answer)
    return encoded(answer.propertyValue)


async def read_many(wire: Wire, peer: Peer, references: Sequence[Reference]) -> dict[Reference, Answer]:
    """Properties by one ReadPropertyMultiple. Raises TransportError, ProtocolError, or Denied for all of them."""
    by_object: dict[tuple[int, int], list[PropertyReference]] = {}
    for type_, instance, property_, index in references:
        wanted = PropertyReference(propertyIdentifier=property_, propertyArrayIndex=index)
        by_object.setdefault((type_, instance), []).append(wanted)
    request = ReadPropertyMultipleRequest(
        listOfReadAccessSpecs=[
            ReadAccessSpecification(objectIdentifier=ObjectIdentifier(object_), listOfPropertyReferences=wanted)
            for object_, wanted in by_object.items()
        ]
    )
    answer = await wire.ask(peer, request)
    if not isinstance(answer, ReadPropertyMultipleACK):
        raise _other(peer, answer)
    found: dict[Reference, Answer] = {}
    for result in answer.listOfReadAccessResults:
        type_, instance = result.objectIdentifier
        for element in result.listOfResults:
            error = element.readResult.propertyAccessError
            index = element.propertyArrayIndex
            reference = (
                int(type_),
                int(instance),
                int(element.propertyIdentifier),
                None if index is None else int(index),
            )
            if error is None:
                found[reference] = encoded(element.readResult.propertyValue)
            else:
                of_device = str(error.errorClass) == "device"
                said = words.error(str(error.errorCode), str(error.errorClass))
                found[reference] = Denied(said, int(error.errorCode), of_device=of_device)
    if not found.keys() >= set(references):
        missing, all_ = len(set(references) - found.keys()), len(references)
        text = Text(
            f"{peer.place} left out {missing} of {all_} properties; see whether it has newer firmware",
            f"{peer.place} 漏答了 {all_} 个属性中的 {missing} 个；请查看设备固件是否有更新",
        )
        raise ProtocolError(text, device=peer.device)
    return found


def encoded(content: Any) -> list[Encoded]:
    """The values in an answer's open type; what is constructed is left out."""
    tags: Iterable[Tag] = content.tagList or ()
    return [
        Encoded(int(tag.tag_number), int(tag.tag_lvt), bytes(tag.tag_data))
        for tag in tags
        if tag.tag_class == TagClass.application
    ]


def as_number(answer: Answer) -> tuple[float, Text | None]:
    """(value, why there is none) of a property that is one number."""
    if isinstance(answer, Denied):
        return math.nan, answer.text
    if len(answer) != 1:
        many = len(answer)
        return math.nan, Text(f"{many} values where one should be", f"应为一个值，实为 {many} 个")
    return answer[0].number()


def _other(peer: Peer, answer: object) -> ProtocolError:
    came = type(answer).__name__
    text = Text(
        f"{peer.place} answered a read with {came}; see whether it has newer firmware",
        f"{peer.place} 对读请求应答了 {came}；请查看设备固件是否有更新",
    )
    return ProtocolError(text, device=peer.device)
