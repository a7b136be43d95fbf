"""Devices behind IEC 60870-5-104, and a link whose reports are gathered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.model.clock import SystemClock
from app.model.errors import DeviceError
from app.model.loading import load_station
from app.model.station import Device
from app.model.updates import Updates
from drivers.contract import Link
from drivers.iec104 import iec104

HEAD = """version: 1
station: {id: s, name: S, timezone: Asia/Shanghai, location: {latitude: 0, longitude: 0}}
devices:
"""


def devices(folder: Path, connections: dict[str, str], points: dict[str, list[str]]) -> tuple[Device, ...]:
    """Devices of a station file; `connections` without braces and driver, `points` each `id, kind, address`."""
    lines = []
    for name, connection in connections.items():
        lines.append(f"  - id: {name}\n    name: {name}\n    kind: gateway")
        lines.append(f"    connection: {{driver: iec104, {connection}}}")
        lines.append("    points:" if points[name] else "    points: []")
        for point in points[name]:
            id_, kind, address = point.split(maxsplit=2)
            lines.append(f"      - {{id: {id_}, name: {id_}, kind: {kind}, address: {{{address}}}}}")
    (folder / "station.yaml").write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    return load_station(folder).station.devices


class Listening:
    """A link that is connected, and what its devices report."""

    def __init__(self, of: tuple[Device, ...], *, read_only: bool = False) -> None:
        self.devices = of
        self.link: Any = iec104().open(of, SystemClock(), read_only=read_only)
        self.batches: dict[str, list[Updates]] = {device.id: [] for device in of}
        self.online: dict[str, int] = {device.id: 0 for device in of}
        self.lost: dict[str, DeviceError] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Listening:
        await self.connect()
        return self

    async def connect(self) -> None:
        link: Link = self.link
        await link.connect()
        for device in self.devices:
            self._tasks.append(asyncio.create_task(self._report(device), name=f"report {device.id}"))

    async def __aexit__(self, *_: Any) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.link.close()

    async def _report(self, device: Device) -> None:
        def deliver(updates: Updates) -> None:
            self.batches[device.id].append(updates)
            self._changed.set()

        def online() -> None:
            self.online[device.id] += 1
            self._changed.set()

        try:
            await self.link.report(device, deliver, online)
        except DeviceError as error:
            self.lost[device.id] = error
            self._changed.set()

    async def until(self, wanted: Callable[[], bool], seconds: float = 20.0) -> None:
        async with asyncio.timeout(seconds):
            while not wanted():
                self._changed.clear()
                await self._changed.wait()

    def rows(self, device: str = "a") -> list[tuple[str, float, int, int]]:
        """(point id, value, quality, time) of everything so far."""
        names = {point.index: point.id for one in self.devices for point in one.points}
        batch = Updates.join(self.batches[device])
        columns = (batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), batch.time.tolist())
        return [(names[p], v, q, t) for p, v, q, t in zip(*columns, strict=True)]

    def latest(self, device: str = "a") -> dict[str, tuple[float, int]]:
        """Point id -> value, quality."""
        return {point: (value, quality) for point, value, quality, _ in self.rows(device)}
