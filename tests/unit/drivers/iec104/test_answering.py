"""What a controlled station answers, ASDU by ASDU (IEC 60870-5-101, 7.2.3 and 7.4)."""

from __future__ import annotations

import math
import time
from random import Random

import pytest

from drivers.iec104.answering import Answering, Ordered
from drivers.iec104.asdu import decode
from drivers.iec104.clock import StationClock
from drivers.iec104.offered import Offered, OfferedPoint
from tests.support.fuzzing import a_million

NOW = 1_800_000_000_000_000_000
CLOCK = StationClock(None, 60)
TIME = CLOCK.octets(NOW + 2_000_000_000)


def station(*, confirms_clock: bool = False) -> Answering:
    points = [OfferedPoint(1, 1, groups=(3,)), OfferedPoint(5, 13), OfferedPoint(9, 15, groups=(2,))]
    return Answering(Offered(points, 258), {100: 45, 101: 50, 102: 46}, CLOCK, confirms_clock=confirms_clock)


def asdu(type_: int, cause: int, ioa: int, element: bytes, ca: int = 258, originator: int = 7) -> bytes:
    head = bytes((type_, 1, cause, originator)) + ca.to_bytes(2, "little")
    return head + ioa.to_bytes(3, "little") + element


def causes(asdus: list[bytes]) -> list[tuple[int, int]]:
    """(type, cause with its negative bit) of each."""
    return [(one[0], one[2]) for one in asdus]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (asdu(100, 6, 0, b"\x14"), 0x07),
        (asdu(100, 6, 0, b"\x17"), 0x07),
        (asdu(100, 6, 0, b"\x25"), 0x47),
        (asdu(100, 8, 0, b"\x14"), 0x49),
        (asdu(100, 6, 1, b"\x14"), 0x40 | 47),
        (asdu(100, 7, 0, b"\x14"), 0x40 | 45),
        (asdu(100, 6, 0, b"\x14", ca=3), 0x40 | 46),
        (asdu(101, 6, 0, b"\x05"), 0x07),
        (asdu(101, 6, 0, b"\x45"), 0x47),
        (asdu(101, 6, 0, b"\x06"), 0x47),
        (asdu(103, 6, 0, TIME), 0x47),
        (asdu(104, 6, 0, b"\xaa\x55"), 0x07),
        (asdu(105, 6, 0, b"\x01"), 0x47),
        (asdu(102, 5, 3, b""), 0x40 | 47),
        (asdu(110, 6, 5, b"\0\0\0"), 0x40 | 44),
        (asdu(45, 6, 100, b"\x01"), 0x47),
        (asdu(45, 8, 100, b"\x81"), 0x49),
        (asdu(58, 6, 100, b"\x01" + TIME), 0x47),
        (asdu(46, 6, 100, b"\x01"), 0x40 | 44),
        (asdu(45, 6, 99, b"\x01"), 0x40 | 47),
        (asdu(45, 3, 100, b"\x01"), 0x40 | 45),
        (asdu(45, 6, 100, b"\x01", ca=65535), 0x40 | 46),
        (asdu(45, 6 | 0x80, 100, b"\x01"), 0xC7),
    ],
)
def test_the_first_answer(sent: bytes, expected: int) -> None:
    answer = station().answer(sent, NOW)
    assert causes(answer.now) == [(sent[0], expected)]
    assert answer.now[0][3] == 7, "the originator is the one who asked"
    if sent[0] != 103:
        assert answer.now[0][6:] == sent[6:]


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (asdu(100, 6, 0, b"\x14"), [(1, 20), (5, 20)]),
        (asdu(100, 6, 0, b"\x17"), [(1, 23)]),
        (asdu(100, 6, 0, b"\x14", ca=65535), [(1, 20), (5, 20)]),
        (asdu(101, 6, 0, b"\x05"), [(9, 37)]),
        (asdu(101, 6, 0, b"\x02"), [(9, 39)]),
        (asdu(102, 5, 5, b""), [(5, 5)]),
    ],
)
def test_the_values_that_follow(sent: bytes, read: list[tuple[int, int]]) -> None:
    answer = station().answer(sent, NOW)
    columns = decode(answer.then).columns
    assert list(zip(columns.ioa.tolist(), columns.cause.tolist(), strict=True)) == read
    assert {(one[3], one[4:6]) for one in answer.then} == {(7, b"\x02\x01")}
    if sent[0] != 102:
        assert answer.then[-1][2] == 10


def test_a_station_that_is_busy_refuses_another_interrogation() -> None:
    assert causes(station().answer(asdu(100, 6, 0, b"\x14"), NOW, busy=True).now) == [(100, 0x47)]


def test_a_clock_is_looked_at_and_never_set() -> None:
    assert station().answer(asdu(103, 6, 0, TIME), NOW).clock_ns == NOW + 2_000_000_000
    answer = station(confirms_clock=True).answer(asdu(103, 6, 0, TIME), NOW)
    assert causes(answer.now) == [(103, 7)]
    assert answer.now[0][9:] == CLOCK.octets(NOW), "the confirmation has our time"


@pytest.mark.parametrize(
    ("sent", "ordered"),
    [
        (asdu(45, 6, 100, b"\x85"), Ordered(100, 45, 1.0, 1, select=True)),
        (asdu(45, 8, 100, b"\x81"), Ordered(100, 45, 1.0, 0, select=True, cancel=True)),
        (asdu(46, 6, 102, b"\x01"), Ordered(102, 46, 0.0, 0, select=False)),
        (asdu(46, 6, 102, b"\x0e"), Ordered(102, 46, 1.0, 3, select=False)),
        (asdu(50, 6, 101, b"\x00\x00\x20\x41\x05"), Ordered(101, 50, 10.0, 5, select=False)),
        (asdu(63, 6, 101, b"\x00\x00\x20\x41\x80" + TIME), Ordered(101, 63, 10.0, 0, select=True)),
    ],
)
def test_what_was_ordered(sent: bytes, ordered: Ordered) -> None:
    assert station().answer(sent, NOW).order == ordered


def test_an_order_without_a_value_has_none() -> None:
    for element in (b"\x00\x00\xc0\x7f\x00", b"\x00\x00\x80\x7f\x00"):
        order = station().answer(asdu(50, 6, 101, element), NOW).order
        assert order is not None and math.isnan(order.value)


def test_an_order_that_only_tests_is_refused_and_not_recorded() -> None:
    assert station().answer(asdu(45, 6 | 0x80, 100, b"\x01"), NOW).order is None


@pytest.mark.parametrize(
    "sent",
    [b"", b"\x64\x01\x06\x00\x02\x01\x00\x00", asdu(100, 6, 0, b""), asdu(100, 6, 0, b"\x14\x14"), asdu(45, 6, 100, b""),
     b"\x2d\x02" + asdu(45, 6, 100, b"\x01")[2:]],
)  # fmt: skip
def test_what_does_not_fit_its_type_is_counted_and_not_answered(sent: bytes) -> None:
    answer = station().answer(sent, NOW)
    assert answer.fault and not answer.now and not answer.then and answer.order is None


def fuzz(rounds: int, chance: Random) -> None:
    """Random and nearly right ASDUs: an answer or a fault, and never an exception."""
    one = station()
    types = [45, 46, 47, 48, 49, 50, 51, 58, 63, 64, 100, 101, 102, 103, 104, 105, 107, 255]
    for _ in range(rounds):
        head = bytes((chance.choice(types), chance.choice((0, 1, 1, 1, 0x81, 127)), chance.choice((5, 6, 8, 0x86))))
        sent = head + b"\0\x02\x01" + chance.choice((100, 101, 0)).to_bytes(3, "little")
        sent += chance.randbytes(chance.choice((0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 200)))
        answer = one.answer(sent if chance.random() < 0.9 else chance.randbytes(chance.randrange(249)), time.time_ns())
        assert answer.now or answer.then or answer.fault
        assert all(len(asdu) <= 249 for asdu in answer.now + answer.then)


def test_whatever_comes_is_answered_or_counted() -> None:
    fuzz(20_000, Random(104))


@pytest.mark.slow
def test_a_million_are_answered_or_counted() -> None:
    a_million(fuzz)
