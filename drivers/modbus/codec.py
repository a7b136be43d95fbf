"""Registers to values and back, as pure functions: what the driver reads with and the simulator serves with.

`raw` is what the device means by its registers, before the point's `scale` and `offset`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from drivers.modbus.address import Address, Type

_FORMS: Final[dict[Type, np.dtype[Any]]] = {
    Type.U16: np.dtype(">u2"), Type.I16: np.dtype(">i2"), Type.U32: np.dtype(">u4"), Type.I32: np.dtype(">i4"),
    Type.U64: np.dtype(">u8"), Type.I64: np.dtype(">i8"), Type.F32: np.dtype(">f4"), Type.F64: np.dtype(">f8"),
}  # fmt: skip


def limits(address: Address) -> tuple[float, float]:
    """The lowest and highest raw number that the registers can hold. Raises ValueError for a string."""
    if address.type is Type.STRING:
        raise ValueError("a string has no lowest and highest value")
    if address.type is Type.BOOL:
        return 0, 1
    form = _FORMS[address.type]
    if form.kind == "f":
        high = float(np.finfo(form).max)
        return -high, high
    info = np.iinfo(form)
    return int(info.min), int(info.max)


def encode(address: Address, raw: float | str, current: int = 0) -> list[int]:
    """The registers that hold `raw`, in the order of their addresses; of a bit table, one 0 or 1.

    Numbers are rounded to the nearest that an integer type holds. A `bit` is set or cleared within `current`, the
    register's present content. Raises ValueError for what does not fit: too big, NaN, infinite, a text too long.
    """
    if address.type is Type.STRING:
        return _encode_text(address, str(raw))
    if isinstance(raw, str):
        raise ValueError(f"'{raw}' is a text, and {address.type} holds a number")
    if not math.isfinite(raw):
        raise ValueError(f"{raw} is no number to write; {address.type} holds {_span(address)}")
    number = raw if address.type in (Type.F32, Type.F64) else round(raw)
    low, high = limits(address)
    if not low <= number <= high:
        raise ValueError(f"{raw:g} does not fit; {address.type} holds {_span(address)}")
    if address.type is Type.BOOL:
        if address.bit is None:
            return [int(number)]
        mask = 1 << address.bit
        return [current | mask if number else current & ~mask & 0xFFFF]
    words = np.array([number], dtype=_FORMS[address.type]).view(">u2")
    return [int(word) for word in (words if address.word_order == "big" else words[::-1])]


def _span(address: Address) -> str:
    low, high = limits(address)
    return f"{low:.15g} to {high:.15g}"


def _encode_text(address: Address, text: str) -> list[int]:
    size = 2 * address.count
    data = text.encode()
    if len(data) > size:
        raise ValueError(f"'{text}' takes {len(data)} bytes, and {address.count} registers hold {size}")
    return [int(word) for word in np.frombuffer(data.ljust(size, b"\0"), dtype=">u2")]


def decode(address: Address, registers: Sequence[int]) -> float:
    """The raw number in `registers` (as many as `address.count`); not finite where a float says so.

    For one value; `Decoder` is for many. Raises ValueError for a string or a wrong number of registers.
    """
    if address.type is Type.STRING:
        raise ValueError("a string is no number; use decode_text")
    if len(registers) != address.count:
        raise ValueError(f"{address.type} takes {address.count} registers, not {len(registers)}")
    words = np.array(registers, dtype=">u2")
    return float(Decoder([address], [0]).decode(words, words.astype(np.uint8))[0])


def decode_text(registers: Sequence[int] | NDArray[np.uint16]) -> str:
    """The text in `registers`: two characters each, up to the first NUL, outer spaces cut."""
    data = np.asarray(registers, dtype=">u2").tobytes()
    return data.partition(b"\0")[0].decode("utf-8", errors="replace").strip()


@dataclass(frozen=True, slots=True)
class _Group:
    """The values of one type: which rows they are, and the positions of their registers, most significant first."""

    form: np.dtype[Any]
    rows: NDArray[np.intp] | slice
    words: NDArray[np.intp]
    """intp[k, registers]"""


class Decoder:
    """Decodes many values at once. What can be worked out beforehand is worked out here, once.

    `addresses` holds no strings. `at[i]` is the position of the first register of `addresses[i]` among the words that
    `decode` is given, or its position among the bits where its table is one of bits.
    """

    def __init__(self, addresses: Sequence[Address], at: Sequence[int]) -> None:
        if any(address.type is Type.STRING for address in addresses):
            raise ValueError("strings are decoded one by one; use decode_text")
        self._size = len(addresses)
        self._groups = [
            _Group(form, _rows(rows, self._size), np.array([_words(addresses[i], at[i]) for i in rows], dtype=np.intp))
            for type_, form in _FORMS.items()
            if (rows := [i for i, address in enumerate(addresses) if address.type is type_])
        ]
        in_register = [i for i, address in enumerate(addresses) if address.bit is not None]
        self._bit_rows = np.array(in_register, dtype=np.intp)
        self._bit_at = np.array([at[i] for i in in_register], dtype=np.intp)
        self._bit = np.array([addresses[i].bit for i in in_register], dtype=np.uint16)
        single = [i for i, address in enumerate(addresses) if address.table.of_bits]
        self._single_rows = np.array(single, dtype=np.intp)
        self._single_at = np.array([at[i] for i in single], dtype=np.intp)

    def decode(self, words: NDArray[np.uint16], bits: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Raw values float64[n], in the order of `addresses`; not finite where a float register says so.

        words  >u2[any]    registers, big-endian as they came
        bits   uint8[any]  coils and discrete inputs, 0 or 1
        """
        value = np.empty(self._size, dtype=np.float64)
        with np.errstate(invalid="ignore"):  # a signalling NaN is a value like any other here
            for group in self._groups:
                value[group.rows] = words[group.words].view(group.form)[:, 0]
        if len(self._bit_rows):
            value[self._bit_rows] = (words[self._bit_at] >> self._bit) & 1
        if len(self._single_rows):
            value[self._single_rows] = bits[self._single_at]
        return value


def _rows(rows: list[int], size: int) -> NDArray[np.intp] | slice:
    """All rows as a slice, which numpy copies without looking at each."""
    return slice(None) if len(rows) == size else np.array(rows, dtype=np.intp)


def _words(address: Address, at: int) -> list[int]:
    """Positions of the value's registers, the most significant first."""
    positions = range(at, at + address.count)
    return list(positions if address.word_order == "big" else reversed(positions))
