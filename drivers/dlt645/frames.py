"""Frames of DL/T 645-2007 (clause 5.2): bytes in, bytes out.

    FE FE FE FE  68 A0 … A5 68  C L  DATA  CS 16

A0 to A5 is the meter's address in BCD, its last two digits first. Every byte of DATA travels with 33H added. CS is the
sum of everything from the first 68 up to it, modulo 256.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

START: Final = 0x68
END: Final = 0x16
PREAMBLE: Final = b"\xfe\xfe\xfe\xfe"
"""Wakes the meter's receiver. Meters send none to four of them, and they belong to no frame."""
WILDCARD: Final = bytes([0xAA] * 6)
"""The address to which any meter answers."""

READ: Final = 0x11
READ_FOLLOWING: Final = 0x12
READ_ADDRESS: Final = 0x13
FROM_METER: Final = 0x80
REFUSED: Final = 0x40
MORE: Final = 0x20
"""Bits of the control code: from the meter, refused, more frames follow (5.2.3)."""
FUNCTION: Final = 0x1F

_HEAD: Final = 10
_AROUND: Final = 12
"""Bytes of a frame without data."""
_OFFSET: Final = 0x33
LONGEST_DATA: Final = 255
"""What L can say. The standard allows 200 for reading; extensions of it use more."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `data` is without the 33H."""

    address: bytes
    """Six bytes as on the wire, the last digits first."""
    control: int
    data: bytes

    @property
    def function(self) -> int:
        return self.control & FUNCTION

    @property
    def from_meter(self) -> bool:
        return bool(self.control & FROM_METER)

    @property
    def refused(self) -> bool:
        return bool(self.control & REFUSED)

    @property
    def more(self) -> bool:
        return bool(self.control & MORE)


def build(frame: Frame, preamble: bytes = PREAMBLE) -> bytes:
    """The bytes of a frame. Raises ValueError where the address is not six bytes or the data too long."""
    if len(frame.address) != 6 or len(frame.data) > LONGEST_DATA:
        raise ValueError(f"no frame can carry address {frame.address.hex()} and {len(frame.data)} bytes")
    shifted = bytes((byte + _OFFSET) & 0xFF for byte in frame.data)
    body = bytes([START, *frame.address, START, frame.control, len(shifted)]) + shifted
    return preamble + body + bytes([sum(body) & 0xFF, END])


def cut(data: bytes) -> tuple[int, Frame | None]:
    """The first whole frame in `data`, and how many bytes are done with: (n, None) where more must come.

    Whatever stands before a frame is stepped over: preamble, noise, and what looked like the beginning of one.
    """
    unfinished = len(data)
    start = data.find(START)
    while start >= 0:
        size = _size(data, start)
        if size is None or start + size > len(data):
            unfinished = min(unfinished, start)
        elif size and _sound(data[start : start + size]):
            return start + size, _frame(data[start : start + size])
        start = data.find(START, start + 1)
    return unfinished, None


def _size(data: bytes, start: int) -> int | None:
    """Bytes of the frame that may begin here: None before that can be told, 0 where none does."""
    if start + 7 < len(data) and data[start + 7] != START:
        return 0
    if start + _HEAD > len(data):
        return None
    return _AROUND + data[start + 9]


def _sound(frame: bytes) -> bool:
    return frame[-1] == END and sum(frame[:-2]) & 0xFF == frame[-2]


def _frame(frame: bytes) -> Frame:
    data = bytes((byte - _OFFSET) & 0xFF for byte in frame[_HEAD:-2])
    return Frame(frame[1:7], frame[8], data)


def address_bytes(digits: str) -> bytes:
    """Twelve digits as they travel. Raises ValueError where they are not."""
    if len(digits) != 12 or not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"'{digits}' is not an address of twelve digits")
    return bytes.fromhex(digits)[::-1]


def address_digits(address: bytes) -> str:
    """The twelve digits of an address from the wire."""
    return address[::-1].hex()
