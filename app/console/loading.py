"""What a trend should ask of the history, and whether what it has is enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MARGIN: Final = 0.25
"""Of the span, on both sides: a small pan finds its data there."""
_COARSE: Final = 1.6
"""Buckets that much wider than wanted are good enough to keep."""
_STALE: Final = 0.02
"""Of the span: how far the loaded end may lie behind the present while live values fill up."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One question to the history: UTC nanoseconds and pixels."""

    start_ns: int
    end_ns: int
    pixels: int
    seen_start_ns: int
    seen_end_ns: int

    @property
    def resolution_ns(self) -> float:
        """What one pixel is."""
        return (self.end_ns - self.start_ns) / max(self.pixels, 1)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the trend has."""

    start_ns: int
    end_ns: int
    resolution_ns: float


def wanted(start_ns: int, end_ns: int, now_ns: int, pixels: int) -> Wanted:
    """What is seen with a margin, not beyond now."""
    margin = round((end_ns - start_ns) * _MARGIN)
    start, end = start_ns - margin, min(end_ns + margin, max(now_ns, start_ns + 1))
    wide = round(max(pixels, 1) * (end - start) / max(end_ns - start_ns, 1))
    return Wanted(start, end, max(wide, 2), start_ns, min(end_ns, end))


def covers(loaded: Loaded | None, want: Wanted) -> bool:
    """Whether what is there shows what is seen, finely enough and up to a little before now."""
    if loaded is None:
        return False
    slack = (want.seen_end_ns - want.seen_start_ns) * _STALE
    fine = want.resolution_ns / _COARSE <= loaded.resolution_ns <= want.resolution_ns * _COARSE
    return fine and loaded.start_ns <= want.seen_start_ns and want.seen_end_ns <= loaded.end_ns + slack
