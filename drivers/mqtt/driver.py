"""The MQTT driver: judges configuration, groups devices by broker, opens links, finds devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from app.model.clock import Clock
from app.model.station import Device
from app.model.text import Text
from drivers.contract import Complaint, Driver, Found, Link, Proposal, unheard
from drivers.mqtt import address as addresses
from drivers.mqtt import connection as connections
from drivers.mqtt.rosters import WRITTEN

_OF_DISCOVERY: Final = ("driver", "topic")


class MqttDriver(Driver):
    """MQTT 3.1.1 and 5."""

    def check(self, device: Device) -> list[Complaint]:
        found = [
            Complaint(device.id, "", fault.key, fault.what, fault.mend)
            for fault in connections.faults(device.connection)
        ]
        for point in (*device.points, *device.texts):
            if point.form.address is not None:
                faults = addresses.faults(point.form.address, device.connection, written=point.kind in WRITTEN)
                found += [Complaint(device.id, point.name, fault.key, fault.what, fault.mend) for fault in faults]
        return found

    def keys(self) -> Mapping[str, object]:
        return connections.OFFERED

    def check_line(self, devices: Sequence[Device]) -> list[Complaint]:
        """Devices that reach one broker by one client id must agree on how."""
        found = []
        for first, other in pairwise(devices):
            for key, ours, theirs in connections.disagreements(first.connection, other.connection):
                what = Text(
                    f"{key} {theirs} at {self.line(other)}, where {first.id} has {ours}",
                    f"{self.line(other)} 上 {key} 为 {theirs}，而 {first.id} 为 {ours}",
                )
                mend = Text(
                    "give all devices of one broker the same, or a `client_id` of their own",
                    "同一代理上的设备应一致，或各用自己的 client_id",
                )
                found.append(Complaint(other.id, "", key, what, mend))
        return found

    def line(self, device: Device) -> str:
        return connections.line_of(device.connection)

    def open(self, devices: Sequence[Device], clock: Clock, *, read_only: bool) -> Link:
        """Raises ValueError where devices of one line disagree about it."""
        from drivers.mqtt.link import MqttLink

        for complaint in self.check_line(devices):
            raise ValueError(f"{complaint.device}: {complaint.what}; {complaint.mend}")
        return MqttLink(connections.broker_of(devices[0].connection), devices, clock, read_only=read_only)

    async def discover(
        self, connection: Mapping[str, Any], clock: Clock, seconds: float, found: Found = unheard
    ) -> Sequence[Proposal]:
        """Listen to everything, or to what `connection` says as `topic`, for this long.

        Raises TransportError, and KeyFault where the connection is wrong.
        """
        from drivers.mqtt.discovery import discover

        for fault in connections.faults({key: value for key, value in connection.items() if key not in _OF_DISCOVERY}):
            raise fault
        return await discover(connection, clock, seconds, found)
