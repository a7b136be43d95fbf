"""Modbus TCP against pymodbus' own server: a peer that we did not write."""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from app.model import quality as q
from app.model.clock import ManualClock
from app.model.errors import ReadOnlyError, RefusedByDevice, TransportError
from app.model.text import Text
from drivers.contract import Writable
from drivers.modbus import tcp
from drivers.modbus.exceptions import words as refusal
from tests.support.devices import device, point
from tests.system.modbus.conftest import Open


class Peer:
    """pymodbus' server: 200 registers of number 100 + n in unit 1, holding and input; 64 coils and discrete inputs."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[tuple[int, int, int, bool]] = []
        """(function, address, count, writes) of everything that reached the device."""
        self.refuse: dict[int, ExcCodes] = {}
        """Function -> what it is refused with."""
        self.server: ModbusTcpServer | None = None

    async def start(self, registers: list[SimData] | None = None) -> None:
        words = registers or [SimData(0, values=[100 + n for n in range(200)], datatype=DataType.REGISTERS)]
        bits = [SimData(0, values=[n % 3 == 0 for n in range(64)], datatype=DataType.BITS)]
        unit = SimDevice(1, (list(bits), list(bits), list(words), list(words)), action=self._watch)
        self.server = ModbusTcpServer(unit, address=("127.0.0.1", 0))
        await self.server.serve_forever(background=True)
        self.port = self.server.transport.sockets[0].getsockname()[1]  # type: ignore[attr-defined]

    async def stop(self) -> None:
        if self.server:
            await self.server.shutdown()  # type: ignore[no-untyped-call]
            self.server = None
        await asyncio.sleep(0)

    async def _watch(self, function: int, _: int, address: int, count: int, __: Any, values: Any) -> ExcCodes | None:
        self.asked.append((function, address, count, values is not None))
        return self.refuse.get(function)


@pytest_asyncio.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    await peer.start()
    yield peer
    await peer.stop()


def _floats(*values: float) -> list[int]:
    return [int(word) for word in struct.unpack(f">{2 * len(values)}H", struct.pack(f">{len(values)}f", *values))]


@pytest.mark.asyncio
async def test_every_table_and_type_is_read(peer: Peer, open_link: Open, clock: ManualClock) -> None:
    await peer.stop()
    words = [*_floats(230.5, -1.25), 0xFFFE, 0, 7, 1, 2, 3, 4, 0x534E, 0x3432, 0b1010, 7]
    await peer.start([SimData(0, values=words, datatype=DataType.REGISTERS)])
    points = [
        point("f_in", {"table": "input", "register": 2, "type": "f32"}),
        point("volts", {"table": "holding", "register": 0, "type": "f32"}, scale=0.1, offset=10),
        point("i", {"table": "holding", "register": 4, "type": "i16"}),
        point("u", {"table": "holding", "register": 5, "type": "u32"}),
        point("swapped", {"table": "input", "register": 5, "type": "u32", "word_order": "little"}),
        point("long", {"table": "holding", "register": 7, "type": "u64"}),
        point("b1", {"table": "holding", "register": 13, "bit": 1}, kind="status"),
        point("b2", {"table": "holding", "register": 13, "bit": 2}, kind="status"),
        point("coil", {"table": "coil", "register": 3}, kind="status"),
        point("coil4", {"table": "coil", "register": 4}, kind="status"),
        point("disc", {"table": "discrete", "register": 9}, kind="status"),
        point("sn", {"table": "holding", "register": 11, "type": "string", "count": 2}, kind="text"),
        point("version", {"table": "holding", "register": 14, "type": "u16"}, kind="text", scale=0.1),
    ]
    meter = device("m", {"host": "127.0.0.1", "port": peer.port}, points, first_index=40)
    link = open_link(tcp(), meter)
    await link.connect()
    updates = await link.read(link.plan(meter, meter.points))
    expected = [-1.25, 33.05, -2, 7, 7 << 16, 0x0001_0002_0003_0004, 1, 0, 1, 0, 1]
    assert updates.value.tolist() == pytest.approx(expected)
    assert updates.point.tolist() == list(range(40, 51))
    assert not updates.quality.any()
    assert set(updates.time.tolist()) == {clock.now_ns()}
    assert await link.read_texts(meter) == {"sn": "SN42", "version": "0.7"}
    assert link.remarks(meter) == {}


@pytest.mark.asyncio
async def test_what_is_no_number_is_invalid(peer: Peer, open_link: Open) -> None:
    await peer.stop()
    words = [*_floats(math.nan, math.inf, -math.inf, 1.0), 0x7F80, 0x0001]
    await peer.start([SimData(0, values=words, datatype=DataType.REGISTERS)])
    points = [point(f"p{n}", {"table": "holding", "register": 2 * n, "type": "f32"}, scale=2) for n in range(5)]
    meter = device("m", {"host": "127.0.0.1", "port": peer.port}, points)
    link = open_link(tcp(), meter)
    updates = await link.read(link.plan(meter, meter.points))
    assert [math.isnan(value) for value in updates.value] == [True, True, True, False, True]
    assert updates.quality.tolist() == [q.IV, q.IV, q.IV, 0, q.IV]
    told = {name: why.en for name, why in link.remarks(meter).items()}
    nan, infinity = "the device sent NaN, no number", "the device sent infinity"
    assert told == {"m.p0": nan, "m.p1": infinity, "m.p2": infinity, "m.p4": nan}


@pytest.mark.asyncio
async def test_what_was_read_last_of_a_point_says_whether_it_has_a_value(peer: Peer, open_link: Open) -> None:
    """A person reads it by a plan of its own, its scan by another. A text is no number, and nothing is wrong with it."""
    await peer.stop()
    await peer.start([SimData(0, values=[*_floats(math.nan), 0x4142, 0x4300], datatype=DataType.REGISTERS)])
    points = [
        point("p", {"table": "holding", "register": 0, "type": "f32"}),
        point("sn", {"table": "holding", "register": 2, "type": "string", "count": 2}, kind="text"),
    ]
    meter = device("m", {"host": "127.0.0.1", "port": peer.port}, points)
    link = open_link(tcp(), meter)
    scanned, by_hand = (link.plan(meter, meter.points) for _ in range(2))
    for _ in range(2):
        assert await link.read_texts(meter) == {"sn": "ABC"}
    assert link.remarks(meter) == {}
    await link.read(by_hand)
    assert link.remarks(meter).keys() == {"m.p"} and not link.refused(meter)
    assert await link.write(meter.points[0], 2.0) == 2.0
    await link.read(scanned)
    assert link.remarks(meter) == {}


@pytest.mark.asyncio
async def test_registers_that_do_not_exist_are_found_and_left_out(
    peer: Peer, open_link: Open, clock: ManualClock
) -> None:
    await peer.stop()
    solid = [SimData(0, values=[100 + n for n in range(11)], datatype=DataType.REGISTERS)]
    await peer.start([*solid, SimData(12, values=[112 + n for n in range(48)], datatype=DataType.REGISTERS)])
    points = [point(f"p{n}", {"table": "holding", "register": n, "type": "u16"}) for n in range(60)]
    meter = device("m", {"host": "127.0.0.1", "port": peer.port}, points)
    link = open_link(tcp(), meter)
    plan = link.plan(meter, meter.points)
    for _ in range(2):
        peer.asked.clear()
        updates = await link.read(plan)
        assert [n for n in range(60) if updates.quality[n]] == [11]
        assert updates.quality[11] == q.IV
        assert math.isnan(updates.value[11])
        assert updates.value[12] == 112
    assert link.remarks(meter) == {"m.p11": Text("exception 2, illegal data address", "异常码 2，非法数据地址")}
    asked = {n for _, start, count, _ in peer.asked for n in range(start, start + count)}
    assert 11 not in asked
    assert asked == set(range(60)) - {11}


@pytest.mark.asyncio
async def test_a_register_that_appears_later_is_read_again(peer: Peer, open_link: Open, clock: ManualClock) -> None:
    points = [point(f"p{n}", {"table": "holding", "register": n, "type": "u16"}) for n in range(4)]
    meter = device("m", {"host": "127.0.0.1", "port": peer.port}, points)
    link = open_link(tcp(), meter)
    plan = link.plan(meter, meter.points)
    peer.refuse[3] = ExcCodes.ILLEGAL_VALUE
    assert (await link.read(plan)).quality.tolist() == [q.IV] * 4
    assert set(link.remarks(meter).values()) == {refusal(3)}
    peer.refuse.clear()  # nothing at all answered, so the next poll asks again
    assert (await link.read(plan)).value.tolist() == [100, 101, 102, 103]
    assert link.remarks(meter) == {}
    assert clock.monotonic_ns() > 0


@pytest.mark.asyncio
@pytest.mark.parametrize("code", [4, 5, 6, 10, 11])
async def test_trouble_that_passes_is_raised_and_marks_nothing(peer: Peer, open_link: Open, code: int) -> None:
    meter = device(
        "m", {"host": "127.0.0.1", "port": peer.port}, [point("a", {"table": "holding", "register": 1, "type": "u16"})]
    )
    link = open_link(tcp(), meter)
    plan = link.plan(meter, meter.points)
    peer.refuse[3] = ExcCodes(code)
    with pytest.raises(RefusedByDevice, match=f"exception {code}, .+; .+") as caught:
        await link.read(plan)
    assert (caught.value.code, caught.value.device) == (code, "m")
    assert link.remarks(meter) == {}
    peer.refuse.clear()
    assert (await link.read(plan)).value.tolist() == [101]


@pytest.mark.asyncio
async def test_a_table_that_the_device_does_not_know_leaves_the_others_alone(peer: Peer, open_link: Open) -> None:
    points = [
        point("a", {"table": "holding", "register": 1, "type": "u16"}),
        point("b", {"table": "input", "register": 1, "type": "u16"}),
        point("c", {"table": "input", "register": 9, "type": "u16"}),
    ]
    meter = device("m", {"host": "127.0.0.1", "port": peer.port}, points)
    link = open_link(tcp(), meter)
    plan = link.plan(meter, meter.points)
    peer.refuse[4] = ExcCodes.ILLEGAL_FUNCTION
    assert (await link.read(plan)).quality.tolist() == [0, q.IV, q.IV]
    assert sum(function == 4 for function, *_ in peer.asked) == 1
    assert link.remarks(meter) == dict.fromkeys(("m.b", "m.c"), refusal(1))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("address", "form", "value", "holds", "function"),
    [
        ({"table": "holding", "register": 5, "type": "i16", "write": "single"}, {"scale": 0.1}, -12.34, -12.3, 6),
        ({"table": "holding", "register": 5, "type": "u16", "write": "multiple"}, {}, 7, 7, 16),
        ({"table": "holding", "register": 5, "type": "f32"}, {"offset": 1}, 2.5, 2.5, 16),
        ({"table": "holding", "register": 5, "type": "i32", "word_order": "little"}, {}, -70000, -70000, 16),
        ({"table": "coil", "register": 4}, {}, 1, 1, 5),
        ({"table": "coil", "register": 3}, {}, 0, 0, 5),
        ({"table": "coil", "register": 4, "write": "multiple"}, {}, 1, 1, 15),
        ({"table": "holding", "register": 5, "bit": 9}, {}, 1, 1, 6),
        ({"table": "holding", "register": 5, "bit": 0}, {}, 0, 0, 6),
    ],
)
async def test_what_is_written_is_read_back(
    peer: Peer,
    open_link: Open,
    *,
    address: dict[str, Any],
    form: dict[str, Any],
    value: float,
    holds: float,
    function: int,
) -> None:
    points = [point("set", address, kind="setpoint", **form)]
    if "bit" in address:
        points.append(point("all", {**_WORD, "register": 5}))
    pcs = device("pcs", {"host": "127.0.0.1", "port": peer.port}, points)
    link = open_link(tcp(), pcs)
    assert isinstance(link, Writable)
    assert await link.write(pcs.points[0], value) == pytest.approx(holds)
    assert [asked[0] for asked in peer.asked if asked[3]] == [function]
    if "bit" in address:
        word = (await link.read(link.plan(pcs, pcs.points[1:]))).value[0]
        assert word == (105 | 1 << 9 if value else 105 & ~1)


_WORD = {"table": "holding", "register": 1, "type": "u16"}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("form", "value", "words"),
    [
        (
            {"scale": 0.01, "unit": "kW"},
            700,
            "pcs.set cannot be set to 700 kW: its u16 at register 1 holds 0 to 655.35",
        ),
        ({}, -1, "holds 0 to 65535"),
        ({"scale": -1}, 5, "holds -65535 to 0"),
        ({}, math.nan, "cannot be set to nan"),
        ({}, math.inf, "cannot be set to inf"),
    ],
)
async def test_what_does_not_fit_is_not_written(
    peer: Peer, open_link: Open, form: dict[str, Any], value: float, words: str
) -> None:
    pcs = device("pcs", {"host": "127.0.0.1", "port": peer.port}, [point("set", _WORD, kind="setpoint", **form)])
    link = open_link(tcp(), pcs)
    with pytest.raises(ValueError, match=words):
        await link.write(pcs.points[0], value)
    assert peer.asked == []


@pytest.mark.asyncio
async def test_a_refused_write_says_so(peer: Peer, open_link: Open) -> None:
    pcs = device("pcs", {"host": "127.0.0.1", "port": peer.port}, [point("set", _WORD, kind="setpoint")])
    link = open_link(tcp(), pcs)
    peer.refuse[6] = ExcCodes.ILLEGAL_VALUE
    with pytest.raises(RefusedByDevice, match="function 6 at 1: exception 3, illegal data value"):
        await link.write(pcs.points[0], 1)


@pytest.mark.asyncio
async def test_a_register_that_can_only_be_written_answers_with_nothing(peer: Peer, open_link: Open) -> None:
    pcs = device("pcs", {"host": "127.0.0.1", "port": peer.port}, [point("start", _WORD, kind="command")])
    link = open_link(tcp(), pcs)
    peer.refuse[3] = ExcCodes.ILLEGAL_ADDRESS
    assert math.isnan(await link.write(pcs.points[0], 1))


@pytest.mark.asyncio
@pytest.mark.parametrize("address", [_WORD, {"table": "coil", "register": 1}, {**_WORD, "bit": 3}])
async def test_a_read_only_link_sends_no_write(peer: Peer, open_link: Open, address: dict[str, Any]) -> None:
    pcs = device("pcs", {"host": "127.0.0.1", "port": peer.port}, [point("set", address, kind="setpoint")])
    link = open_link(tcp(), pcs, read_only=True)
    await link.read(link.plan(pcs, pcs.points))
    with pytest.raises(ReadOnlyError, match=r"pcs\.set was not written"):
        await link.write(pcs.points[0], 1)
    assert [asked for asked in peer.asked if asked[3]] == []


@pytest.mark.asyncio
async def test_a_closed_port_is_named(peer: Peer, open_link: Open) -> None:
    await peer.stop()
    meter = device("m", {"host": "127.0.0.1", "port": peer.port}, [point("a", _WORD)])
    link = open_link(tcp(), meter)
    with pytest.raises(TransportError, match=f"127.0.0.1:{peer.port} cannot be opened: connection refused; check"):
        await link.connect()


@pytest.mark.asyncio
async def test_a_line_that_was_lost_opens_itself_again(peer: Peer, open_link: Open) -> None:
    meter = device("m", {"host": "127.0.0.1", "port": peer.port}, [point("a", _WORD)])
    link = open_link(tcp(), meter)
    plan = link.plan(meter, meter.points)
    await link.read(plan)
    assert peer.server
    for handler in list(peer.server.active_connections.values()):
        handler.close()
    with pytest.raises(TransportError, match="closed"):
        for _ in range(10):
            await link.read(plan)
    assert (await link.read(plan)).value.tolist() == [101]


@pytest.mark.asyncio
async def test_a_closed_link_stays_closed(peer: Peer, open_link: Open) -> None:
    meter = device("m", {"host": "127.0.0.1", "port": peer.port}, [point("a", _WORD)])
    link = open_link(tcp(), meter)
    plan = link.plan(meter, meter.points)
    await link.connect()
    await link.close()
    with pytest.raises(TransportError, match="closed"):
        await link.read(plan)
