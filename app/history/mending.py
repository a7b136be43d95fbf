"""A damaged `history.duckdb`: it is set aside, and what can still be read of it goes into a new one."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import duckdb

from app.history.trouble import Troubles
from app.history.whole import set_aside
from app.model.clock import Clock

log = logging.getLogger("gridroom.history.mending")

_DAMAGE: Final = re.compile(r"corrupt|checksum|deseriali[sz]|not a valid duckdb|magic bytes", re.IGNORECASE)
_TRUNCATED: Final = re.compile(r'not read enough bytes from file "[^"]*\.duckdb(\.broken-[^".]*)?"')
"""Of the database, not of its write-ahead log or a Parquet file."""
_CHUNK_ROWS: Final = 122_880
"""Rows of a row group: what one bad block spoils."""


def is_damage(error: BaseException) -> bool:
    """Whether an error says that what the disk gave back is not what was written."""
    return isinstance(error, duckdb.Error) and (_DAMAGE.search(str(error)) is not None or is_truncated(str(error)))


def is_truncated(why: str) -> bool:
    """Whether the database ends before what is in it does."""
    return _TRUNCATED.search(why) is not None


def replace_damaged(
    path: Path, why: str, plain: Callable[[Path], duckdb.DuckDBPyConnection], clock: Clock, troubles: Troubles
) -> None:
    """Set a closed database aside, make a new one in its place, and take over every row that can be read.

    Raises OSError or duckdb.Error when there is no room for it; the damaged file is whole in its new place then.
    """
    now_ns = clock.now_ns()
    wal = path.with_name(path.name + ".wal")
    aside = set_aside(path, now_ns) if path.exists() else None
    if wal.exists() and aside is not None:
        wal.rename(aside.with_name(aside.name + ".wal"))  # where DuckDB looks for it
    taken, lost = (0, 0) if aside is None else _take_over(path, aside, plain)
    reason = why.strip().splitlines()[0] if why.strip() else "no reason given"
    name = aside.name if aside is not None else "nothing"
    was, zh = ("truncated", "被截断") if is_truncated(why) else ("damaged", "已损坏")
    kept, kept_zh = "nothing in it could be read", "其中没有可恢复的数据"
    if tables := taken + lost:
        kept = f"{taken} of its {tables} tables were taken over whole, of the others what could be read"
        kept_zh = f"{tables} 张表中完整恢复 {taken} 张，其余恢复可读部分"
    troubles.tell(
        "history.database",
        f"{path.name} was {was} and is set aside as {name}; {kept}. Check this disk ({reason})",
        f"{path.name} {zh}，移为 {name}；{kept_zh}，请检查磁盘（{reason}）",
    )


def _take_over(path: Path, aside: Path, plain: Callable[[Path], duckdb.DuckDBPyConnection]) -> tuple[int, int]:
    """Tables taken over whole, and those of which only a part or nothing could be read."""
    whole = partly = 0
    connection = plain(path)
    try:
        if not _attach(connection, aside):
            return 0, 0
        names = [
            str(name)
            for (name,) in connection.execute(
                "SELECT table_name FROM duckdb_tables() WHERE database_name = 'damaged' AND NOT internal"
            ).fetchall()
        ]
        for name in names:
            if _copy(connection, name):
                whole += 1
            else:
                partly += 1
        connection.execute("DETACH damaged")
        connection.execute("CHECKPOINT")
    finally:
        connection.close()
    return whole, partly


def _attach(connection: duckdb.DuckDBPyConnection, aside: Path) -> bool:
    """Open the damaged file beside the new one: with its write-ahead log, or else without."""
    wal = aside.with_name(aside.name + ".wal")
    for _ in range(2):
        try:
            connection.execute(f"ATTACH '{aside.as_posix().replace(chr(39), chr(39) * 2)}' AS damaged (READ_ONLY)")
            connection.execute("SELECT count(*) FROM duckdb_tables() WHERE database_name = 'damaged'").fetchall()
            return True
        except duckdb.Error as error:
            log.warning("%s: %s", aside, error)
            if not wal.exists():
                return False
            wal.rename(wal.with_name(wal.name + ".unread"))
    return False


def _copy(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Copy a table, row group by row group. Whether all of it could be read."""
    try:
        connection.execute(f"CREATE TABLE {table} AS SELECT * FROM damaged.{table} LIMIT 0")
        (count,) = connection.execute(f"SELECT count(*) FROM damaged.{table}").fetchall()[0]
    except duckdb.Error as error:
        log.warning("table %s: %s", table, error)
        return False
    good = True
    for start in range(0, count, _CHUNK_ROWS):
        rows = f"SELECT * FROM damaged.{table} WHERE rowid >= {start} AND rowid < {start + _CHUNK_ROWS}"
        try:
            connection.execute(f"INSERT INTO {table} {rows}")
        except duckdb.Error as error:
            if not is_damage(error):
                raise
            log.warning("table %s, rows from %d: %s", table, start, error)
            good = False
    return good
