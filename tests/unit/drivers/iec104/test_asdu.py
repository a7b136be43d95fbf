"""ASDUs: every monitored type read as the standard means it, many at once and in their order."""

from __future__ import annotations

import struct
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.model import quality as q
from drivers.iec104 import asdu as asdus
from drivers.iec104.asdu import NO_TIME, Columns, decode
from drivers.iec104.encoding import encode, head
from drivers.iec104.typeids import MONITORED, MONITORED_BY_TYPE
from tests.support.fuzzing import a_million


def single(type_: int, element: bytes, cause: int = 3) -> Columns:
    """One object at 5 of station 1."""
    decoded = decode([head(type_, 1, cause, 1) + b"\5\0\0" + element])
    assert not decoded.faults
    return decoded.columns


@pytest.mark.parametrize(
    ("type_", "element", "value", "quality"),
    [
        (1, b"\x01", 1.0, 0),
        (1, b"\x91", 1.0, q.IV | q.BL),
        (1, b"\x0f", 1.0, 0),  # a single point knows no OV, and these bits are reserved
        (3, b"\x01", 0.0, 0),
        (3, b"\x42", 1.0, q.NT),
        (5, b"\x3f\x00", 63.0, 0),
        (5, b"\xc0\x20", -64.0, q.SB),  # in transit
        (7, b"\xff\xff\xff\xff\x00", 2.0**32 - 1, 0),
        (9, b"\x00\x80\x01", -1.0, q.OV),
        (9, b"\x00\x40\x00", 0.5, 0),
        (11, b"\x9c\xff\x0e", -100.0, 0),  # reserved bits of the descriptor
        (13, struct.pack("<f", 2.5) + b"\xf1", 2.5, q.IV | q.NT | q.SB | q.BL | q.OV),
        (15, struct.pack("<i", -7) + b"\x60", -7.0, 0),  # carry and adjusted are neither NT nor SB
        (15, struct.pack("<i", 7) + b"\x9f", 7.0, q.IV),  # invalid, sequence number 31
    ],
)
def test_each_element_is_read(type_: int, element: bytes, value: float, quality: int) -> None:
    for number, tail in ((type_, b""), (MONITORED_BY_TYPE[type_].timed, bytes(range(7)))):
        columns = single(number, element + tail)
        assert (columns.value.tolist(), columns.quality.tolist()) == ([value], [quality])
        assert columns.time[0] == (int.from_bytes(tail, "little") if tail else NO_TIME)
        assert (columns.ca[0], columns.ioa[0], columns.type[0], columns.cause[0]) == (1, 5, number, 3)


@pytest.mark.parametrize("state", [b"\x00", b"\x03"])
def test_a_double_point_between_its_states_is_no_value(state: bytes) -> None:
    columns = single(3, state)
    assert np.isnan(columns.value[0]) and columns.quality[0] == q.IV


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_float_that_is_no_number_is_invalid(number: float) -> None:
    columns = single(13, struct.pack("<f", number) + b"\0")
    assert np.isnan(columns.value[0]) and columns.quality[0] == q.IV


def test_a_test_cause_marks_the_value() -> None:
    columns = single(1, b"\x01", cause=0x83)
    assert columns.quality[0] == q.TEST and columns.cause[0] == 3


def test_a_sequence_of_elements_has_rising_addresses() -> None:
    body = (0x010203).to_bytes(3, "little") + b"\x01\x00\x01"
    columns = decode([head(1, 0x80 | 3, 20, 258) + body]).columns
    assert columns.ioa.tolist() == [0x010203, 0x010204, 0x010205]
    assert columns.value.tolist() == [1, 0, 1] and columns.ca.tolist() == [258] * 3


@pytest.mark.parametrize(
    ("asdu", "why"),
    [
        (b"", "too short"),
        (bytes(8), "too short"),
        (head(13, 0, 3, 1) + bytes(8), "without objects"),
        (head(13, 2, 3, 1) + bytes(8), "does not fit 2 objects"),
        (head(13, 1, 3, 1) + bytes(9), "does not fit 1 objects"),
        (head(20, 1, 3, 1) + bytes(8), "type 20 is not read"),
    ],
)
def test_what_cannot_be_read_is_counted_and_the_rest_is_read(asdu: bytes, why: str) -> None:
    good = encode(13, 3, 1, [1], [1.5])[0]
    decoded = decode([good, asdu, good])
    assert decoded.columns.value.tolist() == [1.5, 1.5]
    assert [why in fault.en for fault in decoded.faults] == [True] and decoded.faults.total() == 1


def test_commands_and_interrogations_are_handed_on() -> None:
    answer = head(45, 1, 7 | 0x40, 3) + b"\x07\0\0\x81"
    (control,) = decode([answer]).controls
    assert (control.type, control.cause, control.negative) == (45, 7, True)
    assert (control.ca, control.ioa, control.element) == (3, 7, b"\x81")


types = st.sampled_from(MONITORED)


@st.composite
def batches(draw: st.DrawFn) -> tuple[int, int, list[int], list[float], int, int]:
    kind = draw(types)
    type_ = draw(st.sampled_from((kind.plain, kind.timed)))
    ranges = {
        "siq": (0, 1), "diq": (0, 1), "vti": (-64, 63), "bsi": (0, 2**32 - 1), "nva": (-32768, 32767),
        "sva": (-32768, 32767), "bcr": (-(2**31), 2**31 - 1),
    }  # fmt: skip
    addresses = draw(st.lists(st.integers(1, 0xFFFFFF), min_size=1, max_size=60))
    if kind.element == "ieee":
        numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
    else:
        divisor = 32768 if kind.element == "nva" else 1
        numbers = st.integers(*ranges[kind.element]).map(lambda n: n / divisor)
    values = draw(st.lists(numbers, min_size=len(addresses), max_size=len(addresses)))
    return (
        type_,
        draw(st.integers(1, 65534)),
        addresses,
        values,
        draw(st.integers(0, 2**56 - 1)),
        draw(st.integers(1, 47)),
    )


@settings(deadline=None)
@given(st.lists(batches(), max_size=6))
def test_what_is_sent_is_read_in_its_order(sent: list[tuple[int, int, list[int], list[float], int, int]]) -> None:
    frames, expected = [], []
    for type_, ca, addresses, values, time, cause in sent:
        frames += encode(type_, cause, ca, addresses, values, 0, time)
        timed = time if type_ in asdus.MONITORED_BY_TYPE and type_ >= 30 else NO_TIME
        expected += [(ca, ioa, type_, cause, value, timed) for ioa, value in zip(addresses, values, strict=True)]
    assert all(len(frame) <= asdus.LONGEST for frame in frames)
    columns = decode(frames).columns
    assert [
        (int(columns.ca[i]), int(columns.ioa[i]), int(columns.type[i]), int(columns.cause[i]), float(columns.value[i]),
         int(columns.time[i]))
        for i in range(len(columns))
    ] == expected  # fmt: skip


def garbage(random_: Random) -> bytes:
    """Bytes that are an ASDU as far as luck goes: often of a known type and a fitting length."""
    type_ = random_.choice((*MONITORED_BY_TYPE, random_.randrange(256)))
    count = random_.randrange(256)
    kind = MONITORED_BY_TYPE.get(type_)
    length = random_.randrange(260)
    if kind is not None and random_.random() < 0.7:
        size = asdus.octets_of(kind, type_)
        length = 3 + (count & 127) * size if count & 128 else (count & 127) * (3 + size)
    return bytes((type_, count)) + random_.randbytes(4 + length)


def fuzz(inputs: int, random_: Random) -> None:
    for _ in range(inputs // 100):
        batch = [garbage(random_) for _ in range(100)]
        decoded = decode(batch)
        read = len(batch) - decoded.faults.total() - len(decoded.controls)
        assert len(decoded.columns) >= read >= 0
        unknown = decoded.columns.quality & ~np.uint16(q.OV | q.BL | q.SB | q.NT | q.IV | q.TEST)
        assert not unknown.any()


def test_garbage_is_counted_and_nothing_else_happens() -> None:
    fuzz(20_000, Random(104))


@pytest.mark.slow
def test_a_million_pieces_of_garbage() -> None:
    a_million(fuzz)
