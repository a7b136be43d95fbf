"""Gridroom's own points of every connected device: its connection is seen, trended and alarmed like anything else."""

from __future__ import annotations

from functools import cache
from typing import Final

from app.model.config import AlarmsForm, PointForm, PointKind, Priority, StateAlarmForm
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
