"""Time: UTC nanoseconds inside, injected, so that a test decides what time it is."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import Final

SECOND_NS: Final = 1_000_000_000
MS_NS: Final = 1_000_000


class Clock(ABC):
    """Where the time comes from."""

    @abstractmethod
    def now_ns(self) -> int:
        """Wall time, UTC nanoseconds since 1970. May jump when somebody sets the clock."""

    @abstractmethod
    def monotonic_ns(self) -> int:
        """Nanoseconds that only ever grow. For intervals, schedules and timeouts."""


class SystemClock(Clock):
    """The machine's own clock."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


class ManualClock(Clock):
    """A clock that stands until it is moved. For tests and replays."""

    def __init__(self, now_ns: int = 1_700_000_000 * SECOND_NS) -> None:
        self._now_ns = now_ns
        self._monotonic_ns = SECOND_NS

    def now_ns(self) -> int:
        return self._now_ns

    def monotonic_ns(self) -> int:
        return self._monotonic_ns

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        step = round(seconds * SECOND_NS)
        self._now_ns += step
        self._monotonic_ns += step

    def set_wall(self, now_ns: int) -> None:
        """Set the wall clock, forward or back, as somebody at the machine may."""
        self._now_ns = now_ns


def to_datetime(time_ns: int) -> datetime:
    """Aware UTC datetime, cut to microseconds."""
    seconds, rest = divmod(time_ns, SECOND_NS)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)


def from_datetime(moment: datetime) -> int:
    """UTC nanoseconds of an aware datetime. Raises ValueError for a naive one: its zone would be a guess."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone; add one before it goes inside")
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * SECOND_NS + moment.microsecond * 1000
