"""Every released database is led to today's tables, and one of a newer or another program is left alone."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError

from app.model.errors import StorageError
from app.model.text import Text
from app.records.database import Place
from app.records.migrations import moving
from app.records.migrations.moving import REVISIONS
from app.records.service import Records
from app.records.tables import access_version, alarm_active, alarm_journal, event_journal, metadata

RELEASED = Path(__file__).resolve().parents[2] / "data" / "records" / "released-0.1.0.sql"


def quiet(_key: str, _text: Text | None) -> None:
    """Nothing here is about trouble."""


def released(folder: Path) -> Path:
    """A file of 0.1.0 with rows in it."""
    path = folder / "records.sqlite"
    with closing(sqlite3.connect(path)) as file:
        file.executescript(RELEASED.read_text(encoding="utf-8"))
        file.execute("PRAGMA journal_mode=WAL")
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def opened(folder: Path, work: Callable[[Connection], Any], place: Place | None = None) -> Any:
    """What `work` answers in the records of a folder, as one run of the program."""
    records = Records(folder, on_trouble=quiet, place=place)
    records.start()
    try:
        return records.write(work).result(20)
    finally:
        records.stop()


def test_the_last_revision_is_what_the_tables_say(tmp_path: Path, place_of: Callable[[Path], Place | None]) -> None:
    def differences(connection: Connection) -> list[Any]:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
        return [one for one in found if "alembic_version" not in str(one)]

    assert opened(tmp_path, differences, place_of(tmp_path)) == []


def test_every_revision_is_known_by_name() -> None:
    scripts = ScriptDirectory(str(Path(moving.__file__).parent))
    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == REVISIONS


def test_a_file_of_0_1_is_taken_over_with_what_is_in_it(tmp_path: Path) -> None:
    path = released(tmp_path)
    before = digest(path)

    def look(connection: Connection) -> tuple[Any, ...]:
        return (
            [row.acknowledged_by for row in connection.execute(select(alarm_active))],
            connection.execute(select(func.count()).select_from(alarm_journal)).scalar(),
            [row.message_zh for row in connection.execute(select(event_journal))],
            connection.execute(select(access_version.c.version)).scalar(),
            connection.execute(text("SELECT version_num FROM alembic_version")).scalar(),
            connection.execute(text("SELECT version FROM schema_version")).scalar(),
        )

    assert opened(tmp_path, look) == (["li"], 2, ["水泵 s：open → closed"], 0, REVISIONS[-1], moving.NUMBER)
    copy = tmp_path / "backups" / "records.before-update-1.sqlite"
    with closing(sqlite3.connect(copy)) as old:
        assert old.execute("SELECT version FROM schema_version").fetchall() == [(1,)]
        assert old.execute("SELECT acknowledged_by FROM alarm_active").fetchall() == [("li",)]
    assert digest(path) != before
    opened(tmp_path, look)  # and no second copy at the next start
    assert [file.name for file in (tmp_path / "backups").iterdir()] == [copy.name]


def test_what_0_1_asks_refuses_todays_file(tmp_path: Path) -> None:
    """It starts on a file whose `schema_version` is at most 1."""
    number = opened(tmp_path, lambda c: c.execute(text("SELECT max(version) FROM schema_version")).scalar())
    assert number > moving.FIRST_NUMBER


def test_a_move_that_fails_half_way_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = released(tmp_path)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("CREATE INDEX audit_what ON event_journal (what)")  # in the way of the last thing that 0002 makes
    with closing(sqlite3.connect(path)) as file:
        before = list(file.iterdump())
    with pytest.raises(DBAPIError, match="audit_what"):
        opened(tmp_path, lambda c: None)
    with closing(sqlite3.connect(path)) as file:
        assert list(file.iterdump()) == before


@pytest.mark.parametrize(
    ("made_newer", "version"),
    [("UPDATE schema_version SET version = 99", "99"), ("UPDATE alembic_version SET version_num = '0099'", "0099")],
)
def test_a_database_from_the_future_is_refused_and_nothing_in_it_is_touched(
    tmp_path: Path, made_newer: str, version: str
) -> None:
    opened(tmp_path, lambda c: c.exec_driver_sql(made_newer))
    path = tmp_path / "records.sqlite"
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA journal_mode=DELETE")  # a newer one may keep it otherwise
    before = digest(path)
    with pytest.raises(StorageError, match=rf"newer Gridroom \(records version {version}, this one knows") as caught:
        Records(tmp_path, on_trouble=quiet).start()
    assert "由更新版本的 Gridroom 写入" in caught.value.text.zh
    assert digest(path) == before
    assert [one.name for one in tmp_path.iterdir()] == ["records.sqlite"]


@pytest.mark.postgresql
def test_a_schema_from_the_future_is_refused_as_well(postgresql: Any) -> None:
    place = postgresql.place("future")
    opened(Path(), lambda c: c.execute(text("UPDATE alembic_version SET version_num = '0099'")), place)
    with pytest.raises(StorageError, match="newer Gridroom") as caught:
        Records(Path(), on_trouble=quiet, place=place).start()
    assert "gridroom_future" in str(caught.value) and "pw-of-a-test" not in str(caught.value)


def test_a_foreign_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    before = digest(path)
    with pytest.raises(StorageError, match="not a records database of Gridroom"):
        Records(tmp_path, on_trouble=quiet).start()
    assert digest(path) == before


@pytest.mark.expects_errors
def test_a_released_file_cut_off_in_the_middle_is_set_aside_whole(tmp_path: Path) -> None:
    path = released(tmp_path)
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    cut = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(cut)
    opened(tmp_path, lambda c: None)
    assert (tmp_path / "records.damaged-1.sqlite").read_bytes() == cut
