"""How a database stands, and the move to today's tables: whole, in the transaction of the caller, or not at all."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, column, inspect, select, table

from app.model.errors import StorageError
from app.model.text import Text

REVISIONS: Final = ("0001", "0002")
"""In their order; the last is today's. Known by name here, so that alembic is loaded only where something moves."""
FIRST_NUMBER: Final = 1
"""What Gridroom 0.1 wrote into `schema_version`, and all it knows."""
NUMBER: Final = 2
"""What stands there since: 0.1 refuses the file by it."""

_version_table = table("alembic_version", column("version_num"))
_number_table = table("schema_version", column("version"))


class Standing(Enum):
    """What a database is to this program."""

    EMPTY = "empty"
    RELEASED_0_1 = "0.1"
    """It has no revision of alembic's yet."""
    OLDER = "older"
    TODAY = "today"


def judge(connection: Connection, name: str) -> Standing:
    """How a database stands. Raises StorageError where it is another program's, or a newer Gridroom's.

    `name` is how people are told it.
    """
    present = set(inspect(connection).get_table_names())
    if not present:
        return Standing.EMPTY
    number = revision = None
    if _number_table.name in present:
        number = connection.execute(select(_number_table.c.version)).scalar()
    if _version_table.name in present:
        revision = connection.execute(select(_version_table.c.version_num)).scalar()
    if number is None:
        raise StorageError(
            Text(
                f"{name} is not a records database of Gridroom; move it away, or give another folder with --data",
                f"{name} 不是 Gridroom 的记录数据库；请移走，或用 --data 指定其他文件夹",
            )
        )
    if number > NUMBER or (revision is not None and revision not in REVISIONS):
        theirs = revision if revision is not None and revision not in REVISIONS else number
        raise StorageError(
            Text(
                f"{name} was written by a newer Gridroom (records version {theirs}, this one knows {REVISIONS[-1]}); "
                "nothing in it was touched: start that version, or give another folder with --data",
                f"{name} 由更新版本的 Gridroom 写入（记录版本 {theirs}，本程序支持 {REVISIONS[-1]}），未作任何改动；"
                "请启动该版本，或用 --data 指定其他文件夹",
            )
        )
    if revision is None:
        return Standing.RELEASED_0_1
    return Standing.TODAY if revision == REVISIONS[-1] else Standing.OLDER


def move(connection: Connection, standing: Standing) -> None:
    """Lead a database to today's tables, within the transaction that `connection` is in."""
    if standing is Standing.TODAY:
        return
    from alembic import command  # heavy, and seldom needed
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    if standing is Standing.RELEASED_0_1:
        command.stamp(config, REVISIONS[0])
    command.upgrade(config, "head")
