"""What drivers find wrong with keys of a `connection` or an `address`, in words that are alike for every protocol."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterable, Mapping
from os.path import isfile
from typing import Any

from app.model.durations import parse_duration_s
from app.model.errors import Wrong
from app.model.secrets import is_reference
from app.model.text import Text


class KeyFault(Wrong):
    """One thing wrong with an `address` or a `connection`: the key, what is wrong, and the mend."""

    def __init__(self, key: str, what: Text | str, mend: Text | str) -> None:
        super().__init__(what, mend)
        self.key = key


def unknown_key(key: str, known: tuple[str, ...], where: str) -> KeyFault:
    """The fault of a key that nobody reads, with the key that was probably meant."""
    close = difflib.get_close_matches(key, known, n=1)
    mend = (
        Text(f"write '{close[0]}'", f"请写“{close[0]}”")
        if close
        else Text(f"known keys: {' '.join(known)}", f"可用的键：{' '.join(known)}")
    )
    place = {"connection": "连接", "address": "地址"}.get(where, where)
    return KeyFault(key, Text(f"unknown key '{key}' in {where}", f"{place}中有未知键“{key}”"), mend)


def missing_files(named: Mapping[str, Any], keys: Iterable[str], part: str = "") -> list[KeyFault]:
    """Files that these keys (of a `part` such as tls) name and this machine has not: for `Complaint.of_machine`.

    Looks whether they are there, and no further.
    """
    found = []
    for key in keys:
        file = named.get(key)
        if isinstance(file, str) and not isfile(file):  # noqa: PTH113 (Path.is_file raises for names that are too long)
            what = Text(
                f"{part} {key} '{file}' is no file on this machine".lstrip(),
                f"{part} {key}“{file}”不是本机上的文件".lstrip(),
            )
            mend = Text("put it there, or correct the path", "请放入该文件，或改正路径")
            found.append(KeyFault(part or key, what, mend))
    return found


def number_faults(key: str, value: object, low: int, high: int) -> list[KeyFault]:
    """A whole number from `low` to `high`."""
    if type(value) is int and low <= value <= high:
        return []
    return [
        KeyFault(
            key,
            Text(
                f"{key} '{value}' is not a whole number from {low} to {high}",
                f"{key}“{value}”不是 {low} 至 {high} 的整数",
            ),
            Text("correct it", "请改正"),
        )
    ]


def duration_faults(key: str, value: object, *, may_be_nothing: bool = False) -> list[KeyFault]:
    """A duration such as `250ms`; `0s` only where it may be nothing."""
    try:
        seconds = parse_duration_s(value) if isinstance(value, str) else -1.0
    except ValueError:
        seconds = -1.0
    if seconds > 0 or (may_be_nothing and seconds == 0):
        return []
    return [
        KeyFault(
            key,
            Text(f"{key} '{value}' is not a duration", f"{key}“{value}”不是时长"),
            Text("write a number and a unit, such as 250ms or 1s", "请写数字和单位，例如 250ms 或 1s"),
        )
    ]


def secret_faults(key: str, value: object) -> list[KeyFault]:
    """A reference to a secret, and not the secret itself. What stands there is never repeated."""
    if is_reference(value):
        return []
    mend = Text("write secret:NAME or env:NAME, and store it there", "请写 secret:名称 或 env:名称，并存于该处")
    return [
        KeyFault(key, Text(f"{key} is a secret, and a file is no place for one", f"{key} 是机密，不应写在文件里"), mend)
    ]


def tcp_faults(connection: Mapping[str, Any], port: int | None = None) -> list[KeyFault]:
    """`host` and `port`; `port` is required where there is no usual one."""
    if "port" not in connection and port is None:
        found = [
            KeyFault(
                "port",
                Text("connection has no port", "连接缺少 port"),
                Text("add `port:`, the gateway's TCP port", "请添加“port:”，即网关的 TCP 端口"),
            )
        ]
    else:
        found = number_faults("port", connection.get("port", port), 1, 65535)
    return found + host_faults(connection, "host")


def host_faults(connection: Mapping[str, Any], key: str) -> list[KeyFault]:
    """A name or an IP address, which must be there."""
    host = connection.get(key)
    if key not in connection:
        return [
            KeyFault(
                key,
                Text(f"connection has no {key}", f"连接缺少 {key}"),
                Text(f"add `{key}:`, a name or an IP address", f"请添加“{key}:”，名称或 IP 地址"),
            )
        ]
    if not isinstance(host, str) or not host.strip():
        return [
            KeyFault(
                key,
                Text(f"{key} '{host}' is not a name", f"{key}“{host}”不是名称"),
                Text("write a name or an IP address", "请写名称或 IP 地址"),
            )
        ]
    if not _is_host(host):
        mend = Text(
            "write the bare name or IP address; the port is a key of its own", "请只写名称或 IP 地址；端口另有其键"
        )
        return [
            KeyFault(
                key,
                Text(f"{key} '{host}' is neither a name nor an IP address", f"{key}“{host}”既不是名称也不是 IP 地址"),
                mend,
            )
        ]
    return []


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if all(character in "0123456789." for character in host):
            return False
        return all(character.isalnum() or character in "-._" for character in host)
    return True


def serial_faults(connection: Mapping[str, Any], baudrate: int) -> list[KeyFault]:
    """`device`, `baudrate`, `parity` and `stopbits`; `baudrate` is the usual one."""
    found = number_faults("baudrate", connection.get("baudrate", baudrate), 50, 4_000_000)
    device = connection.get("device")
    if "device" not in connection:
        mend = Text("add `device:`, such as /dev/ttyUSB0 or COM3", "请添加“device:”，例如 /dev/ttyUSB0 或 COM3")
        found.append(KeyFault("device", Text("connection has no device", "连接缺少 device"), mend))
    elif not isinstance(device, str) or not device.strip():
        mend = Text("write its name, such as /dev/ttyUSB0 or COM3", "请写其名称，例如 /dev/ttyUSB0 或 COM3")
        found.append(
            KeyFault("device", Text(f"device '{device}' is not a serial port", f"device “{device}”不是串口"), mend)
        )
    if str(connection.get("parity", "N")).upper() not in ("N", "E", "O"):
        mend = Text("write N, E or O", "请写 N、E 或 O")
        found.append(
            KeyFault(
                "parity",
                Text(f"unknown parity '{connection['parity']}'", f"未知的 parity “{connection['parity']}”"),
                mend,
            )
        )
    if connection.get("stopbits", 1) not in (1, 2):
        mend = Text("write 1 or 2", "请写 1 或 2")
        found.append(
            KeyFault(
                "stopbits",
                Text(f"unknown stopbits '{connection['stopbits']}'", f"未知的 stopbits “{connection['stopbits']}”"),
                mend,
            )
        )
    return found
