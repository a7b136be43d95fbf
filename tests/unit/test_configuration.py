"""Files, drivers and expressions judged together: each fault at its own line, and no file that ends in a traceback."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.configuration import configure
from app.model.errors import ConfigFaults, StorageError

STATION = """version: 1
station:
  id: park1
  name: {en: Park 1, zh: 一号园区}
  timezone: Asia/Shanghai
  location: {latitude: 30.27, longitude: 120.15, elevation_m: 20}
  limits: {import_kw: 2000, export_kw: 500}
  grid_meter: meter1
  read_only: false
history: {heartbeat: 60s, retention: {raw: 30d, 1s: 7d, 15min: 20y}}
topology:
  - {id: grid, kind: grid}
  - {id: t1, kind: transformer, from: grid, to: bus_main, device: meter1}
  - {id: bus_main, kind: bus, voltage_kv: 0.4}
  - {id: qf1, kind: breaker, from: bus_main, to: pcs1, state: pcs1.breaker}
devices:
  - id: meter1
    name: Grid meter
    kind: meter
    parent: bus_main
    template: acme/m1
    connection: {driver: modbus-tcp, host: 127.0.0.1, port: 502, unit: 1}
    ratings: {power_kw: 500, energy_kwh: 1000}
    blocks: {max_registers: 100, forbidden: [[300, 400]]}
    points:
      - id: p_kw
        alarms: {hh: {value: 1900, priority: urgent}, h: 1800, delay: 2s, hysteresis: 10, priority: high}
        clean: [{spike: {window: 7, sigmas: 3}}, {rate: {per_s: 500}}]
      - id: q_kvar
        name: Reactive power
        kind: measurement
        role: reactive_power
        unit: kvar
        address: {table: input, register: 60, type: f32, word_order: big}
        scale: 0.001
        precision: 1
        scan: 1s
        deadband: 0.1
        range: [-3000, 3000]
        states: {0: off, 1: on}
      - {id: e_day, name: Energy today, kind: counter, unit: kWh, value: "integral(p_kw, reset=day)"}
  - id: pcs1
    name: PCS
    kind: pcs
    parent: bus_main
    bms: bms1
    control: {expiry: 10s, on_bad_input: ramp, soc: [5, 95], confirm: {within: 2s, tolerance_pct: 2}}
    connection: {driver: modbus-rtu, device: /dev/ttyUSB0, unit: 2}
    points:
      - {id: breaker, name: B, kind: status, role: breaker, address: {table: discrete, register: 0, type: bool}}
      - {id: p_kw, name: P, kind: measurement, unit: kW, address: {table: holding, register: 0, type: i32}}
      - {id: sn, name: S, kind: text, address: {table: holding, register: 100, type: string, count: 4}}
  - id: bms1
    name: BMS
    kind: bms
    points:
      - {id: soc, name: S, kind: measurement, unit: "%", role: soc, value: "sum('pcs*.p_kw') / 2"}
"""
TEMPLATE = """version: 1
vendor: Acme
model: M1
kind: meter
source: measured here
licence: none
connection: {timeout: 2s}
blocks: {max_registers: 40}
control: {expiry: 5s}
points:
  - {id: p_kw, name: {en: Power, zh: 功率}, kind: measurement, unit: kW, scan: 5s,
     address: {table: input, register: 1, type: u16}, states: {0: off}}
  - {id: u_v, name: Voltage, kind: measurement, unit: V, address: {table: input, register: 2, type: u16}}
"""
OVERLAY = """devices:
  meter1: {connection: {host: 127.0.0.1, port: 15001}}
  pcs1: {connection: {driver: modbus-tcp, host: 127.0.0.1, port: 15002, device: x}}
"""
TEXTS = {"station.yaml": STATION, "templates/acme/m1.yaml": TEMPLATE, "overlay.yaml": OVERLAY}


def write(folder: Path, **texts: str) -> Path:
    """The three files, some of them given by name without dots and slashes: station, template, overlay."""
    for file, text in TEXTS.items():
        word = "template" if file.startswith("templates") else file.partition(".")[0]
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts.get(word, text), encoding="utf-8", newline="")
    return folder


def faults(folder: Path, *, overlay: bool = False) -> list[str]:
    with pytest.raises(ConfigFaults) as caught:
        configure(folder, folder / "overlay.yaml" if overlay else None)
    return [f"{fault.file.name}:{fault.line}: {fault.what}" for fault in caught.value.faults]


def line_of(text: str, words: str) -> int:
    (number,) = [i for i, line in enumerate(text.splitlines(), 1) if words in line]
    return number


def test_the_example_is_good(tmp_path: Path) -> None:
    found = configure(write(tmp_path))
    assert len(found.station.devices) == 3 and len(found.expressions) == 2


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("station", "register: 60, type: f32", "register: 60, type: f33", "device meter1, point q_kvar: unknown type 'f33'"),
        ("station", "driver: modbus-rtu", "driver: modbus-rtv", "device pcs1: unknown driver 'modbus-rtv'"),
        ("station", "device: /dev/ttyUSB0, unit: 2", "device: /dev/ttyUSB0, unit: 300", "device pcs1: unit '300' is not a whole number from 1 to 247"),
        ("station", "integral(p_kw, reset=day)", "integral(p_kw, reset=week)", "device meter1, point e_day: integral: unknown reset"),
        ("station", "register: 0, type: bool", "register: 70000, type: bool", "device pcs1, point breaker: register 70000 is outside 0 to 65535"),
        ("template", "{timeout: 2s}", "{timeout: 2}", "device meter1: timeout '2' is not a duration"),
        ("template", "register: 2, type: u16", "register: 2, type: u17", "device meter1, point u_v: unknown type 'u17'"),
        ("template", "{timeout: 2s}", "{timeout: 2s, password: hunter2}", "password stands in the file"),
    ],
)  # fmt: skip
def test_a_fault_that_only_a_driver_sees_has_its_line(
    tmp_path: Path, file: str, old: str, new: str, expected: str
) -> None:
    text = (STATION if file == "station" else TEMPLATE).replace(old, new, 1)
    write(tmp_path, **{file: text})
    name = "station.yaml" if file == "station" else "m1.yaml"
    assert any(fault.startswith(f"{name}:{line_of(text, new)}: {expected}") for fault in faults(tmp_path))


def test_a_connection_that_the_overlay_spoils_is_told_in_the_overlay(tmp_path: Path) -> None:
    text = OVERLAY.replace("port: 15001", "port: 150001").replace(", device: x", "")
    write(tmp_path, overlay=text, station=STATION.replace("device: /dev/ttyUSB0, ", ""))
    assert faults(tmp_path, overlay=True) == [
        "overlay.yaml:2: device meter1: port '150001' is not a whole number from 1 to 65535"
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("devices:", "version: 1\ndevices:", "overlay.yaml:1: an overlay cannot change 'version'"),
        ("15001}}", "15001}, kind: bms}", "overlay.yaml:2: an overlay cannot change 'kind'"),
        ("devices:", "device:", "overlay.yaml:1: this is not an overlay"),
        ("  meter1: {connection:", "  meter9: {connection:", "overlay.yaml:2: unknown device 'meter9'"),
    ],
)
def test_an_overlay_maps_connections_and_nothing_else(tmp_path: Path, old: str, new: str, expected: str) -> None:
    write(tmp_path, overlay=OVERLAY.replace(old, new).replace(", device: x", ""))
    assert any(fault == expected for fault in faults(tmp_path, overlay=True))


def test_a_value_of_several_lines_is_told_at_its_key(tmp_path: Path) -> None:
    station = STATION.replace(
        '      - {id: e_day, name: Energy today, kind: counter, unit: kWh, value: "integral(p_kw, reset=day)"}',
        "      - id: e_day\n        name: Energy\n        kind: counter\n        value: nope * 2",
    )
    write(tmp_path, station=station)
    assert (
        faults(tmp_path)[0]
        == f"station.yaml:{line_of(station, 'nope')}: device meter1, point e_day: unknown point 'nope'"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [("template: acme/m1", "template: acme/m2"), ("vendor: Acme", "vendr: Acme")],
    ids=["missing", "faulty"],
)
def test_a_template_that_cannot_be_read_makes_no_further_faults(tmp_path: Path, old: str, new: str) -> None:
    write(tmp_path, station=STATION.replace(old, new), template=TEMPLATE.replace(old, new))
    found = faults(tmp_path)
    assert all("template 'acme/m2' does not exist" in fault or fault.startswith("m1.yaml:") for fault in found), found


def test_a_faulty_device_is_not_unknown_to_the_overlay(tmp_path: Path) -> None:
    write(tmp_path, station=STATION.replace("kind: pcs", "kind: pcz"))
    assert not any("unknown device" in fault for fault in faults(tmp_path, overlay=True))


def test_devices_that_are_no_list_are_told(tmp_path: Path) -> None:
    write(tmp_path, station=STATION.partition("devices:")[0] + "devices: 5\n")
    assert "station.yaml:16: devices is not a list" in faults(tmp_path)


@pytest.mark.parametrize("name", ["a" * 5000, "'a\\0b'", '"a\\nb"', "C:x", "a//b", "/etc/passwd", "."])
def test_a_template_of_an_impossible_name_is_told(tmp_path: Path, name: str) -> None:
    write(tmp_path, station=STATION.replace("template: acme/m1", f"template: {name}"))
    assert faults(tmp_path)[0].startswith(f"station.yaml:{line_of(STATION, 'template: acme/m1')}: ")


def test_a_neighbours_template_is_found_from_within_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    own = tmp_path / "park"
    own.mkdir()
    (tmp_path / "station.yaml").rename(own / "station.yaml")
    monkeypatch.chdir(own)
    assert configure(Path()).station.by_id["meter1"].vendor == "Acme"


def test_an_address_takes_the_place_of_the_templates_value(tmp_path: Path) -> None:
    template = TEMPLATE + "  - {id: s_kva, name: S, kind: measurement, value: p_kw * 2}\n"
    point = "      - {id: s_kva, address: {table: input, register: 9, type: u16}}\n"
    write(tmp_path, template=template, station=STATION.replace("      - id: q_kvar\n", f"{point}      - id: q_kvar\n"))
    form = configure(tmp_path).station.by_id["meter1"].point("s_kva")
    assert form is not None and form.form.value is None and form.form.address is not None


def test_a_limit_that_may_be_written_in_two_ways_has_one_fault(tmp_path: Path) -> None:
    write(tmp_path, station=STATION.replace("h: 1800,", "h: lots,"))
    assert [f.partition(": ")[2] for f in faults(tmp_path)] == ["point meter1.p_kw: h: must be a number"]


# -------------------------------------------------------------------------------------------------- mangled files

WORDS = (
    "", "~", "[]", "{}", "[1, 2]", "{a: b}", "[[[", "}", ":", "- a", "&a [*a]", "*x", "<<: {a: 1}", "? [a]", "!foo bar",
    "5", "-1", "1.5", ".nan", ".inf", "1e999", "9" * 5000, "9" * 30, "true", "off", "''", "x", "站", "a" * 6000,
    '"a\\nb"', '"\\0"', "0x10", "2026-01-01", "|", ">", "%", "@", "`", "\t", "1:20", "null: 1", "_x", "meter1",
    "meter1.p_kw", "10ms", "0s", "{value: 5}", "{en: 1}", "{0: 1}", "{true: a, 1: b}", "{hh: 1}", "[{id: a}]",
    "{driver: modbus-tcp}", "modbus-rtu", "../../x", "sum('*')", "p_kw ** p_kw", "(((((", "a/b/c", "pv_inverter",
)  # fmt: skip
"""What a value is replaced by."""
CHARACTERS = "{}[],:#&*!|>'\"%@`-? \t0aA_\x00\x07\u2028站"


@st.composite
def mangled(draw: st.DrawFn) -> tuple[str, str]:
    """One of the three files, and its text with one to four lines spoilt."""
    file = draw(st.sampled_from(sorted(TEXTS)))
    lines = TEXTS[file].split("\n")
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        column = draw(st.integers(0, len(line)))
        match draw(st.sampled_from(("delete", "double", "indent", "value", "word", "replace", "swap", "character"))):
            case "delete":
                lines[at : at + 1] = []
            case "double":
                lines.insert(at, line)
            case "indent":
                lines[at] = "  " * draw(st.integers(0, 4)) + line.lstrip()
            case "value":
                lines[at] = f"{line.partition(':')[0]}: {draw(st.sampled_from(WORDS))}"
            case "word":
                before, after = line[:column].rpartition(" ")[0], line[column:].partition(",")[2]
                lines[at] = f"{before} {draw(st.sampled_from(WORDS))},{after}"
            case "replace":
                lines[at] = draw(st.sampled_from(WORDS))
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], line
            case _:
                lines[at] = line[:column] + draw(st.sampled_from(CHARACTERS)) + line[column:]
        lines = lines or [""]
    return file, "\n".join(lines)


@given(mangled())
@example(("station.yaml", STATION.partition("devices:")[0] + "devices: 5\n"))
@example(("station.yaml", STATION.replace("template: acme/m1", f"template: {'a' * 6000}")))
@example(("station.yaml", STATION.replace("scale: 0.001", f"scale: {'9' * 5000}")))
@example(("station.yaml", STATION.replace("[5, 95]", "[5, 95" + "[" * 100_000)))
@settings(max_examples=200, deadline=None)
def test_a_mangled_file_is_judged_or_accepted_but_never_crashes(mangled: tuple[str, str]) -> None:
    file, text = mangled
    with TemporaryDirectory() as name:
        folder = write(Path(name))
        (folder / file).write_text(text, encoding="utf-8", newline="")
        try:
            configure(folder, folder / "overlay.yaml" if file == "overlay.yaml" else None)
        except ConfigFaults as found:
            assert found.faults
            for fault in found.faults:
                assert "\n" not in str(fault) and len(str(fault)) < 2000
                lines = len(re.split("[\n\x85\u2028\u2029]", fault.file.read_text(encoding="utf-8")))
                assert 1 <= fault.line <= lines, fault
        except StorageError:
            pass


INDEPENDENT = (
    ("timezone: Asia/Shanghai", "timezone: Asia/Hangzhou", "timezone: 'Asia/Hangzhou' is not a time zone"),
    ("grid_meter: meter1", "grid_meter: meter9", "station: unknown device 'meter9'"),
    ("state: pcs1.breaker}", "state: pcs1.beaker}", "element qf1: unknown point 'pcs1.beaker'"),
    ("voltage_kv: 0.4", "voltage_kv: -1", "voltage_kv: input should be greater"),
    ("power_kw: 500", "powr_kw: 500", "device meter1: unknown key 'powr_kw'"),
    ("scan: 1s", "scan: 1", "point meter1.q_kvar: scan: '1' is not a duration"),
    ("integral(p_kw, reset=day)", "integral(p_kw, reset=week)", "device meter1, point e_day: integral: unknown reset"),
    ("register: 0, type: i32", "register: 99, type: i32", "overlaps p_kw, i32 at holding 99 to 100"),
    ("unit: 2}", "unit: 300}", "device pcs1: unit '300' is not a whole number"),
    ("sum('pcs*.p_kw') / 2", "sum('pcs*.p_kw') / nothing", "device bms1, point soc: unknown point 'nothing'"),
)
"""One fault in each part that is judged by another: head, references, diagram, device, point, driver, expressions."""


def test_faults_that_have_nothing_to_do_with_each_other_are_told_at_once(tmp_path: Path) -> None:
    text = STATION
    for old, new, _ in INDEPENDENT:
        assert old in text
        text = text.replace(old, new, 1)
    found = faults(write(tmp_path, station=text))
    missing = [words for _, _, words in INDEPENDENT if not any(words in fault for fault in found)]
    assert not missing and len(found) == len(INDEPENDENT), found


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "  - id: pcs1",
            "  - id: PCS",
            2,
        ),  # itself, and the diagram, which names the device; not those who name its points
        ("kind: status, role: breaker", "kind: statu, role: breaker", 1),
        ("template: acme/m1", "template: acme/m2", 1),
        ("connection: {driver: modbus-tcp, host: 127.0.0.1, port: 502, unit: 1}", "connection: 7", 1),
        ("- {id: p_kw, name: P, kind: measurement, unit: kW", "- {id: p_kw, name: P, kind: measurement, unit: kw", 1),
        ("- {id: bus_main, kind: bus, voltage_kv: 0.4}", "- {id: bus_main, kind: buss, voltage_kv: 0.4}", 1),
        ("version: 1", "version: 2", 1),
    ],
)
def test_one_fault_makes_no_others(tmp_path: Path, old: str, new: str, expected: int) -> None:
    assert old in STATION
    found = faults(write(tmp_path, station=STATION.replace(old, new, 1)))
    assert len(found) == expected, found


def test_devices_of_a_line_that_differ_are_told_beside_other_faults_of_theirs(tmp_path: Path) -> None:
    def serial(id_: str, more: str) -> str:
        return (
            f"  - {{id: {id_}, name: A, kind: meter, connection: {{driver: modbus-rtu, device: /dev/ttyS1, {more}}}}}\n"
        )

    text = STATION + serial("a", "unit: 1, baudrate: 9600") + serial("b", "unit: 2, baudrate: 19200, parity: X")
    found = faults(write(tmp_path, station=text))
    assert len(found) == 2, found
    assert any("parity" in one for one in found) and any("baudrate 19200 on" in one for one in found)


@pytest.mark.parametrize("value", ["[1]", "{a: 1}", "7", "true", "''"])
@pytest.mark.parametrize("key", ["host", "port", "unit"])
def test_a_connection_of_any_shape_is_a_fault_of_its_own_alone(tmp_path: Path, key: str, value: str) -> None:
    fine = {"host": "10.0.0.9", "port": "502", "unit": "5"}

    def one(id_: str, said: dict[str, str]) -> str:
        keys = ", ".join(f"{name}: {what}" for name, what in said.items())
        return (
            f"  - id: {id_}\n    name: A\n    kind: meter\n    connection: {{driver: modbus-tcp, {keys}}}\n    points:\n"
            "      - {id: p, name: P, kind: measurement, address: {table: coil, register: [1]}}\n"
        )

    found = faults(write(tmp_path, station=STATION + one("a", fine) + one("b", {**fine, key: value})))
    assert not [fault for fault in found if "failed" in fault], found
