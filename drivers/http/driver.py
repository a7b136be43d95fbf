"""The HTTP driver: judges configuration, groups devices by server or receiver, opens links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from app.model.clock import Clock
from app.model.config import PointKind
from app.model.durations import format_duration
from app.model.station import Device, Point
from app.model.text import Text
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

    def keys(self) -> Mapping[str, object]:
        return connections.OFFERED

    def check_line(self, devices: Sequence[Device]) -> list[Complaint]:
        """Devices that could be taken for each other by the one who receives their messages."""
        found = []
        for first, other in combinations([device for device in devices if is_hook(device.connection)], 2):
            ours, theirs = first.connection, other.connection
            if ours["webhook"] == theirs["webhook"]:
                what, mend = (
                    Text(
                        f"webhook {theirs['webhook']} is {first.id}'s already",
                        f"webhook {theirs['webhook']} 已属于 {first.id}",
                    ),
                    Text("give each device its own path", "请为每台设备分配路径"),
                )
                found.append(Complaint(other.id, "", "webhook", what, mend))
            if ours["secret"] == theirs["secret"]:
                what = Text(
                    f"secret {theirs['secret']} is {first.id}'s already: a message to one would pass for the other",
                    f"secret {theirs['secret']} 已属于 {first.id}：发给一方的消息会被当作另一方的",
                )
                found.append(
                    Complaint(
                        other.id, "", "secret", what, Text("give each device its own secret", "请为每台设备分配机密")
                    )
                )
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
        what = Text(f"a {point.kind} cannot be written over HTTP", f"{point.kind} 类测点不能通过 HTTP 写入")
        found.append(
            KeyFault(
                "path",
                what,
                Text(
                    "write kind measurement or status, or use a driver that can command",
                    "请写类别 measurement 或 status，或使用可下发命令的驱动",
                ),
            )
        )
    if not judged:
        return found
    if is_hook(device.connection):
        if point.kind is PointKind.TEXT:
            found.append(
                KeyFault(
                    "path",
                    Text("a message of a webhook is not read for texts", "webhook 消息不读取文本"),
                    Text("leave the point out", "请删除该测点"),
                )
            )
        if "url" in (point.form.address or {}):
            found.append(
                KeyFault(
                    "url",
                    Text("a message of a webhook has no second url", "webhook 消息没有第二个 url"),
                    Text("leave `url` out", "请删除 url"),
                )
            )
        return found
    poll = Poll.of(device)
    if "url" in (point.form.address or {}) and poll.url.query_string:
        what = Text(
            "the connection's url ends in a query, to which nothing can be appended",
            "连接的 url 以查询结尾，不能再附加",
        )
        found.append(
            KeyFault(
                "url", what, Text("give the query in the `url` of each point instead", "请改在各测点的 url 中给出查询")
            )
        )
    if "scan" in point.form.model_fields_set and point.polled and point.form.scan < poll.every_s:
        period = format_duration(poll.every_s)
        what = Text(
            f"scan {format_duration(point.form.scan)} is more often than the url is asked, every {period}",
            f"扫描周期 {format_duration(point.form.scan)} 比 url 的轮询周期 {period} 更短",
        )
        found.append(
            KeyFault(
                "",
                what,
                Text(
                    f"write `scan: {period}` or longer, or make `every` of the connection shorter",
                    f"请写“scan: {period}”或更长，或缩短连接的 every",
                ),
            )
        )
    return found
