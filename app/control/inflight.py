"""What was under way when the program ended: nothing is sent again; what came of it is found by reading.

A row of the ledger that nothing answers is either of a command that was sent, or not: only the device knows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from app.control.fleet import Fleet
from app.model.access import Actor
from app.model.audit import AuditEntry, AuditRow, Result
from app.model.control import Quantity
from app.model.station import Point

LOOKED_AT: Final = 2000
"""Rows of the ledger, the newest, that are searched."""


@dataclass(frozen=True, slots=True)
class Open:
    """A row that nothing answers, and the setpoint that it was for; None of a command, which cannot be read back."""

    row: AuditRow
    point: Point | None
    value: float


def unanswered(rows: Iterable[AuditRow], before_ns: int, fleet: Fleet) -> list[Open]:
    """Of rows, the newest first: what was asked before this run and never ended, the oldest first."""
    every = list(rows)
    answered = {row.asks for row in every if row.asks}
    found = []
    for row in reversed(every):
        if row.result == Result.ASKED and row.id not in answered and row.time < before_ns:
            point, value = _meant(_json(row.details), row.target, fleet)
            found.append(Open(row, point, value))
    return found


def ended(one: Open, held: float | None, near: float, origin: str) -> AuditEntry:
    """The row that answers it. `held` is what the device says that it holds; None where nobody can tell."""
    row, what = one.row, "the program ended while it was under way"
    if held is None:
        result, reason = Result.FAILED, f"{what}: whether it was done is not known"
    elif abs(held - one.value) <= near:
        result, reason = Result.DONE, f"{what}; the device holds {held:g}, as was asked"
    else:
        result, reason = Result.FAILED, f"{what}; the device holds {held:g}, and not {one.value:g}"
    actor = Actor(row.actor, row.role, origin)
    return AuditEntry(actor, row.what, row.target, result, reason, after={"held": held}, asks=row.id)


def _meant(details: dict[str, Any], device: str, fleet: Fleet) -> tuple[Point | None, float]:
    """The setpoint and the value of a row's details."""
    value = details.get("allowed", details.get("value"))
    if not isinstance(value, int | float):
        return None, 0.0
    for one in fleet.channels:
        asked = details.get("quantity")
        of_it = one.device.id == device and asked in list(Quantity) and one.quantity is Quantity(str(asked))
        if one.point.name == details.get("point") or of_it:
            return one.point, float(value)
    return None, float(value)


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
