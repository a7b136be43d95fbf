"""The form of `northbound.yaml`, version 1 (docs/reference/northbound-iec104.md), as pydantic models."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from app.model.config import Id, LocalText
from app.model.errors import Wrong
from app.model.fields import DurationS, Finite, Form
from app.model.text import Text
from drivers.iec104.address import LAST_CA, LAST_IOA
from drivers.iec104.typeids import COMMANDS, MONITORED_BY_TYPE, NAMES

_MONITORED: Final = tuple(NAMES[number] for number in MONITORED_BY_TYPE)
_COMMANDS: Final = tuple(command.name for command in COMMANDS)


def _type(allowed: tuple[str, ...], others: tuple[str, ...], otherwise: Text) -> BeforeValidator:
    def check(value: object) -> object:
        if value in others:
            raise Wrong(Text(f"{value} is not of this list", f"{value} 不在此表中"), otherwise)
        if value not in allowed:
            raise Wrong(
                Text(f"unknown type '{value}'", f"未知的 type “{value}”"),
                Text(f"one of: {' '.join(allowed)}", f"可写：{' '.join(allowed)}"),
            )
        return value

    return BeforeValidator(check)


def _allow(value: object) -> object:
    if value == "any":
        return None
    if not isinstance(value, list | tuple) or not value:
        raise Wrong(
            Text("must be a list of addresses, or any", "应为地址列表或 any"),
            Text("write such as [10.0.0.5, 10.1.0.0/16]", "例如 [10.0.0.5, 10.1.0.0/16]"),
        )
    for one in value:
        try:
            ipaddress.ip_network(str(one), strict=False)
        except ValueError:
            raise Wrong(
                Text(f"'{one}' is no IP address and no network", f"“{one}”不是 IP 地址或网段"),
                Text("write such as 10.0.0.5 or 10.1.0.0/16", "例如 10.0.0.5 或 10.1.0.0/16"),
            ) from None
    return tuple(str(ipaddress.ip_network(str(one), strict=False)) for one in value)


Ioa = Annotated[int, Field(ge=1, le=LAST_IOA, strict=True)]
MonitoredType = Annotated[
    str,
    _type(_MONITORED, _COMMANDS, Text("commands stand under 'commands'", "命令写在 commands 下")),
    WithJsonSchema({"enum": list(_MONITORED)}),
]
CommandType = Annotated[
    str,
    _type(_COMMANDS, _MONITORED, Text("what is only shown stands under 'points'", "仅显示的写在 points 下")),
    WithJsonSchema({"enum": list(_COMMANDS)}),
]
Allow = Annotated[
    tuple[str, ...] | None,
    BeforeValidator(_allow),
    WithJsonSchema({"anyOf": [{"const": "any"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
"""None stands for `any`."""


class ListenForm(Form):
    host: str = "0.0.0.0"  # noqa: S104 (who may connect is said by `allow`)
    port: Annotated[int, Field(ge=0, le=65535, strict=True)] = 2404


class TlsForm(Form):
    """Files are looked for from the station's folder."""

    certificate: str
    key: str
    password: str | None = None
    ca: str | None = None
    """Authorities of the centre; with them it must show a certificate."""


class ValueForm(Form):
    """value = raw * scale + offset, as for every point of a station."""

    ioa: Ioa
    scale: Finite = 1.0
    offset: Finite = 0.0

    @model_validator(mode="after")
    def _scales(self) -> Self:
        if self.scale == 0:
            raise Wrong(
                Text("scale 0 would lose every value", "scale 为 0 会丢失所有数值"),
                Text("leave it out for 1", "为 1 时请省略"),
            )
        return self


class OfferedPointForm(ValueForm):
    point: str
    type: MonitoredType
    deadband: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """In the unit of the point; absent: as the station file has it."""
    groups: tuple[Annotated[int, Field(ge=1, le=16, strict=True)], ...] = ()

    @model_validator(mode="after")
    def _counts(self) -> Self:
        if self.type.startswith("M_IT") and any(group > 4 for group in self.groups):
            raise Wrong(
                Text("a counter has a group above 4", "计数量的组号大于 4"),
                Text("counters know groups 1 to 4", "计数量只有 1 至 4 组"),
            )
        return self


class OfferedCommandForm(ValueForm):
    type: CommandType
    point: str | None = None
    name: LocalText | None = None
    select: bool = False

    @model_validator(mode="after")
    def _named(self) -> Self:
        if (self.point is None) == (self.name is None):
            raise Wrong(
                Text("needs either a point or a name, and not both", "需要 point 或 name 之一，不能同时给出"),
                Text("name what no point stands for", "没有测点时请写 name"),
            )
        if self.select and self.type.startswith("C_BO"):
            raise Wrong(
                Text(f"{self.type} has no selection", f"{self.type} 没有选择"),
                Text("leave 'select' out", "请删除 select"),
            )
        return self


class CentreForm(Form):
    """One control centre, and what it is offered."""

    id: Id
    name: LocalText | None = None
    listen: ListenForm = ListenForm()
    ca: Annotated[int, Field(ge=1, le=LAST_CA, strict=True)]
    allow: Allow
    tls: TlsForm | None = None
    connections: Literal["redundant", "independent"] = "redundant"
    k: Annotated[int, Field(ge=1, le=32767, strict=True)] = 12
    w: Annotated[int, Field(ge=1, le=32767, strict=True)] = 8
    t1: DurationS = 15.0
    t2: DurationS = 10.0
    t3: DurationS = 20.0
    clock: Literal["utc", "station"] = "utc"
    clock_sync: Literal["refuse", "confirm"] = "refuse"
    time_tags: Literal["all", "states"] = "all"
    orders: Literal["refuse", "accept"] = "refuse"
    cyclic: DurationS | None = None
    lost_after: DurationS = 60.0
    table: str | None = None
    points: tuple[OfferedPointForm, ...] = ()
    commands: tuple[OfferedCommandForm, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.w > max(1, self.k * 2 // 3):
            raise Wrong(
                Text(f"w {self.w} is more than two thirds of k {self.k}", f"w {self.w} 大于 k {self.k} 的三分之二"),
                Text(f"write {max(1, self.k * 2 // 3)}", f"请写 {max(1, self.k * 2 // 3)}"),
            )
        if self.t2 >= self.t1:
            raise Wrong(
                Text(f"t2 {self.t2:g}s is not below t1 {self.t1:g}s", f"t2 {self.t2:g}s 不小于 t1 {self.t1:g}s"),
                Text("acknowledge before the other side gives up", "请在对方放弃之前确认"),
            )
        if self.cyclic is not None and self.cyclic < 1:
            raise Wrong(
                Text("cyclic is shorter than 1s", "循环周期小于 1s"),
                Text("changes are sent by themselves", "变化会自行上送"),
            )
        return self


class NorthboundForm(Form):
    """The whole `northbound.yaml`."""

    version: Literal[1]
    iec104: tuple[CentreForm, ...] = ()
