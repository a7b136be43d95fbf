"""In the worker: carries one connection between the library and the station, and reads what passes.

The library speaks plain TCP to 127.0.0.1; this carries it to the station, inside TLS where that is asked for. Values
are decoded from the bytes that pass, many frames at once, which is faster than the library's callbacks and knows the
cause of transmission; the library keeps sequence numbers, windows and timers. Three more things happen here because
they can nowhere else: outgoing commands with a time get it in the station's own clock, selections are made of what the
library sends for them, and where nothing may be written no write passes, whoever asked for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from app.model.text import Text
from drivers.causes import cause
from drivers.iec104 import apci
from drivers.iec104.asdu import CAUSE, HEAD, OBJECT, Control, decode
from drivers.iec104.clock import StationClock
from drivers.iec104.messages import pack_values
from drivers.iec104.outcomes import SELECT, SELECT_AT
from drivers.iec104.typeids import (
    CLOCK_SYNCHRONISATION,
    COMMANDS_BY_TYPE,
    COUNTER_INTERROGATION,
    INTERROGATION,
    Cause,
)

GATHER_S: Final = 0.05
"""Frames of this time are decoded together: each batch costs both processes as much as hundreds of events."""
MOST_ASDUS: Final = 256
"""Decoded together at most, so that whoever takes a batch is done with it in a few milliseconds."""
HELD_S: Final = 0.02
"""c104 2.2.1 sends a command and then begins to wait: it misses an answer that is faster."""
_MOST_HELD: Final = 64
"""Reads that wait for the library before the station has to wait."""
_READ: Final = 1 << 16
_ELEMENT: Final = 2 * HEAD + OBJECT
"""Where it begins in a frame, whose own head is as long as that of the ASDU."""
_NAMES: Final = {apci.STARTDT_ACT: "STARTDT", apci.TESTFR_ACT: "TESTFR"}
_LIBRARY_ABSENT: Final = Text("the library did not begin to connect within 10 s", "10 s 内协议库未开始连接")
_HARMLESS: Final = (INTERROGATION, COUNTER_INTERROGATION, 102, 104, 107)
"""What may be sent in a station that is read-only: interrogations, reading, tests."""


class Ended(Exception):
    """The connection is over; `text` says why."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


@dataclass(frozen=True, slots=True)
class Way:
    """How the station is reached."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    name: str | None = None
    """Whom its certificate must name."""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass
class Tap:
    """What the relay tells: batches for the pipe, controls that passed, that data transfer was started."""

    values: Callable[[bytes], Awaitable[None]]
    control: Callable[[Control, bool], None]
    """An ASDU that is no value, and whether we sent it."""
    started: Callable[[], None]
    faults: Counter[Text]
    """Why ASDUs could not be read -> how many."""


class Relay:
    """One connection after the other to one way; the library connects to `port` each time."""

    def __init__(self, way: Way, clock: StationClock, tap: Tap, t1_s: float, *, read_only: bool) -> None:
        self.way = way
        self._t1_s = t1_s
        self.start_sent = False
        """Whether the library has asked for data transfer on this connection."""
        self.passed = Counter[tuple[int, int, int]]()
        """Type, common address and object address of what was sent -> how often."""
        self._clock = clock
        self._tap = tap
        self._read_only = read_only
        self._server: asyncio.Server | None = None
        self._library: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] | None = None
        self._asdus: list[bytes] = []
        self._came = asyncio.Event()
        self._urgent = False
        """Whether somebody waits for what has come."""
        self._received_ns = 0
        self._next_receive = 0
        self._next_send = 0
        self._acknowledged = 0
        self._unanswered = ""
        self._started = asyncio.Event()
        self._holding = 0
        """Reads that the library does not have yet, because an answer to a command is among them or before them."""
        self._owed_since = 0.0
        """Monotonic, since when the station owes an answer or an acknowledgement."""

    async def listen(self) -> int:
        """Begin to listen for the library on a port of 127.0.0.1, which is returned."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Listen no more."""
        if self._server:
            self._server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._library is None or self._library.done():
            writer.close()
        else:
            self._library.set_result((reader, writer))

    async def reach(self, timeout_s: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open the way to the station. Raises Ended."""
        try:
            async with asyncio.timeout(timeout_s):
                name = self.way.name if self.way.tls else None
                return await asyncio.open_connection(
                    self.way.host, self.way.port, ssl=self.way.tls, server_hostname=name
                )
        except ssl.SSLError as error:
            said = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error.reason
            raise Ended(Text(f"TLS with {self.way} failed: {said}", f"与 {self.way} 的 TLS 握手失败：{said}")) from None
        except (OSError, TimeoutError) as error:
            why = cause(error, timeout_s)
            raise Ended(Text(f"no connection to {self.way}: {why.en}", f"无法连接 {self.way}：{why.zh}")) from None

    async def carry(
        self,
        station: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        call_library: Callable[[], Awaitable[None]],
    ) -> None:
        """Carry bytes until one side ends; always raises Ended. `call_library` makes the library connect to `port`."""
        self._next_receive = self._next_send = self._acknowledged = self._holding = 0
        self._unanswered, self.start_sent, self._started = "", False, asyncio.Event()
        self._library = asyncio.get_running_loop().create_future()
        writers = [station[1]]
        try:
            await call_library()
            async with asyncio.timeout(10):
                library = await self._library
            writers.append(library[1])
            held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_MOST_HELD)
            ways = (self._inbound(station[0], library[1], held), self._feed(held, library[1]))
            back = self._outbound(library[0], station[1])
            tasks = [asyncio.create_task(way) for way in (*ways, back, self._gather(), self._watch_start())]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        except TimeoutError:
            raise Ended(_LIBRARY_ABSENT) from None
        except apci.FrameFault as fault:
            text = Text(
                f"{self.way} does not speak IEC 60870-5-104: {fault.text.en}",
                f"{self.way} 的报文不符合 IEC 60870-5-104：{fault.text.zh}",
            )
            raise Ended(text) from None
        except OSError as error:
            why = error.strerror or str(error)
            raise Ended(Text(f"connection with {self.way} lost: {why}", f"与 {self.way} 的连接中断：{why}")) from None
        finally:
            self._library = None
            await self._flush()
            for writer in writers:
                writer.close()
                with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
                    async with asyncio.timeout(1):
                        await writer.wait_closed()

    # ----------------------------------------------------------------------------------------- from the station

    async def _inbound(
        self, reader: asyncio.StreamReader, library: asyncio.StreamWriter, held: asyncio.Queue[tuple[float, bytes]]
    ) -> None:
        splitter, loop = apci.Splitter(), asyncio.get_running_loop()
        while data := await reader.read(_READ):
            self._received_ns = time.time_ns()
            frames = splitter.feed(data)
            for frame in frames:
                self._note_inbound(frame)
            due = loop.time() + HELD_S if self._urgent else 0.0
            if len(self._asdus) >= MOST_ASDUS or self._urgent:
                await self._flush()
            elif self._asdus:
                self._came.set()
            passing = b"".join(map(_for_library, frames))
            if due or self._holding:
                self._holding += 1
                await held.put((due, passing))
            else:
                library.write(passing)
                await library.drain()
        raise Ended(self._over(f"{self.way} closed the connection", f"{self.way} 关闭了连接"))

    async def _feed(self, held: asyncio.Queue[tuple[float, bytes]], library: asyncio.StreamWriter) -> None:
        """Give to the library what is held: answers to commands not before it waits for them."""
        loop = asyncio.get_running_loop()
        while True:
            due, data = await held.get()
            await asyncio.sleep(due - loop.time())
            library.write(data)
            await library.drain()
            self._holding -= 1

    def _note_inbound(self, frame: bytes) -> None:
        if apci.is_information(frame):
            if apci.send_number(frame) != self._next_receive:
                number, due = apci.send_number(frame), self._next_receive
                text = Text(
                    f"{self.way} sent frame {number} where {due} was due: frames are lost",
                    f"{self.way} 发送序号为 {number}，应为 {due}：报文丢失",
                )
                raise Ended(text)
            self._next_receive = (self._next_receive + 1) % apci.MODULO
            self._acknowledged = apci.receive_number(frame)
            self._asdus.append(frame[HEAD:])
            self._urgent = self._urgent or (len(frame) > HEAD and frame[HEAD] in COMMANDS_BY_TYPE)
        elif (function := apci.unnumbered(frame)) == 0:
            self._acknowledged = apci.receive_number(frame)
        elif function in (apci.STARTDT_CON, apci.STOPDT_CON, apci.TESTFR_CON):
            self._unanswered = ""
            if function == apci.STARTDT_CON:
                self._started.set()
                self._tap.started()

    async def _gather(self) -> None:
        """Flush a moment after something came."""
        while True:
            await self._came.wait()
            self._came.clear()
            await asyncio.sleep(GATHER_S)
            await self._flush()

    async def _flush(self) -> None:
        """Decode what has come, and pass it on. Waits while the pipe is full, and so does the station."""
        asdus, self._asdus, self._urgent = self._asdus, [], False
        if not asdus:
            return
        decoded = decode(asdus)
        self._tap.faults.update(decoded.faults)
        ends = [control for control in decoded.controls if control.cause == Cause.TERMINATION]
        for control in decoded.controls:
            if control not in ends:
                self._tap.control(control, False)
        if len(decoded.columns):
            await self._tap.values(pack_values(decoded.columns, self._received_ns))
        for control in ends:  # behind the values, which are then all there
            self._tap.control(control, False)

    # ------------------------------------------------------------------------------------------- from the library

    async def _outbound(self, reader: asyncio.StreamReader, station: asyncio.StreamWriter) -> None:
        splitter = apci.Splitter()
        while data := await reader.read(_READ):
            station.write(b"".join([self._outgoing(frame) for frame in splitter.feed(data)]))
            await station.drain()
        raise Ended(self._given_up())

    def _outgoing(self, frame: bytes) -> bytes:
        """A frame as it may leave. Raises Ended for a write that is forbidden."""
        if not apci.is_information(frame):
            function = apci.unnumbered(frame)
            if function in (apci.STARTDT_ACT, apci.TESTFR_ACT):
                self._unanswered, self._owed_since = _NAMES[function], time.monotonic()
                self.start_sent = self.start_sent or function == apci.STARTDT_ACT
            return frame
        type_, frame = frame[HEAD], _selection(frame)
        if self._read_only and type_ not in _HARMLESS:
            raise Ended(
                Text(
                    f"a write of type {type_} was stopped: the station is read-only",
                    f"站为只读，已阻止类型标识 {type_} 的写入",
                )
            )
        if type_ == CLOCK_SYNCHRONISATION or (type_ in COMMANDS_BY_TYPE and COMMANDS_BY_TYPE[type_].timed):
            frame = frame[:-7] + self._clock.octets(time.time_ns())
        if self._acknowledged == self._next_send:
            self._owed_since = time.monotonic()
        self._next_send = (apci.send_number(frame) + 1) % apci.MODULO
        for control in decode([frame[HEAD:]]).controls:
            self.passed[control.type, control.ca, control.ioa] += 1
            self._tap.control(control, True)
        return frame

    async def _watch_start(self) -> None:
        """The library waits for ever for the answer to its STARTDT; this does not."""
        while not self._started.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._t1_s):
                    await self._started.wait()
            if self.start_sent and not self._started.is_set() and self._suspicion():
                raise Ended(self._given_up())
        await asyncio.Event().wait()

    def _given_up(self) -> Text:
        return self._over(f"the connection with {self.way} was given up", f"已放弃与 {self.way} 的连接")

    def _over(self, en: str, zh: str) -> Text:
        why = self._suspicion()
        return Text(f"{en}; {why.en}", f"{zh}；{why.zh}") if why else Text(en, zh)

    def _suspicion(self) -> Text | None:
        """Why a connection was closed, as far as the frames tell."""
        if time.monotonic() - self._owed_since < 0.9 * self._t1_s:
            return None
        if self._unanswered:
            return Text(f"{self._unanswered} was not answered within t1", f"t1 内未收到 {self._unanswered} 的确认")
        if self._acknowledged != self._next_send:
            return Text(
                f"frames from {self._acknowledged} on were not acknowledged within t1",
                f"t1 内未收到序号 {self._acknowledged} 起的报文确认",
            )
        return None


def _selection(frame: bytes) -> bytes:
    """A command with the library's cause for selections as a selection; any other as it is."""
    command = COMMANDS_BY_TYPE.get(frame[HEAD])
    if command is None or frame[HEAD + 2] & CAUSE != Cause.SPONTANEOUS:
        return frame
    marked = bytearray(frame)
    marked[HEAD + 2] = Cause.ACTIVATION
    marked[_ELEMENT + SELECT_AT[command.element]] |= SELECT
    return bytes(marked)


def _for_library(frame: bytes) -> bytes:
    """The end of a command goes to an address of nobody: the library would take it for a confirmation that failed."""
    ends = apci.is_information(frame) and len(frame) >= _ELEMENT and frame[HEAD] in COMMANDS_BY_TYPE
    if not ends or frame[HEAD + 2] & CAUSE != Cause.TERMINATION:
        return frame
    return frame[: _ELEMENT - OBJECT] + b"\xff" * OBJECT + frame[_ELEMENT:]
