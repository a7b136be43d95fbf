"""History: how many samples a second it takes to the disk, and how few bytes they take there."""

from __future__ import annotations

import tempfile
import time
from collections import deque
from concurrent.futures import Future
from pathlib import Path
from typing import Final

import duckdb
import numpy as np

from app.bench.report import Figure
from app.bench.station import flat_station
from app.history.service import History
from app.history.settings import Settings
from app.model.clock import SECOND_NS, Clock, ManualClock, SystemClock
from app.model.text import Text
from app.model.updates import Updates

SECONDS: Final = 30.0
_POINTS: Final = 100_000
_GOAL: Final = 1_000_000
_BARE_S: Final = 3.0
_WALK_POINTS: Final = 1000
_HOUR_S: Final = 3600
_STEADY_S: Final = 10.0
_SPACE: Final = Settings(low_space_mb=0, no_space_mb=0)


def run(seconds: float | None = None) -> list[Figure]:
    """All figures; `seconds` shortens the sustained run."""
    with tempfile.TemporaryDirectory(prefix="gridroom-bench-") as place:
        folder = Path(place)
        bare = _bare_inserts(folder / "bare.duckdb")
        rate, cpu_pct = _sustained(folder / "sustained", seconds or SECONDS)
        steady = _steady(folder / "steady", min(seconds or SECONDS, _STEADY_S))
        size, doubles = _closed_bytes(folder / "walk")
    return [
        Figure.at_least("samples into the file, sustained", rate, "samples/s", _GOAL, f"bare Arrow {bare:,.0f}"),
        Figure("of one core meanwhile", cpu_pct, "%"),
        Figure.at_most("of one core at 100,000 points/s", steady, "%", 20.0),
        Figure.at_most("on disk once closed", size, "bytes/sample", 4.0, f"as doubles {doubles:.2f}"),
    ]


def _bare_inserts(path: Path) -> float:
    """Rows a second that DuckDB takes as Arrow tables, committed each quarter of a million."""
    import pyarrow as pa

    n = 250_000
    rng = np.random.default_rng(1)
    walk = np.round(100 + np.cumsum(rng.normal(0, 0.1, n)), 2)
    with duckdb.connect(str(path), config={"threads": 2, "memory_limit": "192MB"}) as connection:
        connection.execute("CREATE TABLE raw (point INTEGER, time BIGINT, value DOUBLE, quality USMALLINT)")
        done, began = 0, time.perf_counter()
        while time.perf_counter() - began < _BARE_S:
            rows = pa.table(  # noqa: F841 (DuckDB finds it by its name)
                {
                    "point": np.arange(n, dtype=np.int32) % _POINTS,
                    "time": np.full(n, done, dtype=np.int64),
                    "value": walk + done,
                    "quality": np.zeros(n, dtype=np.uint16),
                }
            )
            connection.execute("INSERT INTO raw SELECT * FROM rows")
            done += n
        return done / (time.perf_counter() - began)


def _sustained(folder: Path, seconds: float) -> tuple[float, float]:
    """Samples a second with the store always a little behind, and the history's share of a core.

    100,000 points scanned ten times a second, each sample changed: all of it is stored, with its 1 s and 5 s buckets.
    """
    rng = np.random.default_rng(1)
    points = np.arange(_POINTS, dtype=np.int32)
    value, good = np.full(_POINTS, 100.0), np.zeros(_POINTS, dtype=np.uint16)
    history = _history(folder, _POINTS, "100ms", SystemClock())
    waiting: deque[Future[None]] = deque()
    batches, feeding = 0, 0.0
    began, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        own = time.thread_time()
        value = value + rng.integers(1, 10, _POINTS) * (0.01 if batches % 2 else -0.01)
        now = time.time_ns()
        feeding += time.thread_time() - own
        history.take(Updates(points, value, good, np.full(_POINTS, now), now))
        batches += 1
        if batches % 5 == 0:
            waiting.append(history.flush())
        if len(waiting) > 2:
            waiting.popleft().result()
    history.flush().result()
    took = time.perf_counter() - began
    cpu_pct = 100 * (time.process_time() - cpu - feeding) / took
    history.stop()
    stored = _stored(folder)
    if stored != batches * _POINTS:
        raise RuntimeError(f"{batches * _POINTS} samples were given, {stored} are stored")
    return stored / took, cpu_pct


def _stored(folder: Path) -> int:
    """Raw samples in a stopped history."""
    sources = [f"read_parquet('{file.as_posix()}')" for file in (folder / "history" / "raw").glob("*.parquet")]
    with duckdb.connect(str(folder / "history.duckdb"), read_only=True) as connection:
        tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'raw%'").fetchall()
        sources += [table for (table,) in tables]
        counts = [connection.execute(f"SELECT count(*) FROM {source}").fetchall()[0][0] for source in sources]
    return sum(counts)


def _steady(folder: Path, seconds: float) -> float:
    """The history's share of a core, in percent, for 100,000 points/s in batches of 50 ms as the engine gives them."""
    rng = np.random.default_rng(2)
    part = _POINTS // 20
    steps = rng.integers(-9, 10, (20, part)) * 0.01
    good = np.zeros(part, dtype=np.uint16)
    history = _history(folder, _POINTS, "1s", SystemClock())
    began, cpu, feeding = time.perf_counter(), time.process_time(), 0.0
    for number in range(round(seconds * 20)):
        own = time.thread_time()
        at = number % 20
        now = time.time_ns()
        points = np.arange(at * part, (at + 1) * part, dtype=np.int32)
        values = steps[number // 20 % 20] + number // 20
        history.take(Updates(points, values, good, np.full(part, now - 1_000_000), now))
        feeding += time.thread_time() - own
        time.sleep(max(0.0, began + (number + 1) / 20 - time.perf_counter()))
    history.flush().result()
    share = 100 * (time.process_time() - cpu - feeding) / (time.perf_counter() - began)
    history.stop()
    return share


def _closed_bytes(folder: Path) -> tuple[float, float]:
    """Bytes a sample of a closed hour, a walk at two decimals that changes each second; and of it as doubles."""
    clock = ManualClock(1_763_712_000 * SECOND_NS)
    rng = np.random.default_rng(3)
    points = np.arange(_WALK_POINTS, dtype=np.int32)
    value = np.round(rng.random(_WALK_POINTS) * 1000, 2)
    good = np.zeros(_WALK_POINTS, dtype=np.uint16)
    history = _history(folder, _WALK_POINTS, "1s", clock, Settings(low_space_mb=0, no_space_mb=0, keeper_s=0.1))
    for second in range(_HOUR_S):
        step = np.round(rng.normal(0, 0.1, _WALK_POINTS), 2)
        value = value + np.where(step == 0, 0.01, step)
        now = clock.now_ns()
        history.take(Updates(points, value, good, np.full(_WALK_POINTS, now), now))
        clock.advance(1)
        if second % 5 == 4:
            history.flush().result()
    history.flush().result()
    raw = folder / "history" / "raw"
    while not (files := list(raw.glob("*.parquet"))):
        time.sleep(0.1)
    history.stop()
    rows = _WALK_POINTS * _HOUR_S
    plain = folder / "plain.parquet"
    duckdb.execute(
        f"COPY (SELECT point, time, value / 100.0 AS value, quality FROM '{files[0].as_posix()}') "
        f"TO '{plain.as_posix()}' (format parquet, compression zstd)"
    )
    return sum(file.stat().st_size for file in files) / rows, plain.stat().st_size / rows


def _history(folder: Path, points: int, scan: str, clock: Clock, settings: Settings = _SPACE) -> History:
    folder.mkdir()

    def told(key: str, text: Text | None) -> None:
        if text is not None:
            raise RuntimeError(f"{key}: {text.en}")

    history = History(flat_station(points, scan), folder, clock, on_trouble=told, settings=settings)
    history.start()
    return history
