"""DL/T 645 meters of our own on one line, for what good ones never do: silence, late and torn answers, others' answers.

Serves a pseudo-terminal or TCP. Shares no code with the driver, checksums and offsets included.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

Fault = Callable[[bytes], list[tuple[float, bytes]]]
"""What goes out in the place of an answer: (delay in seconds, bytes)."""


def frame(address: str, control: int, data: bytes) -> bytes:
    """Without a preamble; `data` before 33H is added."""
    body = b"\x68" + bytes.fromhex(address)[::-1] + b"\x68" + bytes([control, len(data)])
    body += bytes((byte + 0x33) % 256 for byte in data)
    return body + bytes([sum(body) % 256, 0x16])


def silent(answer: bytes) -> list[tuple[float, bytes]]:
    return []


def late(delay_s: float) -> Fault:
    return lambda answer: [(delay_s, answer)]


def garbage(answer: bytes) -> list[tuple[float, bytes]]:
    return [(0, bytes((i * 37 + 11) % 256 for i in range(len(answer))))]


def noise_before(answer: bytes) -> list[tuple[float, bytes]]:
    return [(0, b"\xff\x68\x00\xfe" + answer)]


def bad_checksum(answer: bytes) -> list[tuple[float, bytes]]:
    return [(0, answer[:-2] + bytes([answer[-2] ^ 0x55, answer[-1]]))]


def half(answer: bytes) -> list[tuple[float, bytes]]:
    return [(0, answer[: len(answer) // 2])]


def torn(answer: bytes) -> list[tuple[float, bytes]]:
    """Whole, but in three pieces."""
    return [(0, answer[:5]), (0.02, answer[5:12]), (0.04, answer[12:])]


def instead(other: bytes) -> Fault:
    """Another frame altogether."""
    return lambda answer: [(0, other)]


def preceded_by(other: bytes) -> Fault:
    return lambda answer: [(0, other), (0.01, answer)]


@dataclass
class Meters:
    """`items[address][di]` is the data of an identifier. What is not there is refused with error 02H.

    `faults[address]` are used up one a request; `always[address]` stays. An answer longer than `piece` comes in frames.
    """

    items: dict[str, dict[int, bytes]] = field(default_factory=dict)
    errors: dict[tuple[str, int], int] = field(default_factory=dict)
    """(address, di) -> the error word that answers it."""
    piece: int = 200
    preamble: bytes = b"\xfe\xfe\xfe\xfe"
    faults: defaultdict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    always: dict[str, Fault] = field(default_factory=dict)
    requests: list[tuple[str, int, bytes]] = field(default_factory=list)
    """(address, control code, data) of everything that was asked, in order."""
    connections: int = 0
    _buffer: bytes = b""
    _busy_until: float = 0.0
    _transports: list[asyncio.WriteTransport] = field(default_factory=list)

    @property
    def asked(self) -> list[int]:
        """The identifiers that were read, in order."""
        return [int.from_bytes(data[:4], "little") for _, control, data in self.requests if control == 0x11]

    @property
    def writes(self) -> list[tuple[str, int, bytes]]:
        return [request for request in self.requests if request[1] not in (0x11, 0x12, 0x13)]

    # -------------------------------------------------------------------------------------------------- transports

    async def listen(self) -> tuple[asyncio.Server, int]:
        """Serve on a free TCP port of 127.0.0.1; the server and the port."""
        server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), "127.0.0.1", 0)
        return server, server.sockets[0].getsockname()[1]

    def open_pty(self) -> tuple[str, Callable[[], None]]:
        """Serve on a pseudo-terminal; the name of its other end, and how to close it. POSIX only."""
        loop = asyncio.get_running_loop()
        master, other = os.openpty()
        os.set_blocking(master, False)
        loop.add_reader(master, lambda: self.receive(os.read(master, 4096), lambda data: os.write(master, data)))
        ends = [master, other]

        def close() -> None:
            if ends:
                loop.remove_reader(master)
            while ends:
                os.close(ends.pop())

        return os.ttyname(other), close

    def drop(self) -> None:
        """Close every connection."""
        for transport in self._transports:
            transport.abort()
        self._transports.clear()

    # ---------------------------------------------------------------------------------------------------- protocol

    def receive(self, data: bytes, send: Callable[[bytes], object]) -> None:
        """Bytes from the master."""
        self._buffer += data
        while request := self._next():
            address, control, content = request
            self.requests.append(request)
            if control == 0x13 and len(self.items) == 1:
                (address,) = self.items
            if address not in self.items:
                continue
            answer = self.preamble + self._answer(address, control, content)
            queue = self.faults[address]
            fault = queue.popleft() if queue else self.always.get(address)
            self._send_all(fault(answer) if fault else [(0.0, answer)], send)

    def _send_all(self, frames: list[tuple[float, bytes]], send: Callable[[bytes], object]) -> None:
        """What is asked while an answer is late is answered after that one."""
        loop = asyncio.get_running_loop()
        begin = max(self._busy_until, loop.time())
        for delay_s, data in frames:
            when = begin + delay_s
            self._busy_until = max(self._busy_until, when)
            if when > loop.time():
                loop.call_at(when, self._send_late, send, data)
            else:
                send(data)

    @staticmethod
    def _send_late(send: Callable[[bytes], object], data: bytes) -> None:
        try:
            send(data)
        except OSError:
            return  # the test closed the line meanwhile

    def _next(self) -> tuple[str, int, bytes] | None:
        data = self._buffer.lstrip(b"\xfe")
        if len(data) < 12 or len(data) < 12 + data[9]:
            return None
        size = 12 + data[9]
        assert data[0] == data[7] == 0x68 and data[size - 1] == 0x16, "the driver sent no frame"
        assert sum(data[: size - 2]) % 256 == data[size - 2], "the driver sent a wrong checksum"
        self._buffer = data[size:]
        return data[1:7][::-1].hex(), data[8], bytes((byte - 0x33) % 256 for byte in data[10 : size - 2])

    def _answer(self, address: str, control: int, content: bytes) -> bytes:
        if control == 0x13:
            return frame(address, 0x93, bytes.fromhex(address)[::-1])
        di = int.from_bytes(content[:4], "little")
        data = self.items[address].get(di)
        error = self.errors.get((address, di), 0 if data is not None and control in (0x11, 0x12) else 0x02)
        if error:
            return frame(address, control | 0xC0, bytes([error]))
        assert data is not None
        number = content[4] if control == 0x12 else 0
        begin, end = number * self.piece, (number + 1) * self.piece
        tail = bytes([number]) if number else b""
        more = 0x20 if end < len(data) else 0
        return frame(address, control | 0x80 | more, content[:4] + data[begin:end] + tail)


class _Connection(asyncio.Protocol):
    def __init__(self, meters: Meters) -> None:
        self._meters = meters

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._meters.connections += 1
        self._meters._buffer = b""
        self._meters._transports.append(transport)

    def data_received(self, data: bytes) -> None:
        self._meters.receive(data, self._transport.write)
