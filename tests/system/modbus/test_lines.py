"""Several units on one line: turns, silence, late answers. Against a slave of ours, over TCP, RTU and both."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from app.model.errors import DeviceError, TransportError
from tests.support import modbus_slave as faults
from tests.support.devices import point, until
from tests.support.modbus_slave import Reply
from tests.system.modbus.conftest import KINDS, Open, Serve, registers

pytestmark = [pytest.mark.asyncio, pytest.mark.parametrize("kind", KINDS)]

_FIRST_TEN = {unit: [1000 * unit + n for n in range(10)] for unit in (1, 2, 3)}


async def test_units_of_one_line_are_read_each_by_itself(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    devices = [field.device(unit, timeout="2s") for unit in (1, 2, 3)]
    link = open_link(field.driver, *devices)
    plans = [link.plan(device, device.points) for device in devices]
    updates = await asyncio.gather(*(link.read(plan) for plan in plans))
    assert [u.value.tolist() for u in updates] == list(_FIRST_TEN.values())
    assert field.slave.connections == (0 if kind == "rtu" else 1)


async def test_all_tables_travel_in_this_framing(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    points = [
        point("coil", {"table": "coil", "register": 12}),
        point("discrete", {"table": "discrete", "register": 13}),
        point("input", {"table": "input", "register": 7, "type": "u16"}),
        point("holding", {"table": "holding", "register": 8, "type": "u16"}),
        point("far", {"table": "holding", "register": 199, "type": "u16"}),
    ]
    device = field.device(2, *points)
    link = open_link(field.driver, device)
    updates = await link.read(link.plan(device, device.points))
    assert updates.value.tolist() == [0, 1, 2007, 2008, 2199]


async def test_a_dead_unit_costs_the_others_one_time_out(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    del field.slave.registers[2]
    numbers = [0, 1, 2, 3, 50, 100, 150]
    living, dead = field.device(1, *registers(numbers)), field.device(2, *registers(numbers))
    link = open_link(field.driver, living, dead)
    plan, dead_plan = link.plan(living, living.points), link.plan(dead, dead.points)
    for _ in range(3):
        field.slave.requests.clear()
        lost, updates = await asyncio.gather(link.read(dead_plan), link.read(plan), return_exceptions=True)
        assert isinstance(lost, TransportError)
        assert lost.device == "m2"
        assert "unit 2" in str(lost)
        assert not isinstance(updates, BaseException)
        assert updates.value.tolist() == [1000 + n for n in numbers]
        assert len([unit for unit, _ in field.slave.requests if unit == 2]) == 1


@pytest.mark.parametrize("delay_s", [0.25, 0.5])
async def test_a_late_answer_is_never_taken_for_another(
    kind: str, serve: Serve, open_link: Open, delay_s: float
) -> None:
    """Blocks of one length, of which the late one would pass for any other."""
    field = await serve(kind)
    device = field.device(1, *registers([*range(10), *range(100, 110)]))
    other = field.device(3)
    link = open_link(field.driver, device, other)
    first = link.plan(device, device.points[:10])
    second = link.plan(device, device.points[10:])
    others = link.plan(other, other.points)
    field.slave.faults[1].append(faults.late(delay_s))
    with pytest.raises(DeviceError):
        await link.read(first)
    answered = 0
    for _ in range(20):
        for plan, expected in (
            (second, [1100 + n for n in range(10)]),
            (others, _FIRST_TEN[3]),
            (first, _FIRST_TEN[1]),
        ):
            try:
                updates = await link.read(plan)
            except DeviceError:
                assert plan is not others
                continue
            assert updates.value.tolist() == expected
            answered += 1
        await asyncio.sleep(0.02)
    assert answered >= 50


async def test_a_unit_that_is_always_late_gives_no_value_rather_than_a_wrong_one(
    kind: str, serve: Serve, open_link: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.modbus.late.PATIENCE_S", 2.0)
    field = await serve(kind)
    device = field.device(1, *registers([0, 1, 100, 101]))
    link = open_link(field.driver, device)
    plans = [link.plan(device, device.points[:2]), link.plan(device, device.points[2:])]
    field.slave.always[1] = faults.late(0.3)
    for turn in range(6):
        with pytest.raises(DeviceError):
            await link.read(plans[turn % 2])
    del field.slave.always[1]
    right = 0
    for turn in range(200):
        try:
            updates = await link.read(plans[turn % 2])
        except DeviceError:
            await asyncio.sleep(0.02)
            continue
        assert updates.value.tolist() == [[1000, 1001], [1100, 1101]][turn % 2]
        right += 1
        if right == 4:
            return
    pytest.fail("the unit did not come back")


async def test_a_late_answer_of_a_single_register_is_waited_out(kind: str, serve: Serve, open_link: Open) -> None:
    """No shorter read exists that would tell them apart."""
    field = await serve(kind)
    device = field.device(1, *registers([0, 100]))
    link = open_link(field.driver, device)
    plans = [link.plan(device, device.points[:1]), link.plan(device, device.points[1:])]
    field.slave.faults[1].append(faults.late(0.3))
    with pytest.raises(DeviceError):
        await link.read(plans[0])
    for _ in range(3):
        assert (await link.read(plans[1])).value.tolist() == [1100]
        assert (await link.read(plans[0])).value.tolist() == [1000]


async def test_a_cancelled_read_leaves_the_line_usable(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    device = field.device(1, *registers([*range(10), *range(100, 110)]))
    link = open_link(field.driver, device)
    first, second = link.plan(device, device.points[:10]), link.plan(device, device.points[10:])
    await link.read(first)
    field.slave.faults[1].append(faults.late(0.1))
    seen = len(field.slave.requests)
    task = asyncio.create_task(link.read(first))
    await until(lambda: len(field.slave.requests) > seen, "a request")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await link.read(second)).value.tolist() == [1100 + n for n in range(10)]
    assert (await link.read(first)).value.tolist() == _FIRST_TEN[1]


async def test_a_command_waits_for_one_request_at_most(kind: str, serve: Serve, open_link: Open) -> None:
    """However many polls wait before it."""
    field = await serve(kind)
    slow = [field.device(unit, *registers(range(0, 200, 20)), timeout="2s") for unit in (1, 3)]
    quick = field.device(2, *registers([5]))
    link = open_link(field.driver, *slow, quick)
    plans = [link.plan(device, device.points) for device in slow for _ in range(2)]
    field.slave.always.update({unit: faults.late(0.02) for unit in (1, 3)})
    polls = [asyncio.create_task(link.read(plan)) for plan in plans]
    await until(lambda: len(field.slave.requests) >= 3, "the third request of the polls")
    before = len(field.slave.requests)
    assert await link.write(quick.points[0], 77) == 77
    unit, pdu = field.slave.requests[before]
    assert (unit, pdu[0]) == (2, 6)
    for unit, poll in zip((1, 1, 3, 3), polls, strict=True):
        assert (await poll).value.tolist() == [1000 * unit + n for n in range(0, 200, 20)]


async def test_a_pause_before_each_request_is_kept(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    device = field.device(1, *registers([0, 50, 100]), gap="60ms")
    link = open_link(field.driver, device)
    loop = asyncio.get_running_loop()
    times: list[float] = []

    def note_time(reply: Reply) -> list[tuple[float, bytes]]:
        times.append(loop.time())
        return [(0, reply.frame)]

    field.slave.always[1] = note_time
    await link.read(link.plan(device, device.points))
    assert len(times) == 3
    assert min(b - a for a, b in pairwise(times)) >= 0.055


async def test_closing_fails_what_is_under_way(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    device = field.device(1, timeout="60s")
    link = open_link(field.driver, device)
    field.slave.always[1] = faults.silent
    plan = link.plan(device, device.points)
    reads = [asyncio.create_task(link.read(plan)) for _ in range(2)]
    await until(lambda: field.slave.requests, "the request")
    await link.close()
    assert all(isinstance(e, TransportError) for e in await asyncio.gather(*reads, return_exceptions=True))
