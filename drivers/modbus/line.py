"""A line that carries one request at a time: its turns, its silences, its reopening. Shared by all units on it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from pymodbus.transport import CommParams

from app.model.errors import DeviceError, ReadOnlyError, TransportError
from app.model.text import Text
from drivers.modbus import requests
from drivers.modbus.frames import Framing
from drivers.modbus.late import LateAnswers
from drivers.modbus.requests import Peer, Request
from drivers.modbus.wire import Wire
from drivers.turns import Precedence, Turns

Ask = Callable[[Request], Awaitable[bytes]]

_BITS_A_CHARACTER: Final = 11
_SHORTEST_SILENCE_S: Final = 0.00175
"""Above 19200 baud the silence between RTU frames is fixed (Modbus over serial line 1.02, 2.5.1.1)."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a line begins."""

    name: str
    """As messages say it: `10.0.0.5:502`, `/dev/ttyUSB0`."""
    params: CommParams
    framing: Framing

    @property
    def character_s(self) -> float:
        """Time of a character on the line; 0 where it does not matter."""
        return _BITS_A_CHARACTER / self.params.baudrate if self.params.baudrate > 0 else 0.0


class Line:
    """One line. Reopens itself when it is asked after it was lost."""

    def __init__(self, endpoint: Endpoint, *, read_only: bool) -> None:
        self._endpoint = endpoint
        self._read_only = read_only
        self._turns = Turns()
        self._late = LateAnswers()
        self._wire: Wire | None = None
        self._transaction = 0
        self._free_since = 0.0
        """When the last exchange ended, by the loop's clock."""
        self._failures = 0
        self._refusal = Text("", "")
        self._closed = False

    async def open(self, timeout_s: float) -> None:
        """Open it where it is not open. Raises TransportError."""
        failures = self._failures
        async with self._turns.turn(Precedence.POLL):
            await self._ready(failures, timeout_s)

    async def close(self) -> None:
        """Close it for good."""
        self._closed = True
        if self._wire:
            self._wire.shut()
            self._wire = None
        await asyncio.sleep(0)  # the loop lets go of the socket in its next round

    async def ask(self, request: Request, precedence: Precedence) -> bytes:
        """The PDU that answers one request. Raises TransportError, ProtocolError, or ReadOnlyError."""
        if self._late.any:
            await self._wait_for_late_answers(request)
        failures = self._failures
        async with self._turns.turn(precedence):
            await self._ready(failures, request.peer.timeout_s, request.peer.device)
            return await self._exchange(request)

    @contextlib.asynccontextmanager
    async def turn(self, peer: Peer, precedence: Precedence) -> AsyncIterator[Ask]:
        """Hold the line for requests that must not be parted; ask with what this gives."""
        failures = self._failures
        async with self._turns.turn(precedence):
            await self._ready(failures, peer.timeout_s, peer.device)
            yield self._exchange

    async def _ready(self, failures: int, timeout_s: float, device: str = "") -> None:
        """An open wire. Whoever waited while another failed to open it fails likewise, instead of one after another."""
        if self._closed:
            raise self._closed_here(device)
        if self._wire and self._wire.is_open:
            return
        if failures != self._failures:
            raise TransportError(self._refusal, device=device)
        wire = Wire(self._endpoint.params, self._endpoint.framing, self._endpoint.name, self._late)
        try:
            await wire.open(timeout_s)
            if self._closed:  # meanwhile
                raise self._closed_here(device)
        except BaseException as error:
            wire.shut()
            if isinstance(error, TransportError):
                self._failures += 1
                self._refusal = error.text
                error.device = device
            raise
        self._wire = wire

    def _closed_here(self, device: str) -> TransportError:
        name = self._endpoint.name
        return TransportError(Text(f"{name} was closed here", f"{name} 已由本程序关闭"), device=device)

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
        await self._keep_silence(peer)
        wire = self._wire
        if wire is None or not wire.is_open:
            name = self._endpoint.name
            text = Text(
                f"{name}: the connection was lost; check that the device runs, and the cable",
                f"{name}：连接已断开；请检查设备是否运行正常以及线缆",
            )
            raise TransportError(text, device=peer.device)
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

    async def _keep_silence(self, peer: Peer) -> None:
        character_s = self._endpoint.character_s
        silence_s = max(peer.gap_s, 3.5 * character_s, _SHORTEST_SILENCE_S) if character_s else peer.gap_s
        if silence_s:
            wait_s = self._free_since + silence_s - self._now()
            if wait_s > 0:
                await asyncio.sleep(wait_s)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
