"""Reading the journals of alarms and events: in pages, filtered, or as rows for a file."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Select, Table, select

from app.model.clock import to_datetime
from app.model.config import Priority
from app.model.quality import letters
from app.model.text import Text
from app.model.views import JournalRow
from app.records.patterns import matches
from app.records.tables import alarm_journal

EXPORT_ROWS: Final = 1_000_000
"""The most that one export holds; more is asked for in spans of time."""

_HEADER: Final = (
    Text("time", "时间"), Text("recorded", "记录时间"), Text("source", "对象"), Text("what", "动作"),
    Text("condition", "条件"), Text("priority", "级别"), Text("message", "内容"), Text("value", "值"),
    Text("quality", "质量"), Text("actor", "操作人"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class JournalFilter:
    """What of a journal is wanted. Without a word: all of it."""

    source: str = "*"
    """A shell pattern on full names; `*` crosses dots."""
    start_ns: int | None = None
    """UTC nanoseconds of the source time, included."""
    end_ns: int | None = None
    """Excluded."""
    priorities: tuple[Priority, ...] = ()
    """Of these only; none named: of all. Events have none, and are not filtered by it."""


EVERYTHING: Final = JournalFilter()

Cell = str | float
"""NaN does not occur: a value that is no number is an empty text."""


def page(
    table: Table, limit: int, before_id: int | None, wanted: JournalFilter
) -> Callable[[Connection], list[JournalRow]]:
    """At most `limit` rows, the last recorded first; `before_id` is the id of the last row of the page before."""

    def run(connection: Connection) -> list[JournalRow]:
        statement = _matching(connection, table, wanted).order_by(table.c.id.desc()).limit(limit)
        if before_id is not None:
            statement = statement.where(table.c.id < before_id)
        return [_row(row) for row in connection.execute(statement)]

    return run


def export(
    table: Table, wanted: JournalFilter, zone: ZoneInfo, language: str
) -> Callable[[Connection], list[tuple[Cell, ...]]]:
    """A header and all rows by source time, times in ISO 8601 with milliseconds and the zone's offset."""

    def run(connection: Connection) -> list[tuple[Cell, ...]]:
        statement = _matching(connection, table, wanted).order_by(table.c.time, table.c.id).limit(EXPORT_ROWS)
        header = tuple(text.in_(language) for text in _HEADER)
        return [header, *(_cells(_row(row), zone, language) for row in connection.execute(statement))]

    return run


def _matching(connection: Connection, table: Table, wanted: JournalFilter) -> Select[Any]:
    statement = select(table)
    if wanted.source != "*":
        statement = statement.where(matches(connection, table.c.source, wanted.source))
    if wanted.start_ns is not None:
        statement = statement.where(table.c.time >= wanted.start_ns)
    if wanted.end_ns is not None:
        statement = statement.where(table.c.time < wanted.end_ns)
    if wanted.priorities and table is alarm_journal:
        statement = statement.where(table.c.priority.in_([priority.value for priority in wanted.priorities]))
    return statement


def _row(row: Any) -> JournalRow:
    alarm = hasattr(row, "condition")
    return JournalRow(
        row.id, row.time, row.recorded, row.source, row.what,
        row.condition if alarm else "", row.priority if alarm else "",
        Text(row.message_en, row.message_zh), math.nan if row.value is None else row.value, row.quality,
        row.actor if alarm else "",
    )  # fmt: skip


def _cells(row: JournalRow, zone: ZoneInfo, language: str) -> tuple[Cell, ...]:
    def when(time_ns: int) -> str:
        return to_datetime(time_ns).astimezone(zone).isoformat(timespec="milliseconds")

    value: Cell = row.value if math.isfinite(row.value) else ""
    return (
        when(row.time), when(row.recorded), row.source, row.what, row.condition, row.priority,
        row.message.in_(language), value, letters(row.quality), row.actor,
    )  # fmt: skip
