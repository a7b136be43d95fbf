"""Messages on plain topics: JSON by path, or a value alone, into rows of the devices that read them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.model import quality as q
from app.model.station import Point
from app.model.text import Text
from drivers.json_path import MISSING, Path, find
from drivers.mqtt import moments
from drivers.mqtt.address import Format, Retained, Source
from drivers.mqtt.documents import PayloadFault, number, parse_json, parse_plain, text
from drivers.mqtt.rows import Message, Rows
from drivers.mqtt.troubles import Trouble


@dataclass(slots=True)
class Spot:
    """Where one point is in a payload."""

    path: Path
    slot: int
    """Its place in the device's rows; -1 for a text."""
    point: Point
    words: Mapping[str, float]
    trouble: Trouble


@dataclass(slots=True)
class _Group:
    """Spots whose time and quality stand in the same places."""

    source: Source
    spots: list[Spot]


class TopicReader:
    """One device's points on one topic."""

    def __init__(
        self, rows: Rows, topic: str, points: Sequence[tuple[Point, int, Source, Mapping[str, float]]]
    ) -> None:
        self._rows = rows
        self._seen_live = False
        self.trouble = Trouble(rows.device, Text.of(topic), [point.name for point, *_ in points])
        groups: dict[Any, _Group] = {}
        for point, slot, source, words in points:
            how = (source.time, source.time_unit_ns, source.quality, repr(source.good), source.retained, source.format)
            group = groups.setdefault(how, _Group(source, []))
            trouble = Trouble(rows.device, Text.of(f"{topic} {_shown(source.path)}"), [point.name])
            group.spots.append(Spot(source.path, slot, point, words, trouble))
        self._groups = tuple(groups.values())

    @property
    def troubles(self) -> list[Trouble]:
        """Those of single points first: what is wrong with the whole is said over them."""
        return [*(spot.trouble for group in self._groups for spot in group.spots), self.trouble]

    def begin(self) -> None:
        """A connection is new: what the broker kept may come before what is live."""
        self._seen_live = False

    def take(self, message: Message, document: Callable[[Format], Any]) -> None:
        """Add what the message says. `document` parses its payload once for all readers; it raises PayloadFault."""
        if message.retained and self._seen_live:
            return  # older than what came after it was kept
        self._seen_live = not message.retained
        for group in self._groups:
            if message.retained and group.source.retained is Retained.IGNORE:
                continue
            try:
                self._take(group, message, document(group.source.format))
            except PayloadFault as fault:
                self.refuse(fault.text, message, [group])
                return
        self.trouble.over()
        if not message.retained:
            self._rows.hear()

    def refuse(self, why: Text, message: Message, groups: Sequence[_Group] | None = None) -> None:
        """The payload says nothing: what its points are now is not known."""
        self.trouble.say(why)
        for group in self._groups if groups is None else groups:
            for spot in group.spots:
                if spot.slot >= 0:
                    self._rows.add(spot.slot, math.nan, q.IV, message.received)

    def _take(self, group: _Group, message: Message, document: Any) -> None:
        source = group.source
        time, quality = message.received, 0
        if source.time is not None:
            time, quality = moments.judged(moments.moment_ns(find(document, source.time), source.time_unit_ns), time)
        if message.retained and source.retained is Retained.OLD:
            quality |= q.NT if source.time is not None else q.NT | q.CLOCK
        if source.quality is not None and not is_good(find(document, source.quality), source.good):
            quality |= q.IV
        rows = self._rows
        for spot in group.spots:
            raw = find(document, spot.path) if spot.path else document
            if raw is MISSING:
                continue  # payloads with only what changed are usual
            take(rows, spot, raw, quality, time)


def take(rows: Rows, spot: Spot, raw: Any, quality: int, time: int) -> None:
    """Add one value as it stood in a document; one of a wrong type is NaN with IV, and remarked."""
    if spot.slot < 0:
        rows.texts[spot.point.id] = text(raw)
        return
    try:
        value = number(raw, spot.words)
    except PayloadFault as fault:
        spot.trouble.say(fault.text)
        rows.add(spot.slot, math.nan, quality | q.IV, time)
        return
    if spot.trouble.count:
        spot.trouble.over()
    rows.add(spot.slot, value, quality, time)


def is_good(raw: Any, good: Sequence[Any]) -> bool:
    """Whether a payload's word of quality is one of the good ones; texts in any case, and 1 is not true."""
    return any(
        raw.lower() == one.lower()
        if isinstance(raw, str) and isinstance(one, str)
        else type(raw) is type(one) and raw == one
        for one in good
    )


class TopicRoute:
    """A topic, and all who read it."""

    def __init__(self, readers: Sequence[TopicReader]) -> None:
        self.readers = tuple(readers)

    def take(self, message: Message) -> None:
        parsed: dict[Format, Any] = {}

        def document(how: Format) -> Any:
            if how not in parsed:
                parsed[how] = _PARSERS[how](message.payload)
            return parsed[how]

        for reader in self.readers:
            reader.take(message, document)

    def refuse(self, message: Message, why: Text) -> None:
        for reader in self.readers:
            reader.refuse(why, message)


_PARSERS: Final[dict[Format, Callable[[bytes], Any]]] = {Format.JSON: parse_json, Format.PLAIN: parse_plain}


def words_of(point: Point, declared: Mapping[str, float] | None) -> dict[str, float]:
    """Texts that stand for numbers: as declared, and the names of a status's states in both languages."""
    words: dict[str, float] = {}
    for state, name in (point.form.states or {}).items():
        for word in (name.en, name.zh):
            words |= {word: float(state), word.lower(): float(state)}
    return words | dict(declared or {}) | {word.lower(): value for word, value in (declared or {}).items()}


def _shown(path: Path) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
