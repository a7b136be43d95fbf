"""Registers, requests and frames: what the simulator puts on the wire, without a wire."""

from __future__ import annotations

import struct
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer.rtu import FramerRTU

from app.model.station import Device
from app.simulation.framing import Request, RtuFraming, TcpFraming, crc16
from app.simulation.registers import Image
from app.simulation.slave import Slave
from drivers.modbus.address import Address
from drivers.modbus.codec import Decoder, limits
from tests.support.devices import device as make_device
from tests.support.devices import point as make_point
from tests.support.fuzzing import a_million, spoilt


def image_of(device: Device) -> Image:
    places = [(point, Address.of(point.form.address or {})) for point in (*device.points, *device.texts)]
    return Image([(device, places)])


def device_of(*points: dict[str, Any], blocks: dict[str, Any] | None = None) -> Device:
    return make_device("d", {"host": "h"}, points, blocks=blocks)


# --- encoding -----------------------------------------------------------------------------------------------------

NUMBERS = ("u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64")


@given(
    chosen=st.lists(
        st.tuples(st.sampled_from(NUMBERS), st.sampled_from(["big", "little"]), st.floats(-1e20, 1e20)), min_size=1,
        max_size=12,
    )
)  # fmt: skip
def test_what_is_encoded_in_one_go_is_decoded_by_the_driver(chosen: list[tuple[str, str, float]]) -> None:
    """The driver's own decoder reads back the nearest value that each register can hold."""
    addresses = [
        Address.of({"table": "holding", "register": 10 * i, "type": type_, "word_order": order})
        for i, (type_, order, _) in enumerate(chosen)
    ]
    points = [
        make_point(f"p{i}", {"table": "holding", "register": 10 * i, "type": type_, "word_order": order})
        for i, (type_, order, _) in enumerate(chosen)
    ]
    image = image_of(device_of(*points))
    image.encoder([("d", address) for address in addresses]).encode(np.array([value for *_, value in chosen]))
    span = image.devices["d"].spans[addresses[0].table]
    words = span.read(0, 10 * (len(chosen) - 1) + addresses[-1].count)
    found = Decoder(addresses, [address.register for address in addresses]).decode(words, words.astype(np.uint8))
    for (type_, _, value), address, got in zip(chosen, addresses, found, strict=True):
        low, high = limits(address)
        fits = min(max(value, low), high)
        if type_ in ("f32", "f64"):
            assert got == pytest.approx(fits, rel=1e-6)
        else:
            assert got == pytest.approx(np.rint(fits), rel=1e-15)
            assert abs(got - fits) <= 0.5 + abs(fits) * 1e-15


def test_bits_share_a_register_and_leave_their_neighbours_alone() -> None:
    bits = [make_point(f"b{k}", {"table": "holding", "register": 5, "type": "u16", "bit": k}) for k in (0, 3, 15)]
    coil = make_point("c", {"table": "coil", "register": 2, "type": "bool"})
    image = image_of(device_of(*bits, coil))
    registers = image.devices["d"]
    holding, coils = (registers.spans[Address.of(p["address"]).table] for p in (bits[0], coil))
    holding.read(5, 1)[:] = 0b0000_0001_0000_1000
    encoder = image.encoder([("d", Address.of(p["address"])) for p in (*bits, coil)])
    encoder.encode(np.array([1.0, 0.0, 1.0, 1.0]))
    assert int(holding.read(5, 1)[0]) == 0b1000_0001_0000_0001
    assert int(coils.read(2, 1)[0]) == 1


# --- requests -----------------------------------------------------------------------------------------------------


def slave_of(device: Device) -> tuple[Slave, Image, list[tuple[str, float]]]:
    image = image_of(device)
    written: list[tuple[str, float]] = []
    note = lambda _, points: written.extend((point.id, raw) for point, raw in points)  # noqa: E731
    return Slave(image.devices["d"], note), image, written


def meter() -> Device:
    return device_of(
        make_point("a", {"table": "holding", "register": 10, "type": "u16"}),
        make_point("b", {"table": "holding", "register": 30, "type": "i32"}),
        make_point("set", {"table": "holding", "register": 40, "type": "i16"}, kind="setpoint"),
        make_point("wide", {"table": "holding", "register": 42, "type": "u32"}, kind="setpoint"),
        make_point("on", {"table": "coil", "register": 7, "type": "bool"}, kind="command"),
        make_point("off", {"table": "coil", "register": 9, "type": "bool"}, kind="command"),
        blocks={"forbidden": [[20, 24]]},
    )


def ask(slave: Slave, function: int, *numbers: int, data: bytes = b"") -> bytes:
    return slave.answer(bytes((function,)) + struct.pack(f">{len(numbers)}H", *numbers) + data)


def test_gaps_answer_zero_and_the_outside_is_refused() -> None:
    slave, image, _ = slave_of(meter())
    image.devices["d"].put(Address.of({"table": "holding", "register": 10, "type": "u16"}), 7)
    assert ask(slave, 3, 10, 3) == b"\x03\x06\x00\x07\x00\x00\x00\x00"
    assert ask(slave, 3, 9, 2) == b"\x83\x02"  # before the first
    assert ask(slave, 3, 43, 2) == b"\x83\x02"  # beyond the last
    assert ask(slave, 4, 10, 1) == b"\x84\x02"  # another table
    assert ask(slave, 3, 18, 2)[0] == 3
    assert ask(slave, 3, 18, 3) == b"\x83\x02"  # touches the forbidden range
    assert ask(slave, 3, 24, 1) == b"\x83\x02"
    assert ask(slave, 3, 25, 5)[0] == 3


@pytest.mark.parametrize(
    ("function", "numbers", "answer"),
    [
        (3, (10, 0), b"\x83\x03"),
        (3, (10, 126), b"\x83\x03"),
        (1, (7, 2001), b"\x81\x03"),
        (5, (7, 1), b"\x85\x03"),  # a coil is FF00 or 0000
        (7, (), b"\x87\x01"),
        (43, (14, 1), b"\xab\x01"),
        (3, (10,), b"\x83\x03"),  # too short
    ],
)
def test_what_makes_no_sense_is_refused_by_the_right_code(
    function: int, numbers: tuple[int, ...], answer: bytes
) -> None:
    slave, _, written = slave_of(meter())
    assert ask(slave, function, *numbers) == answer
    assert not written


def test_writes_reach_the_points_and_can_be_read_back() -> None:
    slave, _, written = slave_of(meter())
    assert ask(slave, 6, 40, 0xFFFE) == b"\x06\x00\x28\xff\xfe"
    assert ask(slave, 16, 42, 2, data=b"\x04\x00\x01\x00\x02") == b"\x10\x00\x2a\x00\x02"
    assert ask(slave, 5, 7, 0xFF00) == b"\x05\x00\x07\xff\x00"
    assert written == [("set", -2.0), ("wide", 65538.0), ("on", 1.0)]
    assert ask(slave, 3, 42, 2) == b"\x03\x04\x00\x01\x00\x02"
    assert ask(slave, 1, 7, 3) == b"\x01\x01\x01"


def test_half_a_number_is_no_order() -> None:
    slave, _, written = slave_of(meter())
    assert ask(slave, 6, 42, 5)[0] == 6
    assert not written


def test_measured_values_cannot_be_written() -> None:
    slave, _, written = slave_of(meter())
    assert ask(slave, 6, 10, 1) == b"\x86\x02"
    assert ask(slave, 16, 40, 2, data=b"\x04\x00\x01\x00\x02") == b"\x90\x02"  # 41 belongs to nothing
    assert ask(slave, 16, 42, 2, data=b"\x02\x00\x01") == b"\x90\x03"  # byte count and content disagree
    assert ask(slave, 15, 7, 3, data=b"\x01\x05") == b"\x8f\x02"  # coil 8 is none
    assert not written


# --- frames -------------------------------------------------------------------------------------------------------

REQUESTS = st.lists(
    st.tuples(st.integers(1, 247), st.integers(1, 6), st.integers(0, 65535), st.integers(0, 65535)), min_size=1,
    max_size=5,
)  # fmt: skip


@given(requests=REQUESTS, cuts=st.lists(st.integers(1, 9), min_size=1), rtu=st.booleans())
def test_requests_arrive_whole_however_the_stream_is_cut(
    requests: list[tuple[int, int, int, int]], cuts: list[int], *, rtu: bool
) -> None:
    framing = RtuFraming() if rtu else TcpFraming()
    pdus = [(unit, struct.pack(">BHH", function, first, count)) for unit, function, first, count in requests]
    stream = b"".join(framing.frame(unit, 0 if rtu else 9, pdu) for unit, pdu in pdus)
    buffer, found, at = bytearray(), [], 0
    for k in range(len(stream)):
        size = cuts[k % len(cuts)]
        buffer += stream[at : at + size]
        at += size
        while request := framing.cut(buffer):
            found.append(request)
    assert found == [Request(unit, 0 if rtu else 9, pdu) for unit, pdu in pdus]
    assert not buffer


def test_an_rtu_line_recovers_after_noise() -> None:
    framing = RtuFraming()
    good = framing.frame(3, 0, struct.pack(">BHH", 3, 10, 2))
    bad = bytearray(good)
    bad[-1] ^= 0xFF
    buffer = bytearray(b"\x00\xff" + bad + b"\x07" + good)
    assert framing.cut(buffer) == Request(3, 0, good[1:-2])


def test_a_header_that_is_none_ends_the_connection() -> None:
    with pytest.raises(ValueError, match="header"):
        TcpFraming().cut(bytearray(b"GET / HTTP/1.1\r\n"))


@given(data=st.binary(min_size=1, max_size=60))
def test_the_checksum_is_pymodbus_s(data: bytes) -> None:
    assert crc16(data).to_bytes(2, "little") == FramerRTU.compute_CRC(data).to_bytes(2, "big")


# --- any bytes ------------------------------------------------------------------------------------------------------


def fuzz(count: int, random: Random) -> None:
    """Streams of requests, spoilt: each request that is found is answered, with an exception where it is nonsense."""
    points = [
        make_point("p", {"table": "holding", "register": 10, "type": "f32"}),
        {**make_point("s", {"table": "holding", "register": 20, "type": "i16"}), "kind": "setpoint"},
        {**make_point("c", {"table": "coil", "register": 3}), "kind": "command"},
    ]
    image, written = image_of(device_of(*points)), []
    slave = Slave(image.devices["d"], lambda device, rows: written.append(rows))
    pdus = [
        bytes.fromhex(one)
        for one in ("03000a0002", "0600140007", "050003ff00", "0f0003000101 01", "10001400010200 09", "2b0e")
    ]
    framings, answered = (TcpFraming(), RtuFraming()), 0
    for _ in range(count):
        framing = random.choice(framings)
        buffer = bytearray()
        for _ in range(random.randrange(1, 4)):
            pdu = spoilt(random, random.choice(pdus), most=1)
            buffer += spoilt(random, framing.frame(1, 7, pdu), most=1)
        try:
            while (request := framing.cut(buffer)) is not None:
                answer = slave.answer(request.pdu)
                answered += 1
                assert len(answer) >= 2 and (answer[0] & 0x7F == (request.pdu[:1] or b"\0")[0] & 0x7F)
        except ValueError:
            assert framing is framings[0]
        written.clear()
    assert answered > count / 2


def test_any_bytes_are_requests_or_none() -> None:
    fuzz(3_000, Random(1))


@pytest.mark.slow
def test_a_million_streams() -> None:
    a_million(fuzz)
