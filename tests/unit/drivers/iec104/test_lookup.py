"""From addresses to points: units, devices on one line, what nobody asked for."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.model import quality as q
from app.model.station import Device
from app.model.text import Text
from drivers.iec104.asdu import decode, octets_of
from drivers.iec104.clock import StationClock
from drivers.iec104.encoding import encode
from drivers.iec104.lookup import MOST_STRANGERS, Lookup
from drivers.iec104.typeids import MONITORED
from tests.support.fuzzing import a_million
from tests.support.iec104_devices import devices

NOW = 1_790_000_000_000_000_000


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Device, ...]:
    points = [
        "p measurement ioa: 1, type: M_ME_NC_1",
        "s status ioa: 2, type: M_SP_TB_1",
        "f measurement ioa: 1, type: M_ME_NC_1, ca: 9",
    ]
    return devices(tmp_path, {"a": "host: h, ca: 1", "b": "host: h, ca: 2"}, {"a": points, "b": points[:2]})


def test_each_device_gets_its_own_in_the_order_in_which_it_came(pair: tuple[Device, ...]) -> None:
    lookup = Lookup(pair, StationClock(None, 60))
    asdus = [
        *encode(13, 3, 1, [1], [1.5]),
        *encode(13, 3, 2, [1, 1], [2.5, 3.5]),
        *encode(1, 3, 1, [2], [1], q.BL),
        *encode(36, 3, 9, [1], [4.5]),
        *encode(13, 3, 1, [1], [5.5]),
    ]
    found = dict(lookup.take(decode(asdus).columns, NOW))
    index = {point.name: point.index for device in pair for point in device.points}
    assert found[0].point.tolist() == [index["a.p"], index["a.s"], index["a.f"], index["a.p"]]
    assert found[0].value.tolist() == [1.5, 1, 4.5, 5.5]
    assert found[0].quality.tolist() == [0, q.BL, q.CLOCK, 0]  # a time of nothing but zeros is none
    assert found[1].value.tolist() == [2.5, 3.5] and found[1].received == NOW
    assert lookup.strangers.count == 0


def test_what_nobody_asked_for_is_counted_and_bounded(pair: tuple[Device, ...]) -> None:
    lookup = Lookup(pair, StationClock(None, 60))
    for base in range(0, 5000, 100):
        assert lookup.take(decode(encode(13, 3, 3, range(base + 1, base + 101), 1.0)).columns, NOW) == []
    assert lookup.strangers.count == 5000 and len(lookup.strangers.first) == MOST_STRANGERS
    assert lookup.strangers.first[3, 1] == "13 M_ME_NC_1"


def test_another_type_than_declared_is_not_taken_and_is_told(pair: tuple[Device, ...]) -> None:
    lookup = Lookup(pair, StationClock(None, 60))
    ((_, updates),) = lookup.take(decode([*encode(11, 3, 1, [1], [7]), *encode(30, 3, 1, [2], [1])]).columns, NOW)
    assert len(updates) == 1
    assert lookup.mismatched == {
        "a.p": Text(
            "the station sends it as type 11 M_ME_NB_1, not as 13 M_ME_NC_1; correct `type`",
            "子站以类型标识 11 M_ME_NB_1 上送，而非 13 M_ME_NC_1；请修改 type",
        )
    }


def test_a_line_without_monitored_points(tmp_path: Path) -> None:
    lookup = Lookup(devices(tmp_path, {"a": "host: h, ca: 1"}, {"a": []}), StationClock(None, 60))
    assert lookup.take(decode(encode(13, 3, 1, [1], [1.0])).columns, NOW) == [] and lookup.strangers.count == 1


rows = st.lists(st.tuples(st.sampled_from([1, 2, 9, 77]), st.integers(1, 3), st.integers(0, 1)), max_size=60)


@settings(deadline=None)
@given(sent=rows)
def test_the_order_of_a_point_is_kept_whatever_comes_between(
    sent: list[tuple[int, int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    points = ["p status ioa: 1, type: M_SP_NA_1", "s status ioa: 2, type: M_SP_NA_1"]
    pair = devices(
        tmp_path_factory.mktemp("s"), {"a": "host: h, ca: 1", "b": "host: h, ca: 2"}, {"a": points, "b": points}
    )
    asdus = [asdu for n, (ca, ioa, state) in enumerate(sent) for asdu in encode((1, 30)[n % 2], 3, ca, [ioa], [state])]
    found = dict(Lookup(pair, StationClock(None, 60)).take(decode(asdus).columns, NOW))
    for number, device in enumerate(pair):
        for ioa, point in enumerate(device.points[:2], 1):
            expected = [state for ca, i, state in sent if (ca, i) == (device.connection["ca"], ioa)]
            updates = found.get(number)
            got = updates.value[updates.point == point.index].tolist() if updates else []
            assert got == expected


def fuzz(count: int, random: Random, pair: tuple[Device, ...]) -> None:
    """Values of any type for any address: sorted to their points, or counted; what is remembered is bounded."""
    lookup = Lookup(pair, StationClock(None, 60))
    for _ in range(count // 100):
        sent: list[bytes] = []
        for _ in range(100):
            kind = random.choice(MONITORED)
            type_, ioa = random.choice((kind.plain, kind.timed)), random.choice((1, 2, random.randrange(1 << 24)))
            head = bytes((type_, 1, random.randrange(256), 0)) + random.randrange(1, 4).to_bytes(2, "little")
            sent.append(head + ioa.to_bytes(3, "little") + random.randbytes(octets_of(kind, type_)))
        columns = decode(sent).columns
        before = lookup.strangers.count
        rows = sum(len(updates) for _, updates in lookup.take(columns, NOW))
        assert rows + lookup.strangers.count - before <= len(columns) == 100
        assert len(lookup.strangers.first) <= MOST_STRANGERS and len(lookup.mismatched) <= 4


def test_whatever_comes_is_sorted_or_counted(pair: tuple[Device, ...]) -> None:
    fuzz(20_000, Random(1), pair)


@pytest.mark.slow
def test_a_million_values_are_sorted_or_counted(pair: tuple[Device, ...]) -> None:
    a_million(lambda count, random: fuzz(count, random, pair))
