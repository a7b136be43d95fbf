"""Frames: as the package dlt645 builds and reads them, whatever stands around them, however they come in pieces."""

from __future__ import annotations

from random import Random

import pytest
from dlt645.protocol.protocol import DLT645Protocol
from hypothesis import given
from hypothesis import strategies as st

from drivers.dlt645.frames import END, PREAMBLE, START, Frame, address_bytes, address_digits, build, cut
from tests.support.fuzzing import a_million

FRAMES = st.builds(
    Frame,
    st.binary(min_size=6, max_size=6),
    st.integers(0, 255),
    st.binary(max_size=200),
)
NOISE = st.binary(max_size=30).map(lambda noise: noise.replace(b"\x68", b"\xfe"))


@given(FRAMES)
def test_a_frame_is_built_as_the_package_builds_it(frame: Frame) -> None:
    assert build(frame) == bytes(DLT645Protocol.build_frame(frame.address, frame.control, frame.data))


@given(FRAMES)
def test_the_package_reads_what_is_built_here(frame: Frame) -> None:
    read = DLT645Protocol.deserialize(build(frame))
    assert read is not None
    assert (bytes(read.addr), read.ctrl_code, bytes(read.data)) == (frame.address, frame.control, frame.data)


@given(NOISE, st.lists(FRAMES, min_size=1, max_size=4), st.integers(1, 40))
def test_frames_are_found_between_noise_and_in_pieces(noise: bytes, sent: list[Frame], piece: int) -> None:
    stream = noise + b"".join(build(frame, PREAMBLE[: i % 5]) for i, frame in enumerate(sent))
    found, buffer = [], b""
    for start in range(0, len(stream), piece):
        buffer += stream[start : start + piece]
        while True:
            used, frame = cut(buffer)
            buffer = buffer[used:]
            if frame is None:
                break
            found.append(frame)
    assert found == sent


def test_a_beginning_that_is_none_does_not_hide_the_frame_behind_it() -> None:
    """A torn frame whose length promises more than ever comes, then a whole one."""
    frame = Frame(address_bytes("000012345678"), 0x91, bytes(range(8)))
    torn = build(frame)[:15]
    assert cut(torn + build(frame))[1] == frame


def test_a_wrong_checksum_or_end_is_no_frame() -> None:
    whole = build(Frame(address_bytes("000012345678"), 0x91, b"1234"), b"")
    assert cut(whole[:-2] + bytes([whole[-2] ^ 1, END])) == (len(whole), None)
    assert cut(whole[:-1] + b"\x17") == (len(whole), None)
    assert whole[0] == START


def test_an_address_has_twelve_digits() -> None:
    assert address_bytes("202411110002").hex() == "020011112420"
    assert address_digits(address_bytes("202411110002")) == "202411110002"
    for wrong in ("", "1", "12345678901x", "1234567890123", "１２３４５６７８９０１２"):
        with pytest.raises(ValueError, match="twelve digits"):
            address_bytes(wrong)


def test_what_no_frame_can_carry_is_said() -> None:
    for frame in (Frame(b"12345", 0x11, b""), Frame(b"123456", 0x11, bytes(256))):
        with pytest.raises(ValueError, match="no frame can carry"):
            build(frame)


def fuzz(count: int, source: Random) -> int:
    """Cut random bytes and spoilt frames; every answer must be sound. Returns how many frames were found."""
    found = 0
    for _ in range(count):
        data = bytearray(source.randbytes(source.randrange(40)))
        if source.random() < 0.7:
            frame = Frame(source.randbytes(6), source.randrange(256), source.randbytes(source.randrange(20)))
            data += build(frame)
            for _ in range(source.randrange(3)):
                data[source.randrange(len(data))] = source.choice((0x68, 0x16, 0xFE, source.randrange(256)))
        used, cut_out = cut(bytes(data))
        assert 0 <= used <= len(data)
        if cut_out is not None:
            found += 1
            assert DLT645Protocol.deserialize(build(cut_out)) is not None
    return found


def test_bytes_of_any_kind_are_survived() -> None:
    assert fuzz(5_000, Random(1)) > 1_000


@pytest.mark.slow
def test_a_million_inputs_are_survived() -> None:
    a_million(fuzz)
