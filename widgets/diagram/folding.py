"""Many equal devices on one place become one block, which may be unfolded again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from app.model.config import DeviceKind
from app.model.text import Text
from widgets.diagram.elements import Element, Kind, wired

FOLD_FROM: Final = 4
"""So many equal devices on one place are folded into one block."""
LABELS: Final = {
    DeviceKind.PV_INVERTER: Text("PV", "光伏"),
    DeviceKind.PCS: Text("PCS", "变流器"),
    DeviceKind.BMS: Text("Batteries", "电池"),
    DeviceKind.CHARGER: Text("Chargers", "充电桩"),
    DeviceKind.LOAD: Text("Loads", "负荷"),
    DeviceKind.METER: Text("Meters", "电表"),
    DeviceKind.GENSET: Text("Gensets", "柴发"),
}

_Key = tuple[str, DeviceKind]


def group_id(parent: str, kind: DeviceKind) -> str:
    """The id of a group; no element of a station file can have it."""
    return f"{parent}/{kind.value}"


def groups(elements: Sequence[Element]) -> dict[str, tuple[str, ...]]:
    """Group id -> ids of the devices that it folds, in the order of the elements."""
    return {group_id(*key): tuple(member.id for member in members) for key, members in _sets(elements).items()}


def _sets(elements: Sequence[Element]) -> dict[_Key, list[Element]]:
    hung_on = {element.parent for element in elements}
    fixed = wired(elements)
    sets: dict[_Key, list[Element]] = {}
    for element in elements:
        if element.kind is not Kind.DEVICE or element.inline or element.id in hung_on or element.id in fixed:
            continue
        if element.parent and element.device_kind:
            sets.setdefault((element.parent, element.device_kind), []).append(element)
    return {key: members for key, members in sets.items() if len(members) >= FOLD_FROM}


def fold(elements: Sequence[Element], unfolded: Collection[str] = ()) -> tuple[Element, ...]:
    """The elements with a group in place of its members; one in `unfolded` stands before them and they hang on it."""
    sets = _sets(elements)
    key_of = {member.id: key for key, members in sets.items() for member in members}
    shown: list[Element] = []
    for element in elements:
        key = key_of.get(element.id)
        if key is None:
            shown.append(element)
            continue
        members = sets[key]
        group = group_id(*key)
        if element is members[0]:
            shown.append(
                Element(
                    group,
                    Kind.GROUP,
                    LABELS.get(key[1], element.label),
                    parent=key[0],
                    device_kind=key[1],
                    role=element.role,
                    members=tuple(member.id for member in members),
                )
            )
        if group in unfolded:
            shown.append(replace(element, parent=group))
    return tuple(shown)
