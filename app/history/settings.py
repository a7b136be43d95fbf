"""Knobs of the history that a station file does not have; tests and benches turn them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """How the history goes about its work."""

    pace_s: float = 0.5
    """A commit so often: with the time a commit takes, no more than the last second is lost at any kill."""
    memory_mb: int = 48
    """What DuckDB may hold in memory; sorting at the end of an hour takes more for a while."""
    pending_rows: int = 2_000_000
    """Rows that wait in memory while the disk refuses them, about 25 bytes each. What comes after is not stored."""
    low_space_mb: int = 1000
    """Less free than this is an alarm."""
    no_space_mb: int = 100
    """Less free than this, and writing pauses before the disk is full for every program on it."""
    retry_s: float = 2.0
    """Between attempts to write after a failure."""
    keeper_s: float = 10.0
    """Between looks at what is to be closed, sealed and dropped."""
    readers: int = 2
    """Queries answered at one time."""
