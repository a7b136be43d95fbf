"""Events that an EdgeX Foundry gateway exports, of its API versions 2 to 4.

An event names the device and its profile, and carries readings: `resourceName`, `valueType`, `value` as a text, and
`origin`, when it was measured, in nanoseconds (EdgeX core-contracts, dtos/event.go and dtos/reading.go). It comes bare,
as a request to add it (`{event: ...}`), or within the envelope of the message bus (`{payload: ...}`).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.model.station import Point
from app.model.text import Text
from drivers.json_path import MISSING, find
from drivers.mqtt import moments
from drivers.mqtt.address import Resource
from drivers.mqtt.documents import PayloadFault, parse_json
from drivers.mqtt.readers import Spot, take
from drivers.mqtt.rows import Message, Rows
from drivers.mqtt.troubles import Trouble

_NS: Final = 1
_BOOLS: Final = {"true": True, "false": False}


def event_of(document: Any) -> Mapping[str, Any]:
    """The event in a document, unwrapped. Raises PayloadFault where there is none."""
    for _ in range(2):
        if isinstance(document, dict) and "readings" not in document:
            if isinstance(document.get("event"), dict):
                document = document["event"]
            elif "payload" in document:
                document = _payload(document["payload"])
    if not isinstance(document, dict) or not isinstance(document.get("readings"), list):
        raise PayloadFault("not an EdgeX event: it has no readings", "不是 EdgeX 事件：没有 readings")
    if not isinstance(document.get("deviceName"), str):
        raise PayloadFault("not an EdgeX event: it has no deviceName", "不是 EdgeX 事件：没有 deviceName")
    return document


def _payload(payload: Any) -> Any:
    if not isinstance(payload, str):
        return payload
    try:
        content = base64.b64decode(payload, validate=True)
    except ValueError:
        raise PayloadFault(
            "the envelope's payload is not Base64; CBOR and compressed ones are not read",
            "封装中的 payload 不是 Base64；不支持 CBOR 和压缩格式",
        ) from None
    return parse_json(content)


def value_of(reading: Mapping[str, Any]) -> Any:
    """A reading's value as JSON would have it: number, boolean, text, list or object; None where it has none."""
    kind = str(reading.get("valueType", ""))
    if kind == "Object":
        return reading.get("objectValue")
    if kind == "Binary":
        return {}  # no number, and no text
    raw = reading.get("value")
    if not isinstance(raw, str) or kind == "String":
        return raw
    if kind == "Bool":
        return _BOOLS.get(raw.strip().lower(), raw)
    return parse_json(raw.encode(errors="replace")) if kind.endswith("Array") else raw


class EdgexReader:
    """One device of ours: a device of the gateway."""

    def __init__(
        self,
        rows: Rows,
        name: str,
        profile: str | None,
        points: Sequence[tuple[Point, int, Resource, Mapping[str, float]]],
    ) -> None:
        self._rows = rows
        self._profile = profile
        self.name = name
        self.trouble = Trouble(
            rows.device, Text(f"EdgeX device {name}", f"EdgeX 设备 {name}"), [point.name for point, *_ in points]
        )
        self._spots: dict[str, list[Spot]] = {}
        for point, slot, resource, words in points:
            where = Text(f"reading {resource.name}", f"读数 {resource.name}")
            trouble = Trouble(rows.device, where, [point.name])
            self._spots.setdefault(resource.name, []).append(Spot(resource.path, slot, point, words, trouble))

    @property
    def troubles(self) -> list[Trouble]:
        """Those of single points first: what is wrong with the whole is said over them."""
        return [*(spot.trouble for spots in self._spots.values() for spot in spots), self.trouble]

    def take(self, event: Mapping[str, Any], message: Message) -> None:
        """Add the readings of an event of this device."""
        profile = event.get("profileName")
        if self._profile is not None and profile != self._profile:
            text = Text(
                f"its profile is {profile}, where {self._profile} is expected",
                f"其 profile 为 {profile}，应为 {self._profile}",
            )
            self.trouble.say(text)
            return
        sound = True
        for reading in event["readings"]:
            if not isinstance(reading, dict) or not isinstance(reading.get("resourceName"), str):
                self.trouble.say(Text("a reading has no resourceName", "有一个读数没有 resourceName"))
                sound = False
                continue
            spots = self._spots.get(reading["resourceName"])
            if spots:
                self._take(spots, reading, event, message)
        self._rows.hear()
        if sound:
            self.trouble.over()

    def _take(
        self, spots: Sequence[Spot], reading: Mapping[str, Any], event: Mapping[str, Any], message: Message
    ) -> None:
        origin = moments.moment_ns(reading.get("origin", event.get("origin")), _NS)
        time, quality = moments.judged(origin, message.received)
        for spot in spots:
            try:
                raw = find(value_of(reading), spot.path)
            except PayloadFault as fault:
                raw = {}
                spot.trouble.say(fault.text)
            take(self._rows, spot, {} if raw is MISSING else raw, quality, time)


class EdgexRoute:
    """Where a gateway exports, and the devices behind it that are read."""

    def __init__(self, readers: Sequence[EdgexReader]) -> None:
        self.readers = tuple(readers)
        self._by_name: dict[str, list[EdgexReader]] = {}
        for reader in readers:
            self._by_name.setdefault(reader.name, []).append(reader)

    def take(self, message: Message) -> None:
        try:
            event = event_of(parse_json(message.payload))
        except PayloadFault as fault:
            self.refuse(message, fault.text)
            return
        for reader in self._by_name.get(event["deviceName"], ()):
            reader.take(event, message)

    def refuse(self, message: Message, why: Text) -> None:
        """Whose event it was is not known: those are told whose name the topic has, else all."""
        levels = set(message.topic.split("/"))
        named = [reader for reader in self.readers if reader.name in levels]
        for reader in named or self.readers:
            reader.trouble.say(why)
