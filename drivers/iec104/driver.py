"""The driver of IEC 60870-5-104: judges configuration, groups devices into lines, opens links."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Final

from app.model.clock import Clock
from app.model.config import PointKind
from app.model.station import Device, Point
from app.model.text import Text
from drivers.contract import Complaint, Driver, Link
from drivers.iec104 import address as addresses
from drivers.iec104 import connection as connections
from drivers.iec104.address import Address
from drivers.iec104.link import Iec104Link
from drivers.judging import KeyFault

LIBRARY: Final = "c104"
_WRITTEN: Final = (PointKind.COMMAND, PointKind.SETPOINT)


class Iec104Driver(Driver):
    """IEC 60870-5-104, controlling station."""

    def check(self, device: Device) -> list[Complaint]:
        found = [
            Complaint(device.id, "", fault.key, fault.what, fault.mend)
            for fault in connections.faults(device.connection)
        ]
        for point in device.texts:
            what = Text("a text cannot be read over IEC 60870-5-104", "IEC 60870-5-104 不能读取文本")
            found.append(Complaint(device.id, point.name, "", what, Text("leave the point out", "请删除该测点")))
        for point in device.points:
            if point.form.address is not None:
                faults = addresses.faults(point.form.address) or _faults_in_use(point, Address.of(point.form.address))
                found += [Complaint(device.id, point.name, fault.key, fault.what, fault.mend) for fault in faults]
        return (found or _twice([device])) + _missing(device)

    def keys(self) -> Mapping[str, object]:
        needed = dict.fromkeys(("host", "ca"))
        return needed | {key: connections.DEFAULTS.get(key, "") for key in connections.KEYS if key not in needed}

    def check_line(self, devices: Sequence[Device]) -> list[Complaint]:
        """What devices of one line disagree about, and addresses that two of them have."""
        found = []
        first = devices[0]
        for other in devices[1:]:
            for key in connections.KEYS:
                ours, theirs = (one.connection.get(key, connections.DEFAULTS.get(key)) for one in (first, other))
                if key not in ("ca", "host") and ours != theirs:
                    said = f"no {key}" if theirs is None else f"{key} {theirs}"
                    there = ours if ours is not None else "none"
                    what = Text(
                        f"{said} on {self.line(other)}, where {first.id} has {there}",
                        f"{self.line(other)} 上 {key} 为 {theirs or '空'}，而 {first.id} 为 {ours or '空'}",
                    )
                    found.append(
                        Complaint(
                            other.id,
                            "",
                            key,
                            what,
                            Text("give all devices of one line the same", "同一线路上的设备应一致"),
                        )
                    )
        return found or _twice(devices)

    def line(self, device: Device) -> str:
        return connections.line_of(device.connection)

    def open(self, devices: Sequence[Device], clock: Clock, *, read_only: bool) -> Link:
        """Raises ValueError where devices of one line do not fit together."""
        for complaint in self.check_line(devices):
            raise ValueError(f"{complaint.device}: {complaint.what}; {complaint.mend}")
        return Iec104Link(devices, clock, read_only=read_only)


def _missing(device: Device) -> list[Complaint]:
    """What this machine lacks."""
    found = connections.missing(device.connection)
    if importlib.util.find_spec(LIBRARY) is None:
        what = Text(
            f"IEC 60870-5-104 needs the library {LIBRARY}, which is not installed",
            f"IEC 60870-5-104 需要 {LIBRARY} 库，但尚未安装",
        )
        mend = Text(
            "run `python3 run.py setup` again, or install the extra 'iec104'; it is not made for every system",
            "请再次运行“python3 run.py setup”，或安装附加项 iec104；该库并非支持所有系统",
        )
        found.append(KeyFault("driver", what, mend))
    return [Complaint(device.id, "", fault.key, fault.what, fault.mend, of_machine=True) for fault in found]


def _faults_in_use(point: Point, address: Address) -> list[KeyFault]:
    """What is wrong with a sound address for this point."""
    if point.kind in _WRITTEN and address.command is None:
        mend = Text(
            "write a type such as C_SC_NA_1 or C_SE_NC_1, or another kind",
            "请写类型，例如 C_SC_NA_1 或 C_SE_NC_1，或更改类别",
        )
        return [
            KeyFault(
                "type",
                Text(f"a {point.kind} cannot be of a monitored type", f"{point.kind} 类测点不能是监视方向的类型"),
                mend,
            )
        ]
    if point.kind not in _WRITTEN and address.command is not None:
        mend = Text("write `kind: command` or `kind: setpoint`", "请写“kind: command”或“kind: setpoint”")
        return [
            KeyFault(
                "type",
                Text(
                    f"a {point.kind} cannot be of the command type {address.command.name}",
                    f"{point.kind} 类测点不能是命令类型 {address.command.name}",
                ),
                mend,
            )
        ]
    return []


def _twice(devices: Sequence[Device]) -> list[Complaint]:
    """Addresses that two points have."""
    found = []
    known: dict[tuple[int, int, bool], Point] = {}
    for device in devices:
        for point in device.points:
            if point.form.address is None:
                continue
            address = Address.of(point.form.address)
            ca = address.ca or device.connection["ca"]
            other = known.setdefault((ca, address.ioa, address.command is not None), point)
            if other is not point:
                what = Text(
                    f"{address.ioa} of station {ca} is {other.name} already",
                    f"站 {ca} 的 {address.ioa} 已是 {other.name}",
                )
                found.append(
                    Complaint(
                        device.id,
                        point.name,
                        "ioa",
                        what,
                        Text("correct one of the two addresses", "请改正两个地址之一"),
                    )
                )
    return found
