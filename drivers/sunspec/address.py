"""Where a value lives in a SunSpec device: the `address` of a point, judged and parsed. No I/O.

address: {model: 103, point: W}
address: {model: [103, 102, 101], point: W}      the first of these models that the device has
address: {model: 160, point: DCW, group: 2}      the second repetition of the model's repeating group
address: {model: 804, point: V, instance: 3}     the third such model in the chain
address: {model: 123, point: WMaxLimPct, of: {model: 121, point: WMax}}       percent of another point
address: {model: 124, point: OutWRte, opposite: InWRte, of: {model: 124, point: WChaMax}}
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.model.text import Text
from drivers.judging import KeyFault, unknown_key
from drivers.sunspec.models import Field, models

KEYS: Final = ("model", "point", "instance", "group", "bit", "of", "opposite")
_OF_KEYS: Final = ("model", "point")
_PERCENT: Final = ("%", "Pct")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a value lives. Build it with `Address.of`."""

    models: tuple[int, ...]
    """The first that the device has, and that has the point, counts."""
    point: str
    instance: int = 1
    """Which model of that number in the chain, 1-based."""
    group: int = 0
    """Which repetition, 1-based; 0 where none is said: the fixed part, or else the first repetition."""
    bit: int | None = None
    whole: Address | None = None
    """What the point is percent of; the value is then as much of it."""
    opposite: str = ""
    """The point right behind it that takes the negative of what is written, in the same request."""

    @staticmethod
    def of(mapping: Mapping[str, Any]) -> Address:
        """Parse the `address` of a point. Raises KeyFault, a ValueError, with the first fault and its mend."""
        for fault in faults(mapping):
            raise fault
        return Address(
            _numbers(mapping["model"]),
            mapping["point"],
            mapping.get("instance", 1),
            mapping.get("group", 0),
            mapping.get("bit"),
            Address.of(mapping["of"]) if "of" in mapping else None,
            mapping.get("opposite", ""),
        )

    def __str__(self) -> str:
        which = f" (number {self.instance})" if self.instance > 1 else ""
        return f"model {' or '.join(map(str, self.models))}{which}"


def faults(mapping: Mapping[str, Any]) -> list[KeyFault]:
    """Everything wrong with the `address` of a point; empty when `Address.of` takes it."""
    found = [unknown_key(str(key), KEYS, "address") for key in mapping if key not in KEYS]
    for key in ("model", "point"):
        if key not in mapping:
            found.append(
                KeyFault(
                    key,
                    Text(f"address has no {key}", f"地址缺少 {key}"),
                    Text(
                        f"add `{key}:`, such as {{model: 103, point: W}}",
                        f"请添加“{key}:”，例如 {{model: 103, point: W}}",
                    ),
                )
            )
    for key in ("instance", "group"):
        if type(mapping.get(key, 1)) is not int or mapping.get(key, 1) < 1:
            found.append(
                KeyFault(
                    key,
                    Text(
                        f"{key} '{mapping[key]}' is not a whole number from 1", f"{key}“{mapping[key]}”不是 1 起的整数"
                    ),
                    Text("count from 1", "从 1 开始计"),
                )
            )
    if found:
        return found
    numbers = _numbers(mapping["model"])
    unknown = [number for number in numbers if number not in models()]
    if unknown or not numbers:
        return [
            KeyFault(
                "model",
                Text(f"unknown model '{mapping['model']}'", f"未知模型“{mapping['model']}”"),
                Text(f"one of: {' '.join(map(str, models()))}", f"可写：{' '.join(map(str, models()))}"),
            )
        ]
    fields = [field_of(number, str(mapping["point"])) for number in numbers]
    if not any(fields):
        return [_unknown_point(numbers[0], str(mapping["point"]))]
    for number, field in zip(numbers, fields, strict=True):
        if field is not None:
            found += _use_faults(field, number, mapping)
    return found


def field_of(model: int, point: str, group: int = 0) -> Field | None:
    """The definition of a model's point, if it has it; with a group, that of the repetition."""
    fixed = None if group else models()[model].fields.get(point)
    return fixed or models()[model].repeated.get(point)


def _use_faults(field: Field, model: int, mapping: Mapping[str, Any]) -> list[KeyFault]:
    found = []
    if "group" in mapping and field.name not in models()[model].repeated:
        what = Text(f"point {field.name} of model {model} does not repeat", f"模型 {model} 的点 {field.name} 不重复")
        found.append(KeyFault("group", what, Text("leave `group` out", "请删除 group")))
    bit = mapping.get("bit", 0)
    if "bit" in mapping and (type(bit) is not int or not 0 <= bit < field.bits):
        what = Text(
            f"point {field.name} of model {model} is {field.kind} and has no bit {bit}",
            f"模型 {model} 的点 {field.name} 为 {field.kind}，没有第 {bit} 位",
        )
        found.append(
            KeyFault(
                "bit",
                what,
                Text(f"write 0 to {field.bits - 1}", f"请写 0 至 {field.bits - 1}")
                if field.bits
                else Text("leave `bit` out", "请删除 bit"),
            )
        )
    return found + _of_faults(field, model, mapping) + _opposite_faults(field, model, mapping)


def _of_faults(field: Field, model: int, mapping: Mapping[str, Any]) -> list[KeyFault]:
    if "of" not in mapping:
        return []
    of = mapping["of"]
    if not isinstance(of, Mapping) or not set(of) <= set(_OF_KEYS):
        what = Text(f"of '{of}' is not a model and a point", f"of“{of}”不是模型与点")
        mend = Text("write such as {model: 121, point: WMax}", "请写例如 {model: 121, point: WMax}")
        return [KeyFault("of", what, mend)]
    if found := faults(of):
        return [KeyFault("of", found[0].what, found[0].mend)]
    if "bit" in mapping or not field.units.startswith(_PERCENT):
        unit = field.units or "1"
        what = Text(f"point {field.name} of model {model} is no percentage, its unit is {unit}",
                    f"模型 {model} 的点 {field.name} 不是百分比，其单位为 {unit}")  # fmt: skip
        return [KeyFault("of", what, Text("leave `of` out", "请删除 of"))]
    return []


def _opposite_faults(field: Field, model: int, mapping: Mapping[str, Any]) -> list[KeyFault]:
    if "opposite" not in mapping:
        return []
    name = str(mapping["opposite"])
    other = field_of(model, name)
    if other is None:
        found = _unknown_point(model, name)
        return [KeyFault("opposite", found.what, found.mend)]
    behind = other.at == field.at + field.size and other.writable
    if not behind or (other.kind, other.scale_factor) != (field.kind, field.scale_factor) or field.kind[:3] != "int":
        what = Text(f"point {name} of model {model} does not stand right behind {field.name}, of the same kind",
                    f"模型 {model} 的点 {name} 并非紧接在 {field.name} 之后的同类型点")  # fmt: skip
        return [KeyFault("opposite", what, Text("leave `opposite` out", "请删除 opposite"))]
    return []


def _unknown_point(model: int, point: str) -> KeyFault:
    names = models()[model].names()
    close = difflib.get_close_matches(point, names, n=1, cutoff=0.5)
    mend = (
        Text(f"write '{close[0]}'", f"请写“{close[0]}”")
        if close
        else Text(f"one of: {' '.join(names)}", f"可写：{' '.join(names)}")
    )
    return KeyFault("point", Text(f"model {model} has no point '{point}'", f"模型 {model} 没有点“{point}”"), mend)


def _numbers(model: object) -> tuple[int, ...]:
    given = model if isinstance(model, list | tuple) else [model]
    return tuple(number for number in given if type(number) is int) if all(type(n) is int for n in given) else ()
