"""The `connection` of a Modbus device: how it is reached, judged and parsed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from app.model.durations import parse_duration_s
from app.model.station import Device
from drivers.channel import serial_params, tcp_params
from drivers.judging import KeyFault, duration_faults, number_faults, serial_faults, tcp_faults, unknown_key
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
        parity, stopbits = str(connection.get("parity", PARITY)), connection.get("stopbits", STOPBITS)
        params = serial_params(name, connection.get("baudrate", BAUDRATE), parity, stopbits)
    else:
        params = tcp_params(name, connection["host"], connection.get("port", PORT))
    return Endpoint(name, params, Mbap() if kind is Kind.TCP else Rtu())


def faults(kind: Kind, connection: Mapping[str, Any]) -> list[KeyFault]:
    """Everything wrong with the `connection` of one device."""
    found = [unknown_key(str(key), kind.keys, "connection") for key in connection if key not in kind.keys]
    found += serial_faults(connection, BAUDRATE) if kind is Kind.RTU else tcp_faults(connection, PORT)
    low, high = (0, 255) if kind is Kind.TCP else (1, 247)
    found += number_faults("unit", connection.get("unit", UNIT), low, high)
    found += duration_faults("timeout", connection.get("timeout", TIMEOUT))
    found += duration_faults("gap", connection.get("gap", GAP), may_be_nothing=True)
    return found
