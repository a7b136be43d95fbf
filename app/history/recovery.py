"""Opening `history.duckdb` whatever state a crash, a full disk or a bad sector left it in.

What cannot be read is set aside beside it (`NAME.broken-TIME`) and told, and the station goes on. Never is anything set
aside because the disk is full or a right is missing: that passes, and is tried again.
"""

from __future__ import annotations

import errno
import multiprocessing
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import duckdb

from app.history.hot import FILE_NAME, HotStore
from app.history.mending import is_truncated, replace_damaged
from app.history.trouble import Troubles
from app.history.whole import set_aside
from app.model.clock import Clock
from app.model.errors import StorageError, mend_of
from app.model.text import Text

_CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    "threads": 2,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
# What was closed is not written to any more: the footers of Parquet files need reading once.
_CACHE: Final = "SET GLOBAL parquet_metadata_cache = true"
_PASSING: Final = re.compile(
    r"no space|disk full|quota|file too large|too many open files|permission denied|read-only|set lock|being used by "
    r"another|out of memory|cannot allocate",
    re.IGNORECASE,
)
_POSITION: Final = re.compile(r"byte position (\d+)")
_PROBE_S: Final = 60.0
_OPENING: Final = FILE_NAME + ".opening"


def open_store(folder: Path, memory_mb: int, clock: Clock, troubles: Troubles) -> HotStore:
    """Open or make the hot store in a data folder, mending what can be mended.

    Raises StorageError when it cannot be opened now but may be later: no room, no rights, another process.
    """

    def plain(path: Path) -> duckdb.DuckDBPyConnection:
        return _plain(path, memory_mb)

    def connect() -> duckdb.DuckDBPyConnection:
        return _connect(folder / FILE_NAME, plain, clock, troubles)

    def mend(why: str) -> None:
        replace_damaged(folder / FILE_NAME, why, plain, clock, troubles)

    return HotStore(connect, mend)


def open_read_only(folder: Path, memory_mb: int) -> HotStore:
    """Open the hot store of a folder whose station does not run. Nothing is changed.

    Raises StorageError when it cannot be read.
    """
    path = folder / FILE_NAME

    def connect() -> duckdb.DuckDBPyConnection:
        try:
            connection = duckdb.connect(str(path), read_only=True, config={**_CONFIG, "memory_limit": f"{memory_mb}MB"})
            connection.execute(_CACHE)
            return connection
        except duckdb.Error as error:
            raise unreadable(path, error) from error

    return HotStore(connect)


def unreadable(path: Path, error: duckdb.Error) -> StorageError:
    """What is said of a database that nobody may mend, because it is only read."""
    return StorageError(
        Text(
            f"{path} cannot be read ({error}); start the station once on this folder, which mends or replaces it",
            f"{path} 无法读取（{error}）；请用此文件夹启动一次电站，将自动修复或替换",
        )
    )


def _plain(path: Path, memory_mb: int) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(path), config={**_CONFIG, "memory_limit": f"{memory_mb}MB"})
    try:
        connection.execute(_CACHE)
        # A damaged page shows when it is read, so read what every store has.
        connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone()
    except duckdb.Error:
        connection.close()
        raise
    return connection


def _connect(
    path: Path, plain: Callable[[Path], duckdb.DuckDBPyConnection], clock: Clock, troubles: Troubles
) -> duckdb.DuckDBPyConnection:
    wal = path.with_name(path.name + ".wal")
    opening = path.with_name(_OPENING)
    try:
        if opening.exists() and wal.exists() and not _opens_elsewhere(path):
            # An opening never came to its end, and another process came to none either.
            _wal_aside(wal, "opening it ended the process", clock, troubles)
        opening.touch()
    except OSError as error:
        raise _not_now(path, error) from error
    cut = replaced = False
    while True:
        try:
            connection = plain(path)
            opening.unlink(missing_ok=True)
            return connection
        except (duckdb.Error, OSError) as error:
            if replaced or _passes(error):
                raise _not_now(path, error) from error
            try:
                if wal.exists() and "WAL" in str(error) and not is_truncated(str(error)):
                    (_wal_aside if cut else _wal_cut)(wal, str(error), clock, troubles)
                    cut = True
                else:
                    replaced = True
                    replace_damaged(path, str(error), plain, clock, troubles)
            except (duckdb.Error, OSError) as failure:
                raise _not_now(path, failure) from failure


def _passes(error: duckdb.Error | OSError) -> bool:
    if isinstance(error, OSError):
        return error.errno not in {errno.EIO, errno.EINVAL}
    return isinstance(error, duckdb.OutOfMemoryException) or _PASSING.search(str(error)) is not None


def _not_now(path: Path, error: Exception) -> StorageError:
    mend = mend_of(error)
    return StorageError(
        Text(
            f"{path} cannot be opened just now ({error}); {mend.en}; it is tried again",
            f"{path} 暂时无法打开（{error}）；{mend.zh}；将自动重试",
        )
    )


def _wal_cut(wal: Path, why: str, clock: Clock, troubles: Troubles) -> None:
    """Keep what stands before the damage: replay checks each entry, and says where the first bad one begins."""
    position = _POSITION.search(why)
    if position is None or int(position[1]) >= wal.stat().st_size:
        return
    copy = wal.with_name(wal.name + ".copy")
    shutil.copyfile(wal, copy)
    with wal.open("r+b") as file:
        file.truncate(int(position[1]))
    aside = set_aside(copy, clock.now_ns())
    aside = aside.rename(aside.with_name(aside.name.replace(".wal.copy.", ".wal.")))
    _tell_wal(aside, why, troubles)


def _wal_aside(wal: Path, why: str, clock: Clock, troubles: Troubles) -> None:
    if wal.exists():
        _tell_wal(set_aside(wal, clock.now_ns()), why, troubles)


def _tell_wal(aside: Path, why: str, troubles: Troubles) -> None:
    troubles.tell(
        "history.wal",
        f"the history's write-ahead log was damaged and is set aside as {aside.name}; the last samples before the stop "
        f"may be missing. Check this disk ({_first_line(why)})",
        f"历史库预写日志损坏，已移为 {aside.name}；停机前最后的数据可能缺失，请检查磁盘（{_first_line(why)}）",
    )


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no reason given"


def _opens_elsewhere(path: Path) -> bool:
    """Whether another process can open the database: a replay may end the process that tries it."""
    trial = multiprocessing.get_context("spawn").Process(target=_try_to_open, args=(str(path),), daemon=True)
    trial.start()
    trial.join(_PROBE_S)
    if trial.is_alive():
        trial.kill()
        trial.join()
        return False
    # An error that can be caught is caught when we open it ourselves; only a process that crashed tells of more.
    return not _crashed(trial.exitcode)


def _crashed(exit_code: int | None) -> bool:
    """Ended by a signal, or on Windows by a status such as 0xC0000005; not by an error that Python could tell."""
    return exit_code is not None and not 0 <= exit_code <= 255


def _try_to_open(path: str) -> None:
    try:
        duckdb.connect(path, config=_CONFIG).close()
    except duckdb.Error:
        return
