"""How a value is written on the screen: number, unit, state name, quality, age. No Qt objects; every view agrees.

Tables that keep the unit in a column of its own pass `unit=""`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from app.model import quality as q
from app.model.clock import SECOND_NS
from app.model.text import Text
from app.model.units import symbol
from widgets import language as lang

MINUS: Final = "\N{MINUS SIGN}"
NOTHING: Final = "\N{EN DASH}"
"""What stands where there is no value."""
THOUSANDS: Final[dict[str, str]] = {"en": ",", "zh": ","}
"""The separator of thousands; Unicode's locale data give both languages a comma."""
_SIGNIFICANT: Final = 7
"""Digits of a value whose point declares no precision."""


class MarkStyle(StrEnum):
    """How a view paints a value of some quality."""

    GOOD = "good"
    """As it is, in `live`."""
    INVALID = "invalid"
    """Struck through, in `bad-quality`: IV."""
    OLD = "old"
    """Faded, with its age: NT."""
    MANUAL = "manual"
    """In a frame of `manual`: SB or FORCED."""
    DOUBTFUL = "doubtful"
    """As it is, with its letters in `bad-quality`: everything else."""


class QualityMark(NamedTuple):
    text: str
    """The letters, worst first: `IV CLOCK`. Empty when good."""
    style: MarkStyle


_WORST_FIRST: Final = (
    q.IV, q.OV, q.NT, q.BL, q.SB, q.FORCED, q.RANGE, q.CLOCK, q.DERIVED, q.ESTIMATED, q.TEST,
)  # fmt: skip
_STYLES: Final = (
    (q.IV, MarkStyle.INVALID),
    (q.NT, MarkStyle.OLD),
    (q.SB | q.FORCED, MarkStyle.MANUAL),
    (0xFFFF, MarkStyle.DOUBTFUL),
)


def format_value(
    value: float,
    precision: int | None = None,
    unit: str = "",
    states: Mapping[int, Text] | None = None,
    language: str | None = None,
) -> str:
    """The value as a person reads it: `−1,250.5 kW`, `closed`, `–` for NaN.

    precision: decimals, always all of them; None shows up to seven significant digits.
    unit: as the model writes it (`degC`); "" leaves it out. A state name stands without a unit.
    language: `en` or `zh`; None for the present one.
    """
    language = language or lang.name()
    value = float(value)
    if math.isnan(value):
        return NOTHING
    if states and value.is_integer() and int(value) in states:
        return states[int(value)].in_(language)
    number = _number(value, precision, language)
    shown = symbol(unit)
    return f"{number} {shown}" if shown else number


def _number(value: float, precision: int | None, language: str) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    size = abs(value)
    if precision is not None:
        digits = f"{size:,.{max(precision, 0)}f}"
    elif size >= 1e15 or 0 < size < 1e-6:
        digits = f"{size:.3g}"
    else:
        whole = len(str(int(size))) if size >= 1 else 0
        digits = f"{size:,.{min(max(_SIGNIFICANT - whole, 0), 9)}f}"
        digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    negative = value < 0 and any(c in "123456789" for c in digits)
    digits = digits.replace(",", THOUSANDS.get(language, ","))
    return f"{MINUS}{digits}" if negative else digits


def quality_mark(quality: int) -> QualityMark:
    """The letters of a quality and how its value is painted."""
    if quality == q.GOOD:
        return QualityMark("", MarkStyle.GOOD)
    text = " ".join(q.LETTERS[bit] for bit in _WORST_FIRST if quality & bit)
    return QualityMark(text, next(style for bits, style in _STYLES if quality & bits))


_AGES: Final = ((86_400, "d", "天"), (3_600, "h", "小时"), (60, "min", "分钟"), (1, "s", "秒"))


def age_text(age_ns: int, language: str | None = None) -> str:
    """How long ago, in the largest whole unit: `3 min`, `3 分钟`. Under a second and from the future: `0 s`."""
    seconds = max(age_ns, 0) // SECOND_NS
    size, en, zh = next((row for row in _AGES if seconds >= row[0]), _AGES[-1])
    return f"{seconds // size} {zh if (language or lang.name()) == 'zh' else en}"
