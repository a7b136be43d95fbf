"""What `check` says of a station behind IEC 60870-5-104: every mistake with its key and its mend."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from app.model.clock import SystemClock
from drivers.contract import ClockSettable, Complaint, Pollable, Reporting, Writable
from drivers.iec104 import iec104
from drivers.iec104.connection import KEYS, Connection
from tests.support.iec104_devices import devices

HERE = "host: 10.0.0.1, ca: 1"


def complaints(folder: Path, connection: str, *points: str) -> list[Complaint]:
    (device,) = devices(folder, {"a": connection}, {"a": list(points) or ["p measurement ioa: 1, type: M_ME_NC_1"]})
    return iec104().check(device)


@pytest.mark.parametrize(
    ("connection", "key", "words"),
    [
        ("ca: 1", "host", "has no host"),
        ("host: 10.0.0.1", "ca", "has no ca"),
        ("host: '10.0.0.1:2404', ca: 1", "host", "port is a key of its own"),
        ("host: 10.0.0.1, ca: 65535", "ca", "from 1 to 65534"),
        ("host: 10.0.0.1, ca: '1'", "ca", "not a whole number"),
        (f"{HERE}, prot: 2404", "prot", "write 'port'"),
        (f"{HERE}, k: 12, w: 9", "w", "more than two thirds"),
        (f"{HERE}, t1: 10s, t2: 10s", "t2", "not below t1"),
        (f"{HERE}, t0: 500ms", "t0", "whole seconds"),
        (f"{HERE}, t3: 3d", "t3", "1s to 48h"),
        (f"{HERE}, timeout: 5", "timeout", "not a duration"),
        (f"{HERE}, clock: local", "clock", "write utc or station"),
        (f"{HERE}, groups: [0]", "groups", "from 1 to 16"),
        (f"{HERE}, groups: [1, 1]", "groups", "different numbers"),
        (f"{HERE}, backup_port: 2405", "backup_port", "without a backup"),
        (f"{HERE}, tls: yes please", "tls", "neither true nor a mapping"),
        (f"{HERE}, tls: {{ca: nowhere.pem}}", "tls", "is no file on this machine"),
        (f"{HERE}, tls: {{ca: {'x' * 1000}}}", "tls", "is no file"),
        (f"{HERE}, tls: {{nam: rtu1}}", "nam", "write 'name'"),
        (
            f"{HERE}, tls: {{password: hunter2}}",
            "password",
            "a file is no place for one; write secret:NAME or env:NAME",
        ),
        (f"{HERE}, tls: {{password: env:P, key: nowhere.pem}}", "tls", "only one of certificate and key"),
    ],
)
def test_a_wrong_connection(tmp_path: Path, connection: str, key: str, words: str) -> None:
    found = complaints(tmp_path, connection)
    assert any(one.key == key and words in f"{one.what}; {one.mend}" for one in found), found


@pytest.mark.parametrize(
    ("point", "key", "words"),
    [
        ("p measurement type: M_ME_NC_1", "ioa", "has no ioa"),
        ("p measurement ioa: 0, type: M_ME_NC_1", "ioa", "from 1 to 16777215"),
        ("p measurement ioa: 1", "type", "no type"),
        ("p measurement ioa: 1, type: 13", "type", "write 'M_ME_NC_1'"),
        ("p measurement ioa: 1, type: m_me_nc_1", "type", "write 'M_ME_NC_1'"),
        ("p measurement ioa: 1, type: M_ME_NC_1, select: true", "select", "is for commands"),
        ("p measurement ioa: 1, type: C_SC_NA_1", "type", "cannot be of the command type"),
        ("p command ioa: 1, type: M_SP_NA_1", "type", "cannot be of a monitored type"),
        ("p command ioa: 1, type: C_SC_NA_1, select: 1", "select", "neither true nor false"),
        ("p command ioa: 1, type: C_SC_NA_1, qualifier: 4", "qualifier", "from 0 to 3"),
        ("p setpoint ioa: 1, type: C_BO_NA_1, select: true", "select", "has no select"),
        ("p setpoint ioa: 1, type: C_SE_NC_1, termination: never", "termination", "expected or none"),
        ("p text ioa: 1, type: M_BO_NA_1", "", "text cannot be read"),
    ],
)
def test_a_wrong_point(tmp_path: Path, point: str, key: str, words: str) -> None:
    found = complaints(tmp_path, HERE, point)
    assert any(one.key == key and words in f"{one.what}; {one.mend}" for one in found), found


def test_two_points_with_one_address(tmp_path: Path) -> None:
    twice = ["p measurement ioa: 1, type: M_ME_NC_1", "s status ioa: 1, type: M_SP_NA_1"]
    (found,) = complaints(tmp_path, HERE, *twice)
    assert found.key == "ioa" and "a.p already" in str(found.what)
    assert complaints(tmp_path, HERE, twice[0], "c command ioa: 1, type: C_SC_NA_1") == []
    assert complaints(tmp_path, HERE, twice[0], "s status ioa: 1, type: M_SP_NA_1, ca: 2") == []


def test_devices_of_one_line_agree_and_share_no_address(tmp_path: Path) -> None:
    point = ["p measurement ioa: 1, type: M_ME_NC_1"]
    pair = devices(tmp_path, {"a": HERE, "b": f"{HERE}, k: 6, w: 4"}, {"a": point, "b": point})
    driver = iec104()
    assert driver.line(pair[0]) == driver.line(pair[1]) == "10.0.0.1:2404"
    assert [(one.device, one.key) for one in driver.check_line(pair)] == [("b", "k"), ("b", "w")]
    pair = devices(tmp_path, {"a": HERE, "b": HERE}, {"a": point, "b": point})
    assert [(one.device, one.key) for one in driver.check_line(pair)] == [("b", "ioa")]
    pair = devices(tmp_path, {"a": HERE, "b": "host: 10.0.0.1, ca: 2"}, {"a": point, "b": point})
    assert driver.check_line(pair) == []


def test_without_the_library_check_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert complaints(tmp_path, HERE) == []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (found,) = complaints(tmp_path, HERE)
    assert found.key == "driver" and "c104" in str(found.what) and "run.py setup" in str(found.mend)


def test_defaults_are_the_standards(tmp_path: Path) -> None:
    connection = Connection.of({"host": "10.0.0.1", "ca": 1})
    assert connection.parameters == {"k": 12, "w": 8, "t0": 30, "t1": 15, "t2": 10, "t3": 20, "originator": 0}
    assert (connection.port, connection.station_clock, connection.backup, connection.tls) == (2404, False, None, None)


def test_what_a_form_offers_is_sound_as_it_is_given_and_says_nothing_new(tmp_path: Path) -> None:
    offered = iec104().keys()
    assert list(offered)[:2] == ["host", "ca"] and set(offered) == set(KEYS)
    (bare,) = devices(tmp_path, {"a": HERE}, {"a": []})
    given = replace(bare, connection=bare.connection | {key: v for key, v in offered.items() if v not in (None, "")})
    assert iec104().check(given) == [] and Connection.of(given.connection) == Connection.of(bare.connection)
    other = replace(given, id="b", connection=given.connection | {"ca": 2})
    assert iec104().check_line([bare, other]) == []


def test_every_key_is_taken(tmp_path: Path) -> None:
    everything = (
        f"{HERE}, port: 2405, backup: 10.0.0.2, backup_port: 2406, k: 24, w: 16, t0: 10s, t1: 12s, t2: 5s, t3: 1min, "
        "originator: 3, tls: true, timeout: 3s, execution: 1min, clock: station, clock_tolerance: 5s, groups: [1, 16], "
        "interrogate: 15min, counters: 15min, set_clock: 1h"
    )
    assert complaints(tmp_path, everything) == []
    (device,) = devices(tmp_path, {"a": everything}, {"a": []})
    assert set(device.connection) == set(KEYS)
    connection = Connection.of(device.connection)
    assert connection.backup == ("10.0.0.2", 2406) and connection.groups == (1, 16) and connection.tls == {}
    assert (connection.interrogate_s, connection.counters_s, connection.set_clock_s) == (900, 900, 3600)


def test_a_link_reports_commands_and_sets_clocks(tmp_path: Path) -> None:
    link = iec104().open(devices(tmp_path, {"a": HERE}, {"a": []}), SystemClock(), read_only=False)
    assert isinstance(link, Reporting) and isinstance(link, Writable) and isinstance(link, ClockSettable)
    assert not isinstance(link, Pollable)
