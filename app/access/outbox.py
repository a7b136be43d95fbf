"""Rows of the audit that the records cannot take yet, of what has happened: in a file, one JSON array a line.

Neither a stop nor a kill loses one. A row that may have been stored already, for nobody heard, is looked for first.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

from app.history.whole import write_whole
from app.model.errors import StorageError, mend_of

Columns = tuple[int | str, ...]
"""Of a row of the audit, but for `id` and `hash`: those it gets when it is stored."""

FILE_NAME: Final = "audit.jsonl"
AGAIN_S: Final = 5.0
MOST_ROWS: Final = 200_000
_CHUNK: Final = 500
_LARGEST: Final = 1 << 63
_TYPES: Final = [int, *[str] * 11, int]

_log = logging.getLogger("gridroom.audit")


class Outbox:
    """Thread-safe. Starts after the records, stops before them."""

    def __init__(self, path: Path, store: Callable[[Sequence[Columns]], Future[list[int]]]) -> None:
        """`store` puts rows into the records, each once, and fails with StorageError where it cannot now."""
        self.path = path
        self._store = store
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Columns, Future[int] | None]] = deque()
        self._saved = 0
        """So many of these, from the first, stand in the file."""
        self._new = False
        self._running = False
        self._file = threading.Lock()
        self._unwritable = False
        self._thread = threading.Thread(target=self._run, name="audit-outbox", daemon=True)

    def start(self) -> None:
        """Take up what an earlier run left."""
        self._waiting.extend((columns, None) for columns in rows_in(self.path))
        self._saved = len(self._waiting)
        if self.path.exists():
            self._rewrite()  # without what a crash cut off
        self._running = True
        self._thread.start()

    def stop(self) -> None:
        """Try once more; what then still waits stays in the file. Safe to call twice, and without a start."""
        with self._changed:
            self._running = False
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def put(self, columns: Columns, stored: Future[int]) -> None:
        """Keep a row until it can be stored; `stored` is then done with its id."""
        with self._changed:
            if len(self._waiting) >= MOST_ROWS:
                _end(stored, StorageError(f"{MOST_ROWS:,} rows of the audit wait already, no room for more"))
                return
            self._waiting.append((columns, stored))
            self._new = True
            running = self._running
            self._changed.notify_all()
        if not running:
            self._save()

    def _run(self) -> None:
        running = True
        while running:
            with self._changed:
                self._changed.wait_for(lambda: self._new or not self._running, AGAIN_S if self._waiting else None)
                running = self._running
            self._save()
            self._send()
        if self._waiting:
            _log.warning("%d rows of the audit wait in %s; the next start stores them", len(self._waiting), self.path)

    def _save(self) -> None:
        """Add what is new to the file, and see it on the disk."""
        with self._file:
            with self._changed:
                self._new = False
                rows = [columns for columns, _ in islice(self._waiting, self._saved, None)]
            if not rows:
                return
            try:
                self._add(b"".join(json.dumps(columns).encode() + b"\n" for columns in rows))
            except OSError as error:
                if not self._unwritable:
                    _log.error("%s cannot be written (%s); %s: rows of the audit are in memory alone",
                               self.path, error.strerror or error, mend_of(error))  # fmt: skip
                self._unwritable = True
                return
            self._unwritable = False
            with self._changed:
                self._saved += len(rows)

    def _add(self, lines: bytes) -> None:
        """All of it or none: what a full disk cut off would make nonsense of the next line. Raises OSError."""
        with self.path.open("ab", buffering=0) as file:
            size, rest = file.seek(0, os.SEEK_END), memoryview(lines)
            try:
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except OSError:
                with suppress(OSError):
                    file.truncate(size)
                raise

    def _send(self) -> None:
        """Store what waits, the oldest first, until it cannot be."""
        sent = False
        try:
            while chunk := self._first():
                ids = self._store([columns for columns, _ in chunk]).result()
                with self._changed:
                    for _ in chunk:
                        self._waiting.popleft()
                    self._saved = max(0, self._saved - len(chunk))
                sent = True
                for (_, future), id_ in zip(chunk, ids, strict=True):
                    _end(future, id_)
        except StorageError:
            pass  # it is tried again, and the records tell why
        except Exception:
            _log.exception("rows of the audit in %s cannot be stored; send this log", self.path)
        if sent:
            self._rewrite()

    def _first(self) -> list[tuple[Columns, Future[int] | None]]:
        with self._changed:
            return list(islice(self._waiting, _CHUNK))

    def _rewrite(self) -> None:
        """The file has what still waits. Where that fails it has more, which is stored once all the same."""
        with self._file:
            with self._changed:
                rest = [columns for columns, _ in islice(self._waiting, self._saved)]
            try:
                if rest:
                    write_whole(self.path, "".join(json.dumps(columns) + "\n" for columns in rest))
                else:
                    self.path.unlink(missing_ok=True)
            except OSError as error:
                _log.warning("%s cannot be written (%s)", self.path, error.strerror or error)


def rows_in(path: Path) -> list[Columns]:
    """What waits in a file; a line that a crash cut off is left out and told. Raises StorageError."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(f"{path} cannot be read ({error.strerror or error}); {mend_of(error)}") from error
    found: list[Columns] = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            if [type(one) for one in row] != _TYPES or not all(abs(one) < _LARGEST for one in (row[0], row[-1])):
                raise ValueError("it is no row of the audit")
            found.append(tuple(row))
        except (ValueError, TypeError) as error:
            _log.error("line %d of %s is left out: %s", number, path, error)
    return found


def _end(future: Future[int] | None, end: int | Exception) -> None:
    if future is None:
        return
    with suppress(InvalidStateError):  # nobody waits for it any more
        if isinstance(end, Exception):
            future.set_exception(end)
        else:
            future.set_result(end)
