"""What a single-line diagram consists of, as plain data: elements, how they are connected, what they show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from app.model import quality as q
from app.model.config import DeviceKind, Priority
from app.model.station import Station
from app.model.text import Text


class Kind(StrEnum):
    GRID = "grid"
    TRANSFORMER = "transformer"
    BUS = "bus"
    BREAKER = "breaker"
    FEEDER = "feeder"
    DEVICE = "device"
    GROUP = "group"
    """Many equal devices on one place, folded into one block. Made by `fold`, not by a station file."""


class Switch(StrEnum):
    """Position of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    UNKNOWN = "unknown"


class Role(StrEnum):
    """What the sign of an element's power means (design, idea 4)."""

    SOURCE = "source"
    """Positive into the busbar."""
    STORAGE = "storage"
    """Positive into the busbar, which is discharging."""
    GRID = "grid"
    """Positive into the busbar, which is importing."""
    LOAD = "load"
    """Positive out of the busbar."""


@dataclass(frozen=True, slots=True)
class Element:
    """One symbol. `from_` and `to` name what it stands between, `parent` what it hangs on."""

    id: str
    kind: Kind
    label: Text
    from_: str | None = None
    to: str | None = None
    parent: str | None = None
    device_kind: DeviceKind | None = None
    device: str | None = None
    """The device whose values it shows and that is selected with it."""
    role: Role | None = None
    inline: bool = False
    """A meter that is drawn on the line to its parent instead of hanging on it."""
    voltage_kv: float | None = None
    members: tuple[str, ...] = ()
    """Of a group: the elements folded into it."""


@dataclass(frozen=True, slots=True)
class ElementValue:
    """What is known of an element now. NaN power: it has none."""

    power_kw: float = math.nan
    quality: int = q.GOOD
    time_ns: int = 0
    """Source time of the power, for its age when it is not topical."""
    voltage_v: float = math.nan
    """What it measures of the line that it stands on; decides what is energised."""
    state: Switch | None = None
    """Of a breaker."""
    inferred: bool = False
    """The state follows from voltage or power; no point tells it."""
    running: bool | None = None
    """Fill of the symbol; None: as its line is energised."""
    lines: tuple[str, ...] = ()
    """Further texts in the language of the screen: `SOC 65.2 %`, `fault`."""
    alarm: Priority | None = None
    unacknowledged: bool = False
    lost_since_ns: int = 0
    """When its connection was lost; 0 while it is there."""
    tip: str = ""
    """What hovering tells; empty: name and id."""


NO_VALUE: Final = ElementValue()

_ROLES: Final[dict[DeviceKind, Role]] = {
    DeviceKind.PV_INVERTER: Role.SOURCE,
    DeviceKind.GENSET: Role.SOURCE,
    DeviceKind.PCS: Role.STORAGE,
    DeviceKind.BMS: Role.STORAGE,
    DeviceKind.CHARGER: Role.LOAD,
    DeviceKind.LOAD: Role.LOAD,
}
_ON_LINE: Final = frozenset(_ROLES) | {DeviceKind.METER}
"""Kinds that belong on the diagram even when nobody said where they hang."""
_WORST_FIRST: Final = tuple(Priority)


def from_station(station: Station) -> tuple[Element, ...]:
    """The elements of a station: its topology, and the devices that hang on it or belong to its power circuit."""
    shown_by = {node.device: node.id for node in station.topology if node.device}
    elements = [
        Element(
            node.id,
            Kind(node.kind),
            node.name or _name_of(station, node.device) or Text.of(node.id),
            from_=node.from_,
            to=node.to,
            device_kind=station.by_id[node.device].kind if node.device in station.by_id else None,
            device=node.device,
            role=Role.GRID if node.kind == "grid" else _role_of(station, node.device),
            voltage_kv=node.voltage_kv,
        )
        for node in station.topology
    ]
    places = {node.id: node.kind for node in station.topology}
    metered: set[str] = set()
    for device in station.devices:
        parent = device.parent
        if device.id in shown_by or (parent is None and device.kind not in _ON_LINE and device.id not in places):
            continue
        is_grid_meter = device.id == station.grid_meter
        inline = device.kind is DeviceKind.METER and (is_grid_meter or places.get(parent or "") == "feeder")
        if inline and parent is not None:
            inline = parent not in metered
            metered.add(parent)
        elements.append(
            Element(
                device.id,
                Kind.DEVICE,
                device.name,
                parent=parent,
                device_kind=device.kind,
                device=device.id,
                role=Role.GRID if is_grid_meter else _ROLES.get(device.kind),
                inline=inline and parent is not None,
            )
        )
    return _with_feeder_roles(elements)


def _role_of(station: Station, device: str | None) -> Role | None:
    return _ROLES.get(station.by_id[device].kind) if device in station.by_id else None


def _name_of(station: Station, device: str | None) -> Text | None:
    return station.by_id[device].name if device in station.by_id else None


def _with_feeder_roles(elements: list[Element]) -> tuple[Element, ...]:
    """A feeder's power and its meter's mean what those of its devices mean; a mixed feeder's is a load's."""
    on: dict[str, set[Role]] = {}
    for element in elements:
        if element.parent and element.role and not element.inline:
            on.setdefault(element.parent, set()).add(element.role)

    def role(element: Element) -> Role | None:
        if element.role is not None:
            return element.role
        place = element.parent if element.inline else element.id if element.kind is Kind.FEEDER else None
        if place is None:
            return None
        roles = on.get(place, set())
        return next(iter(roles)) if len(roles) == 1 else Role.LOAD

    return tuple(replace(element, role=role(element)) for element in elements)


def wired(elements: Sequence[Element]) -> set[str]:
    """Ids that stand in somebody's `from` or `to`, or have their own: their `parent` says nothing about wires."""
    known = {element.id for element in elements}
    ids: set[str] = set()
    for element in elements:
        for end in (element.from_, element.to):
            if end in known:
                ids |= {element.id, str(end)}
    return ids


def connections(elements: Sequence[Element]) -> list[tuple[str, str]]:
    """Pairs of ids that a conductor joins, each once, in the order of the elements. Unknown ids are left out.

    An inline meter stands in the pair that leads to its parent: towards the grid where the parent is a busbar.
    """
    known = {element.id for element in elements}
    pairs: dict[tuple[str, str], None] = {}

    def join(a: str | None, b: str | None) -> None:
        if a in known and b in known and a != b and (b, a) not in pairs:
            pairs[a, b] = None

    for element in elements:
        join(element.from_, element.id)
        join(element.id, element.to)
    joined = list(pairs)
    fixed = wired(elements)
    for element in elements:
        if element.id in fixed:
            continue
        if element.inline and element.parent in known:
            joined = _insert(joined, element, elements)
        elif element.parent in known:
            joined.append((element.parent, element.id))
    return joined


def _insert(pairs: list[tuple[str, str]], meter: Element, elements: Sequence[Element]) -> list[tuple[str, str]]:
    """Put a meter into the pair that feeds its parent; hang it on the parent where there is none."""
    parent = str(meter.parent)
    grids = {element.id for element in elements if element.kind is Kind.GRID}
    candidates = [pair for pair in pairs if parent in pair]
    feeding = [pair for pair in candidates if _reaches(pairs, other(pair, parent), parent, grids)]
    if not (feeding or candidates):
        return [*pairs, (parent, meter.id)]
    chosen = (feeding or candidates)[0]
    position = pairs.index(chosen)
    above = other(chosen, parent)
    return [*pairs[:position], (above, meter.id), (meter.id, parent), *pairs[position + 1 :]]


def other(pair: tuple[str, str], one: str) -> str:
    """The other end of a pair."""
    return pair[1] if pair[0] == one else pair[0]


def _reaches(pairs: Iterable[tuple[str, str]], start: str, without: str, goals: set[str]) -> bool:
    """Whether one comes from `start` to one of the goals without passing `without`."""
    seen, todo = {without, start}, [start]
    while todo:
        here = todo.pop()
        if here in goals:
            return True
        for pair in pairs:
            if here in pair and (there := other(pair, here)) not in seen:
                seen.add(there)
                todo.append(there)
    return False


def sum_up(members: Sequence[Element], values: Mapping[str, ElementValue]) -> ElementValue:
    """What a folded group shows: the sum of its usable powers, how many are there, the worst alarm."""
    known = [values.get(member.id, NO_VALUE) for member in members]
    present = [value for value in known if not value.lost_since_ns]
    usable = [value.power_kw for value in present if not math.isnan(value.power_kw) and not value.quality & q.UNUSABLE]
    has_power = any(not math.isnan(value.power_kw) for value in known)
    alarms = [value.alarm for value in known if value.alarm is not None]
    worst = min(alarms, key=_WORST_FIRST.index) if alarms else None
    whole = len(usable) == len(present) and not any(value.quality for value in present)
    return ElementValue(
        power_kw=sum(usable) if usable else math.nan,
        quality=q.GOOD if whole or not has_power else q.DERIVED,
        voltage_v=next((value.voltage_v for value in present if not math.isnan(value.voltage_v)), math.nan),
        running=None if not any(value.running is not None for value in known) else any(v.running for v in known),
        alarm=worst,
        unacknowledged=any(value.unacknowledged and value.alarm is worst for value in known),
        lost_since_ns=min((v.lost_since_ns for v in known), default=0) if known and not present else 0,
    )


def present(members: Sequence[Element], values: Mapping[str, ElementValue]) -> int:
    """How many of a group are not lost."""
    return sum(1 for member in members if not values.get(member.id, NO_VALUE).lost_since_ns)
