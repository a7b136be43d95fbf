"""The SunSpec model definitions, condensed from github.com/sunspec/models (resources/sunspec, Apache-2.0)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from drivers.modbus.address import Type

MODELS_FILE: Final = Path(__file__).resolve().parents[2] / "resources" / "sunspec" / "models.json"
HEADER: Final = 2
"""Registers of a model's header: its id and its length without the header."""

NOT_IMPLEMENTED: Final[dict[str, float]] = {
    "int16": -(2**15), "int32": -(2**31), "int64": -(2**63), "sunssf": -(2**15),
    "uint16": 2**16 - 1, "enum16": 2**16 - 1, "bitfield16": 2**16 - 1, "count": 2**16 - 1,
    "uint32": 2**32 - 1, "enum32": 2**32 - 1, "bitfield32": 2**32 - 1, "uint64": 2.0**64, "bitfield64": 2.0**64,
}  # fmt: skip
"""Type -> the raw number that says "not implemented". Floats say it by NaN. Accumulators have none: their 0 is a 0."""

_TYPES: Final[dict[str, Type]] = {
    "int16": Type.I16, "sunssf": Type.I16, "int32": Type.I32, "int64": Type.I64,
    "uint16": Type.U16, "enum16": Type.U16, "bitfield16": Type.U16, "count": Type.U16, "acc16": Type.U16,
    "uint32": Type.U32, "enum32": Type.U32, "bitfield32": Type.U32, "acc32": Type.U32,
    "uint64": Type.U64, "bitfield64": Type.U64, "acc64": Type.U64,
    "float32": Type.F32, "float64": Type.F64, "string": Type.STRING,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """One point of a model."""

    name: str
    kind: str
    """SunSpec's type: int16, enum16, acc32, ..."""
    at: int
    """Registers from the model's id, or from the beginning of its repetition."""
    size: int
    scale_factor: str | int | None = None
    """The sunssf point that scales it, or a fixed power of ten."""
    units: str = ""
    writable: bool = False
    label: str = ""
    symbols: Mapping[int, str] = field(default_factory=dict)

    @property
    def type(self) -> Type:
        return _TYPES[self.kind]

    @property
    def bits(self) -> int:
        """How many bits it has, if it is a bit field; else 0."""
        return int(self.kind[8:]) if self.kind.startswith("bitfield") else 0


@dataclass(frozen=True, slots=True)
class Model:
    """One model: the fixed part, and the group that repeats behind it."""

    id: int
    label: str
    size: int
    """Registers of the fixed part, header included."""
    fields: Mapping[str, Field]
    repeated: Mapping[str, Field]
    """Fields of one repetition; empty where nothing repeats."""
    repeat_size: int = 0

    def names(self) -> tuple[str, ...]:
        return (*self.fields, *self.repeated)


@cache
def models() -> Mapping[int, Model]:
    """Every model that is known, by number."""
    content = json.loads(MODELS_FILE.read_text(encoding="utf-8"))
    return {int(number): _model(int(number), given) for number, given in content.items()}


def _model(number: int, given: Mapping[str, Any]) -> Model:
    repeat = given.get("repeat", {"points": {}, "size": 0})
    return Model(
        number, given["label"], given["size"], _fields(given["points"]), _fields(repeat["points"]), repeat["size"]
    )


def _fields(points: Mapping[str, Any]) -> dict[str, Field]:
    return {
        name: Field(
            name,
            point["type"],
            point["at"],
            point["size"],
            point.get("sf"),
            point.get("units", ""),
            point.get("access") == "RW",
            point.get("label", name),
            {int(value): text for value, text in point.get("symbols", {}).items()},
        )
        for name, point in points.items()
    }
