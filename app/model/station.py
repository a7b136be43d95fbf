"""A station as the running program knows it: everything resolved, nothing left to look up in a file."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from app.model.config import (
    AccessForm,
    AuditForm,
    BlocksForm,
    ControlForm,
    DeviceKind,
    HistoryForm,
    LimitsForm,
    LocationForm,
    NodeForm,
    PointForm,
    PointKind,
    RatingsForm,
    RecordsForm,
)
from app.model.text import Text


@dataclass(frozen=True, slots=True)
class Point:
    """One point of one device. What is said of it stands in `form`, which points of one template share."""

    index: int
    """Position in `Station.points` and in the live table; -1 for a text, which lives beside the table."""
    name: str
    """Full name, `meter1.p_kw`."""
    device: str
    form: PointForm

    @property
    def id(self) -> str:
        return self.form.id

    @property
    def kind(self) -> PointKind:
        return self.form.kind

    @property
    def unit(self) -> str:
        return self.form.unit or ""

    @property
    def label(self) -> Text:
        return self.form.name

    def beside(self, name: str) -> str:
        """The full name of a point that is named here: without a dot it is one of the same device."""
        return name if "." in name else f"{self.device}.{name}"

    @property
    def own(self) -> bool:
        """Whether it is Gridroom's own word on the device: `_online _rtt_ms _errors _late_scans`."""
        return self.form.id.startswith("_")

    @property
    def polled(self) -> bool:
        """Whether it is read from the field again and again: it has an address and is not a mere command."""
        return self.form.address is not None and self.kind not in (PointKind.COMMAND, PointKind.TEXT)


@dataclass(frozen=True, slots=True)
class Device:
    """One device: where it is reached, what it is, and its points."""

    id: str
    name: Text
    kind: DeviceKind
    parent: str | None
    driver: str | None
    """None for a device of computed points only."""
    connection: Mapping[str, Any]
    """Everything the driver asks for, `driver` left out. Holds references to secrets, never secrets."""
    ratings: RatingsForm
    control: ControlForm
    blocks: BlocksForm
    points: tuple[Point, ...]
    """Those of the table: from the field, computed, and Gridroom's own (ids that begin with `_`)."""
    texts: tuple[Point, ...]
    bms: str | None = None
    template: str | None = None
    vendor: str = ""
    model: str = ""
    timezone: str = "UTC"
    """Of the station, for devices whose clocks run in local time."""

    def point(self, id_: str) -> Point | None:
        """The point of this id, if the device has it."""
        return next((point for point in (*self.points, *self.texts) if point.id == id_), None)

    def beside(self, name: str) -> str:
        """The full name of a point that is named here, as `Point.beside`."""
        return name if "." in name else f"{self.id}.{name}"

    def role(self, role: str) -> Point | None:
        """The first point of a role: how everything above the templates finds `active_power` or `soc`."""
        return next((point for point in self.points if point.form.role == role), None)


@dataclass(frozen=True)
class PointColumns:
    """What is declared of every point, as columns of length n in table order."""

    scan_s: NDArray[np.float64]
    deadband: NDArray[np.float64]
    precision: NDArray[np.int8]
    """Decimals; -1 where values are not rounded."""
    low: NDArray[np.float64]
    """The declared range; -inf and inf where there is none."""
    high: NDArray[np.float64]
    status: NDArray[np.bool_]
    """Two-valued or enumerated points (遥信)."""
    device: NDArray[np.int32]
    """Position of the point's device in `Station.devices`."""


@dataclass(frozen=True)
class Station:
    """One station. Built by `app.model.loading`, never by hand outside tests."""

    id: str
    name: Text
    timezone: str
    location: LocationForm
    limits: LimitsForm
    grid_meter: str | None
    read_only: bool
    history: HistoryForm
    topology: tuple[NodeForm, ...]
    devices: tuple[Device, ...]
    points: tuple[Point, ...]
    directory: Path
    config_hash: str = ""
    """SHA-256 of all files that made it, hex."""
    demo: bool = field(default=False)
    access: AccessForm = field(default_factory=AccessForm)
    records: RecordsForm = field(default_factory=RecordsForm)
    audit: AuditForm = field(default_factory=AuditForm)

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @cached_property
    def by_name(self) -> dict[str, int]:
        """Full name -> index, for every point of the table."""
        return {point.name: point.index for point in self.points}

    @cached_property
    def by_id(self) -> dict[str, Device]:
        """Device id -> device."""
        return {device.id: device for device in self.devices}

    def match(self, pattern: str) -> list[int]:
        """Indices of the points whose full name matches a shell pattern; `*` crosses dots."""
        if pattern in self.by_name:
            return [self.by_name[pattern]]
        form = re.compile(fnmatch.translate(pattern))
        return [point.index for point in self.points if form.match(point.name)]

    @cached_property
    def columns(self) -> PointColumns:
        forms = [point.form for point in self.points]
        position = {device.id: i for i, device in enumerate(self.devices)}
        unbounded = (-np.inf, np.inf)
        ranges = np.array([form.range or unbounded for form in forms], dtype=np.float64).reshape(-1, 2)
        return PointColumns(
            scan_s=np.array([form.scan for form in forms], dtype=np.float64),
            deadband=np.array([form.deadband for form in forms], dtype=np.float64),
            precision=np.array([-1 if form.precision is None else form.precision for form in forms], dtype=np.int8),
            low=ranges[:, 0].copy(),
            high=ranges[:, 1].copy(),
            status=np.array([form.kind is PointKind.STATUS for form in forms], dtype=np.bool_),
            device=np.array([position[point.device] for point in self.points], dtype=np.int32),
        )
