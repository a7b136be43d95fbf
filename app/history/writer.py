"""The one thread that writes the history.

The engine's loop only appends batches to a queue. Every half second they become rows and one transaction. While the
disk refuses, rows wait in memory in their order; nothing that was acknowledged is lost, and nothing is stored twice.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from app.history.catalogue import Catalogue
from app.history.hot import HotStore
from app.history.layout import MS_NS, Hour, Span, blocks_in, period_start
from app.history.mending import is_damage
from app.history.recorder import Commit, Recorder, join_columns
from app.history.runs import Runs
from app.history.settings import Settings
from app.history.trouble import Troubles
from app.model.clock import Clock
from app.model.errors import StorageError, words_of
from app.model.text import Text
from app.model.updates import Updates

log = logging.getLogger("gridroom.history.writer")

_STORAGE: Final = "history.storage"
_SPACE: Final = "history.space"
_LOST: Final = "history.lost"
_FAULT: Final = "history.fault"
_MB: Final = 1_000_000
_SPACE_LOOK_S: Final = 5.0
_MERGE_ROWS: Final = 100_000
_MENDED_S: Final = 30.0

Failures = (duckdb.Error, StorageError, OSError)


@dataclass(frozen=True, slots=True)
class Shelf:
    """What the threads of one history share."""

    folder: Path
    """The data folder's `history`."""
    store: HotStore
    catalogue: Catalogue
    runs: Runs
    clock: Clock
    troubles: Troubles
    settings: Settings


class Writer:
    """Owns the hot tables' contents. `take`, `flush` and `call` may be called on any thread."""

    def __init__(
        self, shelf: Shelf, recorder: Recorder, next_part: Callable[[int], int], prepare: Callable[[], None]
    ) -> None:
        """`next_part` gives a free part of an hour (milliseconds); `prepare` makes a store that was reopened usable."""
        self._shelf = shelf
        self._recorder = recorder
        self._next_part = next_part
        self._prepare = prepare
        self._hour: Hour | None = None
        self._inbox: deque[Updates | Recorder] = deque()
        """A recorder: with the batches behind it the rows of another configuration begin."""
        self._taken = self._drained = 0
        self._pending: deque[Commit] = deque()
        self._waiters: deque[Future[None]] = deque()
        self._requests: deque[tuple[Callable[[], None], Future[None]]] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self._doubt: Hour | None = None
        """The hour in which the first pending commit may be stored already, after a failure."""
        self._spoiled = False
        self._damage = ""
        self._mended_until = 0.0
        self._refused = False
        """`take` had to turn batches away."""
        self._gap = False
        """Memory is full: the run is ended, and another begins when all that waits is stored."""
        self._marked_ms = 0
        self._retry_at = 0.0
        self._look_at = 0.0
        self.on_new_hour: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="history-writer", daemon=True)

    @property
    def busy(self) -> set[Hour] | None:
        """The hours that may not be closed yet; None until it is known which is written to."""
        if self._hour is None:
            return None
        return {self._hour, self._doubt or self._hour}

    @property
    def waiting_rows(self) -> int:
        """Rows that are not stored yet; after `stop`, rows that are lost."""
        return sum(commit.rows for commit in self._pending)

    def start(self) -> None:
        """Begin. The hour's tables are made by the first cycle."""
        self._thread.start()

    def take(self, updates: Updates) -> None:
        """Queue a batch. Never blocks. Called by one thread, the engine's."""
        if self._taken - self._drained > self._shelf.settings.pending_rows:
            self._refused = True
            return
        self._taken += len(updates)
        self._inbox.append(updates)

    def change(self, recorder: Recorder) -> None:
        """Batches that come from now on are of another configuration, which this recorder knows."""
        self._inbox.append(recorder)

    def flush(self) -> Future[None]:
        """Done when everything taken until now is stored, or cannot be just now."""
        future: Future[None] = Future()
        self._waiters.append(future)
        self._wake.set()
        return future

    def call(self, work: Callable[[], None]) -> Future[None]:
        """Do `work`, which writes to the store, on the writing thread between two commits."""
        future: Future[None] = Future()
        self._requests.append((work, future))
        self._wake.set()
        return future

    def end_run(self, commit: Commit) -> Future[None]:
        """Store the end of a run that a crash cut off.

        It is marked in every hour that knows the run, so that none of them, whichever is closed last, takes it for
        cut off once more.
        """

        def work() -> None:
            if self._hour is None:
                raise StorageError(Text("the history cannot be written just now", "历史库暂时无法写入"))
            store, run_ms = self._shelf.store, commit.mark.run_ms
            hours = self._shelf.catalogue.view.hours
            known = [hour for hour in hours if any(mark.run_ms == run_ms for mark in store.marks(hour))]
            store.commit(self._hour, commit, known)

        return self.call(work)

    def mend(self, why: str) -> Future[None]:
        """The store is damaged: replace it by what can be read of it."""
        return self.call(lambda: self._mend(why))

    def drop_leftovers(self) -> Future[None]:
        """Drop tables that are closed, but could not be dropped then."""

        def work() -> None:
            seen = set(self._shelf.catalogue.view.hours)
            for hour in self._shelf.store.hours():
                if hour not in seen:
                    self._shelf.store.drop(hour)

        return self.call(work)

    def stop(self) -> None:
        """End the run, store everything, and end the thread."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        for _, future in self._requests:
            future.set_exception(StorageError(Text("the history is stopped", "历史库已停止")))
        for waiter in self._waiters:
            waiter.set_result(None)
        if rows := self.waiting_rows:
            log.error("stopped while the history could not be written: %d rows are lost", rows)

    def _run(self) -> None:
        next_at = 0.0
        while True:
            self._wake.wait(max(0.0, next_at - time.monotonic()))
            self._wake.clear()
            next_at = time.monotonic() + self._shelf.settings.pace_s
            stopping = self._stopping
            waiters = [self._waiters.popleft() for _ in range(len(self._waiters))]
            try:
                self._cycle(stopping)
                self._shelf.troubles.clear(_FAULT)
            except Exception as error:
                # A fault of ours must not end the record for good: say it, and go on with the next batches.
                log.exception("fault in the history's writer")
                self._shelf.troubles.tell(
                    _FAULT,
                    f"fault in the history's writer ({error}); see the log",
                    f"历史库写入出错（{error}），见日志",
                )
            for waiter in waiters:
                waiter.set_result(None)
            if stopping:
                return

    def _cycle(self, stopping: bool) -> None:
        now_ns = self._shelf.clock.now_ns()
        batches: list[Updates] = []
        for _ in range(len(self._inbox)):
            one = self._inbox.popleft()
            if isinstance(one, Recorder):
                self._record(batches, batches[-1].received if batches else now_ns)
                self._append(one.follow(self._recorder))
                self._recorder = one
                batches = []
            else:
                self._drained += len(one)
                batches.append(one)
        self._record(batches, now_ns)
        if stopping:
            self._append(self._recorder.end())
        if stopping or time.monotonic() >= self._retry_at:
            try:
                self._look_at_space()
                self._store(now_ns)
                self._shelf.troubles.clear(_STORAGE)
            except Failures as error:
                self._failed(error)
        for _ in range(len(self._requests)):
            work, future = self._requests.popleft()
            try:
                work()
                future.set_result(None)
            except Exception as error:
                future.set_exception(error)
                self._spoiled = not self._shelf.store.sound()

    def _record(self, batches: list[Updates], now_ns: int) -> None:
        waiting = self.waiting_rows
        if self._gap:
            if waiting:
                return
            self._gap = False
            self._recorder.begin(batches[0].received if batches else now_ns)
            self._shelf.troubles.clear(_LOST)
        for commit in self._recorder.take(batches, now_ns):
            mark = commit.mark
            if commit.rows or mark.ended or abs(mark.alive_ms - self._marked_ms) >= 1000:
                self._append(commit)
                self._marked_ms = mark.alive_ms
        if waiting > self._shelf.settings.pending_rows or self._refused:
            self._refused = False
            self._gap = True
            self._append(self._recorder.end())
            self._shelf.troubles.tell(
                _LOST,
                "the history cannot be written fast enough and its memory is full: new samples are not stored until "
                "what waits is on the disk",
                "历史库写入不及且缓存已满：缓存写入磁盘之前新数据不再保存",
            )

    def _append(self, commit: Commit) -> None:
        """Queue a commit; while many wait, with the one before it. The first may have been tried and stays as it is."""
        before = self._pending[-1] if len(self._pending) > 1 else None
        if before is not None and before.mark.run_ms == commit.mark.run_ms and before.rows < _MERGE_ROWS:
            raw = join_columns([part for part in (before.raw, commit.raw) if part])
            buckets = join_columns([part for part in (before.buckets, commit.buckets) if part])
            self._pending[-1] = Commit(raw, buckets, commit.mark)
        else:
            self._pending.append(commit)

    def _store(self, now_ns: int) -> None:
        if self._damage:
            self._mend(self._damage)
        elif self._spoiled:
            self._shelf.store.reopen()
            self._resume()
        self._roll(now_ns // MS_NS)
        while self._pending and self._hour is not None:
            commit = self._pending[0]
            if self._doubt is None or not self._shelf.store.has(self._doubt, commit.mark):
                self._doubt = self._hour
                self._shelf.store.commit(self._hour, commit)
            self._doubt = None
            self._pending.popleft()
            self._shelf.runs.add(commit.mark.run_ms, commit.mark.alive_ms)

    def _mend(self, why: str) -> None:
        if time.monotonic() < self._mended_until:
            return  # several who read the same damage ask
        self._shelf.store.mend(why)
        self._mended_until = time.monotonic() + _MENDED_S
        self._resume()

    def _resume(self) -> None:
        """Go on in a store that was opened anew."""
        self._prepare()
        there = set(self._shelf.store.hours())
        lost = [hour for hour in self._shelf.catalogue.view.hours if hour not in there]
        if lost:  # the file was beyond reading
            self._shelf.catalogue.change(drop_hours=lost)
        if self._hour not in there:
            self._hour = None
        if self._doubt not in there:
            self._doubt = None
        self._spoiled = False
        self._damage = ""

    def _roll(self, now_ms: int) -> None:
        """Go on in the tables of this hour."""
        start_ms = period_start(Span.HOUR, now_ms)
        if self._hour is not None and self._hour.start_ms == start_ms:
            return
        hour = Hour(start_ms, self._next_part(start_ms))
        if self._hour is None:
            # After a start, go on in the tables that this hour has; a part with a file is closed already.
            closed = {(b.start_ms, b.part) for b in blocks_in(self._shelf.folder) if b.span is Span.HOUR}
            mine = [
                h for h in self._shelf.catalogue.view.hours
                if h.start_ms == start_ms and (h.start_ms, h.part) not in closed
            ]  # fmt: skip
            hour = max(mine, default=hour)
        self._shelf.store.create(hour)
        self._shelf.catalogue.change(add_hours=[hour])
        self._hour = hour
        self.on_new_hour()

    def _failed(self, error: Exception) -> None:
        self._retry_at = time.monotonic() + self._shelf.settings.retry_s
        self._spoiled = self._spoiled or not self._shelf.store.sound()
        self._damage = str(error) if is_damage(error) else self._damage
        why = words_of(error)
        log.debug("the history cannot be written: %s; %d commits wait", error, len(self._pending))
        self._shelf.troubles.tell(
            _STORAGE,
            f"the history cannot be written ({why.en}); samples wait in memory and nothing stored is lost. Make room "
            "on the disk",
            f"历史库无法写入（{why.zh}）；数据暂存内存，已存数据不受影响，请清理磁盘空间",
        )

    def _look_at_space(self) -> None:
        """Warn before the disk is full, and stop before it is full for others. Raises StorageError to stop."""
        settings = self._shelf.settings
        if time.monotonic() < self._look_at:
            return
        free_mb = shutil.disk_usage(self._shelf.folder).free // _MB
        if free_mb >= settings.low_space_mb:
            self._shelf.troubles.clear(_SPACE)
        else:
            limit = settings.low_space_mb
            self._shelf.troubles.tell(
                _SPACE,
                f"less than {limit} MB are free on the disk of the history ({self._shelf.folder}); make room",
                f"历史库所在磁盘剩余空间不足 {limit} MB（{self._shelf.folder}），请清理",
            )
        if free_mb < settings.no_space_mb:
            limit = settings.no_space_mb
            raise StorageError(Text(f"less than {limit} MB are free on its disk", f"所在磁盘剩余空间不足 {limit} MB"))
        self._look_at = time.monotonic() + _SPACE_LOOK_S
