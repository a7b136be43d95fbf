"""A 104 outstation so lean that it does not stand in the way of what is measured against it.

    python -m app.bench.outstation --stations 50 --points 1000

Prints its port on 127.0.0.1 as one line of JSON. Each station (common address 1 to N) has float points at 1, 2, ...;
an interrogation is answered, with halves, from frames that were made before. A line on standard input orders events
with time tags, `{"rate": 20000, "seconds": 30, "stations": 4}` (a rate of 0 is as fast as the window allows), each
point's values being 1, 2, 3, ... in turn; when all are acknowledged, a line of JSON says what was sent. Ends with its
standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
import time
from collections import deque
from typing import Any, Final

import numpy as np

from drivers.iec104 import apci
from drivers.iec104.clock import StationClock
from drivers.iec104.encoding import encode

K: Final = 12
"""Unacknowledged frames, the standard's own value."""
T1_S: Final = 5.0
"""Without an acknowledgement for so long the connection is ended; shorter than the standard's 15 s."""
_TICK_S: Final = 0.01
_AHEAD: Final = 64
"""Ticks' worth of frames that may wait when there is no rate."""
_FLOAT, _FLOAT_TIMED = 13, 36


class Outstation:
    """All connections, and the events of the one that transfers data."""

    def __init__(self, stations: int, points: int) -> None:
        self.points = np.arange(1, points + 1)
        self.asked_ns = 0
        """When the first interrogation since the start came."""
        self.asked = 0
        self.answers = {ca: encode(_FLOAT, 20, ca, self.points, self.points + 0.5) for ca in range(1, stations + 1)}
        self.transferring: Connection | None = None
        self._clock = StationClock(None, 0)

    async def events(self, rate: float, seconds: float, stations: int) -> dict[str, Any]:
        """Send events, each tick of one station in turn; returns what became of them."""
        per_tick = round(rate * _TICK_S) if rate else len(self.points)
        counts = np.zeros((stations, len(self.points)))
        places = np.zeros(stations, np.int64)
        began, tick, sent, waiting = time.monotonic(), 0, 0, 0
        while (passed_s := time.monotonic() - began) < seconds:
            connection = self.transferring
            if connection is None:  # what happens meanwhile is not sent later
                tick = round(passed_s / _TICK_S)
                await asyncio.sleep(_TICK_S)
                continue
            if not rate and len(connection.waiting) > _AHEAD:
                await asyncio.sleep(0.0005)
                continue
            station = tick % stations
            which = (places[station] + np.arange(per_tick)) % len(self.points)
            places[station] = (places[station] + per_tick) % len(self.points)
            counts[station, which] += 1
            moment = int.from_bytes(self._clock.octets(time.time_ns()), "little")
            connection.send(encode(_FLOAT_TIMED, 3, station + 1, self.points[which], counts[station, which], 0, moment))
            sent, tick, waiting = sent + per_tick, tick + 1, max(waiting, len(connection.waiting))
            if rate:
                await asyncio.sleep(max(0.0, began + tick * _TICK_S - time.monotonic()))
        if connection := self.transferring:
            await connection.sent.wait()
        took_s = time.monotonic() - began
        if connection:
            await connection.settled.wait()
        return {"sent": sent, "took_s": took_s, "most_waiting": waiting}


class Connection(asyncio.Protocol):
    """One controlling station. Sends no more than K frames ahead of what is acknowledged."""

    def __init__(self, owner: Outstation) -> None:
        self._owner = owner
        self._splitter = apci.Splitter()
        self._transport: asyncio.Transport | None = None
        self.waiting: deque[bytes] = deque()
        self._sent = self._acknowledged = self._received = 0
        self._owed_since = 0.0
        """Monotonic, since when an acknowledgement is due."""
        self.sent, self.settled = asyncio.Event(), asyncio.Event()
        """Set while nothing waits, and while nothing is unacknowledged."""

    def _tell(self) -> None:
        for event, holds in (
            (self.sent, not self.waiting),
            (self.settled, self._acknowledged == self._sent % apci.MODULO),
        ):
            if holds or self._transport is None:  # lost: nobody is left to wait for
                event.set()
            else:
                event.clear()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (for mypy: asyncio promises it)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._owner.transferring is self:
            self._owner.transferring = None
        self._transport = None
        self._tell()

    def send(self, asdus: list[bytes]) -> None:
        """As soon as the window allows."""
        self.waiting.extend(asdus)
        frames = []
        if self._acknowledged == self._sent % apci.MODULO:
            self._owed_since = time.monotonic()
        elif time.monotonic() - self._owed_since > T1_S and self._transport:
            self._transport.abort()
        while self.waiting and (self._sent - self._acknowledged) % apci.MODULO < K:
            frames.append(apci.information(self._sent, self._received, self.waiting.popleft()))
            self._sent += 1
        if frames and self._transport:
            self._transport.write(b"".join(frames))
        self._tell()

    def data_received(self, data: bytes) -> None:
        for frame in self._splitter.feed(data):
            function = apci.unnumbered(frame)
            if function == apci.STARTDT_ACT:
                self._owner.transferring = self
            if function in (apci.STARTDT_ACT, apci.STOPDT_ACT, apci.TESTFR_ACT) and self._transport:
                self._transport.write(apci.control({7: 0x0B, 0x13: 0x23, 0x43: 0x83}[function]))
            elif not function:
                if apci.receive_number(frame) != self._acknowledged:
                    self._acknowledged, self._owed_since = apci.receive_number(frame), time.monotonic()
                self.send(self._answers(frame) if apci.is_information(frame) else [])

    def _answers(self, frame: bytes) -> list[bytes]:
        self._received += 1
        owner, asdu = self._owner, frame[6:]
        if asdu[0] == 100:
            owner.asked_ns = owner.asked_ns or time.time_ns()
            owner.asked += 1
        values = owner.answers.get(int.from_bytes(asdu[4:6], "little"), []) if asdu[0] == 100 else []
        return [_with_cause(asdu, 7), *values, _with_cause(asdu, 10)]


def _with_cause(asdu: bytes, cause: int) -> bytes:
    return asdu[:2] + bytes((cause,)) + asdu[3:]


async def _main(stations: int, points: int) -> None:
    loop = asyncio.get_running_loop()
    owner = Outstation(stations, points)
    server = await loop.create_server(lambda: Connection(owner), "127.0.0.1", 0)
    print(json.dumps(server.sockets[0].getsockname()[1]), flush=True)
    orders: asyncio.Queue[str] = asyncio.Queue()

    def listen() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(orders.put_nowait, line)
        loop.call_soon_threadsafe(orders.put_nowait, "")

    threading.Thread(target=listen, daemon=True).start()
    while line := await orders.get():
        done = await owner.events(**json.loads(line))
        print(json.dumps(done | {"asked_ns": owner.asked_ns, "asked": owner.asked}), flush=True)
    server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--stations", type=int, default=50)
    parser.add_argument("--points", type=int, default=1000)
    options = parser.parse_args()
    asyncio.run(_main(options.stations, options.points))
