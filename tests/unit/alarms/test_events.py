"""The journal of events: what counts as a change, when it happened, and what a restart knows of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.alarms.journal import JournalFilter
from app.model.quality import IV, NT
from app.model.text import Text
from tests.support.alarm_station import Plant, load, point

STATES = {0: {"en": "stopped", "zh": "停机"}, 1: {"en": "running", "zh": "运行"}}


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    run = point("run", kind="status", states=STATES)
    run["name"] = {"en": "Run state", "zh": "运行状态"}
    points = [run, point("door", kind="status"), point("p_kw")]
    station = load(tmp_path, [{"id": "pcs2", "name": {"en": "PCS 2", "zh": "2号PCS"}, "points": points}])
    return Plant(station, tmp_path / "data")


def said(plant: Plant) -> list[str]:
    return [row.message.en for row in plant.event_journal()]


def test_a_change_is_journaled_with_its_source_time_and_names(plant: Plant) -> None:
    plant.give(("pcs2.run", 0.0), ("pcs2.p_kw", 1.0))
    changed = plant.clock.now_ns() + 123
    plant.clock.advance(1)
    plant.give(("pcs2.run", 1.0, 0x0200), ("pcs2.p_kw", 2.0), time_ns=changed)
    (row,) = plant.event_journal()
    assert (row.time, row.recorded, row.source, row.what) == (changed, plant.clock.now_ns(), "pcs2.run", "status")
    assert (row.value, row.quality, row.condition, row.priority, row.actor) == (1.0, 0x0200, "", "", "")
    assert row.message == Text("PCS 2 Run state: stopped → running", "2号PCS 运行状态：停机 → 运行")
    plant.stop()


CASES: dict[str, tuple[list[list[tuple[Any, ...]]], list[str]]] = {
    "the first value is none": ([[("pcs2.door", 1.0)]], []),
    "the same again is none": ([[("pcs2.door", 1.0)], [("pcs2.door", 1.0)]], []),
    "every change within one batch": (
        [[("pcs2.door", 0.0)], [("pcs2.door", 1.0), ("pcs2.door", 0.0), ("pcs2.door", 0.0), ("pcs2.door", 1.0)]],
        ["PCS 2 door: 0 → 1", "PCS 2 door: 1 → 0", "PCS 2 door: 0 → 1"],
    ),
    "back within the batch": (
        [[("pcs2.door", 0.0)], [("pcs2.door", 0.0), ("pcs2.door", 1.0), ("pcs2.door", 0.0)]],
        ["PCS 2 door: 0 → 1", "PCS 2 door: 1 → 0"],
    ),
    "unusable values say nothing": (
        [
            [("pcs2.door", 0.0)],
            [("pcs2.door", 1.0, IV), ("pcs2.door", float("nan")), ("pcs2.door", 1.0, NT)],
            [("pcs2.door", 0.0)],
            [("pcs2.door", 1.0)],
        ],
        ["PCS 2 door: 0 → 1"],
    ),
    "measurements are none": ([[("pcs2.p_kw", 0.0)], [("pcs2.p_kw", 1.0)]], []),
    "a device lost and found": (
        [[("pcs2._online", 1.0)], [("pcs2._online", 0.0)], [("pcs2._online", 1.0)]],
        ["PCS 2 connection lost", "PCS 2 connection restored"],
    ),
    "two points in one batch": (
        [[("pcs2.door", 0.0), ("pcs2.run", 0.0)], [("pcs2.door", 1.0), ("pcs2.run", 1.0), ("pcs2.door", 0.0)]],
        ["PCS 2 door: 0 → 1", "PCS 2 Run state: stopped → running", "PCS 2 door: 1 → 0"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_changes(plant: Plant, name: str) -> None:
    batches, expected = CASES[name]
    for batch in batches:
        plant.clock.advance(1)
        plant.give_at(*((plant.clock.now_ns() + i, *row) for i, row in enumerate(batch)))
    assert said(plant) == expected
    plant.stop()


def test_a_change_during_a_standstill_is_an_event_and_says_so(plant: Plant) -> None:
    plant.give(("pcs2.door", 0.0), ("pcs2.run", 0.0))
    plant.restart()
    plant.give(("pcs2.door", 1.0), ("pcs2.run", 0.0))
    plant.give(("pcs2.door", 0.0), ("pcs2.run", 1.0))
    assert said(plant) == [
        "PCS 2 door: 0 → 1 (changed before Gridroom started)",
        "PCS 2 door: 1 → 0",
        "PCS 2 Run state: stopped → running",
    ]
    plant.stop()


def test_never_received_has_no_source_time(plant: Plant) -> None:
    plant.give(("pcs2.door", 0.0), time_ns=0)
    plant.give(("pcs2.door", 1.0), time_ns=0)
    assert [row.time for row in plant.event_journal()] == [plant.clock.now_ns()]
    plant.stop()


def test_the_journal_is_paged_filtered_and_exported(plant: Plant) -> None:
    for value in (0.0, 1.0, 0.0, 1.0):
        plant.clock.advance(1)
        plant.give(("pcs2.door", value), ("pcs2.run", value))
    rows = plant.event_journal()[::-1]
    first = plant.events.journal(limit=2).result()
    assert [*first, *plant.events.journal(limit=10, before_id=first[-1].id).result()] == rows
    doors = plant.events.journal(wanted=JournalFilter("*.door", start_ns=rows[-1].time + 1)).result()
    assert [row.message.en for row in doors] == ["PCS 2 door: 0 → 1", "PCS 2 door: 1 → 0"]
    header, *exported = plant.events.export_rows().result()
    assert header[:4] == ("time", "recorded", "source", "what")
    assert [cells[0] for cells in exported] == sorted(str(cells[0]) for cells in exported) and len(exported) == 6
    plant.stop()


def test_an_avalanche_is_complete_and_in_order(tmp_path: Path) -> None:
    """Ten thousand status points flip in one batch: events and alarms, none lost, by source time."""
    n = 10_000
    points = [point(f"s{i}", kind="status", alarms={"state": {"value": 1}}) for i in range(n)]
    plant = Plant(load(tmp_path, [{"id": "d", "name": "D", "points": points}]), tmp_path / "data")
    names = [f"d.s{i}" for i in range(n)]
    plant.give(*((name, 0.0) for name in names))
    now = plant.clock.now_ns()
    flips = [(now + (i * 7919) % n, name, 1.0) for i, name in enumerate(names)]  # arriving in any order
    plant.give_at(*flips)
    expected = [name for _, name, _ in sorted(flips)]

    on_the_list = len(plant.alarms.active())
    assert 0 < on_the_list <= 500  # one call does not bring all of them: the loop goes on
    calls = 1
    while len(plant.alarms.active()) < n:
        plant.alarms.tick()
        calls += 1
    assert calls == 20
    assert [row.source for row in plant.event_journal()] == expected
    plant.settle()
    assert [row.source for row in plant.alarms.journal(limit=n).result()[::-1]] == expected
    assert [row.source for row in plant.alarms.active()] == expected[::-1]
    plant.stop()


def test_what_is_left_of_an_avalanche_is_journaled_at_the_end(tmp_path: Path) -> None:
    points = [point(f"s{i}", kind="status", alarms={"state": {"value": 1}}) for i in range(1500)]
    plant = Plant(load(tmp_path, [{"id": "d", "name": "D", "points": points}]), tmp_path / "data")
    plant.give(*((f"d.s{i}", 1.0) for i in range(1500)))
    plant.restart()
    assert len(plant.alarms.active()) == 1500
    plant.stop()
