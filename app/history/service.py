"""The history of a running station: what the composition root, pages and the command line call."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, TimeoutError
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from app.history.closing import Closer
from app.history.export.request import ExportRequest, ExportResult
from app.history.export.run import run_export
from app.history.keeper import Keeper
from app.history.layout import Tier
from app.history.opening import Opened, open_history
from app.history.query import query, retention_ms
from app.history.readers import Readers, Task
from app.history.recorder import Recorder
from app.history.settings import Settings
from app.history.trouble import Troubles
from app.history.writer import Failures, Shelf, Writer
from app.model.access import Action, permit
from app.model.clock import SECOND_NS, Clock
from app.model.errors import StorageError, words_of
from app.model.station import Station
from app.model.text import Text
from app.model.updates import Updates
from app.model.views import Series

T = TypeVar("T")
log = logging.getLogger("gridroom.history")

_OPENING: Final = "history.storage"
_FLUSH_S: Final = 2.0
_MEND_S: Final = 60.0
_PRESENT_NS: Final = 5 * SECOND_NS


@dataclass(frozen=True, slots=True)
class _Parts:
    opened: Opened
    writer: Writer
    keeper: Keeper
    readers: Readers


@dataclass(frozen=True, slots=True)
class Changed:
    """A history that goes on with another configuration."""

    station: Station
    parts: _Parts | None
    recorder: Recorder | None


class History:
    """One station's history in one data folder. The caller holds the folder (`DataFolder.open`).

    An acknowledged sample (one that a query returns, or that `flush` covered) is in a committed transaction on the
    disk. A batch given to `take` is committed within a second.
    """

    def __init__(
        self,
        station: Station,
        folder: Path,
        clock: Clock,
        *,
        on_trouble: Callable[[str, Text | None], None],
        on_late: Callable[[], None] = lambda: None,
        settings: Settings | None = None,
    ) -> None:
        """`folder` is the data folder. `on_trouble` is told what is wrong (key, text) and when it is well (key, None),
        on any thread; `on_late`, on a thread of the history's, when it could be opened only after `start`, and what
        was held last is known. Raises StorageError for a station that wants its history elsewhere."""
        if station.history.url:
            raise StorageError(
                "history.url names a database server, which this version cannot write to; remove it from station.yaml, "
                "and the history is kept in the data folder"
            )
        self._station = station
        self._folder = folder
        self._clock = clock
        self._settings = settings or Settings()
        self._troubles = Troubles(on_trouble)
        self._on_late = on_late
        self._parts: _Parts | None = None
        self._last: dict[str, tuple[float, int, int]] = {}
        self.lost_rows = 0
        """Once it is stopped: what came and could not be stored until then."""
        self._stopped = threading.Event()
        self._opener: threading.Thread | None = None

    def start(self) -> None:
        """Open the store, mended where it must be, and begin to record.

        Where the disk does not allow it now, that is told, and tried again until it does; meanwhile the station runs.
        """
        try:
            self._open()
        except Failures as error:
            self._tell(error)
            self._opener = threading.Thread(target=self._keep_opening, name="history-opener", daemon=True)
            self._opener.start()

    def prepare(self, station: Station) -> Changed:
        """Give new points their ids, durably, and make what records them. Waits for the disk: not on the loop.

        Raises StorageError, OSError or duckdb.Error where that cannot be just now.
        """
        parts = self._parts
        if parts is None:
            return Changed(station, None, None)
        archive = parts.opened.archive

        def give() -> None:
            known = len(archive.ids)
            archive.ids.assign([point.name for point in station.points])
            if len(archive.ids) != known:
                archive.ids.save(self._folder / "history")  # before the first row that uses them
                archive.store.add_points(archive.ids.rows()[known:])

        parts.writer.call(give).result()
        ids = archive.ids.assign([point.name for point in station.points])
        recorder = Recorder(station, ids, self._clock.now_ns(), archive.runs.has)
        opened = replace(parts.opened, archive=replace(archive, station=station))
        return Changed(station, replace(parts, opened=opened), recorder)

    def change(self, changed: Changed) -> None:
        """Go on with what was prepared. On the engine's thread, between two batches."""
        self._station = changed.station
        if self._parts is not None and changed.parts is not None and changed.recorder is not None:
            self._parts = changed.parts
            self._parts.writer.change(changed.recorder)

    def take(self, updates: Updates) -> None:
        """A batch of the engine. Returns at once; not kept while the store is not open."""
        if self._parts is not None:
            self._parts.writer.take(updates)
        else:
            self.lost_rows += len(updates)

    def stop(self) -> None:
        """Store everything and close. Nothing may be called after it."""
        self._stopped.set()
        if self._opener is not None:
            self._opener.join()
        parts, self._parts = self._parts, None
        if parts is None:
            return
        parts.keeper.stop()
        parts.readers.close()
        parts.writer.stop()
        self.lost_rows = parts.writer.waiting_rows
        parts.opened.archive.store.close()

    def trouble(self) -> Text | None:
        """What is wrong; None while it is well."""
        return self._troubles.standing()

    def state(self) -> str:
        """`ok`, or what is wrong, in English."""
        trouble = self.trouble()
        return trouble.en if trouble else "ok"

    def flush(self) -> Future[None]:
        """Done when everything taken until now is stored, or cannot be just now."""
        parts = self._parts
        if parts is not None:
            return parts.writer.flush()
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def last_values(self) -> dict[str, tuple[float, int, int]]:
        """What each point held when the station last ran: name -> (value, quality, time in UTC nanoseconds)."""
        return dict(self._last)

    @permit(Action.VIEW)
    def query(self, points: Sequence[str], start_ns: int, end_ns: int, pixels: int) -> Task[list[Series]]:
        """Trends of these points (full names) over start <= time < end, drawn for a width of `pixels`.

        The result has a Series a point, in order; the last second is in it. `cancel` also stops a running query.
        The result raises StorageError, ValueError for an impossible interval, CancelledError.
        """

        def work(task: Task[list[Series]], parts: _Parts) -> list[Series]:
            if end_ns >= self._clock.now_ns() - _PRESENT_NS:
                _wait(parts.writer.flush())
            return query(parts.opened.archive, task, points, start_ns, end_ns, pixels=pixels)

        return self._submit(work)

    def export(self, request: ExportRequest) -> Task[ExportResult]:
        """Write samples or buckets to a file. The result raises ExportError, StorageError, CancelledError."""

        def work(task: Task[ExportResult], parts: _Parts) -> ExportResult:
            _wait(parts.writer.flush())
            return run_export(parts.opened.archive, task, request)

        return self._submit(work)

    def _submit(self, work: Callable[[Task[T], _Parts], T]) -> Task[T]:
        parts = self._parts
        if parts is None:
            task: Task[T] = Task()
            why = self.trouble() or Text("it is stopped", "已停止")
            task.set_exception(StorageError(Text(f"the history is not open: {why.en}", f"历史库未打开：{why.zh}")))
            return task
        return parts.readers.submit(lambda task: work(task, parts))

    def _open(self) -> None:
        opened = open_history(self._folder, self._station, self._clock, self._settings, self._troubles)
        archive = opened.archive
        try:
            parts = self._assemble(opened)
        except BaseException:
            archive.store.close()
            raise
        self._last = opened.last
        parts.writer.start()
        parts.keeper.start()
        self._parts = parts

    def _assemble(self, opened: Opened) -> _Parts:
        archive = opened.archive
        shelf = Shelf(
            folder=self._folder / "history",
            store=archive.store,
            catalogue=archive.catalogue,
            runs=archive.runs,
            clock=self._clock,
            troubles=self._troubles,
            settings=self._settings,
        )
        recorder = Recorder(self._station, opened.ids, self._clock.now_ns(), archive.runs.has)
        retention = {tier: retention_ms(self._station.history.retention, tier) for tier in Tier}

        def prepare() -> None:
            archive.store.prepare()
            known = {id_ for id_, _ in archive.store.points()}
            archive.store.add_points([row for row in archive.ids.rows() if row[0] not in known])

        closer = Closer(
            folder=shelf.folder,
            store=archive.store,
            catalogue=archive.catalogue,
            runs=archive.runs,
            retention_ms=retention,
            drop=lambda hour: writer.call(lambda: archive.store.drop(hour)).result(),
            memory_mb=self._settings.memory_mb,
        )
        writer = Writer(shelf, recorder, closer.next_part, prepare)
        keeper = Keeper(opened, writer, closer, shelf)
        mending = replace(archive, on_damage=lambda why: _wait_for_mending(writer.mend(why)))
        return _Parts(replace(opened, archive=mending), writer, keeper, Readers(self._settings.readers))

    def _keep_opening(self) -> None:
        while not self._stopped.wait(self._settings.retry_s):
            try:
                self._open()
            except Failures as error:
                self._tell(error)
                continue
            self._troubles.clear(_OPENING)
            self._on_late()
            return

    def _tell(self, error: Exception) -> None:
        why = words_of(error)
        self._troubles.tell(
            _OPENING,
            f"the history is not open, and nothing is recorded until it is: {why.en}",
            f"历史库未打开，恢复之前不记录数据：{why.zh}",
        )


def _wait(flushed: Future[None]) -> None:
    """Until what was taken is stored; a disk that is slow or full does not keep anybody from reading the rest."""
    try:
        flushed.result(timeout=_FLUSH_S)
    except TimeoutError:
        log.debug("reading before everything was stored")


def _wait_for_mending(mended: Future[None]) -> None:
    """A reader that found damage asks again afterwards, and fails by itself where it could not be mended."""
    try:
        mended.result(timeout=_MEND_S)
    except (TimeoutError, *Failures) as error:
        log.warning("the damaged history is not mended yet: %s", error)
