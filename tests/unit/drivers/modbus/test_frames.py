"""Frames, whole and torn, clean and noisy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.errors import ProtocolError
from drivers.modbus.frames import Frame, Framing, Mbap, Rtu
from tests.support.modbus_slave import Reply

_reads = st.builds(
    lambda function, data: bytes([function, len(data)]) + data,
    st.integers(1, 4),
    st.binary(min_size=1, max_size=250),
)
_writes = st.builds(
    lambda function, data: bytes([function]) + data, st.sampled_from([5, 6, 15, 16]), st.binary(min_size=4, max_size=4)
)
_refusals = st.builds(lambda function, code: bytes([function | 0x80, code]), st.integers(1, 6), st.integers(1, 11))
answers = _reads | _writes | _refusals


def _cut_all(framing: Framing, data: bytes) -> list[Frame]:
    frames = []
    while data:
        used, frame = framing.cut(data)
        data = data[used:]
        if frame is None:
            break
        frames.append(frame)
    return frames


@given(st.lists(answers, min_size=1, max_size=4), st.integers(1, 247), st.booleans())
def test_frames_of_a_foreign_slave_come_apart_again(pdus: list[bytes], unit: int, rtu: bool) -> None:
    data = b"".join(Reply(unit, n, pdu, rtu).frame for n, pdu in enumerate(pdus))
    frames = _cut_all(Rtu() if rtu else Mbap(), data)
    assert [(frame.unit, frame.pdu) for frame in frames] == [(unit, pdu) for pdu in pdus]
    assert rtu or [frame.transaction for frame in frames] == list(range(len(pdus)))


@given(answers, st.integers(1, 247), st.booleans(), st.data())
def test_an_unfinished_frame_waits_for_the_rest(pdu: bytes, unit: int, rtu: bool, data: st.DataObject) -> None:
    frame = Reply(unit, 7, pdu, rtu).frame
    cut = data.draw(st.integers(0, len(frame) - 1))
    assert (Rtu() if rtu else Mbap()).cut(frame[:cut]) == (0, None)


@given(answers, st.integers(1, 247))
def test_what_is_sent_is_what_the_slave_would_frame(pdu: bytes, unit: int) -> None:
    assert Rtu().build(unit, 0, pdu) == Reply(unit, 0, pdu, True).frame
    assert Mbap().build(unit, 513, pdu) == Reply(unit, 513, pdu, False).frame


@given(st.binary(max_size=300))
def test_no_noise_breaks_the_rtu_framing(noise: bytes) -> None:
    for frame in _cut_all(Rtu(), noise):
        assert frame.pdu


def test_rtu_steps_over_noise_before_a_frame() -> None:
    frame = Reply(5, 0, bytes([3, 2, 0, 9]), True).frame
    assert _cut_all(Rtu(), b"\xff\x00" + frame) == [Frame(5, 0, bytes([3, 2, 0, 9]))]


def test_a_wrong_checksum_is_no_frame() -> None:
    frame = bytearray(Reply(5, 0, bytes([3, 2, 0, 9]), True).frame)
    frame[3] ^= 1
    assert _cut_all(Rtu(), bytes(frame)) == []


@pytest.mark.parametrize("header", ["0001 0001 0005 01 03 02 0000", "0001 0000 0001 01 03", "0001 0000 0fff 01 03 02"])
def test_a_wrong_mbap_header_is_not_guessed_at(header: str) -> None:
    with pytest.raises(ProtocolError, match="no Modbus TCP header"):
        Mbap().cut(bytes.fromhex(header))
