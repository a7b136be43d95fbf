"""What the console asks of a running station. `app.station` offers it; a test may stand in with plain data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

from app.energy.figures import Figures
from app.history.export.request import ExportResult
from app.model.station import Station
from app.model.views import AlarmRow, DeviceStatus, Health, JournalRow, Series, Snapshot


class HistoryService(Protocol):
    """What was true. Every slow call answers by a future, on a thread of its own."""

    def query(self, points: Sequence[str], start_ns: int, end_ns: int, pixels: int) -> Future[list[Series]]:
        """Series of full point names between two UTC nanoseconds, in a tier that suits the width in pixels."""


class JournalService(Protocol):
    """A journal, the newest row first, asked for in pages."""

    def journal(self, limit: int = 1000, before_id: int | None = None) -> Future[list[JournalRow]]:
        """At most `limit` rows older than `before_id`."""


class AlarmService(JournalService, Protocol):
    """What needs a person."""

    @property
    def version(self) -> int:
        """Grows with every change of `active()`."""

    def active(self) -> tuple[AlarmRow, ...]:
        """Alarms that are active or unacknowledged."""

    def acknowledge(self, ids: Sequence[int], actor: str) -> object:
        """Somebody has seen these occurrences."""


class StationFacade(Protocol):
    """One running station. Thread-safe; answers are plain data."""

    @property
    def station(self) -> Station: ...

    @property
    def mode(self) -> str:
        """LIVE, DEMO, READ ONLY or SHADOW."""

    @property
    def history(self) -> HistoryService: ...

    @property
    def alarms(self) -> AlarmService: ...

    @property
    def events(self) -> JournalService: ...

    def snapshot(self) -> Snapshot:
        """The live table now."""

    def figures(self, snapshot: Snapshot) -> Figures:
        """The key figures of a snapshot."""

    def export(
        self,
        points: Sequence[str],
        start_ns: int,
        end_ns: int,
        every: str,
        path: Path,
        progress: Callable[[float], None],
    ) -> Future[ExportResult]:
        """Write full point names between two UTC nanoseconds into a .csv, .xlsx or .parquet file.

        every: raw, 1s, 5s, 15min or 1h. progress: told the share done, on another thread. Cancelling the future leaves
        no file. Fails with GridroomError in words.
        """

    def health(self) -> Health:
        """How the engine is."""

    def devices(self) -> list[DeviceStatus]:
        """Every device's connection, in the station's order."""
