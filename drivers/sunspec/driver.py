"""The SunSpec driver: judges configuration, groups devices into lines, opens links, proposes what it finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.model.clock import Clock
from app.model.config import PointKind
from app.model.station import Device, Point
from app.model.text import Text
from drivers.contract import Complaint, Driver, Found, Link, Proposal, unheard
from drivers.judging import KeyFault
from drivers.modbus import connection as connections
from drivers.modbus.address import LAST, Type
from drivers.modbus.connection import Kind
from drivers.modbus.driver import line_complaints
from drivers.sunspec import address as addresses
from drivers.sunspec.address import Address, field_of
from drivers.sunspec.discovery import look_around
from drivers.sunspec.link import SunSpecLink

_WRITTEN: Final = (PointKind.COMMAND, PointKind.SETPOINT)
WORDS: Final = {Kind.TCP: "sunspec-tcp", Kind.RTU: "sunspec-rtu", Kind.RTU_TCP: "sunspec-rtu-tcp"}


class SunSpecDriver(Driver):
    """SunSpec over one of the three kinds of Modbus. Finds points by itself (`drivers.contract.Discovering`)."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def check(self, device: Device) -> list[Complaint]:
        found = [
            Complaint(device.id, "", f.key, f.what, f.mend) for f in _connection_faults(self._kind, device.connection)
        ]
        for point in (*device.points, *device.texts):
            if point.form.address is not None:
                faults = addresses.faults(point.form.address) or _faults_in_use(point, Address.of(point.form.address))
                found += [Complaint(device.id, point.name, fault.key, fault.what, fault.mend) for fault in faults]
        return found

    def keys(self) -> Mapping[str, object]:
        return {**{key: connections.DEFAULTS.get(key) for key in self._kind.keys}, "base": ""}

    def check_line(self, devices: Sequence[Device]) -> list[Complaint]:
        """Devices of one serial line that disagree about the line."""
        return line_complaints(self._kind, devices)

    def line(self, device: Device) -> str:
        return connections.line_of(self._kind, device.connection)

    def open(self, devices: Sequence[Device], clock: Clock, *, read_only: bool) -> Link:
        """Raises ValueError where devices of one serial line disagree about it."""
        for complaint in self.check_line(devices):
            raise ValueError(f"{complaint.device}: {complaint.what}; {complaint.mend}")
        endpoint = connections.endpoint_of(self._kind, devices[0].connection)
        return SunSpecLink(endpoint, devices, clock, read_only=read_only)

    async def discover(
        self, connection: Mapping[str, Any], clock: Clock, seconds: float, found: Found = unheard
    ) -> Sequence[Proposal]:
        """The device on this connection, with every point that it implements.

        Raises TransportError where it does not answer in time, ProtocolError where it has no SunSpec map, KeyFault
        where the connection is wrong.
        """
        for fault in _connection_faults(self._kind, connection):
            raise fault
        endpoint = connections.endpoint_of(self._kind, connection)
        proposal = await look_around(endpoint, {"driver": WORDS[self._kind], **connection}, clock, seconds)
        found(proposal)
        return [proposal]


def _connection_faults(kind: Kind, connection: Mapping[str, Any]) -> list[KeyFault]:
    found = connections.faults(kind, {key: value for key, value in connection.items() if key not in ("base", "driver")})
    base = connection.get("base", 0)
    if type(base) is not int or not 0 <= base <= LAST - 1:
        found.append(
            KeyFault(
                "base",
                Text(f"base '{base}' is not a register", f"base “{base}”不是寄存器"),
                Text(f"write 0 to {LAST - 1}, or leave it out", f"请写 0 至 {LAST - 1}，或删除"),
            )
        )
    return found


def _faults_in_use(point: Point, address: Address) -> list[KeyFault]:
    """What is wrong with a sound address for this point."""
    found = []
    for number in address.models:
        field = field_of(number, address.point)
        if field is None:
            continue
        if point.kind in _WRITTEN and not field.writable:
            what = Text(
                f"a {point.kind} cannot stand in {field.name} of model {number}, which can only be read",
                f"{point.kind} 类测点不能是模型 {number} 中只读的 {field.name}",
            )
            found.append(
                KeyFault("point", what, Text("write kind measurement or status", "请写类别 measurement 或 status"))
            )
        if field.type is Type.STRING and point.kind is not PointKind.TEXT:
            found.append(
                KeyFault(
                    "point",
                    Text(
                        f"a {point.kind} cannot be the text {field.name}", f"{point.kind} 类测点不能是文本 {field.name}"
                    ),
                    Text("write `kind: text`", "请写“kind: text”"),
                )
            )
    return found[:1]
