"""The data of an item as a number or a text (DL/T 645-2007, annex A: numbers are BCD, the lowest byte first). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Type(StrEnum):
    """How bytes make a value."""

    BCD = "bcd"
    """Two digits a byte. With a sign, the highest bit of all: 1 is negative."""
    BINARY = "binary"
    """A word of bits, as status words are."""
    TIME = "time"
    """YYMMDDhhmm, or with `ss`, in BCD and the meter's own time."""


@dataclass(frozen=True, slots=True)
class Format:
    """One value as the standard writes it: XXXX.XX is six digits, two of them decimals."""

    digits: int
    """Of the whole value; a byte holds two, of `binary` as well."""
    decimals: int = 0
    signed: bool = False
    type: Type = Type.BCD

    @property
    def size(self) -> int:
        """Bytes."""
        return self.digits // 2


TIME: Final = Format(10, type=Type.TIME)
"""YYMMDDhhmm."""


def number(data: bytes, form: Format) -> float | None:
    """The value of `form.size` bytes; None where they hold none (digits above 9, as FF for a phase that is not there).

    A time is the number that its digits make: 2405011345.
    """
    if len(data) != form.size:
        return None
    if form.type is Type.BINARY:
        return float(int.from_bytes(data, "little"))
    negative = form.signed and bool(data[-1] & 0x80)
    if negative:
        data = data[:-1] + bytes([data[-1] & 0x7F])
    digits = _digits(data)
    if digits is None:
        return None
    value = int(digits) / float(10**form.decimals)
    return -value if negative else value


def text(data: bytes, form: Format) -> str:
    """The value as a person reads it; empty where there is none."""
    if len(data) != form.size:
        return ""
    if form.type is Type.BINARY:
        return data[::-1].hex().upper()
    if form.type is Type.TIME:
        return _time(_digits(data) or "")
    if not form.decimals and not form.signed:
        return _digits(data) or ""  # a number of a meter keeps its zeros
    value = number(data, form)
    return "" if value is None else f"{value:.{form.decimals}f}"


def encode(value: float, form: Format) -> bytes:
    """The bytes of a value: what a simulated meter answers. Raises ValueError where it does not fit."""
    if form.type is Type.BINARY:
        return int(value).to_bytes(form.size, "little")
    whole = round(abs(value) * 10**form.decimals)
    negative = value < 0 and whole > 0
    limit = 10**form.digits // 10 * 8 if form.signed else 10**form.digits
    if whole >= limit or (negative and not form.signed):
        raise ValueError(f"{value:g} does not fit into {form.digits} digits with {form.decimals} decimals")
    data = bytearray(bytes.fromhex(f"{whole:0{form.digits}d}")[::-1])
    if negative:
        data[-1] |= 0x80
    return bytes(data)


def _digits(data: bytes) -> str | None:
    digits = data[::-1].hex()
    return digits if digits.isdigit() else None


def _time(digits: str) -> str:
    if not digits or not digits.strip("0"):
        return ""  # nothing has happened yet
    parts = [digits[i : i + 2] for i in range(0, len(digits), 2)]
    return f"20{parts[0]}-{parts[1]}-{parts[2]} {':'.join(parts[3:])}"
