"""A station file: what it means, and that every fault in it is told at once with file, line and mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.model.config import PointKind, Priority
from app.model.errors import ConfigFaults
from app.model.loading import Loaded, load_station

HEAD = """version: 1
station: {id: park1, name: {en: Park 1, zh: 一号园区}, timezone: Asia/Shanghai,
          location: {latitude: 30.27, longitude: 120.15}}
"""
METER = """  - id: meter1
    name: Grid meter
    kind: meter
    connection: {driver: modbus-tcp, host: 127.0.0.1}
    points:
      - id: p_kw
        name: Active power
        kind: measurement
        role: active_power
        unit: kW
        address: {table: holding, register: 52, type: f32}
        states: {0: off, 1: on}
        alarms: {hh: {value: 1900, priority: urgent}, h: 1800, priority: high}
"""
TEMPLATE = """version: 1
vendor: Acme
model: M1
kind: meter
source: measured here
licence: none
connection: {port: 1502, timeout: 2s}
blocks: {max_registers: 40}
points:
  - {id: p_kw, name: {en: Power, zh: 功率}, kind: measurement, unit: kW, scan: 5s,
     address: {table: input, register: 1, type: u16}}
  - {id: u_v, name: Voltage, kind: measurement, unit: V, address: {table: input, register: 2, type: u16}}
  - {id: sn, name: Serial, kind: text, address: {table: input, register: 9, type: string, count: 4}}
"""


def write(folder: Path, devices: str, head: str = HEAD, **templates: str) -> Path:
    (folder / "station.yaml").write_text(head + ("devices:\n" + devices if devices else ""), encoding="utf-8")
    for name, text in templates.items():
        file = folder / "templates" / "acme" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


def load(folder: Path, devices: str, head: str = HEAD, **templates: str) -> Loaded:
    return load_station(write(folder, devices, head, **templates))


def faults(folder: Path, devices: str, head: str = HEAD, **templates: str) -> list[str]:
    write(folder, devices, head, **templates)
    with pytest.raises(ConfigFaults) as caught:
        load_station(folder)
    return [f"{fault.file.name}:{fault.line}: {fault.what}; {fault.mend}" for fault in caught.value.faults]


def test_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    point = load(tmp_path, METER).station.points[0]
    assert (point.name, point.kind, point.form.scan, point.form.scale, point.form.deadband) == (
        "meter1.p_kw",
        PointKind.MEASUREMENT,
        1.0,
        1.0,
        0.0,
    )
    assert point.form.precision is None and point.form.range is None
    assert load(tmp_path, METER).station.history.heartbeat == 60.0


def test_a_word_in_full_width_letters_is_told_in_half_width(tmp_path: Path) -> None:
    wide = (
        METER.replace("kind: meter", "kind: ｍｅｔｅｒ")
        .replace("unit: kW", "unit: ｋＷ")
        .replace("h: 1800", "h: １８００")
    )
    assert [fault.partition("; ")[2] for fault in faults(tmp_path, wide)] == [
        f"write it in half-width characters: '{meant}'" for meant in ("meter", "kW", "1800")
    ]


def test_off_and_on_are_words(tmp_path: Path) -> None:
    states = load(tmp_path, METER).station.points[0].form.states
    assert states is not None and [state.en for state in states.values()] == ["off", "on"]


def test_alarm_limit_is_a_number_or_says_more(tmp_path: Path) -> None:
    alarms = load(tmp_path, METER).station.points[0].form.alarms
    assert alarms is not None and alarms.hh is not None and not isinstance(alarms.hh, float)
    assert (alarms.hh.value, alarms.hh.priority, alarms.h, alarms.priority) == (
        1900,
        Priority.URGENT,
        1800,
        Priority.HIGH,
    )


def test_own_points_follow_the_devices_points(tmp_path: Path) -> None:
    station = load(tmp_path, METER).station
    assert [point.name for point in station.points] == [
        "meter1.p_kw",
        "meter1._online",
        "meter1._rtt_ms",
        "meter1._errors",
        "meter1._late_scans",
    ]
    assert [point.index for point in station.points] == [0, 1, 2, 3, 4]


def test_template_gives_what_the_device_does_not_say(tmp_path: Path) -> None:
    devices = """  - id: m1
    name: M1
    kind: meter
    template: acme/m1
    connection: {driver: modbus-tcp, host: 10.0.0.1, timeout: 1s}
    points:
      - {id: p_kw, alarms: {h: 5}}
      - {id: extra, name: Extra, kind: status, address: {table: coil, register: 0, type: bool}}
"""
    device = load(tmp_path, devices, m1=TEMPLATE).station.devices[0]
    assert device.connection == {"port": 1502, "timeout": "1s", "host": "10.0.0.1"}
    assert device.blocks.max_registers == 40
    power = device.point("p_kw")
    assert power is not None and power.form.scan == 5.0 and power.form.alarms is not None and power.form.alarms.h == 5
    assert power.label.zh == "功率"
    assert [point.id for point in device.points if not point.own] == ["p_kw", "u_v", "extra"]
    assert [point.id for point in device.texts] == ["sn"]


def test_overlay_moves_a_connection(tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("devices: {meter1: {connection: {host: 127.0.0.9, port: 15001}}}\n")
    write(tmp_path, METER)
    assert load_station(tmp_path, overlay).station.devices[0].connection == {"host": "127.0.0.9", "port": 15001}
    overlay.write_text("devices: {metre1: {connection: {port: 15001}}}\n")
    with pytest.raises(ConfigFaults, match="overlay.yaml:1: unknown device 'metre1'"):
        load_station(tmp_path, overlay)


def test_files_of_tls_are_looked_up_from_the_station(tmp_path: Path) -> None:
    whole = (tmp_path / "elsewhere" / "ca.crt").as_posix()
    tls = f"tls: {{ca: {whole}, cert: tls/own.crt, key: tls/own.key, key_password: env:LOCK}}"
    one = METER.replace("host: 127.0.0.1", f"host: 127.0.0.1, {tls}")
    (device,) = load(tmp_path, one).station.devices
    here = {"cert": str(tmp_path / "tls" / "own.crt"), "key": str(tmp_path / "tls" / "own.key")}
    assert device.connection["tls"] == {"ca": str(Path(whole)), **here, "key_password": "env:LOCK"}


def test_overlay_with_another_driver_replaces_the_connection(tmp_path: Path) -> None:
    serial = METER.replace(
        "{driver: modbus-tcp, host: 127.0.0.1}", "{driver: modbus-rtu, device: /dev/ttyUSB0, baudrate: 9600, unit: 7}"
    )
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("devices: {meter1: {connection: {driver: modbus-rtu-tcp, host: 127.0.0.1, port: 15001}}}\n")
    device = load_station(write(tmp_path, serial), overlay).station.devices[0]
    assert device.driver == "modbus-rtu-tcp"
    assert device.connection == {"unit": 7, "host": "127.0.0.1", "port": 15001}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("kind: meter", "kind: metr", "station.yaml:7: device meter1: kind: 'metr' is not known"),
        ("unit: kW", "unit: kw", "unknown unit 'kw'; one of: kW kvar"),
        ("unit: kW", "unit: A", "station.yaml:14: point meter1.p_kw: unit: role active_power is measured in kW, not in A"),
        ("role: active_power", "role: activ_power", "unknown role 'activ_power'"),
        ("role: active_power", "scan: 1", "'1' is not a duration; write a number and a unit"),
        ("role: active_power", "dedband: 1", "station.yaml:13: point meter1.p_kw: unknown key 'dedband'; did you mean 'deadband'?"),
        ("role: active_power", "range: [5, 1]", "range [5, 1] must rise"),
        ("role: active_power", "scale: 0", "scale 0 would lose every value"),
        ("role: active_power", "scale: .nan", "scale: input should be a finite number"),
        ("role: active_power", "kind: status", "station.yaml:13: 'kind' stands here twice; keep one of the two"),
        ("h: 1800", "h: 1950", "limit h (1950) must be below limit hh (1900)"),
        ("id: meter1", "id: Meter-1", "'Meter-1' is not an id; write small letters"),
        ("id: meter1", "parent: nowhere\n    id: meter1", "unknown parent 'nowhere'"),
        ("id: meter1", "template: acme/m2\n    id: meter1", "template 'acme/m2' does not exist"),
        ("id: meter1", "template: ../../etc/passwd\n    id: meter1", "leaves its folder"),
        ("connection: {driver: modbus-tcp, host: 127.0.0.1}", "ratings: {}", "has points with addresses but no connection"),
        ("host: 127.0.0.1", "host: 127.0.0.1, password: hunter2", "password stands in the file; write 'password: secret:NAME'"),
        ("address: {table: holding, register: 52, type: f32}", "precision: 1", "needs either an address or a value"),
        ("name: Active power", "", "'name' is missing; add 'name: ...'"),
    ],
)  # fmt: skip
def test_each_fault_has_line_and_mend(tmp_path: Path, old: str, new: str, expected: str) -> None:
    found = faults(tmp_path, METER.replace(old, new, 1))
    assert any(expected in line for line in found), found
    assert all("; " in line for line in found)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    broken = METER.replace("unit: kW", "unit: kw") + METER.replace("kind: meter", "kind: metr")
    found = faults(tmp_path, broken, HEAD.replace("Asia/Shanghai", "Asia/Shangai"))
    assert any("'Asia/Shangai' is not a time zone" in line for line in found)
    assert any("unknown unit 'kw'" in line for line in found)
    assert any("'metr' is not known" in line for line in found)


def test_duplicates_name_the_first(tmp_path: Path) -> None:
    assert faults(tmp_path, METER + METER) == [
        "station.yaml:18: device 'meter1' exists already in line 5; give it an id of its own",
    ]


def test_password_never_reaches_the_message(tmp_path: Path) -> None:
    found = faults(tmp_path, METER.replace("host: 127.0.0.1", "host: 127.0.0.1, password: hunter2"))
    assert not any("hunter2" in line for line in found)


def test_a_template_fault_is_told_in_the_template(tmp_path: Path) -> None:
    devices = METER.replace("id: meter1", "template: acme/m1\n    id: meter1")
    found = faults(tmp_path, devices, m1=TEMPLATE.replace("unit: V", "unit: Volt"))
    assert found == [f"m1.yaml:12: unit: unknown unit 'Volt'; one of: {found[0].split('one of: ')[1]}"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "station.yaml:1: this is not a mapping of keys; begin with 'version: 1'"),
        ("version: 1\nstation: [1, 2", "not YAML"),
        ("version: 2\n", "version: '2' is not known; write one of: 1"),
        ("&a [*a]", "station.yaml:1"),
        (
            "a: &a [x,x]\n" + "".join(f"b{i}: &b{i} [{f'*b{i - 1},' * 9 if i else '*a'}]\n" for i in range(12)),
            "aliases expand to more",
        ),
        ("\x80", "station.yaml:1"),
    ],
)
def test_a_file_that_is_no_station(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "station.yaml").write_text(text, encoding="latin-1")
    with pytest.raises(ConfigFaults) as caught:
        load_station(tmp_path)
    assert expected in str(caught.value).replace(str(tmp_path) + "/", "")


def test_no_such_directory_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaults, match="no such station directory; give the folder that holds station.yaml"):
        load_station(tmp_path / "nowhere")


def test_hash_changes_with_a_template(tmp_path: Path) -> None:
    devices = METER.replace("id: meter1", "template: acme/m1\n    id: meter1")
    before = load(tmp_path, devices, m1=TEMPLATE).station.config_hash
    after = load(tmp_path, devices, m1=TEMPLATE.replace("scan: 5s", "scan: 6s")).station.config_hash
    assert before != after and len(before) == 64


def test_match_crosses_dots(tmp_path: Path) -> None:
    station = load(tmp_path, METER).station
    assert [station.points[i].name for i in station.match("m*kw")] == ["meter1.p_kw"]
    assert station.match("nothing*") == []


DOWNWARDS = "a diagram goes from the grid downwards: correct its 'from' or 'to'"


@pytest.mark.parametrize(
    ("topology", "told"),
    [
        (
            ["{id: grid, kind: grid}", "{id: t1, kind: transformer, from: grid, to: grid}"],
            f"6: element t1 leads back to itself: t1 → grid → t1; {DOWNWARDS}",
        ),
        (
            ["{id: grid, kind: grid}", "{id: t1, kind: transformer, from: t1}"],
            f"6: element t1 leads back to itself: t1 → t1; {DOWNWARDS}",
        ),
        (
            ["{id: b1, kind: bus}", "{id: q1, kind: breaker, from: b1, to: b2}", "{id: b2, kind: bus}",
             "{id: q2, kind: breaker, from: b2, to: b1}"],
            f"6: element q1 leads back to itself: q1 → b2 → q2 → b1 → q1; {DOWNWARDS}",
        ),
        (
            ["{id: meter1, kind: bus}"],
            "5: element meter1 has the id of a device; give it an id of its own, or add 'device: meter1' if it is "
            "that device",
        ),
        (
            ["{id: b1, kind: bus}", "{id: b1, kind: bus}"],
            "6: topology element 'b1' exists already in line 5; give it an id of its own",
        ),
        (["{id: b1, kind: bus, to: b2}"], "5: element b1: unknown element 'b2'; correct the id, or add it"),
    ],
)  # fmt: skip
def test_a_diagram_that_leads_nowhere_is_refused(tmp_path: Path, topology: list[str], told: str) -> None:
    head = HEAD + "topology:\n" + "".join(f"  - {element}\n" for element in topology)
    assert faults(tmp_path, METER, head) == [f"station.yaml:{told}"]


def test_two_ways_down_are_no_ring(tmp_path: Path) -> None:
    """Two transformers on one busbar, and a device that is its own element."""
    topology = ["{id: grid, kind: grid}", "{id: t1, kind: transformer, from: grid, to: b1}",
                "{id: t2, kind: transformer, from: grid, to: b1}", "{id: b1, kind: bus}",
                "{id: meter1, kind: device, from: b1, device: meter1}"]  # fmt: skip
    head = HEAD + "topology:\n" + "".join(f"  - {element}\n" for element in topology)
    assert len(load(tmp_path, METER, head).station.topology) == 5


def test_devices_that_are_each_others_parents_are_refused(tmp_path: Path) -> None:
    devices = "".join(
        f"  - {{id: {id_}, name: N, kind: other, parent: {up}}}\n" for id_, up in ("ab", "bc", "cb", "dd")
    )
    mend = "name what it hangs on as its 'parent'"
    assert faults(tmp_path, devices) == [
        f"station.yaml:6: device b leads back to itself: b → c → b; {mend}",
        f"station.yaml:8: device d leads back to itself: d → d; {mend}",
    ]
