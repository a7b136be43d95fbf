"""Against the meter of the package dlt645, which this project did not write: over TCP and on a serial line."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from collections.abc import Iterator
from typing import Any

import pytest
from dlt645 import MeterServerService
from dlt645.model.types.dlt645_type import Demand

from app.model import quality as q
from drivers.contract import Discovering
from drivers.dlt645 import dlt645
from drivers.dlt645.frames import address_bytes
from tests.support.devices import device, point
from tests.system.dlt645.conftest import Open

ADDRESS = "202411110002"
VALUES = {
    0x00000000: -50.5, 0x00010000: 123456.78, 0x00010100: 11.25, 0x00010400: 0.01, 0x00020000: 3.0, 0x00030000: -7.5,
    0x02010100: 220.5, 0x02010200: 221.0, 0x02010300: 219.9, 0x02020100: 5.125, 0x02020300: -5.25,
    0x02030000: -12.3456, 0x02040000: 1.5, 0x02050000: 13.0, 0x02060000: -0.987, 0x02800002: 50.02, 0x02800007: -12.5,
}  # fmt: skip
POINTS = [point(f"x{di:08x}", {"di": f"{di:08X}"}) for di in VALUES]
BLOCKS = [
    point("u_b", {"di": "0201FF00", "field": 1}),
    point("u_c", {"di": "0201FF00", "field": 2}),
    point("e_4", {"di": "0001FF00", "field": 4}),
    point("d_kw", {"di": "01010000"}),
    point("d_time", {"di": "01010000", "type": "time"}),
    point("frozen", {"di": "05060101"}),
]


def fill(service: MeterServerService) -> MeterServerService:
    service.set_address(bytearray(address_bytes(ADDRESS)))
    for di, value in VALUES.items():
        assert (service.set_00 if di < 0x01000000 else service.set_02)(di, value)
    assert service.set_01(0x01010000, Demand(78.0, dt.datetime(2024, 5, 1, 13, 45)))  # noqa: DTZ001
    assert service.set_04(0x04000402, "000987654321")
    return service


@pytest.fixture(scope="module")
def meter() -> Iterator[dict[str, Any]]:
    """The connection of a meter of the package behind TCP."""
    service = fill(MeterServerService.new_tcp_server("127.0.0.1", 0, 5.0))
    assert service.start()
    yield {"host": "127.0.0.1", "port": service.server.port, "address": ADDRESS}
    service.stop()


@pytest.mark.asyncio
async def test_every_kind_of_value_is_what_the_meter_was_given(meter: dict[str, Any], open_link: Open) -> None:
    made = device("m", meter, POINTS)
    link = open_link(made)
    updates = await link.read(link.plan(made, made.points))
    assert updates.value.tolist() == list(VALUES.values())
    assert updates.quality.tolist() == [q.GOOD] * len(VALUES)


@pytest.mark.asyncio
async def test_a_meter_without_blocks_is_asked_for_their_values(meter: dict[str, Any], open_link: Open) -> None:
    """The package knows no block and no frozen data: it says so, and what can be had otherwise is had."""
    made = device("m", meter, [*BLOCKS, point("number", {"di": "04000402"}, kind="text")])
    link = open_link(made)
    plan = link.plan(made, made.points)
    for _ in range(2):
        updates = await link.read(plan)
        assert updates.value[:5].tolist() == [221.0, 219.9, 0.01, 78.0, 2405011345]
        assert updates.quality.tolist() == [q.GOOD] * 5 + [q.IV]
        assert list(link.remarks(made)) == ["m.frozen"]
    assert await link.read_texts(made) == {"number": "000987654321"}


@pytest.mark.asyncio
async def test_the_meter_alone_on_its_line_is_found(meter: dict[str, Any]) -> None:
    driver = dlt645()
    assert isinstance(driver, Discovering)
    asked = {key: value for key, value in meter.items() if key != "address"}
    (found,) = await driver.discover(asked, None, 5.0)  # type: ignore[arg-type]
    assert found.device["connection"] == {"driver": "dlt645", **asked, "address": ADDRESS}
    assert ADDRESS in found.why.en


if os.name == "posix":  # a serial line is a pseudo-terminal here, which Windows has not

    @pytest.mark.asyncio
    async def test_the_same_on_a_serial_line(wired: tuple[str, str], open_link: Open) -> None:
        theirs, ours = wired
        service = fill(MeterServerService.new_rtu_server(theirs, 8, 1, 2400, "N", 1.0))
        assert await asyncio.to_thread(service.start)
        try:
            made = device("m", {"device": ours, "parity": "N", "address": ADDRESS}, POINTS)
            link = open_link(made)
            updates = await link.read(link.plan(made, made.points))
        finally:
            await asyncio.to_thread(service.stop)
        assert updates.value.tolist() == list(VALUES.values())
