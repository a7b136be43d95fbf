"""Reading the audit: a page of it, or all that matches."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, Connection, Select, literal, select, text

from app.access.chain import COLUMNS, verify_rows
from app.model.audit import AuditFilter, AuditRow, Head, Verdict
from app.records.tables import audit

_PORTION: Final = 1000
_SEARCHED: Final = ("actor", "what", "target", "reason", "details", "before", "after")
_BETWEEN: Final = literal("\n")
_columns: Final = [audit.c[name] for name in COLUMNS]


def page(connection: Connection, wanted: AuditFilter, limit: int, before_id: int | None) -> list[AuditRow]:
    """The newest rows first; `before_id` is the id of the last row of the page before."""
    statement = _matching(connection, wanted).order_by(audit.c.id.desc()).limit(limit)
    if before_id is not None:
        statement = statement.where(audit.c.id < before_id)
    return [AuditRow(*row) for row in connection.execute(statement)]


def matching(connection: Connection, wanted: AuditFilter) -> Iterator[AuditRow]:
    """The oldest row first."""
    statement = _matching(connection, wanted).order_by(audit.c.id)
    with connection.execution_options(yield_per=_PORTION).execute(statement) as rows:
        for row in rows:
            yield AuditRow(*row)


def verdict(connection: Connection, station: str, heads: Iterable[Head] = ()) -> Verdict:
    """Whether every row is as it was written, and found by whoever searches: `verify_rows`, then the indexes."""
    began = perf_counter()
    found = verify_rows(station, bare_rows(connection), heads)
    if not found.sound or connection.dialect.name != "sqlite":
        return found
    # A row that an index does not know is there, and no search and no export of a period shows it.
    state = connection.execute(text("PRAGMA integrity_check(audit)")).scalar()
    words = f"all rows are as they were written, but searches and exports miss some: {state}; REINDEX audit mends it"
    sound = state == "ok"
    return replace(found, sound=sound, fault="" if sound else words, seconds=perf_counter() - began)


def bare_rows(connection: Connection) -> Iterator[Sequence[Any]]:
    """Every row by id, as the database's own driver gives it: whoever verifies looks at each."""
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    statement = f"SELECT {names} FROM audit ORDER BY id"
    raw = cast(Any, connection.connection.driver_connection)
    if connection.dialect.name != "sqlite":
        # A named cursor of PostgreSQL's leaves the rows at the server until they are wanted.
        yield from _fetched(raw.cursor(name="audit_rows"), statement)
        return
    count = 0
    try:
        for row in _fetched(raw.cursor(), statement):
            yield row
            count += 1
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):
            raise
        raw.text_factory = _any_bytes  # slower; the row with such a text shall be named
        try:
            yield from _fetched(raw.cursor(), f"{statement} LIMIT -1 OFFSET {count}")
        finally:
            raw.text_factory = str


def _fetched(cursor: Any, statement: str) -> Iterator[Sequence[Any]]:
    try:
        cursor.execute(statement)
        while rows := cursor.fetchmany(_PORTION):
            yield from rows
    finally:
        cursor.close()


def _any_bytes(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _matching(connection: Connection, wanted: AuditFilter) -> Select[Any]:
    statement = select(*_columns)
    if wanted.text:
        everything: ColumnElement[str] = audit.c[_SEARCHED[0]]
        for name in _SEARCHED[1:]:
            everything = everything + _BETWEEN + audit.c[name]
        statement = statement.where(_holds(connection, everything, wanted.text) | audit.c.what.in_(wanted.meant))
    if wanted.actor:
        statement = statement.where(_holds(connection, audit.c.actor, wanted.actor))
    if wanted.what:
        statement = statement.where(_holds(connection, audit.c.what, wanted.what))
    if wanted.results:
        statement = statement.where(audit.c.result.in_(wanted.results))
    if wanted.start:
        statement = statement.where(audit.c.time >= wanted.start)
    if wanted.end:
        statement = statement.where(audit.c.time < wanted.end)
    return statement


def _holds(connection: Connection, column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Whether a text stands anywhere in it, without regard to the case of Latin letters; no letter is special."""
    pattern = "%" + "".join(f"\\{c}" if c in "%_\\" else c for c in text.replace("\0", "")) + "%"
    if connection.dialect.name == "sqlite":
        return column.like(pattern, escape="\\")  # SQLite's LIKE is without case, and twice as fast as lower()
    return column.ilike(pattern, escape="\\")
