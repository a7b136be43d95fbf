"""What was sent is confirmed by what flows, and doubted where it does not: tables of steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.control.feedback import Doubt, Feedback
from app.control.fleet import Fleet
from app.model.clock import SECOND_NS
from tests.support.control_station import park


class Watch:
    """Of two storages of 100 kW; time passes as a test says."""

    def __init__(self, folder: Path) -> None:
        self.fleet = Fleet(park(folder))
        self.feedback, self.now = Feedback(self.fleet), SECOND_NS
        self.first, self.second = self.fleet.by_device["pcs1"][0], self.fleet.by_device["pcs2"][0]

    def look(self, seconds: float, sent: float, flows: float, meter: float, other: float = 0.0) -> Doubt:
        self.now += round(seconds * SECOND_NS)
        n = len(self.fleet)
        sent_, power = np.full(n, np.nan), np.zeros(n)
        sent_[self.first], power[self.first], power[self.second] = sent, flows, other
        self.feedback.look(sent_, power, meter, self.now)
        return self.feedback.doubt[self.first]


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    made = Watch(tmp_path)
    made.look(1, 0, 0, 50)
    made.look(5, 0, 0, 50)
    return made


def test_it_takes_its_time_and_is_confirmed(watch: Watch) -> None:
    assert watch.look(0.1, 60, 0, 50) is Doubt.NONE and not watch.feedback.confirmed[watch.first]
    assert watch.look(1, 60, 59, -9) is Doubt.NONE and watch.feedback.confirmed[watch.first]
    assert watch.look(2, 60, 60, -10) is Doubt.NONE


def test_what_does_not_follow_is_doubted_until_it_does(watch: Watch) -> None:
    watch.look(0.1, 60, 0, 50)
    assert watch.look(2.5, 60, 20, 30) is Doubt.FOLLOWS_NOT
    assert watch.look(1, 60, 60, -10) is Doubt.NONE


def test_the_opposite_is_told_apart(watch: Watch) -> None:
    watch.look(0.1, 60, 0, 50)
    assert watch.look(2.5, 60, -60, 110) is Doubt.OPPOSITE
    watch.look(0.1, 5, -5, 55)
    assert watch.look(2.5, 5, -5, 55) is Doubt.FOLLOWS_NOT, "so little may be noise"


@pytest.mark.parametrize(
    ("meter", "other", "doubt"),
    [(-10, 0, Doubt.NONE), (50, 0, Doubt.UNSEEN), (40, 0, Doubt.UNSEEN), (0, 0, Doubt.NONE), (10, -20, Doubt.NONE),
     (float("nan"), 0, Doubt.NONE), (-200, 0, Doubt.NONE)],
)  # fmt: skip
def test_the_meter_must_see_a_large_step(watch: Watch, meter: float, other: float, doubt: Doubt) -> None:
    watch.look(0.1, 60, 0, 50)
    watch.look(0.3, 60, 60, meter, other)
    assert watch.look(2.5, 60, 60, meter, other) is doubt


def test_a_mirror_is_found_within_two_seconds(watch: Watch) -> None:
    """Of a device that has 2 s to follow, and a meter that is read each 100 ms."""
    began = watch.now
    watch.look(0.1, 60, 0, 50)
    while watch.look(0.1, 60, 60, 50) is not Doubt.UNSEEN:
        assert watch.now - began < 2 * SECOND_NS


def test_a_small_step_is_not_asked_of_the_meter(watch: Watch) -> None:
    watch.look(0.1, 15, 0, 50)
    assert watch.look(2.5, 15, 15, 50) is Doubt.NONE


def test_a_ramp_is_one_step(watch: Watch) -> None:
    for value in (10, 20, 30, 40, 50, 60):
        watch.look(0.2, value, value, 50)
    assert watch.look(2.5, 60, 60, 50) is Doubt.UNSEEN


def test_an_unseen_one_is_believed_again_when_the_meter_sees_its_next_step(watch: Watch) -> None:
    watch.look(0.1, 60, 0, 50)
    assert watch.look(2.5, 60, 60, 50) is Doubt.NONE, "it has only just come to it"
    assert watch.look(1, 60, 60, 50) is Doubt.UNSEEN
    watch.look(0.1, 0, 60, 50)
    watch.look(0.5, 0, 0, 110)
    assert watch.look(1, 0, 0, 110) is Doubt.NONE


def test_a_mirror_is_faster_than_the_answer(watch: Watch) -> None:
    watch.look(0.1, 60, 60, 50)
    assert watch.look(2.5, 60, 60, 50) is Doubt.UNSEEN


def test_a_limit_is_followed_from_below_and_in_its_own_time(watch: Watch) -> None:
    inverter, n = watch.fleet.by_device["inv1"][0], len(watch.fleet)

    def look(seconds: float, sent: float, flows: float) -> Doubt:
        watch.now += round(seconds * SECOND_NS)
        sent_, power = np.full(n, np.nan), np.zeros(n)
        sent_[inverter], power[inverter] = sent, flows
        watch.feedback.look(sent_, power, 0.0, watch.now)
        return watch.feedback.doubt[inverter]

    assert look(1, 50, 10) is Doubt.NONE and watch.feedback.confirmed[inverter], (
        "less than its limit is as it should be"
    )
    assert look(1, 5, 40) is Doubt.NONE and not watch.feedback.confirmed[inverter]
    assert look(29, 5, 20) is Doubt.NONE, "it comes down by a ramp of its own"
    assert look(2, 5, 20) is Doubt.FOLLOWS_NOT
    assert look(1, 5, 5.5) is Doubt.NONE and watch.feedback.confirmed[inverter]
    assert look(20, 5, 20) is Doubt.NONE and look(31, 5, 20) is Doubt.FOLLOWS_NOT, "it may begin later, too"
    for k in range(20):
        assert look(2, 5 + k % 2 * 4, 20) is Doubt.FOLLOWS_NOT, "and a limit that moves is no excuse"
