"""How control stood at any minute: from what history and the ledger keep."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

from app.control.fleet import Fleet
from app.control.ledger import SETPOINT
from app.model.audit import AuditFilter, AuditRow, Result
from app.model.clock import SECOND_NS
from app.model.control import Clip, Quantity, ReplayRow, ReplayView
from app.model.own_points import SETPOINT_STAGES, control_id
from app.model.quality import usable
from app.model.views import Series

NEAR_NS: Final = 900 * SECOND_NS
"""A value is looked for so far back, closely."""
FAR_NS: Final = 7 * 86400 * SECOND_NS
"""And so far back, where it has not changed since."""
PIXELS: Final = 900
FAR_PIXELS: Final = 2000
MOST_ROWS: Final = 2000


def wanted_rows(at_ns: int) -> AuditFilter:
    """The rows of the ledger that may have been in force."""
    return AuditFilter(what=SETPOINT, end=at_ns + 1)


def names_of(fleet: Fleet, meter: str | None) -> list[str]:
    """Points that tell it: of each channel what was requested, allowed, sent and flows; then the grid meter."""
    names = []
    for i, one in enumerate(fleet.channels):
        names += [f"{one.device.id}.{control_id(one.quantity.value, stage)}" for stage in SETPOINT_STAGES]
        names.append(fleet.station.points[fleet.feedback[i]].name if fleet.feedback[i] >= 0 else one.point.name)
    return [*names, *([meter] if meter else ())]


def value_at(series: Series, at_ns: int) -> float:
    """The last value before a moment; NaN in a gap, for what may not be used, and where nothing is."""
    if any(int(start) <= at_ns < int(end) for start, end in series.gaps):
        return math.nan
    # Of a bucket only its end is known: one that has not ended tells of what came later.
    before = series.time + series.bucket_ns <= at_ns
    if not before.any():
        return math.nan
    k = int(before.nonzero()[0][-1])
    good = bool(usable(series.last[k : k + 1], series.quality[k : k + 1])[0])
    return float(series.last[k]) if good else math.nan


def in_force(rows: Iterable[AuditRow]) -> dict[str, tuple[AuditRow, dict[str, Any]]]:
    """Setpoint -> the row that was open, of rows the newest first; one that had ended is none."""
    ended: set[int] = set()
    found: dict[str, tuple[AuditRow, dict[str, Any]]] = {}
    seen: set[str] = set()
    for row in rows:
        if row.asks:
            ended.add(row.asks)
        elif row.result == Result.ASKED:
            details = _details(row.details)
            point = str(details.get("point", ""))
            if point not in seen:
                seen.add(point)
                if row.id not in ended:
                    found[point] = row, details
    return found


def view_of(fleet: Fleet, values: Sequence[float], rows: Iterable[AuditRow], at_ns: int, *, meter: bool) -> ReplayView:
    """`values` in the order of `names_of`."""
    force, found = in_force(rows), []
    for i, one in enumerate(fleet.channels):
        requested, allowed, sent, flows = values[4 * i : 4 * i + 4]
        row, details = force.get(one.point.name, (None, {}))
        word = str(details.get("clip", ""))
        clip = Clip(word) if word in set(Clip) else Clip.NONE
        who, why = (row.actor, row.reason) if row is not None else ("", "")
        found.append(ReplayRow(one.device.id, Quantity(one.quantity), requested, allowed, sent, flows, who, why, clip,
                               row.id if row is not None else 0))  # fmt: skip
    return ReplayView(at_ns, values[-1] if meter else math.nan, tuple(found))


def _details(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
