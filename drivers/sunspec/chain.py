"""The chain of models of one device: found by walking it, asked for the place of a point.

The map begins with "SunS" at register 40000, 50000 or 0 (SunSpec Device Information Model Specification, 1.1 and 2.1).
Behind it stand the models, each as its number, its length and that many registers; number 0xFFFF ends the chain.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from app.model.errors import ProtocolError, RefusedByDevice
from drivers.modbus.address import LAST
from drivers.sunspec.address import Address, field_of
from drivers.sunspec.models import HEADER, Field, models

BASES: Final = (40000, 50000, 0)
MARK: Final = b"SunS"
END: Final = 0xFFFF
MOST_MODELS: Final = 250
"""A chain that is longer is none: a device that answers anything to any register."""

Registers = Callable[[int, int], Awaitable[bytes | None]]
"""Reads holding registers, start and count; None where the device says that they do not exist."""


@dataclass(frozen=True, slots=True)
class Found:
    """One model in the chain."""

    model: int
    start: int
    """Register of its number."""
    length: int
    """Registers behind its header, as the device says."""

    @property
    def end(self) -> int:
        return self.start + HEADER + self.length

    @property
    def repetitions(self) -> int:
        """How often the repeating group fits behind the fixed part; 0 where there is none."""
        model = models().get(self.model)
        if model is None or not model.repeat_size:
            return 0
        return max(0, HEADER + self.length - model.size) // model.repeat_size


@dataclass(frozen=True, slots=True)
class Place:
    """Where a point stands in this device."""

    found: Found
    field: Field
    register: int
    scale_factor: int | None
    """Register of its scale factor; None where there is none or a fixed one."""


@dataclass(frozen=True, slots=True)
class Chain:
    """All models of a device, in their order."""

    base: int
    found: tuple[Found, ...]
    trouble: str = ""
    """Why the chain ends early; empty where its end mark was found."""

    def place(self, address: Address) -> Place | str:
        """Where a point is, or why it is not there."""
        for number in address.models:
            several = [
                each for each in self.found if each.model == number and field_of(number, address.point, address.group)
            ]
            if len(several) >= address.instance:
                return _place_in(several[address.instance - 1], address)
        return f"the device has no {address}" + (f"; {self.trouble}" if self.trouble else "")


def _place_in(found: Found, address: Address) -> Place | str:
    model = models()[found.model]
    field = None if address.group else model.fields.get(address.point)
    start = found.start
    if field is None:
        field = model.repeated[address.point]
        group = max(address.group, 1)
        start += model.size + (group - 1) * model.repeat_size
        if group > found.repetitions:
            return f"model {found.model} has {found.repetitions} repetitions here, not {group}"
    register = start + field.at
    if register + field.size > found.end:
        return f"model {found.model} has {found.length} registers here, and {field.name} stands behind them"
    scale = model.fields.get(field.scale_factor) if isinstance(field.scale_factor, str) else None
    if scale is not None and found.start + scale.at >= found.end:
        return (
            f"model {found.model} has {found.length} registers here, and the scale of {field.name} stands behind them"
        )
    return Place(found, field, register, found.start + scale.at if scale else None)


async def walk(registers: Registers, bases: Sequence[int] = BASES) -> Chain:
    """Find the chain. Raises ProtocolError where there is none, and what `registers` raises.

    A refusal at one base is no reason not to try the next: devices refuse registers that they have not in many ways.
    """
    refusal: RefusedByDevice | None = None
    for base in bases:
        try:
            mark = await registers(base, 2)
        except RefusedByDevice as error:
            refusal = error
            continue
        if mark == MARK:
            return await _follow(registers, base)
    if refusal is not None:
        raise refusal
    where = ", ".join(map(str, bases))
    raise ProtocolError(f"no SunSpec map: none of the registers {where} holds 'SunS'; check the unit, or give `base`")


async def _follow(registers: Registers, base: int) -> Chain:
    found: list[Found] = []
    at = base + 2
    while True:
        header = await registers(at, HEADER) if at + HEADER <= LAST + 1 else None
        if header is None:
            return Chain(base, tuple(found), f"its chain of models breaks off at register {at}")
        number, length = int.from_bytes(header[:2], "big"), int.from_bytes(header[2:4], "big")
        if number == END:
            return Chain(base, tuple(found))
        each = Found(number, at, length)
        if number == 0 or each.end > LAST + 1:
            return Chain(base, tuple(found), f"its chain of models ends in garbage at register {at}")
        if len(found) == MOST_MODELS:
            return Chain(base, tuple(found), f"its chain has more than {MOST_MODELS} models")
        found.append(each)
        at = each.end
