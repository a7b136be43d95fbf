"""Streams of bytes into what reads them, on both sides: the relay to a station, and a connection of a centre."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, cast

import pytest

from app.model.text import Text
from drivers.iec104 import apci, messages
from drivers.iec104.asdu import Control
from drivers.iec104.clock import StationClock
from drivers.iec104.controlled import MOST_UNSENT, Connection, ControlledStation
from drivers.iec104.encoding import encode, head
from drivers.iec104.relay import Ended, Relay, Tap, Way, _for_library
from drivers.iec104.typeids import COMMANDS, MONITORED, NUMBERS
from tests.support.fuzzing import a_million, spoilt

ASDUS = [
    *(encode(type_, 3, 1, [1, 2], [1, 0], 0, 0)[0] for kind in MONITORED for type_ in (kind.plain, kind.timed)),
    *(head(one.type, 1, cause, 1) + b"\x01\x60\x00" + bytes(5) for one in COMMANDS for cause in (6, 7, 10, 47)),
    *(head(type_, 1, 6, ca) + bytes(3) + b"\x14" for type_ in (70, 100, 101, 105) for ca in (1, 2, 65535)),
    head(103, 1, 6, 1) + bytes(10), head(104, 1, 6, 1) + bytes(5), head(102, 1, 5, 1) + b"\x01\0\0", b"", b"\x64",
]  # fmt: skip
CONTROLS = [0x07, 0x0B, 0x13, 0x23, 0x43, 0x83]


def stream(random: Random, frames: int) -> bytes:
    """Frames numbered as they should be, mostly; some of their octets are spoilt."""
    made, number = [apci.control(apci.STARTDT_ACT)] if random.random() < 0.8 else [], 0
    for _ in range(frames):
        kind = random.random()
        if kind < 0.7:
            asdu = random.choice(ASDUS)
            asdu = spoilt(random, asdu)[:249] if random.random() < 0.3 else asdu
            made.append(apci.information(number, 0, asdu))
            number += 1
        elif kind < 0.85:
            made.append(apci.supervisory(random.choice((0, 0, 0, 1, random.randrange(1 << 15)))))
        else:
            made.append(apci.control(random.choice(CONTROLS)))
    data = b"".join(made)
    return spoilt(random, data, most=1) if random.random() < 0.3 else data


async def relay(count: int, random: Random) -> None:
    """From a station: values for the pipe and controls, or the line ends with its reason."""
    controls, values, faults = 0, 0, Counter[Text]()

    async def take(message: bytes) -> None:
        nonlocal values
        length, kind = messages.length_and_kind(message[: messages.HEAD.size])
        assert (length, kind) == (len(message) - messages.HEAD.size, messages.VALUES)
        values += len(messages.unpack_values(message[messages.HEAD.size :])[0])

    def note(control: Control, sent: bool) -> None:
        nonlocal controls
        assert not sent
        controls += 1

    one = Relay(Way("h", 1), StationClock(None, 60), Tap(take, note, lambda: None, faults), 15, read_only=False)
    for _ in range(count // 10):
        one._next_receive, one._asdus, one._urgent = 0, [], False
        reader, library, held = asyncio.StreamReader(), Library(), asyncio.Queue[tuple[float, bytes]](64)
        one._holding = 0
        data = stream(random, 10)
        cut = random.randrange(len(data) + 1)
        reader.feed_data(data[:cut])
        reader.feed_data(data[cut:])
        reader.feed_eof()
        try:
            await one._inbound(reader, cast("asyncio.StreamWriter", library), held)
        except (Ended, apci.FrameFault) as end:
            assert end.text.en and end.text.zh
        await one._flush()
        while not held.empty():
            library.write(held.get_nowait()[1])
        for frame in apci.Splitter().feed(bytes(library.written)):
            assert len(_for_library(frame)) == len(frame)
        faults.clear()
    assert controls > count / 100 and values > count / 10


class Library:
    """What the library is given."""

    def __init__(self) -> None:
        self.written = bytearray()

    def write(self, data: bytes) -> None:
        self.written += data

    async def drain(self) -> None:
        pass


class Sink(asyncio.Transport):
    """Of a peer at 10.0.0.5, which reads nothing of what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("10.0.0.5", 4000)})
        self.octets = 0
        self.aborted = False

    def write(self, data: Any) -> None:
        self.octets += len(data)

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def centre(count: int, random: Random) -> None:
    """From a centre: answers within the window, orders told, or the connection ends with its reason."""
    notes = Counter[str]()
    order = {
        "parameters": {"k": 12, "w": 8, "t1": 15, "t2": 10, "t3": 20}, "ca": 1, "timed_measurements": True, "zone": None,
        "points": [[i, NUMBERS[kind.name], 0.0, [1]] for i, kind in enumerate(MONITORED, 1)], "confirms_clock": False,
        "commands": [[0x6001, 50, False]], "decides": False, "host": "h", "port": 1, "tls": None, "allow": ["10.0.0.0/8"],
        "cyclic_s": None, "redundant": True,
    }  # fmt: skip

    async def send(message: bytes) -> None: ...

    def say(note: messages.Note) -> None:
        notes[note["note"]] += 1
        messages.unpack_note(messages.pack(note)[messages.HEAD.size :])

    station = ControlledStation(order, send, say)
    for _ in range(count // 10):
        connection, sink = Connection(station), Sink()
        connection.connection_made(sink)
        data = stream(random, 10)
        while data and not sink.aborted:
            cut = random.randrange(1, len(data) + 1)
            connection.data_received(data[:cut])
            data = data[cut:]
            assert len(connection.transfer.unacknowledged) <= 12 and station._common is not None
            assert station._common.outbox.urgent <= MOST_UNSENT
        connection.connection_lost(None)
        assert not station.connections
    assert notes["order"] > count / 10_000 and notes["lost"] == count // 10


FUZZERS: dict[str, Callable[[int, Random], Coroutine[Any, Any, None]]] = {"a station": relay, "a centre": centre}


@pytest.mark.parametrize("of", FUZZERS)
def test_what_comes_from(of: str) -> None:
    asyncio.run(FUZZERS[of](5_000, Random(1)))


@pytest.mark.slow
@pytest.mark.parametrize("of", FUZZERS)
def test_a_million_frames_from(of: str) -> None:
    a_million(lambda count, random: asyncio.run(FUZZERS[of](count, random)))
