"""The form of `northbound.yaml`, version 1 (docs/reference/northbound-iec104.md), as pydantic models."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from app.model.config import Id, LocalText
from app.model.fields import DurationS, Finite, Form
from drivers.iec104.address import LAST_CA, LAST_IOA
from drivers.iec104.typeids import COMMANDS, MONITORED_BY_TYPE, NAMES

_MONITORED: Final = tuple(NAMES[number] for number in MONITORED_BY_TYPE)
_COMMANDS: Final = tuple(command.name for command in COMMANDS)


def _type(allowed: tuple[str, ...], others: tuple[str, ...], otherwise: str) -> BeforeValidator:
    def check(value: object) -> object:
        if value in others:
            raise ValueError(f"{value} is not of this list; {otherwise}")
        if value not in allowed:
            raise ValueError(f"unknown type '{value}'; one of: {' '.join(allowed)}")
        return value

    return BeforeValidator(check)


def _allow(value: object) -> object:
    if value == "any":
        return None
    if not isinstance(value, list | tuple) or not value:
        raise ValueError("must be a list of addresses, or any; write such as [10.0.0.5, 10.1.0.0/16]")
    for one in value:
        try:
            ipaddress.ip_network(str(one), strict=False)
        except ValueError:
            raise ValueError(
                f"'{one}' is no IP address and no network; write such as 10.0.0.5 or 10.1.0.0/16"
            ) from None
    return tuple(str(ipaddress.ip_network(str(one), strict=False)) for one in value)


Ioa = Annotated[int, Field(ge=1, le=LAST_IOA, strict=True)]
MonitoredType = Annotated[
    str,
    _type(_MONITORED, _COMMANDS, "commands stand under 'commands'"),
    WithJsonSchema({"enum": list(_MONITORED)}),
]
CommandType = Annotated[
    str,
    _type(_COMMANDS, _MONITORED, "what is only shown stands under 'points'"),
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
            raise ValueError("scale 0 would lose every value; leave it out for 1")
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
            raise ValueError("a counter has a group above 4; counters know groups 1 to 4")
        return self


class OfferedCommandForm(ValueForm):
    type: CommandType
    point: str | None = None
    name: LocalText | None = None
    select: bool = False

    @model_validator(mode="after")
    def _named(self) -> Self:
        if (self.point is None) == (self.name is None):
            raise ValueError("needs either a point or a name, and not both; name what no point stands for")
        if self.select and self.type.startswith("C_BO"):
            raise ValueError(f"{self.type} has no selection; leave 'select' out")
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
    cyclic: DurationS | None = None
    lost_after: DurationS = 60.0
    table: str | None = None
    points: tuple[OfferedPointForm, ...] = ()
    commands: tuple[OfferedCommandForm, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.w > max(1, self.k * 2 // 3):
            raise ValueError(f"w {self.w} is more than two thirds of k {self.k}; write {max(1, self.k * 2 // 3)}")
        if self.t2 >= self.t1:
            raise ValueError(
                f"t2 {self.t2:g}s is not below t1 {self.t1:g}s; acknowledge before the other side gives up"
            )
        if self.cyclic is not None and self.cyclic < 1:
            raise ValueError("cyclic is shorter than 1s; changes are sent by themselves")
        return self


class NorthboundForm(Form):
    """The whole `northbound.yaml`."""

    version: Literal[1]
    iec104: tuple[CentreForm, ...] = ()
