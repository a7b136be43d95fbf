"""Addresses and connections: every fault is named with its mend, and nothing sound is refused."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from app.model.config import PointKind
from drivers.dlt645 import connection as connections
from drivers.dlt645 import dlt645
from drivers.dlt645.address import Address, faults
from drivers.dlt645.values import Format, Type
from tests.support.devices import device, point


@pytest.mark.parametrize(
    ("mapping", "key", "words"),
    [
        ({}, "di", "eight hexadecimal digits"),
        ({"di": "0203"}, "di", "not eight hexadecimal digits"),
        ({"di": "0203000g"}, "di", "not eight hexadecimal digits"),
        ({"di": 1e101}, "di", "between quotes"),
        ({"di": True}, "di", "between quotes"),
        ({"di": -1}, "di", "between quotes"),
        ({"di": "19010101"}, "di", "add `digits:`"),
        ({"di": "19010101", "digits": 5}, "digits", "even number"),
        ({"di": "19010101", "digits": 18}, "digits", "from 2 to 16"),
        ({"di": "19010101", "digits": 6, "decimals": 7}, "decimals", "from 0 to 6"),
        ({"di": "19010101", "digits": 8, "type": "time"}, "digits", "10 for YYMMDDhhmm"),
        ({"di": "19010101", "digits": 4, "type": "binary", "signed": True}, "signed", "for type bcd"),
        ({"di": "02030000", "type": "float"}, "type", "one of: bcd binary time"),
        ({"di": "02030000", "type": "time"}, "type", "holds bcd, not time"),
        ({"di": "02030000", "field": 1}, "field", "one value"),
        ({"di": "0203FF00", "field": 4}, "field", "write 0 to 3"),
        ({"di": "0203FF00", "field": "1"}, "field", "not a whole number"),
        ({"di": "02030000", "decimals": 2}, "decimals", "table A.3 knows"),
        ({"di": "02030000", "signed": "no"}, "signed", "write true or false"),
        ({"di": "02030000", "phase": 2}, "phase", "known keys: di"),
    ],
)
def test_a_fault_names_the_key_and_the_mend(mapping: dict[str, Any], key: str, words: str) -> None:
    found = faults(mapping)
    assert [fault.key for fault in found] == [key]
    assert words in str(found[0])
    with pytest.raises(ValueError, match=r".+; .+"):
        Address.of(mapping)


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        ({"di": "02030000"}, Address(0x02030000, 0, Format(6, 4, signed=True), 3)),
        ({"di": 2030000}, Address(0x02030000, 0, Format(6, 4, signed=True), 3)),  # YAML, without quotes
        ({"di": 0}, Address(0, 0, Format(8, 2, signed=True), 4)),
        ({"di": "0201ff00", "field": 2}, Address(0x0201FF00, 4, Format(4, 1), 6, 0x02010300)),
        ({"di": "01010000", "type": "time"}, Address(0x01010000, 3, Format(10, type=Type.TIME), 8)),
        ({"di": "0101FF00", "field": 1, "type": "time"}, Address(0x0101FF00, 11, Format(10, type=Type.TIME), 512, 0x01010100)),
        ({"di": "02010100", "digits": 6, "decimals": 3}, Address(0x02010100, 0, Format(6, 3), 3)),
        ({"di": "00010000", "signed": True}, Address(0x00010000, 0, Format(8, 2, signed=True), 4)),
        ({"di": "19010101", "digits": 6, "field": 2}, Address(0x19010101, 6, Format(6), 9)),
    ],
)  # fmt: skip
def test_what_is_written_is_meant(mapping: dict[str, Any], expected: Address) -> None:
    assert faults(mapping) == []
    assert Address.of(mapping) == expected


TCP = {"host": "10.0.0.5", "port": 8001}
METER = {"address": "000012345678"}


@pytest.mark.parametrize(
    ("connection", "key", "words"),
    [
        ({**TCP}, "address", "add `address:`, the twelve digits"),
        ({**TCP, "address": "12345678"}, "address", "not twelve digits"),
        ({**TCP, "address": 1234567890123}, "address", "not twelve digits"),
        ({**TCP, "address": "AAAAAAAAAAAA"}, "address", "wildcard"),
        ({**TCP, "address": 999999999999}, "address", "all meters"),
        ({**METER}, "host", "neither device nor host"),
        ({**METER, "host": "10.0.0.5"}, "port", "no port"),
        ({**METER, **TCP, "device": "COM3"}, "host", "one way"),
        ({**METER, "device": "COM3", "parity": "X"}, "parity", "N, E or O"),
        ({**METER, "device": "COM3", "timeout": "0s"}, "timeout", "not a duration"),
        ({**METER, "device": "COM3", "baud": 2400}, "baud", "write 'baudrate'"),
    ],
)
def test_a_fault_of_the_connection_names_the_key_and_the_mend(connection: dict[str, Any], key: str, words: str) -> None:
    found = {fault.key: str(fault) for fault in connections.faults(connection)}
    assert words in found[key]
    assert set(found) <= {key, "port"}


def test_a_serial_line_is_2400_baud_with_even_parity_unless_it_says_otherwise() -> None:
    params = connections.endpoint_of({**METER, "device": "COM3"}).params
    assert (params.baudrate, params.parity, params.stopbits, params.bytesize) == (2400, "E", 1, 8)
    params = connections.endpoint_of({**METER, "device": "COM3", "baudrate": 9600, "parity": "n"}).params
    assert (params.baudrate, params.parity) == (9600, "N")


def test_a_command_is_refused_because_it_needs_a_password() -> None:
    made = device("m", {**TCP, **METER}, [point("p", {"di": "02030000"}, kind=PointKind.COMMAND)])
    (complaint,) = dlt645().check(made)
    assert complaint.point == "m.p"
    assert "password" in str(complaint.what)


def test_meters_of_one_line_agree_about_it_and_differ_in_their_address() -> None:
    serial = {"device": "/dev/ttyUSB0"}
    first = device("a", {**serial, **METER}, [])
    other = device("b", {**serial, "address": 12345678, "baudrate": 9600}, [])
    keys = [complaint.key for complaint in dlt645().check_line([first, other])]
    assert keys == ["baudrate", "address"]
    assert dlt645().line(first) == dlt645().line(other) == "/dev/ttyUSB0"


def test_what_a_simulator_needs_loads_no_library() -> None:
    modules = ", ".join(f"drivers.dlt645.{name}" for name in ("frames", "values", "identifiers", "address"))
    code = f"import sys, {modules}; sys.exit({{'pymodbus', 'serial', 'dlt645'}} & set(sys.modules) != set())"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
