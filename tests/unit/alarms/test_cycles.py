"""Alarms of one point as tables of cycles: what comes in, and what is then on the list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.model.quality import IV, NT, OV, RANGE
from tests.support.alarm_station import Plant, one_point

NAN = float("nan")
GOOD = 0

# Each step: seconds that pass, then a value with its quality (None: none comes), then the list.
Step = tuple[float, float | None, int, list[str]]

TABLES: dict[str, tuple[dict[str, Any], list[Step]]] = {
    "a limit counts when it is reached, and returns below it": (
        {"h": 90},
        [
            (0, 89.9, GOOD, []),
            (1, 90.0, GOOD, ["h active"]),
            (1, 95.0, GOOD, ["h active"]),
            (1, 89.9, GOOD, ["h returned"]),
        ],
    ),
    "low limits are the mirror image": (
        {"l": 10, "ll": 5},
        [
            (0, 10.1, GOOD, []),
            (1, 10.0, GOOD, ["l active"]),
            (1, 4.0, GOOD, ["ll active", "l active"]),
            (1, 6.0, GOOD, ["ll returned", "l active"]),
            (1, 11.0, GOOD, ["ll returned", "l returned"]),
        ],
    ),
    "hh and h are two alarms, neither hides the other": (
        {"h": 80, "hh": 90},
        [
            (0, 85.0, GOOD, ["h active"]),
            (1, 95.0, GOOD, ["hh active", "h active"]),
            (1, 85.0, GOOD, ["hh returned", "h active"]),
        ],
    ),
    "hysteresis holds the alarm until the value is back by it": (
        {"h": 90, "hysteresis": 2},
        [
            (0, 90.0, GOOD, ["h active"]),
            (1, 89.0, GOOD, ["h active"]),
            (1, 88.0, GOOD, ["h active"]),
            (1, 87.9, GOOD, ["h returned"]),
            (1, 89.0, GOOD, ["h returned"]),
            (1, 90.0, GOOD, ["h active"]),
        ],
    ),
    "hysteresis of a low limit goes upward": (
        {"l": 10, "hysteresis": 2},
        [(0, 9.0, GOOD, ["l active"]), (1, 12.0, GOOD, ["l active"]), (1, 12.1, GOOD, ["l returned"])],
    ),
    "a delay is waited for, without another value": (
        {"h": 90, "delay": "2s"},
        [
            (0, 95.0, GOOD, []),
            (1.9, None, GOOD, []),
            (0.1, None, GOOD, ["h active"]),
            (1, 80.0, GOOD, ["h returned"]),
        ],
    ),
    "what is over before its delay was never an alarm": (
        {"h": 90, "delay": "2s"},
        [
            (0, 95.0, GOOD, []),
            (1.5, 80.0, GOOD, []),
            (1, 95.0, GOOD, []),
            (1.5, None, GOOD, []),
            (0.5, None, GOOD, ["h active"]),
        ],
    ),
    "within the hysteresis the delay goes on": (
        {"h": 90, "delay": "2s", "hysteresis": 5},
        [(0, 95.0, GOOD, []), (1, 88.0, GOOD, []), (1, None, GOOD, ["h active"])],
    ),
    "an unusable value neither raises nor clears a limit": (
        {"h": 90},
        [
            (0, 95.0, IV, []),
            (1, 95.0, NT, []),
            (1, NAN, GOOD, []),
            (1, 95.0, OV, []),
            (1, 95.0, GOOD, ["h active"]),
            (1, 20.0, IV, ["h active"]),
            (1, NAN, NT, ["h active"]),
            (1, 20.0, GOOD, ["h returned"]),
        ],
    ),
    "a value out of its range is still a value": ({"h": 90}, [(0, 300.0, RANGE, ["h active"])]),
    "infinity is no value": ({"h": 90}, [(0, float("inf"), GOOD, []), (1, 91.0, GOOD, ["h active"])]),
    "a delay begins again after an unusable value": (
        {"h": 90, "delay": "2s"},
        [
            (0, 95.0, GOOD, []),
            (1, 95.0, IV, []),
            (5, None, GOOD, []),
            (0, 95.0, GOOD, []),
            (1.9, None, GOOD, []),
            (0.1, None, GOOD, ["h active"]),
        ],
    ),
    "bad quality is an alarm by any bit that makes a value useless, or out of range": (
        {"quality": True},
        [
            (0, 50.0, GOOD, []),
            (1, 50.0, IV, ["quality active"]),
            (1, 50.0, GOOD, ["quality returned"]),
            (1, 500.0, RANGE, ["quality active"]),
            (1, 50.0, NT, ["quality active"]),
            (1, NAN, GOOD, ["quality active"]),
            (1, 50.0, GOOD, ["quality returned"]),
        ],
    ),
    "bad quality with a delay": (
        {"quality": {"delay": "1s"}},
        [(0, 50.0, IV, []), (0.9, None, GOOD, []), (0.1, None, GOOD, ["quality active"])],
    ),
    "lost is not topical, and nothing else": (
        {"lost": True},
        [(0, 50.0, IV, []), (1, 50.0, NT, ["lost active"]), (1, 50.0, IV, ["lost returned"])],
    ),
    "each alarm has its own delay": (
        {"h": 80, "hh": {"value": 90, "delay": "1s"}, "delay": "2s"},
        [(0, 95.0, GOOD, []), (1, None, GOOD, ["hh active"]), (1, None, GOOD, ["h active", "hh active"])],
    ),
    "each alarm has its own hysteresis, zero among them": (
        {"h": {"value": 80, "hysteresis": 0}, "hh": 90, "hysteresis": 15},
        [(0, 95.0, GOOD, ["hh active", "h active"]), (1, 79.0, GOOD, ["h returned", "hh active"])],
    ),
    "never received is no alarm of a limit": ({"l": 10}, [(0, NAN, NT, [])]),
}


@pytest.mark.parametrize("name", TABLES)
def test_limits(name: str, tmp_path: Path) -> None:
    alarms, steps = TABLES[name]
    plant = Plant(one_point(tmp_path, alarms=alarms), tmp_path / "data")
    for i, (seconds, value, quality, expected) in enumerate(steps):
        plant.wait(seconds)
        if value is not None:
            plant.give(("d.p", value, quality))
        assert sorted(plant.listed()) == sorted(expected), f"step {i}"
    plant.stop()


STATES: dict[str, tuple[Any, list[Step]]] = {
    "one state": (
        {"value": 2},
        [(0, 1.0, GOOD, []), (1, 2.0, GOOD, ["state active"]), (1, 0.0, GOOD, ["state returned"])],
    ),
    "several states are one alarm": (
        {"value": [2, 5]},
        [
            (0, 2.0, GOOD, ["state active"]),
            (1, 5.0, GOOD, ["state active"]),
            (1, 3.0, GOOD, ["state returned"]),
        ],
    ),
    "numbers as large and as odd as devices send them": (
        {"value": [0x1300, -1]},
        [
            (0, 0x12FF, GOOD, []),
            (1, 0x1300, GOOD, ["state active"]),
            (1, 1e300, GOOD, ["state returned"]),
            (1, 0x1300 + 0.5, GOOD, ["state returned"]),
            (1, -1.0, GOOD, ["state active"]),
        ],
    ),
    "an unusable state says nothing": (
        {"value": 2},
        [(0, 2.0, IV, []), (1, 2.0, GOOD, ["state active"]), (1, 0.0, NT, ["state active"])],
    ),
    "the same state again, with a delay": (
        {"value": 2, "delay": "1s"},
        [(0, 2.0, GOOD, []), (0.5, 2.0, GOOD, []), (0.5, None, GOOD, ["state active"])],
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_states(name: str, tmp_path: Path) -> None:
    state, steps = STATES[name]
    plant = Plant(one_point(tmp_path, kind="status", alarms={"state": state}), tmp_path / "data")
    for i, (seconds, value, quality, expected) in enumerate(steps):
        plant.wait(seconds)
        if value is not None:
            plant.give(("d.p", value, quality))
        assert plant.listed() == expected, f"step {i}"
    plant.stop()


@pytest.mark.parametrize(
    ("values", "listed", "journaled"),
    [
        ([50.0, 95.0, 50.0], ["h returned"], ["raised", "returned"]),
        ([95.0, 50.0, 95.0], ["h active"], ["raised", "returned", "raised"]),
        ([95.0, NAN, 50.0], ["h returned"], ["raised", "returned"]),
        ([50.0, 60.0, 70.0], [], []),
    ],
)
def test_a_short_spike_within_one_batch_is_an_alarm(
    tmp_path: Path, values: list[float], listed: list[str], journaled: list[str]
) -> None:
    plant = Plant(one_point(tmp_path, alarms={"h": 90}), tmp_path / "data")
    now = plant.clock.now_ns()
    plant.give_at(*((now + i, "d.p", value) for i, value in enumerate(values)))
    assert plant.listed() == listed
    assert [row.what for row in plant.journal()] == journaled
    plant.stop()


def test_a_spike_within_one_batch_starts_a_delay_anew(tmp_path: Path) -> None:
    plant = Plant(one_point(tmp_path, alarms={"h": 90, "delay": "1s"}), tmp_path / "data")
    plant.give(("d.p", 95.0))
    plant.wait(0.9)
    plant.give(("d.p", 95.0), ("d.p", 50.0), ("d.p", 95.0))
    plant.wait(0.9)
    assert plant.listed() == []
    plant.wait(0.1)
    assert plant.listed() == ["h active"]
    plant.give(("d.p", 50.0), ("d.p", 95.0))  # returned, and the delay runs again
    assert plant.listed() == ["h returned"]
    plant.wait(1)
    assert plant.listed() == ["h active"]
    plant.stop()


def test_a_delayed_alarm_tells_the_value_and_the_time_at_its_end(tmp_path: Path) -> None:
    plant = Plant(one_point(tmp_path, alarms={"h": 90, "delay": "1s"}), tmp_path / "data")
    began = plant.clock.now_ns()
    plant.give(("d.p", 95.0))
    plant.wait(0.5)
    plant.give(("d.p", 97.0))
    plant.wait(0.5)
    row = plant.only()
    assert (row.value, row.raised) == (97.0, began + 10**9)
    assert row.message.en == "D p H 97.0 °C (90)"
    plant.stop()


def test_a_delay_runs_by_the_monotonic_clock(tmp_path: Path) -> None:
    plant = Plant(one_point(tmp_path, alarms={"h": 90, "delay": "10s"}), tmp_path / "data")
    plant.give(("d.p", 95.0))
    plant.clock.set_wall(plant.clock.now_ns() + 3600 * 10**9)
    plant.wait(5)
    assert plant.listed() == []
    plant.clock.set_wall(0)
    plant.wait(5)
    assert plant.listed() == ["h active"]
    plant.stop()
