"""A line of Modbus units: the silence between frames, and answers that come too late. Shared by all units on it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from app.model.errors import DeviceError, ReadOnlyError, TransportError
from app.model.text import Text
from drivers import channel, line
from drivers.modbus import requests
from drivers.modbus.frames import Framing
from drivers.modbus.late import LateAnswers
from drivers.modbus.requests import Peer, Request
from drivers.modbus.wire import Wire
from drivers.turns import Precedence

Ask = Callable[[Request], Awaitable[bytes]]

_SHORTEST_SILENCE_S: Final = 0.00175
"""Above 19200 baud the silence between RTU frames is fixed (Modbus over serial line 1.02, 2.5.1.1)."""


@dataclass(frozen=True, slots=True)
class Endpoint(channel.Endpoint):
    """Where a line begins, and how PDUs travel on it."""

    framing: Framing


class Line(line.Line[Wire]):
    """One line. Tells apart the answers of units that come too late."""

    def __init__(self, endpoint: Endpoint, *, read_only: bool) -> None:
        super().__init__(endpoint.name)
        self._endpoint = endpoint
        self._read_only = read_only
        self._late = LateAnswers()
        self._transaction = 0

    def _new_wire(self) -> Wire:
        return Wire(self._endpoint, self._endpoint.framing, self._late)

    async def ask(self, request: Request, precedence: Precedence) -> bytes:
        """The PDU that answers one request. Raises TransportError, ProtocolError, or ReadOnlyError."""
        if self._late.any:
            await self._wait_for_late_answers(request)
        async with self._taken(precedence, request.peer.timeout_s, request.peer.device):
            return await self._exchange(request)

    @contextlib.asynccontextmanager
    async def turn(self, peer: Peer, precedence: Precedence) -> AsyncIterator[Ask]:
        """Hold the line for requests that must not be parted; ask with what this gives."""
        async with self._taken(precedence, peer.timeout_s, peer.device):
            yield self._exchange

    async def _exchange(self, request: Request) -> bytes:
        peer = request.peer
        if request.writes and self._read_only:
            raise ReadOnlyError(
                f"{peer.device}: function {request.function} was not sent, because the station is read-only"
            )
        if self._late.any and self._doubtful(request):
            other = self._of_another_length(request)
            if other:
                await self._send(other)
                self._late.forgive(peer.unit)
        return await self._send(request)

    def _doubtful(self, request: Request) -> bool:
        """Whether a late answer could be taken for this request's. An echo tells which request it answers."""
        return not request.echo and self._late.doubtful(
            request.peer.unit, request.function, request.size, now=self._now()
        )

    def _of_another_length(self, request: Request) -> Request | None:
        """A read of fewer of the same registers, whose answer cannot be taken for a late one. None if there is none."""
        other: Request | None = request
        while other and self._doubtful(other):
            other = requests.read(other.peer, *other.shorter) if other.shorter else None
        return other

    async def _wait_for_late_answers(self, request: Request) -> None:
        """Where nothing can tell them apart, give each late one another time-out to come. Others go on meanwhile.

        A single one that has not come by then is taken for lost: noise is more usual than a unit that needs more than
        two time-outs. Of several, the unit is too slow, and is not asked before they came or are past hope.
        """
        peer = request.peer
        while self._doubtful(request) and self._of_another_length(request) is None:
            count, since = self._late.owed_by(peer.unit)
            wait_s = since + count * peer.timeout_s - self._now()
            if wait_s > 0:
                await asyncio.sleep(min(wait_s, peer.timeout_s / 4))
            elif count > 1:
                name = self._endpoint.name
                text = Text(
                    f"unit {peer.unit} at {name} still owes {count} answers; give it a longer `timeout`",
                    f"{name} 单元 {peer.unit} 仍欠 {count} 个应答；请为其设置更长的 timeout",
                )
                raise TransportError(text, device=peer.device)
            else:
                return

    async def _send(self, request: Request) -> bytes:
        peer = request.peer
        await self._keep_silence(self._silence_s(peer))
        wire = self._open_wire(peer.device)
        self._transaction = self._transaction % 0xFFFF + 1
        frames = len(request.pdu) + request.size + 2 * self._endpoint.framing.overhead
        timeout_s = peer.timeout_s + frames * self._endpoint.character_s
        try:
            return await wire.exchange(request, self._transaction, timeout_s)
        except DeviceError as error:
            error.device = peer.device
            raise
        finally:
            self._free_since = self._now()

    def _silence_s(self, peer: Peer) -> float:
        character_s = self._endpoint.character_s
        return max(peer.gap_s, 3.5 * character_s, _SHORTEST_SILENCE_S) if character_s else peer.gap_s
