"""Requests out of a stream of bytes, frames around answers: Modbus TCP, RTU and DL/T 645 in TCP. Server's side."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

from drivers.dlt645 import frames as dlt645


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

    def refusal(self, request: Request, code: int) -> bytes:
        """The PDU that refuses a request."""
        return bytes((request.pdu[0] | 0x80, code))


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


ANY_METER: Final = -1
"""The unit that a DL/T 645 request means which is for any meter."""


class Dlt645Framing(Framing):
    """DL/T 645: the unit is the meter's address as a number, the PDU the control code and the data."""

    silent = True

    def cut(self, buffer: bytearray) -> Request | None:
        done, frame = dlt645.cut(bytes(buffer))
        del buffer[:done]
        if frame is None:
            return None
        return Request(_address_number(frame.address), 0, bytes((frame.control,)) + frame.data)

    def frame(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        return dlt645.build(dlt645.Frame(dlt645.address_bytes(f"{unit:012d}"), pdu[0], pdu[1:]))

    def refusal(self, request: Request, code: int) -> bytes:
        return bytes((request.pdu[0] | dlt645.FROM_METER | dlt645.REFUSED, code))


def _address_number(address: bytes) -> int:
    digits = dlt645.address_digits(address)
    return int(digits) if digits.isdecimal() else ANY_METER


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
