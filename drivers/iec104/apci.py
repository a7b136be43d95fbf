"""Frames of IEC 60870-5-104: cut out of a stream of bytes, told apart (5.1 and 5.2). No I/O.

An APDU is 0x68, the number of octets that follow (4 to 253), four control octets, and in an I-frame an ASDU.
"""

from __future__ import annotations

from typing import Final

from app.model.text import Text

START: Final = 0x68
LONGEST: Final = 253
"""Octets behind the length octet."""
MODULO: Final = 1 << 15
"""Of the sequence numbers."""

STARTDT_ACT: Final = 0x07
STARTDT_CON: Final = 0x0B
STOPDT_ACT: Final = 0x13
STOPDT_CON: Final = 0x23
TESTFR_ACT: Final = 0x43
TESTFR_CON: Final = 0x83


class FrameFault(ValueError):
    """The stream is none of IEC 60870-5-104, or not any more. Nothing behind the fault can be trusted."""

    def __init__(self, octets: bytes) -> None:
        """`octets` stand where a frame should begin."""
        seen = octets.hex(" ")
        self.text = Text(f"where a frame should begin stands {seen}", f"帧起始处为 {seen}")
        super().__init__(self.text.en)


class Splitter:
    """Cuts a stream, in whatever pieces it comes, into whole APDUs. Holds less than one frame."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are now whole, each from 0x68 to its end. Raises FrameFault."""
        if self._rest:
            data = self._rest + data
        frames, place, end = [], 0, len(data)
        while end - place >= 2:
            length = data[place + 1]
            if data[place] != START or not 4 <= length <= LONGEST:
                raise FrameFault(data[place : place + 2])
            if end - place < length + 2:
                break
            frames.append(data[place : place + length + 2])
            place += length + 2
        if end - place == 1 and data[place] != START:
            raise FrameFault(data[place:])
        self._rest = data[place:]
        return frames


def is_information(frame: bytes) -> bool:
    """Whether it is an I-frame, which carries an ASDU."""
    return not frame[2] & 1


def unnumbered(frame: bytes) -> int:
    """The function of a U-frame, such as STARTDT_ACT; 0 for another frame."""
    return frame[2] if frame[2] & 3 == 3 else 0


def send_number(frame: bytes) -> int:
    """N(S) of an I-frame."""
    return frame[2] >> 1 | frame[3] << 7


def receive_number(frame: bytes) -> int:
    """N(R) of an I- or S-frame: all before it have been received."""
    return frame[4] >> 1 | frame[5] << 7


def information(send: int, receive: int, asdu: bytes) -> bytes:
    """An I-frame."""
    head = bytes((START, len(asdu) + 4)) + (send % MODULO << 1).to_bytes(2, "little")
    return head + (receive % MODULO << 1).to_bytes(2, "little") + asdu


def supervisory(receive: int) -> bytes:
    """An S-frame: acknowledges all before `receive`."""
    return bytes((START, 4, 1, 0)) + (receive % MODULO << 1).to_bytes(2, "little")


def control(function: int) -> bytes:
    """A U-frame."""
    return bytes((START, 4, function, 0, 0, 0))
