"""A running station whose records are in a file, or on a PostgreSQL server that stops, dies and comes back."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.configuration import configure
from app.history.folder import DataFolder
from app.model.clock import SECOND_NS, SystemClock
from app.model.errors import GridroomError, StorageError
from app.model.views import AlarmState
from app.station import RunningStation
from tests.support.doors import GOOD
from tests.support.field import MemoryField
from tests.support.postgresql import PASSWORD, PLACES, Postgresql

LONG_S = 30.0


class SetClock(SystemClock):
    """The machine's clock, set by a test."""

    ahead_s = 0.0

    def now_ns(self) -> int:
        return super().now_ns() + round(self.ahead_s * SECOND_NS)


class Site:
    """A station of one meter; `url` is that of its records, where they are on a server."""

    def __init__(self, folder: Path, field: MemoryField, url: str | None) -> None:
        self.folder, self.field, self.clock = folder, field, SetClock()
        self.write(url)
        self.held = DataFolder.open(folder / "data", "a test")
        self.station: RunningStation | None = None

    def write(self, url: str | None, high: float = 100) -> None:
        address = {"table": "input", "register": 0, "type": "u16"}
        point = {
            "id": "p_kw", "name": "P", "kind": "measurement", "unit": "kW", "scan": "50ms", "address": address,
            "alarms": {"h": high},
        }  # fmt: skip
        connection = {"driver": "modbus-tcp", "host": "127.0.0.1", "port": 1, "unit": 1}
        text: dict[str, Any] = {
            "version": 1,
            "station": {"id": "site", "name": "S", "timezone": "UTC", "location": {"latitude": 0, "longitude": 0}},
            "devices": [{"id": "m", "name": "M", "kind": "meter", "connection": connection, "points": [point]}],
        }
        if url is not None:
            text["records"] = {"url": url, "password": "env:RECORDS_OF_A_TEST"}
        (self.folder / "station.yaml").write_text(yaml.safe_dump(text), encoding="utf-8")

    def start(self) -> None:
        self.station = RunningStation(configure(self.folder), self.folder / "data", clock=self.clock)
        self.station.start()
        self.door = self.station.facade("a test")

    def stop(self) -> None:
        if self.station is not None:
            self.station.stop()
        self.station = None

    def enter(self) -> None:
        first = self.door.access.standing().first_start
        (self.door.access.name_administrator if first else self.door.access.sign_in)("ada", GOOD).result(LONG_S)

    def value(self, value: float) -> None:
        """Set it in the field, and wait until it is on the table."""
        self.field.values["m"] = value
        row = self.door.station.by_name["m.p_kw"]
        until(lambda: self.door.snapshot().value[row] == value)

    def alarms(self) -> dict[str, AlarmState]:
        return {row.source: row.state for row in self.door.alarms.active()}

    def told(self) -> list[tuple[str, str]]:
        """What and result of the audit, the oldest first."""
        rows = self.door.audit.rows(None, 1000).result(LONG_S)
        return [(row.what, str(row.result)) for row in reversed(rows)]

    def close(self) -> None:
        self.stop()
        self.held.close()


def until(true: Callable[[], object], seconds: float = LONG_S) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not become true"
        time.sleep(0.02)


@pytest.fixture
def field(monkeypatch: pytest.MonkeyPatch) -> MemoryField:
    made = MemoryField()
    monkeypatch.setattr("app.engine.engine.driver", lambda name: made)
    monkeypatch.setenv("RECORDS_OF_A_TEST", PASSWORD)
    return made


@pytest.fixture
def server() -> Iterator[Postgresql]:
    """One that may be stopped, for it is nobody else's."""
    own = Postgresql().start()
    yield own
    own.remove()


@pytest.fixture(params=PLACES)
def site(request: pytest.FixtureRequest, tmp_path: Path, field: MemoryField) -> Iterator[Site]:
    url = request.getfixturevalue("server").url if request.param == "postgresql" else None
    made = Site(tmp_path, field, url)
    yield made
    made.close()


def test_starts_stops_and_a_set_clock_are_in_the_audit(site: Site) -> None:
    site.start()
    site.enter()
    site.value(5.0)
    site.clock.ahead_s = -7200.0
    until(lambda: any(row.what == "clock.jumped" for row in site.door.audit.rows(None, 1000).result(LONG_S)))
    site.stop()
    site.clock.ahead_s = 0.0
    site.start()
    site.enter()
    rows = list(reversed(site.door.audit.rows(None, 1000).result(LONG_S)))
    assert [row.what for row in rows if row.what.startswith(("station.st", "clock"))] == [
        "station.started", "clock.jumped", "station.stopped", "station.started",
    ]  # fmt: skip
    jump = next(row for row in rows if row.what == "clock.jumped")
    assert "-7200" in jump.details and jump.time < rows[0].time, "by the clock as it was set"
    assert [row.id for row in rows] == list(range(1, len(rows) + 1))
    assert site.door.audit.verify().result(LONG_S).sound


@pytest.mark.postgresql
@pytest.mark.expects_errors
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_server_that_goes_while_the_station_runs(
    tmp_path: Path, field: MemoryField, server: Postgresql, end: str
) -> None:
    site = Site(tmp_path, field, server.url)
    site.start()
    try:
        site.enter()
        site.value(5.0)
        getattr(server, end)()

        site.value(500.0)  # the field goes on, and so do its alarms
        until(lambda: site.alarms().get("m.p_kw") is AlarmState.ACTIVE_UNACKNOWLEDGED)
        until(lambda: "_system.records" in site.alarms())
        trouble = next(row for row in site.door.alarms.active() if row.source == "_system.records")
        assert "cannot be reached" in trouble.message.en and PASSWORD not in trouble.message.en + trouble.message.zh
        with pytest.raises(StorageError, match="nothing is done, for it cannot be audited"):
            site.door.apply().result(LONG_S)
        with pytest.raises(StorageError):
            site.station.facade("another door").access.sign_in("ada", GOOD).result(LONG_S)
        assert site.door.access.standing().actor.name == "ada", "who was signed in stays so"

        server.start()
        until(lambda: site.alarms().get("_system.records") is not AlarmState.ACTIVE_UNACKNOWLEDGED)
        site.door.apply().result(LONG_S)
        until(lambda: site.told()[-2:] == [("station.apply", "asked"), ("station.apply", "done")])
        journal = site.door.alarms.journal(None, 1000).result(LONG_S)
        assert any(row.source == "m.p_kw" for row in journal), "what came while the server was away is stored"
        assert site.door.audit.verify().result(LONG_S).sound
    finally:
        site.close()


@pytest.mark.postgresql
@pytest.mark.expects_errors
def test_a_server_that_is_away_at_the_start_and_at_the_end(
    tmp_path: Path, field: MemoryField, server: Postgresql
) -> None:
    site = Site(tmp_path, field, server.url)
    site.start()
    try:
        site.enter()
        site.stop()
        server.stop()

        site.write(server.url, high=200)
        site.start()
        site.value(7.0)
        assert not site.door.access.standing().first_start, "nobody becomes administrator of what cannot be read"
        with pytest.raises(Exception, match="cannot be"):
            site.door.access.name_administrator("eve", GOOD + "!").result(LONG_S)
        with pytest.raises(Exception, match="cannot be reached"):
            site.door.access.sign_in("ada", GOOD).result(LONG_S)

        server.start()
        until(lambda: site.door.access.standing().version >= 0)
        site.enter()
        assert [one.name for one in site.door.accounts.users()] == ["ada"]
        until(lambda: site.told().count(("station.started", "done")) == 2)
        until(lambda: len(site.door.versions.rows().result(LONG_S)) == 2)  # kept when it could be
        server.stop()
        began = time.monotonic()
        site.stop()
        assert time.monotonic() - began < 60, "an end that waits for a server is none"
        server.start()
        site.start()
        site.enter()
        until(lambda: site.told().count(("station.stopped", "done")) == 2)
        assert site.door.audit.verify().result(LONG_S).sound
    finally:
        site.close()


@pytest.mark.expects_errors
def test_who_stands_before_the_screen_of_a_broken_disk_is_not_its_administrator(
    tmp_path: Path, field: MemoryField
) -> None:
    site = Site(tmp_path, field, None)
    site.start()
    try:
        site.enter()
        site.stop()
        (tmp_path / "data" / "records.sqlite").write_bytes(b"no database" * 1000)
        for _ in range(2):  # nor after another start
            site.start()
            site.value(7.0)
            assert not site.door.access.standing().first_start
            with pytest.raises(GridroomError, match="records.damaged-1.sqlite, which was damaged"):
                site.door.access.name_administrator("eve", GOOD).result(LONG_S)
            with pytest.raises(GridroomError, match="adds an administrator with gridroom user add"):
                site.door.access.sign_in("ada", GOOD).result(LONG_S)
            site.stop()
        site.start()
        words = ("user", "add", "ada", str(tmp_path), "--data", str(tmp_path / "data"), "--role", "administrator")
        added = subprocess.run([sys.executable, "-m", "app", *words], check=True, capture_output=True, text=True)
        until(lambda: site.door.access.standing().version > 0)
        site.door.access.sign_in("ada", added.stdout.strip()).result(LONG_S)
        assert site.door.access.standing().must_change
    finally:
        site.close()
