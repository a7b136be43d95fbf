"""What has happened while the records could not be written is in the audit later, also after a stop or a kill."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from app.access.outbox import FILE_NAME, Outbox, rows_in
from app.model.access import Actor
from app.model.audit import AuditEntry
from app.model.clock import SECOND_NS
from app.model.errors import StorageError
from app.records.service import FILE_NAME as RECORDS
from tests.unit.access.test_audit import WAIT_S, Chain

LI = Actor("李工", "engineer", "console", "s1")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.access.audit.STORED_WITHIN_S", 0.2)
    monkeypatch.setattr("app.access.outbox.AGAIN_S", 0.1)
    monkeypatch.setattr("app.records.database.BUSY_TIMEOUT_S", 0.05)


def opened(folder: Path) -> Chain:
    (folder / "outbox").mkdir(exist_ok=True)
    chain = Chain(folder, outbox=folder / "outbox")
    chain.audit.start()
    return chain


def told(chain: Chain) -> list[tuple[int, str]]:
    """Time in seconds and what, the oldest first."""
    rows = chain.audit.rows(None, 10_000).result(WAIT_S)
    return [(row.time // SECOND_NS, row.what) for row in reversed(rows)]


@pytest.mark.expects_errors
def test_it_waits_in_a_file_and_is_stored_with_its_own_time(tmp_path: Path) -> None:
    chain = opened(tmp_path)
    file = tmp_path / "outbox" / FILE_NAME
    began = chain.clock.now_ns() // SECOND_NS
    with locked(chain.path):
        late = [chain.audit.write(AuditEntry(LI, f"late.{i}", details={"i": i})) for i in range(3)]
        until(lambda: len(rows_in(file)) == 3)
        assert not any(one.done() for one in late)
        chain.clock.advance(60)
    assert sorted(one.result(WAIT_S) for one in late) == [1, 2, 3]
    until(lambda: not file.exists())
    assert chain.audit.write(AuditEntry(LI, "soon")).result(WAIT_S) == 4
    assert told(chain) == [(began, "late.0"), (began, "late.1"), (began, "late.2"), (began + 60, "soon")]
    assert chain.verdict().sound
    chain.close()


@pytest.mark.expects_errors
def test_a_late_row_is_looked_for_among_those_of_its_time(tmp_path: Path) -> None:
    """Not among all of its actor's: after an outage there may be 200,000, each looked for among a million."""
    asked: list[tuple[str, Any]] = []
    chain = opened(tmp_path)

    def heard(connection: object, cursor: object, statement: str, parameters: object, *_: object) -> None:
        asked.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", heard)
    try:
        with locked(chain.path):
            late = chain.audit.write(AuditEntry(LI, "late"))
            until(lambda: rows_in(tmp_path / "outbox" / FILE_NAME))
        late.result(WAIT_S)
    finally:
        event.remove(Engine, "before_cursor_execute", heard)
    chain.close()
    with closing(sqlite3.connect(chain.path)) as file:
        plans = [
            file.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            for statement, parameters in asked if "FROM audit" in statement and "WHERE" in statement
        ]  # fmt: skip
    assert plans and all("USING INDEX audit_time" in str(plan) for plan in plans), plans


@pytest.mark.expects_errors
def test_what_waits_at_the_end_is_stored_by_the_next_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    chain = opened(tmp_path)
    began = chain.clock.now_ns() // SECOND_NS
    with locked(chain.path):
        chain.audit.write(AuditEntry(LI, "station.stopped"))
        chain.close()
    assert "1 rows of the audit wait in" in caplog.text and "the next start stores them" in caplog.text
    chain = opened(tmp_path)
    until(lambda: told(chain) == [(began, "station.stopped")])
    until(lambda: not (tmp_path / "outbox" / FILE_NAME).exists())
    chain.close()


_KILLED = """
import sqlite3, sys, time
from pathlib import Path
from app.access import audit
from app.model.access import Actor
from app.model.audit import AuditEntry
from app.model.clock import SystemClock
from app.records.service import Records

audit.STORED_WITHIN_S = 0.2
folder = Path(sys.argv[1])
records = Records(folder, on_trouble=lambda key, text: None)
records.start()
one = audit.Audit(records, SystemClock(), "park1", outbox=folder / "outbox")
one.start()
other = sqlite3.connect(folder / "records.sqlite", isolation_level=None)
other.execute("BEGIN EXCLUSIVE")
for i in range(50):
    one.write(AuditEntry(Actor("li"), f"late.{i}"))
time.sleep(60)
"""


@pytest.mark.expects_errors
def test_a_kill_loses_none_that_is_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "outbox").mkdir()
    file = tmp_path / "outbox" / FILE_NAME
    killed = subprocess.Popen([sys.executable, "-c", _KILLED, str(tmp_path)])
    try:
        until(lambda: len(rows_in(file)) == 50)
    finally:
        killed.kill()
        killed.wait(20)
    file.write_bytes(file.read_bytes()[:-10])  # and the power failed while the last one was written
    chain = opened(tmp_path)
    until(lambda: len(told(chain)) == 49)
    assert [what for _, what in told(chain)] == [f"late.{i}" for i in range(49)]
    chain.close()


@pytest.mark.expects_errors
def test_a_full_disk_spoils_no_line_that_comes_after(tmp_path: Path) -> None:
    import resource

    def never(_: object) -> Future[list[int]]:
        raise StorageError("away")

    box = Outbox(tmp_path / FILE_NAME, never)
    rows = [(i, *["x" * 100] * 11, 0) for i in range(9)]
    box.put(rows[0], Future())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (box.path.stat().st_size + 100, hard))
    try:
        box.put(rows[1], Future())
        assert rows_in(box.path) == rows[:1]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    for row in rows[2:]:
        box.put(row, Future())
    assert rows_in(box.path) == rows


@pytest.mark.expects_errors
def test_what_happens_twice_at_one_moment_is_there_twice(tmp_path: Path) -> None:
    chain = opened(tmp_path)
    with locked(chain.path):
        late = [chain.audit.write(AuditEntry(LI, "denied")) for _ in range(3)]  # the clock stands
        until(lambda: len(rows_in(tmp_path / "outbox" / FILE_NAME)) == 3)
    assert sorted(one.result(WAIT_S) for one in late) == [1, 2, 3]
    chain.close()


@pytest.mark.expects_errors
def test_a_line_with_a_number_that_no_database_holds_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / FILE_NAME
    good = [5, *["x"] * 11, 0]
    file.write_text("".join(json.dumps(one) + "\n" for one in ([1 << 63, *good[1:]], good, [*good[:-1], -(1 << 70)])))
    assert rows_in(file) == [tuple(good)]
    assert "line 1 of" in caplog.text and "line 3 of" in caplog.text


def test_what_was_stored_although_nobody_heard_is_stored_once(tmp_path: Path) -> None:
    chain = opened(tmp_path)
    chain.audit.write(AuditEntry(LI, "clock.jumped", reason="=1+1", details={"s": 2})).result(WAIT_S)
    chain.close()
    with closing(sqlite3.connect(tmp_path / RECORDS)) as file:
        row = file.execute("SELECT * FROM audit").fetchone()[1:-1]
    another = [row[0] + 1, *row[1:]]
    text = "".join(json.dumps(one) + "\n" for one in (row, another))
    (tmp_path / "outbox" / FILE_NAME).write_text(text, encoding="utf-8")
    chain = opened(tmp_path)
    until(lambda: not (tmp_path / "outbox" / FILE_NAME).exists())
    assert len(told(chain)) == 2
    chain.close()
