"""What can be wrong with the records' file, in words. Codes: https://www.sqlite.org/rescode.html."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DBAPIError

from app.model.errors import StorageError
from app.model.text import Text

_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_FULL: Final = (sqlite3.SQLITE_FULL,)
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_ACCESS: Final = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)
_ALL: Final = (*_BUSY, *_FULL, *_DAMAGED, *_ACCESS, sqlite3.SQLITE_IOERR)


def code_of(error: BaseException) -> int | None:
    """SQLite's primary result code where the file, the disk or another program is at fault; None for anything else."""
    inner = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(inner, "sqlite_errorcode", None)
    if isinstance(inner, sqlite3.Error) and isinstance(code, int) and code & 0xFF in _ALL:
        return code & 0xFF
    return None


def is_trouble(error: BaseException) -> bool:
    """Whether trying again later may help, because not the statement but its surroundings failed."""
    return code_of(error) is not None or isinstance(error, (OSError, StorageError))


def is_damage(error: BaseException) -> bool:
    """Whether the file's content is broken."""
    return code_of(error) in _DAMAGED


def needs_reopening(error: BaseException) -> bool:
    """Whether the connection should not be used again after this error."""
    return code_of(error) not in (*_BUSY, *_FULL)


def words(error: BaseException, path: Path, *, lost: bool) -> Text:
    """What happened, where, what to do, and what was kept. `lost`: the queue in memory was full for some."""
    code = code_of(error)
    if code in _BUSY:
        what = Text(f"{path} is locked by another program; close it", f"{path} 被其他程序锁定；请关闭该程序")
    elif code in _FULL:
        what = Text(f"the disk of {path} is full; free space on it", f"{path} 所在磁盘已满；请清理空间")
    elif code in _DAMAGED:
        what = Text(f"{path} is damaged; it is being set aside", f"{path} 已损坏；正在移至一旁")
    elif code in _ACCESS:
        what = Text(f"{path} cannot be written; check its permissions", f"{path} 无法写入；请检查权限")
    elif isinstance(error, StorageError):
        what = error.text
    else:
        cause = error.orig if isinstance(error, DBAPIError) else error
        what = Text(
            f"writing {path} failed ({cause}); check the disk and its free space",
            f"写入 {path} 失败（{cause}）；请检查磁盘及剩余空间",
        )
    en = f"Records are not being stored: {what.en}. They wait in memory and will be written by themselves."
    zh = f"记录未能保存：{what.zh}。新记录暂存内存，恢复后自动写入。"
    if lost:
        en += " The memory for them is full: some are lost."
        zh += "内存队列已满，部分记录丢失。"
    return Text(en, zh)


def lost_words(path: Path, rows: int) -> Text:
    """That records could not even be kept in memory."""
    return Text(
        f"{rows} records were lost: {path} could not be written for so long that the memory for them was full. "
        "What is recorded has a hole there.",
        f"丢失 {rows} 条记录：{path} 长时间无法写入，内存队列已满，该时段记录不完整。",
    )


def set_aside_words(path: Path, aside: Path) -> Text:
    """That a damaged file was replaced by a new one."""
    return Text(
        f"{path.name} was damaged; it is kept as {aside}, and a new one was begun. "
        "Journals and acknowledgements from before are in the old file.",
        f"{path.name} 已损坏；原文件保留为 {aside}，已新建数据库。此前的日志与确认记录在原文件中。",
    )
