"""A station whose parts fail, at the start and at the end, and one whose clock is set."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.configuration import configure
from app.headless import status_line
from app.history.folder import DataFolder
from app.model.access import Actor
from app.model.clock import SECOND_NS, Clock, SystemClock
from app.model.errors import StorageError
from app.model.updates import Updates
from app.model.views import AlarmState
from app.station import RunningStation

STATION = """version: 1
station: {id: s, name: S, timezone: UTC, location: {latitude: 0, longitude: 0}}
devices:
  - {id: m, name: M, kind: meter, connection: {driver: modbus-tcp, host: 127.0.0.1, port: 1},
     points: [{id: p, name: P, kind: measurement, address: {table: holding, register: 0, type: u16}}]}
"""


def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something is true; fails after a time that no sound run needs."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not become true"
        time.sleep(0.02)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "station.yaml").write_text(STATION)
    with DataFolder.open(tmp_path / "data", "a test"):
        yield tmp_path


def station(folder: Path, clock: Clock | None = None) -> RunningStation:
    return RunningStation(configure(folder), folder / "data", clock=clock)


@pytest.mark.parametrize("part", ["records", "alarms", "events", "history", "_thread"])
@pytest.mark.parametrize("error", [OSError("disk on fire"), KeyboardInterrupt()])
def test_when_a_part_cannot_start_the_others_are_stopped_again(
    folder: Path, part: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = station(folder)

    def fail() -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(getattr(one, part), "start", fail)
        with pytest.raises(type(error)):
            one.start()
    one.stop()  # whoever called it does this as well
    again = station(folder)
    again.start()
    again.stop()


@pytest.mark.parametrize("part", ["_thread", "alarms", "history"])
def test_when_a_part_cannot_stop_the_others_still_do(folder: Path, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is pending is written, and no thread is left."""
    one = station(folder)
    one.start()
    until(one.alarms.active)
    stop = getattr(one, part).stop

    def fail() -> None:
        stop()
        raise OSError("cannot")

    monkeypatch.setattr(getattr(one, part), "stop", fail)
    with pytest.raises(OSError, match="cannot"):
        one.stop()


@pytest.mark.parametrize(
    "devices",
    [
        "",
        "devices: [{id: m, name: M, kind: meter}]",
        "devices: [{id: m, name: M, kind: meter, connection: {driver: modbus-tcp, host: 127.0.0.1, port: 1}}]",
    ],
)
def test_a_station_of_nothing_runs(folder: Path, devices: str) -> None:
    """No devices, or one without points: somebody has just begun to write the file."""
    (folder / "station.yaml").write_text(STATION.partition("devices:")[0] + devices)
    one = station(folder)
    one.start()
    try:
        assert one.history.query([], 0, one.now_ns(), 100).result(10) == []
        one.figures(one.snapshot())
        assert one.health().history is None and one.health().devices_online == 0
    finally:
        one.stop()


TOTAL = (
    STATION.rstrip().removesuffix("]}")
    + """,
              {id: e, name: E, kind: counter, unit: kWh, value: "integral(abs(_errors), reset=never)"}]}
"""
)


def test_totals_go_on_when_the_history_opens_late(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No room on the disk at the start: the month's energy must not begin at nothing."""
    (folder / "station.yaml").write_text(TOTAL)
    first = station(folder)
    first.start()
    index = first.station.by_name["m.e"]
    until(lambda: first.snapshot().value[index] >= 0)
    first.history.take(Updates.of([index], 42.0, 0, first.now_ns(), first.now_ns()))
    first.stop()
    again = station(folder)
    caplog.clear()
    with monkeypatch.context() as patch:
        patch.setattr("app.history.service.open_history", _no_room)
        again.start()
        until(lambda: again.health().history)
        assert len([record for record in caplog.records if "no room on the disk" in record.getMessage()]) == 1
        assert len(status_line(again)) < 250
        until(lambda: again.snapshot().value[index] >= 0)
        assert again.snapshot().value[index] < 1
    try:
        until(lambda: again.snapshot().value[index] >= 42)
    finally:
        again.stop()


def _no_room(*_: object) -> None:
    raise StorageError("no room on the disk" + "; and much more to be said of it" * 10)


class SetClock(SystemClock):
    """The machine's clock, set by a test."""

    ahead_s = 0.0

    def now_ns(self) -> int:
        return super().now_ns() + round(self.ahead_s * SECOND_NS)


def test_a_clock_that_was_set_is_told_once_and_is_over(folder: Path) -> None:
    """It is something that happened, not something that lasts until the next start."""
    clock = SetClock()
    one = station(folder, clock)
    one.start()
    try:
        until(one.alarms.active)
        one.history.flush().result(10)
        clock.ahead_s = -7200.0
        until(lambda: any(row.source == "_system.clock" for row in one.alarms.active()))
        row = next(row for row in one.alarms.active() if row.source == "_system.clock")
        assert row.state is AlarmState.RETURNED_UNACKNOWLEDGED and "-7200.0 s" in row.message.en
        one.alarms.acknowledge([row.id], Actor("operator"))
        assert all(row.source != "_system.clock" for row in one.alarms.active())
        clock.ahead_s = 0.0
        until(lambda: any(row.source == "_system.clock" for row in one.alarms.active()))
    finally:
        one.stop()
