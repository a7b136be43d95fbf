"""The servers that acquisition is measured against: they answer what the driver asks, change, and end with their parent."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from app.model.clock import SystemClock
from drivers.modbus import tcp
from drivers.modbus.exceptions import words
from drivers.modbus.link import ModbusLink
from tests.support.devices import device, point


@pytest.fixture
def ports() -> Iterator[list[int]]:
    command = [sys.executable, "-m", "app.bench.lean_server", "--ports", "2", "--registers", "200", "--with-parent"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        yield json.loads(process.stdout.readline())
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.mark.asyncio
async def test_the_driver_reads_and_writes_them(ports: list[int]) -> None:
    points = [
        *(point(f"p{n}", {"table": "input", "register": 2 * n, "type": "f32"}) for n in range(100)),
        point("word", {"table": "holding", "register": 200, "type": "u16"}, kind="setpoint"),
        point("long", {"table": "holding", "register": 202, "type": "f32"}, kind="setpoint"),
        point("coil", {"table": "coil", "register": 9}, kind="command"),
        point("beyond", {"table": "holding", "register": 5000, "type": "u16"}),
    ]
    meter = device("m", {"host": "127.0.0.1", "port": ports[1]}, points)
    link = tcp().open([meter], SystemClock(), read_only=False)
    assert isinstance(link, ModbusLink)
    try:
        plan = link.plan(meter, meter.points)
        first = await link.read(plan)
        assert ((first.value[:100] > 400) & (first.value[:100] < 1600)).all()
        assert link.remarks(meter) == {"m.beyond": words(2)}
        for written, value in zip(meter.points[100:103], (7, 2.5, 1), strict=True):
            assert await link.write(written, value) == value
        deadline, later = time.monotonic() + 10, first
        while (later.value[:100] == first.value[:100]).all():
            assert time.monotonic() < deadline, "the values stand still"
            await asyncio.sleep(0.05)
            later = await link.read(plan)
        assert later.value[100:103].tolist() == [7, 2.5, 1]
    finally:
        await link.close()
