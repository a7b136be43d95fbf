"""The Modbus driver: judges configuration, groups devices into lines, opens links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from app.model.clock import Clock
from app.model.config import PointKind
from app.model.station import Device, Point
from app.model.text import Text
from drivers.contract import Complaint, Driver, Link
from drivers.judging import KeyFault
from drivers.modbus import address as addresses
from drivers.modbus import connection as connections
from drivers.modbus.address import Address, Table, Type
from drivers.modbus.blocks import trouble
from drivers.modbus.connection import Kind
from drivers.modbus.link import ModbusLink

_WRITTEN = (PointKind.COMMAND, PointKind.SETPOINT)
_OF_THE_LINE = ("baudrate", "parity", "stopbits")


class ModbusDriver(Driver):
    """One of the three kinds of Modbus."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def check(self, device: Device) -> list[Complaint]:
        found = [
            Complaint(device.id, "", fault.key, fault.what, fault.mend)
            for fault in connections.faults(self._kind, device.connection)
        ]
        sound: list[tuple[Point, Address]] = []
        for point in (*device.points, *device.texts):
            if point.form.address is None:
                continue
            faults = addresses.faults(point.form.address)
            if not faults:
                address = Address.of(point.form.address)
                faults = _faults_in_use(device, point, address)
                sound.append((point, address))
            found += [Complaint(device.id, point.name, fault.key, fault.what, fault.mend) for fault in faults]
        return found + _clashes(device, sound)

    def keys(self) -> Mapping[str, object]:
        return {key: connections.DEFAULTS.get(key) for key in self._kind.keys}

    def check_line(self, devices: Sequence[Device]) -> list[Complaint]:
        """Devices of one serial line that disagree about the line, and devices that are one and the same."""
        return [*_same(devices), *line_complaints(self._kind, devices)]

    def line(self, device: Device) -> str:
        return connections.line_of(self._kind, device.connection)

    def open(self, devices: Sequence[Device], clock: Clock, *, read_only: bool) -> Link:
        """Raises ValueError where `check_line` complains."""
        for complaint in self.check_line(devices):
            raise ValueError(f"{complaint.device}: {complaint.what}; {complaint.mend}")
        endpoint = connections.endpoint_of(self._kind, devices[0].connection)
        return ModbusLink(endpoint, devices, clock, read_only=read_only)


def line_complaints(kind: Kind, devices: Sequence[Device]) -> list[Complaint]:
    """What devices of one serial line disagree about."""
    found = []
    for first, other in pairwise(devices):
        for key in _OF_THE_LINE if kind is Kind.RTU else ():
            default = {"baudrate": connections.BAUDRATE, "parity": connections.PARITY, "stopbits": 1}[key]
            ours, theirs = first.connection.get(key, default), other.connection.get(key, default)
            if ours != theirs:
                what = Text(
                    f"{key} {theirs} on {connections.line_of(kind, other.connection)}, where {first.id} has {ours}",
                    f"{connections.line_of(kind, other.connection)} 上 {key} 为 {theirs}，而 {first.id} 为 {ours}",
                )
                found.append(
                    Complaint(
                        other.id, "", key, what, Text("give all devices of one line the same", "同一线路上的设备应一致")
                    )
                )
    return found


def _same(devices: Sequence[Device]) -> list[Complaint]:
    """Devices of one unit that read the same: somebody copied a device and left its unit. A controller that serves
    several devices as one unit has other registers for each."""
    found = []
    units: dict[str, list[tuple[Device, frozenset[tuple[str, ...]]]]] = {}
    for device in devices:
        unit = str(device.connection.get("unit", connections.UNIT))
        mine = frozenset(
            tuple(str(form.get(key)) for key in ("table", "register", "bit"))
            for point in device.points
            if (form := point.form.address) is not None
        )
        others = units.setdefault(unit, [])
        for first, theirs in others if mine else ():
            if first.id != device.id and (mine <= theirs or theirs <= mine):
                what = Text(
                    f"unit {unit} is {first.id} already, with the same registers",
                    f"单元 {unit} 已是 {first.id}，且寄存器相同",
                )
                found.append(
                    Complaint(
                        device.id,
                        "",
                        "unit",
                        what,
                        Text("give each device its own unit, or remove one", "请为每台设备分配单元号，或删除其一"),
                    )
                )
                break
        if mine:
            others.append((device, mine))
    return found


def _faults_in_use(device: Device, point: Point, address: Address) -> list[KeyFault]:
    """What is wrong with a sound address for this point of this device."""
    found = []
    if point.kind in _WRITTEN and not address.table.writable:
        instead = Table.COIL if address.table.of_bits else Table.HOLDING
        what = Text(
            f"a {point.kind} cannot stand in table {address.table}, which can only be read",
            f"{point.kind} 类测点不能在只读的表 {address.table} 中",
        )
        found.append(
            KeyFault(
                "table",
                what,
                Text(
                    f"write `table: {instead}`, or kind {_read_kind(address)}",
                    f"请写“table: {instead}”，或类别 {_read_kind(address)}",
                ),
            )
        )
    if address.type is Type.STRING and point.kind is not PointKind.TEXT:
        found.append(
            KeyFault(
                "type",
                Text(f"a {point.kind} cannot be a string", f"{point.kind} 类测点不能是 string"),
                Text("write `kind: text`", "请写“kind: text”"),
            )
        )
    why = trouble(address.table, address.register, address.end, device.blocks)
    if why:
        what = Text(
            f"{address.type} at register {address.register} {why.en}",
            f"寄存器 {address.register} 处的 {address.type}{why.zh}",
        )
        found.append(
            KeyFault(
                "register", what, Text("correct the address, or the device's blocks", "请改正地址，或设备的 blocks")
            )
        )
    return found


def _read_kind(address: Address) -> PointKind:
    return PointKind.STATUS if address.type is Type.BOOL else PointKind.MEASUREMENT


def _clashes(device: Device, sound: Sequence[tuple[Point, Address]]) -> list[Complaint]:
    """Points whose registers overlap in a way that no device can mean: one of the two must be wrong."""
    found = []
    reach: tuple[Point, Address] | None = None
    here: dict[int | None, tuple[Point, Address]] = {}
    """Of the registers at hand: bit, None for the whole -> who has it."""
    for point, address in sorted(sound, key=lambda pair: (pair[1].table, pair[1].register, pair[1].end)):
        if reach is None or _span(reach[1]) != _span(address):
            here = {}
        other = here.setdefault(address.bit, (point, address))
        what: Text | None = None
        if reach and reach[1].table is address.table and address.register < reach[1].end:
            if _span(reach[1]) != _span(address):
                what = Text(
                    f"{_where(address)} overlaps {reach[0].id}, {_where(reach[1])}",
                    f"{_where(address)} 与 {reach[0].id} 重叠：{_where(reach[1])}",
                )
            elif other[0] is not point and not _may_share(*other, point, address):
                what = Text(
                    f"{_where(address)} is {other[0].id} already, as {other[1].type}",
                    f"{_where(address)} 已是 {other[0].id}，类型为 {other[1].type}",
                )
        if what is not None:
            found.append(
                Complaint(
                    device.id,
                    point.name,
                    "register",
                    what,
                    Text("correct one of the two addresses", "请改正两个地址之一"),
                )
            )
        if reach is None or reach[1].table is not address.table or address.end > reach[1].end:
            reach = (point, address)
    return found


def _span(address: Address) -> tuple[Table, int, int]:
    return address.table, address.register, address.end


def _where(address: Address) -> str:
    last = f" to {address.end - 1}" if address.count > 1 else ""
    return f"{address.type} at {address.table} {address.register}{last}"


def _may_share(first: Point, before: Address, second: Point, address: Address) -> bool:
    """Whether two points may mean the same bits: as one type, and one of them is written or has filters of its own."""
    same = (before.type, before.word_order) == (address.type, address.word_order)
    return same and any(point.kind in _WRITTEN or point.form.clean for point in (first, second))
