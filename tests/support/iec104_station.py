"""A 104 outstation that plays a script frame by frame: what a library's outstation cannot do, such as being wrong."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import Any

from drivers.iec104 import apci
from drivers.iec104.encoding import encode, head

CONFIRM, TERMINATE = 7, 10
NEGATIVE = 0x40


def reply(asdu: bytes, cause: int) -> bytes:
    """The same ASDU with another cause."""
    return asdu[:2] + bytes((cause,)) + asdu[3:]


class Talk:
    """One connection of the controlling station."""

    def __init__(self, owner: ScriptedStation, writer: asyncio.StreamWriter) -> None:
        self.owner = owner
        self.writer = writer
        self.sent = 0
        self.received = 0
        self.started = False

    def send(self, *asdus: bytes) -> None:
        """I-frames, numbered as they should be."""
        for asdu in asdus:
            self.writer.write(apci.information(self.sent, self.received, asdu))
            self.sent += 1

    def raw(self, data: bytes) -> None:
        self.writer.write(data)


class ScriptedStation:
    """Listens on a free port of 127.0.0.1. `answer` plays the part of the station's logic; a test may replace it.

    Without a script it confirms and terminates what it is asked for, and answers an interrogation with `values`.
    """

    def __init__(self, values: Sequence[bytes] = (), *, tls: ssl.SSLContext | None = None) -> None:
        self.values = list(values)
        self.asdus: list[bytes] = []
        """All that the controlling station has sent."""
        self.frames: list[bytes] = []
        self.talks: list[Talk] = []
        self.port = 0
        self.confirms_start = True
        self.acknowledges = True
        self.silent = False
        """Whether it takes everything and answers nothing."""
        self.answer: Callable[[Talk, bytes], None] = self.usual
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> ScriptedStation:
        await self.open()
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Listen no more."""
        assert self._server is not None
        self._server.close()

    async def close(self) -> None:
        """Listen no more, and drop everybody."""
        assert self._server is not None
        self.stop()
        self.drop()
        for talk in self.talks:
            try:
                await talk.writer.wait_closed()
            except OSError:
                continue
        await self._server.wait_closed()

    def drop(self) -> None:
        for talk in self.talks:
            talk.writer.close()

    @property
    def talk(self) -> Talk:
        """The last connection."""
        return self.talks[-1]

    def usual(self, talk: Talk, asdu: bytes) -> None:
        talk.send(reply(asdu, CONFIRM))
        if asdu[0] == 100:
            talk.send(*self.values)
        if asdu[0] != 103:
            talk.send(reply(asdu, TERMINATE))

    async def until(self, wanted: Callable[[], bool], seconds: float = 15.0) -> None:
        """Wait for something that a frame brings about."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(wanted)

    def seen(self, type_: int) -> list[bytes]:
        return [asdu for asdu in self.asdus if asdu[0] == type_]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = Talk(self, writer)
        self.talks.append(talk)
        splitter = apci.Splitter()
        try:
            while data := await reader.read(65536):
                for frame in splitter.feed(data):
                    self._take(talk, frame)
                async with self._changed:
                    self._changed.notify_all()
        except OSError:
            pass
        finally:
            writer.close()

    def _take(self, talk: Talk, frame: bytes) -> None:
        self.frames.append(frame)
        if self.silent:
            return
        function = apci.unnumbered(frame)
        if apci.is_information(frame):
            talk.received += 1
            self.asdus.append(frame[6:])
            if self.acknowledges:
                self.answer(talk, frame[6:])
        elif function == apci.STARTDT_ACT and self.confirms_start:
            talk.started = True
            talk.raw(apci.control(apci.STARTDT_CON))
        elif function == apci.STOPDT_ACT:
            talk.started = False
            talk.raw(apci.control(apci.STOPDT_CON))
        elif function == apci.TESTFR_ACT:
            talk.raw(apci.control(apci.TESTFR_CON))


def end_of_initialisation(ca: int) -> bytes:
    return head(70, 1, 4, ca) + bytes(3) + b"\0"


__all__ = ["NEGATIVE", "ScriptedStation", "Talk", "encode", "end_of_initialisation", "reply"]
