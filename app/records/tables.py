"""The tables of `records.sqlite`. Times are UTC nanoseconds; a value that is no number is NULL."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, String, Table

VERSION: Final = 1
"""Of this set of tables. A database with a higher one was written by a newer Gridroom, and is refused."""

metadata: Final = MetaData()
_Row = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER numbers its rows by itself in SQLite

schema_version: Final = Table("schema_version", metadata, Column("version", Integer, nullable=False))

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
    Column("value", Float),
    Column("limit_value", Float),
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
    Column("value", Float),
    Column("limit_value", Float),
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
    Column("old_value", Float),
    Column("value", Float),
    Column("quality", Integer, nullable=False),
    Index("event_journal_time", "time"),
    Index("event_journal_source", "source"),
)
"""Every change of a status point, one row each, for good."""

status_last: Final = Table(
    "status_last",
    metadata,
    Column("source", String, primary_key=True),
    Column("value", Float, nullable=False),
)
"""The last known state of each status point, so that a change during a standstill is noticed."""
