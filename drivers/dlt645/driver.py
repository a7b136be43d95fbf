"""The DL/T 645-2007 driver: judges configuration, groups meters into lines, opens links, finds a meter's address."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from app.model.clock import Clock
from app.model.config import PointKind
from app.model.durations import parse_duration_s
from app.model.errors import DeviceError, ProtocolError, TransportError
from app.model.station import Device, Point
from app.model.text import Text
from drivers.contract import Complaint, Driver, Found, Link, Proposal, unheard
from drivers.dlt645 import address as addresses
from drivers.dlt645 import connection as connections
from drivers.dlt645 import frames, requests
from drivers.dlt645.line import Line
from drivers.dlt645.link import Dlt645Link
from drivers.dlt645.requests import Peer
from drivers.judging import KeyFault

_WRITTEN: Final = (PointKind.COMMAND, PointKind.SETPOINT)
_OF_THE_LINE: Final[dict[str, Any]] = {
    "baudrate": connections.BAUDRATE, "parity": connections.PARITY, "stopbits": connections.STOPBITS,
}  # fmt: skip


class Dlt645Driver(Driver):
    """Meters that speak DL/T 645-2007. Can find a meter's address (`drivers.contract.Discovering`)."""

    def check(self, device: Device) -> list[Complaint]:
        found = [
            Complaint(device.id, "", fault.key, fault.what, fault.mend)
            for fault in connections.faults(device.connection)
        ]
        for point in (*device.points, *device.texts):
            if point.form.address is not None:
                faults = addresses.faults(point.form.address) or _faults_in_use(point)
                found += [Complaint(device.id, point.name, fault.key, fault.what, fault.mend) for fault in faults]
        return found

    def keys(self) -> Mapping[str, object]:
        return connections.OFFERED

    def check_line(self, devices: Sequence[Device]) -> list[Complaint]:
        """Meters of one line that disagree about it, or that have one address."""
        found = []
        for first, other in pairwise(devices):
            for key, default in _OF_THE_LINE.items():
                ours, theirs = first.connection.get(key, default), other.connection.get(key, default)
                if ours != theirs:
                    what = Text(
                        f"{key} {theirs} on {self.line(other)}, where {first.id} has {ours}",
                        f"{self.line(other)} 上 {key} 为 {theirs}，而 {first.id} 为 {ours}",
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
        seen: dict[str, str] = {}
        for device in devices:
            digits = connections.digits(device.connection["address"])
            if digits in seen:
                what = Text(
                    f"address {digits} on {self.line(device)} is that of {seen[digits]} already",
                    f"{self.line(device)} 上的地址 {digits} 已属于 {seen[digits]}",
                )
                found.append(
                    Complaint(
                        device.id, "", "address", what, Text("give each meter its own address", "请为每台表计分配地址")
                    )
                )
            seen.setdefault(digits, device.id)
        return found

    def line(self, device: Device) -> str:
        return connections.line_of(device.connection)

    def open(self, devices: Sequence[Device], clock: Clock, *, read_only: bool) -> Link:
        """Raises ValueError where meters of one line disagree about it. No link of this driver can write."""
        for complaint in self.check_line(devices):
            raise ValueError(f"{complaint.device}: {complaint.what}; {complaint.mend}")
        return Dlt645Link(connections.endpoint_of(devices[0].connection), devices, clock)

    async def discover(
        self, connection: Mapping[str, Any], clock: Clock, seconds: float, found: Found = unheard
    ) -> Sequence[Proposal]:
        """The meter that is alone on this line, found by the wildcard address. `connection` is without `address`.

        Raises TransportError where the line cannot be opened or is wrongly described.
        """
        known = {key: value for key, value in connection.items() if key not in ("driver", "address")}
        for fault in connections.line_faults(known):
            raise TransportError(Text.of(str(fault)))
        timeout_s = parse_duration_s(known.get("timeout", connections.TIMEOUT))
        line = Line(connections.endpoint_of(known))
        answer = None
        try:
            await line.open(timeout_s)
            async with asyncio.timeout(seconds):
                while answer is None:
                    answer = await _asked_for_its_address(line, timeout_s)
        except TimeoutError:
            return ()
        finally:
            await line.close()
        proposal = _proposal(known, answer)
        found(proposal)
        return (proposal,)


def _faults_in_use(point: Point) -> list[KeyFault]:
    """What is wrong with a sound address for this point."""
    if point.kind in _WRITTEN:
        what = Text(
            f"a {point.kind} would be written, which needs the meter's password",
            f"写入 {point.kind} 类测点需要表计口令",
        )
        return [
            KeyFault(
                "di",
                what,
                Text(
                    "this driver only reads: write kind measurement, status, counter or text",
                    "本驱动只读：请写类别 measurement、status、counter 或 text",
                ),
            )
        ]
    return []


async def _asked_for_its_address(line: Line, timeout_s: float) -> bytes | None:
    """What a meter says; None where none did, or several at once."""
    try:
        answer = await line.ask(requests.read_address(Peer("", frames.WILDCARD, timeout_s)))
    except ProtocolError:
        return None
    except DeviceError:
        await asyncio.sleep(0.1)  # nobody there: look again until the time is over
        return None
    return None if answer.refused else answer.data


def _proposal(connection: Mapping[str, Any], address: bytes) -> Proposal:
    digits = frames.address_digits(address)
    device = {
        "id": f"meter_{digits}",
        "name": {"en": f"Meter {digits}", "zh": f"电能表 {digits}"},
        "kind": "meter",
        "template": "dlt645/three_phase",
        "connection": {"driver": "dlt645", **connection, "address": digits},
    }
    line = connections.line_of(connection)
    why = Text(f"a meter answered on {line} with its address {digits}", f"{line} 上的电能表以地址 {digits} 应答")
    return Proposal(device, why)
