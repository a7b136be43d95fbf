"""From addresses to points: what comes from a station, sorted to devices, as batches in the points' units. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.model import quality as q
from app.model.station import Device, Point
from app.model.text import Text
from app.model.updates import Updates
from drivers.iec104.address import Address
from drivers.iec104.asdu import Columns
from drivers.iec104.clock import StationClock
from drivers.iec104.typeids import MONITORED_BY_TYPE, named

MOST_STRANGERS: Final = 1000
"""Addresses that nobody asked for, remembered for a line."""
_PLAIN: Final = np.zeros(256, np.uint8)
for _type, _kind in MONITORED_BY_TYPE.items():
    _PLAIN[_type] = _kind.plain


def key_of(ca: int, ioa: int) -> int:
    """Common and object address as one number."""
    return ca << 24 | ioa


@dataclass
class Strangers:
    """What came that no point of the line is for: counted, and the first addresses remembered."""

    count: int = 0
    first: dict[tuple[int, int], str] = field(default_factory=dict)
    """(common address, object address) -> the type that came."""


class Lookup:
    """All monitored points of one line."""

    def __init__(self, devices: Sequence[Device], clock: StationClock) -> None:
        """Addresses have been judged, and no two points have the same."""
        rows = [
            (key_of(address.ca or device.connection["ca"], address.ioa), number, point, address)
            for number, device in enumerate(devices)
            for point, address in monitored(device)
        ]
        rows.sort(key=lambda row: row[0])
        self.strangers = Strangers()
        self.mismatched: dict[str, Text] = {}
        """Full name of a point whose type is another one in the field -> what to say of it."""
        self._clock = clock
        self._names = [point.name for _, _, point, _ in rows]
        self._keys = np.array([key for key, _, _, _ in rows], np.int64)
        self._device = np.array([number for _, number, _, _ in rows], np.int32)
        self._point = np.array([point.index for _, _, point, _ in rows], np.int32)
        self._type = np.array([address.type for _, _, _, address in rows], np.uint8)
        self._scale = np.array([point.form.scale for _, _, point, _ in rows], np.float64)
        self._offset = np.array([point.form.offset for _, _, point, _ in rows], np.float64)

    def take(self, columns: Columns, received_ns: int) -> list[tuple[int, Updates]]:
        """(place of the device, what is new of it), in the order in which it came."""
        place, known = self._places(columns)
        if not known.any():
            return []
        whole = bool(known.all())
        place = place if whole else place[known]
        device, kept = self._device[place], np.flatnonzero(known)
        first = int(device[0])
        if bool((device == first).all()):
            return [(first, self._updates(columns, place, None if whole else kept, received_ns))]
        return [
            (int(one), self._updates(columns, place[device == one], kept[device == one], received_ns))
            for one in np.unique(device)
        ]

    def _places(self, columns: Columns) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Of each row the place of its point, and whether it has one."""
        keys = columns.ca.astype(np.int64) << 24 | columns.ioa
        if not len(self._keys):
            known = np.zeros(len(keys), np.bool_)
            self._note_strangers(columns, known)
            return np.zeros(len(keys), np.intp), known
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        known = self._keys[place] == keys
        if not known.all():
            self._note_strangers(columns, known)
        fits = _PLAIN[columns.type] == self._type[place]
        wrong = known & ~fits
        if wrong.any():
            self._note_mismatches(columns.type[wrong], place[wrong])
        return place, known & fits

    def _updates(
        self, columns: Columns, place: NDArray[np.intp], rows: NDArray[np.intp] | None, received_ns: int
    ) -> Updates:
        value = columns.value if rows is None else columns.value[rows]
        quality = columns.quality if rows is None else columns.quality[rows]
        octets = columns.time if rows is None else columns.time[rows]
        time, doubtful = self._clock.read(octets, received_ns)
        if doubtful.any():
            quality = quality | np.where(doubtful, q.CLOCK, 0).astype(np.uint16)
        value = value * self._scale[place] + self._offset[place]
        return Updates(self._point[place], value, quality, time, received_ns)

    def _note_strangers(self, columns: Columns, known: NDArray[np.bool_]) -> None:
        rows = np.flatnonzero(~known)
        self.strangers.count += len(rows)
        room = MOST_STRANGERS - len(self.strangers.first)
        for row in rows[:room] if room > 0 else ():
            where = int(columns.ca[row]), int(columns.ioa[row])
            self.strangers.first.setdefault(where, named(int(columns.type[row])))

    def _note_mismatches(self, types: NDArray[np.uint8], place: NDArray[np.intp]) -> None:
        for at, type_ in {int(at): int(type_) for at, type_ in zip(place, types, strict=True)}.items():
            sent, declared = named(type_), named(int(self._type[at]))
            self.mismatched[self._names[at]] = Text(
                f"the station sends it as type {sent}, not as {declared}; correct `type`",
                f"子站以类型标识 {sent} 上送，而非 {declared}；请修改 type",
            )


def monitored(device: Device) -> list[tuple[Point, Address]]:
    """The points of a device that its station sends."""
    found = [(point, Address.of(point.form.address)) for point in device.points if point.form.address is not None]
    return [(point, address) for point, address in found if address.monitored]
