"""Whatever a line brings: frames or nothing, the right answer or a declared error, values or IV; and nothing is kept."""

from __future__ import annotations

import asyncio
from random import Random

import numpy as np
import pytest

from app.model import quality as q
from app.model.config import BlocksForm
from app.model.errors import ProtocolError, TransportError
from drivers.channel import Endpoint, tcp_params
from drivers.modbus.address import Table
from drivers.modbus.connection import peer_of
from drivers.modbus.frames import Framing, Mbap, Rtu
from drivers.modbus.late import LateAnswers
from drivers.modbus.polling import ModbusPlan
from drivers.modbus.requests import Peer, read
from drivers.modbus.wire import Wire
from tests.support.devices import device, point
from tests.support.fuzzing import a_million, spoilt
from tests.support.modbus_slave import Reply

REQUEST = read(Peer("m", 5), Table.HOLDING, 0, 3)
RIGHT = bytes([3, 6, 0, 1, 0, 2, 0, 3])
PDUS = (
    RIGHT, bytes([3, 4, 0, 1, 0, 2]), bytes([4, 6, 0, 1, 0, 2, 0, 3]), bytes([0x83, 2]), bytes([0x83, 2, 9]),
    bytes([16, 0, 0, 0, 3]), bytes([0]), b"",
)  # fmt: skip


def noise(random: Random, rtu: bool) -> bytes:
    """Frames of anything, spoilt; now and then nothing but rubbish."""
    if random.random() < 0.2:
        return random.randbytes(random.randrange(40))
    frame = Reply(random.choice((5, 5, 6)), random.randrange(3), random.choice(PDUS), rtu).frame
    return spoilt(random, frame, most=2)


def cut(count: int, random: Random) -> None:
    framings: tuple[Framing, ...] = (Rtu(), Mbap())
    for _ in range(count):
        framing = random.choice(framings)
        data = b"".join(noise(random, framing is framings[0]) for _ in range(random.randrange(1, 4)))
        try:
            used, frame = framing.cut(data)
        except ProtocolError:
            continue
        assert 0 <= used <= len(data)
        if frame is not None:
            assert frame.pdu and used >= len(frame.pdu) + framing.overhead


class Sink(asyncio.Transport):
    """Takes what is written, and goes nowhere."""

    closed = False

    def write(self, data: object) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close


async def pair(count: int, random: Random) -> None:
    """Requests into a stream of anything: each ends with an answer of its shape, or with a declared error."""
    late, wires = LateAnswers(), dict[bool, Wire]()
    endpoint = Endpoint("h:1", tcp_params("h:1", "h", 1))
    for number in range(count):
        rtu = random.random() < 0.5
        wire = wires.get(rtu)
        if wire is None or not wire.is_open:
            wire = wires[rtu] = Wire(endpoint, Rtu() if rtu else Mbap(), late)
            wire.connection_made(Sink())
        transaction = number % 3
        answer = asyncio.ensure_future(wire.exchange(REQUEST, transaction, 60.0))
        await asyncio.sleep(0)
        for _ in range(random.randrange(3)):
            wire.data_received(noise(random, rtu))
            assert len(wire.recv_buffer) <= 300
        for _ in range(300):  # a beginning that promises more takes what follows
            if answer.done() or not wire.is_open or (wire._answer and wire._answer.done()):
                break
            wire.data_received(Reply(5, transaction, RIGHT, rtu).frame)
        try:
            pdu = await answer
            assert len(pdu) == 2 if pdu[0] & 0x80 else len(pdu) == len(RIGHT) and pdu[:2] == RIGHT[:2]
        except (ProtocolError, TransportError):
            pass
        late.forgive(5)
    for wire in wires.values():
        wire.shut()


def values(count: int, random: Random) -> None:
    """Registers and bits of any content, read as every type."""
    addresses = [
        {"table": "holding", "register": 4 * i, "type": type_, "word_order": order}
        for i, (type_, order) in enumerate(
            (type_, order)
            for type_ in ("u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64")
            for order in ("big", "little")
        )
    ]
    addresses += [{"table": "holding", "register": 70, "bit": 3}, {"table": "coil", "register": 2}]
    texts = {"table": "holding", "register": 80, "type": "string", "count": 8}
    forms = [point(f"p{i}", address, scale=1e30) for i, address in enumerate(addresses)]
    some = device("m", {"host": "h"}, [*forms, {**point("t", texts), "kind": "text"}])
    plans = [
        ModbusPlan("m", peer_of(some), some.points, BlocksForm()),
        ModbusPlan("m", peer_of(some), some.texts, BlocksForm()),
    ]
    for number in range(count):
        plan = plans[number % 8 == 0]
        for ask in plan.asks:
            body = random.randbytes(ask.request.size - 2)
            plan.take(ask, bytes([ask.request.function, len(body)]) + body, number + 1)
        if plan is plans[0]:
            updates = plan.updates(number + 1)
            assert (np.isfinite(updates.value) == (updates.quality == q.GOOD)).all()
            assert len(plan.remarks()) == int((updates.quality != q.GOOD).sum())
        else:
            assert all(isinstance(text, str) for text in plan.texts().values())


FUZZERS = {
    "frames": cut,
    "requests and answers": lambda count, random: asyncio.run(pair(count, random)),
    "values": values,
}


@pytest.mark.parametrize("of", FUZZERS)
def test_garbage_is_named_and_nothing_else_happens(of: str) -> None:
    FUZZERS[of](3_000, Random(1))


@pytest.mark.slow
@pytest.mark.parametrize("of", FUZZERS)
def test_a_million_pieces_of_garbage(of: str) -> None:
    a_million(FUZZERS[of])
