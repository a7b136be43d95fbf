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
from app.model.text import Text
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
        self._strange: Text | None = None
        self._silences = 0

    async def exchange(self, request: Request, transaction: int, timeout_s: float) -> bytes:
        """Send a request and return the PDU that answers it, an exception among them.

        Raises TransportError when no answer came, ProtocolError when something came that is none.
        """
        self._request, self._transaction, self._strange = request, transaction, None
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
            except ProtocolError as error:
                self._fail(self._answered(Text(f"with {error.text.en}", error.text.zh), self._hint))
                self.shut()
                return len(data)
            used += size
            if frame is None:
                if size:
                    seen = data[used - size : used][:12].hex(" ")
                    self._strange = Text(
                        f"with {size} bytes that are no frame ({seen})", f"{size} 个字节不成帧（{seen}）"
                    )
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
            theirs, ours = frame.transaction, self._transaction
            self._strange = Text(f"only with transaction {theirs}, not {ours}", f"事务号是 {theirs}，而不是 {ours}")
            return
        wrong = _wrong(request, frame)
        if wrong is None:
            self._answer.set_result(frame.pdu)
        elif self._framing.numbered or not self._late.settle(frame.unit, frame.pdu):
            self._fail(self._answered(wrong, self._hint_on(frame)))

    def _expire(self, timeout_s: float) -> None:
        rest = len(self.recv_buffer)
        self._silences += 1
        if rest and not self._strange:
            seen = self.recv_buffer[:12].hex(" ")
            self._strange = Text(
                f"with {rest} bytes of an unfinished frame ({seen})", f"只收到不完整的帧，{rest} 个字节（{seen}）"
            )
        self._fail(self._answered(self._strange, self._hint) if self._strange else self._unanswered(timeout_s))
        if not self._serial and (self._silences >= SILENCES_UNTIL_REOPENED or (rest and self._framing.numbered)):
            self.shut()

    def _answered(self, how: Text, hint: Text) -> ProtocolError:
        """What came is no answer to what was asked."""
        asked = self._asked
        text = Text(f"{asked.en} was answered {how.en}; {hint.en}", f"{asked.zh} 的应答不对：{how.zh}；{hint.zh}")
        return ProtocolError(text)

    def _unanswered(self, timeout_s: float) -> TransportError:
        asked, waited = self._asked, format_duration(timeout_s)
        text = Text(
            f"{asked.en} was not answered within {waited}; check that it is powered, its unit number and the wiring",
            f"{asked.zh} 在 {waited} 内无应答；请检查设备是否上电、单元号和接线",
        )
        return TransportError(text)

    def _hint_on(self, frame: Frame) -> Text:
        """What to do about a whole frame that is no answer to the request."""
        if not self._framing.numbered:
            return self._hint
        if self._request is not None and frame.unit != self._request.peer.unit:
            return Text("check `unit`, and the gateway's table of units", "请检查 unit 和网关的单元表")
        return Text(
            "it does not keep to Modbus here: check its firmware and the gateway before it",
            "该应答不符合 Modbus 规约；请检查设备固件及其网关",
        )

    @property
    def _hint(self) -> Text:
        if self._framing.numbered:
            return Text("check that a Modbus TCP device listens there", "请确认该处是 Modbus TCP 设备")
        return Text(
            "check wiring, baud rate and parity, and that there is no other master",
            "请检查接线、波特率和校验位，以及总线上是否还有其他主站",
        )

    @property
    def _asked(self) -> Text:
        if self._request is None:
            return Text(self._name, self._name)
        unit = self._request.peer.unit
        return Text(f"unit {unit} at {self._name}", f"{self._name} 单元 {unit}")

    def _fail(self, error: Exception) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(error)


def _wrong(request: Request, frame: Frame) -> Text | None:
    """What is wrong with a frame as the answer to a request; None when it is the answer."""
    unit, pdu = request.peer.unit, frame.pdu
    if frame.unit != unit and unit:
        return Text(f"by unit {frame.unit}", f"来自单元 {frame.unit}")
    if pdu[0] & 0x7F != request.function:
        theirs = pdu[0] & 0x7F
        return Text(
            f"with function {theirs} instead of {request.function}", f"功能码是 {theirs}，而不是 {request.function}"
        )
    if pdu[0] & 0x80:
        if len(pdu) == 2:
            return None
        return Text(f"with an exception of {len(pdu)} bytes instead of 2", f"异常应答为 {len(pdu)} 个字节，应为 2 个")
    if len(pdu) != request.size:
        return Text(f"with {len(pdu)} bytes instead of {request.size}", f"{len(pdu)} 个字节，应为 {request.size} 个")
    if not request.writes and pdu[1] != request.size - 2:
        count = request.size - 2
        return Text(f"with a byte count of {pdu[1]} instead of {count}", f"字节数写为 {pdu[1]}，应为 {count}")
    if not pdu.startswith(request.echo):
        seen = pdu.hex(" ")
        return Text(f"with the echo of another request ({seen})", f"回显的是另一个请求（{seen}）")
    return None
