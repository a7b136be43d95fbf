"""The hot store: `history.duckdb`, its tables of the newest hours, and the one connection that writes to it.

Every method that writes is called by one thread. Readers take a cursor each; reopening the store waits for them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import duckdb

from app.history.layout import Hour
from app.history.recorder import Columns, Commit, Mark
from app.history.schema import create_tables

log = logging.getLogger("gridroom.history.hot")

FILE_NAME: Final = "history.duckdb"
_POINTS: Final = "CREATE TABLE IF NOT EXISTS points (id INTEGER, name VARCHAR)"


class HotStore:
    """An open `history.duckdb`. Made by `app.history.recovery`, which knows what to do when it does not open."""

    def __init__(
        self, connect: Callable[[], duckdb.DuckDBPyConnection], mend: Callable[[str], None] = lambda why: None
    ) -> None:
        """`connect` opens the database; it is called again after a failure that spoiled the open one. `mend` replaces
        the closed file, which is damaged, by one with what can be read of it."""
        self._connect = connect
        self._mend = mend
        self._lock = threading.Condition()
        self._cursors: set[duckdb.DuckDBPyConnection] = set()
        self._closed = False
        self._writer = connect()

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor of its own for one reader. Raises duckdb.Error while the store is being reopened or is closed."""
        with self._lock:
            if self._closed:
                raise duckdb.ConnectionException("the history is being reopened")
            cursor = self._writer.cursor()
            self._cursors.add(cursor)
        try:
            yield cursor
        finally:
            with self._lock:  # one step, so that nobody interrupts a cursor that is closed
                self._cursors.discard(cursor)
                cursor.close()
                self._lock.notify_all()

    def interrupt(self) -> None:
        """Break off what readers are doing just now."""
        with self._lock:
            for cursor in self._cursors:
                cursor.interrupt()

    def close(self) -> None:
        """Interrupt the readers and close. The write-ahead log is folded into the file if that can be done."""
        with self._lock:
            self._closed = True
            for cursor in self._cursors:
                cursor.interrupt()
            self._lock.wait_for(lambda: not self._cursors, timeout=10)
        self._writer.close()

    def reopen(self) -> None:
        """Close, and open anew. Raises what `connect` raises; the store stays closed then and may be tried again."""
        self.close()
        writer = self._connect()
        with self._lock:
            self._writer = writer
            self._closed = False

    def mend(self, why: str) -> None:
        """What is open is damaged: close, take over what can be read into a new file, open that."""
        self.close()
        self._mend(why)
        self.reopen()

    def sound(self) -> bool:
        """Whether the open database still answers. A failed checkpoint, for one, spoils it until it is reopened."""
        try:
            self._writer.execute("SELECT 1").fetchone()
        except duckdb.Error:
            return False
        return True

    def prepare(self) -> None:
        """Make what every store has. Raises duckdb.Error."""
        self._writer.execute(_POINTS)

    def prepared(self) -> bool:
        """Whether it has what every store has: not so where the very first start was killed at once."""
        return self._writer.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'points'").fetchone() is not None

    def hours(self) -> list[Hour]:
        """The hours that have tables here."""
        names = self._writer.execute("SELECT table_name FROM duckdb_tables() WHERE NOT internal").fetchall()
        return sorted({hour for (name,) in names if (hour := Hour.of_table(name)) is not None})

    def points(self) -> list[tuple[int, str]]:
        """The copy of the ids."""
        return [(int(id_), str(name)) for id_, name in self._writer.execute("SELECT id, name FROM points").fetchall()]

    def add_points(self, rows: list[tuple[int, str]]) -> None:
        """Add to the copy of the ids."""
        if rows:
            ids, names = zip(*rows, strict=True)
            self._writer.execute("INSERT INTO points SELECT unnest(?), unnest(?)", [list(ids), list(names)])

    def create(self, hour: Hour) -> None:
        """Make an hour's tables, whole or not at all."""
        self._writer.execute("BEGIN")
        try:
            for statement in create_tables(hour):
                self._writer.execute(statement)
            self._writer.execute("COMMIT")
        except duckdb.Error:
            self._rollback()
            raise
        self.checkpoint()

    def drop(self, hour: Hour) -> None:
        """Remove an hour's tables; this alone gives their room back."""
        self._writer.execute("BEGIN")
        try:
            for table in hour.tables:
                self._writer.execute(f"DROP TABLE IF EXISTS {table}")
            self._writer.execute("COMMIT")
        except duckdb.Error:
            self._rollback()
            raise
        self.checkpoint()

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the file. While somebody reads this cannot be, and comes later by itself."""
        try:
            self._writer.execute("CHECKPOINT")
        except duckdb.TransactionException as error:
            log.debug("no checkpoint now: %s", error)

    def commit(self, hour: Hour, commit: Commit, marked: Sequence[Hour] = ()) -> None:
        """Store rows and mark in one transaction, the mark in the hour's table or in those of `marked`.

        When it returns, they are on the disk.

        Raises duckdb.Error; whether the rows were stored all the same is what `has` answers.
        """
        mark = commit.mark
        self._writer.execute("BEGIN")
        try:
            if commit.raw is not None:
                self._append(hour.raw, commit.raw)
            if commit.buckets is not None:
                self._append(hour.buckets, commit.buckets)
            for place in marked or (hour,):
                self._writer.execute(
                    f"INSERT INTO {place.alive} VALUES (?, ?, ?, ?, ?)",
                    [mark.run_ms, mark.alive_ms, mark.folded_ms, mark.number, mark.ended],
                )
            self._writer.execute("COMMIT")
        except duckdb.Error:
            self._rollback()
            raise

    def has(self, hour: Hour, mark: Mark) -> bool:
        """Whether the commit of this mark is stored."""
        query = f"SELECT count(*) FROM {hour.alive} WHERE run = ? AND number = ?"
        row = self._writer.execute(query, [mark.run_ms, mark.number]).fetchone()
        return row is not None and row[0] > 0

    def marks(self, hour: Hour) -> list[Mark]:
        """The last mark of each run in an hour; the one that ended it, if there is one."""
        rows = self._writer.execute(
            f"SELECT run, max(alive), max(folded), max(number), bool_or(ended) FROM {hour.alive} GROUP BY run"
        ).fetchall()
        return [Mark(*row) for row in rows]

    def _append(self, table: str, columns: Columns) -> None:
        names = ", ".join(f'"{name}"' for name in columns)
        # DuckDB reads the dict of arrays by the name of this variable.
        rows = columns  # noqa: F841
        self._writer.execute(f"INSERT INTO {table} ({names}) SELECT * FROM rows")

    def _rollback(self) -> None:
        try:
            self._writer.execute("ROLLBACK")
        except duckdb.Error as error:
            log.debug("nothing to roll back: %s", error)
