"""The time that a payload tells of its values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from app.model import quality as q
from app.model.clock import SECOND_NS, from_datetime

UNITS: Final[dict[str, int]] = {"s": SECOND_NS, "ms": 1_000_000, "us": 1_000, "ns": 1}
"""Unit of a number -> nanoseconds."""
AHEAD_NS: Final = 60 * SECOND_NS
"""A source this far ahead of us has a wrong clock, or we have."""
_FIRST_NS: Final = from_datetime(datetime(2000, 1, 1, tzinfo=UTC))
_LAST_NS: Final = from_datetime(datetime(2200, 1, 1, tzinfo=UTC))


def moment_ns(raw: Any, unit_ns: int) -> int | None:
    """UTC nanoseconds of a number in `unit_ns`, or of an ISO 8601 text with its offset.

    None where it is neither, or outside the years 2000 to 2200: then it is a counter since power-up, or garbage.
    """
    try:
        if isinstance(raw, str):
            raw = _of_text(raw, unit_ns)
        elif type(raw) is int:
            raw *= unit_ns
        elif type(raw) is float:
            raw = round(raw * unit_ns)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return raw if _FIRST_NS <= raw < _LAST_NS else None


def judged(moment: int | None, received: int) -> tuple[int, int]:
    """(source time, quality): what cannot be read is the arrival; that, and what lies ahead of us, is CLOCK."""
    if moment is None:
        return received, q.CLOCK
    return moment, q.CLOCK if moment > received + AHEAD_NS else 0


def _of_text(text: str, unit_ns: int) -> int:
    if text.isdecimal() and len(text) <= 20:
        return int(text) * unit_ns
    return from_datetime(datetime.fromisoformat(text))
