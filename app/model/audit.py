"""The rows of the audit: who did what, where, from what to what, and how it ended. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from app.model.access import Actor


class Result(StrEnum):
    """How what was asked ended; each a row of its own."""

    ASKED = "asked"
    """It is about to happen. A row that no other one answers: it was going on when the program ended."""
    DONE = "done"
    FAILED = "failed"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What is to be written."""

    actor: Actor
    what: str
    """`service.method`, such as `alarms.acknowledge`; or an event: `station.started`, `clock.jumped`."""
    target: str = ""
    """Devices, a user, a file: what it was done to."""
    result: Result = Result.DONE
    reason: str = ""
    """A person's reason, why it was denied, or how it failed. English."""
    details: Any = None
    """Arguments and circumstances, as JSON can hold them; never a secret."""
    before: Any = None
    after: Any = None
    asks: int = 0
    """Id of the `asked` row that this one answers; 0 without one."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """What stands in the audit."""

    id: int
    """From 1, without a hole."""
    time: int
    """UTC nanoseconds."""
    actor: str
    role: str
    origin: str
    session: str
    what: str
    target: str
    result: str
    reason: str
    details: str
    """JSON; empty for None, as the two below."""
    before: str
    after: str
    asks: int
    hash: str
    """SHA-256, hex, over every column before and the hash of the row before."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which rows; empty matches all. Texts match anywhere, without case."""

    text: str = ""
    """In who, what, target, reason, details, before or after."""
    meant: tuple[str, ...] = ()
    """What `text` stands for as well, each a whole `what`."""
    actor: str = ""
    what: str = ""
    results: tuple[str, ...] = ()
    start: int = 0
    """UTC nanoseconds, included; 0 from the beginning."""
    end: int = 0
    """Not included; 0 to the end."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last row of the chain at a moment: what is kept in a second place."""

    station: str
    id: int
    hash: str
    time: int
    """UTC nanoseconds when it was taken."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification found."""

    rows: int
    sound: bool
    fault: str = ""
    """English: the first row that is changed, removed, out of order or cut off, and how it shows."""
    fault_id: int = 0
    heads_checked: int = 0
    seconds: float = field(default=0.0, compare=False)
