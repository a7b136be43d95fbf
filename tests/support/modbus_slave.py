"""A Modbus slave of our own, for what good servers never do: silence, late and torn answers, wrong units, garbage.

Serves RTU over a pseudo-terminal or TCP, and Modbus TCP. Shares no code with the driver, checksums included.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace


def crc16(data: bytes) -> bytes:
    """Modbus' checksum as it stands in the specification, low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return struct.pack("<H", crc)


@dataclass(frozen=True)
class Reply:
    """An answer before it is framed."""

    unit: int
    transaction: int
    pdu: bytes
    rtu: bool

    @property
    def frame(self) -> bytes:
        if self.rtu:
            body = bytes([self.unit]) + self.pdu
            return body + crc16(body)
        return struct.pack(">HHHB", self.transaction, 0, len(self.pdu) + 1, self.unit) + self.pdu


Fault = Callable[[Reply], list[tuple[float, bytes]]]
"""What goes out in the place of a reply: (delay in seconds, bytes)."""


def silent(reply: Reply) -> list[tuple[float, bytes]]:
    return []


def late(delay_s: float) -> Fault:
    return lambda reply: [(delay_s, reply.frame)]


def garbage(reply: Reply) -> list[tuple[float, bytes]]:
    return [(0, bytes((i * 37 + 11) % 256 for i in range(len(reply.frame))))]


def noise_before(reply: Reply) -> list[tuple[float, bytes]]:
    return [(0, b"\xff\x00" + reply.frame)]


def bad_checksum(reply: Reply) -> list[tuple[float, bytes]]:
    return [(0, reply.frame[:-1] + bytes([reply.frame[-1] ^ 0x55]))]


def half(reply: Reply) -> list[tuple[float, bytes]]:
    return [(0, reply.frame[: len(reply.frame) // 2])]


def torn(reply: Reply) -> list[tuple[float, bytes]]:
    """Whole, but in three pieces."""
    frame = reply.frame
    return [(0, frame[:3]), (0.02, frame[3:6]), (0.04, frame[6:])]


def wrong_unit(reply: Reply) -> list[tuple[float, bytes]]:
    return [(0, replace(reply, unit=reply.unit + 1).frame)]


def wrong_function(reply: Reply) -> list[tuple[float, bytes]]:
    other = 4 if reply.pdu[0] == 3 else 3
    return [(0, replace(reply, pdu=bytes([other]) + reply.pdu[1:]).frame)]


def short(reply: Reply) -> list[tuple[float, bytes]]:
    """One register less than was asked for."""
    pdu = reply.pdu
    return [(0, replace(reply, pdu=bytes([pdu[0], pdu[1] - 2]) + pdu[2:-2]).frame)]


def wrong_count(reply: Reply) -> list[tuple[float, bytes]]:
    """The right length, and a byte count that says otherwise."""
    pdu = reply.pdu
    return [(0, replace(reply, pdu=bytes([pdu[0], pdu[1] - 2]) + pdu[2:]).frame)]


def wrong_transaction(reply: Reply) -> list[tuple[float, bytes]]:
    return [(0, replace(reply, transaction=reply.transaction ^ 0x0F00).frame)]


def refuse(code: int) -> Fault:
    return lambda reply: [(0, replace(reply, pdu=bytes([reply.pdu[0] | 0x80, code])).frame)]


@dataclass
class Slave:
    """Some units on one line. `registers[unit][n]` serve holding and input, `coils[unit][n]` coils and discrete inputs.

    What is not there is refused with exception 2. `faults[unit]` are used up one a request; `always[unit]` stays.
    """

    rtu: bool = True
    registers: dict[int, dict[int, int]] = field(default_factory=dict)
    coils: dict[int, dict[int, int]] = field(default_factory=dict)
    faults: defaultdict[int, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    always: dict[int, Fault] = field(default_factory=dict)
    requests: list[tuple[int, bytes]] = field(default_factory=list)
    """(unit, PDU) of everything that was asked, in order."""
    connections: int = 0
    write_only: set[int] = field(default_factory=set)
    _busy_until: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    _buffer: bytes = b""
    _transports: list[asyncio.WriteTransport] = field(default_factory=list)

    def units(self, *units: int, registers: int = 200) -> Slave:
        """Let these units hold registers whose content names unit and number: 1000 * unit + number."""
        for unit in units:
            self.registers[unit] = {n: 1000 * unit + n for n in range(registers)}
            self.coils[unit] = {n: (n + unit) % 2 for n in range(registers)}
        return self

    @property
    def writes(self) -> list[tuple[int, bytes]]:
        return [(unit, pdu) for unit, pdu in self.requests if pdu[0] not in (1, 2, 3, 4)]

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
        """Close every connection, as a device that restarts."""
        for transport in self._transports:
            transport.abort()
        self._transports.clear()

    # ---------------------------------------------------------------------------------------------------- protocol

    def receive(self, data: bytes, send: Callable[[bytes], object]) -> None:
        """Bytes from the master."""
        self._buffer += data
        while request := self._next():
            unit, transaction, pdu = request
            self.requests.append((unit, pdu))
            if unit not in self.registers:
                continue
            reply = Reply(unit, transaction, self._answer(unit, pdu), self.rtu)
            queue = self.faults[unit]
            fault = queue.popleft() if queue else self.always.get(unit)
            self._send_all(unit, fault(reply) if fault else [(0.0, reply.frame)], send)

    def _send_all(self, unit: int, frames: list[tuple[float, bytes]], send: Callable[[bytes], object]) -> None:
        """A unit does one thing after another: what it is asked while it is late, it answers after that."""
        loop = asyncio.get_running_loop()
        begin = max(self._busy_until[unit], loop.time())
        for delay_s, frame in frames:
            when = begin + delay_s
            self._busy_until[unit] = max(self._busy_until[unit], when)
            if when > loop.time():
                loop.call_at(when, self._send_late, send, frame)
            else:
                send(frame)

    @staticmethod
    def _send_late(send: Callable[[bytes], object], frame: bytes) -> None:
        try:
            send(frame)
        except OSError:
            return  # the test closed the line meanwhile

    def _next(self) -> tuple[int, int, bytes] | None:
        data = self._buffer
        if len(data) < 8:
            return None
        if not self.rtu:
            size = 6 + data[4] * 256 + data[5]
            if len(data) < size:
                return None
            self._buffer = data[size:]
            return data[6], data[0] * 256 + data[1], data[7:size]
        size = 9 + data[6] if data[1] in (15, 16) else 8
        if len(data) < size:
            return None
        self._buffer = data[size:]
        assert crc16(data[: size - 2]) == data[size - 2 : size], "the driver sent a wrong checksum"
        return data[0], 0, data[1 : size - 2]

    def _answer(self, unit: int, pdu: bytes) -> bytes:
        function, start, count = struct.unpack_from(">BHH", pdu)
        memory = self.coils[unit] if function in (1, 2, 5, 15) else self.registers[unit]
        reads = function in (1, 2, 3, 4)
        span = range(start, start + (count if reads or function in (15, 16) else 1))
        if any(n not in memory or (reads and n in self.write_only) for n in span):
            return bytes([function | 0x80, 2])
        if function in (1, 2):
            bits = sum(memory[n] << i for i, n in enumerate(span))
            data = bits.to_bytes((count + 7) // 8, "little")
            return bytes([function, len(data)]) + data
        if function in (3, 4):
            return struct.pack(f">BB{count}H", function, 2 * count, *(memory[n] for n in span))
        if function == 5:
            memory[start] = int(count == 0xFF00)
        elif function == 6:
            memory[start] = count
        elif function == 15:
            memory.update({n: pdu[6 + i // 8] >> i % 8 & 1 for i, n in enumerate(span)})
        elif function == 16:
            memory.update(zip(span, struct.unpack(f">{count}H", pdu[6:]), strict=True))
        else:
            return bytes([function | 0x80, 1])
        return pdu[:5]


class _Connection(asyncio.Protocol):
    def __init__(self, slave: Slave) -> None:
        self._slave = slave

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._slave.connections += 1
        self._slave._buffer = b""
        self._slave._transports.append(transport)

    def data_received(self, data: bytes) -> None:
        self._slave.receive(data, self._transport.write)
