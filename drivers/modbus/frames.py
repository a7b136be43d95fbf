"""Frames around a Modbus PDU: the MBAP header of Modbus TCP, and the checksum of RTU. Pure; bytes in, bytes out.

CRC and RTU frames are built by pymodbus' framer. Taking frames apart is done here, because that framer throws away
whatever follows a frame in the same segment, and waits for ever behind a header that is none: after a late answer both
are the usual case, not the exception.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

from pymodbus.framer.rtu import FramerRTU
from pymodbus.pdu import DecodePDU

from app.model.errors import ProtocolError
from app.model.text import Text


@dataclass(frozen=True, slots=True)
class Frame:
    """One answer as it came."""

    unit: int
    transaction: int
    """0 where the framing has none."""
    pdu: bytes
    """Function and data."""


class Framing(ABC):
    """How PDUs travel."""

    overhead: int
    """Bytes that a frame adds to a PDU."""
    numbered: bool
    """Whether an answer says which request it belongs to."""

    @abstractmethod
    def build(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        """The frame that carries `pdu`."""

    @abstractmethod
    def cut(self, data: bytes) -> tuple[int, Frame | None]:
        """The first answer in `data`, and how many bytes are done with: (n, None) where more must come.

        Raises ProtocolError where nothing that follows can be understood any more.
        """


class Mbap(Framing):
    """Modbus TCP."""

    overhead = 7
    numbered = True
    _HEAD: Final = struct.Struct(">HHHB")

    def build(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        return self._HEAD.pack(transaction, 0, len(pdu) + 1, unit) + pdu

    def cut(self, data: bytes) -> tuple[int, Frame | None]:
        if len(data) < self._HEAD.size:
            return 0, None
        transaction, protocol, length, unit = self._HEAD.unpack_from(data)
        if protocol or not 3 <= length <= 254:
            seen = data[:12].hex(" ")
            raise ProtocolError(Text(f"no Modbus TCP header ({seen})", f"没有 Modbus TCP 报文头（{seen}）"))
        end = 6 + length
        if len(data) < end:
            return 0, None
        return end, Frame(unit, transaction, data[7:end])


class Rtu(Framing):
    """RTU frames, on a serial line or within TCP."""

    overhead = 3
    numbered = False
    _READS: Final = (1, 2, 3, 4)
    _WRITES: Final = (5, 6, 15, 16)

    def __init__(self) -> None:
        self._framer = FramerRTU(DecodePDU(False))

    def build(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        return self._framer.encode(pdu, unit, transaction)

    def cut(self, data: bytes) -> tuple[int, Frame | None]:
        """Bytes that cannot begin a frame, or end in a wrong checksum, are stepped over one at a time."""
        for start in range(len(data)):
            size = self._size(data, start)
            if size is None or start + size > len(data):
                return start, None
            if size and self._sound(data[start : start + size]):
                end = start + size
                return end, Frame(data[start], 0, data[start + 1 : end - 2])
        return len(data), None

    def _size(self, data: bytes, start: int) -> int | None:
        """Bytes of the frame that may begin here: None before that can be told, 0 where none does."""
        if start + 3 > len(data):
            return None
        function = data[start + 1]
        if function in self._READS:
            return 5 + data[start + 2]
        if function in self._WRITES:
            return 8
        return 5 if function - 0x80 in (*self._READS, *self._WRITES) else 0

    def _sound(self, frame: bytes) -> bool:
        return self._framer.check_CRC(frame[:-2], frame[-2] << 8 | frame[-1])
