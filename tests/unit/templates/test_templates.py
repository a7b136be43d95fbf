"""Every device template as a user gets it: read by the real loader, judged by the real forms, its addresses by the driver."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from app.engine.expression import parse
from app.model.config import DeviceKind, PointForm, PointKind, TemplateForm
from app.model.loading import TEMPLATES, load_station
from app.model.yaml_source import YamlSource
from drivers.modbus.address import Address
from drivers.modbus.codec import encode
from drivers.registry import driver, names

FILES = sorted(TEMPLATES.glob("*/*.yaml"))
NAMES = [file.relative_to(TEMPLATES).with_suffix("").as_posix() for file in FILES]
REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "templates.md"
REQUIRED = {
    DeviceKind.PCS: {"active_power", "active_power_setpoint"},
    DeviceKind.PV_INVERTER: {"active_power", "energy_export"},
    DeviceKind.BMS: {"soc"},
    DeviceKind.METER: {"active_power", "energy_import"},
    DeviceKind.WEATHER: {"ambient_temperature", "wind_speed"},
    DeviceKind.GENSET: {"active_power", "start", "stop"},
    DeviceKind.CHARGER: {"active_power"},
}
WITHOUT_POWER_SETPOINT = (
    "alphaess/smile", "deye/sg04lp3", "goodwe/et", "growatt/mod_xh", "growatt/sph", "huawei/luna2000", "kstar/hybrid",
    "megarevo/r3h", "sofar/hyd", "solax/x3_hybrid_g4", "solis/hybrid", "srne/hybrid", "sungrow/sh",
)  # fmt: skip
ONLY_READ = ("basler/dgc2020hd", "comap/intelilite_genmon", "kohler/apm603", "mebay/dc", "smartgen/hgm4000")
EXCUSED = {
    *((name, "active_power_setpoint") for name in WITHOUT_POWER_SETPOINT),
    *((name, order) for name in ONLY_READ for order in ("start", "stop")),
    *((name, "active_power") for name in ("srne/hybrid", "abl/emh1", "huawei/scharger")),
    ("kipp_zonen/smp", "ambient_temperature"),
    ("kipp_zonen/smp", "wind_speed"),
}
"""Required roles that the source of a template has no register for."""
COMMANDED_IN_KW = {"sungrow/sg", "huawei/sun2000"}
CJK = re.compile(r"[\u4e00-\u9fff]")
SAME_IN_BOTH = re.compile(r"[A-Z][A-Za-z0-9]*")
"""Names of standards, such as CHAdeMO, which are written alike in both languages."""

every_template = pytest.mark.parametrize("file", FILES, ids=NAMES)


@cache
def read(file: Path) -> TemplateForm:
    source = YamlSource(file)
    assert source.faults == []
    return TemplateForm.model_validate(source.data)


def driver_of(file: Path) -> str:
    """The driver that a template is for: it says so where that is not Modbus."""
    return str(read(file).connection.get("driver", "modbus-tcp"))


MODBUS = [name for name, file in zip(NAMES, FILES, strict=True) if driver_of(file) == "modbus-tcp"]
every_modbus_template = pytest.mark.parametrize("file", [TEMPLATES / f"{name}.yaml" for name in MODBUS], ids=MODBUS)


def comments(file: Path) -> list[str]:
    return [line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("#")]


def roles(template: TemplateForm) -> list[str]:
    return [point.role for point in template.points if point.role is not None]


@every_template
def test_header_names_its_source_and_licence(file: Path) -> None:
    template = read(file)
    for word in (template.vendor, template.model, template.source, template.licence):
        assert word.strip()
    assert any(line.startswith("# How sure:") for line in comments(file))


@every_template
def test_header_names_the_signs_and_what_the_device_waits_for(file: Path) -> None:
    used = roles(read(file))
    told = {line[2:].partition(":")[0] for line in comments(file)}
    assert "Signs" in told or not {"active_power", "reactive_power"} & set(used)
    assert {"Heartbeat", "Timer"} & told or "heartbeat" not in used


@every_template
def test_the_fault_role_leaves_no_fault_word_out(file: Path) -> None:
    """Of several words none alone says that there is no fault."""
    words = [point.id for point in read(file).points if re.fullmatch(r"fault_\d+", point.id)]
    alone = [point.id for point in read(file).points if point.role == "fault" and point.id in words]
    assert len(words) < 2 or not alone


@every_template
def test_ids_and_roles_are_unique(file: Path) -> None:
    template = read(file)
    ids = [point.id for point in template.points]
    assert sorted(ids) == sorted(set(ids))
    assert sorted(roles(template)) == sorted(set(roles(template)))


@every_template
def test_required_roles(file: Path) -> None:
    template, name = read(file), file.relative_to(TEMPLATES).with_suffix("").as_posix()
    missing = REQUIRED.get(template.kind, set()) - set(roles(template))
    assert {(name, role) for role in missing} == {excuse for excuse in EXCUSED if excuse[0] == name}
    if name in COMMANDED_IN_KW:
        assert "power_limit_setpoint" in roles(template)


@every_template
def test_texts_exist_in_both_languages(file: Path) -> None:
    for point in read(file).points:
        states = list((point.states or {}).values())
        for text in (point.name, *states):
            assert text.en.strip(), point.id
            assert not CJK.search(text.en), f"{point.id}: {text.en}"
            alike = text in states and text.en == text.zh and SAME_IN_BOTH.fullmatch(text.en)
            assert CJK.search(text.zh) or alike, f"{point.id}: {text.zh}"


def cells(point: PointForm) -> set[tuple[str, int, int]]:
    """(table, register, bit) of everything a point occupies; all 16 bits of a register that it takes whole."""
    assert point.address is not None
    address = Address.of(point.address)
    bits = range(16) if address.bit is None else (address.bit,)
    return {(address.table, register, bit) for register in range(address.register, address.end) for bit in bits}


@every_modbus_template
def test_addresses_are_understood_and_do_not_overlap(file: Path) -> None:
    taken: dict[tuple[str, int, int], PointForm] = {}
    for point in read(file).points:
        if point.address is None:
            continue
        for cell in cells(point):
            other = taken.setdefault(cell, point)
            # A command may share its register with other orders (each writes its own state) or with what it acts on.
            shared = PointKind.COMMAND in (point.kind, other.kind) and other.address == point.address
            assert other is point or shared, f"{other.id} and {point.id}: {cell}"


@every_modbus_template
def test_orders_go_to_tables_that_can_be_written(file: Path) -> None:
    for point in read(file).points:
        if point.kind in (PointKind.COMMAND, PointKind.SETPOINT) and point.address is not None:
            assert Address.of(point.address).table.writable, point.id


@every_template
def test_computed_points_name_points_of_the_device(file: Path) -> None:
    template = read(file)
    ids = [point.id for point in template.points]
    for point in template.points:
        if point.value is not None:
            parse(point.value, lambda name: ids.index(name) if name in ids else None, lambda pattern: [])


@every_template
def test_states_hold_what_alarms_wait_for(file: Path) -> None:
    for point in read(file).points:
        if point.alarms and point.alarms.state and point.states:
            value = point.alarms.state.value
            assert set(value if isinstance(value, tuple) else (value,)) <= set(point.states), point.id


@every_modbus_template
def test_what_a_command_may_write_fits_its_register(file: Path) -> None:
    for point in read(file).points:
        if point.kind in (PointKind.COMMAND, PointKind.SETPOINT) and point.address is not None:
            for value in point.states or {}:
                encode(Address.of(point.address), (value - point.offset) / point.scale)


def test_a_station_of_all_templates_loads_and_suits_its_driver(tmp_path: Path) -> None:
    lines = [
        "version: 1",
        "station: {id: all, name: All, timezone: UTC, location: {latitude: 0, longitude: 0}}",
        "devices:",
    ]
    for number, (file, name) in enumerate(zip(FILES, NAMES, strict=True)):
        more = ', address: "000012345678"' if driver_of(file) == "dlt645" else ""
        connection = f"{{driver: {driver_of(file)}, host: 127.0.0.1, port: {20000 + number}{more}}}"
        kind = read(file).kind.value
        lines.append(f"  - {{id: d{number}, name: D, kind: {kind}, template: {name}, connection: {connection}}}")
    (tmp_path / "station.yaml").write_text("\n".join(lines), encoding="utf-8")
    station = load_station(tmp_path).station
    assert [device.template for device in station.devices] == NAMES
    assert all(device.vendor for device in station.devices)
    spoken = [device for device in station.devices if device.driver in names()]
    complaints = [complaint for device in spoken for complaint in driver(device.driver or "").check(device)]
    # What a driver says of a connection of iec104 is that its library is not installed, which not every system can.
    assert [each for each in complaints if each.point or station.by_id[each.device].driver != "iec104"] == []


def test_reference_page_lists_every_template() -> None:
    rows = [line.split("|")[1:-1] for line in REFERENCE.read_text(encoding="utf-8").splitlines() if line[:3] == "| `"]
    listed = [(name.strip(" `"), int(points), licence.strip()) for name, _, points, _, licence, _ in rows]
    templates = [(name, read(file)) for name, file in zip(NAMES, FILES, strict=True)]
    assert listed == [(name, len(template.points), template.licence) for name, template in templates]


def test_the_dispatch_table_has_one_address_a_point() -> None:
    """As the contracts write addresses of iec104; its driver judges the rest where it is installed."""
    points = read(TEMPLATES / "iec104" / "dispatch.yaml").points
    addresses = [point.address or {} for point in points]
    assert len({address["ioa"] for address in addresses}) == len(points) > 90
    assert {key for address in addresses for key in address} == {"ioa", "type", "select", "termination"}
    assert {str(address["type"]) for address in addresses} == {
        "M_SP_NA_1", "M_ME_NC_1", "M_IT_NA_1", "C_SC_NA_1", "C_SE_NC_1",
    }  # fmt: skip
