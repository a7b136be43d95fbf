"""The wire under a stream of anything: only declared errors, no answer that is another's, and a buffer that stays small."""

from __future__ import annotations

import asyncio
import random

import pytest

from app.model.errors import DeviceError
from drivers.channel import LONGEST_RUBBISH, tcp_params
from drivers.modbus import requests
from drivers.modbus.address import Table
from drivers.modbus.frames import Framing, Mbap, Rtu
from drivers.modbus.late import LateAnswers
from drivers.modbus.line import Endpoint
from drivers.modbus.requests import Peer
from drivers.modbus.wire import Wire
from tests.support.modbus_slave import Reply
from tests.support.nowhere import Nowhere

REQUEST = requests.read(Peer("m", 1), Table.HOLDING, 0, 2)
RIGHT = bytes([3, 4, 0, 1, 0, 2])
OTHERS = (
    (1, bytes([3, 2, 0, 1])), (2, RIGHT), (1, bytes([4, 4, 0, 1, 0, 2])), (1, bytes([3, 6, *range(6)])),
    (1, bytes([0x83, 2, 0])), (1, bytes([6, 0, 0, 0, 1])), (1, bytes([3, 3, 0, 1, 0, 2])), (1, bytes([0x84, 2])),
)  # fmt: skip
FRAMINGS = pytest.mark.parametrize("framing", [Rtu(), Mbap()], ids=["rtu", "tcp"])


def anything(source: random.Random, transaction: int, rtu: bool) -> bytes:
    """Noise, other frames, and halves of the right one where a checksum tells; never the whole right one."""
    kind = source.randrange(4)
    if kind == 0:
        return source.randbytes(source.randrange(60))
    if kind == 1 and rtu:
        return Reply(1, 0, RIGHT, rtu).frame[: source.randrange(2, 9)]
    if kind == 2:
        return Reply(1, (transaction + source.randrange(1, 9)) % 65536, RIGHT, False).frame
    unit, pdu = source.choice(OTHERS)
    return Reply(unit, transaction, pdu, rtu).frame


async def fuzz(framing: Framing, pieces: int, seed: int) -> None:
    """Each request ends with its own answer or a declared error, whatever came before it.

    A checksum of sixteen bits takes half an answer and the noise behind it for a whole one in 65,536 cases.
    """
    source, rtu, late = random.Random(seed), isinstance(framing, Rtu), LateAnswers()
    wire, answered, mistaken = None, 0, 0
    for transaction in range(pieces // 5):
        if wire is None or not wire.is_open:
            wire = Wire(Endpoint("h:1", tcp_params("h:1", "h", 1), framing), framing, late)
            wire.connection_made(Nowhere())
        answer = asyncio.ensure_future(wire.exchange(REQUEST, transaction % 65536, 60.0))
        await asyncio.sleep(0)
        for _ in range(source.randrange(10)):
            if wire._answer is None or wire._answer.done():
                break
            wire.data_received(anything(source, transaction % 65536, rtu))
            assert len(wire.recv_buffer) <= LONGEST_RUBBISH
        for _ in range(60):  # a beginning of noise may have to be filled up first
            if wire._answer is None or wire._answer.done() or not wire.is_open:
                break
            wire.data_received(Reply(1, transaction % 65536, RIGHT, rtu).frame)
        try:
            mistaken += await answer != RIGHT
            answered += 1
        except DeviceError as error:
            assert error.text.zh
        late.forgive(1)
    assert answered > pieces // 100, "good answers come through between"
    assert mistaken <= (pieces / 50_000 if rtu else 0)
    if wire is not None:
        wire.shut()


@FRAMINGS
@pytest.mark.asyncio
async def test_only_the_right_answer_is_taken_from_a_stream_of_anything(framing: Framing) -> None:
    await fuzz(framing, 3_000, 1)


@pytest.mark.slow
@FRAMINGS
@pytest.mark.asyncio
async def test_the_same_for_a_million_pieces(framing: Framing) -> None:
    await fuzz(framing, 1_000_000, 2)
