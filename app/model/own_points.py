"""Gridroom's own points of every connected device: its connection is seen, trended and alarmed like anything else."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Final

from app.model.config import AlarmsForm, PointForm, PointKind, Priority, StateAlarmForm
from app.model.control import QUANTITY_NAMES, SETPOINT_ROLES, UNITS
from app.model.text import Text

ONLINE: Final = "_online"
RTT_MS: Final = "_rtt_ms"
ERRORS: Final = "_errors"
LATE_SCANS: Final = "_late_scans"


def _count(id_: str, name: Text) -> PointForm:
    return PointForm.model_construct(id=id_, name=name, kind=PointKind.COUNTER, unit="1", precision=0)


@cache
def own_points() -> tuple[PointForm, ...]:
    """The four forms, shared by all devices. They bypass `PointForm`'s checks: they have neither address nor value."""
    return (
        PointForm.model_construct(
            id=ONLINE, name=Text("Connection", "通信状态"), kind=PointKind.STATUS, precision=0,
            states={0: Text("lost", "中断"), 1: Text("online", "在线")},
            alarms=AlarmsForm(state=StateAlarmForm(value=0, priority=Priority.HIGH)),
        ),
        PointForm.model_construct(
            id=RTT_MS, name=Text("Round-trip time", "往返时间"), kind=PointKind.MEASUREMENT, unit="ms",
            precision=1, deadband=1.0, scan=5.0,
        ),
        _count(ERRORS, Text("Errors", "通信错误数")),
        _count(LATE_SCANS, Text("Late scans", "迟到轮询数")),
    )  # fmt: skip


SETPOINT_STAGES: Final[dict[str, Text]] = {
    "requested": Text("requested", "请求值"), "allowed": Text("allowed", "允许值"), "sent": Text("sent", "已下发值"),
}  # fmt: skip
"""What control tells of a setpoint, before the device says what it holds."""


def control_id(quantity: str, stage: str) -> str:
    """`_active_power_allowed`."""
    return f"_{quantity}_{stage}"


@cache
def control_points(quantity: str, unit: str, name: Text) -> tuple[PointForm, ...]:
    """The forms of one setpoint's stages."""
    return tuple(
        PointForm.model_construct(
            id=control_id(quantity, stage), name=Text(f"{name.en}, {words.en}", f"{name.zh}{words.zh}"),
            kind=PointKind.MEASUREMENT, unit=unit, precision=1, deadband=0.1, scan=1.0,
        )
        for stage, words in SETPOINT_STAGES.items()
    )  # fmt: skip


def points_of_control(roles: Collection[str | None]) -> list[PointForm]:
    """What control tells of a device whose points have these roles: three of each setpoint."""
    found: list[PointForm] = []
    for role, quantity in SETPOINT_ROLES.items():
        if role in roles:
            found += control_points(quantity.value, UNITS[quantity], QUANTITY_NAMES[quantity])
    return found
