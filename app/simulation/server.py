"""Servers on loopback: one port a line, one or several units on it, each with the faults it was given."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, cast

from app.simulation.faults import Fault, FaultKind
from app.simulation.framing import ANY_METER, Framing, Request

HOST: Final = "127.0.0.1"
GATEWAY_TARGET_SILENT: Final = 11
BROADCAST: Final = 0


@dataclass
class Unit:
    """One device that is served."""

    device: str
    faults: dict[FaultKind, Fault] = field(default_factory=dict, init=False)

    @property
    def off(self) -> bool:
        return FaultKind.DROP in self.faults


class Answering(Protocol):
    """What a device answers: a request's PDU in, the answer's PDU out; a refusal is an answer too."""

    def answer(self, pdu: bytes) -> bytes: ...


@dataclass
class LineUnit(Unit):
    """One device on a line, by its number there."""

    number: int
    slave: Answering


class Port(Protocol):
    """One listening port."""

    @property
    def port(self) -> int: ...
    @property
    def off(self) -> bool: ...
    async def listen(self, port: int) -> None: ...
    async def close(self) -> None: ...
    def cut_connections(self) -> None: ...


class Line:
    """One listening port. Its connections share the units; each connection is answered by itself."""

    def __init__(self, framing: Framing, units: Iterable[LineUnit], seed: int) -> None:
        self.framing = framing
        self.units: Mapping[int, LineUnit] = {unit.number: unit for unit in units}
        self.port = 0
        self._random = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    async def listen(self, port: int) -> None:
        """Open the port; 0 takes a free one. Raises OSError where it is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), HOST, port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Close the port and cut every connection. May be called twice."""
        if self._server is not None:
            self._server.close()
            self.cut_connections()
            await self._server.wait_closed()
            self._server = None

    @property
    def off(self) -> bool:
        """Whether nobody is there at all."""
        return all(unit.off for unit in self.units.values())

    def cut_connections(self) -> None:
        """Break every connection, as a device does that loses power."""
        for connection in tuple(self._connections):
            connection.cut()

    def opened(self, connection: _Connection) -> None:
        if self.off:
            connection.cut()
        else:
            self._connections.add(connection)

    def closed(self, connection: _Connection) -> None:
        self._connections.discard(connection)

    def answer(self, request: Request) -> tuple[bytes, float] | None:
        """(bytes to send, seconds to wait before); None for silence."""
        if request.unit == BROADCAST and self.framing.silent:
            for unit in self.units.values():
                unit.slave.answer(request.pdu)
            return None
        found = self.units.get(request.unit)
        if request.unit == ANY_METER and len(self.units) == 1:
            (found,) = self.units.values()
        if found is None:
            if self.framing.silent:
                return None
            refusal = self.framing.refusal(request, GATEWAY_TARGET_SILENT)
            return self.framing.frame(request.unit, request.transaction, refusal), 0.0
        return self._misbehave(found, request) if found.faults else (self._frame(found, request), 0.0)

    def _frame(self, unit: LineUnit, request: Request, number: int | None = None) -> bytes:
        pdu = unit.slave.answer(request.pdu)
        return self.framing.frame(unit.number if number is None else number, request.transaction, pdu)

    def _misbehave(self, unit: LineUnit, request: Request) -> tuple[bytes, float] | None:
        faults = unit.faults
        if FaultKind.DROP in faults or FaultKind.SILENT in faults:
            return None
        delay_s = faults[FaultKind.SLOW].amount if FaultKind.SLOW in faults else 0.0
        if FaultKind.EXCEPTION in faults:
            refusal = self.framing.refusal(request, int(faults[FaultKind.EXCEPTION].amount))
            return self.framing.frame(unit.number, request.transaction, refusal), delay_s
        if FaultKind.GARBAGE in faults:
            return self._garble(self._frame(unit, request)), delay_s
        other = unit.number % 247 + 1 if FaultKind.WRONG_UNIT in faults else None
        return self._frame(unit, request, other) * (2 if FaultKind.TWICE in faults else 1), delay_s

    def _garble(self, frame: bytes) -> bytes:
        """Rubbish of the kinds that bad lines and bad firmware make."""
        chance = self._random
        kind = chance.randrange(4)
        if kind == 0:
            return chance.randbytes(chance.randint(1, 40))
        if kind == 1:
            return frame[: chance.randint(1, len(frame) - 1)]
        if kind == 2:
            at = chance.randrange(len(frame))
            return frame[:at] + bytes((frame[at] ^ chance.randint(1, 255),)) + frame[at + 1 :]
        return frame + chance.randbytes(chance.randint(1, 12))


class _Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._line.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._line.closed(self)

    def cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            while request := self._line.framing.cut(self._buffer):
                answer = self._line.answer(request)
                if answer is not None:
                    self._send(*answer)
        except ValueError:
            self.cut()  # after a header that is none, nothing that follows can be told apart

    def _send(self, frame: bytes, delay_s: float) -> None:
        if delay_s > 0.0:
            asyncio.get_running_loop().call_later(delay_s, self._send, frame, 0.0)
        elif self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame)
