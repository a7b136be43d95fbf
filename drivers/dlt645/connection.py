"""The `connection` of a meter: how it is reached, judged and parsed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.model.durations import parse_duration_s
from app.model.station import Device
from app.model.text import Text
from drivers.channel import Endpoint, serial_params, tcp_params
from drivers.dlt645 import frames
from drivers.dlt645.requests import Peer
from drivers.judging import KeyFault, duration_faults, serial_faults, tcp_faults, unknown_key

BAUDRATE: Final = 2400
PARITY: Final = "E"
STOPBITS: Final = 1
TIMEOUT: Final = "1s"
SERIAL_GAP: Final = "20ms"
"""The shortest time that a meter may take to answer; after it, it listens again."""
SERIAL_KEYS: Final = ("device", "baudrate", "parity", "stopbits")
TCP_KEYS: Final = ("host", "port")
_OF_EVERY: Final = ("address", "timeout", "gap")
KEYS: Final = (*SERIAL_KEYS, *TCP_KEYS, *_OF_EVERY)
OFFERED: Final[Mapping[str, object]] = {
    "address": None, "device": "", "baudrate": BAUDRATE, "parity": PARITY, "stopbits": STOPBITS, "host": "", "port": "",
    "timeout": TIMEOUT, "gap": "",
}  # fmt: skip
"""What a form offers, with what is given; empty where nothing is, or where one of two ways needs it."""


def is_serial(connection: Mapping[str, Any]) -> bool:
    return "device" in connection


def line_of(connection: Mapping[str, Any]) -> str:
    """The name of the line: host and port, or the serial port."""
    if is_serial(connection):
        return str(connection["device"])
    return f"{str(connection.get('host', '')).lower()}:{connection.get('port', '')}"


def peer_of(device: Device) -> Peer:
    """Whom to ask for this device. Its connection has been judged."""
    connection = device.connection
    return Peer(
        device.id,
        frames.address_bytes(digits(connection["address"])),
        parse_duration_s(connection.get("timeout", TIMEOUT)),
        parse_duration_s(connection.get("gap", SERIAL_GAP if is_serial(connection) else "0s")),
    )


def endpoint_of(connection: Mapping[str, Any]) -> Endpoint:
    """Where the line begins. Its connection has been judged."""
    name = line_of(connection)
    if not is_serial(connection):
        return Endpoint(name, tcp_params(name, connection["host"], connection["port"]))
    baudrate, parity = connection.get("baudrate", BAUDRATE), str(connection.get("parity", PARITY))
    return Endpoint(name, serial_params(name, baudrate, parity, connection.get("stopbits", STOPBITS)))


def digits(address: object) -> str:
    """The twelve digits of a meter's address; YAML drops zeros in front where there are no quotes."""
    return f"{address:012d}" if isinstance(address, int) else str(address)


def line_faults(connection: Mapping[str, Any], keys: tuple[str, ...] = KEYS) -> list[KeyFault]:
    """Everything wrong with how the line is reached, whoever is on it."""
    found = [unknown_key(str(key), keys, "connection") for key in connection if key not in keys]
    if is_serial(connection):
        for key in TCP_KEYS:
            if key in connection:
                what = Text(f"connection has a serial port and {key}", f"连接既有串口又有 {key}")
                found.append(
                    KeyFault(
                        key,
                        what,
                        Text("remove one of them: a meter is reached one way", "请删除其一：一台表计只有一种接法"),
                    )
                )
        found += serial_faults(connection, BAUDRATE)
    elif "host" not in connection:
        mend = Text(
            "add `device:` for a serial port, or `host:` and `port:` for a gateway",
            "串口请添加“device:”；网关请添加“host:”和“port:”",
        )
        found.append(
            KeyFault("host", Text("connection has neither device nor host", "连接既没有 device 也没有 host"), mend)
        )
    else:
        found += tcp_faults(connection)
    found += duration_faults("timeout", connection.get("timeout", TIMEOUT))
    found += duration_faults("gap", connection.get("gap", SERIAL_GAP), may_be_nothing=True)
    return found


def faults(connection: Mapping[str, Any]) -> list[KeyFault]:
    """Everything wrong with the `connection` of one device."""
    return line_faults(connection) + _address_faults(connection)


def _address_faults(connection: Mapping[str, Any]) -> list[KeyFault]:
    mend = Text(
        'write the twelve digits on the meter between quotes, such as "000012345678"',
        '请在引号中写表计上的十二位数字，例如 "000012345678"',
    )
    if "address" not in connection:
        return [
            KeyFault(
                "address",
                Text("connection has no address", "连接缺少 address"),
                Text(mend.en.replace("write", "add `address:`,", 1), f"请添加“address:”：{mend.zh}"),
            )
        ]
    address = connection["address"]
    if isinstance(address, str) and address.upper() == "A" * 12:
        return [
            KeyFault(
                "address",
                Text(
                    "a wildcard would take the answer of any meter for this one's",
                    "通配地址会把任何表计的应答当作该表计的",
                ),
                mend,
            )
        ]
    try:
        frames.address_bytes(digits(address) if type(address) in (int, str) else "")
    except ValueError:
        return [
            KeyFault(
                "address", Text(f"address '{address}' is not twelve digits", f"address “{address}”不是十二位数字"), mend
            )
        ]
    if digits(address) == "9" * 12:
        return [
            KeyFault(
                "address",
                Text(
                    "999999999999 is the address of all meters, and none answers to it",
                    "999999999999 是广播地址，没有表计应答",
                ),
                mend,
            )
        ]
    return []
