"""The records of a station: one thread writes, a few read, nobody waits for the disk or the server."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Executable

from app.model.errors import StorageError
from app.model.text import Text
from app.records.database import READERS, Database, Place, PlaceHeld
from app.records.jobs import Deadlines, Job
from app.records.sqlite import SqliteFile
from app.records.troubles import (
    given_up_words,
    in_doubt_words,
    is_damage,
    is_trouble,
    lost_words,
    needs_reopening,
    reason,
    set_aside_words,
    trouble_of,
    words,
)

T = TypeVar("T")

FILE_NAME: Final = "records.sqlite"
QUEUE_ROWS: Final = 200_000
"""What waits at most while the disk is full or the file locked; what comes then is refused, and counted."""
TRANSACTION_ROWS: Final = 20_000
"""One transaction takes what is waiting, up to this: one flush to the disk for many records."""
STUCK_S: Final = 15.0
"""A transaction with a server that takes so long while somebody waits in vain is broken off, and done again."""

_log = logging.getLogger("gridroom.records")


class _Refused(Exception):
    """One job of a transaction failed by its own fault."""

    def __init__(self, job: Job, cause: Exception) -> None:
        super().__init__(str(cause))
        self.job = job
        self.cause = cause


class _GivenUp(Exception):
    """A job of a transaction was given up before its COMMIT: it is done again without that job."""


class Records:
    """`records.sqlite` in a data folder, or another place.

    All methods may be called from any thread; `write` and `read` never block.

    `on_trouble(key, text)` is told, from any thread, what keeps records from being stored, and with None when that is
    over. Keys: `records` (nothing can be written now), `records_lost` (the queue in memory was full) and
    `records_damaged` (a damaged file was set aside); the last two are facts and are never over.
    """

    def __init__(
        self,
        folder: Path,
        *,
        on_trouble: Callable[[str, Text | None], None],
        retry_s: float = 1.0,
        place: Place | None = None,
    ) -> None:
        """`place` instead of the file in `folder`."""
        self.path = folder / FILE_NAME
        self._place = place or SqliteFile(self.path)
        self._on_trouble = on_trouble
        self._retry_s = retry_s
        self._changed = threading.Condition()
        self._queue: deque[Job] = deque()
        self._waiting_rows = 0
        self._lost_rows = 0
        self.lost_rows = 0
        """What could never be stored, since the start."""
        self._running = False
        self._trouble: Text | None = None
        self._reason: Text | None = None
        self._suspect = False
        self._database: Database | None = None
        self._thread: threading.Thread | None = None
        self._readers: ThreadPoolExecutor | None = None
        self._epoch = 0
        self._deadlines = Deadlines(self._expired)
        self._transaction_began = math.inf

    # ------------------------------------------------------------------------------------------------- life

    def start(self) -> None:
        """Open the database and begin to write. A full disk or a lock is told as trouble, and tried again.

        Raises StorageError where the file belongs to a newer Gridroom or is not a records database.
        """
        try:
            self._open()
        except Exception as error:
            if not is_trouble(error) or (isinstance(error, StorageError) and not isinstance(error, PlaceHeld)):
                raise
            self._tell(error)  # the writer tries again
        self._running = True
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="records-read")
        self._thread = threading.Thread(target=self._run, name="records-write", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is waiting and close. What still cannot be written then fails with StorageError."""
        with self._changed:
            self._running = False
            self._changed.notify_all()
        if self._thread:
            self._thread.join(STUCK_S)
            self._place.break_off()
            self._thread.join()
            self._thread = None
        self._deadlines.stop()
        if self._readers:
            self._readers.shutdown()
            self._readers = None
        self._close()

    def state(self) -> str:
        """`ok`, or in English what is wrong."""
        trouble = self._trouble
        return trouble.en if trouble else "ok"

    @property
    def name(self) -> str:
        """Where they are kept, as people are told it."""
        return self._place.name

    @property
    def set_aside(self) -> Path | None:
        """The damaged file that last had to make room, now or in an earlier run; None where none had to."""
        asides = self.path.parent.glob(f"{self.path.stem}.damaged-*{self.path.suffix}")
        return max(asides, key=lambda one: one.stat().st_mtime_ns, default=None)

    @property
    def epoch(self) -> int:
        """Grows each time a damaged file was replaced by an empty one: who keeps a state in here writes it again."""
        return self._epoch

    # --------------------------------------------------------------------------------------- writing, reading

    def write(
        self,
        work: Executable | Callable[[Connection], Any],
        parameters: Sequence[Mapping[str, Any]] | None = None,
        *,
        rows: int | None = None,
        within_s: float = math.inf,
    ) -> Future[Any]:
        """Store something: a statement with its parameters, or a callable that is given the connection.

        Jobs are done in order, many in one transaction; the future is done when they are on the disk, with the number
        of rows touched, or what the callable returned. A callable may run again after a rollback, so it does nothing
        but use the connection. `rows` is about how many rows it writes. Fails with StorageError when the queue is
        full or the records are closed, else with what the statement itself raised.

        What cannot be stored `within_s` is given up: it fails with StorageError, and is never stored afterwards. Only
        where a COMMIT was under way by then is its answer waited for, three times as long; then it fails with the
        words that nobody knows.
        """
        run = work if not isinstance(work, Executable) else _statement(work, parameters)
        job = Job(run, rows if rows is not None else max(1, len(parameters or ())), within_s)
        with self._changed:
            if not self._running:
                closed = Text(f"{self.name} is closed; nothing can be stored", f"{self.name} 已关闭，无法保存")
                job.fail(StorageError(closed))
            elif self._waiting_rows + job.rows > QUEUE_ROWS:
                self._lost_rows += job.rows
                job.fail(
                    StorageError(
                        Text(
                            f"{self._waiting_rows} records wait for {self.name} already, no room for more",
                            f"已有 {self._waiting_rows} 条记录等待写入 {self.name}，队列已满",
                        )
                    )
                )
            else:
                self._queue.append(job)
                self._waiting_rows += job.rows
                self._changed.notify_all()
        if math.isfinite(within_s) and not job.future.done():
            self._deadlines.watch(job)
        return job.future

    def read(self, query: Callable[[Connection], T]) -> Future[T]:
        """Ask something on a reader's thread. Fails with StorageError when the file cannot be read."""
        readers = self._readers
        if readers is None:
            failed: Future[T] = Future()
            failed.set_exception(
                StorageError(Text(f"{self.name} is closed; nothing can be read", f"{self.name} 已关闭，无法读取"))
            )
            return failed
        return readers.submit(self._read, query)

    def _read(self, query: Callable[[Connection], T]) -> T:
        database = self._database
        if database is None:
            unopened = Text(f"{self.name} cannot be read: it is not open", f"{self.name} 无法读取：未打开")
            raise StorageError(self._reason or unopened)
        try:
            with database.readers.connect() as connection:
                return query(connection)
        except Exception as error:
            if not is_trouble(error):
                raise
            if is_damage(error):
                with self._changed:  # the writer opens the file again, and so looks at it
                    self._suspect = True
                    self._changed.notify_all()
            text = Text(
                f"{self.name} cannot be read: {error}; check the disk",
                f"{self.name} 无法读取：{error}；请检查磁盘",
            )
            raise StorageError(text) from error

    # ------------------------------------------------------------------------------------ on the writer's thread

    def _run(self) -> None:
        while (jobs := self._next()) is not None:
            self._store(jobs)
            with self._changed:
                self._waiting_rows -= sum(job.rows for job in jobs)

    def _next(self) -> list[Job] | None:
        """What goes into one transaction, which may be nothing where only the file wants opening; None at the end."""
        jobs: list[Job] = []
        rows = 0
        with self._changed:
            while self._running and not self._queue and self._database and not self._suspect:
                self._changed.wait()
            if not self._running and not self._queue:
                return None
            while self._queue and (not jobs or rows + self._queue[0].rows <= TRANSACTION_ROWS):
                job = self._queue.popleft()
                rows += job.rows
                jobs.append(job)
        return jobs

    def _store(self, jobs: list[Job]) -> None:
        """Do the jobs, and again until they are done or the end has come."""
        receipt: list[int] = []
        results: list[Any] = []
        while True:
            try:
                if receipt and self._was_stored(receipt[0]):
                    break
                receipt.clear()
                self._unseal(jobs)
                jobs = [job for job in jobs if not job.given_up]
                self._transact(jobs, results, receipt)
                break
            except _Refused as refused:
                jobs = [job for job in jobs if job is not refused.job]
                refused.job.fail(refused.cause)
            except _GivenUp:
                pass
            except Exception as error:
                if not is_trouble(error):
                    self._fail(jobs, error)
                    return
                if needs_reopening(error):
                    self._close()
                if not self._wait_to_retry(error):
                    self._fail(jobs, StorageError(self._reason or Text.of(str(error))))
                    return
            finally:
                self._transaction_began = math.inf
        self._told_over()
        for job, result in zip(jobs, results, strict=True):
            job.done(result)

    def _transact(self, jobs: Sequence[Job], results: list[Any], receipt: list[int]) -> None:
        """Do the jobs in one transaction, their answers into `results`.

        Where `receipt` holds a number afterwards, its COMMIT was begun: it may be stored even where this raises.
        """
        results.clear()
        if self._suspect:
            self._suspect = False
            self._close()
        self._transaction_began = time.monotonic()
        database = self._database or self._open()
        with database.writer.begin() as connection:
            for job in jobs:
                try:
                    results.append(job.run(connection))
                except Exception as error:
                    if trouble_of(error) is not None:
                        raise
                    raise _Refused(job, error) from error
            number = self._place.receipt(connection)
            self._seal(jobs)
            if number:
                receipt.append(number)

    def _was_stored(self, receipt: int) -> bool:
        """Whether the transaction was stored whose COMMIT was not answered. Raises while nobody can say."""
        self._transaction_began = time.monotonic()
        return self._place.was_stored(self._database or self._open(), receipt)

    def _seal(self, jobs: Sequence[Job]) -> None:
        with self._changed:
            if any(job.given_up for job in jobs):
                raise _GivenUp
            for job in jobs:
                job.sealed = True

    def _unseal(self, jobs: Sequence[Job]) -> None:
        with self._changed:
            for job in jobs:
                job.sealed = False

    def _expired(self, job: Job, in_doubt: bool) -> bool:
        """Give a late job up. False while its COMMIT is under way. On the thread of deadlines."""
        if time.monotonic() - self._transaction_began > STUCK_S:
            self._place.break_off()
        with self._changed:
            if job.sealed and not in_doubt:
                return False
            job.given_up = True
            if job in self._queue:
                self._queue.remove(job)
                self._waiting_rows -= job.rows
        job.fail(StorageError(in_doubt_words(self.name) if job.sealed else given_up_words(job.within_s, self._reason)))
        return True

    def _wait_to_retry(self, error: Exception) -> bool:
        """Tell the trouble and wait. False when the records are being closed: then there is no other time."""
        with self._changed:
            last = not self._running
        self._tell(error)
        if last:
            return False
        with self._changed:
            self._changed.wait_for(lambda: not self._running, self._retry_s)
        return True

    def _fail(self, jobs: Sequence[Job], error: Exception) -> None:
        lost = sum(job.rows for job in jobs)
        if lost:
            _log.error("%d records could not be stored: %s", lost, error)
        self.lost_rows += lost
        for job in jobs:
            job.fail(error)

    # ------------------------------------------------------------------------------------------ file and trouble

    def _open(self) -> Database:
        database = self._place.open()
        self._database = database
        if database.set_aside:
            self._epoch += 1
            text = set_aside_words(self.name, database.set_aside)
            _log.error("%s", text.en)
            self._report("records_damaged", text)
        return database

    def _close(self) -> None:
        if self._database:
            self._database.close()
            self._database = None

    def _tell(self, error: BaseException) -> None:
        """Tell a trouble once, and again when it becomes another."""
        self._reason = reason(error, self.name)
        text = words(self._reason, lost=self._lost_rows > 0)
        if text != self._trouble:
            _log.error("%s", text.en)
            self._trouble = text
            self._report("records", text)

    def _told_over(self) -> None:
        with self._changed:
            lost, self._lost_rows = self._lost_rows, 0
            self.lost_rows += lost
        if lost:
            text = lost_words(self.name, lost)
            _log.error("%s", text.en)
            self._report("records_lost", text)
        if self._trouble:
            _log.warning("records are stored again in %s", self.name)
            self._trouble = self._reason = None
            self._report("records", None)

    def _report(self, key: str, text: Text | None) -> None:
        try:
            self._on_trouble(key, text)
        except Exception:
            _log.exception("who listens to trouble failed; records go on")


def _statement(statement: Executable, parameters: Sequence[Mapping[str, Any]] | None) -> Callable[[Connection], int]:
    def run(connection: Connection) -> int:
        given = list(parameters) if parameters else None
        return connection.execute(statement, given, execution_options={"preserve_rowcount": True}).rowcount

    return run
