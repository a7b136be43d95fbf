"""Lines that break, hang, or were never there."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from app.model.errors import DeviceError, TransportError
from drivers.modbus import rtu
from drivers.modbus.wire import Wire
from tests.support import modbus_slave as faults
from tests.support.devices import device
from tests.support.modbus_slave import Reply
from tests.system.modbus.conftest import Open, Serve, registers

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("kind", ["tcp", "rtu_tcp"])
async def test_a_dropped_connection_is_told_at_once_and_opened_again(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    meter = field.device(1, timeout="60s")
    link = open_link(field.driver, meter)
    plan = link.plan(meter, meter.points)

    def restart(reply: Reply) -> list[tuple[float, bytes]]:
        field.slave.drop()
        return []

    field.slave.always[1] = restart
    with pytest.raises(TransportError, match="closed"):
        await link.read(plan)
    field.slave.always.clear()
    assert (await link.read(plan)).value[0] == 1000
    assert field.slave.connections == 2


@pytest.mark.parametrize("kind", ["tcp", "rtu_tcp"])
async def test_a_connection_that_leads_nowhere_is_opened_again(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    meter = field.device(1, timeout="50ms")
    link = open_link(field.driver, meter)
    plan = link.plan(meter, meter.points)
    field.slave.always[1] = faults.silent
    for _ in range(3):
        with pytest.raises(DeviceError):
            await link.read(plan)
    assert field.slave.connections == 2


@pytest.mark.parametrize("kind", ["tcp", "rtu_tcp"])
async def test_a_dead_unit_does_not_cost_the_living_one_its_connection(
    kind: str, serve: Serve, open_link: Open
) -> None:
    field = await serve(kind)
    living, dead = field.device(1, timeout="50ms"), field.device(9, timeout="50ms")
    link = open_link(field.driver, living, dead)
    plan, dead_plan = link.plan(living, living.points), link.plan(dead, dead.points)
    for _ in range(4):
        with pytest.raises(TransportError):
            await link.read(dead_plan)
        await link.read(plan)
    assert field.slave.connections == 1


async def test_devices_of_one_closed_port_fail_together(
    serve: Serve, open_link: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not each after another's time-out: who waited while it could not be opened fails with it."""
    opened = []

    class Counting(Wire):
        async def open(self, timeout_s: float) -> None:
            opened.append(timeout_s)
            await super().open(timeout_s)

    monkeypatch.setattr("drivers.modbus.line.Wire", Counting)
    field = await serve("tcp")
    field.close()
    meters = [field.device(unit) for unit in (1, 2, 3)]
    link = open_link(field.driver, *meters)
    plans = [link.plan(meter, meter.points) for meter in meters]
    errors = await asyncio.gather(*(link.read(plan) for plan in plans), return_exceptions=True)
    assert [getattr(error, "device", None) for error in errors] == ["m1", "m2", "m3"]
    assert len({str(error) for error in errors}) == 1
    assert len(opened) == 1


@pytest.mark.skipif(os.name != "posix", reason="serial lines are pseudo-terminals here")
async def test_a_serial_port_that_is_not_there_is_named(open_link: Open, tmp_path: Path) -> None:
    port = str(tmp_path / "ttyUSB7")
    meter = device("m1", {"device": port}, registers([0]))
    link = open_link(rtu(), meter)
    with pytest.raises(TransportError, match="ttyUSB7 cannot be opened: there is no such port"):
        await link.connect()


@pytest.mark.skipif(os.name != "posix", reason="serial lines are pseudo-terminals here")
async def test_a_serial_line_may_be_closed_as_soon_as_it_is_open(serve: Serve, open_link: Open) -> None:
    field = await serve("rtu")
    link = open_link(field.driver, field.device(1))
    await link.connect()
    await link.close()


async def test_a_line_closed_while_it_opens_does_not_stay_open(serve: Serve, open_link: Open) -> None:
    field = await serve("tcp")
    link = open_link(field.driver, field.device(1))
    opening = asyncio.create_task(link.connect())
    await asyncio.sleep(0)
    await link.close()
    with pytest.raises(TransportError, match="closed here"):
        await opening


async def test_a_host_that_does_not_answer_is_named(open_link: Open, serve: Serve) -> None:
    field = await serve("tcp")
    field.connection["host"] = "no-such-host.invalid"
    link = open_link(field.driver, field.device(1, timeout="5s"))
    with pytest.raises(TransportError, match=r"no-such-host\.invalid:\d+ cannot be opened: .+; check"):
        await link.connect()


@pytest.mark.skipif(os.name != "posix", reason="serial lines are pseudo-terminals here")
async def test_an_adapter_that_is_pulled_out_is_told_at_once(serve: Serve, open_link: Open) -> None:
    field = await serve("rtu")
    meter = field.device(1, timeout="60s")
    link = open_link(field.driver, meter)
    plan = link.plan(meter, meter.points)
    await link.read(plan)
    field.close()
    with pytest.raises(TransportError, match="closed|lost"):
        await link.read(plan)
    with pytest.raises(TransportError, match="cannot be opened"):
        await link.read(plan)
