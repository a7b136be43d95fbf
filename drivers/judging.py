"""What drivers find wrong with keys of a `connection` or an `address`, in words that are alike for every protocol."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterable, Mapping
from os.path import isfile
from typing import Any

from app.model.durations import parse_duration_s
from app.model.secrets import is_reference


class KeyFault(ValueError):
    """One thing wrong with an `address` or a `connection`: the key, what is wrong, and the mend."""

    def __init__(self, key: str, what: str, mend: str) -> None:
        super().__init__(f"{what}; {mend}")
        self.key = key
        self.what = what
        self.mend = mend


def unknown_key(key: str, known: tuple[str, ...], where: str) -> KeyFault:
    """The fault of a key that nobody reads, with the key that was probably meant."""
    close = difflib.get_close_matches(key, known, n=1)
    mend = f"write '{close[0]}'" if close else f"known keys: {' '.join(known)}"
    return KeyFault(key, f"unknown key '{key}' in {where}", mend)


def missing_files(named: Mapping[str, Any], keys: Iterable[str], part: str = "") -> list[KeyFault]:
    """Files that these keys (of a `part` such as tls) name and this machine has not: for `Complaint.of_machine`.

    Looks whether they are there, and no further.
    """
    found = []
    for key in keys:
        file = named.get(key)
        if isinstance(file, str) and not isfile(file):  # noqa: PTH113 (Path.is_file raises for names that are too long)
            what = f"{part} {key} '{file}' is no file on this machine".lstrip()
            found.append(KeyFault(part or key, what, "put it there, or correct the path"))
    return found


def number_faults(key: str, value: object, low: int, high: int) -> list[KeyFault]:
    """A whole number from `low` to `high`."""
    if type(value) is int and low <= value <= high:
        return []
    return [KeyFault(key, f"{key} '{value}' is not a whole number from {low} to {high}", "correct it")]


def duration_faults(key: str, value: object, *, may_be_nothing: bool = False) -> list[KeyFault]:
    """A duration such as `250ms`; `0s` only where it may be nothing."""
    try:
        seconds = parse_duration_s(value) if isinstance(value, str) else -1.0
    except ValueError:
        seconds = -1.0
    if seconds > 0 or (may_be_nothing and seconds == 0):
        return []
    return [KeyFault(key, f"{key} '{value}' is not a duration", "write a number and a unit, such as 250ms or 1s")]


def secret_faults(key: str, value: object) -> list[KeyFault]:
    """A reference to a secret, and not the secret itself. What stands there is never repeated."""
    if is_reference(value):
        return []
    mend = "write env:NAME, and set the environment variable NAME"
    return [KeyFault(key, f"{key} is a secret, and a file is no place for one", mend)]


def tcp_faults(connection: Mapping[str, Any], port: int | None = None) -> list[KeyFault]:
    """`host` and `port`; `port` is required where there is no usual one."""
    if "port" not in connection and port is None:
        found = [KeyFault("port", "connection has no port", "add `port:`, the gateway's TCP port")]
    else:
        found = number_faults("port", connection.get("port", port), 1, 65535)
    return found + host_faults(connection, "host")


def host_faults(connection: Mapping[str, Any], key: str) -> list[KeyFault]:
    """A name or an IP address, which must be there."""
    host = connection.get(key)
    if key not in connection:
        return [KeyFault(key, f"connection has no {key}", f"add `{key}:`, a name or an IP address")]
    if not isinstance(host, str) or not host.strip():
        return [KeyFault(key, f"{key} '{host}' is not a name", "write a name or an IP address")]
    if not _is_host(host):
        mend = "write the bare name or IP address; the port is a key of its own"
        return [KeyFault(key, f"{key} '{host}' is neither a name nor an IP address", mend)]
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
        mend = "add `device:`, such as /dev/ttyUSB0 or COM3"
        found.append(KeyFault("device", "connection has no device", mend))
    elif not isinstance(device, str) or not device.strip():
        mend = "write its name, such as /dev/ttyUSB0 or COM3"
        found.append(KeyFault("device", f"device '{device}' is not a serial port", mend))
    if str(connection.get("parity", "N")).upper() not in ("N", "E", "O"):
        mend = "write N, E or O"
        found.append(KeyFault("parity", f"unknown parity '{connection['parity']}'", mend))
    if connection.get("stopbits", 1) not in (1, 2):
        mend = "write 1 or 2"
        found.append(KeyFault("stopbits", f"unknown stopbits '{connection['stopbits']}'", mend))
    return found
