"""A control centre and what it is offered, with nothing left to look up in a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.model.text import Text


@dataclass(frozen=True, slots=True)
class OfferedValue:
    """One monitored object: value = raw * scale + offset. `point` is an index into `Station.points`."""

    point: int
    ioa: int
    type: int
    """The one without time."""
    scale: float
    offset: float
    deadband: float
    """In the unit of the point."""
    groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OfferedCommand:
    """One object that may be commanded."""

    ioa: int
    type: int
    point: int | None
    """None for what stands for no point; then there is a name."""
    name: Text
    scale: float
    offset: float
    select: bool


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Whole paths; `password` is a reference."""

    certificate: Path
    key: Path
    password: str | None
    ca: Path | None


@dataclass(frozen=True, slots=True)
class Centre:
    """One dispatch centre. Times in seconds."""

    id: str
    name: Text
    host: str
    port: int
    ca: int
    allow: tuple[str, ...] | None
    """None for everybody."""
    tls: TlsFiles | None
    redundant: bool
    parameters: Mapping[str, Any]
    """k w t1 t2 t3."""
    station_clock: bool
    confirms_clock: bool
    accepts_orders: bool
    timed_measurements: bool
    cyclic_s: float | None
    lost_after_s: float
    values: tuple[OfferedValue, ...]
    commands: tuple[OfferedCommand, ...]
