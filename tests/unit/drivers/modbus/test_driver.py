"""What the driver complains of before anything starts, and which devices share a line."""

from __future__ import annotations

from typing import Any

import pytest

from app.model.clock import SystemClock
from drivers.contract import Driver
from drivers.modbus import rtu, rtu_tcp, tcp
from drivers.modbus.driver import ModbusDriver
from tests.support.devices import device, point

_U16 = {"table": "holding", "register": 1, "type": "u16"}
_SERIAL = {"device": "/dev/ttyUSB0"}
_HOST = {"host": "10.0.0.5"}


@pytest.mark.parametrize(
    ("driver", "connection", "key", "words"),
    [
        (tcp(), {}, "host", "add `host:`"),
        (tcp(), {"host": ""}, "host", "name or an IP address"),
        (tcp(), {"host": "10.0.0.1:502"}, "host", "a key of its own"),
        (tcp(), {"host": "http://meter"}, "host", "neither a name nor an IP"),
        (tcp(), {"host": "10.0.0.300"}, "host", "neither a name nor an IP"),
        (tcp(), {**_HOST, "port": 0}, "port", "1 to 65535"),
        (tcp(), {**_HOST, "port": "502"}, "port", "whole number"),
        (tcp(), {**_HOST, "unit": 256}, "unit", "0 to 255"),
        (rtu_tcp(), {**_HOST, "unit": 0}, "unit", "1 to 247"),
        (rtu(), {**_SERIAL, "unit": 248}, "unit", "1 to 247"),
        (tcp(), {**_HOST, "timout": "1s"}, "timout", "write 'timeout'"),
        (tcp(), {**_HOST, "baudrate": 9600}, "baudrate", "known keys: host port"),
        (tcp(), {**_HOST, "timeout": 1}, "timeout", "such as 250ms"),
        (tcp(), {**_HOST, "timeout": "0s"}, "timeout", "not a duration"),
        (tcp(), {**_HOST, "gap": "soon"}, "gap", "not a duration"),
        (rtu(), {}, "device", "/dev/ttyUSB0 or COM3"),
        (rtu(), {**_SERIAL, "parity": "X"}, "parity", "N, E or O"),
        (rtu(), {**_SERIAL, "stopbits": 3}, "stopbits", "1 or 2"),
        (rtu(), {**_SERIAL, "baudrate": 0}, "baudrate", "whole number"),
    ],
)
def test_a_wrong_connection_is_named(driver: Driver, connection: dict[str, Any], key: str, words: str) -> None:
    (complaint,) = driver.check(device("m1", connection, [point("a", _U16)]))
    assert (complaint.device, complaint.point, complaint.key) == ("m1", "", key)
    assert words in f"{complaint.what}; {complaint.mend}"


@pytest.mark.parametrize(
    ("points", "blocks", "where", "words"),
    [
        ([point("a", {"table": "holding", "register": 1})], {}, "m1.a", "no type"),
        ([point("a", _U16, kind="text"), point("b", {**_U16, "register": 70000})], {}, "m1.b", "outside 0 to 65535"),
        ([point("a", {**_U16, "table": "input"}, kind="setpoint")], {}, "m1.a", "write `table: holding`"),
        ([point("a", {"table": "discrete", "register": 1}, kind="command")], {}, "m1.a", "write `table: coil`"),
        ([point("a", {**_U16, "type": "string", "count": 4})], {}, "m1.a", "write `kind: text`"),
        ([point("a", {**_U16, "register": 31})], {"forbidden": [[30, 40]]}, "m1.a", "no read may touch"),
        ([point("a", {**_U16, "type": "f64"})], {"max_registers": 3}, "m1.a", "one read may ask for 3"),
        ([point("a", {**_U16, "type": "f32"}), point("b", {**_U16, "register": 2})], {}, "m1.b", "overlaps a"),
        ([point("a", {**_U16, "type": "f32"}), point("b", {**_U16, "type": "u32"})], {}, "m1.b", "is a already"),
        ([point("a", _U16), point("b", _U16)], {}, "m1.b", "is a already, as u16"),
        ([point("a", {**_U16, "bit": 1}), point("b", {**_U16, "bit": 1})], {}, "m1.b", "is a already"),
        (
            [point("a", {**_U16, "bit": 0}), point("b", {**_U16, "bit": 1}), point("c", {**_U16, "bit": 1})],
            {}, "m1.c", "is b already",
        ),
    ],
)  # fmt: skip
def test_a_wrong_point_is_named(points: list[dict[str, Any]], blocks: dict[str, Any], where: str, words: str) -> None:
    (complaint,) = tcp().check(device("m1", _HOST, points, blocks=blocks))
    assert complaint.point == where
    assert words in f"{complaint.what}; {complaint.mend}"


@pytest.mark.parametrize(
    "points",
    [
        [point("a", {**_U16, "bit": n}) | {"id": f"b{n}"} for n in range(16)] + [point("word", _U16)],
        [point("a", _U16), point("b", _U16, kind="setpoint")],
        [
            point("raw", _U16),
            point("mode", _U16, clean=[{"bits": {"first": 4, "count": 2}}]),
            point("on", _U16, clean=[{"bits": {"first": 0}}]),
        ],
        [point("start", _U16, kind="command"), point("stop", _U16, kind="command")],
        [point("a", _U16), point("b", {**_U16, "table": "input"}), point("c", {"table": "coil", "register": 1})],
        [point("a", {**_U16, "type": "f32"}), point("b", {**_U16, "register": 3, "type": "f32"})],
        [{"id": "sum", "name": "sum", "kind": "measurement", "value": "1 + 1"}, point("a", _U16)],
    ],
)
def test_what_devices_really_have_is_not_complained_of(points: list[dict[str, Any]]) -> None:
    assert tcp().check(device("m1", _HOST, points)) == []


@pytest.mark.parametrize("host", ["10.0.0.5", "meter-1.plant.local", "fe80::1", "localhost"])
def test_hosts(host: str) -> None:
    assert tcp().check(device("m1", {"host": host}, [point("a", _U16)])) == []


def test_devices_of_one_place_share_a_line() -> None:
    one = device("m1", {"host": "Meters", "unit": 1}, [])
    assert tcp().line(one) == tcp().line(device("m2", {"host": "meters", "port": 502, "unit": 2}, []))
    assert tcp().line(one) != tcp().line(device("m3", {"host": "meters", "port": 503}, []))
    assert rtu().line(device("m4", _SERIAL, [])) == "/dev/ttyUSB0"


@pytest.mark.parametrize(
    ("more", "unit", "other", "same"),
    [
        ([], 1, _U16, True),
        ([], 2, _U16, False),
        ([], 1, {**_U16, "register": 2}, False),
        ([], 1, {**_U16, "table": "input"}, False),
        ([point("b", {**_U16, "register": 9})], 1, _U16, True),
        ([point("b", {**_U16, "register": 9})], 1, {**_U16, "register": 9}, True),
        ([point("b", {**_U16, "register": 9})], 1, {**_U16, "register": 8}, False),
    ],
)
def test_a_device_that_is_another_one_does_not_start(
    more: list[dict[str, Any]], unit: int, other: dict[str, Any], *, same: bool
) -> None:
    """A unit that was forgotten in a copy. A controller that serves two devices has other registers for each."""
    driver = tcp()
    first = device("m1", _HOST, [point("a", _U16), *more])
    found = driver.check_line([first, device("m2", {**_HOST, "unit": unit}, [point("a", other)])])
    assert [(one.device, one.key) for one in found] == ([("m2", "unit")] if same else [])
    assert not same or "unit 1 is m1 already" in str(found[0].what)


def test_devices_that_disagree_about_their_serial_line_do_not_start() -> None:
    driver = rtu()
    assert isinstance(driver, ModbusDriver)
    devices = [device("m1", {**_SERIAL, "baudrate": 19200}, []), device("m2", {**_SERIAL, "unit": 2}, [])]
    (complaint,) = driver.check_line(devices)
    assert (complaint.device, complaint.key) == ("m2", "baudrate")
    with pytest.raises(ValueError, match="baudrate 9600 on /dev/ttyUSB0, where m1 has 19200"):
        driver.open(devices, SystemClock(), read_only=False)
