"""The HTTP driver: judges configuration, groups devices by server or receiver, opens links."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from app.model.clock import Clock
from app.model.config import PointKind
from app.model.durations import format_duration
from app.model.station import Device, Point
from drivers.contract import Complaint, Driver, Link
from drivers.http import address as addresses
from drivers.http import connection as connections
from drivers.http.connection import Poll, is_hook
from drivers.http.polling import PollLink
from drivers.http.receiving import HookLink
from drivers.judging import KeyFault


class HttpDriver(Driver):
    """Both ways of JSON over HTTP."""

    def check(self, device: Device) -> list[Complaint]:
        found = connections.faults(device.connection)
        complaints = [Complaint(device.id, "", fault.key, fault.what, fault.mend) for fault in found]
        complaints += [
            Complaint(device.id, "", fault.key, fault.what, fault.mend, of_machine=True)
            for fault in connections.missing(device.connection)
        ]
        for point in (*device.points, *device.texts):
            if point.form.address is None:
                continue
            faults = addresses.faults(point.form.address) or _faults_in_use(device, point, judged=not found)
            complaints += [Complaint(device.id, point.name, fault.key, fault.what, fault.mend) for fault in faults]
        return complaints

    def check_line(self, devices: Sequence[Device]) -> list[Complaint]:
        """Devices that could be taken for each other by the one who receives their messages."""
        found = []
        for first, other in combinations([device for device in devices if is_hook(device.connection)], 2):
            ours, theirs = first.connection, other.connection
            if ours["webhook"] == theirs["webhook"]:
                what, mend = f"webhook {theirs['webhook']} is {first.id}'s already", "give each device its own path"
                found.append(Complaint(other.id, "", "webhook", what, mend))
            if ours["secret"] == theirs["secret"]:
                what = f"secret {theirs['secret']} is {first.id}'s already: a message to one would pass for the other"
                found.append(Complaint(other.id, "", "secret", what, "give each device its own secret"))
        return found

    def line(self, device: Device) -> str:
        return connections.line_of(device.connection)

    def open(self, devices: Sequence[Device], clock: Clock, *, read_only: bool) -> Link:
        """Nothing is ever written to an HTTP device, so that `read_only` changes nothing."""
        return HookLink(devices, clock) if is_hook(devices[0].connection) else PollLink(devices, clock)


def _faults_in_use(device: Device, point: Point, *, judged: bool) -> list[KeyFault]:
    """What is wrong with a sound address for this point of this device; `judged`: so is its connection."""
    found = []
    if point.kind in (PointKind.COMMAND, PointKind.SETPOINT):
        what = f"a {point.kind} cannot be written over HTTP"
        found.append(KeyFault("path", what, "write kind measurement or status, or use a driver that can command"))
    if not judged:
        return found
    if is_hook(device.connection):
        if point.kind is PointKind.TEXT:
            found.append(KeyFault("path", "a message of a webhook is not read for texts", "leave the point out"))
        if "url" in (point.form.address or {}):
            found.append(KeyFault("url", "a message of a webhook has no second url", "leave `url` out"))
        return found
    poll = Poll.of(device)
    if "url" in (point.form.address or {}) and poll.url.query_string:
        what = "the connection's url ends in a query, to which nothing can be appended"
        found.append(KeyFault("url", what, "give the query in the `url` of each point instead"))
    if "scan" in point.form.model_fields_set and point.polled and point.form.scan < poll.every_s:
        period = format_duration(poll.every_s)
        what = f"scan {format_duration(point.form.scan)} is more often than the url is asked, every {period}"
        found.append(KeyFault("", what, f"write `scan: {period}` or longer, or make `every` of the connection shorter"))
    return found
