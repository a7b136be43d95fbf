"""What stands behind a data identifier: the tables of DL/T 645-2007, annex A, as far as they are well known. Pure.

An identifier is DI3 DI2 DI1 DI0, written 02010100. FF in DI1 is a block: all values of that kind in one answer. Taken
in is what two sources say alike: the tables of the package dlt645 (Apache-2.0), and the lengths that published code of
concentrators uses for the same identifiers. What is not here can be read as well: the point then says its format.

Of the annex's signs: combined energies, powers, demands, currents, power factors and temperature carry theirs in the
highest bit; everything else has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from drivers.dlt645.values import TIME, Format, Type

BLOCK: Final = 0xFF
TARIFFS: Final = 0x3F
"""The most tariffs; number 0 is the total."""
SETTLEMENTS: Final = 0x0C
"""Settlement days kept; number 0 is now."""
FROZEN: Final = 0x3E
"""Daily frozen data kept; number 1 is the last."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What an answer holds: the same formats again and again, up to `most` times."""

    formats: tuple[Format, ...]
    most: int
    source: str
    """Which table of annex A."""

    @property
    def size(self) -> int:
        """Bytes of one repetition."""
        return sum(form.size for form in self.formats)


_ENERGY: Final = Format(8, 2)
_COMBINED_ENERGY: Final = Format(8, 2, signed=True)
_DEMAND: Final = Format(6, 4, signed=True)
_POWER: Final = Format(6, 4, signed=True)
_STATUS_WORD: Final = Format(4, type=Type.BINARY)

_COMBINED: Final = (0x00, 0x03, 0x04, 0x17, 0x18, 0x2B, 0x2C, 0x3F, 0x40)
"""DI2 of energies that are sums of directions and may be negative."""
_OF_PHASES: Final = (*range(0x15, 0x1F), *range(0x29, 0x33), *range(0x3D, 0x47))
"""DI2 of the ten kinds of energy and demand of phases A, B and C."""

_PHASES: Final[dict[int, tuple[Format, int]]] = {
    0x01: (Format(4, 1), 1),  # voltage, V
    0x02: (Format(6, 3, signed=True), 1),  # current, A
    0x03: (_POWER, 0),  # active power, kW
    0x04: (_POWER, 0),  # reactive power, kvar
    0x05: (_POWER, 0),  # apparent power, kVA
    0x06: (Format(4, 3, signed=True), 0),  # power factor
    0x07: (Format(4, 1), 1),  # phase angle, degrees
}
"""DI2 of 02 -> format, and the DI1 with which its block begins: 0 where that is the total, 1 where it is phase A."""
_OTHERS: Final[dict[int, Format]] = {
    0x02800001: Format(6, 3, signed=True),  # neutral current, A
    0x02800002: Format(4, 2),  # frequency, Hz
    0x02800003: _POWER,  # mean active power of the last minute, kW
    0x02800004: _POWER,  # present active demand, kW
    0x02800005: _POWER,  # present reactive demand, kvar
    0x02800006: _POWER,  # present apparent demand, kVA
    0x02800007: Format(4, 1, signed=True),  # temperature in the meter, degC
    0x02800008: Format(4, 2),  # voltage of the clock's battery, V
    0x02800009: Format(4, 2),  # voltage of the battery for reading without mains, V
    0x0280000A: Format(8),  # working time of the battery, min
}
_PARAMETERS: Final[dict[int, Format]] = {
    0x04000102: Format(6),  # time hhmmss
    0x04000103: Format(2),  # demand period, min
    0x04000104: Format(2),  # slip of a sliding demand, min
    0x04000204: Format(2),  # number of tariffs
    0x04000401: Format(12),  # communication address
    0x04000402: Format(12),  # meter number
    0x04000409: Format(6),  # pulses a kWh
    0x0400040A: Format(6),  # pulses a kvarh
    **{0x04000500 + word: _STATUS_WORD for word in range(1, 8)},
}


def layout(di: int) -> Layout | None:
    """What the identifier's answer holds; None where it is not in the tables here."""
    kind, group, item, number = di.to_bytes(4, "big")
    if kind in (0x00, 0x01):
        return _accumulated(kind, group, item, number)
    if kind == 0x02:
        return _variable(di, group, item, number)
    if kind == 0x04:
        form = _PARAMETERS.get(di)
        return Layout((form,), 1, "A.5") if form else None
    if kind == 0x05:
        return _frozen(group, item, number)
    return None


def _accumulated(kind: int, group: int, item: int, number: int) -> Layout | None:
    """Energies (00), maximum demands with the time when each occurred (01); by tariff (DI1), now or settled (DI0)."""
    whole = group <= 0x0A and (item <= TARIFFS or item == BLOCK)
    of_phase = group in _OF_PHASES and item == 0
    if number > SETTLEMENTS or not (whole or of_phase) or (kind, group) == (0x01, 0x00):
        return None
    most = TARIFFS + 1 if item == BLOCK else 1
    if kind == 0x01:
        return Layout((_DEMAND, TIME), most, "A.2")
    return Layout((_COMBINED_ENERGY if group in _COMBINED else _ENERGY,), most, "A.1")


def _variable(di: int, group: int, item: int, number: int) -> Layout | None:
    if di in _OTHERS:
        return Layout((_OTHERS[di],), 1, "A.3")
    if group not in _PHASES or number:
        return None
    form, first = _PHASES[group]
    if item == BLOCK:
        return Layout((form,), 4 - first, "A.3")
    return Layout((form,), 1, "A.3") if first <= item <= 3 else None


def _frozen(group: int, item: int, number: int) -> Layout | None:
    """Daily frozen data: the moment (00), and energies as total and tariffs (01 to 08)."""
    if group != 0x06 or not 1 <= number <= FROZEN:
        return None
    if item == 0x00:
        return Layout((TIME,), 1, "A.6")
    if 0x01 <= item <= 0x08:
        return Layout((_COMBINED_ENERGY if item in _COMBINED else _ENERGY,), TARIFFS + 1, "A.6")
    return None


def single(di: int, field: int) -> int | None:
    """The identifier of one value of a block, for meters that do not know the block; None where it has none."""
    kind, group, item, _ = di.to_bytes(4, "big")
    if item != BLOCK or kind not in (0x00, 0x01, 0x02):
        return None
    first = _PHASES[group][1] if kind == 0x02 else 0
    return (di & 0xFFFF00FF) | (first + field) << 8
