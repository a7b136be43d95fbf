"""The driver of IEC 60870-5-104: judges configuration, groups devices into lines, opens links."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Final

from app.model.clock import Clock
from app.model.config import PointKind
from app.model.station import Device, Point
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
            what = "a text cannot be read over IEC 60870-5-104"
            found.append(Complaint(device.id, point.name, "", what, "leave the point out"))
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
                    what = f"{said} on {self.line(other)}, where {first.id} has {ours if ours is not None else 'none'}"
                    found.append(Complaint(other.id, "", key, what, "give all devices of one line the same"))
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
        what = f"IEC 60870-5-104 needs the library {LIBRARY}, which is not installed"
        mend = "run `python3 run.py setup` again, or install the extra 'iec104'; it is not made for every system"
        found.append(KeyFault("driver", what, mend))
    return [Complaint(device.id, "", fault.key, fault.what, fault.mend, of_machine=True) for fault in found]


def _faults_in_use(point: Point, address: Address) -> list[KeyFault]:
    """What is wrong with a sound address for this point."""
    if point.kind in _WRITTEN and address.command is None:
        mend = "write a type such as C_SC_NA_1 or C_SE_NC_1, or another kind"
        return [KeyFault("type", f"a {point.kind} cannot be of a monitored type", mend)]
    if point.kind not in _WRITTEN and address.command is not None:
        mend = "write `kind: command` or `kind: setpoint`"
        return [KeyFault("type", f"a {point.kind} cannot be of the command type {address.command.name}", mend)]
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
                what = f"{address.ioa} of station {ca} is {other.name} already"
                found.append(Complaint(device.id, point.name, "ioa", what, "correct one of the two addresses"))
    return found
