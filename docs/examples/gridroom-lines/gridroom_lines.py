"""A Gridroom driver for instruments that speak lines of text over TCP.

`READ tank.level` is answered by `OK 12.5` or by `ERR unknown name`, `SET pump.speed 40` by `OK`. A station file has
`connection: {driver: lines, host: 192.168.1.40, port: 5025}` and `address: {name: tank.level}`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.model import quality as q
from app.model.clock import Clock
from app.model.durations import parse_duration_s
from app.model.errors import ProtocolError, ReadOnlyError, RefusedByDevice, TransportError
from app.model.station import Device, Point
from app.model.text import Text
from app.model.updates import Updates
from drivers.causes import cause
from drivers.contract import Complaint, Driver, Link, Plan
from drivers.judging import KeyFault, duration_faults, tcp_faults, unknown_key
from drivers.turns import Precedence, Turns

PORT = 5025
TIMEOUT = "1s"
LONGEST_LINE = 1000


class LinesDriver(Driver):
    """Judges configuration and opens links. It does no input or output itself."""

    contract_version = 1

    def check(self, device: Device) -> list[Complaint]:
        found = [Complaint(device.id, "", one.key, one.what, one.mend) for one in _connection_faults(device.connection)]
        for point in device.points:
            if point.form.address is not None:
                faults = _address_faults(point.form.address)
                found += [Complaint(device.id, point.name, one.key, one.what, one.mend) for one in faults]
        return found

    def line(self, device: Device) -> str:
        return f"{device.connection['host']}:{device.connection.get('port', PORT)}"

    def open(self, devices: Sequence[Device], clock: Clock, *, read_only: bool) -> Link:
        return LinesLink(self.line(devices[0]), devices[0].connection, clock, read_only)


def _connection_faults(connection: Mapping[str, Any]) -> list[KeyFault]:
    keys = ("host", "port", "timeout")
    found = [unknown_key(str(key), keys, "connection") for key in connection if key not in keys]
    return found + tcp_faults(connection, PORT) + duration_faults("timeout", connection.get("timeout", TIMEOUT))


def _address_faults(address: Mapping[str, Any]) -> list[KeyFault]:
    found = [unknown_key(str(key), ("name",), "address") for key in address if key != "name"]
    name = address.get("name")
    if not isinstance(name, str) or not name.isascii() or not name.isprintable() or " " in name or not name:
        what = Text(f"name '{name}' is no name of a value", f"name “{name}”不是数值的名称")
        mend = Text("write the instrument's own name for the value, without spaces", "请写仪表自身的数值名称，不含空格")
        found.append(KeyFault("name", what, mend))
    return found


@dataclass(frozen=True)
class LinesPlan(Plan):
    """Nothing to prepare but the words of each request."""

    points: Sequence[Point]
    requests: Sequence[str]


class LinesLink(Link):
    """One connection, one request at a time. Pollable and Writable: it has their methods, nothing else is needed."""

    def __init__(self, name: str, connection: Mapping[str, Any], clock: Clock, read_only: bool) -> None:
        self._name = name
        self._host, self._port = connection["host"], connection.get("port", PORT)
        self._timeout_s = parse_duration_s(connection.get("timeout", TIMEOUT))
        self._clock = clock
        self._read_only = read_only
        self._turns = Turns()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._closed = False
        self._remarks: dict[str, dict[str, Text]] = {}

    async def connect(self) -> None:
        async with self._turns.turn(Precedence.POLL):
            await self._open()

    async def close(self) -> None:
        self._closed = True
        self._drop()
        await asyncio.sleep(0)  # the loop lets go of the socket in its next round

    def plan(self, device: Device, points: Sequence[Point]) -> Plan:
        return LinesPlan(points, [f"READ {_name(point)}" for point in points])

    async def read(self, plan: Plan) -> Updates:
        if not isinstance(plan, LinesPlan):
            raise TypeError(f"{type(plan).__name__} was not made by this link's plan()")
        value, time = np.full(len(plan.points), np.nan), np.zeros(len(plan.points), np.int64)
        for row, (point, request) in enumerate(zip(plan.points, plan.requests, strict=True)):
            remarks = self._remarks.setdefault(point.device, {})
            try:
                value[row] = _number(await self._ask(request, Precedence.POLL)) * point.form.scale + point.form.offset
                remarks.pop(point.name, None)
            except RefusedByDevice as refusal:  # this point alone
                remarks[point.name] = refusal.text
            time[row] = self._clock.now_ns()
        index = np.array([point.index for point in plan.points], np.int32)
        quality = np.where(np.isnan(value), q.IV, q.GOOD).astype(np.uint16)
        return Updates(index, value, quality, time, self._clock.now_ns())

    def remarks(self, device: Device) -> Mapping[str, Text]:
        return dict(self._remarks.get(device.id, {}))

    async def write(self, point: Point, value: float) -> float:
        if self._read_only:
            raise ReadOnlyError(f"{point.name} was not set, because the station is read-only")
        if not math.isfinite(value):
            raise ValueError(f"{point.name} cannot be set to {value}")
        raw = (value - point.form.offset) / point.form.scale
        await self._ask(f"SET {_name(point)} {raw:.9g}", Precedence.COMMAND)
        held = _number(await self._ask(f"READ {_name(point)}", Precedence.COMMAND))
        return held * point.form.scale + point.form.offset

    async def _ask(self, request: str, precedence: Precedence) -> str:
        """What stands behind OK. Raises TransportError, ProtocolError, or RefusedByDevice where it is ERR."""
        async with self._turns.turn(precedence):
            reader, writer = await self._open()
            try:
                async with asyncio.timeout(self._timeout_s):
                    writer.write(f"{request}\n".encode())
                    line = await reader.readline()
            except BaseException as error:
                # Its answer may still come, and would be taken for the next one's: a new connection has none.
                self._drop()
                if isinstance(error, TimeoutError):
                    raise TransportError(self._said(f"no answer to '{request}'", f"对 {request} 无应答")) from None
                if isinstance(error, OSError):
                    raise TransportError(self._said(f"lost: {error}", f"连接断开：{error}")) from None
                if isinstance(error, ValueError):
                    raise ProtocolError(self._said("a line that never ends", "应答行没有结束")) from None
                raise
            if not line.endswith(b"\n"):
                self._drop()
                raise TransportError(self._said("closed by the other side", "连接被对方关闭"))
            word, _, rest = line.decode("ascii", "replace").strip().partition(" ")
            if word == "ERR":
                raise RefusedByDevice(self._said(f"'{request}' is refused: {rest}", f"拒绝 {request}：{rest}"))
            if word != "OK":
                self._drop()
                raise ProtocolError(self._said(f"'{word[:40]}' is no answer", f"{word[:40]} 不是应答"))
            return rest

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._refuse_when_closed()
        if self._streams is None:
            try:
                async with asyncio.timeout(self._timeout_s):
                    streams = await asyncio.open_connection(self._host, self._port, limit=LONGEST_LINE)
            except (OSError, TimeoutError) as error:
                why = cause(error, self._timeout_s)
                raise TransportError(self._said(f"cannot be opened: {why.en}", f"无法打开：{why.zh}")) from None
            self._streams = streams
            self._refuse_when_closed()  # meanwhile
        return self._streams

    def _refuse_when_closed(self) -> None:
        if self._closed:
            self._drop()
            raise TransportError(self._said("closed here", "已由本程序关闭"))

    def _said(self, en: str, zh: str) -> Text:
        """Operators read errors as they stand, in either language."""
        return Text(f"{self._name}: {en}; check that the instrument is on", f"{self._name}：{zh}；请检查仪表是否上电")

    def _drop(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


def _name(point: Point) -> str:
    return str((point.form.address or {})["name"])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ProtocolError(Text(f"'{text[:40]}' is no number", f"{text[:40]} 不是数")) from None
