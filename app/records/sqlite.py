"""`records.sqlite`: safe settings, a check, its version; a damaged file is set aside and a new one begun."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from app.model.errors import StorageError
from app.model.text import Text
from app.records import database as settings
from app.records.database import READERS, Database
from app.records.migrations.moving import Standing, judge, move
from app.records.troubles import cause, is_damage

CHECK_S: Final = 1.0
"""A file too large to be checked in this time is trusted as far as it was looked at."""


class SqliteFile:
    """The records in one file of the data folder."""

    def __init__(self, path: Path, *, beside: bool = False) -> None:
        """`beside`: for a verb, next to an engine that may be using the file: a damaged one is left where it is."""
        self.path = path
        self._beside = beside

    @property
    def name(self) -> str:
        return str(self.path)

    def open(self) -> Database:
        """As `Place.open`; a damaged file is renamed and a new one begun, by the engine alone."""
        aside: Path | None = None
        try:
            writer = self._prepared()
        except (DBAPIError, sqlite3.Error) as error:
            if not is_damage(error):
                raise
            if self._beside:
                raise StorageError(
                    Text(
                        f"{self.path} is damaged ({cause(error)}); start the engine or the console, which keeps it "
                        "aside and begins a new one",
                        f"{self.path} 已损坏（{cause(error)}）；请启动引擎或控制台，原文件将保留并新建",
                    )
                ) from error
            aside = _set_aside(self.path)
            writer = self._prepared()
        return Database(writer, _engine(self.path, readonly=True), aside)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """As `Place.reading`; raises StorageError where there is no file."""
        if not self.path.exists():
            raise StorageError(
                Text(
                    f"there are no records in {self.path}; give the data folder of a station that has run with --data",
                    f"{self.path} 不存在；请用 --data 指定运行过的站点的数据文件夹",
                )
            )
        with _only_reading(self.path) as connection:
            judge(connection, self.name)
            yield connection

    def receipt(self, connection: Connection) -> int:
        """None is needed: a COMMIT that fails here was none."""
        return 0

    def was_stored(self, database: Database, receipt: int) -> bool:
        return False

    def break_off(self) -> None:
        """A file is not waited for from elsewhere, but for locks, and those end by themselves."""

    def _prepared(self) -> Engine:
        _look(self.path)
        writer = _engine(self.path, readonly=False)
        try:
            with writer.connect() as connection:
                _check(connection)
                with connection.begin():
                    standing = judge(connection, self.name)
                    if standing in (Standing.RELEASED_0_1, Standing.OLDER):
                        _back_up(self.path, connection)
                    move(connection, standing)
        except BaseException:
            writer.dispose()
            raise
        return writer


def _look(path: Path) -> None:
    """Refuse a foreign or a newer file before anything of it is touched, be it only its journal mode."""
    with suppress(DBAPIError, sqlite3.Error), _only_reading(path) as connection:
        judge(connection, str(path))


@contextmanager
def _only_reading(path: Path) -> Iterator[Connection]:
    address = f"{path.absolute().as_uri()}?mode=ro"
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(address, uri=True, timeout=0.0))
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _engine(path: Path, *, readonly: bool) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": settings.BUSY_TIMEOUT_S, "check_same_thread": False},
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


def _back_up(path: Path, held: Connection) -> Path:
    """A whole copy of an older file into `backups` before it is changed. `held` keeps every other writer out."""
    if not held.in_transaction():
        raise StorageError(f"{path} is not held while it is copied")
    folder = path.parent / "backups"
    folder.mkdir(exist_ok=True)
    number = 1
    while (copy := folder / f"{path.stem}.before-update-{number}{path.suffix}").exists():
        number += 1
    part = copy.with_name(copy.name + ".part")
    part.unlink(missing_ok=True)
    old = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    with closing(old), closing(sqlite3.connect(part)) as new:
        old.backup(new)
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(copy)
    return copy


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
