"""The wire under a stream of anything: only declared errors, no answer that is another's, and a buffer that stays small."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from app.model.errors import ProtocolError, TransportError
from drivers.channel import Endpoint, tcp_params
from drivers.dlt645 import requests
from drivers.dlt645.frames import Frame, address_bytes, build
from drivers.dlt645.requests import Peer
from drivers.dlt645.wire import Owed, Wire
from tests.support.fuzzing import a_million
from tests.support.nowhere import Nowhere

A, B = address_bytes("000012345678"), address_bytes("202411110002")
REQUEST = requests.read(Peer("m", A), 0x02030000)
RIGHT = Frame(A, 0x91, bytes.fromhex("00000302") + b"123")


def anything(source: Random) -> bytes:
    """Noise, other frames, halves of the right one; never the whole right one."""
    others = (
        Frame(B, 0x91, RIGHT.data), Frame(A, 0x91, bytes.fromhex("00000102") + b"12"), Frame(A, 0x11, RIGHT.data[:4]),
        Frame(A, 0x94, b""), Frame(A, 0x92, RIGHT.data + b"\x01"), Frame(A, 0xD1, b""),
    )  # fmt: skip
    kind = source.randrange(4)
    if kind == 0:
        return source.randbytes(source.randrange(60))
    if kind == 1:
        return build(RIGHT)[: source.randrange(5, 20)]
    if kind == 2:
        return bytes([0x68]) * source.randrange(300)
    return build(source.choice(others))


async def fuzz(count: int, source: Random) -> None:
    """With a checksum of eight bits, rubbish and the beginning of a frame may once look like another: then it is sent
    again, as by the next poll. Never is another answer taken.
    """
    owed, swallowed = Owed(), 0
    wire = Wire(Endpoint("h:1", tcp_params("h:1", "h", 1)), owed)
    wire.connection_made(Nowhere())
    for _ in range(count // 10):
        answer = asyncio.ensure_future(wire.exchange(REQUEST, 60.0))
        await asyncio.sleep(0)
        for _ in range(10):
            wire.data_received(anything(source))
            assert len(wire.recv_buffer) <= 300
            assert not wire._answer or not wire._answer.done()
        wire.data_received(build(RIGHT))
        while not wire._answer or not wire._answer.done():
            swallowed += 1
            wire.data_received(build(RIGHT))
        assert await answer == RIGHT
    assert swallowed <= count / 1000
    assert owed.count(A, asyncio.get_running_loop().time()) == 0
    wire.shut()


@pytest.mark.asyncio
async def test_only_the_right_answer_is_taken_from_a_stream_of_anything() -> None:
    await fuzz(3_000, Random(1))


@pytest.mark.slow
def test_the_same_for_a_million_pieces() -> None:
    a_million(lambda count, source: asyncio.run(fuzz(count, source)))


@pytest.mark.asyncio
async def test_silence_and_rubbish_end_with_the_declared_errors() -> None:
    wire = Wire(Endpoint("h:1", tcp_params("h:1", "h", 1)), Owed())
    wire.connection_made(Nowhere())
    with pytest.raises(TransportError, match="meter 000012345678 at h:1 did not answer within"):
        await wire.exchange(REQUEST, 0.01)
    answer = asyncio.ensure_future(wire.exchange(REQUEST, 0.01))
    await asyncio.sleep(0)
    wire.data_received(b"\x01\x02\x03")
    with pytest.raises(ProtocolError, match="3 bytes that are no frame"):
        await answer


def test_what_a_meter_owes_is_forgotten_in_time() -> None:
    owed = Owed()
    for second in range(1000):
        owed.owe(A, second, 1.0)
        assert owed.count(A, second) <= 10
    assert owed.count(B, 0) == 0
    assert owed.count(A, 2000) == 0
    owed.owe(A, 3000, 5.0)
    owed.settle(B)
    assert owed.count(A, 3049) == 1
    owed.settle(A)
    assert owed.count(A, 3001) == 0
