"""The audit: how fast its chain is verified and added to, beside bare reading, bare hashing and bare committing."""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, insert

from app.access.audit import Audit
from app.access.audit_rows import bare_rows, verdict
from app.access.chain import COLUMNS, beginning, link
from app.bench.report import Figure
from app.model.access import Actor
from app.model.audit import AuditEntry
from app.model.clock import SystemClock
from app.records.service import FILE_NAME, Records
from app.records.tables import audit

ROWS: Final = 300_000
GOAL_ROWS_PER_S: Final = 100_000
ROUNDS: Final = 3
_STATION: Final = "bench"
_PORTION: Final = 20_000


def run(seconds: float | None = None) -> list[Figure]:
    """All figures. `seconds` is how long rows are added, one after the other."""
    with tempfile.TemporaryDirectory() as folder, _records(Path(folder)) as records:
        records.write(_fill).result()
        return [_verifying(records), *_adding(records, seconds or 3.0)]


@contextmanager
def _records(folder: Path) -> Iterator[Records]:
    records = Records(folder, on_trouble=lambda key, text: None)
    records.start()
    try:
        yield records
    finally:
        records.stop()


def _row(number: int) -> tuple[object, ...]:
    """As an acknowledgement leaves it."""
    return (
        number, 1_790_000_000_000_000_000 + number, "li", "operator", "console, li at control-room-1", "5f3a9c01",
        "alarms.acknowledge", "inv1", "done", "", '{"ids":[1,2,3]}', "", "", max(number - 1, 0),
    )  # fmt: skip


def _fill(connection: Connection) -> None:
    previous = beginning(_STATION)
    for start in range(1, ROWS + 1, _PORTION):
        rows = []
        for number in range(start, start + _PORTION):
            row = _row(number)
            previous = link(previous, row)
            rows.append(dict(zip(COLUMNS, (*row, previous), strict=True)))
        connection.execute(insert(audit), rows)


def _verifying(records: Records) -> Figure:
    def verify(connection: Connection) -> float:
        found = verdict(connection, _STATION)
        if not found.sound or found.rows != ROWS:
            raise AssertionError(found.fault)
        return found.seconds

    def read(connection: Connection) -> float:
        began = time.perf_counter()
        for _ in bare_rows(connection):
            pass
        return time.perf_counter() - began

    whole = _best(lambda: records.read(verify).result())
    reading = ROWS / _best(lambda: records.read(read).result())
    hashing = ROWS / _best(_hash)
    limit = f"{reading:,.0f} rows/s read alone, {hashing:,.0f} rows/s hashed alone (SHA-256)"
    return Figure.at_least("rows verified", ROWS / whole, "rows/s", GOAL_ROWS_PER_S, limit)


def _hash() -> float:
    content = repr(_row(1)).encode() + b"0" * 70
    began = time.perf_counter()
    for _ in range(ROWS):
        hashlib.sha256(content).hexdigest()
    return time.perf_counter() - began


def _best(measure: Callable[[], float]) -> float:
    return min(measure() for _ in range(ROUNDS))


def _adding(records: Records, seconds: float) -> list[Figure]:
    """Each row waited for, as whoever asks for something waits; beside commits of a bare file on the same disk."""
    chain = Audit(records, SystemClock(), _STATION)
    entry = AuditEntry(Actor("li", "operator", "console"), "alarms.acknowledge", "inv1", details={"ids": [1, 2, 3]})
    count, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        chain.write(entry).result()
        count += 1
    bare = _bare_commits(records.path.with_name(f"bare-{FILE_NAME}"), seconds)
    return [
        Figure("rows added, each waited for", count / spent, "rows/s", limit=f"{bare:,.0f} commits/s of bare SQLite")
    ]


def _bare_commits(path: Path, seconds: float) -> float:
    with closing(sqlite3.connect(path, isolation_level=None)) as bare:
        bare.execute("PRAGMA journal_mode=WAL")
        bare.execute("PRAGMA synchronous=FULL")
        bare.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, text TEXT)")
        count, began = 0, time.perf_counter()
        while (spent := time.perf_counter() - began) < seconds:
            bare.execute("INSERT INTO row (text) VALUES (?)", (repr(_row(count)),))
            count += 1
    return count / spent
