"""One open connection: a request goes out, its answer comes back, and everything else that comes is told apart from it.

This takes the place of pymodbus' transaction manager. That one lets a request wait for its time-out when the connection
is lost, skips a wrong unit without a word, takes any function and any number of registers for the answer, and unpacks
registers one by one into a list; here each of these faults is named at once, and an answer stays bytes, which numpy
decodes.
"""

from __future__ import annotations

import asyncio
from typing import Final

from app.model.durations import format_duration
from app.model.errors import ProtocolError, TransportError
from drivers.channel import Channel, Endpoint
from drivers.modbus.frames import Frame, Framing
from drivers.modbus.late import LateAnswers
from drivers.modbus.requests import Request

SILENCES_UNTIL_REOPENED: Final = 2
"""Unanswered requests in a row after which a TCP connection is no longer believed to lead anywhere."""


class Wire(Channel):
    """A connection that carries one request at a time."""

    def __init__(self, endpoint: Endpoint, framing: Framing, late: LateAnswers) -> None:
        super().__init__(endpoint)
        self._framing = framing
        self._late = late
        self._request: Request | None = None
        self._transaction = 0
        self._answer: asyncio.Future[bytes] | None = None
        self._strange = ""
        self._silences = 0

    async def exchange(self, request: Request, transaction: int, timeout_s: float) -> bytes:
        """Send a request and return the PDU that answers it, an exception among them.

        Raises TransportError when no answer came, ProtocolError when something came that is none.
        """
        self._request, self._transaction, self._strange = request, transaction, ""
        answer: asyncio.Future[bytes] = self.loop.create_future()
        self._answer = answer
        if not self._framing.numbered:
            self.recv_buffer = b""
        timer = self.loop.call_later(timeout_s, self._expire, timeout_s)
        try:
            self._write(self._framing.build(request.peer.unit, transaction, request.pdu))
            result = await answer
        except BaseException:
            if not self._framing.numbered:  # its answer may still come
                peer = request.peer
                now = self.loop.time()
                self._late.owe(peer.unit, request.function, request.size, now=now, timeout_s=peer.timeout_s)
            raise
        finally:
            timer.cancel()
            self._request = self._answer = None
        self._silences = 0
        return result

    # ------------------------------------------------------------------------------ what pymodbus' transport calls

    def callback_data(self, data: bytes, addr: object = None) -> int:
        used = 0
        while used < len(data):
            try:
                size, frame = self._framing.cut(data[used:] if used else data)
            except ValueError as error:
                self._fail(ProtocolError(f"{self._asked} was answered with {error}"))
                self.shut()
                return len(data)
            used += size
            if frame is None:
                if size:
                    self._strange = f"with {size} bytes that are no frame ({data[used - size : used][:12].hex(' ')})"
                break
            self._judge(frame)
        return used

    # -------------------------------------------------------------------------------------------------- judgement

    def _judge(self, frame: Frame) -> None:
        request = self._request
        if request is None or self._answer is None or self._answer.done():
            self._late.settle(frame.unit, frame.pdu)
            return
        if self._framing.numbered and frame.transaction != self._transaction:
            self._strange = f"only with transaction {frame.transaction}, not {self._transaction}"
            return
        wrong = _wrong(request, frame)
        if not wrong:
            self._answer.set_result(frame.pdu)
        elif self._framing.numbered or not self._late.settle(frame.unit, frame.pdu):
            self._fail(ProtocolError(f"{self._asked} was answered {wrong}"))

    def _expire(self, timeout_s: float) -> None:
        rest = len(self.recv_buffer)
        self._silences += 1
        if rest and not self._strange:
            self._strange = f"with {rest} bytes of an unfinished frame ({self.recv_buffer[:12].hex(' ')})"
        error: Exception
        if self._strange:
            error = ProtocolError(f"{self._asked} was answered {self._strange}; {self._hint}")
        else:
            error = TransportError(
                f"{self._asked} was not answered within {format_duration(timeout_s)}; "
                "check that it is powered, its unit number and the wiring"
            )
        self._fail(error)
        if not self._serial and (self._silences >= SILENCES_UNTIL_REOPENED or (rest and self._framing.numbered)):
            self.shut()

    @property
    def _hint(self) -> str:
        if self._framing.numbered:
            return "check that a Modbus TCP device listens there"
        return "check wiring, baud rate and parity, and that there is no other master"

    @property
    def _asked(self) -> str:
        return f"unit {self._request.peer.unit} at {self._name}" if self._request else self._name

    def _fail(self, error: Exception) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(error)


def _wrong(request: Request, frame: Frame) -> str:
    """What is wrong with a frame as the answer to a request; empty when it is the answer."""
    unit, pdu = request.peer.unit, frame.pdu
    if frame.unit != unit and unit:
        return f"by unit {frame.unit}"
    if pdu[0] & 0x7F != request.function:
        return f"with function {pdu[0] & 0x7F} instead of {request.function}"
    if pdu[0] & 0x80:
        return "" if len(pdu) == 2 else f"with an exception of {len(pdu)} bytes instead of 2"
    if len(pdu) != request.size:
        return f"with {len(pdu)} bytes instead of {request.size}"
    if not request.writes and pdu[1] != request.size - 2:
        return f"with a byte count of {pdu[1]} instead of {request.size - 2}"
    if not pdu.startswith(request.echo):
        return f"with the echo of another request ({pdu.hex(' ')})"
    return ""
