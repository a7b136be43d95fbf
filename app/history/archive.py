"""Reading rows: one place that joins hot tables and files, and goes on when one of them is broken or just moved."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from app.history.catalogue import Catalogue
from app.history.hot import HotStore
from app.history.ids import PointIds
from app.history.layout import Hour, Tier
from app.history.mending import is_damage
from app.history.readers import Task
from app.history.runs import Runs
from app.history.schema import bucket_source, raw_source
from app.history.trouble import Troubles
from app.history.whole import set_aside
from app.model.clock import Clock
from app.model.errors import StorageError
from app.model.station import Station
from app.model.text import Text

log = logging.getLogger("gridroom.history.archive")

_TRIES: Final = 6
_PAUSE_S: Final = 0.5
_DAMAGE: Final = (
    duckdb.IOException,
    duckdb.InvalidInputException,
    duckdb.SerializationException,
    duckdb.InternalException,
)

Rows = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Archive:
    """What readers need of one data folder."""

    station: Station
    store: HotStore
    catalogue: Catalogue
    ids: PointIds
    runs: Runs
    clock: Clock
    troubles: Troubles | None
    """None: read only, nothing is set aside."""
    on_damage: Callable[[str], None] = lambda why: None
    """Called when the tables, not a file, prove damaged; returns when they are mended."""

    def raw(self, task: Task[Any], ids: Sequence[int], start_ms: int, end_ms: int) -> Rows:
        """Raw rows of these points with start <= time < end: point, time (ms), value, quality.

        Rows of one file or table stand in its order, which is that of points and time in a file.
        """
        where = _where(ids, start_ms, end_ms)

        def source(hours: Sequence[Hour], files: Sequence[Path]) -> str:
            return raw_source([hour.raw for hour in hours], files, where)

        return self._fetch(task, Tier.RAW, (start_ms, end_ms), source)

    def buckets(self, task: Task[Any], tier: Tier, ids: Sequence[int], window_ms: tuple[int, int]) -> Rows:
        """Bucket rows of a tier, buckets starting within the window: point time since min … quality."""
        where = _where(ids, *window_ms)

        def source(hours: Sequence[Hour], files: Sequence[Path]) -> str:
            return bucket_source(tier, [hour.buckets for hour in hours], files, where)

        return self._fetch(task, tier, window_ms, source)

    def stored(self, task: Task[Any], tier: Tier, window_ms: tuple[int, int]) -> list[tuple[int, int]]:
        """The parts of a window outside which nothing of a tier is stored now: start <= time < end, milliseconds."""
        start, end = window_ms

        def ends(hours: Sequence[Hour], files: Sequence[Path]) -> str:
            tables = [hour.raw if tier is Tier.RAW else hour.buckets for hour in hours]
            return " UNION ALL ".join(
                f"SELECT min(time) AS first, max(time) AS last FROM {table} WHERE time >= {start} AND time < {end}"
                for table in tables
            )

        hot = self._fetch(task, tier, window_ms, ends)  # without a column where there are no tables
        first, last = (np.ma.filled(hot.get(name, np.empty(0)), end).tolist() for name in ("first", "last"))
        # Looked at later than the tables, so that an hour that is closed meanwhile is in one of them at least.
        blocks = [(block.first_ms, block.last_ms) for block in self.catalogue.view.blocks if block.tier is tier]
        return [
            (max(first, start), min(last + 1, end))
            for first, last in [*zip(first, last, strict=True), *blocks]
            if first < end and last >= start
        ]

    def _fetch(
        self,
        task: Task[Any],
        tier: Tier,
        window_ms: tuple[int, int],
        source: Callable[[Sequence[Hour], Sequence[Path]], str],
    ) -> Rows:
        """Rows of a source. Raises StorageError when the store does not answer, CancelledError when called off."""
        error: duckdb.Error | None = None
        told = False
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(_PAUSE_S * (attempt > 1))
            task.check()
            broken: list[tuple[Path, str]] = []
            try:
                with self.catalogue.reading() as view, self.store.cursor() as cursor, task.using(cursor):
                    files = view.files(tier, *window_ms)
                    try:
                        query = source(view.hours, files)
                        return dict(cursor.execute(query).fetchnumpy()) if query else {}
                    except _DAMAGE as failure:
                        error = failure
                        broken = [(file, why) for file in files if (why := _damage(cursor, source([], [file])))]
            except duckdb.InterruptException as failure:
                task.check()
                error = failure  # the store is being reopened
            except duckdb.Error as failure:
                error = failure
            for file, why in broken:
                self._set_aside(file, why)
            if not broken and not told and is_damage(error):
                told = True
                self.on_damage(str(error))
        raise StorageError(
            Text(
                f"the history cannot be read ({error}); see the alarms of the history",
                f"历史数据无法读取（{error}）；请查看历史库的告警",
            )
        )

    def _set_aside(self, file: Path, why: str) -> None:
        if self.troubles is None:
            raise StorageError(
                Text(
                    f"{file} cannot be read ({why}); restore it from a backup, or take it out of the folder",
                    f"{file} 无法读取（{why}）；请用备份恢复，或将其移出文件夹",
                )
            )
        block = next((block for block in self.catalogue.view.blocks if block.path == file), None)
        if block is None:
            return
        self.catalogue.change(drop_blocks=[block])
        name = f"{file.parent.name}/{file.name}"
        aside = set_aside(file, self.clock.now_ns()).name if file.exists() else "nothing, for it is gone"
        self.troubles.tell(
            f"history.file.{name}",
            f"history file {name} cannot be read and is set aside as {aside}; its period is missing from trends. "
            "Restore it from a backup",
            f"历史文件 {name} 无法读取，已移为 {aside}；该时段曲线缺失，请从备份恢复",
        )


def _damage(cursor: duckdb.DuckDBPyConnection, query: str) -> str:
    """Why this query on one file fails; empty when it does not."""
    try:
        cursor.execute(query).fetchnumpy()
    except _DAMAGE as error:
        return str(error).strip().splitlines()[0]
    return ""


def _where(ids: Sequence[int], start_ms: int, end_ms: int) -> str:
    points = f"point IN ({', '.join(str(int(id_)) for id_ in ids)})"
    return f"{points} AND time >= {start_ms} AND time < {end_ms}"
