"""Drivers of others: found by entry points, loaded when asked for, and left out by name where they are faulty."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app import cli
from app.configuration import Configuration, configure
from app.engine.engine import Engine
from app.model.clock import SystemClock
from app.model.errors import ConfigFaults
from app.model.views import LinkState
from drivers import registry
from drivers.absent import AbsentDriver
from tests.support.devices import device
from tests.support.plugin import SOUND, install

Install = Callable[..., None]


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """`packages("name", source, word="factory")` installs a package for this test."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    installed: list[str] = []

    def install_(package: str, source: str, **names: str) -> None:
        install(folder, package, source, **names)
        installed.append(package)
        registry.look_again()

    yield install_
    monkeypatch.undo()
    registry.look_again()
    for package in installed:
        sys.modules.pop(package, None)


FAULTY = {
    "import": ("import a_module_that_is_not_there", "factory", "ModuleNotFoundError"),
    "syntax": ("def factory(:", "factory", "SyntaxError"),
    "end": ("raise SystemExit(3)", "factory", "SystemExit"),
    "name": (SOUND, "Missing", "AttributeError"),
    "raises": ("def factory(): raise RuntimeError('no licence')", "factory", "RuntimeError: no licence"),
    "other": ("def factory(): return 'a driver'", "factory", "is a str, and no drivers.contract.Driver"),
    "abstract": ("from drivers.contract import Driver\nclass Half(Driver): pass", "Half", "TypeError"),
    "old": (SOUND.replace("= 1", "= 7"), "Sound", "is for version 7 of the driver contract; this Gridroom has 1"),
    "silent": (SOUND.replace("contract_version = 1", "pass"), "Sound", "is for no version of the driver contract"),
}


@pytest.mark.parametrize("word", registry._FACTORIES)
def test_a_form_offers_the_keys_that_a_driver_of_ours_knows(word: str) -> None:
    driver = registry.driver(word)
    offered = driver.keys()
    assert offered, "the person would have to know them"
    for key, value in offered.items():
        alone = {key: "x" if value in (None, "") else value}
        ways = (alone, {"webhook": "/d", **alone}) if word == "http" else (alone,)
        told = [{one.what for one in driver.check(device("d", way, []))} for way in ways]
        assert any(f"unknown key '{key}' in connection" not in what for what in told)


def write_station(folder: Path, driver: str, host: str = "127.0.0.1") -> None:
    (folder / "station.yaml").write_text(
        f"""version: 1
station: {{id: s, name: S, timezone: UTC, location: {{latitude: 0, longitude: 0}}}}
devices:
  - {{id: good, name: Good, kind: meter, connection: {{driver: sound}}}}
  - id: bad
    name: Bad
    kind: meter
    connection: {{host: {host}, driver: {driver}}}
    points: [{{id: p, name: P, kind: measurement, address: {{any: thing}}}}]
""",
        encoding="utf-8",
    )


def test_a_sound_plugin_is_a_driver_like_ours(packages: Install, tmp_path: Path) -> None:
    packages("sound_package", SOUND, sound="Sound", my_other="Sound")
    assert set(registry.names()) >= {"sound", "my-other", "modbus-tcp"}
    write_station(tmp_path, "my-other")
    assert configure(tmp_path).absent == ()


def test_nothing_is_imported_before_it_is_asked_for(packages: Install) -> None:
    packages("ending", "raise SystemExit(3)", ending="factory")
    assert "ending" in registry.names()
    registry.driver("modbus-tcp")
    assert "ending" not in sys.modules


@pytest.mark.parametrize("fault", FAULTY)
def test_a_faulty_plugin_is_named_with_its_package_and_reason(packages: Install, fault: str) -> None:
    source, target, words = FAULTY[fault]
    packages(f"broken_{fault}", source, broken=target)
    driver = registry.driver("broken")
    assert isinstance(driver, AbsentDriver)
    assert words in driver.why.en
    assert f"driver 'broken' of package broken_{fault} 1.0" in driver.why.en
    assert driver.mend


def test_two_packages_that_bring_one_name_are_both_left_out(packages: Install) -> None:
    packages("first_one", SOUND, twice="Sound")
    packages("second_one", SOUND, twice="Sound")
    driver = registry.driver("twice")
    assert isinstance(driver, AbsentDriver)
    assert "package first_one 1.0 and package second_one 1.0" in driver.why.en


def test_a_plugin_cannot_take_the_place_of_ours(
    packages: Install, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    packages("thief", SOUND, modbus_tcp="Sound", sound="Sound")
    assert type(registry.driver("modbus-tcp")).__name__ == "ModbusDriver"
    write_station(tmp_path, "sound")
    with caplog.at_level(logging.WARNING):
        configure(tmp_path)
    assert "driver 'modbus-tcp' of package thief 1.0 is left out: Gridroom has one of that name" in caplog.text


# ------------------------------------------------------------------------------------------- check, and the station


def test_check_tells_where_a_broken_driver_is_asked_for(
    packages: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packages("sound_package", SOUND, sound="Sound")
    packages("broken_one", "import nothing_of_that_name", broken="factory")
    write_station(tmp_path, "broken")
    assert cli.main(["check", str(tmp_path)]) == cli.WRONG_INPUT
    told = capsys.readouterr().err.strip()
    assert told.startswith(f"{tmp_path / 'station.yaml'}:8: device bad: driver 'broken' of package broken_one 1.0")
    assert "nothing_of_that_name" in told and told.endswith("; repair or reinstall the package")


def test_a_certificate_that_is_missing_is_told_by_check_and_costs_its_device_only(
    packages: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packages("sound_package", SOUND, sound="Sound")
    write_station(tmp_path, "iec104, ca: 1, tls: {ca: copied-late.pem}")
    text = (tmp_path / "station.yaml").read_text().replace("any: thing", "ioa: 1, type: M_ME_NC_1")
    (tmp_path / "station.yaml").write_text(text)
    assert cli.main(["check", str(tmp_path)]) == cli.WRONG_INPUT
    told = f":8: device bad: tls ca '{tmp_path / 'copied-late.pem'}' is no file on this machine"
    assert told in capsys.readouterr().err
    states = asyncio.run(states_of(configure(tmp_path)))
    assert states["good"] == (LinkState.ONLINE, None)
    assert states["bad"][0] is LinkState.LOST and "copied-late.pem cannot be used" in str(states["bad"][1])
    (tmp_path / "copied-late.pem").touch()
    assert configure(tmp_path).absent == ()


def test_an_unknown_driver_is_still_a_fault_that_ends(packages: Install, tmp_path: Path) -> None:
    packages("sound_package", SOUND, sound="Sound")
    write_station(tmp_path, "sund")
    with pytest.raises(ConfigFaults, match=r"unknown driver 'sund'.*sound"):
        configure(tmp_path)


async def states_of(configuration: Configuration) -> dict[str, tuple[LinkState, str]]:
    """Run the station until both devices are known; state and last error of each."""
    engine = Engine(configuration.station, configuration.expressions, SystemClock(), sinks=())
    task = asyncio.create_task(engine.run())
    async with asyncio.timeout(10):
        while any(one.state is LinkState.STARTING for one in engine.devices()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    found = {one.device: (one.state, one.last_error) for one in engine.devices()}
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return found


def test_the_station_runs_without_the_devices_of_a_broken_driver(packages: Install, tmp_path: Path) -> None:
    packages("sound_package", SOUND, sound="Sound")
    packages("broken_one", "import nothing_of_that_name", broken="factory")
    write_station(tmp_path, "broken")
    configuration = configure(tmp_path)
    assert len(configuration.absent) == 1
    states = asyncio.run(states_of(configuration))
    assert states["good"] == (LinkState.ONLINE, None)
    assert states["bad"][0] is LinkState.LOST
    assert "cannot be loaded" in str(states["bad"][1])


RAISING = {
    "check": "def check(self, device): raise ZeroDivisionError('oh')",
    "line": "def line(self, device): raise ZeroDivisionError('oh')",
    "open": "def open(self, devices, clock, *, read_only): raise ZeroDivisionError('oh')",
    "plan": """def open(self, devices, clock, *, read_only): return Raising()
    class Raising(Silent):
        def plan(self, device, points): raise ZeroDivisionError('oh')
        async def read(self, plan): pass
        async def close(self): raise ZeroDivisionError('oh')
        def remarks(self, device): raise ZeroDivisionError('oh')
""",
}


@pytest.mark.expects_errors
@pytest.mark.parametrize("where", RAISING)
def test_a_driver_that_fails_at_a_call_costs_its_own_devices_only(
    packages: Install, tmp_path: Path, where: str
) -> None:
    packages("sound_package", SOUND, sound="Sound")
    first, _, rest = RAISING[where].partition("\n")
    source = f"{SOUND}\n    class Bad(Sound):\n        {first}\n{rest}\n"
    packages(f"raising_{where}", source, raising="Bad")
    write_station(tmp_path, "raising")
    configuration = configure(tmp_path)
    assert [fault.line for fault in configuration.absent] == ([8] if where in ("check", "line") else [])
    states = asyncio.run(states_of(configuration))
    assert states["good"] == (LinkState.ONLINE, None)
    if where in ("open", "plan"):
        assert states["bad"][0] is LinkState.LOST
        assert "the driver 'raising' failed (ZeroDivisionError: oh)" in str(states["bad"][1])
