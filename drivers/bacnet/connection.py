"""The `connection` of a BACnet device, judged and parsed."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.model.durations import parse_duration_s
from app.model.errors import Wrong
from app.model.text import Text
from drivers.bacnet.address import LAST_INSTANCE
from drivers.judging import KeyFault, duration_faults, number_faults, unknown_key

PORT: Final = 47808
"""0xBAC0 (ASHRAE 135, J.1.2)."""
INTERFACE: Final = f"0.0.0.0:{PORT}"
TIMEOUT: Final = "1s"
LIFETIME: Final = "5min"
COVS: Final = ("unconfirmed", "confirmed", False)
KEYS: Final = ("address", "device", "interface", "timeout", "cov", "lifetime")
DEFAULTS: Final[Mapping[str, object]] = {
    "interface": INTERFACE, "timeout": TIMEOUT, "cov": COVS[0], "lifetime": LIFETIME,
}  # fmt: skip
_PLACE: Final = re.compile(
    r"(?:(?P<network>\d{1,5}):(?P<mac>\d{1,3})@)?"
    r"(?P<ip>[0-9.]+)(?:/(?P<mask>\d{1,2}))?(?::(?P<port>\d{1,5}))?(?:/(?P<behind>\d{1,2}))?"
)


@dataclass(frozen=True, slots=True)
class Place:
    """An IPv4 address, its mask where one is given, and a UDP port; or a station on a network behind that router."""

    ip: str
    port: int
    mask: int = 32
    network: int = 0
    """0 where the device is at the address itself."""
    mac: int = 0

    def __str__(self) -> str:
        behind = f"{self.network}:{self.mac}@" if self.network else ""
        mask = f"/{self.mask}" if self.mask < 32 else ""
        return f"{behind}{self.ip}{mask}:{self.port}"

    @staticmethod
    def of(text: object, *, ephemeral: bool = False) -> Place:
        """Parse `[network:mac@]ip[/mask][:port]` or `ip[:port][/mask]`. Raises ValueError.

        `ephemeral`: of this machine itself, where port 0 is any free one.
        """
        match = _PLACE.fullmatch(text) if isinstance(text, str) else None
        try:
            ip = str(ipaddress.IPv4Address(match["ip"])) if match is not None else ""
        except ValueError:
            ip = ""
        if match is None or not ip:
            raise Wrong(Text(f"'{text}' is no IPv4 address", f"“{text}”不是 IPv4 地址"))
        port = int(match["port"] or PORT)
        mask = int(match["mask"] or match["behind"] or 32)
        network, mac = int(match["network"] or 0), int(match["mac"] or 0)
        behind = match["network"] is not None
        if not (0 if ephemeral else 1) <= port <= 65535 or not 1 <= mask <= 32:
            raise Wrong(Text(f"'{text}' has a port or a mask that cannot be", f"“{text}”的端口或掩码无效"))
        if behind and (ephemeral or not 1 <= network <= 65534 or mac > 254):
            raise Wrong(
                Text(f"'{text}' has a network or a station number that cannot be", f"“{text}”的网络号或站号无效")
            )
        return Place(ip, port, mask, network, mac)


@dataclass(frozen=True, slots=True)
class Peer:
    """How a device is asked."""

    device: str
    """Its id in the station."""
    place: Place
    instance: int
    timeout_s: float
    cov: str
    """`unconfirmed`, `confirmed`, or empty for none."""
    lifetime_s: int

    @staticmethod
    def of(device: str, connection: Mapping[str, Any]) -> Peer:
        """Of a device whose connection has been judged."""
        return Peer(
            device=device,
            place=Place.of(connection["address"]),
            instance=connection["device"],
            timeout_s=parse_duration_s(connection.get("timeout", TIMEOUT)),
            cov=connection.get("cov", COVS[0]) or "",
            lifetime_s=round(parse_duration_s(connection.get("lifetime", LIFETIME))),
        )


def interface_of(connection: Mapping[str, Any]) -> Place:
    """The local address from which a device is reached."""
    return Place.of(connection.get("interface", INTERFACE), ephemeral=True)


def _interface_faults(connection: Mapping[str, Any]) -> list[KeyFault]:
    try:
        interface_of(connection)
    except Wrong as error:
        mend = Text(
            "write an address of this machine, its mask and a port, such as 192.168.1.5/24:47808",
            "请写本机的地址、掩码和端口，例如 192.168.1.5/24:47808",
        )
        return [KeyFault("interface", Text(f"interface {error}", f"interface {error.text.zh}"), mend)]
    return []


def faults(connection: Mapping[str, Any]) -> list[KeyFault]:
    """Everything wrong with the `connection` of one device."""
    found = [unknown_key(str(key), KEYS, "connection") for key in connection if key not in KEYS]
    if "address" not in connection:
        found.append(
            KeyFault(
                "address",
                Text("connection has no address", "连接缺少 address"),
                Text("add `address:`, such as 192.168.1.30", "请添加“address:”，例如 192.168.1.30"),
            )
        )
    else:
        try:
            Place.of(connection["address"])
        except Wrong as error:
            mend = Text(
                "write such as 192.168.1.30, 192.168.1.30:47809, or 2001:15@192.168.1.30 behind a router",
                "例如 192.168.1.30、192.168.1.30:47809，路由器之后的写 2001:15@192.168.1.30",
            )
            found.append(KeyFault("address", Text(f"address {error}", f"address {error.text.zh}"), mend))
    if "device" not in connection:
        found.append(
            KeyFault(
                "device",
                Text("connection has no device", "连接缺少 device"),
                Text("add `device:`, the instance number of the device", "请添加“device:”，即设备的实例号"),
            )
        )
    found += number_faults("device", connection.get("device", 0), 0, LAST_INSTANCE) + _interface_faults(connection)
    found += duration_faults("timeout", connection.get("timeout", TIMEOUT))
    found += duration_faults("lifetime", connection.get("lifetime", LIFETIME))
    if connection.get("cov", COVS[0]) not in COVS or (connection.get("cov") == 0 and connection["cov"] is not False):
        mend = Text(
            "write unconfirmed or confirmed, or false for none", "请写 unconfirmed 或 confirmed，不用时写 false"
        )
        found.append(
            KeyFault("cov", Text(f"unknown cov '{connection['cov']}'", f"未知的 cov “{connection['cov']}”"), mend)
        )
    if not any(fault.key == "lifetime" for fault in found):
        seconds = parse_duration_s(connection.get("lifetime", LIFETIME))
        if not 10 <= seconds <= 86_400:
            found.append(
                KeyFault(
                    "lifetime",
                    Text("a subscription lives from 10s to 1d", "订阅的有效期为 10s 至 1d"),
                    Text("write such as 5min", "例如 5min"),
                )
            )
    return found
