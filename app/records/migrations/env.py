"""What alembic runs to reach a database: the connection, and the transaction, of `moving.move`."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
