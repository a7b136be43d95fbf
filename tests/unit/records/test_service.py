"""The records on a real disk: order, transactions, full disks, locks, damage, and versions of another program."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import IntegrityError

from app.model.errors import StorageError
from app.model.text import Text
from app.records import service
from app.records.database import Place
from app.records.service import Records
from app.records.tables import event_journal, status_last


class Told:
    """What the records said of trouble."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Text | None]] = []

    def __call__(self, key: str, text: Text | None) -> None:
        self.said.append((key, text))

    def current(self) -> dict[str, Text]:
        return {key: text for key, text in dict(self.said).items() if text is not None}


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def make(tmp_path: Path, told: Told, place_of: Callable[[Path], Place | None]) -> Callable[[], Records]:
    """Records of one folder, on SQLite and on PostgreSQL; each call is another start of the program."""
    return lambda: Records(tmp_path, on_trouble=told, retry_s=0.02, place=place_of(tmp_path))


@pytest.fixture
def records(make: Callable[[], Records]) -> Iterator[Records]:
    with_records = make()
    with_records.start()
    yield with_records
    with_records.stop()


def event(source: str, time_ns: int = 1) -> dict[str, Any]:
    return {
        "time": time_ns, "recorded": 1, "source": source, "what": "status", "message_en": "m", "message_zh": "m",
        "old_value": 0.0, "value": float("nan"), "quality": 0,
    }  # fmt: skip


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(event_journal)).scalar_one()


def sources(connection: Connection) -> list[str]:
    return [row.source for row in connection.execute(select(event_journal).order_by(event_journal.c.id))]


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_what_was_written_is_read_back_in_its_order(records: Records) -> None:
    for i in range(50):
        records.write(insert(event_journal), [event(f"d.p{i}")])
    assert records.write(insert(event_journal), [event("a"), event("b")]).result(10) == 2
    assert records.read(sources).result(10) == [*(f"d.p{i}" for i in range(50)), "a", "b"]


def test_a_callable_sees_the_connection_and_answers(records: Records) -> None:
    assert records.write(lambda connection: connection.execute(select(1)).scalar_one()).result(10) == 1


def test_stopping_writes_what_is_waiting(make: Callable[[], Records]) -> None:
    records = make()
    records.start()
    futures = [records.write(insert(event_journal), [event("x")]) for _ in range(500)]
    records.stop()
    assert all(future.result(0) == 1 for future in futures)
    again = make()
    again.start()
    assert again.read(count).result(10) == 500
    again.stop()


def test_ten_thousand_rows_do_not_pile_up(records: Records) -> None:
    """Handed over in one go, as an avalanche does; the flush is one transaction, not ten thousand."""
    rows = [event(f"d.p{i}", i) for i in range(10_000)]
    for start in range(0, 10_000, 1000):
        last = records.write(insert(event_journal), rows[start : start + 1000])
    last.result(30)
    assert records.read(count).result(10) == 10_000


def test_a_faulty_statement_hurts_only_itself(records: Records) -> None:
    records.write(insert(status_last), [{"source": "a", "value": 1.0}]).result(10)
    before = records.write(insert(event_journal), [event("before")])
    wrong = records.write(insert(status_last), [{"source": "a", "value": 2.0}])
    after = records.write(insert(event_journal), [event("after")])
    assert isinstance(wrong.exception(10), IntegrityError)
    before.result(10)
    after.result(10)
    assert records.read(sources).result(10) == ["before", "after"]
    assert records.state() == "ok"


def test_closed_records_say_so(make: Callable[[], Records]) -> None:
    records = make()
    for future in (records.write(insert(event_journal), [event("x")]), records.read(count)):
        with pytest.raises(StorageError, match="closed"):
            future.result(0)


def test_readers_cannot_write(records: Records) -> None:
    with pytest.raises(StorageError, match="read-?only"):
        records.read(lambda connection: connection.execute(insert(event_journal), [event("x")])).result(10)


@pytest.mark.sqlite
def test_the_file_is_safe_against_a_power_cut(records: Records) -> None:
    def settings(connection: Connection) -> list[Any]:
        return [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]

    assert records.write(settings).result(10) == ["wal", 2, 1, 5000]


@pytest.mark.sqlite
@pytest.mark.expects_errors
def test_a_full_disk_is_told_and_nothing_is_lost(records: Records, told: Told) -> None:
    records.write(insert(event_journal), [event("first")]).result(10)

    def limit(pages: int) -> Callable[[Connection], Any]:
        return lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count={pages}").scalar()

    pages = records.write(lambda connection: connection.exec_driver_sql("PRAGMA page_count").scalar()).result(10)
    records.write(limit(pages)).result(10)
    big = {**event("big"), "message_en": "x" * 100_000}
    waiting = [records.write(insert(event_journal), [big]) for _ in range(5)]
    until(lambda: "records" in told.current())
    text = told.current()["records"]
    assert "full" in text.en and "free space" in text.en and "records.sqlite" in text.en and "已满" in text.zh
    assert records.state() == text.en
    assert records.read(sources).result(10) == ["first"]  # what is stored can be read all the time
    waiting.append(records.write(insert(event_journal), [event("last")]))
    assert not any(future.done() for future in waiting)

    # Space again: the limit belongs to the writer's connection, so it is lifted on that.
    database = records._database
    assert database is not None
    with closing(database.writer.raw_connection()) as raw:
        raw.cursor().execute("PRAGMA max_page_count=1000000")
    for future in waiting:
        future.result(20)
    assert records.read(sources).result(10) == ["first", *["big"] * 5, "last"]
    assert told.said[-1] == ("records", None)
    assert records.state() == "ok"


@pytest.mark.expects_errors
def test_a_lock_held_by_another_program_is_waited_out(
    tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.records.database.BUSY_TIMEOUT_S", 0.05)
    records = Records(tmp_path, on_trouble=told, retry_s=0.02)
    records.start()
    with closing(sqlite3.connect(records.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = records.write(insert(event_journal), [event("x")])
        until(lambda: "records" in told.current())
        assert "locked" in told.current()["records"].en and not waiting.done()
        other.execute("ROLLBACK")
    waiting.result(20)
    assert records.state() == "ok"
    records.stop()


@pytest.mark.expects_errors
def test_the_queue_is_bounded_and_what_found_no_room_is_told(
    make: Callable[[], Records], told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "QUEUE_ROWS", 10)
    records = make()
    records.start()
    gate = threading.Event()
    held = records.write(lambda _: gate.wait(20))
    kept = [records.write(insert(event_journal), [event("x")]) for _ in range(9)]
    refused = records.write(insert(event_journal), [event("x")])
    with pytest.raises(StorageError, match="no room"):
        refused.result(0)
    gate.set()
    held.result(10)
    assert [future.result(10) for future in kept] == [1] * 9
    assert records.write(insert(event_journal), [event("x")]).result(10) == 1
    records.stop()
    assert told.current()["records_lost"].en.startswith("1 records were lost")


@pytest.mark.sqlite
@pytest.mark.expects_errors
def test_stopping_on_a_full_disk_ends_and_says_what_is_lost(records: Records) -> None:
    records.write(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count=1").scalar()).result(10)
    lost = records.write(insert(event_journal), [{**event("big"), "message_en": "x" * 100_000}])
    records.stop()
    with pytest.raises(StorageError, match="full"):
        lost.result(0)


def damage_header(path: Path) -> None:
    path.write_bytes(b"this is no database, it only has the size of one" * 400)


def damage_pages(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(bytes(content))


@pytest.mark.expects_errors
@pytest.mark.parametrize("damage", [damage_header, damage_pages])
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(
    tmp_path: Path, told: Told, damage: Callable[[Path], None]
) -> None:
    records = Records(tmp_path, on_trouble=told)
    records.start()
    records.write(insert(event_journal), [event("x")] * 2000).result(20)
    records.stop()
    damage(records.path)
    broken = records.path.read_bytes()

    again = Records(tmp_path, on_trouble=told)
    again.start()
    assert again.read(count).result(10) == 0
    assert again.write(insert(event_journal), [event("new")]).result(10) == 1
    aside = tmp_path / "records.damaged-1.sqlite"
    assert aside.read_bytes() == broken
    assert "records.damaged-1.sqlite" in told.current()["records_damaged"].en
    assert again.state() == "ok"
    again.stop()

    damage(records.path)  # a second time: nothing that was kept is overwritten
    third = Records(tmp_path, on_trouble=told)
    third.start()
    third.stop()
    assert aside.read_bytes() == broken and (tmp_path / "records.damaged-2.sqlite").exists()


@pytest.mark.expects_errors
def test_the_log_of_a_damaged_file_goes_with_it(tmp_path: Path, told: Told) -> None:
    """As after a crash: what the log holds belongs to the old file, and must not be applied to the new one."""
    running = Records(tmp_path / "running", on_trouble=told)
    running.path.parent.mkdir()
    running.start()
    running.write(insert(event_journal), [event("old")] * 100).result(20)
    with closing(sqlite3.connect(running.path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    running.write(insert(event_journal), [event("in the log")] * 100).result(20)
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for ending in ("", "-wal"):
        (crashed / f"records.sqlite{ending}").write_bytes(Path(f"{running.path}{ending}").read_bytes())
    running.stop()
    damage_header(crashed / "records.sqlite")

    records = Records(crashed, on_trouble=told)
    records.start()
    assert records.write(insert(event_journal), [event("new")]).result(10) == 1
    assert records.read(sources).result(10) == ["new"]
    records.stop()
    kept = b"".join(path.read_bytes() for path in crashed.glob("records.damaged-1.sqlite*"))
    assert b"in the log" in kept  # SQLite may have brought the log into its file before


@pytest.mark.expects_errors
def test_a_file_damaged_while_running_is_replaced_and_the_waiting_rows_go_into_the_new_one(
    tmp_path: Path, told: Told
) -> None:
    records = Records(tmp_path, on_trouble=told, retry_s=0.02)
    records.start()
    records.write(insert(event_journal), [event("x")] * 2000).result(20)
    records.write(lambda connection: connection.exec_driver_sql("PRAGMA cache_size=1")).result(10)
    with closing(sqlite3.connect(records.path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with records.path.open("r+b") as file:  # in place: the open connection sees it
        size = records.path.stat().st_size
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))
    late = records.write(insert(event_journal), [event("late")])
    late.result(20)
    assert records.epoch == 1
    assert records.read(sources).result(10) == ["late"]
    records.stop()


@pytest.mark.expects_errors
def test_a_file_locked_at_the_start_is_opened_later(
    tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.records.database.BUSY_TIMEOUT_S", 0.05)
    records = Records(tmp_path, on_trouble=told, retry_s=0.02)
    records.start()
    records.stop()
    with closing(sqlite3.connect(records.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        records.start()
        assert "locked" in records.state()
        with pytest.raises(StorageError, match="is locked by another program; close it"):
            records.read(count).result(10)
        other.execute("ROLLBACK")
    until(lambda: records.state() == "ok")  # by itself, without anything to write
    assert records.read(count).result(10) == 0
    records.stop()


_LIMITED = """
import resource, sys
from pathlib import Path
from sqlalchemy import insert
from app.records.service import Records
from app.records.tables import event_journal
from tests.unit.records.test_service import event, count, until

said = []
records = Records(Path(sys.argv[1]), on_trouble=lambda key, text: said.append(text), retry_s=0.02)
records.start()
records.write(insert(event_journal), [event("x")] * 10).result(20)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
rows = [{**event("y"), "message_en": "x" * 1000} for _ in range(500)]
waiting = records.write(insert(event_journal), rows)
until(lambda: bool(said))
assert not waiting.done()
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
waiting.result(20)
print(records.read(count).result(10), said[0].en, said[-1])
records.stop()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX's stand-in for a full disk")
def test_a_disk_that_takes_no_more_bytes_is_survived_by_a_whole_process(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("510 Records are not being stored: ") and done.stdout.rstrip().endswith("None")
