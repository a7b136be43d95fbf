"""Lines opened by tests are closed, and nothing may be left of them."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
import pytest_asyncio

from app.model.clock import Clock, ManualClock
from app.model.station import Device
from drivers.contract import Driver
from drivers.modbus import rtu, rtu_tcp, tcp
from drivers.modbus.link import ModbusLink
from tests.support.devices import device, point
from tests.support.modbus_slave import Slave

Open = Callable[..., ModbusLink]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest_asyncio.fixture
async def open_link(clock: ManualClock) -> AsyncIterator[Open]:
    """`open_link(driver, *devices, read_only=False)`. After the test: no task, thread or open socket is left."""
    links: list[ModbusLink] = []
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))

    def open_(driver: Driver, *devices: Device, read_only: bool = False, its_clock: Clock | None = None) -> ModbusLink:
        for each in devices:
            assert driver.check(each) == []
        link = driver.open(devices, its_clock or clock, read_only=read_only)
        assert isinstance(link, ModbusLink)
        links.append(link)
        return link

    yield open_
    for link in links:
        await link.close()
        await link.close()
    for _ in range(3):
        await asyncio.sleep(0)
    assert unhandled == []
    assert asyncio.all_tasks() - tasks <= {asyncio.current_task()}
    left = {thread for thread in set(threading.enumerate()) - threads if not thread.name.startswith("asyncio_")}
    assert left == set()  # those of the loop's own pool, where names are looked up, end with the loop
    ports = {c.laddr.port for c in psutil.Process().net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    assert [c for c in psutil.Process().net_connections("tcp") if c.raddr and c.raddr.port in ports] == []


KINDS = ("tcp", "rtu_tcp", *(("rtu",) if os.name == "posix" else ()))
"""A serial line is a pseudo-terminal here, which Windows has not."""


@dataclass
class Field:
    """A slave of ours on a line, and how to reach it."""

    slave: Slave
    driver: Driver
    connection: dict[str, Any]
    close: Callable[[], None]
    """Take the line away. May be called twice."""

    def device(self, unit: int, *points: dict[str, Any], blocks: dict[str, Any] | None = None, **more: Any) -> Device:
        """Device `m{unit}`, with a time-out of 200 ms. Without points: holding registers 0 to 9, as u16."""
        connection = {**self.connection, "unit": unit, "timeout": "200ms", **more}
        return device(f"m{unit}", connection, points or registers(range(10)), blocks=blocks)


def registers(numbers: Iterable[int]) -> list[dict[str, Any]]:
    return [point(f"r{n}", {"table": "holding", "register": n, "type": "u16"}) for n in numbers]


Serve = Callable[[str], Awaitable[Field]]


@pytest_asyncio.fixture
async def serve() -> AsyncIterator[Serve]:
    """`await serve("rtu")`: units 1 to 3 on such a line, until the test ends."""
    fields: list[Field] = []

    async def serve_(kind: str) -> Field:
        slave = Slave(rtu=kind != "tcp").units(1, 2, 3)
        if kind == "rtu":
            name, close = slave.open_pty()
            fields.append(Field(slave, rtu(), {"device": name, "baudrate": 115200}, close))
        else:
            server, port = await slave.listen()
            driver = tcp() if kind == "tcp" else rtu_tcp()
            fields.append(Field(slave, driver, {"host": "127.0.0.1", "port": port}, server.close))
        return fields[-1]

    yield serve_
    for field in fields:
        field.slave.drop()
        field.close()
