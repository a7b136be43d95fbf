"""What changing and trying devices is told in: plain data between the console and `app.commissioning`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.model.errors import Fault
from app.model.text import Text


@dataclass(frozen=True, slots=True)
class Change:
    """A wish. `form` is a device or a point as it would stand in the file; None removes it."""

    device: str
    """Id of the device that is changed; empty for a new one."""
    form: Mapping[str, Any] | None
    point: str = ""
    """Id of its point that is changed, or overridden where the template has it; empty for the device itself."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change would make of the file. Nothing is written yet."""

    text: str
    difference: tuple[str, ...]
    """Lines of a unified difference."""
    faults: tuple[Fault, ...]
    """What is wrong with it; it can be saved only without any."""
    before: str
    """SHA-256 of the file that it was made from."""
    places: tuple[tuple[str, ...], ...] = ()
    """For each fault its keys within the changed device; below `points` the point's id stands for its position.

    Empty for a fault elsewhere.
    """


@dataclass(frozen=True, slots=True)
class TemplateName:
    """A template that a device may name."""

    name: str
    vendor: str
    model: str
    kind: str
    source: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What a person may choose from who edits the station's file."""

    devices: tuple[dict[str, Any], ...]
    """Every device as it stands in the file, without what its template adds; also those that do not run yet."""
    elements: tuple[str, ...]
    """Ids of the single-line diagram, on which a device may hang."""
    templates: tuple[TemplateName, ...]
    """Those that this station may name, its own first."""
    drivers: tuple[str, ...]
    """Every driver word that a connection may name."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A device that was found in the field, as `devices` of a station file would have it. Applied by a person only."""

    device: Mapping[str, Any]
    why: Text
    """Where it was found."""


@dataclass(frozen=True, slots=True)
class TrialRow:
    """What one point said."""

    point: str
    """Its full name."""
    value: float
    quality: int
    time: int
    """Source time, UTC nanoseconds; 0 where nothing came."""
    remark: Text | None
    """Why the device refuses it, if it does."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of trying a device."""

    device: str
    trouble: Text | None
    """What went wrong; None when the device answered."""
    took_ms: float
    """From the beginning until all points were read; of a device that sends by itself, until it was there."""
    rows: tuple[TrialRow, ...]
