"""What the records need of a place to keep them: SQLite in the data folder, or a PostgreSQL server."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import Connection, Engine

from app.model.errors import StorageError

BUSY_TIMEOUT_S: Final = 5.0
"""How long a transaction waits for another program's."""
READERS: Final = 2


class PlaceHeld(StorageError):
    """Another engine keeps its records there now; when it has ended, the place is free."""


@dataclass(frozen=True, slots=True)
class Database:
    """An open database: one connection that writes, a few that only read."""

    writer: Engine
    readers: Engine
    set_aside: Path | None = None
    """Where the damaged file went that had to make room; None when none had to."""

    def close(self) -> None:
        self.readers.dispose()
        self.writer.dispose()


class Place(Protocol):
    """Where a station's records are kept."""

    @property
    def name(self) -> str:
        """As people are told it: the file, or the server without any secret."""

    def open(self) -> Database:
        """Open it, make it where it is missing, lead an older one to today's tables.

        Raises StorageError when it belongs to a newer Gridroom or to something else; errors of the disk, the server
        and other programs come as they are: those are worth another try.
        """

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection that reads and changes nothing, for a program beside the engine. Raises as `open` does."""

    def receipt(self, connection: Connection) -> int:
        """Something by which to ask later whether this transaction was stored; 0 where nobody needs to ask."""

    def was_stored(self, database: Database, receipt: int) -> bool:
        """Whether the transaction of a receipt was stored, when its end was not heard."""

    def break_off(self) -> None:
        """Let what the writer waits for from elsewhere fail now. Any thread."""
