"""What the texts of an element say, worked out from plain values and painted by `items`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from app.model import quality as q
from widgets.diagram.elements import Element, ElementValue, Kind, Role, Switch
from widgets.language import tr
from widgets.times import moment_text
from widgets.values import NOTHING, MarkStyle, age_text, format_value, quality_mark

IDLE_KW: Final = 0.05
"""Below it no direction is told."""
_TOKENS: Final = {
    MarkStyle.GOOD: "live",
    MarkStyle.INVALID: "bad-quality",
    MarkStyle.OLD: "ink-soft",
    MarkStyle.MANUAL: "live",
    MarkStyle.DOUBTFUL: "live",
}
_WORDS: Final = {
    (Role.STORAGE, True): "discharging",
    (Role.STORAGE, False): "charging",
    (Role.GRID, True): "importing",
    (Role.GRID, False): "exporting",
}
_SWITCH_WORDS: Final = {Switch.CLOSED: "closed", Switch.OPEN: "open", Switch.UNKNOWN: "position unknown"}


@dataclass(frozen=True, slots=True)
class Power:
    """A number and how it is painted. `arrow`: 1 up, -1 down, 0 none."""

    text: str
    token: str
    arrow: int = 0
    strike: bool = False
    framed: bool = False
    mark: str = ""
    """Letters of its quality, and its age when it is not topical."""


@dataclass(frozen=True, slots=True)
class Face:
    """The changing texts of an element, below its name."""

    power: Power | None = None
    lines: tuple[str, ...] = ()
    soft: bool = False
    """Painted in `ink-soft`: lost."""


def into_bus(element: Element, power_kw: float) -> bool:
    """Whether this power flows into the busbar, by the sign convention of the element's role."""
    return (power_kw > 0) is not (element.role is Role.LOAD)


def face(element: Element, value: ElementValue, *, above: bool, now_ns: int, zone: ZoneInfo) -> Face:
    """What to write for an element. above: it stands on its busbar. Texts are in the present language."""
    lines = list(value.lines)
    if element.kind is Kind.BREAKER:
        state = tr(_SWITCH_WORDS[value.state or Switch.UNKNOWN])
        known = value.state not in (None, Switch.UNKNOWN)
        lines.insert(0, tr("{state}, inferred", state=state) if value.inferred and known else state)
    if element.kind in (Kind.GRID, Kind.BUS) and element.voltage_kv:
        lines.insert(0, format_value(element.voltage_kv, None, "") + " kV")
    power = _power(element, value, above=above, now_ns=now_ns)
    if power is not None and power.arrow and element.role is not None:
        word = _WORDS.get((element.role, value.power_kw > 0))
        if word:
            lines.insert(0, tr(word))
    if value.lost_since_ns:
        since = moment_text(value.lost_since_ns, zone, now_ns)
        lines.insert(0, tr("lost since {time}", time=since))
    return Face(power, tuple(lines), soft=bool(value.lost_since_ns))


def title(element: Element, language: str, present: int) -> str:
    """The name; of a group with how many of its members are there: `PV 19/20`."""
    name = element.label.in_(language)
    return f"{name} {present}/{len(element.members)}" if element.members else name


def _power(element: Element, value: ElementValue, *, above: bool, now_ns: int) -> Power | None:
    never = value.quality & q.NT and math.isnan(value.power_kw)
    if math.isnan(value.power_kw) and not never and not value.quality & q.IV:
        return None
    text = format_value(abs(value.power_kw), 1, "kW") if element.role is not None else format_value(
        value.power_kw, 1, "kW"
    )  # fmt: skip
    letters, style = quality_mark(value.quality)
    if text == NOTHING or math.isnan(value.power_kw):
        return Power(NOTHING, "ink-soft", mark="" if never else letters)
    if style is MarkStyle.OLD and value.time_ns:
        letters = f"{letters} {age_text(now_ns - value.time_ns)}"
    direction = 0
    if element.role is not None and abs(value.power_kw) >= IDLE_KW:
        direction = 1 if into_bus(element, value.power_kw) is not above else -1
    struck, framed = style is MarkStyle.INVALID, style is MarkStyle.MANUAL
    return Power(text, _TOKENS[style], direction, strike=struck, framed=framed, mark=letters)
