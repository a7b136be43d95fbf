"""A line of meters: gaps, following frames, and refusals that may be an older request's. Shared by all meters on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from app.model.errors import DeviceError, ProtocolError
from app.model.text import Text
from drivers import line
from drivers.channel import Endpoint
from drivers.dlt645 import requests
from drivers.dlt645.frames import Frame
from drivers.dlt645.requests import Request
from drivers.dlt645.wire import Owed, Wire
from drivers.turns import Precedence

_AROUND: Final = 16
"""Characters of a frame without its data, preamble included."""
MOST_FOLLOWING: Final = 255
"""The sequence number is one byte."""


class Line(line.Line[Wire]):
    """One line. It can only ask: no frame that changes a meter is ever built."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint.name)
        self._endpoint = endpoint
        self._owed = Owed()

    def _new_wire(self) -> Wire:
        return Wire(self._endpoint, self._owed)

    async def ask(self, request: Request) -> Frame:
        """The frame that answers a request, data of following frames joined to it; or the meter's refusal.

        Raises TransportError or ProtocolError.
        """
        peer = request.peer
        async with self._taken(Precedence.POLL, peer.timeout_s, peer.device):
            answer = await self._believed(request)
            sequence = 0
            while answer.more and not answer.refused:
                sequence += 1
                if sequence > MOST_FOLLOWING:
                    text = Text(
                        f"{peer.name} never ends its answer to {request.what}",
                        f"{peer.name} 对 {request.what} 的应答没有结束帧",
                    )
                    raise ProtocolError(text, device=peer.device)
                part = await self._send(requests.following(request, sequence))
                if part.refused:
                    return part
                answer = replace(part, data=answer.data + part.data[4:-1])
            return answer

    async def _believed(self, request: Request) -> Frame:
        """An answer that is this request's.

        A refusal does not say what it refuses. While the meter owes older answers it may be one of theirs: then the
        request is sent again, and one refusal more than it owes is believed.
        """
        doubtful = self._owed.count(request.peer.address, self._now())
        answer = await self._send(request)
        while answer.refused and doubtful:
            doubtful -= 1
            answer = await self._send(request)
        return answer

    async def _send(self, request: Request) -> Frame:
        peer = request.peer
        await self._keep_silence(peer.gap_s)
        wire = self._open_wire(peer.device)
        characters = 2 * _AROUND + len(request.frame.data) + request.longest
        try:
            return await wire.exchange(request, peer.timeout_s + characters * self._endpoint.character_s)
        except DeviceError as error:
            error.device = peer.device
            raise
        finally:
            self._free_since = self._now()
