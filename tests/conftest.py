"""What every test gets: Qt without a screen, a clock that stands, and checks that nothing is left behind."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before anything imports Qt
os.environ.setdefault("GRIDROOM_TRACEBACK", "1")  # an error that nobody foresaw fails a test as it is

import faulthandler
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from app.model.clock import ManualClock
from app.records.database import Place
from tests.support import alarm_station
from tests.support.leaks import Errors, Leaks
from tests.support.mqtt_broker import runs_mosquitto
from tests.support.postgresql import PLACES, Postgresql, runs_postgresql
from tests.support.secret_service import runs_secret_service

pytest_plugins = ["pytester"]
# How long an example takes says something of the machine, and nothing of the code.
settings.register_profile("gridroom", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gridroom")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--nightly", action="store_true", help="run the slow tests as well")


def pytest_report_header() -> list[str]:
    lines = []
    if not runs_mosquitto():
        lines.append(
            "mosquitto is not installed: tests of MQTT run against amqtt, and those that need more are left out"
        )
    if not runs_postgresql():
        lines.append("PostgreSQL is not installed: tests of records run on SQLite only")
    if not runs_secret_service():
        lines.append("gnome-keyring is not installed: tests of the system's keyring are left out")
    return lines


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--nightly"):
        _leave_out(config, items, "slow")
    if not runs_mosquitto():
        _leave_out(config, items, "mosquitto")
    if not runs_secret_service():
        _leave_out(config, items, "keyring")
    if not runs_postgresql():
        _leave_out(config, items, "postgresql")


def _leave_out(config: pytest.Config, items: list[pytest.Item], marker: str) -> None:
    out = [item for item in items if item.get_closest_marker(marker)]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.config.getoption("--nightly"):
        faulthandler.cancel_dump_traceback_later()  # the longest take an hour


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Threads, tasks, timers and windows that a test starts, it ends."""
    leaks = Leaks()
    yield
    found = leaks.found()
    if found:
        pytest.fail("left behind: " + "; ".join(found), pytrace=False)


@pytest.fixture(autouse=True)
def no_unexpected_errors(request: pytest.FixtureRequest) -> Iterator[None]:
    """An ERROR line of Gridroom's fails a test that does not say `@pytest.mark.expects_errors`."""
    with Errors() as errors:
        yield
    if errors.lines and request.node.get_closest_marker("expects_errors") is None:
        pytest.fail("logged errors: " + "; ".join(errors.lines), pytrace=False)


@pytest.fixture
def manual_clock() -> ManualClock:
    """A clock that stands until it is moved."""
    return ManualClock()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What asks for `place_of` runs on SQLite and on PostgreSQL, unless it is marked `sqlite`."""
    if "place_of" in metafunc.fixturenames:
        only_file = metafunc.definition.get_closest_marker("sqlite") is not None
        metafunc.parametrize("place_of", PLACES[:1] if only_file else PLACES, indirect=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """One server for all tests of a process; each data folder has a schema of its own in it."""
    server = Postgresql().start()
    yield server
    server.remove()


@pytest.fixture
def place_of(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Place | None]:
    """Where the records of a data folder are kept: in its own file (None), or in a schema of its own on a server."""
    if getattr(request, "param", "sqlite") == "sqlite":  # a unittest case has no parameter
        return lambda folder: None
    server: Postgresql = request.getfixturevalue("postgresql")

    def place_of(folder: Path) -> Place:
        return server.place(f"t{os.getpid()}_{zlib.crc32(str(folder).encode())}")

    monkeypatch.setattr(alarm_station, "place_of", place_of)
    return place_of
