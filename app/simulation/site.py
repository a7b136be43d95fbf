"""A web server on loopback: the JSON documents of the devices that the station asks at one address."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web
from yarl import URL

from app.model.config import PointKind
from app.model.station import Device, Point
from app.simulation.faults import FaultKind
from app.simulation.registers import DeviceRegisters
from app.simulation.server import HOST, Unit
from drivers.http.address import Address
from drivers.http.polling import with_suffix
from drivers.http.values import GOOD
from drivers.json_path import Path
from drivers.modbus.address import Address as Place

Value = Callable[[], Any]


class Page(Unit):
    """One device: a document for each URL that its points name."""

    def __init__(
        self, device: Device, registers: DeviceRegisters, points: Iterable[tuple[Point, Address, Place]]
    ) -> None:
        super().__init__(device.id)
        self.url = URL(str(device.connection["url"]))
        self._documents: dict[str, list[tuple[Path, Value]]] = {}
        for point, address, place in points:
            at = with_suffix(self.url, address.url).raw_path_qs
            document = self._documents.setdefault(at, [])
            if address.time is not None:
                document.append((address.time, lambda: datetime.now(UTC).isoformat()))
            if address.quality is not None:
                good = address.good[0] if address.good else GOOD[0]
                document.append((address.quality, lambda good=good: good))  # type: ignore[misc]
            document.append((address.path, _value(registers, point, address, place)))

    def document(self, at: str) -> Any:
        """What stands at a path with its query; None where nothing is."""
        if at not in self._documents:
            return None
        whole: Any = {}
        for path, value in self._documents[at]:
            whole = _with(whole, path, value())
        return whole


def _value(registers: DeviceRegisters, point: Point, address: Address, place: Place) -> Value:
    if point.kind is PointKind.TEXT:
        return lambda: registers.text(place)
    words = {number: word for word, number in (address.map or {}).items()}

    def number() -> Any:
        raw = registers.raw(place)
        return words.get(raw, raw)

    return number


def _with(whole: Any, path: Path, value: Any) -> Any:
    """The document with a value at a path; lists grow as far as an index wants."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        here = whole if isinstance(whole, dict) else {}
        here[step] = _with(here.get(step), rest, value)
        return here
    items = whole if isinstance(whole, list) else []
    items += [None] * ((step + 1 if step >= 0 else -step) - len(items))
    items[step] = _with(items[step], rest, value)
    return items


class Site:
    """One listening port for the devices of one origin, with the faults that they were given."""

    def __init__(self, pages: Iterable[Page], seed: int) -> None:
        self.pages: Final = tuple(pages)
        self.port = 0
        self._random = random.Random(seed)
        self._web: web.Server | None = None
        self._server: asyncio.Server | None = None

    async def listen(self, port: int) -> None:
        """Open the port; 0 takes a free one. Raises OSError where it is taken."""
        self._web = web.Server(self._answer, access_log=None)
        self._server = await asyncio.get_running_loop().create_server(self._web, HOST, port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Close the port and every connection. May be called twice."""
        if self._server is not None and self._web is not None:
            self._server.close()
            await self._web.shutdown(0.1)
            await self._server.wait_closed()
            self._server = None

    @property
    def off(self) -> bool:
        """Whether nobody is there at all."""
        return all(page.off for page in self.pages)

    def cut_connections(self) -> None:
        """Break every connection, as a device does that loses power."""
        for connection in self._web.connections if self._web is not None else ():
            if connection.transport is not None:
                connection.transport.abort()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        for page in self.pages:
            document = page.document(request.rel_url.raw_path_qs)
            if document is not None:
                return await self._misbehave(page, request) or web.json_response(document)
        return web.Response(status=404)

    async def _misbehave(self, page: Page, request: web.BaseRequest) -> web.StreamResponse | None:
        faults = page.faults
        if FaultKind.DROP in faults and request.transport is not None:
            request.transport.abort()
        if FaultKind.DROP in faults or FaultKind.SILENT in faults:
            await asyncio.Event().wait()
        if FaultKind.SLOW in faults:
            await asyncio.sleep(faults[FaultKind.SLOW].amount)
        if FaultKind.EXCEPTION in faults:
            return web.Response(status=503)
        if FaultKind.GARBAGE in faults:
            return web.Response(body=self._random.randbytes(200), content_type="application/json")
        return None
