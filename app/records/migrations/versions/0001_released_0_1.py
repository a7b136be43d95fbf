"""The tables of Gridroom 0.1.0: journals of alarms and events, and what a restart takes up again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ROW = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    numbers = op.create_table("schema_version", sa.Column("version", sa.Integer, nullable=False))
    op.bulk_insert(numbers, [{"version": 1}])
    op.create_table(
        "alarm_journal",
        sa.Column("id", _ROW, primary_key=True),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("recorded", sa.BigInteger, nullable=False),
        sa.Column("alarm_id", sa.BigInteger, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("what", sa.String, nullable=False),
        sa.Column("condition", sa.String, nullable=False),
        sa.Column("priority", sa.String, nullable=False),
        sa.Column("message_en", sa.String, nullable=False),
        sa.Column("message_zh", sa.String, nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("limit_value", sa.Float),
        sa.Column("unit", sa.String, nullable=False),
        sa.Column("quality", sa.Integer, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
    )
    op.create_index("alarm_journal_time", "alarm_journal", ["time"])
    op.create_index("alarm_journal_source", "alarm_journal", ["source"])
    op.create_index("alarm_journal_alarm", "alarm_journal", ["alarm_id"])
    op.create_table(
        "alarm_active",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("condition", sa.String, nullable=False),
        sa.Column("priority", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("message_en", sa.String, nullable=False),
        sa.Column("message_zh", sa.String, nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("limit_value", sa.Float),
        sa.Column("unit", sa.String, nullable=False),
        sa.Column("raised", sa.BigInteger, nullable=False),
        sa.Column("returned", sa.BigInteger, nullable=False),
        sa.Column("acknowledged", sa.BigInteger, nullable=False),
        sa.Column("acknowledged_by", sa.String, nullable=False),
    )
    op.create_table(
        "event_journal",
        sa.Column("id", _ROW, primary_key=True),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("recorded", sa.BigInteger, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("what", sa.String, nullable=False),
        sa.Column("message_en", sa.String, nullable=False),
        sa.Column("message_zh", sa.String, nullable=False),
        sa.Column("old_value", sa.Float),
        sa.Column("value", sa.Float),
        sa.Column("quality", sa.Integer, nullable=False),
    )
    op.create_index("event_journal_time", "event_journal", ["time"])
    op.create_index("event_journal_source", "event_journal", ["source"])
    op.create_table(
        "status_last",
        sa.Column("source", sa.String, primary_key=True),
        sa.Column("value", sa.Float, nullable=False),
    )
