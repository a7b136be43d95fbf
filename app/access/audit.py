"""The audit of a station: who did what, as a chain in the records that is only ever added to.

What is asked for happens only when its row is on the disk: it fails within two seconds where it cannot be. What has
happened already waits in the outbox until it can be stored.
"""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, insert, select, text

from app.access.audit_export import export_rows
from app.access.audit_rows import matching, page, verdict
from app.access.chain import BEGUN_ANEW, COLUMNS, beginning, link
from app.access.heads import HeadKeeper, heads_in
from app.access.outbox import FILE_NAME, Columns, Outbox
from app.history.export.target import Judge
from app.model.access import Action, Actor, permit
from app.model.audit import AuditEntry, AuditFilter, AuditRow, Head, Result, Verdict
from app.model.clock import Clock
from app.model.errors import StorageError
from app.model.text import Text
from app.records.service import Records
from app.records.tables import audit

STORED_WITHIN_S: Final = 2.0
"""What is asked for and cannot be written in this time is refused."""
MOST_ROWS: Final = 10_000
"""Of a page."""
_HEAD_WITHIN_S: Final = 10.0
_STANDING_NS: Final = 20_000_000

_log = logging.getLogger("gridroom.audit")


class Audit:
    """Starts after the records, stops before them. Any thread."""

    def __init__(
        self,
        records: Records,
        clock: Clock,
        station_id: str,
        *,
        zone: ZoneInfo | None = None,
        heads: Path | None = None,
        logs: Path | None = None,
        outbox: Path | None = None,
        may_write: Judge = lambda path: None,
        on_trouble: Callable[[str, Text | None], None] = lambda key, text: None,
    ) -> None:
        """`heads` is the file that the user chose for heads, `logs` the folder of the program's own log, `outbox` the
        folder where rows wait that cannot be stored (without it they wait in memory); `may_write` judges
        where an export may go; `on_trouble` as that of the records."""
        self._records = records
        self._clock = clock
        self._station = station_id
        self._zone = zone or ZoneInfo("UTC")
        self._heads = heads
        self._logs = logs
        self._may_write = may_write
        self._stamping = threading.Lock()
        self._last_stamp = 0
        self._keeper = HeadKeeper(self._head_now, heads, on_trouble)
        self._outbox = Outbox(outbox / FILE_NAME, self._store_late) if outbox is not None else None

    def start(self) -> None:
        """Begin to keep heads, and store what an earlier run could not. Raises StorageError."""
        if self._outbox is not None:
            self._outbox.start()
        self._keeper.start()

    def stop(self) -> None:
        """Keep the last head, that of all that was written. Safe to call twice, and without a start."""
        with suppress(Exception):  # the records tell by themselves what they cannot store
            self._records.write(lambda connection: None, within_s=STORED_WITHIN_S).result(_HEAD_WITHIN_S)
        if self._outbox is not None:
            self._outbox.stop()
        self._keeper.stop()

    # -------------------------------------------------------------------------------------------------- writing

    def write(self, entry: AuditEntry, *, later: bool | None = None) -> Future[int]:
        """Add a row; the future is done, with its id, when it is on the disk.

        `later`: it waits until it can be stored, as everything does that has happened already. What is only asked for
        does not: it fails with StorageError after two seconds, and is never written then. Without a word, the entry's
        result decides.
        """
        waits = entry.result is not Result.ASKED if later is None else later
        columns = _columns(entry, self._stamp())
        row = partial(self._append, columns=columns)
        kept = waits and self._outbox is None
        written: Future[int] = self._records.write(row, within_s=math.inf if kept else STORED_WITHIN_S)
        if not waits:
            return written
        future: Future[int] = written if kept else Future()
        future.add_done_callback(partial(_tell_lost, entry))
        if not kept:
            written.add_done_callback(partial(self._put_aside, columns, future))
        return future

    def _put_aside(self, columns: Columns, future: Future[int], written: Future[int]) -> None:
        """What could not be stored in time goes into the outbox."""
        error = written.exception()
        if error is None:
            future.set_result(written.result())
        elif self._outbox is not None and isinstance(error, StorageError):
            self._outbox.put(columns, future)
        else:
            future.set_exception(error)

    def _store_late(self, rows: Sequence[Columns]) -> Future[list[int]]:
        """Each once: of one whose COMMIT was not answered nobody knows whether it is there."""

        def work(connection: Connection) -> list[int]:
            return [_find(connection, columns) or self._append(connection, columns) for columns in rows]

        return self._records.write(work, rows=len(rows), within_s=STORED_WITHIN_S)

    def append(self, connection: Connection, entry: AuditEntry) -> int:
        """Add a row within the caller's transaction, which must be one that writes; returns its id."""
        return self._append(connection, _columns(entry, self._stamp()))

    def _stamp(self) -> int:
        """The time, and never twice the same: a row that may have been stored already is known by all that it says.

        Clocks there are that stand still for milliseconds. One that is set back is believed.
        """
        with self._stamping:
            now = self._clock.now_ns()
            if 0 <= self._last_stamp - now < _STANDING_NS:
                now = self._last_stamp + 1
            self._last_stamp = now
            return now

    def _append(self, connection: Connection, columns: Columns) -> int:
        # Other processes append as well. SQLite's transaction holds the file already, since BEGIN IMMEDIATE.
        if connection.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE audit IN EXCLUSIVE MODE"))
        last, previous = _tip(connection)
        if last == 0:
            previous = beginning(self._station)
            if (anew := self._begun_anew()) is not None:
                last, previous = _insert(connection, 1, _columns(anew, int(columns[0])), previous)
        return _insert(connection, last + 1, columns, previous)[0]

    def _begun_anew(self) -> AuditEntry | None:
        """The first row where a damaged file had to make room: which one, and what was known of its chain."""
        aside = self._records.set_aside
        if aside is None:
            return None
        known = [head for head in self._kept_heads(()) if head.station == self._station]
        last = max(known, key=lambda head: head.time, default=None)
        details = {"set_aside": aside.name, "last_known_id": last.id if last else 0, "hash": last.hash if last else ""}
        return AuditEntry(Actor("", origin="records"), BEGUN_ANEW, aside.name, details=details)

    # -------------------------------------------------------------------------------------------------- reading

    @permit(Action.AUDIT)
    def rows(
        self, wanted: AuditFilter | None = None, limit: int = 200, before_id: int | None = None
    ) -> Future[list[AuditRow]]:
        """A page, the newest row first; `before_id` is the id of the last row of the page before."""
        count = max(0, min(limit, MOST_ROWS))
        return self._records.read(lambda connection: page(connection, wanted or AuditFilter(), count, before_id))

    @permit(Action.AUDIT)
    def head(self) -> Future[Head]:
        """The last row of the chain now; id 0 before the first."""
        return self._records.read(self._read_head)

    @permit(Action.AUDIT)
    def verify(self, heads: Iterable[Path] = ()) -> Future[Verdict]:
        """Look at every row, and at every head that the log, the chosen file and `heads` hold.

        Fails with GridroomError where one of `heads` cannot be read.
        """
        files = tuple(heads)
        return self._records.read(lambda connection: verdict(connection, self._station, self._kept_heads(files)))

    @permit(Action.AUDIT, changes=True)
    def export(self, path: Path, wanted: AuditFilter | None = None) -> Future[int]:
        """Write what matches into a .csv or .xlsx file, the oldest row first; answers how many rows there are.

        Fails with GridroomError where the file cannot be written, or is one that no export may write.
        """

        def work(connection: Connection) -> int:
            self._may_write(path)
            return export_rows(path, matching(connection, wanted or AuditFilter()), self._zone)

        return self._records.read(work)

    def _read_head(self, connection: Connection) -> Head:
        id_, hash_ = _tip(connection)
        return Head(self._station, id_, hash_, self._clock.now_ns())

    def _head_now(self) -> Head:
        return self.head().result(_HEAD_WITHIN_S)

    def _kept_heads(self, files: Iterable[Path]) -> list[Head]:
        own = (self._heads,) if self._heads is not None and self._heads.exists() else ()
        return heads_in(self._logs, dict.fromkeys((*own, *files)))


def _tip(connection: Connection) -> tuple[int, str]:
    row = connection.execute(_LAST).first()
    return (row[0], row[1]) if row is not None else (0, "")


_LAST: Final = select(audit.c.id, audit.c.hash).order_by(audit.c.id.desc()).limit(1)
_INSERT: Final = insert(audit)


def _columns(entry: AuditEntry, now_ns: int) -> Columns:
    """What is stored of an entry."""
    actor = entry.actor
    return (
        now_ns, _clean(actor.name), _clean(actor.role), _clean(actor.origin), _clean(actor.session),
        _clean(entry.what), _clean(entry.target), _clean(entry.result), _clean(entry.reason), _json(entry.details),
        _json(entry.before), _json(entry.after), entry.asks,
    )  # fmt: skip


def _insert(connection: Connection, id_: int, columns: Columns, previous: str) -> tuple[int, str]:
    row = (id_, *columns)
    hash_ = link(previous, row)
    connection.execute(_INSERT, dict(zip(COLUMNS, (*row, hash_), strict=True)))
    return id_, hash_


def _find(connection: Connection, columns: Columns) -> int | None:
    """The id of such a row, where it is there. Looked for by its time alone: a database that is asked for all of it may
    go through every row of its actor instead, and there may be a million."""
    at = connection.execute(select(*audit.c[:-1]).where(audit.c.time == columns[0]))
    return next((int(row[0]) for row in at if tuple(row[1:]) == columns), None)


def _clean(words: str) -> str:
    """A text that every database takes: no NUL, no half of a pair of surrogates."""
    return str(words).encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _json(value: Any) -> str:
    """JSON; empty for None. What JSON cannot hold is told in words: an entry is never refused for it."""
    if value is None:
        return ""
    return _clean(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str, skipkeys=True))


def _tell_lost(entry: AuditEntry, future: Future[int]) -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        words = error if isinstance(error, StorageError) else f"{type(error).__name__}: {error}"
        _log.error("this is not in the audit: %s, %s, %s: %s", entry.actor.name, entry.what, entry.result, words)
