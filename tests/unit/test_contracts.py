"""The public contracts, version 1, used as they are written: what users, integrators and scripts rely on.

`tests/data/contract_station.yaml` is the example of the contract, word for word.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from app import cli
from app.configuration import configure
from app.demo import DEMO
from app.model.config import DeviceKind, LimitForm, PointKind, Priority
from app.model.durations import parse_duration_s
from app.model.errors import ConfigFaults, StorageError
from app.model.loading import TEMPLATES
from app.model.own_points import own_points
from app.model.roles import ROLES
from app.model.station import Station
from app.model.units import UNITS
from app.model.yaml_source import YamlSource
from app.schema import schema
from drivers import registry
from drivers.dlt645 import connection as dlt645_connection
from drivers.dlt645 import frames
from drivers.dlt645.address import Address
from drivers.modbus.connection import peer_of

ROOT: Final = Path(__file__).parents[2]
EXAMPLE: Final = (ROOT / "tests" / "data" / "contract_station.yaml").read_text(encoding="utf-8")
MISSING_DEVICES: Final = """
  - {id: xfmr1, name: Transformer 1, kind: transformer}
  - {id: pcs1, name: PCS 1, kind: pcs, connection: {driver: modbus-tcp, host: 127.0.0.1}, points: [
     {id: breaker, name: Breaker, kind: status, role: breaker, address: {table: discrete, register: 0, type: bool}}]}
"""
"""Devices that the example, an excerpt, names without showing them."""
URL: Final = "url: postgresql://user@host/db, "
DAY_S: Final = 86400.0
MINIMAL: Final[dict[str, Any]] = {
    "version": 1,
    "station": {"id": "s", "name": "S", "timezone": "UTC", "location": {"latitude": 1, "longitude": 2}},
    "devices": [
        {
            "id": "d",
            "name": "D",
            "kind": "meter",
            "connection": {"driver": "modbus-tcp", "host": "h"},
            "points": [{"id": "p", "name": "P", "kind": "measurement", "address": {"table": "coil", "register": 0}}],
        }
    ],
}
"""Everything that is required, and nothing else."""


def load(folder: Path, content: str | dict[str, Any]) -> Station:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "station.yaml").write_text(text, encoding="utf-8")
    return configure(folder).station


def faults(folder: Path, content: str | dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigFaults) as caught:
        load(folder, content)
    return [f"{fault.line}: {fault.what}" for fault in caught.value.faults]


def changed(*path: str | int, value: object = None) -> dict[str, Any]:
    """The minimal station with one thing set, or left out where the value is None."""
    content: dict[str, Any] = json.loads(json.dumps(MINIMAL))
    part: Any = content
    for step in path[:-1]:
        part = part[step]
    if value is None:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    return content


def with_point(**keys: object) -> dict[str, Any]:
    point = {**MINIMAL["devices"][0]["points"][0], **keys}
    return changed("devices", 0, "points", 0, value={key: value for key, value in point.items() if value is not None})


# ------------------------------------------------------------------------------------------------- the example


def test_the_example_is_sound_but_for_the_devices_that_it_does_not_show(tmp_path: Path) -> None:
    assert faults(tmp_path, EXAMPLE.replace(URL, "")) == [
        "6: element t1: unknown device 'xfmr1'",
        "7: element qf1: unknown element 'pcs1'",
        "7: element qf1: unknown point 'pcs1.breaker'",
    ]


def test_a_history_elsewhere_is_refused_today(tmp_path: Path) -> None:
    """PostgreSQL comes with a later issue; until then nothing is stored elsewhere than the file says."""
    with pytest.raises(
        (StorageError, ConfigFaults), match="history.url: this version keeps history in the data folder"
    ):
        load(tmp_path, EXAMPLE + MISSING_DEVICES)


def test_the_example_means_what_it_says(tmp_path: Path) -> None:
    station = load(tmp_path, EXAMPLE.replace(URL, "") + MISSING_DEVICES)
    assert (station.id, station.name.en, station.name.zh, station.timezone) == (
        "park1", "Park 1", "一号园区", "Asia/Shanghai",
    )  # fmt: skip
    assert (station.limits.import_kw, station.limits.export_kw) == (2000, 500)
    assert (station.grid_meter, station.read_only) == ("meter1", False)
    assert (station.location.latitude, station.location.longitude, station.location.elevation_m) == (30.27, 120.15, 20)
    assert [(node.id, node.kind, node.from_, node.to, node.device, node.state) for node in station.topology] == [
        ("grid", "grid", None, None, None, None),
        ("t1", "transformer", "grid", "bus_main", "xfmr1", None),
        ("bus_main", "bus", None, None, None, None),
        ("qf1", "breaker", "bus_main", "pcs1", None, "pcs1.breaker"),
    ]
    meter = station.by_id["meter1"]
    assert (meter.kind, meter.parent, meter.template) == (DeviceKind.METER, "bus_main", "eastron/sdm630")
    assert (meter.ratings.power_kw, meter.ratings.energy_kwh) == (500, 1000)
    assert meter.driver == "modbus-tcp"


def test_the_points_of_the_example_mean_what_they_say(tmp_path: Path) -> None:
    station = load(tmp_path, EXAMPLE.replace(URL, "") + MISSING_DEVICES)
    point = station.points[station.by_name["meter1.p_kw"]]
    form = point.form
    assert (point.label.en, point.kind, form.role, point.unit) == ("Active power", "measurement", "active_power", "kW")
    assert form.address == {"table": "holding", "register": 52, "type": "f32", "word_order": "big"}
    assert (form.scale, form.offset, form.precision, form.scan, form.deadband) == (0.001, 0, 1, 1, 0.1)
    assert form.range == (-3000, 3000) and form.states is not None
    assert {number: text.en for number, text in form.states.items()} == {0: "off", 1: "on", 2: "fault"}
    alarms = form.alarms
    assert alarms is not None and isinstance(alarms.hh, LimitForm)
    assert (alarms.hh.value, alarms.hh.priority, alarms.h) == (1900, Priority.URGENT, 1800)
    assert (alarms.delay, alarms.hysteresis, alarms.priority) == (2, 10, Priority.HIGH)
    energy = station.points[station.by_name["meter1.e_day"]]
    assert (energy.form.value, energy.kind) == ("integral(p_kw, reset=day)", PointKind.COUNTER)
    assert "meter1.f_hz" in station.by_name  # the template's other points


# --------------------------------------------------------------------------------------------------- Required


@pytest.mark.parametrize(
    "path",
    [
        ("version",),
        ("station", "id"), ("station", "name"), ("station", "timezone"),
        ("station", "location", "latitude"), ("station", "location", "longitude"),
        ("devices", 0, "id"), ("devices", 0, "name"), ("devices", 0, "kind"),
        ("devices", 0, "points", 0, "name"), ("devices", 0, "points", 0, "kind"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_required_is_missed(tmp_path: Path, path: tuple[str | int, ...]) -> None:
    assert any(f"'{path[-1]}' is missing" in fault for fault in faults(tmp_path, changed(*path)))


def test_a_point_needs_an_id_and_an_address_or_a_value(tmp_path: Path) -> None:
    assert "a point without id" in faults(tmp_path, changed("devices", 0, "points", 0, "id"))[0]
    assert "needs either an address or a value" in faults(tmp_path, with_point(address=None))[0]
    assert "needs either an address or a value" in faults(tmp_path, with_point(value="p"))[0]


def test_a_device_needs_a_connection_unless_it_is_computed(tmp_path: Path) -> None:
    assert "no connection" in faults(tmp_path, changed("devices", 0, "connection"))[0]
    computed = {"id": "c", "name": "C", "kind": "other", "points": [
        {"id": "q", "name": "Q", "kind": "measurement", "value": "d.p * 2"},
    ]}  # fmt: skip
    station = load(tmp_path, changed("devices", value=[*MINIMAL["devices"], computed]))
    assert [point.id for point in station.by_id["c"].points] == ["q"]


# --------------------------------------------------------------------------------------------------- Defaults


def test_defaults(tmp_path: Path) -> None:
    station = load(tmp_path, MINIMAL)
    form = station.points[0].form
    assert (form.scan, form.scale, form.offset, form.deadband) == (1.0, 1.0, 0.0, 0.0)
    assert (form.unit, form.range, form.role, form.alarms, form.precision) == (None, None, None, None, None)
    assert station.history.heartbeat == 60.0 and station.history.url is None
    assert peer_of(station.by_id["d"]).timeout_s == 1.0
    retention = station.history.retention
    assert (retention.raw, retention.s1, retention.s5) == (30 * DAY_S, 7 * DAY_S, 90 * DAY_S)
    assert retention.min15 == retention.h1 == parse_duration_s("20y")
    assert station.read_only is False


def test_defaults_of_control(tmp_path: Path) -> None:
    control = load(tmp_path, changed("devices", 0, "control", value={"expiry": "10s"})).by_id["d"].control
    assert (control.expiry, control.ramp_kw_per_s, control.soc) == (10.0, None, (5.0, 95.0))


def test_every_driver_of_the_contract_is_known() -> None:
    words = "modbus-tcp modbus-rtu modbus-rtu-tcp iec104 mqtt http bacnet dlt645"
    assert set(words.split()) <= set(registry.names())


def test_a_dlt645_address_as_the_contract_writes_it(tmp_path: Path) -> None:
    text = """version: 1
station: {id: s, name: S, timezone: UTC, location: {latitude: 1, longitude: 2}}
devices:
  - {id: d, name: D, kind: meter, connection: {driver: dlt645, device: COM3, address: 000012345678}, points: [
     {id: p, name: P, kind: measurement, address: {di: 02030000}}]}
"""
    device = load(tmp_path, text).by_id["d"]
    assert frames.address_digits(dlt645_connection.peer_of(device).address) == "000012345678"
    assert Address.of(device.points[0].form.address or {}).di == 0x02030000


# ------------------------------------------------------------------------------------------- Ids, words, units


@pytest.mark.parametrize("id_", ["a", "meter1", "p_kw", "a_"])
def test_ids(tmp_path: Path, id_: str) -> None:
    assert load(tmp_path, changed("devices", 0, "id", value=id_)).points[0].name == f"{id_}.p"


@pytest.mark.parametrize("id_", ["A", "1a", "_a", "a-b", "a.b", "a b", "", "站"])
def test_what_is_no_id(tmp_path: Path, id_: str) -> None:
    for path in (("station", "id"), ("devices", 0, "id"), ("devices", 0, "points", 0, "id")):
        assert any("is not an id" in fault for fault in faults(tmp_path, changed(*path, value=id_)))


def test_ids_are_unique_among_siblings_only(tmp_path: Path) -> None:
    device = MINIMAL["devices"][0]
    twice = changed("devices", value=[device, {**device, "id": "e", "connection": {**device["connection"], "unit": 2}}])
    assert {"d.p", "e.p"} <= set(load(tmp_path, twice).by_name)
    assert "exists already" in faults(tmp_path, changed("devices", value=[device, device]))[0]
    assert "exists already" in faults(tmp_path, changed("devices", 0, "points", value=device["points"] * 2))[0]


def test_own_points_of_a_device() -> None:
    assert [point.id for point in own_points()] == ["_online", "_rtt_ms", "_errors", "_late_scans"]


UNITS_AS_WRITTEN: Final = (
    "kW kvar kVA kWh kvarh V A Hz % degC W/m2 m/s hPa mm s min h ohm l m3 kg t CNY CNY/kWh kgCO2 1"
)
CONTRACT_UNITS: Final = UNITS_AS_WRITTEN.split()


@pytest.mark.parametrize("unit", CONTRACT_UNITS)
def test_units(tmp_path: Path, unit: str) -> None:
    assert load(tmp_path, with_point(unit=unit)).points[0].unit == unit


def test_units_of_the_field_only(tmp_path: Path) -> None:
    assert set(UNITS) >= set(CONTRACT_UNITS)
    for unit in ("W", "kw", "°C", "MWh", ""):
        assert any(f"unknown unit '{unit}'" in fault for fault in faults(tmp_path, with_point(unit=unit)))


def test_roles() -> None:
    as_written = (
        "active_power reactive_power apparent_power power_factor voltage current frequency energy_import energy_export "
        "soc soh charge_limit discharge_limit cell_voltage_max cell_voltage_min cell_temperature_max "
        "cell_temperature_min active_power_setpoint reactive_power_setpoint power_limit_setpoint start stop reset open "
        "close state breaker remote fault heartbeat irradiance ambient_temperature module_temperature wind_speed "
        "oil_temperature winding_temperature fuel_level"
    )
    assert list(ROLES) == as_written.split()


@pytest.mark.parametrize(("role", "unit"), ROLES.items())
def test_each_role_in_its_unit(tmp_path: Path, role: str, unit: str) -> None:
    assert load(tmp_path, with_point(role=role, unit=unit or None)).by_id["d"].role(role) is not None
    (fault,) = faults(tmp_path, with_point(role=role, unit="kg"))
    assert "is measured in" in fault or "has no unit" in fault


def test_kinds() -> None:
    assert " ".join(DeviceKind) == "pv_inverter pcs bms meter transformer weather genset charger load gateway other"
    assert " ".join(PointKind) == "measurement status counter command setpoint text"


# ---------------------------------------------------------------------------------------------------- Alarms


def test_alarm_priorities() -> None:
    assert [str(priority) for priority in Priority] == ["urgent", "high", "medium", "low"]


@pytest.mark.parametrize("limit", ["hh", "h", "l", "ll"])
@pytest.mark.parametrize("priority", list(Priority))
def test_a_limit_is_a_number_or_says_more(tmp_path: Path, limit: str, priority: str) -> None:
    more = {"value": 5, "priority": priority, "delay": "250ms", "hysteresis": 1}
    for value in (5, more):
        alarms = load(tmp_path, with_point(alarms={limit: value})).points[0].form.alarms
        assert alarms is not None and getattr(alarms, limit) == (5 if value == 5 else LimitForm.model_validate(more))


def test_alarms_of_states_quality_and_lost_devices(tmp_path: Path) -> None:
    alarms = (
        load(tmp_path, with_point(alarms={"state": {"value": 2}, "quality": True, "lost": True})).points[0].form.alarms
    )
    assert alarms is not None and alarms.state is not None
    assert (alarms.state.value, alarms.quality, alarms.lost) == (2, True, True)


# ------------------------------------------------------------------------------------- durations, secrets, Modbus


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("5s", 5), ("15min", 900), ("1h", 3600), ("30d", 30 * DAY_S)]
)
def test_durations(tmp_path: Path, text: str, seconds: float) -> None:
    assert load(tmp_path, with_point(scan=text)).points[0].form.scan == seconds


@pytest.mark.parametrize("reference", ["secret:broker1", "env:BROKER1"])
def test_secrets_are_references(tmp_path: Path, reference: str) -> None:
    def told(password: str) -> list[str]:
        connection = {"driver": "modbus-tcp", "host": "h", "password": password}
        return faults(tmp_path, changed("devices", 0, "connection", value=connection))

    assert any("password stands in the file" in fault for fault in told("broker1"))
    # Modbus asks for none, which is all that is wrong with a reference.
    assert told(reference) == ["1: device d: unknown key 'password' in connection"]


@pytest.mark.parametrize("type_", ["u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64"])
@pytest.mark.parametrize("table", ["holding", "input"])
def test_modbus_numbers(tmp_path: Path, table: str, type_: str) -> None:
    for order in ("big", "little"):
        address = {"table": table, "register": 0, "type": type_, "word_order": order}
        assert load(tmp_path, with_point(address=address)).points[0].form.address == address


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("status", {"table": "coil", "register": 0, "type": "bool"}),
        ("status", {"table": "discrete", "register": 65535, "type": "bool"}),
        ("status", {"table": "holding", "register": 7, "type": "u16", "bit": 3}),
        ("text", {"table": "input", "register": 7, "type": "string", "count": 8}),
        ("command", {"table": "coil", "register": 1, "type": "bool"}),
        ("setpoint", {"table": "holding", "register": 1, "type": "i16"}),
    ],
)
def test_other_modbus_addresses(tmp_path: Path, kind: str, address: dict[str, Any]) -> None:
    device = load(tmp_path, with_point(kind=kind, address=address)).by_id["d"]
    assert device.point("p") is not None


@pytest.mark.parametrize(
    "connection",
    [
        {"driver": "modbus-tcp", "host": "10.0.0.1", "port": 502, "unit": 1},
        {"driver": "modbus-rtu-tcp", "host": "10.0.0.1", "port": 4001, "unit": 9},
        {"driver": "modbus-rtu", "device": "COM3", "baudrate": 19200, "parity": "E", "stopbits": 1, "unit": 2},
    ],
)
def test_modbus_connections(tmp_path: Path, connection: dict[str, Any]) -> None:
    assert (
        load(tmp_path, changed("devices", 0, "connection", value=connection)).by_id["d"].driver == connection["driver"]
    )


# ------------------------------------------------------------------------------------------------ command line


def run(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Gridroom as a script runs it: no input, no display, no window."""
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    environment["PYTHONPATH"] = str(ROOT)
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False,
        cwd=folder, env=environment,
    )  # fmt: skip


def test_check_of_a_good_station_is_0(tmp_path: Path) -> None:
    load(tmp_path, MINIMAL)
    done = run("check", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "") and "good, 1 device, 5 points" in done.stdout


def test_check_of_a_bad_station_is_2_with_a_line_a_fault(tmp_path: Path) -> None:
    (tmp_path / "station.yaml").write_text(
        EXAMPLE.replace(URL, "").replace("unit: kW\n", "unit: kw\n", 1), encoding="utf-8"
    )
    done = run("check", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert len(lines) == 4 and all(re.fullmatch(r".*station\.yaml:\d+: .+; .+", line) for line in lines)
    assert f"{tmp_path / 'station.yaml'}:21: point meter1.p_kw: unit: unknown unit 'kw'; one of: kW kvar" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("check", "nowhere"), "no such station directory"),
        (("chek", "my_station"), "did you mean 'check'?"),
        (("frobnicate",), "the verbs are"),
        (("check",), "STATION_DIR"),
        (("discover", "telepathy"), "driver 'telepathy' cannot look for devices; these can: dlt645"),
        (("discover", "http", "url=http://h"), "driver 'http' cannot look for devices; these can: dlt645"),
        (("discover", "mqtt", "192.168.1.5"), "'192.168.1.5' is no key of a connection; write KEY=VALUE"),
        (("discover", "sunspec-tcp", "hots=h"), "unknown key 'hots' in connection; write 'host'"),
        (("check", "a", "b"), "unrecognized arguments: b"),
        (("engine", "."), "say where history goes with --data DIR"),
        (("engine", ".", "--data", "d", "--duration", "5"), "is not a duration"),
        (("engine", ".", "--data", ""), "argument --data: an empty text names no file or folder"),
        (
            ("sim", "demo", "-o", "nowhere/o.yaml"),
            "no overlay can be written to nowhere/o.yaml; name a file in a folder",
        ),
        (("sim", "demo", "--base-port", "65530"), "leaves too few ports: 35 are needed; give one up to 65501"),
        (("screenshots", ".", "-o", "d", "--sizes", "0x0"), "'0x0' is not the size of a window"),
        (("screenshots", ".", "-o", "d", "--sizes", "abc"), "'abc' is not the size of a window"),
        (("screenshots", ".", "-o", "d", "--sizes", "99999x99999"), "write WIDTHxHEIGHT from 320x240 to 7680x4320"),
        (("check", ""), "an empty text names no file or folder"),
        (("sim", "nowhere"), "no such station directory"),
        (("sim", ".", "--time-factor", "0"), "write one such as 10"),
        (("schema", "sation"), "invalid choice"),
        (("bench", "nothing"), "one of: acquisition history trend alarms"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_input_is_2_and_says_what_to_do(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    done = run(*arguments, folder=tmp_path)
    assert done.returncode == 2 and words in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_pictures_where_a_file_is_are_2(tmp_path: Path) -> None:
    load(tmp_path, MINIMAL)
    for place in ("station.yaml", "station.yaml/below"):
        done = run("screenshots", ".", "-o", place, folder=tmp_path)
        assert done.returncode == 2 and f"no folder can be made at {place}: a file is in the way" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is always a display to ask for")
def test_failing_while_running_is_1(tmp_path: Path) -> None:
    load(tmp_path, MINIMAL)
    done = run("console", str(tmp_path))
    assert done.returncode == 1 and "there is no display here" in done.stderr and "Traceback" not in done.stderr


def test_a_held_data_folder_is_1_and_names_its_holder(tmp_path: Path) -> None:
    from app.history.folder import DataFolder

    load(tmp_path, MINIMAL)
    with DataFolder.open(tmp_path / "data", "another gridroom"):
        done = run("engine", str(tmp_path), "--data", str(tmp_path / "data"), "--duration", "1s")
    assert done.returncode == 1 and "is in use by another gridroom" in done.stderr and "Traceback" not in done.stderr


def test_an_export_from_a_folder_that_is_none_names_it_and_makes_nothing(tmp_path: Path) -> None:
    load(tmp_path, MINIMAL)
    (tmp_path / "mine").mkdir()
    for data in ("typo", "mine"):
        done = run(
            "export", ".", "--data", data, "--points", "*", "--from", "2026-01-01", "--to", "2026-01-02", "-o", "x.csv",
            folder=tmp_path,
        )  # fmt: skip
        assert done.returncode == 2 and f"{data} is no data folder; give the one" in done.stderr
        assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["mine", "station.yaml"]


@pytest.mark.parametrize("verb", cli._VERBS)
def test_help_of_each_verb_shows_an_example_that_parses(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([verb, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    (example,) = re.findall(r"^example:\n +gridroom (.*)$", text, re.MULTILINE)
    words = [word.strip("'") for word in re.split(" [<>] ", example)[0].split()]
    assert words[0] == verb and cli._parser().parse_args(words).verb == verb


def test_help_shows_first_steps_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert "first steps:" in text and "0 done, 1 failed while running, 2 wrong input" in text
    assert all(re.search(rf"^ +{verb}\b", text, re.MULTILINE) for verb in cli._VERBS)


def test_no_verb_but_console_asks_anything() -> None:
    """Nothing below the console reads what a person types; simulator and bench take orders from their input, unasked.

    `app/trial.py` is a child whose parent is this program. `secret set` reads a value from a file or a pipe, and refuses a terminal (tests/system/test_secrets.py).
    """
    asking = re.compile(r"\binput\(|\bgetpass\(|\bprompt\(|sys\.stdin")
    files = [file for room in ("app", "drivers") for file in (ROOT / room).rglob("*.py")]
    found = {file.relative_to(ROOT).as_posix() for file in files if asking.search(file.read_text(encoding="utf-8"))}
    unasked = ("app/console/", "app/simulation/", "app/bench/", "app/secret_verbs.py", "app/trial.py")
    assert {file for file in found if not file.startswith(unasked)} == set()


# -------------------------------------------------------------------------------------------------- JSON Schema


def validator(form: str) -> Any:
    import jsonschema

    made = schema(form)
    jsonschema.Draft202012Validator.check_schema(made)
    return jsonschema.Draft202012Validator(made)


def as_editors_see_it(text: str, folder: Path) -> Any:
    """What stands in YAML, with texts for keys, as JSON has them."""
    (folder / "x.yaml").write_text(text, encoding="utf-8")
    source = YamlSource(folder / "x.yaml")
    assert source.faults == []
    return json.loads(json.dumps(source.data))


def test_the_schema_takes_the_example_and_the_demo(tmp_path: Path) -> None:
    judge = validator("station")
    for text in (EXAMPLE, (DEMO / "station.yaml").read_text(encoding="utf-8"), json.dumps(MINIMAL)):
        assert [f"{e.json_path}: {e.message}" for e in judge.iter_errors(as_editors_see_it(text, tmp_path))] == []


@pytest.mark.parametrize("file", sorted(TEMPLATES.glob("*/*.yaml")), ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_the_schema_takes_every_template(tmp_path: Path, file: Path) -> None:
    data = as_editors_see_it(file.read_text(encoding="utf-8"), tmp_path)
    assert [f"{e.json_path}: {e.message}" for e in validator("template").iter_errors(data)] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version: 1", "version: 2"),
        ("kind: meter ", "kind: metre "),
        ("unit: kW\n", "unit: kw\n"),
        ("scan: 1s", "scan: 1"),
        ("deadband: 0.1", "dedband: 0.1"),
        ("role: active_power", "role: power"),
        ("priority: urgent", "priority: worst"),
        ("id: p_kw", "id: P-kw"),
        ("latitude: 30.27", "latitude: 130.27"),
        ("timezone: Asia/Shanghai,", ""),
        ("template: eastron/sdm630 ", "template: [eastron/sdm630] "),
        ("heartbeat: 60s", "heartbeat: 60 s"),
    ],
)
def test_the_schema_of_a_station_refuses_faults(tmp_path: Path, old: str, new: str) -> None:
    assert old in EXAMPLE
    assert list(validator("station").iter_errors(as_editors_see_it(EXAMPLE.replace(old, new, 1), tmp_path)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("licence: BSD-3-Clause", ""),
        ("vendor: Eastron", "vendor: [Eastron]"),
        ("unit: kvar", "unit: var"),
        ("precision: 2", "precision: -2"),
        ("kind: measurement", "kind: analog"),
        ("range: [-1, 1]", "range: [-1]"),
    ],
)
def test_the_schema_of_a_template_refuses_faults(tmp_path: Path, old: str, new: str) -> None:
    text = (TEMPLATES / "eastron" / "sdm630.yaml").read_text(encoding="utf-8")
    assert old in text
    assert list(validator("template").iter_errors(as_editors_see_it(text.replace(old, new, 1), tmp_path)))


@pytest.mark.parametrize("form", ["station", "template", "northbound"])
def test_an_editor_offers_no_default_that_is_a_fault(form: str) -> None:
    import jsonschema

    made = schema(form)
    seen = 0
    waiting: list[Any] = [made]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if "default" in part and part["default"] is not None:
                jsonschema.Draft202012Validator({**part, "$defs": made["$defs"]}).validate(part["default"])
                seen += 1
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    assert seen > 10


def test_the_verb_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("station", "template", "northbound"):
        assert cli.main(["schema", form]) == 0
        assert json.loads(capsys.readouterr().out) == schema(form)
