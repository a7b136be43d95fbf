"""Frames, cut out of a stream however it is split, and nothing of what follows a fault."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.iec104 import apci
from drivers.iec104.apci import FrameFault, Splitter
from tests.support.fuzzing import a_million

frames = st.one_of(
    st.builds(apci.information, st.integers(0, 40000), st.integers(0, 40000), st.binary(max_size=249)),
    st.builds(apci.supervisory, st.integers(0, 32767)),
    st.sampled_from([apci.STARTDT_ACT, apci.STARTDT_CON, apci.TESTFR_ACT, apci.STOPDT_CON]).map(apci.control),
)


@settings(deadline=None)
@given(st.lists(frames, max_size=20), st.lists(st.integers(1, 300), max_size=40))
def test_frames_come_out_whole_however_they_are_split(sent: list[bytes], cuts: list[int]) -> None:
    stream, splitter, got = b"".join(sent), Splitter(), []
    for cut in cuts:
        got += splitter.feed(stream[:cut])
        stream = stream[cut:]
    assert got + splitter.feed(stream) == sent


@settings(deadline=None)
@given(st.integers(0, 32767), st.integers(0, 32767))
def test_numbers_are_read_as_written(send: int, receive: int) -> None:
    frame = apci.information(send, receive, b"x")
    assert apci.is_information(frame) and not apci.unnumbered(frame)
    assert (apci.send_number(frame), apci.receive_number(frame)) == (send, receive)
    assert not apci.is_information(apci.supervisory(receive)) and not apci.unnumbered(apci.supervisory(receive))
    assert apci.receive_number(apci.supervisory(receive)) == receive


@pytest.mark.parametrize("stream", [b"\x67", b"\x68\x03", b"\x68\xfe\x00", b"GET / HTTP", b"\x68\x04\x01\0\0\0\x16"])
def test_what_is_no_frame_is_a_fault(stream: bytes) -> None:
    with pytest.raises(FrameFault, match="where a frame should begin"):
        Splitter().feed(stream)


def fuzz(inputs: int, random: Random) -> None:
    for _ in range(inputs):
        splitter = Splitter()
        try:
            for _ in range(random.randrange(1, 4)):
                for frame in splitter.feed(b"h" * random.randrange(2) + random.randbytes(random.randrange(40))):
                    assert len(frame) == frame[1] + 2
        except FrameFault:
            continue
        assert len(splitter._rest) < 255


def test_garbage_is_a_frame_or_a_fault() -> None:
    fuzz(20_000, Random(104))


@pytest.mark.slow
def test_a_million_pieces_of_garbage() -> None:
    a_million(fuzz)
