"""What becomes of an alarm: acknowledged, returned, raised again; its place in the list and its lines in the journal."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from app.alarms.journal import JournalFilter
from app.alarms.service import Alarms
from app.model.access import Actor, permit_of
from app.model.config import Priority
from app.model.text import Text
from app.model.views import AlarmState
from tests.support.alarm_station import Plant, load, one_point, point

# Each step: a value (H is above the limit, L below) or an acknowledgement (A); then the list and the journal's new line.
TABLES = {
    "seen, then over": [("H", ["h active"], "raised"), ("A", ["h acked"], "acknowledged"), ("L", [], "returned")],
    "over, then seen": [("H", ["h active"], "raised"), ("L", ["h returned"], "returned"), ("A", [], "acknowledged")],
    "again before it was seen": [
        ("H", ["h active"], "raised"),
        ("L", ["h returned"], "returned"),
        ("H", ["h active"], "raised"),
        ("A", ["h acked"], "acknowledged"),
        ("L", [], "returned"),
        ("H", ["h active"], "raised"),
    ],
    "seen twice is seen once": [
        ("H", ["h active"], "raised"),
        ("A", ["h acked"], "acknowledged"),
        ("A", ["h acked"], ""),
        ("H", ["h acked"], ""),
    ],
}


@pytest.mark.parametrize("name", TABLES)
def test_states(name: str, tmp_path: Path) -> None:
    plant = Plant(one_point(tmp_path, alarms={"h": 90}), tmp_path / "data")
    expected = []
    for deed, listed, line in TABLES[name]:
        plant.clock.advance(1)
        if deed == "A":
            plant.alarms.acknowledge([row.id for row in plant.alarms.active()], Actor("li"))
        else:
            plant.give(("d.p", 95.0 if deed == "H" else 50.0))
        expected += [line] if line else []
        assert plant.listed() == listed
    assert [row.what for row in plant.journal()] == expected
    plant.stop()


def test_an_alarm_that_is_not_there_yet_is_the_whole_stations(tmp_path: Path) -> None:
    """Whoever may acknowledge one device's alarms asks for a number that another's will have by the time it is done."""
    plant = Plant(one_point(tmp_path, alarms={"h": 90}), tmp_path / "data")
    where = permit_of(Alarms, "acknowledge").where
    assert where is not None
    plant.give(("d.p", 95.0))
    one = plant.only().id
    assert set(where(plant.alarms, {"ids": [one]})) == {"d"}
    assert "_system" in where(plant.alarms, {"ids": [one, one + 1]})
    plant.alarms.acknowledge([one], Actor("li"))
    plant.give(("d.p", 50.0))
    assert set(where(plant.alarms, {"ids": [one]})) == set(), "it is gone, and comes never again"
    plant.stop()


def test_every_transition_is_journaled_with_time_value_limit_and_actor(tmp_path: Path) -> None:
    plant = Plant(one_point(tmp_path, alarms={"h": 90, "priority": "urgent"}), tmp_path / "data")
    clock = plant.clock
    plant.give(("d.p", 95.04), time_ns=clock.now_ns() - 500)
    raised = plant.only()
    assert raised.raised == clock.now_ns() - 500
    clock.advance(2)
    assert plant.alarms.acknowledge([raised.id], Actor("wang")) == (raised.id,)
    acknowledged = plant.only()
    assert (acknowledged.acknowledged, acknowledged.acknowledged_by) == (clock.now_ns(), "wang")
    clock.advance(2)
    plant.give(("d.p", 80.0, 0x0200))
    rows = plant.journal()
    assert [(row.what, row.value, row.quality, row.actor) for row in rows] == [
        ("raised", 95.04, 0, ""),
        ("acknowledged", 95.04, 0, "wang"),
        ("returned", 80.0, 0x0200, ""),
    ]
    assert rows[0].time == raised.raised and rows[2].time == clock.now_ns()
    assert {(row.source, row.condition, row.priority) for row in rows} == {("d.p", "h", "urgent")}
    assert rows[0].message == Text("D p H 95.0 °C (90)", "D p 越上限 95.0 °C (90)")
    assert rows[2].message == Text("D p H returned 80.0 °C (90)", "D p 越上限 恢复 80.0 °C (90)")
    plant.stop()


def test_raised_again_is_a_new_occurrence_that_an_old_acknowledgement_does_not_touch(tmp_path: Path) -> None:
    plant = Plant(one_point(tmp_path, alarms={"h": 90}), tmp_path / "data")
    plant.give(("d.p", 95.0))
    seen = plant.only()
    plant.give(("d.p", 50.0))
    assert plant.only().id == seen.id
    plant.clock.advance(1)
    plant.give(("d.p", 96.0))
    again = plant.only()
    assert again.id != seen.id and again.raised == seen.raised + 10**9 and again.value == 96.0
    assert plant.alarms.acknowledge([seen.id], Actor("li")) == ()
    assert plant.listed() == ["h active"]
    plant.stop()


def test_unknown_numbers_are_ignored(tmp_path: Path) -> None:
    plant = Plant(one_point(tmp_path, alarms={"h": 90}), tmp_path / "data")
    plant.give(("d.p", 95.0))
    id_ = plant.only().id
    assert plant.alarms.acknowledge([0, -5, 10**18, id_, id_], Actor("li")) == (id_,)
    plant.stop()


def test_acknowledging_from_another_thread_while_alarms_come(tmp_path: Path) -> None:
    plant = Plant(one_point(tmp_path, alarms={"h": 90}), tmp_path / "data")
    done: list[int] = []
    stop = threading.Event()

    def operator() -> None:
        while not stop.is_set():
            done.extend(plant.alarms.acknowledge([row.id for row in plant.alarms.active()], Actor("li")))

    thread = threading.Thread(target=operator)
    thread.start()
    for _ in range(300):
        plant.give(("d.p", 95.0))
        plant.give(("d.p", 50.0))
    stop.set()
    thread.join()
    done.extend(plant.alarms.acknowledge([row.id for row in plant.alarms.active()], Actor("li")))
    assert plant.listed() == []
    assert len(done) == len(set(done))
    lines = [row.what for row in plant.alarms.journal(limit=10_000).result()[::-1]] if plant.settle() is None else []
    assert lines.count("raised") == lines.count("returned") == 300
    assert lines.count("acknowledged") == len(done)
    plant.stop()


def test_the_list_is_sorted_and_counted(tmp_path: Path) -> None:
    priorities = ["low", "urgent", "medium", "urgent", "urgent", "high"]
    points = [point(f"p{i}", alarms={"h": 90, "priority": priority}) for i, priority in enumerate(priorities)]
    plant = Plant(load(tmp_path, [{"id": "d", "name": "D", "points": points}]), tmp_path / "data")
    for i in range(6):
        plant.clock.advance(1)
        plant.give((f"d.p{i}", 95.0))
    by_source = {row.source: row.id for row in plant.alarms.active()}
    plant.alarms.acknowledge([by_source["d.p4"]], Actor("li"))  # the newest of the urgent
    assert [row.source for row in plant.alarms.active()] == ["d.p3", "d.p1", "d.p4", "d.p5", "d.p2", "d.p0"]
    counts = plant.alarms.counts()
    assert counts.total == {Priority.URGENT: 3, Priority.HIGH: 1, Priority.MEDIUM: 1, Priority.LOW: 1}
    assert counts.unacknowledged == {Priority.URGENT: 2, Priority.HIGH: 1, Priority.MEDIUM: 1, Priority.LOW: 1}
    plant.stop()


def test_the_version_moves_with_the_list_and_only_then(tmp_path: Path) -> None:
    plant = Plant(one_point(tmp_path, alarms={"h": 90}), tmp_path / "data")
    version, rows = plant.alarms.version, plant.alarms.active()
    plant.give(("d.p", 50.0))
    plant.wait(1)
    assert plant.alarms.version == version and plant.alarms.active() is rows
    plant.give(("d.p", 95.0))
    assert plant.alarms.version > version and len(plant.alarms.active()) == 1
    version, rows = plant.alarms.version, plant.alarms.active()
    plant.give(("d.p", 96.0))
    assert plant.alarms.version == version and plant.alarms.active() is rows
    plant.stop()


def test_a_lost_device_is_one_alarm(tmp_path: Path) -> None:
    devices = [{"id": "pcs2", "name": {"en": "PCS 2", "zh": "2号PCS"}, "points": [point("a"), point("b")]}]
    plant = Plant(load(tmp_path, devices), tmp_path / "data")
    plant.give(("pcs2._online", 1.0), ("pcs2.a", 1.0), ("pcs2.b", 1.0))
    plant.give(("pcs2.a", 1.0, 0x40), ("pcs2.b", 1.0, 0x40), ("pcs2._online", 0.0))
    row = plant.only()
    assert (row.source, row.condition, row.priority) == ("pcs2._online", "lost", Priority.HIGH)
    assert row.message == Text("PCS 2 connection lost", "2号PCS 通信中断")
    plant.give(("pcs2._online", 1.0))
    assert plant.listed() == ["lost returned"]
    assert plant.journal()[-1].message == Text("PCS 2 connection restored", "2号PCS 通信恢复")
    plant.stop()


def test_system_alarms(tmp_path: Path) -> None:
    plant = Plant(one_point(tmp_path), tmp_path / "data")
    alarms = plant.alarms
    alarms.clear_system("history")
    assert plant.listed() == []
    alarms.raise_system("history", Text("disk full", "磁盘已满"), Priority.HIGH)
    first = plant.only()
    assert (first.source, first.condition, first.state) == (
        "_system.history",
        "system",
        AlarmState.ACTIVE_UNACKNOWLEDGED,
    )
    alarms.acknowledge([first.id], Actor("li"))
    version = alarms.version
    alarms.raise_system("history", Text("disk still full", "磁盘仍满"), Priority.HIGH)  # in other words
    row = plant.only()
    assert (row.id, row.state, row.message.en) == (first.id, AlarmState.ACTIVE_ACKNOWLEDGED, "disk still full")
    assert alarms.version > version
    alarms.clear_system("history")
    assert plant.listed() == []
    assert [row.what for row in plant.journal()] == ["raised", "acknowledged", "returned"]
    plant.stop()


def test_the_journal_is_paged_newest_first(tmp_path: Path) -> None:
    plant = Plant(one_point(tmp_path, alarms={"h": 90}), tmp_path / "data")
    for _ in range(5):
        plant.clock.advance(1)
        plant.give(("d.p", 95.0))
        plant.clock.advance(1)
        plant.give(("d.p", 50.0))
    everything = plant.journal()[::-1]
    first = plant.alarms.journal(limit=4).result()
    second = plant.alarms.journal(limit=4, before_id=first[-1].id).result()
    third = plant.alarms.journal(limit=4, before_id=second[-1].id).result()
    assert [*first, *second, *third] == everything
    assert [row.time for row in everything] == sorted((row.time for row in everything), reverse=True)
    assert plant.alarms.journal(limit=4, before_id=third[-1].id).result() == []
    plant.stop()


def test_the_journal_is_filtered_and_exported(tmp_path: Path) -> None:
    devices = [
        {"id": "pcs1", "name": "PCS 1", "points": [point("t_a", precision=1, alarms={"h": 90, "priority": "low"})]},
        {"id": "pcs2", "name": "PCS 2", "points": [point("t_b", precision=1, alarms={"h": 90})]},
    ]
    plant = Plant(load(tmp_path, devices), tmp_path / "data")
    start = plant.clock.now_ns()
    plant.give(("pcs1.t_a", 95.0))
    plant.clock.advance(1)
    plant.give(("pcs2.t_b", 96.0))
    plant.settle()

    def sources(wanted: JournalFilter) -> list[str]:
        return [row.source for row in plant.alarms.journal(wanted=wanted).result()]

    assert sources(JournalFilter("pcs1.*")) == ["pcs1.t_a"]
    assert sources(JournalFilter("*t_?")) == ["pcs2.t_b", "pcs1.t_a"]
    assert sources(JournalFilter("pcs[!1]*")) == ["pcs2.t_b"]
    assert sources(JournalFilter("PCS1.*")) == []
    assert sources(JournalFilter(start_ns=start + 1)) == ["pcs2.t_b"]
    assert sources(JournalFilter(end_ns=start + 1)) == ["pcs1.t_a"]
    assert sources(JournalFilter(priorities=(Priority.LOW, Priority.URGENT))) == ["pcs1.t_a"]

    header, *rows = plant.alarms.export_rows(JournalFilter("pcs1.*"), language="zh").result()
    assert header[0] == "时间"
    assert rows == [
        ("2023-11-15T06:13:20.000+08:00", "2023-11-15T06:13:20.000+08:00", "pcs1.t_a", "raised", "h", "low",
         "PCS 1 t_a 越上限 95.0 (90)", 95.0, "", "")
    ]  # fmt: skip
    plant.stop()
