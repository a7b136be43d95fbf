"""What cannot be stored in time is refused in time, and is never stored afterwards."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from app.model.errors import StorageError
from app.model.text import Text
from app.records.database import Place
from app.records.service import Records
from app.records.tables import event_journal
from tests.support.postgresql import Postgresql
from tests.unit.records.test_service import event, sources, until

SOON_S = 0.2
LONG_S = 30.0


@pytest.fixture
def records(tmp_path: Path, place_of: Callable[[Path], Place | None]) -> Iterator[Records]:
    made = Records(tmp_path, on_trouble=lambda key, text: None, retry_s=0.02, place=place_of(tmp_path))
    made.start()
    yield made
    made.stop()


@contextmanager
def held(records: Records, request: pytest.FixtureRequest) -> Iterator[None]:
    """Another program holds what an insert needs."""
    if request.node.callspec.params["place_of"] == "sqlite":
        with closing(sqlite3.connect(records.path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            yield
            other.execute("ROLLBACK")
        return
    server: Postgresql = request.getfixturevalue("postgresql")
    schema = records._place.schema  # type: ignore[attr-defined]
    with server.connect() as other, other.transaction():
        other.execute(f'LOCK TABLE "{schema}".event_journal IN ACCESS EXCLUSIVE MODE')
        yield


def writes(records: Records, source: str, within_s: float) -> Future[Any]:
    return records.write(insert(event_journal), [event(source)], within_s=within_s)


@pytest.mark.expects_errors
def test_a_lock_held_by_another_program_refuses_in_time_and_for_good(
    records: Records, request: pytest.FixtureRequest
) -> None:
    with held(records, request):
        patient = records.write(insert(event_journal), [event("patient")])
        with pytest.raises(StorageError, match=r"could not be stored within 0.2 s, and will not be"):
            writes(records, "given up", SOON_S).result(LONG_S)
        also = writes(records, "given up as well", SOON_S)
        assert isinstance(also.exception(LONG_S), StorageError)
        assert not patient.done()
    patient.result(LONG_S)
    assert writes(records, "after", LONG_S).result(LONG_S) == 1
    assert records.read(sources).result(LONG_S) == ["patient", "after"]


def test_what_is_given_up_in_the_middle_of_its_transaction_is_taken_back(records: Records) -> None:
    """Its row was written, and its COMMIT not begun, when its time was over: others of the transaction stay."""
    stored, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        connection.execute(insert(event_journal), [event("given up")])
        stored.set()
        go_on.wait(LONG_S)

    blocker = records.write(lambda connection: stored.clear())
    late = records.write(slow, within_s=SOON_S)
    beside = records.write(insert(event_journal), [event("beside")])
    with pytest.raises(StorageError, match="will not be"):
        late.result(LONG_S)
    go_on.set()
    blocker.result(LONG_S)
    beside.result(LONG_S)
    assert records.read(sources).result(LONG_S) == ["beside"]


@pytest.mark.expects_errors
def test_given_up_jobs_take_no_room_in_the_queue(
    records: Records, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.records.service.QUEUE_ROWS", 12)
    with held(records, request):
        records.write(insert(event_journal), [event("first")])
        for _ in range(5):
            late = [writes(records, "x", 0.02) for _ in range(5)]
            for one in late:
                with pytest.raises(StorageError, match="will not be"):
                    one.result(LONG_S)
    writes(records, "last", LONG_S).result(LONG_S)
    assert records.read(sources).result(LONG_S) == ["first", "last"]


@pytest.fixture
def server() -> Iterator[Postgresql]:
    """One that a test may end."""
    made = Postgresql().start()
    yield made
    made.remove()


@pytest.mark.postgresql
@pytest.mark.expects_errors
def test_a_server_that_goes_away_and_comes_back(server: Postgresql, tmp_path: Path) -> None:
    said: list[tuple[str, Text | None]] = []
    records = Records(tmp_path, on_trouble=lambda key, text: said.append((key, text)), retry_s=0.05,
                      place=server.place("park1"))  # fmt: skip
    server.stop()
    records.start()  # a station starts all the same
    waiting = [records.write(insert(event_journal), [event(f"at the start {i}")]) for i in range(3)]
    text = said[0][1]
    assert text is not None
    assert "cannot be reached" in text.en and "They wait in memory" in text.en and "无法连接" in text.zh
    assert "pw-of-a-test" not in text.en + text.zh
    assert "park1" in text.en and f"127.0.0.1:{server.port}" in text.en
    with pytest.raises(StorageError, match="cannot be reached"):
        writes(records, "given up", SOON_S).result(LONG_S)
    server.start()
    for one in waiting:
        one.result(LONG_S)
    until(lambda: said[-1] == ("records", None))
    for end in (server.stop, server.kill):
        end()
        late = records.write(insert(event_journal), [event(end.__name__)])
        with pytest.raises(StorageError, match="will not be"):
            writes(records, "given up", SOON_S).result(LONG_S)
        with pytest.raises(StorageError):
            records.read(sources).result(LONG_S)
        assert not late.done()
        server.start()
        late.result(LONG_S)
    until(lambda: records.state() == "ok")
    assert records.read(sources).result(LONG_S) == [*(f"at the start {i}" for i in range(3)), "stop", "kill"]
    records.stop()


@pytest.mark.postgresql
@pytest.mark.expects_errors
def test_a_server_that_hangs_holds_nobody_up(
    server: Postgresql, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its processes stand still, its sockets stay: it neither answers nor hangs up."""
    monkeypatch.setattr("app.records.service.STUCK_S", 0.5)
    records = Records(tmp_path, on_trouble=lambda key, text: None, retry_s=0.05, place=server.place("park1"))
    records.start()
    records.write(insert(event_journal), [event("before")]).result(LONG_S)
    server.pause()
    waiting = records.write(insert(event_journal), [event("waiting")])
    with pytest.raises(StorageError, match="will not be"):
        writes(records, "given up", SOON_S).result(LONG_S)
    until(lambda: records.state() != "ok" or not writes(records, "given up", SOON_S).exception(LONG_S))
    server.go_on()
    waiting.result(LONG_S)
    assert records.read(sources).result(LONG_S) == ["before", "waiting"]
    server.pause()
    records.write(insert(event_journal), [event("lost at the end")])
    began = time.monotonic()
    records.stop()
    assert time.monotonic() - began < LONG_S  # it ends; without breaking off it would not
    server.go_on()


@pytest.mark.postgresql
@pytest.mark.expects_errors
def test_a_commit_that_was_not_answered_is_asked_about_and_not_done_twice(
    server: Postgresql, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = server.place("park1")
    records = Records(tmp_path, on_trouble=lambda key, text: None, retry_s=0.05, place=place)
    records.start()
    records.write(insert(event_journal), [event("before")]).result(LONG_S)
    database = records._database
    assert database is not None
    dialect: Any = database.writer.dialect
    commit, cuts = dialect.do_commit, []

    def cut_off(connection: Any) -> None:
        commit(connection)
        if len(cuts) < 1:
            cuts.append(1)
            with server.connect() as other:  # the server has it; its answer is lost on the way
                other.execute("SELECT pg_terminate_backend(%s)", (connection.driver_connection.info.backend_pid,))
            connection.driver_connection.execute("SELECT 1")

    monkeypatch.setattr(dialect, "do_commit", cut_off)
    assert records.write(insert(event_journal), [event("once")]).result(LONG_S) == 1
    assert cuts and records.read(sources).result(LONG_S) == ["before", "once"]
    records.stop()


@pytest.mark.postgresql
@pytest.mark.expects_errors
def test_stations_share_a_server_and_two_engines_of_one_id_do_not(postgresql: Postgresql, tmp_path: Path) -> None:
    def of(station: str) -> Records:
        made = Records(tmp_path, on_trouble=lambda key, text: None, retry_s=0.05,
                       place=postgresql.place(station, sole=True))  # fmt: skip
        made.start()
        return made

    one, other = of("shared_a"), of("shared_b")
    one.write(insert(event_journal), [event("a")]).result(LONG_S)
    other.write(insert(event_journal), [event("b")]).result(LONG_S)
    assert (one.read(sources).result(LONG_S), other.read(sources).result(LONG_S)) == (["a"], ["b"])
    second = of("shared_a")
    assert "another engine stores the records" in second.state()
    late = second.write(insert(event_journal), [event("second")])
    one.stop()
    late.result(LONG_S)  # the first has ended: the second goes on by itself
    assert second.read(sources).result(LONG_S) == ["a", "second"]
    for records in (other, second):
        records.stop()


def test_a_value_that_is_no_number_is_nothing(records: Records) -> None:
    records.write(insert(event_journal), [event("x")]).result(LONG_S)
    assert records.read(lambda c: c.execute(select(event_journal.c.value)).scalar_one()).result(LONG_S) is None
