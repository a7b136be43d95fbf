"""What survives a restart, and what the list does while the records cannot be written or read."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from app.model.access import Actor
from app.model.config import Priority
from app.model.quality import NT
from app.model.text import Text
from app.model.views import AlarmState
from tests.support.alarm_station import Plant, load, one_point, point
from tests.support.postgresql import Postgresql


def until(plant: Plant, true: Callable[[], bool]) -> None:
    """Tick as the engine does until something is true."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        plant.alarms.tick()
        time.sleep(0.005)


@pytest.fixture
def two(tmp_path: Path) -> Plant:
    points = [point(id_, precision=1, alarms={"h": 90}) for id_ in ("a", "b", "c", "e")]
    return Plant(load(tmp_path, [{"id": "d", "name": "D", "points": points}]), tmp_path / "data")


def test_what_is_still_true_keeps_its_time_and_its_acknowledgement(two: Plant) -> None:
    two.give(("d.a", 95.0), ("d.b", 96.0), ("d.c", 97.0), ("d.e", 98.0))
    ids = {row.source: row.id for row in two.alarms.active()}
    two.clock.advance(1)
    two.alarms.acknowledge([ids["d.a"], ids["d.c"]], Actor("li"))
    two.clock.advance(1)
    two.give(("d.e", 10.0))
    before = two.alarms.active()

    two.clock.advance(3600)
    two.restart()
    assert two.alarms.active() == before
    two.give(("d.a", 99.0), ("d.b", 99.0))  # still true
    assert two.alarms.active() == before
    two.give(("d.c", 10.0), ("d.e", 10.0))  # no longer true; already returned
    assert {row.source: row.state for row in two.alarms.active()} == {
        "d.a": AlarmState.ACTIVE_ACKNOWLEDGED,
        "d.b": AlarmState.ACTIVE_UNACKNOWLEDGED,
        "d.e": AlarmState.RETURNED_UNACKNOWLEDGED,
    }
    assert [(row.source, row.what) for row in two.journal()[-1:]] == [("d.c", "returned")]
    two.stop()


def test_numbers_go_on_after_a_restart(two: Plant) -> None:
    two.give(("d.a", 95.0))
    first = two.only().id
    two.alarms.acknowledge([first], Actor("li"))
    two.give(("d.a", 10.0))
    two.restart()
    two.give(("d.a", 95.0))
    assert two.only().id > first
    two.stop()


@pytest.mark.parametrize(
    ("alarms", "kind", "bad", "good"),
    [
        ({"h": 90, "delay": "5s"}, "measurement", (95.0, 0), (10.0, 0)),
        ({"l": 10, "hysteresis": 5}, "measurement", (5.0, 0), (16.0, 0)),
        ({"quality": True}, "measurement", (5.0, 0x80), (5.0, 0)),
        ({"lost": True}, "measurement", (5.0, NT), (5.0, 0)),
        ({"state": {"value": 2}}, "status", (2.0, 0), (1.0, 0)),
    ],
)
def test_every_condition_ends_after_a_restart(
    tmp_path: Path, alarms: dict[str, Any], kind: str, bad: tuple[float, int], good: tuple[float, int]
) -> None:
    plant = Plant(one_point(tmp_path, kind=kind, alarms=alarms), tmp_path / "data")
    plant.give(("d.p", *bad))
    plant.wait(6)
    (raised,) = plant.alarms.active()
    plant.restart()
    plant.give(("d.p", *bad))
    plant.wait(6)
    assert repr(plant.alarms.active()) == repr((raised,))  # NaN is not NaN
    plant.give(("d.p", *good))
    assert plant.only().state is AlarmState.RETURNED_UNACKNOWLEDGED
    plant.stop()


@pytest.mark.parametrize("condition", ["quality", "lost"])
def test_what_was_bad_and_is_good_after_a_restart_returns(tmp_path: Path, condition: str) -> None:
    plant = Plant(one_point(tmp_path, alarms={condition: True}), tmp_path / "data")
    plant.give(("d.p", 50.0, NT))
    plant.restart()
    plant.give(("d.p", 50.0))
    assert plant.listed() == [f"{condition} returned"]
    plant.stop()


def test_nothing_comes_back_from_the_dead(two: Plant) -> None:
    """Several occurrences within one batch leave one row behind, and none when that is done."""
    two.give(("d.a", 95.0))
    two.settle()
    two.give(*(("d.a", value) for value in (10.0, 95.0, 10.0, 95.0)))
    two.restart()
    two.alarms.acknowledge([two.only().id], Actor("li"))
    two.give(("d.a", 10.0))
    two.restart()
    assert two.listed() == []
    two.stop()


def test_a_limit_that_was_raised_within_its_hysteresis_stays(tmp_path: Path) -> None:
    plant = Plant(one_point(tmp_path, alarms={"h": 90, "hysteresis": 5}), tmp_path / "data")
    plant.give(("d.p", 95.0))
    plant.restart()
    plant.give(("d.p", 87.0))
    assert plant.listed() == ["h active"]
    plant.stop()


def test_an_alarm_that_the_config_dropped_returns_and_still_wants_to_be_seen(tmp_path: Path) -> None:
    plant = Plant(one_point(tmp_path, alarms={"h": 90, "hh": 92}), tmp_path / "data")
    plant.give(("d.p", 95.0))
    plant.restart(one_point(tmp_path, alarms={"h": {"value": 90, "priority": "urgent"}}))
    assert sorted(plant.listed()) == ["h active", "hh returned"]
    assert {row.condition: row.priority for row in plant.alarms.active()}["h"] is Priority.URGENT
    assert plant.journal()[-1].message.en == "D p HH 95.0 °C (92) (no longer watched)"
    plant.stop()


def test_system_alarms_end_with_the_program(two: Plant) -> None:
    two.alarms.raise_system("history", Text("disk full", "磁盘已满"), Priority.HIGH)
    old = two.only()
    two.restart()
    assert two.listed() == ["system returned"]
    two.alarms.raise_system("history", Text("disk full", "磁盘已满"), Priority.HIGH)
    assert two.only().id > old.id and two.listed() == ["system active"]
    two.stop()


def test_a_system_alarm_from_before_the_start_is_not_lost(two: Plant) -> None:
    from app.alarms.service import Alarms

    alarms = Alarms(two.station, two.records, two.clock)
    alarms.raise_system("records", Text("locked", "锁定"), Priority.HIGH)
    alarms.raise_system("folder", Text("x", "x"), Priority.HIGH)
    alarms.clear_system("folder")
    assert alarms.active() == ()
    alarms.start()
    states = {row.source: row.state for row in alarms.active()}
    assert states == {
        "_system.records": AlarmState.ACTIVE_UNACKNOWLEDGED,
        "_system.folder": AlarmState.RETURNED_UNACKNOWLEDGED,
    }
    two.stop()


def limit_pages(plant: Plant) -> None:
    def run(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    plant.records.write(run).result(10)


def lift_limit(plant: Plant) -> None:
    database = plant.records._database
    assert database is not None
    with closing(database.writer.raw_connection()) as raw:
        raw.cursor().execute("PRAGMA max_page_count=1000000")


@pytest.mark.sqlite
@pytest.mark.expects_errors
def test_a_full_disk_stops_no_alarm_and_is_one_itself(two: Plant) -> None:
    limit_pages(two)
    for i in range(400):
        two.clock.advance(1)
        two.give(("d.a", 95.0 if i % 2 == 0 else 10.0), ("d.b", 95.0))
    until(two, lambda: "system active" in two.listed())
    row = next(row for row in two.alarms.active() if row.condition == "system")
    assert row.source == "_system.records" and "full" in row.message.en and row.priority is Priority.HIGH
    states = {row.source: row.state for row in two.alarms.active()}
    assert states["d.a"] is AlarmState.RETURNED_UNACKNOWLEDGED and states["d.b"] is AlarmState.ACTIVE_UNACKNOWLEDGED

    lift_limit(two)
    until(two, lambda: two.records.state() == "ok")
    lines = two.journal()
    assert [row.what for row in lines if row.source == "d.a"] == ["raised", "returned"] * 200
    assert "system returned" in two.listed()
    before = {row.source for row in two.alarms.active() if row.condition != "system"}
    two.restart()
    assert {row.source for row in two.alarms.active() if row.condition != "system"} == before
    two.stop()


@pytest.mark.expects_errors
def test_what_the_queue_refused_is_on_the_stored_list_later(two: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.records.service.QUEUE_ROWS", 0)
    two.give(("d.a", 95.0))
    assert two.listed() == ["h active"]
    monkeypatch.setattr("app.records.service.QUEUE_ROWS", 1000)
    two.wait(0.1)
    two.restart()
    assert two.listed()[-1] == "h active"
    two.stop()


@pytest.mark.sqlite
@pytest.mark.expects_errors
def test_a_file_that_had_to_be_replaced_gets_the_whole_list(two: Plant) -> None:
    two.give(("d.a", 95.0))
    two.settle()
    two.records.write(lambda connection: connection.exec_driver_sql("PRAGMA cache_size=1")).result(10)
    with closing(sqlite3.connect(two.records.path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with two.records.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * 100_000)
    two.give(("d.b", 95.0))
    until(two, lambda: two.records.epoch == 1)
    until(two, lambda: two.records.state() == "ok")
    assert "_system.records_damaged" in {row.source for row in two.alarms.active()}
    two.restart()
    assert {row.source for row in two.alarms.active() if row.condition == "h"} == {"d.a", "d.b"}
    two.stop()


@contextmanager
def out_of_reach(plant: Plant, request: pytest.FixtureRequest) -> Iterator[None]:
    """The file is locked by another program, or the server is down."""
    if request.node.callspec.params["place_of"] == "postgresql":
        server: Postgresql = request.getfixturevalue("postgresql")
        server.stop()
        yield
        server.start()
    else:
        with closing(sqlite3.connect(plant.records.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")


@pytest.mark.expects_errors
def test_a_list_that_cannot_be_read_at_the_start_comes_later(
    two: Plant, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.give(("d.a", 95.0), ("d.b", 95.0), ("d.c", 95.0))
    two.alarms.acknowledge([row.id for row in two.alarms.active()], Actor("li"))
    before = {row.source: row for row in two.alarms.active()}
    two.stop()
    monkeypatch.setattr("app.records.database.BUSY_TIMEOUT_S", 0.05)
    with out_of_reach(two, request):
        two._start()
        two.give(("d.a", 95.0), ("d.b", 10.0))  # a is raised anew, b is over, of c nothing is known
        assert [row.source for row in two.alarms.active() if row.condition == "h"] == ["d.a"]
    until(two, lambda: "d.c" in {row.source for row in two.alarms.active()})
    now = {row.source: row for row in two.alarms.active() if row.condition == "h"}
    assert now["d.c"] == before["d.c"]
    assert now["d.a"].state is AlarmState.ACTIVE_UNACKNOWLEDGED and now["d.a"].id > before["d.a"].id
    two.give(("d.a", 95.0), ("d.b", 10.0), ("d.c", 95.0))
    assert {row.source for row in two.alarms.active() if row.condition == "h"} == {"d.a", "d.c"}
    two.restart()
    assert {row.source for row in two.alarms.active() if row.condition == "h"} == {"d.a", "d.c"}
    two.stop()
