"""Opening `records.sqlite`: safe settings, a check, its version; a damaged file is set aside and a new one begun."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, inspect, select
from sqlalchemy.exc import DBAPIError

from app.model.errors import StorageError
from app.model.text import Text
from app.records.tables import metadata, schema_version
from app.records.troubles import is_damage

BUSY_TIMEOUT_S: Final = 5.0
CHECK_S: Final = 1.0
"""A file too large to be checked in this time is trusted as far as it was looked at."""
READERS: Final = 2
VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class Database:
    """An open database: one connection that writes, a few that only read."""

    writer: Engine
    readers: Engine
    set_aside: Path | None
    """Where the damaged file went that had to make room; None when none had to."""

    def close(self) -> None:
        self.readers.dispose()
        self.writer.dispose()


def open_database(path: Path) -> Database:
    """Open the records' file, or make it.

    Raises StorageError when it belongs to a newer Gridroom or to something else, and lets SQLite's and the operating
    system's errors through where the disk or another program is at fault: those are worth another try.
    """
    aside: Path | None = None
    writer = _engine(path, readonly=False)
    try:
        _prepare(writer, path)
    except (DBAPIError, sqlite3.Error) as error:
        writer.dispose()
        if not is_damage(error):
            raise
        aside = _set_aside(path)
        writer = _engine(path, readonly=False)
        _prepare(writer, path)
    except StorageError:
        writer.dispose()
        raise
    return Database(writer, _engine(path, readonly=True), aside)


def _engine(path: Path, *, readonly: bool) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        pool_size=READERS if readonly else 1,
        max_overflow=0,
    )

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we begin transactions ourselves, so that they also hold tables
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # what was acknowledged survives a power cut
        cursor.execute("PRAGMA foreign_keys=ON")
        if readonly:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")

    return engine


def _prepare(writer: Engine, path: Path) -> None:
    """Check the file, its version, and make the tables of a new one, all of them or none."""
    with writer.connect() as connection:
        _check(connection)
        with connection.begin():
            present = set(inspect(connection).get_table_names())
            if not present:
                metadata.create_all(connection)
                connection.execute(insert(schema_version), {"version": VERSION})
                return
            version = None
            if schema_version.name in present:
                version = connection.execute(select(schema_version.c.version)).scalar()
            if version is None:
                raise StorageError(
                    Text(
                        f"{path} is not a records database of Gridroom; move it away, or give another folder with "
                        "--data",
                        f"{path} 不是 Gridroom 的记录数据库；请移走，或用 --data 指定其他文件夹",
                    )
                )
            if version > VERSION:
                raise StorageError(
                    Text(
                        f"{path} was written by a newer Gridroom (records version {version}, this one knows {VERSION});"
                        " start that version, or give another folder with --data",
                        f"{path} 由更新版本的 Gridroom 写入（记录版本 {version}，本程序支持 {VERSION}）；请启动该版本，"
                        "或用 --data 指定其他文件夹",
                    )
                )


def _check(connection: Connection) -> None:
    """Read the whole file once, but not for longer than `CHECK_S`. Raises sqlite3.DatabaseError where it is damaged."""
    raw = cast(sqlite3.Connection, connection.connection.driver_connection)
    deadline = time.monotonic() + CHECK_S
    raw.set_progress_handler(lambda: time.monotonic() > deadline, 100_000)
    try:
        faults = [str(row[0]) for row in raw.execute("PRAGMA quick_check(1)")]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return
    finally:
        raw.set_progress_handler(None, 0)
    if faults != ["ok"]:
        damage = sqlite3.DatabaseError("; ".join(faults))
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage


def _set_aside(path: Path) -> Path:
    """Rename the file and its log to the first free `records.damaged-N.sqlite`. Deletes nothing."""
    number = 1
    while (aside := path.with_name(f"{path.stem}.damaged-{number}{path.suffix}")).exists():
        number += 1
    for ending in ("-wal", "-shm", ""):  # the log first: without its file it would be applied to the new one
        part = path.with_name(path.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
    return aside
