"""What the service facade answers: plain data, so that a process boundary can stand between it and who asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from app.model.config import Priority
from app.model.text import Text


@dataclass(frozen=True, slots=True)
class RawValues:
    """What drivers read last of the m points that have filters (`clean`), before any of them; points rise."""

    point: NDArray[np.int32]
    value: NDArray[np.float64]
    """In the point's unit as its `scale` and `offset` make it; NaN before the first."""
    quality: NDArray[np.uint16]
    time: NDArray[np.int64]
    """Source time, UTC nanoseconds; 0 before the first."""

    def row(self, point: int) -> int | None:
        """Where a point stands here; None for one without filters."""
        at = int(np.searchsorted(self.point, point))
        return at if at < len(self.point) and self.point[at] == point else None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The live table at one moment: copies of its columns, all of length n (`Station.points`)."""

    sequence: int
    """Grows with every batch applied; ask for what changed since an earlier one."""
    taken: int
    """UTC nanoseconds."""
    value: NDArray[np.float64]
    quality: NDArray[np.uint16]
    time: NDArray[np.int64]
    received: NDArray[np.int64]
    changed: NDArray[np.int64]
    """Sequence at which each row last changed: rows with `changed > earlier.sequence` are new."""
    raw: RawValues | None = None
    """None where no point of the station has filters."""
    configuration: str = ""
    """Hash of the configuration whose points these are: rows mean others after a change."""


class LinkState(StrEnum):
    """Where a device's connection stands."""

    STARTING = "starting"
    ONLINE = "online"
    LOST = "lost"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """A device's connection as a person wants to know it."""

    device: str
    state: LinkState
    since: int
    """UTC nanoseconds of the last change of state."""
    rtt_ms: float
    errors: int
    late_scans: int
    last_error: Text | None
    """What went wrong last; None when nothing did."""
    next_try: int
    """UTC nanoseconds of the next attempt while lost; 0 otherwise."""
    remarks: dict[str, Text] = field(default_factory=dict)
    """Point name -> why it has no value, for instance `exception 2, illegal data address`."""
    texts: dict[str, str] = field(default_factory=dict)
    """Point id -> text read from the device (serial number, version)."""


@dataclass(frozen=True, slots=True)
class CentreStatus:
    """A dispatch centre that the station is offered to."""

    centre: str
    name: Text
    port: int
    """At which it may connect; 0 while nobody can."""
    connected: tuple[str, ...]
    """Addresses of the peers that are there."""
    transferring: tuple[str, ...]
    """Of those, the ones that take data."""
    waiting: int
    """Changes that are not sent yet."""
    superseded: int
    """Measured values that a newer one has replaced while they waited, since the worker's start."""
    lost: int
    """Changes of states and counters that were given up; then everything was sent once more."""
    orders: int
    """Commands that came, since the start."""
    clock_ahead_s: float | None
    """By how much the clock that it last tried to set is ahead of ours."""
    last_error: Text | None
    """Why nobody can connect."""
    faults: dict[Text, int]
    """What it sent that could not be read, and who was turned away -> how often."""


@dataclass(frozen=True, slots=True)
class Health:
    """How the engine is."""

    points_per_s: float
    devices_online: int
    devices_total: int
    history: Text | None
    """What is wrong with it; None while it is well."""
    late_p99_ms: float
    uptime_s: float


@dataclass(frozen=True, slots=True)
class Series:
    """One pen of a trend: buckets of `bucket_ns`, or single samples where `bucket_ns` is 0 (then min = max = mean).

    All columns have one length; time rises. `gaps` are intervals without record (program stopped, device lost).
    """

    point: str
    tier: str
    """raw, 1s, 5s, 15min or 1h: where the numbers come from."""
    bucket_ns: int
    time: NDArray[np.int64]
    """Bucket start or sample time, UTC nanoseconds."""
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    mean: NDArray[np.float64]
    first: NDArray[np.float64]
    last: NDArray[np.float64]
    count: NDArray[np.int64]
    quality: NDArray[np.uint16]
    """All bits that occurred in the bucket."""
    gaps: NDArray[np.int64]
    """int64[k, 2]: start and end of each gap within the asked interval, UTC nanoseconds."""


class AlarmState(StrEnum):
    """ISA-18.2 states that exist so far."""

    ACTIVE_UNACKNOWLEDGED = "active_unacknowledged"
    ACTIVE_ACKNOWLEDGED = "active_acknowledged"
    RETURNED_UNACKNOWLEDGED = "returned_unacknowledged"


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """An alarm that needs a person."""

    id: int
    """Of this occurrence, unique in the records."""
    source: str
    """Full point name, `_system.history` for Gridroom's own."""
    condition: str
    """hh h l ll state quality lost system."""
    priority: Priority
    state: AlarmState
    message: Text
    value: float
    """At the moment it was raised."""
    limit: float
    """NaN where the condition has none."""
    unit: str
    raised: int
    returned: int
    """0 while active."""
    acknowledged: int
    """0 while unacknowledged."""
    acknowledged_by: str = ""


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One line of the alarm or event journal."""

    id: int
    time: int
    """Source time, UTC nanoseconds."""
    recorded: int
    source: str
    what: str
    """raised returned acknowledged (alarms), status (events), system."""
    condition: str
    priority: str
    message: Text
    value: float
    quality: int
    actor: str


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of the station and the disk below it."""

    path: str
    used_bytes: int
    """By what Gridroom has stored there."""
    free_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class SystemView:
    """What the station runs on."""

    data: Place
    config: Place
    config_hash: str
    """SHA-256 of all files of the configuration."""
    started: int
    """UTC nanoseconds."""
    machine: str
    python: str
    parts: tuple[tuple[str, str, str], ...]
    """(name, version, licence) of Gridroom and every library it runs on, as their packages say."""
