"""The book of alarms: which need a person, and what became of each. The states of ISA-18.2, and nothing of columns.

(normal) ──raised──▶ active, unacknowledged ──acknowledged──▶ active, acknowledged ──returned──▶ (normal)
                         │            ▲
                      returned      raised: a new occurrence with a number of its own
                         ▼            │
                    returned, unacknowledged ──acknowledged──▶ (normal)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from app.model.config import Priority
from app.model.text import Text
from app.model.views import AlarmRow, AlarmState

_RANK: Final = {priority: rank for rank, priority in enumerate(Priority)}


class Line(NamedTuple):
    """One transition, for the journal."""

    what: str
    """raised returned acknowledged."""
    row: AlarmRow
    message: Text
    time: int
    """Source time, UTC nanoseconds; of an acknowledgement, when it was given."""
    value: float
    quality: int
    actor: str


@dataclass(slots=True)
class Changes:
    """What the records must hear: lines in order, stored rows that no longer hold, rows as they are now."""

    lines: list[Line] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    rows: list[AlarmRow] = field(default_factory=list)


class Book:
    """Not thread-safe: its owner holds a lock."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], AlarmRow] = {}
        self._keys: dict[int, tuple[str, str]] = {}
        self._next_id = 1
        self._lines: list[Line] = []
        self._touched: dict[tuple[str, str], int] = {}  # key -> id as last stored, 0 where there was none

    def restore(self, rows: Iterable[AlarmRow], next_id: int) -> None:
        """Add rows of an earlier run, none of which is on the list; numbers given from now on are `next_id` or more."""
        for row in rows:
            self._rows[row.source, row.condition] = row
            self._keys[row.id] = (row.source, row.condition)
        self._next_id = max(self._next_id, next_id)

    def known_below(self) -> int:
        """Every number that was ever given is below this one."""
        return self._next_id

    def find(self, source: str, condition: str) -> AlarmRow | None:
        """The alarm of this source and condition, if it is on the list."""
        return self._rows.get((source, condition))

    def rows(self) -> list[AlarmRow]:
        """The list, unsorted."""
        return list(self._rows.values())

    def raised(
        self,
        source: str,
        condition: str,
        *,
        priority: Priority,
        message: Text,
        time: int,
        value: float = float("nan"),
        limit: float = float("nan"),
        unit: str = "",
        quality: int = 0,
    ) -> None:
        """A condition is true. One that was active already stays the same occurrence."""
        key = (source, condition)
        row = self._rows.get(key)
        if row is not None and row.state is not AlarmState.RETURNED_UNACKNOWLEDGED:
            return
        new = AlarmRow(
            self._next_id, source, condition, priority, AlarmState.ACTIVE_UNACKNOWLEDGED, message, value, limit, unit,
            time, 0, 0,
        )  # fmt: skip
        self._next_id += 1
        self._put(key, row, new)
        self._lines.append(Line("raised", new, message, time, value, quality, ""))

    def reworded(self, source: str, condition: str, message: Text) -> bool:
        """Say it in other words; no transition. Returns whether there was such an active alarm in other words."""
        row = self._rows.get((source, condition))
        if row is None or row.state is AlarmState.RETURNED_UNACKNOWLEDGED or row.message == message:
            return False
        self._rows[source, condition] = replace(row, message=message)
        return True

    def returned(
        self,
        source: str,
        condition: str,
        *,
        message: Text,
        time: int,
        value: float = float("nan"),
        quality: int = 0,
        actor: str = "",
    ) -> None:
        """A condition is no longer true."""
        key = (source, condition)
        row = self._rows.get(key)
        if row is None or row.state is AlarmState.RETURNED_UNACKNOWLEDGED:
            return
        if row.state is AlarmState.ACTIVE_ACKNOWLEDGED:
            self._put(key, row, None)
        else:
            self._put(key, row, replace(row, state=AlarmState.RETURNED_UNACKNOWLEDGED, returned=time))
        self._lines.append(Line("returned", row, message, time, value, quality, actor))

    def acknowledge(self, ids: Sequence[int], actor: str, time: int) -> list[int]:
        """Somebody has seen these occurrences. Returns those that were waiting for it."""
        done = []
        for id_ in ids:
            key = self._keys.get(id_)
            row = self._rows[key] if key else None
            if key is None or row is None or row.state is AlarmState.ACTIVE_ACKNOWLEDGED:
                continue
            if row.state is AlarmState.RETURNED_UNACKNOWLEDGED:
                self._put(key, row, None)
            else:
                state = AlarmState.ACTIVE_ACKNOWLEDGED
                self._put(key, row, replace(row, state=state, acknowledged=time, acknowledged_by=actor))
            self._lines.append(Line("acknowledged", row, row.message, time, row.value, 0, actor))
            done.append(id_)
        return done

    def changes(self) -> Changes:
        """What happened since this was asked last."""
        changes = Changes(
            self._lines,
            [id_ for id_ in self._touched.values() if id_],
            [self._rows[key] for key in self._touched if key in self._rows],
        )
        self._lines, self._touched = [], {}
        return changes

    def _put(self, key: tuple[str, str], old: AlarmRow | None, new: AlarmRow | None) -> None:
        self._touched.setdefault(key, old.id if old else 0)
        if old:
            del self._keys[old.id]
        if new:
            self._rows[key] = new
            self._keys[new.id] = key
        else:
            del self._rows[key]


def in_order(rows: Iterable[AlarmRow]) -> tuple[AlarmRow, ...]:
    """The worst priority first, of one priority the unacknowledged, of those the newest."""
    return tuple(sorted(rows, key=_order))


def _order(row: AlarmRow) -> tuple[int, bool, int, int]:
    return _RANK[row.priority], row.state is AlarmState.ACTIVE_ACKNOWLEDGED, -row.raised, -row.id
