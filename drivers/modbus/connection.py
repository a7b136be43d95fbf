"""The `connection` of a Modbus device: how it is reached, judged and parsed."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from pymodbus.transport import CommParams
from pymodbus.transport.transport import CommType

from app.model.durations import parse_duration_s
from app.model.station import Device
from drivers.modbus.address import KeyFault, unknown_key
from drivers.modbus.frames import Mbap, Rtu
from drivers.modbus.line import Endpoint
from drivers.modbus.requests import Peer

PORT: Final = 502
BAUDRATE: Final = 9600
PARITY: Final = "N"
STOPBITS: Final = 1
UNIT: Final = 1
TIMEOUT: Final = "1s"
GAP: Final = "0s"
_OF_EVERY: Final = ("unit", "timeout", "gap")
DEFAULTS: Final[Mapping[str, object]] = {
    "port": PORT, "baudrate": BAUDRATE, "parity": PARITY, "stopbits": STOPBITS, "unit": UNIT, "timeout": TIMEOUT,
    "gap": GAP,
}  # fmt: skip


class Kind(Enum):
    """The three ways to a Modbus device."""

    TCP = "modbus-tcp"
    RTU = "modbus-rtu"
    RTU_TCP = "modbus-rtu-tcp"

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that its `connection` may have."""
        own = ("device", "baudrate", "parity", "stopbits") if self is Kind.RTU else ("host", "port")
        return (*own, *_OF_EVERY)


def peer_of(device: Device) -> Peer:
    """Whom to ask for this device. Its connection has been judged."""
    connection = device.connection
    return Peer(
        device.id,
        connection.get("unit", UNIT),
        parse_duration_s(connection.get("timeout", TIMEOUT)),
        parse_duration_s(connection.get("gap", GAP)),
    )


def line_of(kind: Kind, connection: Mapping[str, Any]) -> str:
    """The name of the line: host and port, or the serial port."""
    if kind is Kind.RTU:
        return str(connection.get("device", ""))
    return f"{str(connection.get('host', '')).lower()}:{connection.get('port', PORT)}"


def endpoint_of(kind: Kind, connection: Mapping[str, Any]) -> Endpoint:
    """Where the line begins. Its connection has been judged."""
    name = line_of(kind, connection)
    if kind is Kind.RTU:
        params = CommParams(
            comm_type=CommType.SERIAL,
            comm_name=name,
            host=connection["device"],
            baudrate=connection.get("baudrate", BAUDRATE),
            bytesize=8,
            parity=str(connection.get("parity", PARITY)).upper(),
            stopbits=connection.get("stopbits", STOPBITS),
        )
    else:
        params = CommParams(
            comm_type=CommType.TCP, comm_name=name, host=connection["host"], port=connection.get("port", PORT)
        )
    return Endpoint(name, params, Mbap() if kind is Kind.TCP else Rtu())


def faults(kind: Kind, connection: Mapping[str, Any]) -> list[KeyFault]:
    """Everything wrong with the `connection` of one device."""
    found = [unknown_key(str(key), kind.keys, "connection") for key in connection if key not in kind.keys]
    found += _serial_faults(connection) if kind is Kind.RTU else _tcp_faults(connection)
    low, high = (0, 255) if kind is Kind.TCP else (1, 247)
    found += _number_faults("unit", connection.get("unit", UNIT), low, high)
    for key, default in (("timeout", TIMEOUT), ("gap", GAP)):
        value = connection.get(key, default)
        try:
            seconds = parse_duration_s(value) if isinstance(value, str) else -1.0
        except ValueError:
            seconds = -1.0
        if seconds < 0 or (key == "timeout" and seconds == 0):
            mend = "write a number and a unit, such as 250ms or 1s"
            found.append(KeyFault(key, f"{key} '{value}' is not a duration", mend))
    return found


def _tcp_faults(connection: Mapping[str, Any]) -> list[KeyFault]:
    found = _number_faults("port", connection.get("port", PORT), 1, 65535)
    host = connection.get("host")
    if "host" not in connection:
        found.append(KeyFault("host", "connection has no host", "add `host:`, a name or an IP address"))
    elif not isinstance(host, str) or not host.strip():
        found.append(KeyFault("host", f"host '{host}' is not a name", "write a name or an IP address"))
    elif not _is_host(host):
        mend = "write the bare name or IP address; the port is a key of its own"
        found.append(KeyFault("host", f"host '{host}' is neither a name nor an IP address", mend))
    return found


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if all(character in "0123456789." for character in host):
            return False
        return all(character.isalnum() or character in "-._" for character in host)
    return True


def _serial_faults(connection: Mapping[str, Any]) -> list[KeyFault]:
    found = _number_faults("baudrate", connection.get("baudrate", BAUDRATE), 50, 4_000_000)
    device = connection.get("device")
    if "device" not in connection:
        mend = "add `device:`, such as /dev/ttyUSB0 or COM3"
        found.append(KeyFault("device", "connection has no device", mend))
    elif not isinstance(device, str) or not device.strip():
        mend = "write its name, such as /dev/ttyUSB0 or COM3"
        found.append(KeyFault("device", f"device '{device}' is not a serial port", mend))
    if str(connection.get("parity", PARITY)).upper() not in ("N", "E", "O"):
        mend = "write N, E or O"
        found.append(KeyFault("parity", f"unknown parity '{connection['parity']}'", mend))
    if connection.get("stopbits", STOPBITS) not in (1, 2):
        mend = "write 1 or 2"
        found.append(KeyFault("stopbits", f"unknown stopbits '{connection['stopbits']}'", mend))
    return found


def _number_faults(key: str, value: object, low: int, high: int) -> list[KeyFault]:
    if type(value) is int and low <= value <= high:
        return []
    return [KeyFault(key, f"{key} '{value}' is not a whole number from {low} to {high}", "correct it")]
