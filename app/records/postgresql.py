"""The records on a PostgreSQL server: a schema for each station, so that many share one database."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text

from app.model.errors import StorageError
from app.model.text import Text
from app.records import database as settings
from app.records.database import READERS, Database, PlaceHeld
from app.records.migrations.moving import judge, move

CONNECT_S: Final = 2
"""libpq takes no less."""
_LONGEST_NAME: Final = 63
_PREFIX: Final = "gridroom_"


def schema_of(station: str) -> str:
    """The schema that holds a station's tables; PostgreSQL's names have 63 bytes, station ids may have more."""
    name = _PREFIX + station
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(station.encode()).hexdigest()[:16]
    return f"{name[: _LONGEST_NAME - 17]}_{digest}"


class PostgresqlServer:
    """A station's schema on a server. Any thread."""

    def __init__(self, url: str, station: str, password: Callable[[], str] | None, *, sole: bool = False) -> None:
        """`url` without a password; `password` gives it at each opening, so that a new one is taken up.

        `sole`: this is the station's engine, of which there is one: where another runs on the same schema, it is
        refused, and tried again.
        """
        self._url = make_url(url).set(drivername="postgresql+psycopg")
        self.schema = schema_of(station)
        self._password = password
        self._sole = sole
        self._socket: int | None = None

    @property
    def name(self) -> str:
        place = self._url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)
        return f"{place} (schema {self.schema})"

    def open(self) -> Database:
        """As `Place.open`."""
        writer = self._engine(readonly=False)
        try:
            with writer.connect() as connection:
                if self._sole:
                    self._hold(connection)
                with connection.begin():
                    # Another program may make or move the same schema now: one after the other.
                    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": self.schema})
                    connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{self.schema}"'))
                    move(connection, judge(connection, self.name))
        except BaseException:
            writer.dispose()
            raise
        return Database(writer, self._engine(readonly=True))

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """As `Place.reading`."""
        engine = self._engine(readonly=True)
        try:
            with engine.connect() as connection:
                judge(connection, self.name)
                yield connection
        finally:
            engine.dispose()

    def receipt(self, connection: Connection) -> int:
        """The transaction's number, by which the server tells later what became of it."""
        return int(connection.execute(text("SELECT txid_current()")).scalar_one())

    def was_stored(self, database: Database, receipt: int) -> bool:
        """Ask what became of a transaction whose COMMIT was not answered. Raises StorageError while it is not over."""
        with database.writer.begin() as connection:
            status = connection.execute(text("SELECT txid_status(:number)"), {"number": receipt}).scalar()
        if status == "in progress":
            raise StorageError(
                Text(f"{self.name} has not ended a transaction that was cut off", f"{self.name} 尚未结束中断的事务")
            )
        return bool(status == "committed")

    def break_off(self) -> None:
        """Shut the writer's connection: a server that neither answers nor hangs up would be waited for for ever."""
        descriptor = self._socket
        if descriptor is None:
            return
        with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as own:
            own.shutdown(socket.SHUT_RDWR)

    def _engine(self, *, readonly: bool) -> Engine:
        password = self._password() if self._password is not None else None
        wait_ms = round(settings.BUSY_TIMEOUT_S * 1000)
        engine = create_engine(
            self._url.set(password=password),
            connect_args={
                "connect_timeout": CONNECT_S,
                "application_name": "gridroom",
                # A cable that was pulled is noticed within seconds, by who sends and by who waits.
                "keepalives_idle": 3, "keepalives_interval": 1, "keepalives_count": 3, "tcp_user_timeout": 5000,
                "options": f"-c search_path={self.schema} -c lock_timeout={wait_ms} -c synchronous_commit=on"
                + (" -c default_transaction_read_only=on" if readonly else ""),
            },
            pool_size=READERS if readonly else 1,
            max_overflow=0,
            pool_pre_ping=readonly,
            hide_parameters=True,
        )  # fmt: skip
        if not readonly:

            @event.listens_for(engine, "connect")
            def _remember(connection: Any, _record: object) -> None:
                self._socket = connection.pgconn.socket

            @event.listens_for(engine, "close")
            def _forget(_connection: Any, _record: object) -> None:
                self._socket = None

        return engine

    def _hold(self, connection: Connection) -> None:
        """Be the only engine of this station, for as long as the connection lasts. Raises PlaceHeld where one is."""
        with connection.begin():
            question = text("SELECT pg_try_advisory_lock(hashtext(:name), 1)")
            if connection.execute(question, {"name": self.schema}).scalar():
                return
        raise PlaceHeld(
            Text(
                f"another engine stores the records of a station of this id in {self.name}; stop it, or give this "
                "station an id of its own",
                f"另一引擎正在 {self.name} 保存同一 id 站点的记录；请停止它，或为本站更换 id",
            )
        )
