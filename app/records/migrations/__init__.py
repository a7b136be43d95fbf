"""From the tables of every released version to today's, by alembic. Never edit a revision that was released."""
