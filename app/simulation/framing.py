"""Requests out of a stream of bytes, frames around answers: Modbus TCP, and RTU frames within TCP. Server's side."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came."""

    unit: int
    transaction: int
    """0 where the framing has none."""
    pdu: bytes


class Framing(ABC):
    """How PDUs travel."""

    silent: bool
    """Whether a request for a unit that is not there stays unanswered, as on a serial line."""

    @abstractmethod
    def cut(self, buffer: bytearray) -> Request | None:
        """Take the first request off the buffer; None where more must come. Raises ValueError at nonsense."""

    @abstractmethod
    def frame(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        """The bytes of an answer."""


class TcpFraming(Framing):
    """MBAP: transaction, protocol 0, length, unit."""

    silent = False
    _HEAD: Final = struct.Struct(">HHHB")

    def cut(self, buffer: bytearray) -> Request | None:
        if len(buffer) < 8:
            return None
        transaction, protocol, length, unit = self._HEAD.unpack_from(buffer)
        if protocol != 0 or not 2 <= length <= 254:
            raise ValueError("not a Modbus TCP header")
        if len(buffer) < 6 + length:
            return None
        pdu = bytes(buffer[7 : 6 + length])
        del buffer[: 6 + length]
        return Request(unit, transaction, pdu)

    def frame(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        return self._HEAD.pack(transaction, 0, len(pdu) + 1, unit) + pdu


class RtuFraming(Framing):
    """Unit, PDU, checksum; the function tells how long a request is."""

    silent = True

    def cut(self, buffer: bytearray) -> Request | None:
        while len(buffer) >= 2:
            size = self._size(buffer)
            if size is None or (size and len(buffer) < size):
                return None
            if size and crc16(buffer[: size - 2]) == buffer[size - 2] | buffer[size - 1] << 8:
                frame = bytes(buffer[:size])
                del buffer[:size]
                return Request(frame[0], 0, frame[1:-2])
            del buffer[0]
        return None

    def frame(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        body = bytes((unit,)) + pdu
        return body + crc16(body).to_bytes(2, "little")

    @staticmethod
    def _size(buffer: bytearray) -> int | None:
        """Bytes of the request that begins here: None before that can be told, 0 where none begins."""
        if 1 <= buffer[1] <= 6:
            return 8
        if buffer[1] in (15, 16):
            return 9 + buffer[6] if len(buffer) > 6 else None
        return 0


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        rest = byte
        for _ in range(8):
            rest = rest >> 1 ^ (0xA001 if rest & 1 else 0)
        table.append(rest)
    return tuple(table)


_CRC: Final = _crc_table()


def crc16(data: bytes | bytearray) -> int:
    """The checksum of Modbus RTU; on the wire its low byte comes first."""
    rest = 0xFFFF
    for byte in data:
        rest = rest >> 8 ^ _CRC[(rest ^ byte) & 0xFF]
    return rest
