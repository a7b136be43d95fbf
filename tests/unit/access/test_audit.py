"""The audit on real records: what is written stays, what was touched is named, and nothing waits in vain."""

from __future__ import annotations

import hashlib
import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.access.audit import Audit
from app.access.audit_rows import bare_rows
from app.access.chain import COLUMNS, beginning, link, verify_rows
from app.access.heads import HeadKeeper, heads_in, line_of, read_heads
from app.model.access import Actor
from app.model.audit import AuditEntry, AuditFilter, Head, Result, Verdict
from app.model.clock import SECOND_NS, ManualClock
from app.model.errors import GridroomError, StorageError
from app.model.text import Text
from app.records.database import Place
from app.records.service import Records

LI = Actor("李工", "engineer", "console", "s1")
WAIT_S = 30.0


class Chain:
    """The audit of station `park1` in one folder."""

    def __init__(self, folder: Path, place: Place | None = None, **more: Any) -> None:
        self.clock = ManualClock()
        self.said: list[tuple[str, Text | None]] = []
        self.records = Records(folder, on_trouble=lambda key, text: self.said.append((key, text)), retry_s=0.02,
                               place=place)  # fmt: skip
        self.audit = Audit(self.records, self.clock, "park1", on_trouble=lambda *said: self.said.append(said), **more)
        self.records.start()
        self.path = self.records.path

    def fill(self, count: int) -> None:
        for i in range(count):
            self.clock.advance(1)
            last = self.audit.write(AuditEntry(LI, "alarms.acknowledge", f"pcs{i}", details={"ids": [i]}))
        last.result(WAIT_S)

    def verdict(self, *heads: Path) -> Verdict:
        return self.audit.verify(heads).result(WAIT_S)

    def close(self) -> None:
        self.audit.stop()
        self.records.stop()


@pytest.fixture
def chain(tmp_path: Path, place_of: Callable[[Path], Place | None]) -> Iterator[Chain]:
    made = Chain(tmp_path, place_of(tmp_path))
    yield made
    made.close()


def test_a_row_says_what_was_written_and_a_stranger_can_reckon_its_hash(chain: Chain) -> None:
    entry = AuditEntry(
        LI, "config.change", 'pcs1 "quoted" \\ 😀', Result.FAILED, "no\treason", {"b": 1, "a": "é"}, 1.5, [None]
    )
    assert chain.audit.write(entry).result(WAIT_S) == 1
    assert chain.audit.write(AuditEntry(LI, "x", asks=1)).result(WAIT_S) == 2
    second, first = chain.audit.rows().result(WAIT_S)
    assert (first.id, first.time, first.actor, first.role, first.origin, first.session) == (
        1, chain.clock.now_ns(), "李工", "engineer", "console", "s1",
    )  # fmt: skip
    assert (first.what, first.target, first.result, first.reason) == (
        "config.change",
        entry.target,
        "failed",
        "no\treason",
    )
    assert (first.details, first.before, first.after) == ('{"b":1,"a":"é"}', "1.5", "[null]")
    assert (second.details, second.before, second.asks) == ("", "", 1)
    previous = hashlib.sha256(b"gridroom audit park1").hexdigest()
    for row in (first, second):  # with nothing but Python's own json
        columns = [getattr(row, name) for name in COLUMNS[:-1]]
        form = json.dumps([previous, *columns], ensure_ascii=False, separators=(",", ":"))
        previous = hashlib.sha256(form.encode()).hexdigest()
        assert row.hash == previous
    assert chain.audit.head().result(WAIT_S) == Head("park1", 2, previous, chain.clock.now_ns())


def test_nothing_that_somebody_types_keeps_a_row_out(chain: Chain) -> None:
    hostile = "'; DROP TABLE audit; -- \0 \ud800 \x1b"
    entry = AuditEntry(
        Actor(hostile), hostile, hostile, reason=hostile, details={"x": hostile, "y": float("nan"), "z": {1, 2}}
    )
    assert chain.audit.write(entry).result(WAIT_S) == 1
    assert "DROP TABLE" in chain.audit.rows().result(WAIT_S)[0].actor
    assert chain.verdict() == Verdict(1, True)


def test_pages_and_filters(chain: Chain) -> None:
    chain.fill(30)
    chain.audit.write(AuditEntry(Actor("wang"), "access.sign_in", "wang", Result.DENIED, "100%_sure")).result(WAIT_S)
    page = chain.audit.rows(limit=10).result(WAIT_S)
    assert [row.id for row in page] == list(range(31, 21, -1))
    assert [row.id for row in chain.audit.rows(limit=3, before_id=22).result(WAIT_S)] == [21, 20, 19]

    def ids(**wanted: Any) -> list[int]:
        return [row.id for row in chain.audit.rows(AuditFilter(**wanted)).result(WAIT_S)]

    assert ids(text="PCS29") == [30] and ids(text="0%_S") == [31] and ids(text="0%xs") == []
    assert ids(actor="WANG") == [31] and ids(what="sign") == [31] and ids(results=("denied",)) == [31]
    start = page[-1].time
    assert ids(start=start, end=start + 2 * SECOND_NS) == [23, 22]


def test_the_fence_refuses_change_and_removal(chain: Chain) -> None:
    chain.fill(2)
    for statement in ("UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"):
        with pytest.raises(DBAPIError, match="only added to"):
            chain.records.write(lambda c, s=statement: c.execute(text(s))).result(WAIT_S)
    assert chain.verdict().sound


# ------------------------------------------------------------------------------------------------------- attacks


class Attack:
    """Somebody with the database file, who takes the fence down first."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain

    def __call__(self, *statements: str) -> Verdict:
        def run(connection: Any) -> None:
            if connection.dialect.name == "sqlite":
                for verb in ("update", "delete"):
                    connection.execute(text(f"DROP TRIGGER IF EXISTS audit_no_{verb}"))
            else:
                connection.execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
            for statement in statements:
                connection.execute(text(statement))

        self.chain.records.write(run).result(WAIT_S)
        return self.chain.verdict()


@pytest.fixture
def attack(chain: Chain) -> Attack:
    chain.fill(10)
    assert chain.verdict() == Verdict(10, True)
    return Attack(chain)


@pytest.mark.parametrize("column", [name for name in COLUMNS if name not in ("id", "hash")])
def test_a_changed_column_is_named(attack: Attack, column: str) -> None:
    value = f'"{column}" + 1' if column in ("time", "asks") else "'x'"
    found = attack(f'UPDATE audit SET "{column}" = {value} WHERE id = 5')
    assert (found.sound, found.fault_id, found.rows) == (False, 5, 4) and "row 5 is changed" in found.fault


def test_a_changed_hash_is_named(attack: Attack) -> None:
    assert attack(f"UPDATE audit SET hash = '{'0' * 64}' WHERE id = 5").fault_id == 5


@pytest.mark.parametrize("id_", [1, 5])
def test_a_removed_row_is_named(attack: Attack, id_: int) -> None:
    found = attack(f"DELETE FROM audit WHERE id = {id_}")
    assert (found.sound, found.fault_id) == (False, id_) and f"row {id_} is removed" in found.fault


@pytest.mark.parametrize("column", ["time", "asks", "actor", "details"])
@pytest.mark.parametrize("kind", ["text", "null", "number"])
def test_another_kind_of_value_is_named_also_where_its_hash_is_right(column: str, kind: str) -> None:
    rows: list[list[Any]] = []
    previous = beginning("park1")
    for id_ in (1, 2, 3):
        row: list[Any] = [id_, 5, "li", "", "", "", "x", "", "done", "", "", "", "", 0]
        previous = link(previous, row)
        rows.append([*row, previous])
    assert verify_rows("park1", rows).sound
    at = COLUMNS.index(column)
    rows[1][at] = {"text": str(rows[1][at]), "null": None, "number": 7}[kind]
    if kind == "text" and column in ("actor", "details"):
        rows[1][at] = rows[1][at].encode()
    found = verify_rows("park1", rows, [Head("park1", 3, previous, 5)])
    assert not found.sound and found.fault_id == 2 and "row 2 is changed" in found.fault


def _touched(chain: Chain, *statements: str) -> Verdict:
    """After somebody was at the SQLite file, with its engine away."""
    with closing(sqlite3.connect(chain.path, isolation_level=None)) as file:
        file.execute("DROP TRIGGER audit_no_update")
        for statement in statements:
            file.execute(statement)
    return chain.verdict()


def test_an_index_that_hides_a_row_is_named(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    chain.fill(10)
    hidden = chain.audit.rows().result(WAIT_S)[4]
    _touched(
        chain, "DROP INDEX audit_time", "CREATE INDEX audit_time ON audit (time) WHERE id <> 6",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = 'CREATE INDEX audit_time ON audit (time)' WHERE name = 'audit_time'",
    )  # fmt: skip
    chain.close()
    chain = Chain(tmp_path)  # whoever opens the file now believes the schema
    period = AuditFilter(start=hidden.time, end=hidden.time + 1)
    assert hidden.id == 6 and chain.audit.rows(period).result(WAIT_S) == [], "the index does hide it"
    found = chain.verdict()
    assert (found.sound, found.rows) == (False, 10) and "audit_time" in found.fault
    chain.close()


def test_a_text_that_is_none_is_named(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    chain.fill(10)
    found = _touched(chain, "UPDATE audit SET reason = CAST(x'ff61' AS TEXT) WHERE id = 6")
    assert (found.sound, found.fault_id, found.rows) == (False, 6, 5) and "row 6 is changed" in found.fault
    chain.close()


def test_a_removed_row_is_found_when_those_behind_are_numbered_anew(attack: Attack) -> None:
    numbers = [f"UPDATE audit SET id = {i - 1} WHERE id = {i}" for i in range(6, 11)]
    assert attack("DELETE FROM audit WHERE id = 5", *numbers).fault_id == 5


def test_two_rows_that_changed_places_are_named(attack: Attack) -> None:
    swap = [f"UPDATE audit SET id = {new} WHERE id = {old}" for old, new in ((5, 99), (6, 5), (99, 6))]
    found = attack(*swap)
    assert found.fault_id == 5 and "out of order" in found.fault


def test_a_row_that_was_put_in_is_named(attack: Attack) -> None:
    rows = ", ".join(f'"{name}"' for name in COLUMNS[1:])
    assert attack(f"INSERT INTO audit (id, {rows}) SELECT 11, {rows} FROM audit WHERE id = 10").fault_id == 11


def test_a_cut_off_tail_is_found_by_a_head_that_was_kept_elsewhere(attack: Attack, tmp_path: Path) -> None:
    elsewhere = tmp_path / "heads.txt"
    elsewhere.write_text(line_of(attack.chain.audit.head().result(WAIT_S)) + "\n", encoding="utf-8")
    assert attack("DELETE FROM audit WHERE id > 8").sound, "without a head nobody can know"
    found = attack.chain.verdict(elsewhere)
    assert (found.sound, found.fault_id) == (False, 9) and "rows 9 to 10 are cut off" in found.fault


def test_a_rewritten_tail_is_found_by_a_head_that_was_kept_elsewhere(attack: Attack, tmp_path: Path) -> None:
    elsewhere = tmp_path / "heads.txt"
    rows = attack.chain.audit.rows().result(WAIT_S)[::-1]
    lines = [line_of(Head("park1", row.id, row.hash, row.time)) for row in rows if row.id in (3, 8)]
    elsewhere.write_text("\n".join(lines), encoding="utf-8")
    previous, statements = rows[4].hash, []
    for row in rows[5:]:
        columns = [getattr(row, name) for name in COLUMNS]
        columns[2] = "somebody else"
        previous = link(previous, columns)
        statements.append(f"UPDATE audit SET actor = 'somebody else', hash = '{previous}' WHERE id = {row.id}")
    assert attack(*statements).sound, "the hashes fit again"
    found = attack.chain.verdict(elsewhere)
    assert (found.sound, found.fault_id, found.heads_checked) == (False, 8, 1)
    assert "rewritten from row 4 or later, at the latest from row 8" in found.fault


def test_another_stations_chain_is_not_this_ones(chain: Chain) -> None:
    chain.fill(3)
    found = chain.records.read(lambda c: verify_rows("park2", bare_rows(c))).result(WAIT_S)
    assert found.fault_id == 1 and "beginning of this station's chain" in found.fault


# ---------------------------------------------------------------------------------------------- heads elsewhere


@pytest.mark.sqlite
@pytest.mark.expects_errors
def test_heads_go_to_the_file_that_the_user_chose(tmp_path: Path, place_of: object) -> None:
    heads = tmp_path / "stick" / "heads.txt"
    chain = Chain(tmp_path, heads=heads)
    keeper = HeadKeeper(chain.audit._head_now, heads, lambda *said: chain.said.append(said))
    keeper.keep()
    assert chain.said == [], "an empty chain has no head"
    chain.fill(2)
    keeper.keep()
    key, words = chain.said[-1]
    assert (
        key == "audit_heads" and words is not None and "heads.txt" in words.en and "make its folder first" in words.en
    )
    heads.parent.mkdir()
    heads.write_text("park1 1 cut off by a cra", encoding="utf-8")
    keeper.keep()
    assert chain.said[-1] == ("audit_heads", None)
    keeper.keep()  # nothing new: no line
    chain.fill(1)
    keeper.keep()
    rows = {row.id: row.hash for row in chain.audit.rows().result(WAIT_S)}
    assert [(head.id, head.hash) for head in read_heads(heads)] == [(2, rows[2]), (3, rows[3])]
    assert chain.verdict().heads_checked == 2
    with pytest.raises(GridroomError, match="cannot be read"):
        chain.verdict(tmp_path / "nowhere.txt")
    chain.close()


@pytest.mark.sqlite
@pytest.mark.expects_errors
def test_heads_are_not_written_into_a_file_of_something_else(tmp_path: Path, place_of: object) -> None:
    heads = tmp_path / "station.yaml"
    heads.write_text("version: 1\n", encoding="utf-8")
    chain = Chain(tmp_path, heads=heads)
    chain.fill(1)
    HeadKeeper(chain.audit._head_now, heads, lambda *said: chain.said.append(said)).keep()
    key, words = chain.said[-1]
    assert key == "audit_heads" and words is not None and "holds something else than heads" in words.en
    assert heads.read_text(encoding="utf-8") == "version: 1\n"
    chain.close()


def test_heads_are_read_from_the_log_as_well(tmp_path: Path) -> None:
    head = Head("park1", 7, "a" * 64, 1_700_000_000 * SECOND_NS)
    line = f"2026-11-26 08:00:00,000 INFO    gridroom.audit: audit head {line_of(head)}\nanother line\n"
    (tmp_path / "gridroom.log.1").write_text(line, encoding="utf-8")
    assert heads_in(tmp_path) == [head]
    forged = line.replace("gridroom.audit: audit", "gridroom.drivers: it says audit")
    (tmp_path / "gridroom.log").write_text(forged + line_of(head) + "\n", encoding="utf-8")
    (tmp_path / "gridroom.log.1").unlink()
    assert heads_in(tmp_path) == [], "what a device says in the log is no head, on a line of its own either"


# --------------------------------------------------------------------------------------------- what may go wrong


@pytest.mark.sqlite
@pytest.mark.expects_errors
def test_what_is_asked_is_refused_while_the_file_is_locked_and_what_happened_waits(
    tmp_path: Path, place_of: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.access.audit.STORED_WITHIN_S", 0.2)
    chain = Chain(tmp_path)
    with closing(sqlite3.connect(chain.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        asked = chain.audit.write(AuditEntry(LI, "control.request", result=Result.ASKED))
        happened = chain.audit.write(AuditEntry(LI, "clock.jumped"))
        urgent = chain.audit.write(AuditEntry(LI, "control.stop", result=Result.ASKED), later=True)
        with pytest.raises(StorageError, match="will not be"):
            asked.result(WAIT_S)
        assert not happened.done() and not urgent.done()
        other.execute("ROLLBACK")
    assert (happened.result(WAIT_S), urgent.result(WAIT_S)) == (1, 2)
    assert [row.what for row in chain.audit.rows().result(WAIT_S)] == ["control.stop", "clock.jumped"]
    chain.close()


@pytest.mark.sqlite
@pytest.mark.expects_errors
def test_a_chain_after_a_damaged_file_says_so_and_the_old_heads_are_not_forgotten(
    tmp_path: Path, place_of: object
) -> None:
    heads = tmp_path / "heads.txt"
    chain = Chain(tmp_path, heads=heads)
    chain.fill(5)
    old = chain.audit.head().result(WAIT_S)
    heads.write_text(line_of(old) + "\n", encoding="utf-8")
    chain.close()
    chain.path.write_bytes(chain.path.read_bytes()[:5000])  # cut off
    chain = Chain(tmp_path, heads=heads)
    chain.close()  # it ends before anything was written
    chain = Chain(tmp_path, heads=heads)
    assert chain.audit.write(AuditEntry(LI, "station.started")).result(WAIT_S) == 2
    first = chain.audit.rows().result(WAIT_S)[-1]
    assert first.what == "audit.begun_anew"
    assert json.loads(first.details) == {
        "set_aside": "records.damaged-1.sqlite", "last_known_id": 5, "hash": old.hash
    }  # fmt: skip
    found = chain.verdict()
    assert not found.sound and "begun anew" in found.fault and "records.damaged-1.sqlite" in found.fault
    chain.close()


_APPENDS = """
import sys
from pathlib import Path
from app.access.audit import Audit
from app.model.access import Actor
from app.model.audit import AuditEntry
from app.model.clock import SystemClock
from app.records.service import Records

records = Records(Path(sys.argv[1]), on_trouble=lambda key, text: None, retry_s=0.02)
records.start()
audit = Audit(records, SystemClock(), "park1")
def said(future):
    sys.stdout.write(f"{future.result()}\\n")
    sys.stdout.flush()
for i in range(int(sys.argv[2])):
    future = audit.write(AuditEntry(Actor(sys.argv[3]), "x", str(i)))
    future.add_done_callback(said)
    if i % 5 == 0:
        future.result()
audit.stop()
records.stop()
"""


def appending(folder: Path, count: int, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _APPENDS, str(folder), str(count), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def verified(folder: Path) -> Verdict:
    chain = Chain(folder)
    try:
        return chain.verdict()
    finally:
        chain.close()


def test_two_processes_append_to_one_chain(tmp_path: Path) -> None:
    both = [appending(tmp_path, 200, name) for name in ("console", "user")]
    ids = [int(line) for one in both for line in one.communicate(timeout=120)[0].split()]
    assert sorted(ids) == list(range(1, 401))
    assert verified(tmp_path) == Verdict(400, True)


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX's")
def test_a_process_that_is_killed_while_it_appends_leaves_a_sound_chain(tmp_path: Path) -> None:
    acknowledged = 0
    for round_ in range(20):
        process = appending(tmp_path, 100_000, "killed")
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5 + 3 * round_)]
        time.sleep(0.001 * (round_ % 7))
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.read().splitlines()
        process.stdout.close()
        process.wait(20)
        whole = [int(line) for line in lines if line.strip()]
        acknowledged = max([acknowledged, *whole[:-1]])  # the last line may be cut
        found = verified(tmp_path)
        assert found.sound and found.rows >= acknowledged > 0


# -------------------------------------------------------------------------------------------------------- export


FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1")


def test_an_export_holds_no_formula(chain: Chain, tmp_path: Path) -> None:
    for one in FORMULAS:
        chain.audit.write(AuditEntry(Actor(one), one, one, reason=one)).result(WAIT_S)
    chain.audit.write(AuditEntry(Actor("王"), "x" * 40_000, "http://a.b", details=["=1"])).result(WAIT_S)
    out = tmp_path / "out.csv"
    assert chain.audit.export(out).result(WAIT_S) == len(FORMULAS) + 1
    lines = out.read_bytes().decode()
    for one in FORMULAS:
        assert f"'{one}" in lines
    assert ",=1+1" not in lines and ',"=' not in lines
    assert "2023-11-14T22:13:20.000+00:00" in lines and "王" in lines
    book = tmp_path / "out.xlsx"
    chain.audit.export(book, AuditFilter(actor="1")).result(WAIT_S)
    (sheet,) = openpyxl.load_workbook(book).worksheets
    rows = list(sheet.iter_rows())
    assert all(cell.data_type in ("s", "n") and cell.hyperlink is None for row in rows for cell in row)
    assert [row[2].value for row in rows[1:]][:4] == ["=1+1", "+1", "-1", "@SUM(A1)"]
    with pytest.raises(GridroomError, match="neither .csv nor .xlsx"):
        chain.audit.export(tmp_path / "out.exe").result(WAIT_S)
    with pytest.raises(GridroomError, match="cannot be written"):
        chain.audit.export(tmp_path / "no" / "out.csv").result(WAIT_S)
    assert sorted(path.suffix for path in tmp_path.glob("*out*")) == [".csv", ".xlsx"]
