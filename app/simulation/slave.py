"""One Modbus device as its peers see it: a request's PDU in, the answer's PDU out. No I/O."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

import numpy as np

from app.model.station import Point
from app.simulation.registers import DeviceRegisters, Span
from drivers.modbus.address import Table

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3
_READS: Final = {1: Table.COIL, 2: Table.DISCRETE, 3: Table.HOLDING, 4: Table.INPUT}
_WRITES: Final = {5: Table.COIL, 6: Table.HOLDING, 15: Table.COIL, 16: Table.HOLDING}
_MOST: Final = {1: 2000, 2: 2000, 3: 125, 4: 125, 15: 1968, 16: 123}

Written = Callable[[str, list[tuple[Point, float]]], None]
"""Told which points of which device were written, with their raw values."""


class Slave:
    """Answers functions 1 to 6, 15 and 16 from a device's registers.

    What lies between mapped registers answers 0, as most devices do; what lies outside them, or in a forbidden range,
    is refused with exception 2, and so is a write to what only can be read.
    """

    def __init__(self, registers: DeviceRegisters, written: Written) -> None:
        self._registers = registers
        self._written = written

    def answer(self, pdu: bytes) -> bytes:
        """The answer's PDU; a refusal is an answer too."""
        function = pdu[0] if pdu else 0
        try:
            if function in _READS and len(pdu) == 5:
                return self._read(function, *struct.unpack(">HH", pdu[1:]))
            if function in (5, 6) and len(pdu) == 5:
                return self._write_one(function, pdu)
            if function in (15, 16) and len(pdu) > 6 and len(pdu) == 6 + pdu[5]:
                return self._write_many(function, pdu)
        except _Refused as refused:
            return bytes((function | 0x80, refused.code))
        known = function in _READS or function in _WRITES
        return bytes((function | 0x80, ILLEGAL_VALUE if known else ILLEGAL_FUNCTION))

    def _span(self, table: Table, first: int, count: int, function: int) -> Span:
        if not 1 <= count <= _MOST.get(function, 1):
            raise _Refused(ILLEGAL_VALUE)
        span = self._registers.spans.get(table)
        if span is None or not span.holds(first, count):
            raise _Refused(ILLEGAL_ADDRESS)
        return span

    def _read(self, function: int, first: int, count: int) -> bytes:
        table = _READS[function]
        cells = self._span(table, first, count, function).read(first, count)
        data = np.packbits(cells, bitorder="little").tobytes() if table.of_bits else cells.tobytes()
        return bytes((function, len(data))) + data

    def _write_one(self, function: int, pdu: bytes) -> bytes:
        first, value = struct.unpack(">HH", pdu[1:])
        table = _WRITES[function]
        if table.of_bits and value not in (0, 0xFF00):
            raise _Refused(ILLEGAL_VALUE)
        self._take(table, first, [int(value != 0) if table.of_bits else value], function)
        return pdu

    def _write_many(self, function: int, pdu: bytes) -> bytes:
        first, count, size = struct.unpack(">HHB", pdu[1:6])
        table = _WRITES[function]
        if size != ((count + 7) // 8 if table.of_bits else 2 * count):
            raise _Refused(ILLEGAL_VALUE)
        if table.of_bits:
            bits = np.unpackbits(np.frombuffer(pdu[6:], dtype=np.uint8), count=count, bitorder="little")
            cells = [int(bit) for bit in bits]
        else:
            cells = list(struct.unpack(f">{count}H", pdu[6:]))
        self._take(table, first, cells, function)
        return pdu[:5]

    def _take(self, table: Table, first: int, cells: list[int], function: int) -> None:
        self._span(table, first, len(cells), function)
        if not self._registers.writable(table, first, len(cells)):
            raise _Refused(ILLEGAL_ADDRESS)
        self._written(self._registers.device.id, self._registers.write(table, first, cells))


class _Refused(Exception):
    """The request is answered with an exception code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code
