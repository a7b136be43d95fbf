"""Relational records: journals, and what must outlive a restart. SQLite in the data folder, through SQLAlchemy Core."""
