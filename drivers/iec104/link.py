"""The link of IEC 60870-5-104: one line to one or more stations, kept by a worker process."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn
from zoneinfo import ZoneInfo

from app.model.clock import Clock
from app.model.errors import GridroomError, ReadOnlyError, TransportError
from app.model.own_points import ONLINE
from app.model.secrets import resolve
from app.model.station import Device, Point
from app.model.text import Text, joined
from drivers.contract import Deliver, Link
from drivers.iec104.address import Address
from drivers.iec104.asdu import Columns
from drivers.iec104.attendance import Attendance
from drivers.iec104.clock import StationClock
from drivers.iec104.connection import Connection
from drivers.iec104.lookup import Lookup, monitored
from drivers.iec104.orders import raw_value
from drivers.iec104.outcomes import Outcome
from drivers.iec104.session import CLOSED_HERE, Retired, Session

log = logging.getLogger("gridroom.iec104")

WORKER_RSS_MB: Final = 300.0
"""Memory at which a worker gives way to a new one: the library is known to leak."""
WORKER_LIFE_S: Final = 60.0
"""How long it lives all the same."""


ANSWER_SHARE: Final = 0.95
"""The library gives up a command before we do, so that nothing is executed that was reported as not known."""


class Iec104Link(Link):
    """One line. Its devices report by themselves, can be commanded, and have clocks that can be set."""

    def __init__(self, devices: Sequence[Device], clock: Clock, *, read_only: bool) -> None:
        """`devices` have been judged, and agree on everything but the common address."""
        self._devices = list(devices)
        self._numbers = {device.id: number for number, device in enumerate(devices)}
        self._connection = Connection.of(devices[0].connection)
        self._read_only = read_only
        zone = ZoneInfo(devices[0].timezone) if self._connection.station_clock else None
        self._lookup = Lookup(devices, StationClock(zone, self._connection.clock_tolerance_s))
        self._zone = zone.key if zone else None
        self._sinks: dict[int, Deliver] = {}
        self._stations = self._attendances()
        self._session: Session | None = None
        self._opening = asyncio.Lock()
        self._keeper: asyncio.Task[NoReturn] | None = None
        self._closed = False

    def _attendances(self) -> dict[int, Attendance]:
        found: dict[int, Attendance] = {}
        for device in self._devices:
            for ca in stations_of(device):
                found.setdefault(ca, Attendance(ca, device.id, self._connection, self._present))
        return found

    def _present(self) -> Session:
        if self._session is None:
            raise self._unconnected()
        return self._session

    def _unconnected(self) -> TransportError:
        host = self._connection.host
        return TransportError(Text(f"there is no connection with {host}", f"与 {host} 未建立连接"))

    # -------------------------------------------------------------------------------------------- the line's life

    async def connect(self) -> None:
        async with self._opening:
            if self._keeper is not None and not self._keeper.done():
                return
            if self._closed:
                raise TransportError(CLOSED_HERE)
            self._session = await Session.open(self._order(), self)
            self._keeper = asyncio.create_task(self._keep(), name=f"iec104 {self._connection.host}")
            self._keeper.add_done_callback(self._lose)

    def _order(self) -> dict[str, Any]:
        """What a worker is told to do (docs/reference/iec104.md, "The pipe")."""
        connection = self._connection
        ways = [(connection.host, connection.port), *([connection.backup] if connection.backup else [])]
        tls = None
        if connection.tls is not None:
            tls = {key: connection.tls.get(key) for key in ("ca", "certificate", "key", "password", "name")}
            try:
                tls["password"] = resolve(tls["password"]) if tls["password"] else None
            except GridroomError as error:
                text = Text(f"TLS cannot be used: {error.text.en}", f"无法使用 TLS：{error.text.zh}")
                raise TransportError(text) from None
        return {
            "role": "controlling",
            "connections": [{"host": host, "port": port, "tls": tls} for host, port in ways],
            "parameters": dict(connection.parameters),
            "answer_s": ANSWER_SHARE * connection.timeout_s,
            "zone": self._zone,
            "read_only": self._read_only,
            "rss_mb": WORKER_RSS_MB,
            "least_life_s": WORKER_LIFE_S,
        }

    async def _keep(self) -> NoReturn:
        """Run the session, and its successors where workers retire, until the line is lost."""
        while True:
            session = self._present()
            tasks = [
                asyncio.create_task(station.run(read_only=self._read_only), name=f"iec104 station {station.ca}")
                for station in self._stations.values()
            ]
            try:
                await session.run()
            except Retired:
                log.info("iec104 worker %d gives way to a new one: its memory has grown", session.worker.pid)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await session.close()
                self._session = None  # not before: where this is cancelled, `close` goes on with it
            self._session = await Session.open(self._order(), self)
            self.switched()

    async def close(self) -> None:
        self._closed = True
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _lose(self, keeper: asyncio.Task[NoReturn]) -> None:
        """The line is over: nobody waits for its stations any more."""
        for station in self._stations.values():
            station.lose(TransportError(_ending(keeper)))

    # -------------------------------------------------------------------------------------------------- reporting

    async def report(self, device: Device, deliver: Deliver, online: Callable[[], None]) -> NoReturn:
        keeper = self._keeper
        if keeper is None:
            raise self._unconnected()
        number = self._numbers[device.id]
        self._sinks[number] = deliver
        try:
            for ca in stations_of(device):
                if keeper.done():
                    raise TransportError(_ending(keeper))
                await self._stations[ca].interrogated()
            online()
            await asyncio.wait([keeper])
            raise TransportError(_ending(keeper))
        finally:
            if self._sinks.get(number) is deliver:
                del self._sinks[number]

    def values(self, columns: Columns, received_ns: int) -> None:
        """As `session.Watcher`: values have come."""
        for number, updates in self._lookup.take(columns, received_ns):
            deliver = self._sinks.get(number)
            if deliver is not None:  # a device that joins later interrogates for itself
                deliver(updates)

    def initialised(self, ca: int) -> None:
        """As `session.Watcher`: what the station had sent before it started anew is no longer true."""
        for station in self._stations.values():
            if ca in (station.ca, 65535):
                station.want()

    def switched(self) -> None:
        """As `session.Watcher`: what came in between is not known."""
        for station in self._stations.values():
            station.want()

    def remarks(self, device: Device) -> Mapping[str, Text]:
        names = {point.name for point, _ in monitored(device)}
        found = {name: why for name, why in self._lookup.mismatched.copy().items() if name in names}
        said = [station.remark for ca in stations_of(device) if (station := self._stations[ca]).remark]
        said += self._strangers()
        if self._session is not None:
            faults = self._session.faults.copy().most_common(3)
            said += [Text(f"{count} ASDUs: {why.en}", f"{count} 个 ASDU：{why.zh}") for why, count in faults]
        if said:
            found[f"{device.id}.{ONLINE}"] = joined(said)
        return found

    def _strangers(self) -> list[Text]:
        strangers = self._lookup.strangers
        if not strangers.count:
            return []
        first = list(strangers.first.items())[:3]
        more = ["..."] if len(strangers.first) > len(first) else []
        en = ", ".join([*(f"{ioa} of station {ca} (type {type_})" for (ca, ioa), type_ in first), *more])
        zh = "、".join([*(f"站 {ca} 信息对象 {ioa}（{type_}）" for (ca, ioa), type_ in first), *more])
        return [
            Text(
                f"{strangers.count} values came for addresses without a point: {en}",
                f"{strangers.count} 个值的地址没有对应测点：{zh}",
            )
        ]

    # -------------------------------------------------------------------------------------------------- commanding

    async def write(self, point: Point, value: float) -> float:
        """Command one point, and return NaN when it is done: what the station then shows comes as a value.

        Raises as `drivers.contract.Writable` says.
        """
        if self._read_only:
            raise ReadOnlyError(f"{point.name} was not written: the station is read-only")
        address = Address.of(point.form.address or {})
        if address.command is None:
            raise ValueError(f"{point.name} cannot be written: it is no command")
        raw = raw_value(point, address.command, value)
        ca = address.ca or self._devices[self._numbers[point.device]].connection["ca"]
        outcome = Outcome(address.type, ca, address.ioa, point.device, address.select)
        request = {
            "do": "command", "ca": ca, "ioa": address.ioa, "type": address.type, "value": raw,
            "qualifier": address.qualifier, "select": address.select,
        }  # fmt: skip
        connection = self._connection
        end_s = connection.execution_s if address.terminates else None
        confirm_s = connection.timeout_s * (2 if address.select else 1)
        await self._present().activate(outcome, request, confirm_s, end_s)
        return math.nan

    async def set_clock(self, device: Device) -> None:
        if self._read_only:
            raise ReadOnlyError(f"the clock of {device.id} was not set: the station is read-only")
        for ca in stations_of(device):
            await self._stations[ca].set_clock()


def _ending(keeper: asyncio.Task[NoReturn]) -> Text:
    """Why the line is over."""
    error = None if keeper.cancelled() else keeper.exception()
    if error is None:
        return CLOSED_HERE
    return error.text if isinstance(error, GridroomError) else Text.of(f"{type(error).__name__}: {error}")


def stations_of(device: Device) -> list[int]:
    """The common addresses that a device has points in, its own first."""
    addresses = [Address.of(point.form.address) for point in device.points if point.form.address is not None]
    return list(dict.fromkeys([device.connection["ca"], *(address.ca for address in addresses if address.ca)]))
