"""Key figures of the running station: energies of today count from what history knows of midnight."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from app.energy.service import KeyFigures
from app.energy.today import day_start_ns
from app.model.clock import SECOND_NS, ManualClock
from app.model.errors import StorageError
from app.model.views import Series
from tests.support.fake_station import FakeStation, write_station

HOUR_NS = 3600 * SECOND_NS


def series(point: str, time_ns: int, first: float, *gaps: tuple[int, int]) -> Series:
    """One bucket of an hour."""
    one = np.array([first])
    return Series(
        point, "1h", HOUR_NS, np.array([time_ns]), one, one, one, one, one, np.array([1]), np.zeros(1, np.uint16),
        np.array(gaps, np.int64).reshape(-1, 2),
    )  # fmt: skip


@pytest.fixture
def park(tmp_path: Path, manual_clock: ManualClock) -> FakeStation:
    fake = FakeStation(write_station(tmp_path / "park"), manual_clock)
    fake.move()
    return fake


class History:
    """Answers what a test says, when it says so."""

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []
        self.answer: Future[list[Series]] = Future()

    def query(self, points: Sequence[str], start_ns: int, end_ns: int, pixels: int) -> Future[list[Series]]:
        self.asked.append(points)
        self.answer = Future()
        return self.answer


def test_energy_counts_from_the_first_stored_value_of_the_day(park: FakeStation, manual_clock: ManualClock) -> None:
    history = History()
    figures = KeyFigures(park.station, manual_clock, history.query)
    midnight = day_start_ns(park.station, manual_clock.now_ns())
    park.put("meter1.e_in", 500.0)
    assert np.isnan(figures.read(park.snapshot()).import_today.value), "nothing is said before history has answered"
    history.answer.set_result([series("meter1.e_in", midnight, 480.0)])
    read = figures.read(park.snapshot()).import_today
    assert (read.value, read.since) == (20.0, midnight)
    park.close()


def test_a_day_that_was_not_recorded_from_midnight_says_since_when(
    park: FakeStation, manual_clock: ManualClock
) -> None:
    history = History()
    figures = KeyFigures(park.station, manual_clock, history.query)
    midnight = day_start_ns(park.station, manual_clock.now_ns())
    began = midnight + 17 * 60 * SECOND_NS
    park.put("meter1.e_in", 500.0)
    figures.read(park.snapshot())
    history.answer.set_result([series("meter1.e_in", midnight, 480.0, (midnight, began))])
    assert figures.read(park.snapshot()).import_today.since == began
    park.close()


def test_without_an_answer_energy_counts_from_now(park: FakeStation, manual_clock: ManualClock) -> None:
    history = History()
    figures = KeyFigures(park.station, manual_clock, history.query)
    figures.read(park.snapshot())
    history.answer.set_exception(StorageError("disk"))
    park.put("meter1.e_in", 500.0)
    figures.read(park.snapshot())
    park.put("meter1.e_in", 502.0)
    assert figures.read(park.snapshot()).import_today.value == 2.0
    park.close()


def test_a_history_that_could_not_be_read_is_asked_again(park: FakeStation, manual_clock: ManualClock) -> None:
    """Its disk may have been full at the start; the day is counted from midnight as soon as that is known."""
    history = History()
    figures = KeyFigures(park.station, manual_clock, history.query)
    midnight = day_start_ns(park.station, manual_clock.now_ns())
    park.put("meter1.e_in", 500.0)
    figures.read(park.snapshot())
    history.answer.set_exception(StorageError("disk"))
    figures.read(park.snapshot())
    assert figures.read(park.snapshot()).import_today.value == 0.0
    manual_clock.advance(61)
    figures.read(park.snapshot())
    history.answer.set_result([series("meter1.e_in", midnight, 480.0)])
    read = figures.read(park.snapshot()).import_today
    assert (read.value, read.since) == (20.0, midnight)
    park.close()


def test_a_question_that_was_called_off_is_no_answer(park: FakeStation, manual_clock: ManualClock) -> None:
    history = History()
    figures = KeyFigures(park.station, manual_clock, history.query)
    park.put("meter1.e_in", 500.0)
    figures.read(park.snapshot())
    history.answer.cancel()
    figures.read(park.snapshot())
    assert figures.read(park.snapshot()).import_today.value == 0.0
    park.close()


def test_a_new_day_asks_again(park: FakeStation, manual_clock: ManualClock) -> None:
    history = History()
    figures = KeyFigures(park.station, manual_clock, history.query)
    figures.read(park.snapshot())
    figures.read(park.snapshot())
    manual_clock.advance(86400)
    figures.read(park.snapshot())
    assert len(history.asked) == 2
    park.close()


@pytest.mark.parametrize(("reading", "grown"), [(41773.289, 0.0), (41774.29, 1.0), (3.0, 3.0)])
def test_a_reading_just_below_its_rounded_baseline_is_no_restart(
    park: FakeStation, manual_clock: ManualClock, reading: float, grown: float
) -> None:
    history = History()
    figures = KeyFigures(park.station, manual_clock, history.query)
    midnight = day_start_ns(park.station, manual_clock.now_ns())
    park.put("meter1.e_in", reading)
    figures.read(park.snapshot())
    history.answer.set_result([series("meter1.e_in", midnight, 41773.29)])
    assert figures.read(park.snapshot()).import_today.value == pytest.approx(grown)
    park.close()
