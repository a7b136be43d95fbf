"""A simulated station for tests: loaded once, standing still until a test moves it, asked by a client we did not write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cache
from pathlib import Path

from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient

from app.model.loading import load_station
from app.model.station import Device, Point, Station
from app.simulation.simulator import Simulator
from drivers.modbus.address import Address, Table
from drivers.modbus.codec import decode

DEMO = Path(__file__).resolve().parents[2] / "station_configs" / "demo"


@cache
def demo() -> Station:
    """The demo park."""
    return load_station(DEMO).station


def moment(text: str, station: Station | None = None) -> float:
    """UTC seconds of a local time of the station, `2026-06-03 12:00`."""
    zone = (station or demo()).zone
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def standing(station: Station | None = None, at: str = "2026-06-03 10:30", seed: int = 3) -> Simulator:
    """A simulator that only `advance` moves."""
    station = station or demo()
    return Simulator(station, time_factor=0.0, start_s=moment(at, station), seed=seed)


@asynccontextmanager
async def client_of(
    simulator: Simulator, device: Device, *, timeout_s: float = 3.0
) -> AsyncIterator[AsyncModbusTcpClient]:
    """pymodbus' client, connected to where the device is simulated."""
    at = simulator.connections()[device.id]
    framer = FramerType.SOCKET if device.driver == "modbus-tcp" else FramerType.RTU
    client = AsyncModbusTcpClient(str(at["host"]), port=int(at["port"]), framer=framer, timeout=timeout_s, retries=0)
    try:
        await client.connect()
        yield client
    finally:
        client.close()


async def read_raw(client: AsyncModbusTcpClient, device: Device, address: Address) -> list[int]:
    """The registers (or bits) of one address; raises AssertionError at an exception response."""
    ask = {
        Table.COIL: client.read_coils, Table.DISCRETE: client.read_discrete_inputs,
        Table.HOLDING: client.read_holding_registers, Table.INPUT: client.read_input_registers,
    }[address.table]  # fmt: skip
    answer = await ask(address.register, count=address.count, device_id=unit_of(device))
    assert not answer.isError(), f"{device.id} {address}: {answer}"
    found: Sequence[int] = answer.bits[:1] if address.table.of_bits else answer.registers
    return [int(cell) for cell in found]


async def read_point(client: AsyncModbusTcpClient, device: Device, point: Point) -> float:
    """The value of a point, by its own scale."""
    address = Address.of(point.form.address or {})
    cells = await read_raw(client, device, address)
    raw = float(cells[0] >> (address.bit or 0) & 1) if address.bit is not None else decode(address, cells)
    return raw * point.form.scale + point.form.offset


def unit_of(device: Device) -> int:
    return int(device.connection.get("unit", 1))


def point(station: Station, name: str) -> Point:
    """A point by its full name."""
    return station.points[station.by_name[name]]
