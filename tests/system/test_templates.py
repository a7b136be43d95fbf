"""Every template on the wire: served by the simulator, read back by the real driver, point by point.

Each point gets a raw value of its own, so that a register too far, a swapped word, a wrong type, bit or scale shows in
the value of some point. All templates are served at once; each has a server and a connection of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from app.model import quality as q
from app.model.clock import ManualClock
from app.model.loading import TEMPLATES, load_station
from app.model.station import Device, Point, Station
from app.simulation.simulator import Simulator
from drivers.modbus import tcp
from drivers.modbus.address import Address, Type
from drivers.modbus.codec import limits
from drivers.modbus.link import ModbusLink
from tests.support.simulated import standing
from tests.unit.templates.test_templates import MODBUS, NAMES, read

_CONFIDENT = 2.0**53
"""Beyond it not every whole number is a double."""


@dataclass(frozen=True)
class Served:
    """What was put into the registers of one device, and what came back, by point id."""

    put: Mapping[str, float]
    came: Mapping[str, float]
    quality: Mapping[str, int]
    texts: Mapping[str, str]
    remarks: Mapping[str, str]


def station_of_all(folder: Path) -> Station:
    devices = [
        {"id": f"d{number}", "name": name, "template": name, "kind": read(TEMPLATES / f"{name}.yaml").kind.value,
         "connection": {"driver": "modbus-tcp", "host": f"h{number}"}}
        for number, name in enumerate(MODBUS)
    ]  # fmt: skip
    head = {"id": "all", "name": "All", "timezone": "UTC", "location": {"latitude": 0, "longitude": 0}}
    content = {"version": 1, "station": head, "devices": devices}
    (folder / "station.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return load_station(folder).station


def raw_of(point: Point, address: Address) -> float:
    """A value of this point alone that its registers hold exactly."""
    seed = int.from_bytes(hashlib.sha256(point.name.encode()).digest()[:8], "big")
    if address.type is Type.BOOL:
        return float(seed & 1)
    if address.type in (Type.F32, Type.F64):
        return float(np.float32((seed % 2_000_003) / 7.0 - 100_000.0))
    low, high = limits(address)
    low, high = max(low, -_CONFIDENT), min(high, _CONFIDENT)
    return float(int(low) + seed % (int(high) - int(low) + 1))


async def serve_and_read(simulator: Simulator, device: Device) -> Served:
    registers = simulator.panel.image.devices[device.id]
    points = [point for point in device.points if point.polled]
    put = {}
    for point in points:
        address = Address.of(point.form.address or {})
        raw = raw_of(point, address)
        registers.put(address, raw)
        put[point.id] = raw * point.form.scale + point.form.offset
    at = replace(device, connection={**device.connection, **simulator.connections()[device.id], "timeout": "5s"})
    link = tcp().open([at], ManualClock(), read_only=True)
    assert isinstance(link, ModbusLink)
    try:
        await link.connect()
        updates = await link.read(link.plan(at, points))
        texts = await link.read_texts(at)
        ids = [point.id for point in points]
        return Served(
            put,
            dict(zip(ids, updates.value.tolist(), strict=True)),
            dict(zip(ids, updates.quality.tolist(), strict=True)),
            texts,
            dict(link.remarks(at)),
        )
    finally:
        await link.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Device, Served]]:
    """Template -> its device, and what was read of it."""
    station = station_of_all(tmp_path_factory.mktemp("all"))

    async def read_all() -> list[Served]:
        async with standing(station, at="2026-06-03 10:30") as simulator:
            return await asyncio.gather(*(serve_and_read(simulator, device) for device in station.devices))

    found = asyncio.run(read_all())
    return dict(zip(MODBUS, zip(station.devices, found, strict=True), strict=True))


@pytest.mark.parametrize("name", MODBUS)
def test_every_point_of_the_template_is_read_back(name: str, served: dict[str, tuple[Device, Served]]) -> None:
    device, seen = served[name]
    assert seen.remarks == {}
    assert seen.came == pytest.approx(seen.put, rel=1e-12, abs=1e-12)
    assert not any(quality & q.IV for quality in seen.quality.values())
    assert set(seen.texts) == {point.id for point in device.texts}
    assert all(seen.texts.values())


def test_no_template_is_left_out_unseen() -> None:
    """What is not Modbus says so by its driver, and is served elsewhere."""
    others = {name.partition("/")[0] for name in NAMES if name not in MODBUS}
    assert others == {"sunspec", "iec104", "dlt645"}
