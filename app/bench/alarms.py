"""Alarms: what evaluating limits on columns takes of a core, and how an avalanche of state changes is taken."""

from __future__ import annotations

import gc
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.alarms.events import Events
from app.alarms.service import Alarms
from app.bench.report import Figure
from app.model.clock import SystemClock
from app.model.config import (
    BlocksForm,
    ControlForm,
    DeviceKind,
    HistoryForm,
    LimitsForm,
    LocationForm,
    PointForm,
    RatingsForm,
)
from app.model.station import Device, Point, Station
from app.model.text import Text
from app.model.updates import Updates
from app.records.service import Records

POINTS: Final = 100_000
BATCH: Final = 5_000
FLIPS: Final = 10_000
SECONDS: Final = 5.0
ROUNDS: Final = 5
BATCH_S: Final = 0.05


def run(seconds: float | None = None) -> list[Figure]:
    """All figures. Rates are of the CPU time of the one thread that evaluates: what a loaded machine lets through."""
    with tempfile.TemporaryDirectory() as folder:
        return [*_evaluation(Path(folder) / "limits", seconds or SECONDS), *_avalanches(Path(folder))]


def _evaluation(folder: Path, seconds: float) -> list[Figure]:
    """100,000 points with four limits each; every value changes, one row in a thousand crosses a limit."""
    form = _form(kind="measurement", unit="kW", alarms={"ll": -90, "l": -80, "h": 80, "hh": 90, "hysteresis": 2})
    clock = SystemClock()
    records = _records(folder)
    alarms = Alarms(_station(form, POINTS, folder), records, clock)
    alarms.start()
    batches = _batches(clock.now_ns())
    limit = np.full(POINTS, 80.0)

    def compare(updates: Updates) -> None:
        np.flatnonzero(updates.value >= limit[updates.point])

    bare = _rate(batches, compare, seconds / 2)
    rate = _rate(batches, alarms.take, seconds)
    alarms.stop()
    records.stop()
    core_pct = 100 * POINTS / rate
    return [
        Figure("alarms: points evaluated by a core, 4 limits each", rate, "points/s", limit=bare),
        Figure.at_most("alarms: core at 100,000 points/s in batches of 5,000", core_pct, "%", 5.0, 100 * POINTS / bare),
    ]


def _batches(now: int) -> list[Updates]:
    """Two rounds over all points; in the second one row in a thousand is above h."""
    rng = np.random.default_rng(1)
    point = rng.permutation(POINTS).astype(np.int32)
    calm, busy = rng.uniform(-70, 70, POINTS), rng.uniform(-70, 70, POINTS)
    busy[::1000] = 85.0
    return [
        Updates.of(point[i : i + BATCH], values[i : i + BATCH], 0, now, now)
        for values in (calm, busy)
        for i in range(0, POINTS, BATCH)
    ]


def _rate(batches: list[Updates], take: Callable[[Updates], None], seconds: float) -> float:
    """Rows a second of this thread's CPU time."""
    rows = 0
    began, cpu = time.monotonic(), time.thread_time()
    while time.monotonic() - began < seconds:
        for batch in batches:
            take(batch)
            rows += len(batch)
    return rows / (time.thread_time() - cpu)


def _avalanches(folder: Path) -> list[Figure]:
    """10,000 status points, each with an alarm, flip in one batch; the loop goes on, and all of it is on the disk."""
    rounds = [_avalanche(folder / f"avalanche{i}") for i in range(ROUNDS)]
    held_ms, listed_s, stored_s, lines = (statistics.median(column) for column in zip(*rounds, strict=True))
    bare_s = statistics.median(_bare_inserts(folder / f"bare{i}.sqlite", 2 * FLIPS) for i in range(ROUNDS))
    return [
        Figure.at_most("alarms: longest hold of the loop in 10,000 flips", held_ms, "ms", 20.0),
        Figure.at_most("alarms: until 10,000 flips are on the list", listed_s, "s", 1.0),
        Figure.at_most("alarms: until their 20,000 journal rows are on the disk", stored_s, "s", 1.0, bare_s),
        Figure.at_least("alarms: journal rows of 10,000 flips", lines, "rows", 2.0 * FLIPS, 2.0 * FLIPS),
    ]


def _avalanche(folder: Path) -> tuple[float, float, float, float]:
    """Longest hold of the loop in ms, seconds until all is on the list and on the disk, journal rows."""
    form = _form(kind="status", states={0: "off", 1: "trip"}, alarms={"state": {"value": 1}})
    clock = SystemClock()
    records = _records(folder)
    station = _station(form, FLIPS, folder)
    alarms, events = Alarms(station, records, clock), Events(station, records, clock)
    alarms.start()
    events.start()
    everything = np.arange(FLIPS, dtype=np.int32)
    for sink in (alarms, events):
        sink.take(Updates.of(everything, np.zeros(FLIPS), 0, clock.now_ns(), clock.now_ns()))
    records.write(lambda _: None).result()
    flips = Updates.of(everything, np.ones(FLIPS), 0, clock.now_ns() + np.arange(FLIPS), clock.now_ns())

    gc.collect()
    gc.freeze()  # as a station does once it stands: what is built for good is not looked through again and again
    began = time.monotonic()
    calls = [_took_ms(lambda: alarms.take(flips)), _took_ms(lambda: events.take(flips))]
    quiet = Updates.of(everything[:1], np.ones(1), 0, clock.now_ns(), clock.now_ns())
    while len(alarms.active()) < FLIPS:  # as the engine calls: a batch each 50 ms, a tick each 100
        time.sleep(BATCH_S)
        calls.append(_took_ms(lambda: alarms.take(quiet)))
        if len(calls) % 2:
            calls.append(_took_ms(alarms.tick))
    listed_s = time.monotonic() - began
    records.write(lambda _: None).result()
    stored_s = time.monotonic() - began
    gc.unfreeze()
    lines = len(alarms.journal(limit=2 * FLIPS).result()) + len(events.journal(limit=2 * FLIPS).result())
    alarms.stop()
    records.stop()
    return max(calls), listed_s, stored_s, lines


def _bare_inserts(path: Path, rows: int) -> float:
    """How long sqlite3 alone takes for as many rows of such columns, in one flushed transaction."""
    row = (1, 1, 1, "d.p1234", "raised", "state", "medium", "D P: trip", "D P: trip", 1.0, None, "", 0, "")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"CREATE TABLE bare ({', '.join(f'c{i}' for i in range(len(row)))})")
        began = time.monotonic()
        connection.execute("BEGIN")
        connection.executemany(f"INSERT INTO bare VALUES ({', '.join('?' * len(row))})", [row] * rows)
        connection.execute("COMMIT")
        return time.monotonic() - began


def _took_ms(call: Callable[[], None]) -> float:
    began = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - began)


def _records(folder: Path) -> Records:
    folder.mkdir()
    records = Records(folder, on_trouble=lambda _key, _text: None)
    records.start()
    return records


def _form(**what: Any) -> PointForm:
    """A point as a file would describe it."""
    return PointForm.model_validate({"id": "p", "name": "P", "address": {}, **what})


def _station(form: PointForm, count: int, folder: Path) -> Station:
    """A station of one device whose points share one form. As a file it would take a minute to load."""
    points = tuple(Point(i, f"d.p{i}", "d", form) for i in range(count))
    device = Device(
        id="d", name=Text.of("D"), kind=DeviceKind.OTHER, parent=None, driver=None, connection={},
        ratings=RatingsForm(), control=ControlForm(), blocks=BlocksForm(), points=points, texts=(),
    )  # fmt: skip
    return Station(
        id="bench", name=Text.of("Bench"), timezone="UTC", location=LocationForm(latitude=0, longitude=0),
        limits=LimitsForm(), grid_meter=None, read_only=False, history=HistoryForm(), topology=(), devices=(device,),
        points=points, directory=folder,
    )  # fmt: skip
