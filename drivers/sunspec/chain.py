"""The chain of models of one device: found by walking it, asked for the place of a point.

The map begins with "SunS" at register 40000, 50000 or 0 (SunSpec Device Information Model Specification, 1.1 and 2.1).
Behind it stand the models, each as its number, its length and that many registers; number 0xFFFF ends the chain.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from app.model.errors import ProtocolError, RefusedByDevice
from app.model.text import Text
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
    trouble: Text | None = None
    """Why the chain ends early; None where its end mark was found."""

    def place(self, address: Address) -> Place | Text:
        """Where a point is, or why it is not there."""
        for number in address.models:
            several = [
                each for each in self.found if each.model == number and field_of(number, address.point, address.group)
            ]
            if len(several) >= address.instance:
                return _place_in(several[address.instance - 1], address)
        en, zh = f"the device has no {address}", f"设备没有 {address}"
        return Text(f"{en}; {self.trouble.en}", f"{zh}；{self.trouble.zh}") if self.trouble else Text(en, zh)


def _place_in(found: Found, address: Address) -> Place | Text:
    model = models()[found.model]
    field = None if address.group else model.fields.get(address.point)
    start = found.start
    if field is None:
        field = model.repeated[address.point]
        group = max(address.group, 1)
        start += model.size + (group - 1) * model.repeat_size
        if group > found.repetitions:
            return Text(
                f"model {found.model} has {found.repetitions} repetitions here, not {group}",
                f"模型 {found.model} 在此只有 {found.repetitions} 组，没有第 {group} 组",
            )
    register = start + field.at
    if register + field.size > found.end:
        return _behind(found, field.name, field.name)
    scale = model.fields.get(field.scale_factor) if isinstance(field.scale_factor, str) else None
    if scale is not None and found.start + scale.at >= found.end:
        return _behind(found, f"the scale of {field.name}", f"{field.name} 的比例因子")
    return Place(found, field, register, found.start + scale.at if scale else None)


def _behind(found: Found, what: str, what_zh: str) -> Text:
    return Text(
        f"model {found.model} has {found.length} registers here, and {what} stands behind them",
        f"模型 {found.model} 在此只有 {found.length} 个寄存器，不含 {what_zh}",
    )


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
    text = Text(
        f"no SunSpec map: none of the registers {where} holds 'SunS'; check the unit, or give `base`",
        f"没有 SunSpec 映射：寄存器 {where} 均无 SunS 标志；请检查单元号，或指定 base",
    )
    raise ProtocolError(text)


def _broken(base: int, found: Sequence[Found], what: str, what_zh: str) -> Chain:
    return Chain(base, tuple(found), Text(f"its chain of models {what}", f"其模型链{what_zh}"))


async def _follow(registers: Registers, base: int) -> Chain:
    found: list[Found] = []
    at = base + 2
    while True:
        header = await registers(at, HEADER) if at + HEADER <= LAST + 1 else None
        if header is None:
            return _broken(base, found, f"breaks off at register {at}", f"在寄存器 {at} 处中断")
        number, length = int.from_bytes(header[:2], "big"), int.from_bytes(header[2:4], "big")
        if number == END:
            return Chain(base, tuple(found))
        each = Found(number, at, length)
        if number == 0 or each.end > LAST + 1:
            return _broken(base, found, f"ends in garbage at register {at}", f"在寄存器 {at} 处无效")
        if len(found) == MOST_MODELS:
            return _broken(base, found, f"has more than {MOST_MODELS} models", f"超过 {MOST_MODELS} 个模型")
        found.append(each)
        at = each.end
