"""After a crash: the buckets that were open are made again from the raw samples that were stored.

What was folded and what was not stands in the marks of the run, so that no bucket is made twice. Counts are then those
of stored samples, and means are right within the deadband.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from app.history.catalogue import View
from app.history.layout import BUCKET_MS, HOUR_MS, MS_NS, Tier
from app.history.recorder import Columns, Commit, Mark, bucket_columns, join_columns
from app.history.schema import raw_source
from app.history.tiers import Buckets, Tiers
from app.model.station import Station

_CHUNK_ROWS: Final = 500_000


def unfinished_runs(marks: Iterable[Mark], running_ms: int | None = None) -> list[Mark]:
    """The last mark of every run that was cut off, from the marks of all hot hours."""
    runs: dict[int, Mark] = {}
    for mark in marks:
        known = runs.get(mark.run_ms, mark)
        runs[mark.run_ms] = Mark(
            mark.run_ms,
            max(known.alive_ms, mark.alive_ms),
            max(known.folded_ms, mark.folded_ms),
            max(known.number, mark.number),
            known.ended or mark.ended,
        )
    return [mark for run, mark in sorted(runs.items()) if not mark.ended and run != running_ms]


def rebuild(
    cursor: duckdb.DuckDBPyConnection, view: View, station: Station, ids: NDArray[np.int32], mark: Mark
) -> Commit:
    """The buckets that the run of `mark` left open, and the mark that ends it. Raises duckdb.Error."""
    start = max(mark.run_ms, mark.folded_ms - mark.folded_ms % HOUR_MS)
    tiers = Tiers(station.columns.scan_s)
    index = np.full(int(ids.max(initial=-1)) + 1, -1, dtype=np.int32)
    index[ids] = np.arange(len(ids), dtype=np.int32)
    if start > mark.run_ms:
        reach = round(station.history.heartbeat * 2000)
        rows = _rows(cursor, view, index, max(mark.run_ms, start - reach), start)
        tiers.hold(rows[0], rows[2], rows[3])
    tiers.begin(start * MS_NS)
    end = mark.alive_ms + 1
    source = _source(view, start, end)
    (count,) = cursor.execute(f"SELECT count(*) FROM ({source})").fetchone() or (0,)
    step = max(1000, (end - start) * _CHUNK_ROWS // max(count, 1))
    parts: list[Columns] = []
    for since in range(start, end, step):
        point, time, value, quality = _rows(cursor, view, index, since, min(since + step, end))
        tiers.feed(point, time * MS_NS, value, quality)
        tiers.advance(min(since + step, end) * MS_NS)
        parts += [_open(part, mark, ids, station) for part in tiers.take()]
    tiers.finish(mark.alive_ms * MS_NS)
    parts += [_open(part, mark, ids, station) for part in tiers.take()]
    ended = Mark(mark.run_ms, mark.alive_ms, mark.alive_ms, mark.number + 1, ended=True)
    return Commit(None, join_columns(parts), ended)


def _open(buckets: Buckets, mark: Mark, ids: NDArray[np.int32], station: Station) -> Columns:
    """Only what was not stored before the crash."""
    columns = bucket_columns(buckets, ids, station.columns.precision)
    fresh = buckets.start // MS_NS + BUCKET_MS[buckets.tier] > mark.folded_ms
    return {name: column[fresh] for name, column in columns.items()}


def _source(view: View, start_ms: int, end_ms: int) -> str:
    files = view.files(Tier.RAW, start_ms, end_ms)
    return raw_source([hour.raw for hour in view.hours], files, f"time >= {start_ms} AND time < {end_ms}")


def _rows(
    cursor: duckdb.DuckDBPyConnection, view: View, index: NDArray[np.int32], start_ms: int, end_ms: int
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64], NDArray[np.uint16]]:
    """Raw rows of the points that the station still has, in the order of time."""
    rows = cursor.execute(f"{_source(view, start_ms, end_ms)}").fetchnumpy()
    id_ = rows["point"]
    point = np.where(id_ < len(index), index[np.minimum(id_, len(index) - 1)], -1) if len(index) else id_ * 0 - 1
    order = np.argsort(rows["time"], kind="stable")
    order = order[point[order] >= 0]
    return point[order].astype(np.int32), rows["time"][order], rows["value"][order], rows["quality"][order]
