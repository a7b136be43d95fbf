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


def station_of(folder: Path, **values: str) -> tuple[Station, Computed, LiveTable]:
    text = HEAD + "".join(CALCULATED.format(id=id_, value=value) for id_, value in values.items())
    (folder / "station.yaml").write_text(text)
    loaded = load_station(folder)
    expressions, faults = parse_all(loaded)
    assert not faults
    return loaded.station, Computed(loaded.station, expressions), LiveTable(loaded.station)


class Runner:
    """Feeds one power point and lets a second pass."""

    def __init__(self, folder: Path, clock: ManualClock, **values: str) -> None:
        self.clock = clock
        self.station, self.computed, self.table = station_of(folder, **values)

    def step(self, power: float, quality: int = 0, seconds: float = 1.0) -> None:
        self.clock.advance(seconds)
        now = self.clock.now_ns()
        self.table.apply(Updates.of(0, power, quality, now, now))
        changed = np.zeros(len(self.station.points), np.bool_)
        changed[0] = True
        self.computed.run(changed, self.table, now, self.clock.monotonic_ns())

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


def test_circles_are_faults_with_their_lines(tmp_path: Path) -> None:
    text = (
        HEAD
        + CALCULATED.format(id="x", value="y + p")
        + CALCULATED.format(id="y", value="x")
        + CALCULATED.format(id="z", value="nope")
    )
    (tmp_path / "station.yaml").write_text(text)
    _, faults = parse_all(load_station(tmp_path))
    assert [(fault.line, fault.what) for fault in faults] == [
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
    index = run.station.by_name["d.e"]
    run.computed.restore({index: (42.0, clock.now_ns() - SECOND_NS)}, clock.now_ns())
    run.step(3600)
    run.step(3600)
    assert run.read("e") == (pytest.approx(43.0), 0)
    other = Runner(tmp_path, clock, e="integral(p, reset=day)")
    other.computed.restore({index: (42.0, clock.now_ns() - 86400 * SECOND_NS)}, clock.now_ns())
    other.step(3600)
    assert other.read("e")[0] == 0.0


def test_a_clock_set_back_over_midnight_keeps_the_total(tmp_path: Path, clock: ManualClock) -> None:
    run = Runner(tmp_path, clock, e="integral(p, reset=day)")
    run.step(3600, seconds=120)
    run.step(3600)
    clock.set_wall(clock.now_ns() - 600 * SECOND_NS)
    run.step(3600)
    assert run.read("e")[0] == pytest.approx(2)
