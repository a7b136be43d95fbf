"""One DL/T 645 meter as its peers see it: control code and data in, control code and data out. No I/O.

Its values stand in registers of the panel, a number each; here they become BCD.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from app.model.config import PointKind
from app.model.station import Point
from app.simulation.registers import DeviceRegisters
from drivers.dlt645 import frames
from drivers.dlt645.address import Address
from drivers.dlt645.values import Format, Type, encode
from drivers.modbus.address import Address as Place

_log: Final = logging.getLogger("gridroom.simulation")
UNKNOWN_ITEM: Final = 0x02
"""The error word for an identifier that the meter has not (DL/T 645-2007, 7.1.4)."""
_NO_DIGITS: Final = 0xFF
_LONGEST: Final = 200


class Meter:
    """Answers reading of data and of its address; every other request is refused.

    Where a block holds what no point of the station is, it answers FF, as meters do of a phase that they have not.
    """

    def __init__(self, digits: str, registers: DeviceRegisters, points: Iterable[tuple[Point, Address, Place]]) -> None:
        self._address = frames.address_bytes(digits)
        self._digits = digits
        self._registers = registers
        self._told: set[str] = set()
        self._items: dict[int, list[tuple[Point, Address, Place]]] = {}
        for point, address, place in points:
            for di, start in ((address.di, address.start), *(((address.single, 0),) if address.single else ())):
                moved = Address(di, start, address.format, address.longest)
                self._items.setdefault(di, []).append((point, moved, place))

    def answer(self, pdu: bytes) -> bytes:
        """Control code and data of the answer; a refusal is an answer too."""
        control = pdu[0] | frames.FROM_METER
        if pdu[0] == frames.READ_ADDRESS:
            return bytes((control,)) + self._address
        held = self._items.get(int.from_bytes(pdu[1:5], "little")) if pdu[0] == frames.READ else None
        if held is None:
            return bytes((control | frames.REFUSED, UNKNOWN_ITEM))
        data = bytearray([_NO_DIGITS] * min(max(address.end for _, address, _ in held), _LONGEST))
        for point, address, place in held:
            data[address.start : address.end] = self._bytes(point, address.format, place)
        return bytes((control,)) + pdu[1:5] + data[:_LONGEST]

    def _bytes(self, point: Point, form: Format, place: Place) -> bytes:
        if point.kind is PointKind.TEXT:
            return bytes.fromhex(self._digits.zfill(form.digits)[-form.digits :])[::-1]
        raw = self._registers.raw(place)
        if form.type is Type.BINARY:
            return encode(max(0.0, raw), form)
        most = (10**form.digits // 10 * (8 if form.signed else 10) - 1) / 10**form.decimals
        if not -most - 1 < raw < most + 1 and point.name not in self._told:
            self._told.add(point.name)
            _log.warning(
                "%s: %g does not fit the %d digits of its meter and shows the nearest that does; behind transformers, "
                "give the point their ratio as scale",
                point.name, raw, form.digits,
            )  # fmt: skip
        return encode(min(max(raw, -most if form.signed else 0.0), most), form)
