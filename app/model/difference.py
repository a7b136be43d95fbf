"""What changed from one configuration to the next, point by point: what people are shown, and the audit keeps."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel

from app.model.station import Device, Point, Station
from app.model.text import Text

Outline = Mapping[str, Mapping[str, str]]
"""Name of a part (`station`, a device, a point, a topology element) -> its keys, each with its value in words."""

STATION: Final = "station"
_LONGEST: Final = 200


class Kind(StrEnum):
    """What became of a part."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """One key of one part; of a part that was added or removed no key, and no word of its values."""

    kind: Kind
    where: str
    """`station`, `meter1`, `meter1.p_kw`, `topology bus_a`, `centre city`."""
    key: str = ""
    """`alarms.h`, `connection.host`."""
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """A change of the running station."""

    config_hash: str
    rows: tuple[DifferenceRow, ...]
    """Empty where the files say what runs already."""
    reconnected: tuple[str, ...]
    """Devices whose line was closed and opened; all others ran on."""


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A configuration that was loaded."""

    id: int
    config_hash: str
    loaded: int
    """UTC nanoseconds, when it first ran after another."""
    actor: str
    origin: str
    rows: tuple[DifferenceRow, ...]
    """Against the version before."""


def outline(
    station: Station, centres: tuple[Any, ...] = (), strategies: tuple[Any, ...] = ()
) -> dict[str, dict[str, str]]:
    """A configuration as flat words. What is Gridroom's own word on a device is left out."""
    parts: dict[str, dict[str, str]] = {STATION: dict(_flat({
        key: getattr(station, key)
        for key in (
            "name", "timezone", "location", "limits", "grid_meter", "read_only", "history", "records", "audit", "access"
        )
    }))}  # fmt: skip
    for node in station.topology:
        parts[f"topology {node.id}"] = dict(_flat(node))
    forms: dict[int, dict[str, str]] = {}
    for device in station.devices:
        parts[device.id] = dict(_flat(_of(device)))
        for point in (*device.points, *device.texts):
            if not point.own:
                parts[point.name] = forms.setdefault(id(point.form), dict(_flat(_form(point))))
    for centre in centres:
        parts[f"centre {centre.id}"] = dict(_flat(_centre(centre, station)))
    for one in strategies:
        told = {"kind": one.strategy.kind, "version": one.strategy.version, "name": one.name, "mode": one.running,
                "priority": one.rank,
                "meter": one.meter, "devices": list(one.devices), "params": one.given}  # fmt: skip
        parts[f"strategy {one.id}"] = dict(_flat(told))
    return parts


def differences(before: Outline, after: Outline) -> tuple[DifferenceRow, ...]:
    """In the order of the new configuration, what was removed at the end. A part within an added one is not told."""
    rows: list[DifferenceRow] = []
    for where, form in after.items():
        old = before.get(where)
        if old is None:
            if _owner(where) in before or _owner(where) == where:
                rows.append(DifferenceRow(Kind.ADDED, where))
            continue
        for key in dict.fromkeys((*old, *form)):
            if old.get(key, "") != form.get(key, ""):
                rows.append(DifferenceRow(Kind.CHANGED, where, key, old.get(key, ""), form.get(key, "")))
    for where in before:
        if where not in after and (_owner(where) in after or _owner(where) == where):
            rows.append(DifferenceRow(Kind.REMOVED, where))
    return tuple(rows)


def _owner(where: str) -> str:
    """The device of a point; any other part is its own."""
    return where.partition(".")[0] if " " not in where else where


def _of(device: Device) -> dict[str, Any]:
    keys = ("name", "kind", "parent", "driver", "template", "vendor", "model", "bms", "ratings", "control", "blocks")
    return {**{key: getattr(device, key) for key in keys}, "connection": device.connection}


def _form(point: Point) -> dict[str, Any]:
    return {key: value for key, value in dict(point.form).items() if key != "id"}


def _centre(centre: Any, station: Station) -> dict[str, Any]:
    """A centre with the names of its points: their rows move without anybody's doing."""

    def objects(offered: tuple[Any, ...]) -> dict[str, str]:
        told = {}
        for one in offered:
            name = "" if one.point is None else f"{station.points[one.point].name} "
            told[str(one.ioa)] = f"{name}type {one.type} scale {one.scale:g} offset {one.offset:g}"
        return told

    names = (field.name for field in fields(centre) if field.name not in ("values", "commands", "id", "tls"))
    return {
        **{name: getattr(centre, name) for name in names},
        "tls": {} if centre.tls is None else {one.name: getattr(centre.tls, one.name) for one in fields(centre.tls)},
        "values": objects(centre.values),
        "commands": objects(centre.commands),
    }


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(dotted key, value in words) of everything that is set."""
    if isinstance(value, Text):
        yield path, _word(value.en if value.en == value.zh else f"{value.en} / {value.zh}")
        return
    if isinstance(value, BaseModel):
        value = dict(value)
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _flat(one, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple) and any(isinstance(one, BaseModel | Mapping | Text) for one in value):
        for i, one in enumerate(value, start=1):
            yield from _flat(one, f"{path}.{i}")
    elif value is not None and value not in ((), []):
        yield path, _word(value)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if isinstance(value, list | tuple):
        value = json.dumps(value, ensure_ascii=False, default=str)
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
