"""The pipe: what is packed comes out, and nonsense is called that."""

from __future__ import annotations

import contextlib
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.iec104 import messages
from drivers.iec104.asdu import Columns, decode
from drivers.iec104.encoding import encode
from drivers.iec104.messages import MessageFault
from tests.support.fuzzing import a_million, spoilt


def payload(message: bytes) -> bytes:
    length, _ = messages.length_and_kind(message[: messages.HEAD.size])
    assert len(message) == messages.HEAD.size + length
    return message[messages.HEAD.size :]


@settings(deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=300), st.integers(0, 2**62))
def test_values_come_out_as_they_went_in(values: list[float], received_ns: int) -> None:
    asdus = encode(36, 3, 7, np.arange(1, len(values) + 1), values, 0x80, 12345) if values else []
    columns = decode(asdus).columns
    came, at = messages.unpack_values(payload(messages.pack_values(columns, received_ns)))
    assert at == received_ns
    for name in Columns.__slots__:
        np.testing.assert_array_equal(getattr(came, name), getattr(columns, name))
        assert getattr(came, name).dtype == getattr(columns, name).dtype


def test_notes_come_out_as_they_went_in() -> None:
    note = {"note": "lost", "why": "在本地 — lost"}
    assert messages.unpack_note(payload(messages.pack(note))) == note


@pytest.mark.parametrize("head", [b"\xff\xff\xff\xff\x01", b"\x00\x00\x00\x00\x03"])
def test_a_head_that_is_none(head: bytes) -> None:
    with pytest.raises(MessageFault):
        messages.length_and_kind(head)


def fuzz(count: int, random: Random) -> None:
    note = payload(messages.pack({"note": "done", "id": [45, 1, 7], "sent": True}))
    values = payload(messages.pack_values(decode(encode(36, 3, 7, [1, 2], 1.5)).columns, 1))
    for number in range(count):
        unpack = (messages.unpack_note, messages.unpack_values)[number % 2]
        with contextlib.suppress(MessageFault):
            unpack(random.choice((spoilt(random, (note, values)[number % 2]), random.randbytes(random.randrange(60)))))


def test_garbage_is_a_fault() -> None:
    fuzz(5_000, Random(104))


@pytest.mark.slow
def test_a_million_pieces_of_garbage_are_faults() -> None:
    a_million(fuzz)
