"""A prepared read of one device: one request where the device can, as many as it needs where it cannot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.model import quality as q
from app.model.clock import SECOND_NS
from app.model.station import Point
from app.model.text import Text
from app.model.updates import Updates
from drivers.bacnet.address import RELIABILITY, STATUS_FLAGS, Address
from drivers.bacnet.connection import Peer
from drivers.bacnet.reading import Answer, Encoded, Reference, as_number, read_many, read_one
from drivers.bacnet.values import OUT_OF_RANGE, flags_quality
from drivers.bacnet.wire import Denied, Wire
from drivers.bacnet.words import reliability
from drivers.contract import Plan

MOST_AT_ONCE: Final = 40
"""Properties in one request: decoding their answer takes the loop's thread a few milliseconds, and not more."""
AFRESH_NS: Final = 600 * SECOND_NS
"""How often a device that could not answer a request whole is asked whole again."""
_UNSAID: Final = Text("the device does not say which", "设备未说明原因")


@dataclass(frozen=True, slots=True)
class Item:
    """One point of a plan."""

    row: int
    address: Address

    @property
    def flags(self) -> Reference:
        return (*self.address.object_id, STATUS_FLAGS, None)

    @property
    def reliability(self) -> Reference:
        return (*self.address.object_id, RELIABILITY, None)

    def references(self, *, faulty: bool = False) -> list[Reference]:
        """The value, its status flags where there are some, and where it is faulty the reason."""
        found: list[Reference] = [self.address.reference]
        if self.address.flagged:
            found.append(self.flags)
        if faulty:
            found.append(self.reliability)
        return found


class BacnetPlan(Plan):
    """What is read of one device for one set of points.

    A request that the device cannot answer as a whole (too long, an object that it has not) is halved and stays
    halved; what is left alone is asked for by ReadProperty.
    """

    def __init__(self, peer: Peer, points: Sequence[Point]) -> None:
        self.peer = peer
        self.names = tuple(point.name for point in points)
        items = [Item(row, Address.of(point.form.address or {})) for row, point in enumerate(points)]
        items.sort(key=lambda item: item.address.object_id)
        self._whole = _chunks(items)
        self._chunks = list(self._whole)
        self._multiple = True
        """Whether the device knows ReadPropertyMultiple, as far as we know."""
        self._afresh_ns = 0
        self._faulty: set[int] = set()
        """Rows with the flag fault, whose reliability is asked for as well."""
        self.remarks: dict[str, Text] = {}
        self._point = np.array([point.index for point in points], np.int32)
        self._scale = np.array([point.form.scale for point in points])
        self._offset = np.array([point.form.offset for point in points])

    def start_afresh(self) -> None:
        """Forget what the device could not do: it may be another one now."""
        self._chunks = list(self._whole)
        self._multiple = True
        self._faulty.clear()

    async def read(self, wire: Wire, now_ns: int, monotonic_ns: int) -> Updates:
        """Every point once. Raises TransportError, ProtocolError, RefusedByDevice."""
        if monotonic_ns >= self._afresh_ns:
            self.start_afresh()
            self._afresh_ns = monotonic_ns + AFRESH_NS
        try:
            answers = await self._answers(wire)
            await self._explain(wire, answers)
        except Denied as denied:
            raise denied.by_device(self.peer) from None
        return self._updates(answers, now_ns)

    async def texts(self, wire: Wire) -> dict[int, str]:
        """Row -> text, of everything that has one."""
        try:
            answers = await self._answers(wire)
        except Denied as denied:
            raise denied.by_device(self.peer) from None
        found = ((item.row, answers[item.address.reference]) for item in self._items())
        return {row: ", ".join(one.text() for one in answer) for row, answer in found if not isinstance(answer, Denied)}

    def _items(self) -> Iterable[Item]:
        return (item for chunk in self._whole for item in chunk)

    # --------------------------------------------------------------------------------------------------- the requests

    async def _answers(self, wire: Wire) -> dict[Reference, Answer]:
        found: dict[Reference, Answer] = {}
        place = 0
        while place < len(self._chunks):
            chunk = self._chunks[place]
            wanted = list(
                dict.fromkeys(one for item in chunk for one in item.references(faulty=item.row in self._faulty))
            )
            if not self._multiple or len(chunk) == 1:
                for reference in wanted:
                    found[reference] = await read_one(wire, self.peer, reference)
                place += 1
                continue
            try:
                found |= await read_many(wire, self.peer, wanted)
                place += 1
            except Denied as denied:
                if denied.of_device:
                    raise
                if denied.unknown_service:
                    self._multiple = False
                else:
                    half = len(chunk) // 2
                    self._chunks[place : place + 1] = [chunk[:half], chunk[half:]]
        for answer in found.values():
            if isinstance(answer, Denied) and answer.of_device:
                raise answer
        return found

    async def _explain(self, wire: Wire, answers: dict[Reference, Answer]) -> None:
        """Ask for the reliability of what has become faulty; from the next poll on it is asked for with the rest."""
        faulty = [item for item in self._items() if _flags(item, answers) & q.IV]
        self._faulty = {item.row for item in faulty}
        for item in faulty:
            if item.reliability not in answers:
                answers[item.reliability] = await read_one(wire, self.peer, item.reliability)

    # ----------------------------------------------------------------------------------------------------- the values

    def _updates(self, answers: dict[Reference, Answer], now_ns: int) -> Updates:
        value = np.full(len(self._point), np.nan)
        quality = np.zeros(len(self._point), np.uint16)
        remarks: dict[str, Text] = {}
        for item in self._items():
            row = item.row
            value[row], why = as_number(answers[item.address.reference])
            quality[row] = _flags(item, answers)
            if row in self._faulty:
                reason, unknown = as_number(answers[item.reliability])
                quality[row] |= q.OV if reason in OUT_OF_RANGE else 0
                said = _UNSAID if unknown else reliability(int(reason))
                why = why or Text(f"fault: {said.en}", f"故障：{said.zh}")
            if why:
                quality[row] |= q.IV
                remarks[self.names[row]] = why
        with np.errstate(over="ignore", invalid="ignore"):
            value = value * self._scale + self._offset
        beyond = ~np.isfinite(value)
        value[beyond] = np.nan
        quality[beyond] |= q.IV
        self.remarks = remarks
        return Updates(self._point, value, quality, np.full(len(value), now_ns, np.int64), now_ns)


def _flags(item: Item, answers: dict[Reference, Answer]) -> int:
    """Quality by the status flags of an object; good where it has none."""
    answer = answers.get(item.flags) if item.address.flagged else None
    return flags_of(answer) if answer is not None and not isinstance(answer, Denied) else q.GOOD


def flags_of(flags: Sequence[Encoded]) -> int:
    """Quality by status flags."""
    return flags_quality(flags[0].kind, flags[0].data) if len(flags) == 1 else q.IV


def _chunks(items: list[Item]) -> list[list[Item]]:
    """As few requests as may be, none with more than `MOST_AT_ONCE` properties."""
    chunks: list[list[Item]] = []
    room = 0
    for item in items:
        room -= len(item.references())
        if room < 0:
            chunks.append([])
            room = MOST_AT_ONCE - len(item.references())
        chunks[-1].append(item)
    return chunks
