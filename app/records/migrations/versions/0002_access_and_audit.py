"""Accounts, roles, versions of the configuration, and the audit with its fence against change and removal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ROW = sa.BigInteger().with_variant(sa.Integer, "sqlite")

_SQLITE_FENCE = """
CREATE TRIGGER audit_no_{verb} BEFORE {verb} ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END
"""
_POSTGRESQL_FENCE = """
CREATE FUNCTION audit_is_added_to() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit is only added to'; END $$;
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_is_added_to();
"""


def upgrade() -> None:
    op.execute("UPDATE schema_version SET version = 2")  # Gridroom 0.1 refuses the database by it
    _accounts()
    op.create_table(
        "config_version",
        sa.Column("id", _ROW, primary_key=True),
        sa.Column("hash", sa.String, nullable=False),
        sa.Column("loaded", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("origin", sa.String, nullable=False),
        sa.Column("files", sa.Text, nullable=False),
        sa.Column("difference", sa.Text, nullable=False),
    )
    _audit()


def _accounts() -> None:
    op.create_table(
        "account",
        sa.Column("id", _ROW, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
        sa.Column("name_key", sa.String, nullable=False, unique=True),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("password_hash", sa.String, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("must_change", sa.Boolean, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("password_changed", sa.BigInteger, nullable=False),
        sa.Column("last_sign_in", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "own_role",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("label_en", sa.String, nullable=False),
        sa.Column("label_zh", sa.String, nullable=False),
        sa.Column("copied_from", sa.String, nullable=False),
        sa.Column("grants", sa.Text, nullable=False),
    )
    versions = op.create_table(
        "access_version",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(versions, [{"id": 1, "version": 0}])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", _ROW, primary_key=True, autoincrement=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("origin", sa.String, nullable=False),
        sa.Column("session", sa.String, nullable=False),
        sa.Column("what", sa.String, nullable=False),
        sa.Column("target", sa.String, nullable=False),
        sa.Column("result", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("asks", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String, nullable=False),
    )
    op.create_index("audit_time", "audit", ["time"])
    op.create_index("audit_actor", "audit", ["actor"])
    op.create_index("audit_what", "audit", ["what"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(_SQLITE_FENCE.format(verb=verb))
    else:
        op.execute(_POSTGRESQL_FENCE)
