"""The ledger: each command a row of the audit before it is a frame, and a row of how it ended.

Of a strategy's continuous setpoint a row opens when who, why or the clip's reason changes; the values within it are
history, and a digest of each minute joins the chain (design, part 7). So the ledger is the part of the audit whose
`what` begins with `control.`: one chain, one search, one export.
"""

from __future__ import annotations

import hashlib
import math
import struct
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from app.control.outlet import Sent
from app.model.access import Actor
from app.model.audit import AuditEntry, Result
from app.model.clock import SECOND_NS, Clock
from app.model.station import Point

SETPOINT: Final = "control.setpoint"
DIGEST: Final = "control.digest"
DIGEST_EVERY_S: Final = 60.0
REOPEN_S: Final = 1.0
"""So long after a row could not be written it is tried again."""


class Writer(Protocol):
    """What is asked of the audit."""

    def write(self, entry: AuditEntry, *, later: bool | None = None) -> Future[int]:
        """A row; the future is done when it is on the disk, with its id."""


@dataclass(slots=True)
class _Row:
    """An open row of one setpoint."""

    key: tuple[str, str, str]
    entry: AuditEntry
    written: Future[int]
    urgent: bool
    opened_ns: int
    """Monotonic."""
    count: int = 0
    failures: int = 0
    first: float = math.nan
    last: float = math.nan
    held: float = math.nan


@dataclass(slots=True)
class _Minute:
    """What was sent to one setpoint since the last digest."""

    count: int = 0
    digest: Any = field(default_factory=hashlib.sha256)


class Ledger:
    """On the engine's loop; the audit writes on threads of its own."""

    def __init__(self, audit: Writer, clock: Clock, config_hash: str) -> None:
        self._audit, self._clock = audit, clock
        self._origin = f"config {config_hash[:12]}"
        self._rows: dict[str, _Row] = {}
        self._minutes: dict[str, _Minute] = {}
        self._digest_ns = clock.monotonic_ns()

    def open(
        self,
        point: Point,
        key: tuple[str, str, str],
        *,
        requested: float,
        allowed: float,
        why: str,
        urgent: bool,
        person: str = "",
    ) -> Future[int] | None:
        """The ticket of a value; None where it must not wait. A row opens where who, why or the clip has changed, and
        the one before is on the disk: what changes faster than rows are written would never be sent."""
        row = self._rows.get(point.name)
        now = self._clock.monotonic_ns()
        if row is not None and not row.urgent and not urgent and not row.written.done():
            return row.written
        lost = row is not None and row.written.done() and row.written.exception() is not None and not row.urgent
        if (
            row is None
            or row.key != key
            or row.urgent != urgent
            or (lost and now - row.opened_ns > REOPEN_S * SECOND_NS)
        ):
            if row is not None and not lost:
                self.close(point)
            who, reason, clip = key
            details = {"point": point.name, "reason": reason, "clip": clip, "requested": _number(requested),
                       "allowed": _number(allowed)}  # fmt: skip
            kind = "person" if person else "strategy" if who else ""
            actor = Actor(person or who or ("protection" if clip else ""), kind, self._origin)
            entry = AuditEntry(actor, SETPOINT, point.device, Result.ASKED, why, details)
            row = _Row(key, entry, self._audit.write(entry, later=urgent), urgent, now)
            self._rows[point.name] = row
        return None if row.urgent else row.written

    def sent(self, sent: Sent) -> None:
        """A write of a setpoint ended."""
        name = sent.point.name
        row = self._rows.get(name)
        if row is not None:
            row.count += 1
            row.failures += sent.error is not None
            row.first = sent.value if math.isnan(row.first) else row.first
            row.last, row.held = sent.value, sent.held
        minute = self._minutes.setdefault(name, _Minute())
        minute.count += 1
        minute.digest.update(struct.pack("<qdd?", sent.at, sent.value, sent.held, sent.error is None))

    def close(self, point: Point, *, why: str = "") -> None:
        """The row has ended: another begins, or the setpoint is released."""
        self._end(point.name, why)

    def _end(self, name: str, why: str) -> None:
        row = self._rows.pop(name, None)
        if row is None:
            return
        after = {"first": _number(row.first), "last": _number(row.last), "held": _number(row.held), "writes": row.count,
                 "failures": row.failures}  # fmt: skip
        result = Result.FAILED if row.failures and row.failures == row.count else Result.DONE
        reason = why if row.count else "replaced before it was sent"
        entry = row.entry

        def end(written: Future[int]) -> None:
            if written.cancelled() or written.exception() is not None:
                return  # no row, no command: there is nothing to end
            asks = written.result()
            self._audit.write(AuditEntry(entry.actor, SETPOINT, entry.target, result, reason, after=after, asks=asks))

        row.written.add_done_callback(end)

    def close_all(self, why: str) -> None:
        """The program ends, or the configuration changes."""
        for name in list(self._rows):
            self._end(name, why)
        self.digest()

    def tick(self) -> None:
        """Once a cycle: the digest of each minute."""
        if self._clock.monotonic_ns() - self._digest_ns >= DIGEST_EVERY_S * SECOND_NS:
            self.digest()

    def digest(self) -> None:
        """What was sent since the last one joins the chain."""
        self._digest_ns = self._clock.monotonic_ns()
        minutes, self._minutes = self._minutes, {}
        if minutes:
            details = {name: [one.count, one.digest.hexdigest()] for name, one in sorted(minutes.items())}
            self._audit.write(AuditEntry(Actor("", "", self._origin), DIGEST, "", Result.DONE, details=details))


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
