"""The `alarms` of all points as columns: one rule a row, rules of one point side by side."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.model.clock import SECOND_NS
from app.model.config import AlarmForm, AlarmsForm, LimitForm, Priority, StateAlarmForm
from app.model.own_points import ONLINE
from app.model.station import Point, Station

DEFAULT_PRIORITY: Final = Priority.MEDIUM
"""Of an alarm that names none. Low would hide what somebody cared to declare; high is a judgement for people."""

STATE_SPAN: Final = 1 << 32
"""States are whole numbers within 32 bits, signed."""


class Family(IntEnum):
    """How a rule looks at a value."""

    LIMIT = 0
    STATE = 1
    QUALITY = 2
    LOST = 3


@dataclass(frozen=True, slots=True)
class Rule:
    """What is told of one rule; what is computed with it stands in `Rules`."""

    point: Point
    condition: str
    """hh h l ll state quality lost."""
    priority: Priority
    limit: float
    """NaN where the condition has none."""


@dataclass(frozen=True)
class Rules:
    """All rules of a station, sorted by point. Columns have length r, but `first` n + 1 (points)."""

    rules: tuple[Rule, ...]
    point: NDArray[np.int32]
    family: NDArray[np.int8]
    sign: NDArray[np.float64]
    """1 for hh and h, -1 for l and ll: a limit condition begins where sign * value >= `on`, NaN for other families."""
    on: NDArray[np.float64]
    off: NDArray[np.float64]
    """... and ends where sign * value < `off`, which is `on` less the hysteresis."""
    delay_ns: NDArray[np.int64]
    first: NDArray[np.int64]
    """Rules of point p are those from first[p] up to first[p + 1]."""
    states: NDArray[np.int64]
    """Sorted keys (`state_key`) of every state that is an alarm."""

    def __len__(self) -> int:
        return len(self.rules)

    def by_name(self) -> dict[tuple[str, str], int]:
        """(full point name, condition) -> rule."""
        return {(rule.point.name, rule.condition): i for i, rule in enumerate(self.rules)}


def state_key(rule: NDArray[np.int64], state: NDArray[np.int64]) -> NDArray[np.int64]:
    """One number for a rule and a state of it."""
    return rule * STATE_SPAN + (state + STATE_SPAN // 2)


@dataclass(slots=True)
class _Draft:
    rule: Rule
    family: Family
    sign: float
    on: float
    hysteresis: float
    delay_s: float
    states: tuple[int, ...] = ()


def compile_rules(station: Station) -> Rules:
    """Every alarm that the station declares, `_online` of each connected device among them."""
    drafts = [draft for point in station.points if point.form.alarms for draft in _of_point(point, point.form.alarms)]
    counts = np.bincount([draft.rule.point.index for draft in drafts], minlength=len(station.points))
    keys = [
        state_key(np.array([row], np.int64), np.array(draft.states, np.int64))
        for row, draft in enumerate(drafts)
        if draft.states
    ]
    on = np.array([draft.on for draft in drafts], np.float64)
    return Rules(
        rules=tuple(draft.rule for draft in drafts),
        point=np.array([draft.rule.point.index for draft in drafts], np.int32),
        family=np.array([draft.family for draft in drafts], np.int8),
        sign=np.array([draft.sign for draft in drafts], np.float64),
        on=on,
        off=on - np.array([draft.hysteresis for draft in drafts], np.float64),
        delay_ns=np.array([round(draft.delay_s * SECOND_NS) for draft in drafts], np.int64),
        first=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        states=np.sort(np.concatenate(keys)) if keys else np.empty(0, np.int64),
    )


def _of_point(point: Point, alarms: AlarmsForm) -> list[_Draft]:
    drafts = []
    for condition in ("hh", "h", "l", "ll"):
        limit: LimitForm | float | None = getattr(alarms, condition)
        if limit is not None:
            form = limit if isinstance(limit, LimitForm) else LimitForm(value=limit)
            drafts.append(_draft(point, condition, Family.LIMIT, form))
    if alarms.state:
        # A device's connection is a state like another, but what people call it is a lost device.
        condition = "lost" if point.id == ONLINE else "state"
        drafts.append(_draft(point, condition, Family.STATE, alarms.state))
    for condition, family, asked in (("quality", Family.QUALITY, alarms.quality), ("lost", Family.LOST, alarms.lost)):
        if asked:
            drafts.append(_draft(point, condition, family, asked if isinstance(asked, AlarmForm) else AlarmForm()))
    return drafts


def _draft(point: Point, condition: str, family: Family, own: AlarmForm) -> _Draft:
    """What the alarm does not say of itself comes from the point's `alarms`, then from the defaults."""
    common = point.form.alarms or AlarmForm()
    limit = own.value if isinstance(own, LimitForm) else float("nan")
    sign = (-1.0 if condition in ("l", "ll") else 1.0) if family is Family.LIMIT else float("nan")
    hysteresis = common.hysteresis if own.hysteresis is None else own.hysteresis
    states: tuple[int, ...] = ()
    if isinstance(own, StateAlarmForm):
        states = own.value if isinstance(own.value, tuple) else (own.value,)
    return _Draft(
        Rule(point, condition, own.priority or common.priority or DEFAULT_PRIORITY, limit),
        family=family,
        sign=sign,
        on=sign * limit,
        hysteresis=hysteresis or 0.0,
        delay_s=own.delay or common.delay or 0.0,
        states=states,
    )
