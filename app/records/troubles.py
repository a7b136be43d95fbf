"""What can be wrong with where the records are kept, in words.

SQLite's codes: https://www.sqlite.org/rescode.html. PostgreSQL's: https://www.postgresql.org/docs/current/errcodes-appendix.html.
"""

from __future__ import annotations

import sqlite3
import sys
from enum import Enum
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.model.errors import StorageError
from app.model.text import Text


class Trouble(Enum):
    """Not the statement failed, but its surroundings: trying again later may help."""

    BUSY = "busy"
    FULL = "full"
    DAMAGED = "damaged"
    ACCESS = "access"
    AWAY = "away"
    """The server cannot be reached, or the connection to it was lost."""
    OTHER = "other"


_SQLITE: Final = {
    sqlite3.SQLITE_BUSY: Trouble.BUSY,
    sqlite3.SQLITE_LOCKED: Trouble.BUSY,
    sqlite3.SQLITE_FULL: Trouble.FULL,
    sqlite3.SQLITE_CORRUPT: Trouble.DAMAGED,
    sqlite3.SQLITE_NOTADB: Trouble.DAMAGED,
    sqlite3.SQLITE_READONLY: Trouble.ACCESS,
    sqlite3.SQLITE_CANTOPEN: Trouble.ACCESS,
    sqlite3.SQLITE_PERM: Trouble.ACCESS,
    sqlite3.SQLITE_IOERR: Trouble.OTHER,
}
_POSTGRESQL: Final = {
    "08": Trouble.AWAY,
    "57P": Trouble.AWAY,  # shut down, crashed, starting
    "53100": Trouble.FULL,
    "53": Trouble.OTHER,  # no memory, no more connections
    "55P03": Trouble.BUSY,  # a lock was not given in time
    "40": Trouble.BUSY,  # a deadlock, or a conflict with another transaction
    "25006": Trouble.ACCESS,  # read-only, such as a standby
    "28": Trouble.ACCESS,
    "42501": Trouble.ACCESS,
    "58": Trouble.OTHER,
    "XX": Trouble.OTHER,
}
"""By the longest beginning of the code that is named here."""


def trouble_of(error: BaseException) -> Trouble | None:
    """What is wrong with file, disk, server or other programs; None where the statement itself is at fault."""
    inner = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(inner, sqlite3.Error):
        code = getattr(inner, "sqlite_errorcode", None)
        return _SQLITE.get(code & 0xFF) if isinstance(code, int) else None
    if isinstance(inner, PoolTimeout):
        return Trouble.AWAY
    psycopg: Any = sys.modules.get("psycopg")  # not loaded: none of its errors
    if psycopg is None or not isinstance(inner, psycopg.Error):
        return None
    state = inner.sqlstate or ""
    for length in (5, 3, 2):
        if found := _POSTGRESQL.get(state[:length]):
            return found
    return Trouble.AWAY if not state and isinstance(inner, psycopg.OperationalError | psycopg.InterfaceError) else None


def is_trouble(error: BaseException) -> bool:
    """Whether trying again later may help, because not the statement but its surroundings failed."""
    return trouble_of(error) is not None or isinstance(error, (OSError, StorageError))


def is_damage(error: BaseException) -> bool:
    """Whether the file's content is broken."""
    return trouble_of(error) is Trouble.DAMAGED


def needs_reopening(error: BaseException) -> bool:
    """Whether the connection should not be used again after this error."""
    return trouble_of(error) not in (Trouble.BUSY, Trouble.FULL)


def cause(error: BaseException) -> str:
    """The first line of what the library said."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return lines[0] if lines else type(cause).__name__


def reason(error: BaseException, name: str) -> Text:
    """What happened, where, and what to do."""
    said = cause(error)
    match trouble_of(error):
        case Trouble.BUSY:
            return Text(f"{name} is locked by another program; close it", f"{name} 被其他程序锁定；请关闭该程序")
        case Trouble.FULL:
            return Text(f"the disk of {name} is full; free space on it", f"{name} 所在磁盘已满；请清理空间")
        case Trouble.DAMAGED:
            return Text(f"{name} is damaged; it is being set aside", f"{name} 已损坏；正在移至一旁")
        case Trouble.ACCESS:
            return Text(
                f"{name} cannot be written ({said}); check its permissions",
                f"{name} 无法写入（{said}）；请检查权限",
            )
        case Trouble.AWAY:
            return Text(
                f"{name} cannot be reached ({said}); check the server, the network, the user and the password",
                f"{name} 无法连接（{said}）；请检查服务器、网络、用户名和密码",
            )
        case _ if isinstance(error, StorageError):
            return error.text
        case _:
            return Text(
                f"writing {name} failed ({said}); check the disk and its free space",
                f"写入 {name} 失败（{said}）；请检查磁盘及剩余空间",
            )


def words(why: Text, *, lost: bool) -> Text:
    """A reason why nothing is stored, and what is kept. `lost`: the queue in memory was full for some."""
    en = f"Records are not being stored: {why.en}. They wait in memory and will be written by themselves."
    zh = f"记录未能保存：{why.zh}。新记录暂存内存，恢复后自动写入。"
    if lost:
        en += " The memory for them is full: some are lost."
        zh += "内存队列已满，部分记录丢失。"
    return Text(en, zh)


def lost_words(name: str, rows: int) -> Text:
    """That records could not even be kept in memory."""
    return Text(
        f"{rows} records were lost: {name} could not be written for so long that the memory for them was full. "
        "What is recorded has a hole there.",
        f"丢失 {rows} 条记录：{name} 长时间无法写入，内存队列已满，该时段记录不完整。",
    )


def set_aside_words(name: str, aside: Path) -> Text:
    """That a damaged file was replaced by a new one."""
    return Text(
        f"{Path(name).name} was damaged; it is kept as {aside}, and a new one was begun. "
        "Journals, acknowledgements, accounts and the audit from before are in the old file. "
        "Put a sound copy in its place, or add an administrator with gridroom user add.",
        f"{Path(name).name} 已损坏；原文件保留为 {aside}，已新建数据库。此前的日志、确认记录、账户与审计在原文件中。"
        "请以完好的副本恢复，或用 gridroom user add 添加管理员。",
    )


def given_up_words(seconds: float, why: Text | None) -> Text:
    """That something was not stored in time, and will not be."""
    en = f"it could not be stored within {seconds:g} s, and will not be"
    zh = f"{seconds:g} 秒内未能保存，已放弃"
    return Text(f"{en}: {why.en}" if why else f"{en}; try again", f"{zh}：{why.zh}" if why else f"{zh}；请重试")


def in_doubt_words(name: str) -> Text:
    """That nobody can say now whether something was stored."""
    return Text(
        f"{name} did not answer to the end of a transaction: whether it was stored is not known; try again later",
        f"{name} 未对提交作出应答：是否已保存未知；请稍后重试",
    )
