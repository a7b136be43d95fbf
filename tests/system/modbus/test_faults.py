"""What a device answers that it should not, and what it refuses. Against a slave of ours, over TCP, RTU and both."""

from __future__ import annotations

import asyncio
import math
from random import Random

import pytest

from app.model import quality as q
from app.model.clock import ManualClock
from app.model.errors import DeviceError, ProtocolError, ReadOnlyError, RefusedByDevice, TransportError
from drivers.modbus import requests
from drivers.modbus.address import Address
from drivers.modbus.connection import Kind, endpoint_of, peer_of
from drivers.modbus.exceptions import words as refusal
from drivers.modbus.line import Line
from drivers.modbus.polling import RETRY_REFUSED_NS
from drivers.turns import Precedence
from tests.support import modbus_slave as faults
from tests.support.devices import point
from tests.support.modbus_slave import Fault, Reply
from tests.system.modbus.conftest import KINDS, Open, Serve, registers

pytestmark = pytest.mark.asyncio
every_kind = pytest.mark.parametrize("kind", KINDS)

_FIRST_TEN = {unit: [1000 * unit + n for n in range(10)] for unit in (1, 2, 3)}


_UNTRUSTED = [
    (faults.wrong_unit, "by unit 2", KINDS),
    (faults.wrong_function, "with function 4 instead of 3", KINDS),
    (faults.short, "with 20 bytes instead of 22", KINDS),
    (faults.wrong_count, "18 instead of 20|no frame|unfinished", KINDS),
    (faults.half, "unfinished frame", KINDS),
    (faults.garbage, "no frame|unfinished|no Modbus TCP header", KINDS),
    (faults.bad_checksum, "no frame|unfinished", KINDS[1:]),
    (faults.wrong_transaction, "only with transaction", KINDS[:1]),
]


@pytest.mark.parametrize(
    ("kind", "fault", "words"), [(kind, fault, words) for fault, words, kinds in _UNTRUSTED for kind in kinds]
)
async def test_an_answer_that_cannot_be_trusted_is_no_value_and_the_next_one_is(
    serve: Serve, open_link: Open, *, kind: str, fault: Fault, words: str
) -> None:
    field = await serve(kind)
    device = field.device(1)
    link = open_link(field.driver, device)
    plan = link.plan(device, device.points)
    field.slave.faults[1].append(fault)
    with pytest.raises(ProtocolError, match=words) as caught:
        await link.read(plan)
    assert caught.value.device == "m1"
    assert "; check" in str(caught.value) or ": check its firmware" in str(caught.value), "what to do about it"
    assert "应答不对" in caught.value.text.zh and "请" in caught.value.text.zh, "and in Chinese"
    for _ in range(3):
        assert (await link.read(plan)).value.tolist() == _FIRST_TEN[1]


@pytest.mark.parametrize(
    ("kind", "fault"),
    [(kind, fault) for kind in KINDS for fault in (faults.torn, faults.late(0.1))]
    + [(kind, faults.noise_before) for kind in KINDS[1:]],
)
async def test_an_answer_in_pieces_late_in_time_or_after_noise_is_good(
    kind: str, serve: Serve, open_link: Open, fault: Fault
) -> None:
    field = await serve(kind)
    device = field.device(1)
    link = open_link(field.driver, device)
    field.slave.faults[1].append(fault)
    assert (await link.read(link.plan(device, device.points))).value.tolist() == _FIRST_TEN[1]


@every_kind
async def test_a_bit_is_written_without_another_command_in_between(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    bits = [point(f"b{n}", {"table": "holding", "register": 4, "bit": n}, kind="command") for n in range(4)]
    device = field.device(1, *bits)
    link = open_link(field.driver, device)
    field.slave.registers[1][4] = 0xF000
    await asyncio.gather(*(link.write(each, 1) for each in device.points))
    assert field.slave.registers[1][4] == 0xF00F


@every_kind
async def test_a_write_that_is_not_answered_is_not_repeated(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    device = field.device(1)
    link = open_link(field.driver, device)
    await link.read(link.plan(device, device.points))  # a busy machine may need longer to open than to answer
    field.slave.faults[1].append(faults.silent)
    with pytest.raises(TransportError, match="not answered within"):
        await link.write(device.points[3], 5)
    assert len(field.slave.writes) == 1
    assert await link.write(device.points[4], 6) == 6


@every_kind
async def test_a_write_whose_read_back_fails_says_that_it_was_written(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    device = field.device(1)
    link = open_link(field.driver, device)
    field.slave.faults[1].extend([lambda reply: [(0, reply.frame)], faults.silent])
    with pytest.raises(TransportError, match=r"m1\.r3 was written, but not read back"):
        await link.write(device.points[3], 5)


@every_kind
async def test_a_read_only_link_puts_no_write_on_the_wire(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    points = [
        point("word", {"table": "holding", "register": 4, "type": "u16"}, kind="setpoint"),
        point("long", {"table": "holding", "register": 6, "type": "f32"}, kind="setpoint"),
        point("bit", {"table": "holding", "register": 9, "bit": 1}, kind="command"),
        point("coil", {"table": "coil", "register": 4}, kind="command"),
        point("coils", {"table": "coil", "register": 5, "write": "multiple"}, kind="command"),
    ]
    device = field.device(1, *points)
    link = open_link(field.driver, device, read_only=True)
    await link.read(link.plan(device, device.points))
    for each in device.points:
        with pytest.raises(ReadOnlyError):
            await link.write(each, 1)
    await link.read(link.plan(device, device.points))
    assert field.slave.requests
    assert field.slave.writes == []


@every_kind
async def test_the_line_itself_refuses_writes(kind: str, serve: Serve) -> None:
    """The last gate before the socket, whoever stands before it."""
    field = await serve(kind)
    device = field.device(1)
    line = Line(endpoint_of(Kind(f"modbus-{kind.replace('_', '-')}"), device.connection), read_only=True)
    word = Address.of({"table": "holding", "register": 4, "type": "u16"})
    try:
        await line.ask(requests.read(peer_of(device), word.table, 4, 1), Precedence.POLL)
        with pytest.raises(ReadOnlyError, match="m1: function 6 was not sent"):
            await line.ask(requests.write(peer_of(device), word, [1]), Precedence.COMMAND)
    finally:
        await line.close()
    assert [pdu[0] for _, pdu in field.slave.requests] == [3]


@every_kind
async def test_bad_registers_are_found_left_out_and_found_again_when_they_heal(
    kind: str, serve: Serve, open_link: Open, clock: ManualClock
) -> None:
    field = await serve(kind)
    memory = field.slave.registers[1]
    for hole in (13, 14, 31):
        del memory[hole]
    del memory[45]  # within a gap: no point stands on it
    device = field.device(1, *registers([*range(40), 44, 46]))
    link = open_link(field.driver, device)
    plan = link.plan(device, device.points)
    bad = {13, 14, 31}
    updates = await link.read(plan)
    assert {n for n in range(40) if updates.quality[n]} == bad
    assert updates.quality[13] == q.IV
    assert math.isnan(updates.value[13])
    assert updates.value[-2:].tolist() == [1044, 1046]
    assert link.remarks(device) == {f"m1.r{n}": refusal(2) for n in bad}

    field.slave.requests.clear()
    await link.read(plan)
    asked = {n for _, pdu in field.slave.requests for n in range(pdu[2], pdu[2] + pdu[4])}
    assert not asked & bad

    memory.update({n: 5000 + n for n in bad})
    clock.advance(RETRY_REFUSED_NS / 1e9 - 1)
    updates = await link.read(plan)
    assert {n for n in range(40) if updates.quality[n]} == bad
    clock.advance(2)
    updates = await link.read(plan)
    assert not updates.quality.any()
    assert updates.value[13] == 5013
    assert link.remarks(device) == {}


@every_kind
async def test_a_device_that_takes_shorter_reads_than_it_was_asked_is_read_in_shorter_ones(
    kind: str, serve: Serve, open_link: Open
) -> None:
    field = await serve(kind)
    device = field.device(1, *registers(range(20)))
    link = open_link(field.driver, device)
    plan = link.plan(device, device.points)
    field.slave.always[1] = lambda reply: faults.refuse(3)(reply) if reply.pdu[1] > 2 * 6 else [(0, reply.frame)]
    for refused in (3, 0):
        field.slave.requests.clear()
        assert (await link.read(plan)).value.tolist() == [1000 + n for n in range(20)]
        assert len([pdu for _, pdu in field.slave.requests if pdu[4] > 6]) == refused
    assert link.remarks(device) == {}


@every_kind
async def test_what_stays_refused_is_asked_for_seldom(
    kind: str, serve: Serve, open_link: Open, clock: ManualClock
) -> None:
    field = await serve(kind)
    del field.slave.registers[1][5]
    device = field.device(1)
    link = open_link(field.driver, device)
    plan = link.plan(device, device.points)
    await link.read(plan)
    clock.advance(RETRY_REFUSED_NS / 1e9 + 1)
    for retried in (1, 0):
        field.slave.requests.clear()
        await link.read(plan)
        assert sum(pdu[2] == 5 for _, pdu in field.slave.requests) == retried


@every_kind
async def test_a_busy_device_is_not_split(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    device = field.device(1)
    link = open_link(field.driver, device)
    plan = link.plan(device, device.points)
    field.slave.faults[1].append(faults.refuse(6))
    with pytest.raises(RefusedByDevice, match="exception 6, server device busy"):
        await link.read(plan)
    assert len(field.slave.requests) == 1
    assert (await link.read(plan)).value.tolist() == _FIRST_TEN[1]


@every_kind
async def test_forbidden_registers_are_not_asked_for(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    device = field.device(1, *registers([0, 4, 5]), blocks={"forbidden": [[2, 3]]})
    link = open_link(field.driver, device)
    await link.read(link.plan(device, device.points))
    assert [(pdu[2], pdu[4]) for _, pdu in field.slave.requests] == [(0, 1), (4, 2)]


@every_kind
async def test_no_noise_gets_past_the_driver(kind: str, serve: Serve, open_link: Open) -> None:
    """Whatever a device sends, a read gives the right values or a DeviceError."""
    field = await serve(kind)
    device = field.device(1, timeout="20ms")
    link = open_link(field.driver, device)
    plan = link.plan(device, device.points)
    random = Random(kind)

    def noise(reply: Reply) -> list[tuple[float, bytes]]:
        frame = bytearray(reply.frame)
        for _ in range(random.randrange(1, 4)):
            at = random.randrange(len(frame))
            change = random.randrange(4)
            if change == 0:
                frame[at] ^= 1 << random.randrange(8)
            elif change == 1:
                del frame[at:]
            elif change == 2:
                frame[at:at] = random.randbytes(random.randrange(1, 9))
            else:
                frame += reply.frame[: random.randrange(len(reply.frame))]
            frame = frame or bytearray(b"\0")
        return [(0, bytes(frame))]

    read = 0
    for turn in range(150):
        field.slave.faults[1].append(noise if turn % 3 else lambda reply: [(0, reply.frame)])
        try:
            updates = await link.read(plan)
        except DeviceError:
            continue
        good = updates.quality == 0
        if kind != "tcp":  # Modbus TCP itself has no checksum: a changed bit in a value stays unseen
            assert updates.value[good].tolist() == [n for n, ok in zip(_FIRST_TEN[1], good, strict=True) if ok]
        read += 1
    assert read >= 20
    field.slave.faults[1].clear()
    field.slave.always.clear()
