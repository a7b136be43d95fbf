"""The BACnet driver: judges configuration, groups devices by local address, opens links, looks around."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.model.clock import Clock
from app.model.config import PointKind
from app.model.station import Device
from app.model.text import Text
from drivers.bacnet import address as addresses
from drivers.bacnet import connection as connections
from drivers.bacnet.connection import Peer, interface_of
from drivers.bacnet.discovery import look_around
from drivers.bacnet.link import BacnetLink
from drivers.bacnet.wire import Wires
from drivers.contract import Complaint, Driver, Found, Link, Proposal, unheard


class BacnetDriver(Driver):
    """BACnet/IP. Finds devices by itself (`drivers.contract.Discovering`)."""

    def __init__(self) -> None:
        self._wires = Wires()

    def check(self, device: Device) -> list[Complaint]:
        found = [
            Complaint(device.id, "", fault.key, fault.what, fault.mend)
            for fault in connections.faults(device.connection)
        ]
        for point in (*device.points, *device.texts):
            if point.form.address is not None:
                found += [
                    Complaint(device.id, point.name, fault.key, fault.what, fault.mend)
                    for fault in addresses.faults(point.form.address)
                ]
                if point.kind not in (PointKind.COMMAND, PointKind.SETPOINT) and "priority" in point.form.address:
                    what, mend = (
                        Text(f"a {point.kind} is not written", f"{point.kind} 类测点不写入"),
                        Text("leave `priority` out, or write kind setpoint", "请删除 priority，或写类别 setpoint"),
                    )
                    found.append(Complaint(device.id, point.name, "priority", what, mend))
        return found

    def keys(self) -> Mapping[str, object]:
        return {key: connections.DEFAULTS.get(key) for key in connections.KEYS}

    def check_line(self, devices: Sequence[Device]) -> list[Complaint]:
        """Two devices at one address."""
        found = []
        places: dict[str, Device] = {}
        for device in devices:
            place = Peer.of(device.id, device.connection).place
            first = places.setdefault(str(replace(place, mask=32)), device)
            if first is not device:
                what, mend = (
                    Text(f"{place} is {first.id} already", f"{place} 已是 {first.id}"),
                    Text("correct one of the two, or make them one device", "请改正其一，或合并为一台设备"),
                )
                found.append(Complaint(device.id, "", "address", what, mend))
        return found

    def line(self, device: Device) -> str:
        return str(interface_of(device.connection))

    def open(self, devices: Sequence[Device], clock: Clock, *, read_only: bool) -> Link:
        return BacnetLink(devices, clock, self._wires, read_only=read_only)

    async def discover(
        self, connection: Mapping[str, Any], clock: Clock, seconds: float, found: Found = unheard
    ) -> Sequence[Proposal]:
        """Who answers a Who-Is on the network of `interface`, or at `address` where one is given."""
        return await look_around(self._wires, connection, seconds, found)
