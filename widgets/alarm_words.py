"""What alarms are called, how urgent they are, and how many: one place for list, banner, trees and diagrams."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from app.model.config import Priority
from app.model.station import Point, Station
from app.model.views import AlarmRow, AlarmState
from widgets import language
from widgets.values import format_value

PRIORITY_WORDS: Final[dict[Priority, str]] = {
    Priority.URGENT: "Urgent",
    Priority.HIGH: "High",
    Priority.MEDIUM: "Medium",
    Priority.LOW: "Low",
}
STATE_WORDS: Final[dict[AlarmState, str]] = {
    AlarmState.ACTIVE_UNACKNOWLEDGED: "active, unacknowledged",
    AlarmState.ACTIVE_ACKNOWLEDGED: "active",
    AlarmState.RETURNED_UNACKNOWLEDGED: "returned, unacknowledged",
}
CONDITION_WORDS: Final[dict[str, str]] = {
    "hh": "HH", "h": "H", "l": "L", "ll": "LL", "state": "state", "quality": "quality", "lost": "lost",
    "system": "system",
}  # fmt: skip
WHAT_WORDS: Final[dict[str, str]] = {
    "raised": "raised", "returned": "returned", "acknowledged": "acknowledged", "status": "changed", "system": "system",
    "order": "order",
}  # fmt: skip
RANK: Final = {priority: i for i, priority in enumerate(Priority)}
"""0 is the worst."""


def unacknowledged(row: AlarmRow) -> bool:
    """Whether nobody has seen it yet."""
    return row.state is not AlarmState.ACTIVE_ACKNOWLEDGED


def urgency(row: AlarmRow) -> tuple[bool, int, bool, int]:
    """Sort key, the most important first: unacknowledged, then priority, then active, then the newest."""
    gone = row.state is AlarmState.RETURNED_UNACKNOWLEDGED
    return (not unacknowledged(row), RANK[row.priority], gone, -row.raised)


def counts(rows: Sequence[AlarmRow]) -> dict[Priority, int]:
    """Priority -> how many unacknowledged."""
    return {p: sum(row.priority is p and unacknowledged(row) for row in rows) for p in Priority}


def by_device(rows: Sequence[AlarmRow]) -> dict[str, tuple[Priority, bool]]:
    """Device id -> (worst priority, whether any is unacknowledged)."""
    found: dict[str, tuple[Priority, bool]] = {}
    for row in rows:
        device = row.source.partition(".")[0]
        priority, open_ = found.get(device, (row.priority, False))
        found[device] = (min(priority, row.priority, key=RANK.__getitem__), open_ or unacknowledged(row))
    return found


def source_point(station: Station, source: str) -> Point | None:
    """The point that an alarm is about; None for Gridroom's own and for what the config no longer has."""
    index = station.by_name.get(source)
    return station.points[index] if index is not None else None


def source_name(station: Station, source: str) -> str:
    """The device's name in the present language; `Gridroom` for its own alarms."""
    device = station.by_id.get(source.partition(".")[0])
    if device is not None:
        return device.name.in_(language.name())
    return "Gridroom" if source.startswith("_") else source


def message_text(station: Station, row: AlarmRow) -> str:
    """The message without the device's name in front, where that name stands beside it anyway."""
    message = row.message.in_(language.name())
    return message.removeprefix(source_name(station, row.source)).strip() or message


def value_text(station: Station, row: AlarmRow) -> str:
    """What was measured and the limit: `92.4 °C (90)`."""
    if math.isnan(row.value) or row.condition in {"lost", "quality", "system"}:
        return ""
    point = source_point(station, row.source)
    precision = point.form.precision if point else None
    text = format_value(row.value, precision, row.unit, point.form.states if point else None)
    text = text if math.isnan(row.limit) else f"{text} ({format_value(row.limit)})"
    return text.replace(" ", "\N{NO-BREAK SPACE}")
