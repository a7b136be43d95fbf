"""One open connection: a request goes out, its answer comes back, and everything else that comes is told apart from it.

An answer names its meter, its control code and its identifier. Whatever does not agree with the request is an older
answer, another meter's or an echo: it is stepped over, and the wait goes on. A refusal names no identifier; `Owed`
knows whether it may be an older request's.
"""

from __future__ import annotations

import asyncio
from typing import Final

from app.model.durations import format_duration
from app.model.errors import ProtocolError, TransportError
from app.model.text import Text
from drivers.channel import Channel, Endpoint
from drivers.dlt645 import frames
from drivers.dlt645.frames import Frame
from drivers.dlt645.requests import Request, mismatch

SILENCES_UNTIL_REOPENED: Final = 2
"""Unanswered requests in a row after which a TCP connection is no longer believed to lead anywhere."""
PATIENCE_S: Final = 10.0
"""How long at least an answer is still expected; ten time-outs where that is longer."""


class Owed:
    """How many answers each meter of a line still owes. Times are seconds of the loop's clock."""

    def __init__(self) -> None:
        self._until: dict[bytes, list[float]] = {}

    def owe(self, address: bytes, now: float, timeout_s: float) -> None:
        """A request was given up."""
        self._until.setdefault(address, []).append(now + max(PATIENCE_S, 10 * timeout_s))

    def settle(self, address: bytes) -> None:
        """An answer came that nobody waits for."""
        if self._until.get(address):
            self._until[address].pop(0)

    def count(self, address: bytes, now: float) -> int:
        """How many may still come."""
        left = [until for until in self._until.get(address, ()) if until > now]
        self._until[address] = left
        if not left:
            del self._until[address]
        return len(left)


class Wire(Channel):
    """A connection that carries one request at a time."""

    def __init__(self, endpoint: Endpoint, owed: Owed) -> None:
        super().__init__(endpoint)
        self._owed = owed
        self._request: Request | None = None
        self._answer: asyncio.Future[Frame] | None = None
        self._strange: Text | None = None
        self._silences = 0

    async def exchange(self, request: Request, timeout_s: float) -> Frame:
        """Send a request and return the frame that answers it, a refusal among them.

        Raises TransportError when no answer came, ProtocolError when something came that is none.
        """
        self._request, self._strange, self.recv_buffer = request, None, b""
        answer: asyncio.Future[Frame] = self.loop.create_future()
        self._answer = answer
        timer = self.loop.call_later(timeout_s, self._expire, timeout_s)
        try:
            self._write(frames.build(request.frame))
            result = await answer
        except BaseException:  # its answer may still come
            self._owed.owe(request.peer.address, self.loop.time(), request.peer.timeout_s)
            raise
        finally:
            timer.cancel()
            self._request = self._answer = None
        self._silences = 0
        return result

    def callback_data(self, data: bytes, addr: object = None) -> int:
        used = 0
        while used < len(data):
            size, frame = frames.cut(data[used:])
            if frame is None:
                rubbish = data[used : used + size].strip(b"\xfe")
                if rubbish:
                    size_, seen = len(rubbish), rubbish[:12].hex(" ")
                    self._strange = Text(
                        f"with {size_} bytes that are no frame ({seen})", f"{size_} 个字节不成帧（{seen}）"
                    )
                return used + size
            used += size
            self._judge(frame)
        return used

    def _judge(self, frame: Frame) -> None:
        request, answer = self._request, self._answer
        if request is None or answer is None or answer.done():
            self._owed.settle(frame.address)
            return
        wrong = mismatch(request, frame)
        if not wrong:
            answer.set_result(frame)
            return
        self._strange = wrong
        if frame.from_meter:
            self._owed.settle(frame.address)

    def _expire(self, timeout_s: float) -> None:
        rest = self.recv_buffer
        if rest and not self._strange:
            seen = rest[:12].hex(" ")
            self._strange = Text(
                f"with {len(rest)} bytes of an unfinished frame ({seen})",
                f"只收到不完整的帧，{len(rest)} 个字节（{seen}）",
            )
        self._silences += 1
        self._fail(self._answered(self._strange) if self._strange else self._unanswered(timeout_s))
        if not self._serial and self._silences >= SILENCES_UNTIL_REOPENED:
            self.shut()

    def _answered(self, how: Text) -> ProtocolError:
        asked = self._asked
        text = Text(
            f"{asked} was answered {how.en}; check wiring, baud rate and parity, and that there is no other master",
            f"{asked} 的应答不对：{how.zh}；请检查接线、波特率和校验位，以及总线上是否还有其他主站",
        )
        return ProtocolError(text)

    def _unanswered(self, timeout_s: float) -> TransportError:
        asked, waited = self._asked, format_duration(timeout_s)
        text = Text(
            f"{asked} did not answer within {waited}; check that it is powered, its address and the wiring",
            f"{asked} 在 {waited} 内无应答；请检查是否上电、表地址和接线",
        )
        return TransportError(text)

    @property
    def _asked(self) -> str:
        return f"{self._request.peer.name} at {self._name}" if self._request else self._name

    def _fail(self, error: Exception) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(error)
