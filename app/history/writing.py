"""Writing one Parquet file, sorted, within bounded memory, and visible only when it is whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import duckdb

from app.history.layout import Block
from app.history.schema import SortedRows, file_list, parquet_options
from app.history.whole import publish, unfinished

_SORT_MB: Final = 128
_MOST_MB: Final = 2048
_SLICE_ROWS: Final = 10_000_000
"""More than these are sorted in slices of points, which are then joined."""


def write_block(
    cursor: duckdb.DuckDBPyConnection,
    rows: SortedRows,
    block: Block,
    count: int,
    memory_mb: int,
    sources: Sequence[str] = (),
) -> None:
    """Write `count` rows into the file of `block`, which notes the stems of the files that it replaces.

    Raises duckdb.Error or OSError, and leaves nothing behind then. `memory_mb` is what DuckDB is held to otherwise.
    """
    block.path.parent.mkdir(parents=True, exist_ok=True)
    final = unfinished(block.path)
    options = parquet_options(block.tier)
    noted = f"{options}, kv_metadata {{sources: '{','.join(sources)}'}}" if sources else options
    slices: list[Path] = []
    try:
        if count <= _SLICE_ROWS:
            _copy(cursor, rows.some(), final, noted, memory_mb)
        else:
            for number, condition in enumerate(_slices(cursor, rows)):
                slices.append(unfinished(block.path.with_name(f"{block.path.name}.{number}")))
                _copy(cursor, rows.some(condition), slices[-1], options, memory_mb)
            _copy(cursor, f"SELECT * FROM read_parquet({file_list(slices)})", final, noted, memory_mb)
        written = rows_in(cursor, [final])
        if written != count:
            raise OSError(f"{final} holds {written} rows instead of {count}")
        publish(block.path)
    finally:
        for path in (*slices, final):
            path.unlink(missing_ok=True)


def rows_in(cursor: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> int:
    """How many rows files have, from their footers."""
    query = f"SELECT sum(num_rows) FROM parquet_file_metadata({file_list(files)})"
    return int(cursor.execute(query).fetchall()[0][0])


def _slices(cursor: duckdb.DuckDBPyConnection, rows: SortedRows) -> Iterator[str]:
    """Conditions that split the rows by point; no point is split."""
    query = f"SELECT point, count(*) FROM {rows.source} GROUP BY point ORDER BY point"
    first, gathered = -1, 0
    for point, count in cursor.execute(query).fetchall():
        if gathered and gathered + count > _SLICE_ROWS:
            yield f"point >= {first} AND point < {point}"
            first, gathered = point, 0
        gathered += count
    yield f"point >= {first}"


def _copy(cursor: duckdb.DuckDBPyConnection, query: str, path: Path, options: str, memory_mb: int) -> None:
    """Write a query's rows, with more memory where sorting them takes it."""
    allowed = max(_SORT_MB, memory_mb)
    target = path.as_posix().replace("'", "''")
    try:
        while True:
            cursor.execute(f"SET memory_limit = '{allowed}MB'")
            try:
                cursor.execute(f"COPY ({query}) TO '{target}' ({options})")
                return
            except duckdb.OutOfMemoryException:
                allowed *= 2
                if allowed > _MOST_MB:
                    raise
    finally:
        cursor.execute(f"SET memory_limit = '{memory_mb}MB'")
