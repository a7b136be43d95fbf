"""Alarms into the records and out of them. Everything here runs on the records' threads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from app.alarms.book import Changes, Line
from app.model.config import Priority
from app.model.text import Text
from app.model.views import AlarmRow, AlarmState
from app.records.tables import alarm_active, alarm_journal


def store(connection: Connection, changes: Changes, recorded: int) -> None:
    """Journal the lines and bring the stored list up to date, in one transaction."""
    if changes.lines:
        connection.execute(insert(alarm_journal), [_journal_row(line, recorded) for line in changes.lines])
    if changes.gone:
        statement = delete(alarm_active).where(alarm_active.c.id == bindparam("gone"))
        connection.execute(statement, [{"gone": id_} for id_ in changes.gone])
    if changes.rows:
        connection.execute(insert(alarm_active), [_active_row(row) for row in changes.rows])


def store_all(connection: Connection, rows: Sequence[AlarmRow]) -> None:
    """Replace the stored list: what is in the database is not known to be right."""
    connection.execute(delete(alarm_active))
    if rows:
        connection.execute(insert(alarm_active), [_active_row(row) for row in rows])


def load(connection: Connection) -> tuple[list[AlarmRow], int]:
    """The list as the last run left it, and the number for the next occurrence."""
    rows = [
        AlarmRow(
            row.id, row.source, row.condition, Priority(row.priority), AlarmState(row.state),
            Text(row.message_en, row.message_zh), _number(row.value), _number(row.limit_value), row.unit,
            row.raised, row.returned, row.acknowledged, row.acknowledged_by,
        )
        for row in connection.execute(select(alarm_active).order_by(alarm_active.c.id))
    ]  # fmt: skip
    journaled = connection.execute(select(func.max(alarm_journal.c.alarm_id))).scalar() or 0
    return rows, max([journaled, *(row.id for row in rows)]) + 1


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _journal_row(line: Line, recorded: int) -> dict[str, Any]:
    row = line.row
    return {
        "time": line.time,
        "recorded": recorded,
        "alarm_id": row.id,
        "source": row.source,
        "what": line.what,
        "condition": row.condition,
        "priority": row.priority.value,
        "message_en": line.message.en,
        "message_zh": line.message.zh,
        "value": line.value,
        "limit_value": row.limit,
        "unit": row.unit,
        "quality": line.quality,
        "actor": line.actor,
    }


def _active_row(row: AlarmRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "source": row.source,
        "condition": row.condition,
        "priority": row.priority.value,
        "state": row.state.value,
        "message_en": row.message.en,
        "message_zh": row.message.zh,
        "value": row.value,
        "limit_value": row.limit,
        "unit": row.unit,
        "raised": row.raised,
        "returned": row.returned,
        "acknowledged": row.acknowledged,
        "acknowledged_by": row.acknowledged_by,
    }
