"""Putting a data folder's history together at start: store, ids, run intervals, and what there is to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from app.history.archive import Archive
from app.history.catalogue import Catalogue
from app.history.closing import take_stock, tidy
from app.history.hot import FILE_NAME, HotStore
from app.history.ids import FILE_NAME as IDS_NAME
from app.history.ids import PointIds, load_ids
from app.history.layout import Block, Hour, Tier
from app.history.mending import is_damage
from app.history.rebuild import unfinished_runs
from app.history.recorder import Mark
from app.history.recovery import open_read_only, open_store, unreadable
from app.history.runs import FILE_NAME as RUNS_NAME
from app.history.runs import Runs, load_runs
from app.history.schema import file_list, raw_source
from app.history.settings import Settings
from app.history.trouble import Troubles
from app.history.whole import set_aside
from app.model.clock import Clock
from app.model.errors import StorageError
from app.model.station import Station
from app.model.text import Text

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Opened:
    """A history that can be read, and written where it was not opened read-only."""

    archive: Archive
    ids: NDArray[np.int32]
    """History id of each point of the station, int32[n]."""
    cut_off: list[Mark]
    """Runs that a crash ended."""
    last: dict[str, tuple[float, int, int]]
    """What each point held when it last ran: name -> value, quality, time (UTC nanoseconds)."""


def open_history(data: Path, station: Station, clock: Clock, settings: Settings, troubles: Troubles) -> Opened:
    """Open the history of an owned data folder, made where there is none.

    Raises StorageError, OSError or duckdb.Error where that cannot be now and may be later.
    """
    (data / "history").mkdir(parents=True, exist_ok=True)
    store = open_store(data, settings.memory_mb, clock, troubles)
    try:
        try:
            return _put_together(data / "history", station, clock, store, troubles)
        except duckdb.Error as error:
            if not is_damage(error):
                raise
            store.mend(str(error))
            return _put_together(data / "history", station, clock, store, troubles)
    except BaseException:
        store.close()
        raise


def _put_together(folder: Path, station: Station, clock: Clock, store: HotStore, troubles: Troubles) -> Opened:
    store.prepare()
    standing = tidy(folder, store)
    hours, blocks = standing.hours, standing.blocks
    copy = store.points()
    ids = load_ids(folder, copy, 0, clock.now_ns(), troubles)
    if not len(ids) and (blocks or hours):
        ids = PointIds({}, _above_all(store, hours, blocks))
    mine = ids.assign([point.name for point in station.points])
    known = {id_ for id_, _ in copy}
    if len(ids) != len(known) or not (folder / IDS_NAME).exists():
        ids.save(folder)  # before the first row that uses them
        store.add_points([(id_, name) for id_, name in ids.rows() if id_ not in known])
    runs = _runs(folder, blocks, clock, troubles)
    marks = [mark for hour in hours for mark in store.marks(hour)]
    for mark in marks:
        runs.add(mark.run_ms, mark.alive_ms)
    catalogue = Catalogue()
    catalogue.change(add_hours=hours, add_blocks=blocks)
    archive = Archive(station, store, catalogue, ids, runs, clock, troubles)
    return Opened(archive, mine, unfinished_runs(marks), _last_values(archive))


def open_archive(data: Path, station: Station, clock: Clock, settings: Settings) -> Archive:
    """The history of a folder whose station does not run, to read only. The caller holds the folder.

    Raises StorageError when there is none, or it cannot be read.
    """
    none = StorageError(
        Text(
            f"there is no history in {data}; start the station on it once, or name another folder",
            f"{data} 中没有历史数据；请先用它启动一次电站，或另选文件夹",
        )
    )
    if not (data / FILE_NAME).exists():
        raise none
    store = open_read_only(data, settings.memory_mb)
    try:
        archive = _read_archive(data / "history", station, clock, store)
        if archive is None:
            raise none
        return archive
    except duckdb.Error as error:
        store.close()
        raise unreadable(data / FILE_NAME, error) from error
    except BaseException:
        store.close()
        raise


def _read_archive(folder: Path, station: Station, clock: Clock, store: HotStore) -> Archive | None:
    """None where the first start was cut off before it had written anything."""
    standing = take_stock(folder, store, store.hours())
    hours, blocks = standing.hours, standing.blocks
    if not store.prepared() and not blocks:
        return None
    ids = load_ids(folder, store.points() if store.prepared() else [], 0, clock.now_ns(), None)
    try:
        runs = load_runs(folder)
    except (OSError, ValueError):
        runs = Runs((b.first_ms, b.last_ms) for b in blocks if b.tier is Tier.RAW)
    for hour in hours:
        for mark in store.marks(hour):
            runs.add(mark.run_ms, mark.alive_ms)
    catalogue = Catalogue()
    catalogue.change(add_hours=hours, add_blocks=blocks)
    return Archive(station, store, catalogue, ids, runs, clock, None)


def _last_values(archive: Archive) -> dict[str, tuple[float, int, int]]:
    alive_ms = archive.runs.last()
    if alive_ms is None:
        return {}
    start = alive_ms - round(archive.station.history.heartbeat * 2000) - 5000
    view = archive.catalogue.view
    files = view.files(Tier.RAW, start, alive_ms + _DAY_MS)
    source = raw_source([hour.raw for hour in view.hours], files, f"time >= {start}")
    if not source:
        return {}
    with archive.store.cursor() as cursor:
        rows = cursor.execute(
            f"SELECT point, arg_max(value, time), arg_max(quality, time), max(time) FROM ({source}) GROUP BY point"
        ).fetchall()
    return {archive.ids.name(id_): (value, quality, time * 1_000_000) for id_, value, quality, time in rows}


def _above_all(store: HotStore, hours: Sequence[Hour], blocks: Sequence[Block]) -> int:
    """An id above all that rows use, for a folder that lost both tables of ids."""
    highest = -1
    with store.cursor() as cursor:
        for hour in hours:
            row = cursor.execute(f"SELECT max(point) FROM {hour.raw}").fetchone()
            highest = max(highest, (row[0] if row else None) or -1)
        if blocks:
            row = cursor.execute(
                "SELECT max(CAST(stats_max_value AS BIGINT)) FROM "
                f"parquet_metadata({file_list([b.path for b in blocks])}) WHERE path_in_schema = 'point'"
            ).fetchone()
            highest = max(highest, (row[0] if row else None) or -1)
    return highest + 1


def _runs(folder: Path, blocks: Sequence[Block], clock: Clock, troubles: Troubles) -> Runs:
    try:
        return load_runs(folder)
    except (OSError, ValueError) as error:
        aside = set_aside(folder / RUNS_NAME, clock.now_ns())
        troubles.tell(
            "history.runs",
            f"the run intervals {RUNS_NAME} cannot be read ({error}) and are set aside as {aside.name}; gaps of the "
            "past are taken from the files instead",
            f"运行区间文件 {RUNS_NAME} 无法读取（{error}），已移为 {aside.name}；历史缺口改由数据文件推断",
        )
        return Runs((b.first_ms, b.last_ms) for b in blocks if b.tier is Tier.RAW)
