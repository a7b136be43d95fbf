"""Trends: 8 pens out of a store of 1,000 points, one raw day at 1 s and one year of 15 min."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from app.bench.report import Figure
from app.bench.station import flat_station
from app.history.layout import DAY_MS, Block, Hour, Span, Tier, period_end, period_start
from app.history.schema import file_list, parquet_options
from app.history.service import History
from app.history.settings import Settings
from app.model.clock import MS_NS, ManualClock
from app.model.views import Series

_POINTS: Final = 1000
_PENS: Final = (17, 140, 333, 401, 555, 777, 890, 999)
_PIXELS: Final = 2000
_TIMES: Final = 7
_END_MS: Final = round(datetime(2026, 11, 1, tzinfo=UTC).timestamp() * 1000)


def run(seconds: float | None = None) -> list[Figure]:
    """All figures. `seconds` is not used: the store takes its time to build, and queries are quick."""
    with tempfile.TemporaryDirectory(prefix="gridroom-bench-") as place:
        folder = Path(place)
        raw = _raw_day(folder / "history")
        months = _year(folder / "history")
        start_ms = period_start(Span.DAY, _END_MS - DAY_MS)
        year_ms = _END_MS - 365 * DAY_MS
        (folder / "history" / "runs.csv").write_text(f"start_ms,end_ms\n{year_ms},{_END_MS}\n", encoding="utf-8")
        names = "\n".join(f"{i},d{i // 1000}.p{i % 1000}" for i in range(_POINTS))
        (folder / "history" / "points.csv").write_text(f"id,name\n{names}\n", encoding="utf-8")
        history = History(
            flat_station(_POINTS), folder, ManualClock(_END_MS * MS_NS), on_trouble=lambda key, text: None,
            settings=Settings(low_space_mb=0, no_space_mb=0, memory_mb=192),
        )  # fmt: skip
        history.start()
        try:
            year, year_first = _timed(lambda: _ask(history, year_ms, _END_MS))
            day, day_first = _timed(lambda: _ask(history, start_ms, start_ms + DAY_MS))
        finally:
            history.stop()
        bare_year, _ = _timed(lambda: _bare_year(months, year_ms))
        bare_day, _ = _timed(lambda: _bare_day(raw, start_ms))
    return [
        Figure.at_most(
            "8 pens over a year of 15 min", year, "ms", 300.0, f"bare DuckDB {bare_year:.0f} ms; first {year_first:.0f}"
        ),
        Figure.at_most(
            "8 raw days to 2,000 pixels", day, "ms", 150.0, f"bare DuckDB {bare_day:.0f} ms; first {day_first:.0f}"
        ),
    ]


def _ask(history: History, start_ms: int, end_ms: int) -> list[Series]:
    found = history.query([f"d0.p{pen}" for pen in _PENS], start_ms * MS_NS, end_ms * MS_NS, _PIXELS).result()
    if any(len(series.time) < _PIXELS for series in found):
        raise RuntimeError("the bench's store is not what was asked")
    return found


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Median and first time in milliseconds."""
    took = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        work()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took[1:]), took[0]


def _bare_day(files: Sequence[Path], start_ms: int) -> None:
    width = DAY_MS // _PIXELS
    _bare.execute(
        f"SELECT point, (time - {start_ms}) // {width} AS pixel, min(value), max(value), avg(value) "
        f"FROM read_parquet({file_list(files)}) WHERE point IN {_PENS} AND time >= {start_ms} "
        f"AND time < {start_ms + DAY_MS} GROUP BY 1, 2"
    ).fetchnumpy()


def _bare_year(files: Sequence[Path], start_ms: int) -> None:
    _bare.execute(
        f"SELECT point, time, min, max, mean FROM read_parquet({file_list(files)}) "
        f"WHERE point IN {_PENS} AND time >= {start_ms}"
    ).fetchnumpy()


_bare = duckdb.connect(config={"threads": 2})
_bare.execute("SET parquet_metadata_cache = true")


def _raw_day(folder: Path) -> list[Path]:
    """86,400 samples of each point, a walk at two decimals, sealed as a day."""
    start_ms = period_start(Span.DAY, _END_MS - DAY_MS)
    times = start_ms + np.arange(86_400) * 1000
    block = Block.at(folder, Tier.RAW, Span.DAY, Hour(start_ms), (int(times[0]), int(times[-1])))
    with _walks(folder, times, spread=10) as store:
        _copy(store, block, "point + {shift} AS point, time, {value}, decimals, quality")
    return [block.path]


def _year(folder: Path) -> list[Path]:
    """35,040 quarters of an hour of each point: what falls into the last year sealed as a year, the rest as months."""
    files = []
    since = _END_MS - 365 * DAY_MS
    this_year_ms = period_start(Span.YEAR, _END_MS)
    while since < _END_MS:
        span = Span.YEAR if since < this_year_ms else Span.MONTH
        start_ms = period_start(span, since)
        end_ms = min(period_end(span, start_ms), _END_MS)
        times = np.arange(since, end_ms, 900_000)
        block = Block.at(folder, Tier.MIN15, span, Hour(start_ms), (int(times[0]), int(times[-1])))
        with _walks(folder, times, spread=100) as store:
            _copy(
                store,
                block,
                "point + {shift} AS point, time, 0::INTEGER AS since, {min}, {max}, {mean}, {first}, {last}, "
                "900::INTEGER AS count, 900000::INTEGER AS good, decimals, quality",
            )
        files.append(block.path)
        since = end_ms
    return files


@contextmanager
def _walks(folder: Path, times: NDArray[np.int64], spread: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """A table `walks` of a tenth of the points; the others walk alike."""
    rng = np.random.default_rng(1)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "walks.duckdb"
    with duckdb.connect(str(file), config={"threads": 2}) as store:
        store.execute(
            "CREATE TABLE walks (point INTEGER, time BIGINT, value BIGINT, decimals TINYINT, quality USMALLINT)"
        )
        for point in range(_POINTS // 10):
            walk = np.cumsum(rng.integers(-spread, spread + 1, len(times))) + 100_000
            rows = {  # noqa: F841 (DuckDB finds it by its name)
                "point": np.full(len(times), point, dtype=np.int32),
                "time": times,
                "value": walk,
                "decimals": np.full(len(times), 2, dtype=np.int8),
                "quality": np.zeros(len(times), dtype=np.uint16),
            }
            store.execute("INSERT INTO walks SELECT * FROM rows")
        yield store
    file.unlink()


def _copy(store: duckdb.DuckDBPyConnection, block: Block, columns: str) -> None:
    """Write a block as closing and sealing do."""

    def pair(name: str, reckoned: str) -> str:
        return f'{reckoned} AS "{name}", NULL::DOUBLE AS "{name}_f"'

    values = {
        "value": pair("value", "value"),
        "min": pair("min", "value - 40"),
        "max": pair("max", "value + 40"),
        "mean": pair("mean", "value * 100 + 7"),
        "first": pair("first", "value"),
        "last": pair("last", "value + 3"),
    }
    shifts = range(0, _POINTS, _POINTS // 10)
    rows = " UNION ALL ".join(f"SELECT {columns.format(shift=shift, **values)} FROM walks" for shift in shifts)
    block.path.parent.mkdir(parents=True, exist_ok=True)
    store.execute(f"COPY ({rows}) TO '{block.path.as_posix()}' ({parquet_options(block.tier)})")
