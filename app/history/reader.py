"""The history of a station that does not run: read, queried and exported from its data folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from app.history.archive import Archive
from app.history.export.request import ExportRequest, ExportResult
from app.history.export.run import run_export
from app.history.folder import DataFolder
from app.history.opening import open_archive
from app.history.query import query
from app.history.readers import Readers, Task
from app.history.settings import Settings
from app.model.clock import Clock, SystemClock
from app.model.station import Station
from app.model.views import Series

T = TypeVar("T")
_LOOK_S: Final = 0.2


def export_from_folder(
    station: Station, folder: DataFolder, request: ExportRequest, called_off: Callable[[], bool] = lambda: False
) -> ExportResult:
    """Export from the owned data folder of a station that does not run.

    `called_off` is asked now and then. Raises ExportError, StorageError, CancelledError.
    """
    request.judged(station.timezone)
    folder.belongs_to(station.id, claim=False)
    with HistoryReader.open(station, folder.path, SystemClock()) as reader:
        task = reader.export(request)
        while not called_off():
            with suppress(TimeoutError):
                return task.result(_LOOK_S)
        task.cancel()
        return task.result()


class HistoryReader:
    """Reads only: nothing in the folder is changed, mended or set aside. The caller holds the folder."""

    def __init__(self, archive: Archive, readers: Readers) -> None:
        self._archive = archive
        self._readers = readers

    @staticmethod
    def open(station: Station, folder: Path, clock: Clock, settings: Settings | None = None) -> HistoryReader:
        """Open the history of a data folder. Raises StorageError when there is none or it cannot be read."""
        settings = settings or Settings(memory_mb=256)
        return HistoryReader(open_archive(folder, station, clock, settings), Readers(1))

    def query(self, points: Sequence[str], start_ns: int, end_ns: int, pixels: int) -> Task[list[Series]]:
        """As `History.query`."""
        return self._submit(lambda task: query(self._archive, task, points, start_ns, end_ns, pixels=pixels))

    def export(self, request: ExportRequest) -> Task[ExportResult]:
        """As `History.export`."""
        return self._submit(lambda task: run_export(self._archive, task, request))

    def close(self) -> None:
        """Call off what runs, and close."""
        self._readers.close()
        self._archive.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _submit(self, work: Callable[[Task[T]], T]) -> Task[T]:
        return self._readers.submit(work)
