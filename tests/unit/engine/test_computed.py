"""Computed points in a running engine: order, circles, and totals that remember."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from app.engine.computed import Computed, parse_all
from app.engine.table import LiveTable
from app.model import quality as q
from app.model.clock import SECOND_NS, ManualClock, from_datetime
from app.model.loading import load_station
from app.model.station import Station
from app.model.updates import Updates

HEAD = """version: 1
station: {id: s, name: S, timezone: Asia/Shanghai, location: {latitude: 0, longitude: 0}}
devices:
  - id: d
    name: D
    kind: meter
    connection: {driver: modbus-tcp, host: 127.0.0.1}
    points:
      - {id: p, name: P, kind: measurement, unit: kW, address: {table: holding, register: 0, type: u16}}
"""
CALCULATED = '      - {{id: {id}, name: C, kind: measurement, value: "{value}"}}\n'


def station_of(folder: Path, zone: str, **values: str) -> tuple[Station, Computed, LiveTable]:
    text = HEAD.replace("Asia/Shanghai", zone) + "".join(
        CALCULATED.format(id=id_, value=value) for id_, value in values.items()
    )
    (folder / "station.yaml").write_text(text)
    loaded = load_station(folder)
    expressions, faults = parse_all(loaded)
    assert not faults
    return loaded.station, Computed(loaded.station, expressions), LiveTable(loaded.station)


class Runner:
    """Feeds one power point and lets a second pass."""

    def __init__(self, folder: Path, clock: ManualClock, zone: str = "Asia/Shanghai", **values: str) -> None:
        self.clock = clock
        self.station, self.computed, self.table = station_of(folder, zone, **values)

    def step(self, power: float, quality: int = 0, seconds: float = 1.0) -> None:
        self.clock.advance(seconds)
        now = self.clock.now_ns()
        self.table.apply(Updates.of(0, power, quality, now, now))
        changed = np.ones(len(self.station.points), np.bool_)
        self.computed.run(changed, self.table, now, self.clock.monotonic_ns())

    def restore(self, **last: tuple[float, int, float]) -> None:
        """Each id's (value, quality, age in seconds), as the last run left them."""
        now = self.clock.now_ns()
        stored = {f"d.{id_}": (value, quality, now - round(age * 1e9)) for id_, (value, quality, age) in last.items()}
        self.computed.restore({self.station.by_name[name]: row for name, row in stored.items()}, now)

    def read(self, id_: str) -> tuple[float, int]:
        index = self.station.by_name[f"d.{id_}"]
        return float(self.table.value[index]), int(self.table.quality[index])


@pytest.fixture
def clock() -> ManualClock:
    from datetime import datetime

    return ManualClock(from_datetime(datetime(2026, 11, 20, 23, 59, 0, tzinfo=ZoneInfo("Asia/Shanghai"))))


def test_a_point_reads_points_that_are_computed_before_it(tmp_path: Path, clock: ManualClock) -> None:
    run = Runner(tmp_path, clock, twice="half * 4", half="p / 2")
    run.step(10)
    assert run.read("half") == (5.0, 0) and run.read("twice") == (20.0, 0)


def test_points_that_differ_in_a_number_only_are_computed_together(tmp_path: Path, clock: ManualClock) -> None:
    """Current transformers: a thousand points, each with a factor of its own, are one step and not a thousand."""
    run = Runner(
        tmp_path, clock, a="p * 2 + 1", b="p * 3 + 10", c="(p if p > 4 else 0) * 5", d="(p if p > 60 else 7) * 5"
    )
    assert len(run.computed._steps) == 2
    run.step(10)
    assert [run.read(id_) for id_ in "abcd"] == [(21.0, 0), (40.0, 0), (50.0, 0), (35.0, 0)]


def test_circles_are_faults_with_their_lines(tmp_path: Path) -> None:
    text = (
        HEAD
        + CALCULATED.format(id="x", value="y + p")
        + CALCULATED.format(id="y", value="x")
        + CALCULATED.format(id="z", value="nope")
    )
    (tmp_path / "station.yaml").write_text(text)
    _, faults = parse_all(load_station(tmp_path))
    assert [(fault.line, fault.what.en) for fault in faults] == [
        (12, "device d, point z: unknown point 'nope'"),
        (10, "device d, point x: computes itself in a circle"),
        (11, "device d, point y: computes itself in a circle"),
    ]


def test_integral_is_energy_by_the_trapezoid(tmp_path: Path, clock: ManualClock) -> None:
    run = Runner(tmp_path, clock, e="integral(p, reset=never)")
    run.step(0)
    for _ in range(10):
        run.step(3600)
    assert run.read("e")[0] == pytest.approx(0.5 + 9) and run.read("e")[1] == 0


def test_integral_counts_nothing_over_bad_input_and_says_so(tmp_path: Path, clock: ManualClock) -> None:
    run = Runner(tmp_path, clock, e="integral(p, reset=day)")
    run.step(3600)
    run.step(3600)
    for _ in range(5):
        run.step(3600, q.NT)
    run.step(3600)
    run.step(3600)
    assert run.read("e") == (pytest.approx(2.0), q.DERIVED)


def test_a_day_ends_at_midnight_of_the_station(tmp_path: Path, clock: ManualClock) -> None:
    run = Runner(tmp_path, clock, e="integral(p, reset=day)", always="integral(p)")
    for _ in range(58):
        run.step(3600)
    assert run.read("e")[0] == pytest.approx(57)
    for _ in range(4):
        run.step(3600)
    assert run.read("e")[0] == pytest.approx(3, abs=1.01)
    assert run.read("always")[0] == pytest.approx(61)


def test_delta_of_a_counter_survives_its_restart(tmp_path: Path, clock: ManualClock) -> None:
    run = Runner(tmp_path, clock, grown="delta(p, reset=never)")
    for reading in (100, 110, 112, 3, 5):
        run.step(reading)
    assert run.read("grown") == (pytest.approx(17), 0)


def test_totals_go_on_from_the_last_run_within_the_period(tmp_path: Path, clock: ManualClock) -> None:
    run = Runner(tmp_path, clock, e="integral(p, reset=day)")
    run.restore(e=(42.0, 0, 1.0))
    run.step(3600)
    run.step(3600)
    assert run.read("e") == (pytest.approx(43.0), 0)
    other = Runner(tmp_path, clock, e="integral(p, reset=day)")
    other.restore(e=(42.0, 0, 86400.0))
    other.step(3600)
    assert other.read("e")[0] == 0.0


def test_what_the_last_run_left_may_become_known_late(tmp_path: Path, clock: ManualClock) -> None:
    """A full disk at the start: the history opens when there is room, and the totals have begun by then."""
    run = Runner(tmp_path, clock, e="integral(p, reset=day)", grown="delta(p, reset=day)")
    run.step(3600)
    run.step(3605)
    run.restore(e=(42.0, 0, 5.0), grown=(7.0, 0, 5.0), p=(3590.0, 0, 5.0))
    run.step(3610)
    assert run.read("e")[0] == pytest.approx(42 + 2, abs=0.01)
    assert run.read("grown") == (7 + 10 + 10, 0), "also what the counter grew while the program stood still"
    other = Runner(tmp_path, clock, grown="delta(p, reset=day)")
    other.step(10)
    other.step(15)
    other.restore(grown=(7.0, 0, 5.0), p=(3590.0, 0, 5.0))
    assert other.read("grown")[0] == 5.0
    other.step(16)
    assert other.read("grown") == (7 + 6, q.DERIVED), "it began again at a time that nobody knows"


def test_a_total_keeps_its_mark_over_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    run = Runner(tmp_path, clock, e="integral(p, reset=day)")
    run.restore(e=(42.0, q.DERIVED, 1.0))
    run.step(3600)
    assert run.read("e") == (pytest.approx(42.0), q.DERIVED)
    for _ in range(60):
        run.step(3600)
    assert run.read("e")[1] == 0, "the next day is whole"


def test_a_total_whose_input_does_not_come_back_is_marked(tmp_path: Path, clock: ManualClock) -> None:
    run = Runner(tmp_path, clock, e="integral(p, reset=never)")
    run.restore(e=(42.0, 0, 1.0))
    for _ in range(5):
        run.step(0, q.NT)
    assert run.read("e") == (42.0, 0), "devices may take some seconds to connect"
    for _ in range(10):
        run.step(0, q.NT)
    assert run.read("e") == (42.0, q.DERIVED)


def test_a_day_begins_at_nothing_while_its_device_sleeps(tmp_path: Path, clock: ManualClock) -> None:
    """An inverter that is off at night must not show yesterday's energy as today's until the morning."""
    run = Runner(tmp_path, clock, e="integral(p, reset=day)")
    run.step(3600)
    run.step(3600)
    for _ in range(80):
        run.step(0, q.NT)
    assert run.read("e") == (0.0, q.DERIVED)


def test_a_total_carries_the_marks_of_what_it_added_up(tmp_path: Path, clock: ManualClock) -> None:
    run = Runner(tmp_path, clock, e="integral(p, reset=day)")
    run.step(3600)
    run.step(3600, q.DERIVED | q.SB)
    run.step(3600)
    assert run.read("e") == (pytest.approx(2.0), q.DERIVED | q.SB)


def test_a_clock_that_was_far_ahead_for_a_moment_does_not_stop_the_days(tmp_path: Path, clock: ManualClock) -> None:
    run = Runner(tmp_path, clock, e="integral(p, reset=day)")
    run.step(3600)
    right = clock.now_ns()
    clock.set_wall(right + 400 * 86400 * SECOND_NS)
    run.step(3600)
    clock.set_wall(right)
    run.step(3600)
    assert run.read("e") == (pytest.approx(1), q.DERIVED), "what was counted of this day before is not known any more"
    for _ in range(59):
        run.step(3600)
    assert run.read("e") == (pytest.approx(2), 0), "the next day begins as ever"


def test_hours_begin_with_the_hours_of_the_zone(tmp_path: Path) -> None:
    from datetime import datetime

    kolkata = ZoneInfo("Asia/Kolkata")  # half an hour off
    clock = ManualClock(from_datetime(datetime(2026, 11, 20, 13, 29, 55, tzinfo=kolkata)))
    run = Runner(tmp_path, clock, "Asia/Kolkata", e="integral(p, reset=hour)")
    for _ in range(10):
        run.step(3600)
    assert run.read("e")[0] == pytest.approx(9)
    clock.advance(1800)
    run.step(3600)
    assert run.read("e")[0] == pytest.approx(0)


def test_an_hour_that_daylight_saving_repeats_is_two_hours(tmp_path: Path) -> None:
    from datetime import datetime

    berlin = ZoneInfo("Europe/Berlin")
    clock = ManualClock(from_datetime(datetime(2026, 10, 25, 2, 59, 55, tzinfo=berlin)))
    run = Runner(tmp_path, clock, "Europe/Berlin", e="integral(p, reset=hour)", day="integral(p, reset=day)")
    for _ in range(10):
        run.step(3600)
    assert run.read("e")[0] == pytest.approx(6)
    assert run.read("day")[0] == pytest.approx(9)


@pytest.mark.parametrize(("reset", "last"), [("month", (2026, 11, 30)), ("year", (2026, 12, 31))])
def test_months_and_years_begin_anew(tmp_path: Path, reset: str, last: tuple[int, int, int]) -> None:
    from datetime import datetime

    clock = ManualClock(from_datetime(datetime(*last, 23, 59, 57, tzinfo=ZoneInfo("Asia/Shanghai"))))
    run = Runner(tmp_path, clock, e=f"integral(p, reset={reset})")
    run.step(3600)
    run.step(3600)
    assert run.read("e")[0] == pytest.approx(1)
    run.step(3600)
    assert run.read("e")[0] == pytest.approx(1), "the stretch that ends with the period counts in the next"
    run.step(3600, seconds=86400)
    run.step(3600)
    assert run.read("e")[0] == pytest.approx(2)


def test_a_clock_set_back_over_midnight_keeps_the_total(tmp_path: Path, clock: ManualClock) -> None:
    run = Runner(tmp_path, clock, e="integral(p, reset=day)")
    run.step(3600, seconds=120)
    run.step(3600)
    clock.set_wall(clock.now_ns() - 600 * SECOND_NS)
    run.step(3600)
    assert run.read("e")[0] == pytest.approx(2)


def test_delta_goes_on_from_the_last_reading(tmp_path: Path, clock: ManualClock) -> None:
    """What a counter grew while the program stood still counts as well."""
    run = Runner(tmp_path, clock, grown="delta(p, reset=day)")
    run.restore(grown=(7.0, 0, 1000.0), p=(100.0, q.NT, 1000.0))
    run.step(130)
    run.step(131)
    assert run.read("grown") == (pytest.approx(38), 0)


def test_delta_waits_for_a_counter_that_is_lost_and_says_so(tmp_path: Path, clock: ManualClock) -> None:
    run = Runner(tmp_path, clock, grown="delta(p, reset=never)")
    run.step(100)
    run.step(110)
    run.step(110, q.NT)
    assert run.read("grown") == (10.0, q.DERIVED)
    run.step(150)
    assert run.read("grown") == (50.0, 0)


def test_delta_of_a_sum_waits_for_all_of_it(tmp_path: Path, clock: ManualClock) -> None:
    """A member that is lost makes the sum fall; that is no counter that begins again."""
    run = Runner(tmp_path, clock, grown="delta(sum('d.[po]'))", o="0 + abs(_errors)")
    own = run.station.by_name["d._errors"]
    for value, quality in ((100, 0), (110, 0), (110, q.NT), (120, 0)):
        run.table.apply(Updates.of(own, 1000.0, 0, 1, 1))
        run.step(value, quality)
    assert run.read("grown") == (pytest.approx(20), 0)


def test_a_counter_that_falls_a_little_did_not_begin_again(tmp_path: Path, clock: ManualClock) -> None:
    """After an outage a meter may go on from the last reading that it saved."""
    run = Runner(tmp_path, clock, grown="delta(p, reset=never)")
    for reading in (10_000, 10_010, 10_008, 10_011):
        run.step(reading)
    assert run.read("grown") == (pytest.approx(13), 0)
