"""The tables of the records database. Times are UTC nanoseconds; a value that is no number is NULL.

What stands here is the newest form; `app.records.migrations` leads every older one to it, and a test compares the two.
"""

from __future__ import annotations

import math
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text, TypeDecorator


class _Number(TypeDecorator[float]):
    """A value that is no number is NULL. SQLite makes it so by itself, PostgreSQL would keep NaN."""

    impl = Float
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Any) -> float | None:
        return None if value is None or math.isnan(value) else value


metadata: Final = MetaData()
_Row = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER numbers its rows by itself in SQLite

schema_version: Final = Table("schema_version", metadata, Column("version", Integer, nullable=False))
"""What Gridroom 0.1 looks at: one row, a number that it refuses. Today's version stands in `alembic_version`."""

alarm_journal: Final = Table(
    "alarm_journal",
    metadata,
    Column("id", _Row, primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("recorded", BigInteger, nullable=False),
    Column("alarm_id", BigInteger, nullable=False),
    Column("source", String, nullable=False),
    Column("what", String, nullable=False),
    Column("condition", String, nullable=False),
    Column("priority", String, nullable=False),
    Column("message_en", String, nullable=False),
    Column("message_zh", String, nullable=False),
    Column("value", _Number),
    Column("limit_value", _Number),
    Column("unit", String, nullable=False),
    Column("quality", Integer, nullable=False),
    Column("actor", String, nullable=False),
    Index("alarm_journal_time", "time"),
    Index("alarm_journal_source", "source"),
    Index("alarm_journal_alarm", "alarm_id"),
)
"""Every transition of every alarm, one row each, for good."""

alarm_active: Final = Table(
    "alarm_active",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("source", String, nullable=False),
    Column("condition", String, nullable=False),
    Column("priority", String, nullable=False),
    Column("state", String, nullable=False),
    Column("message_en", String, nullable=False),
    Column("message_zh", String, nullable=False),
    Column("value", _Number),
    Column("limit_value", _Number),
    Column("unit", String, nullable=False),
    Column("raised", BigInteger, nullable=False),
    Column("returned", BigInteger, nullable=False),
    Column("acknowledged", BigInteger, nullable=False),
    Column("acknowledged_by", String, nullable=False),
)
"""The alarms that need a person now: what a restart takes up again."""

event_journal: Final = Table(
    "event_journal",
    metadata,
    Column("id", _Row, primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("recorded", BigInteger, nullable=False),
    Column("source", String, nullable=False),
    Column("what", String, nullable=False),
    Column("message_en", String, nullable=False),
    Column("message_zh", String, nullable=False),
    Column("old_value", _Number),
    Column("value", _Number),
    Column("quality", Integer, nullable=False),
    Index("event_journal_time", "time"),
    Index("event_journal_source", "source"),
)
"""Every change of a status point, one row each, for good."""

status_last: Final = Table(
    "status_last",
    metadata,
    Column("source", String, primary_key=True),
    Column("value", _Number, nullable=False),
)
"""The last known state of each status point, so that a change during a standstill is noticed."""

account: Final = Table(
    "account",
    metadata,
    Column("id", _Row, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("name_key", String, nullable=False, unique=True),
    Column("role", String, nullable=False),
    Column("password_hash", String, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("must_change", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("password_changed", BigInteger, nullable=False),
    Column("last_sign_in", BigInteger, nullable=False),
)
"""Who may sign in. `name_key` is the name in NFKC, casefolded: no two people are told apart by a capital letter."""

own_role: Final = Table(
    "own_role",
    metadata,
    Column("name", String, primary_key=True),
    Column("label_en", String, nullable=False),
    Column("label_zh", String, nullable=False),
    Column("copied_from", String, nullable=False),
    Column("grants", Text, nullable=False),
)
"""Roles beside the four given ones. `grants` is JSON: a list of [action, area]."""

access_version: Final = Table(
    "access_version",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
)
"""One row, id 1, from the beginning: a number that every change of accounts or roles raises, so that others notice."""

config_version: Final = Table(
    "config_version",
    metadata,
    Column("id", _Row, primary_key=True),
    Column("hash", String, nullable=False),
    Column("loaded", BigInteger, nullable=False),
    Column("actor", String, nullable=False),
    Column("origin", String, nullable=False),
    Column("files", Text, nullable=False),
    Column("difference", Text, nullable=False),
)
"""Every configuration that was loaded. `files` and `difference` are JSON."""

audit: Final = Table(
    "audit",
    metadata,
    Column("id", _Row, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),
    Column("actor", String, nullable=False),
    Column("role", String, nullable=False),
    Column("origin", String, nullable=False),
    Column("session", String, nullable=False),
    Column("what", String, nullable=False),
    Column("target", String, nullable=False),
    Column("result", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("asks", BigInteger, nullable=False),
    Column("hash", String, nullable=False),
    Index("audit_time", "time"),
    Index("audit_actor", "actor"),
    Index("audit_what", "what"),
)
"""Who did what: a chain, each hash over the row before (`app.access.chain`). Triggers refuse change and removal."""
