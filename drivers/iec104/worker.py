"""The worker process: `python -m drivers.iec104.worker`. Speaks `messages` on its standard input and output.

It lives as long as its line: it ends when its connections are lost, when it is told to, when its memory has grown, and
when the program that started it is gone.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import sys
import threading
import time
from collections import deque
from dataclasses import asdict
from typing import Any, BinaryIO, Final

from app.model.text import Text
from drivers.iec104 import messages
from drivers.iec104.asdu import Columns
from drivers.iec104.messages import Note
from drivers.iec104.relay import Ended

ALIVE_EVERY_S: Final = 1.0
_CLOSED: Final = Text("closed", "已关闭")
MOST_WAITING: Final = 16 << 20
"""Octets that wait for the pipe before the station has to wait."""
MOST_BATCHES: Final = 64
"""Batches of values that came and are not taken yet; the other side waits with the next one."""


class Pipe:
    """Standard input and output as messages, each on a thread, because not every system can wait for them otherwise."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._loop = asyncio.get_running_loop()
        self._source, self._sink = source, sink
        self.requests: asyncio.Queue[Note | tuple[Columns, int] | None] = asyncio.Queue()
        self.batches = threading.BoundedSemaphore(MOST_BATCHES)
        """Who takes values out of the queue releases it."""
        self._waiting: deque[bytes] = deque()
        self._octets = 0
        self._changed = threading.Condition()
        self._room = asyncio.Event()
        self._room.set()
        self._closed = False
        self._writer = threading.Thread(target=self._write, name="pipe out")
        self._writer.start()
        threading.Thread(target=self._read, name="pipe in", daemon=True).start()

    def put(self, message: bytes) -> None:
        """Send a message. Never waits."""
        with self._changed:
            self._waiting.append(message)
            self._octets += len(message)
            self._changed.notify()
            if self._octets > MOST_WAITING:
                self._room.clear()

    async def send(self, message: bytes) -> None:
        """Send a message, and wait while too many wait."""
        self.put(message)
        await self._room.wait()

    def close(self) -> None:
        """Send what waits, and end."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._writer.join(2)

    def _write(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if not self._waiting:
                    return
                data = b"".join(self._waiting)
                self._waiting.clear()
            try:
                self._sink.write(data)
                self._sink.flush()
            except OSError:
                os._exit(1)  # nobody listens any more
            with self._changed:
                self._octets -= len(data)
                full = not self._room.is_set()
            if full:
                self._loop.call_soon_threadsafe(self._room.set)

    def _read(self) -> None:
        try:
            while head := self._source.read(messages.HEAD.size):
                length, kind = messages.length_and_kind(head)
                payload = self._source.read(length)
                request: Note | tuple[Columns, int]
                if kind == messages.VALUES:
                    self.batches.acquire()
                    request = messages.unpack_values(payload)
                else:
                    request = messages.unpack_note(payload)
                self._loop.call_soon_threadsafe(self.requests.put_nowait, request)
        except (OSError, ValueError) as error:
            sys.stderr.write(f"the pipe broke: {error}\n")
        self._loop.call_soon_threadsafe(self.requests.put_nowait, None)


async def main(source: BinaryIO, sink: BinaryIO) -> None:
    """Serve one line. The first request opens it."""
    pipe = Pipe(source, sink)

    def say(note: Note) -> None:
        pipe.put(messages.pack(note))

    order = await pipe.requests.get()
    end = _CLOSED
    if order is not None and not isinstance(order, tuple):
        try:
            end = await _serve(order, pipe, say)
        except ModuleNotFoundError as error:
            end = Text(f"the library {error.name} is not installed", f"未安装协议库 {error.name}")
        except Ended as ended:
            end = ended.text
        except Exception as error:  # whatever it is, the other side is told before this process ends
            end = Text.of(f"{type(error).__name__}: {error}")
    say({"note": "end", "why": asdict(end)})
    pipe.close()


async def _serve(order: Note, pipe: Pipe, say: Any) -> Text:
    station = _station(order, pipe, say)
    line = asyncio.create_task(station.run())
    requests = asyncio.create_task(_requests(station, pipe))
    watch = asyncio.create_task(_watch(station.faults, order, say))
    try:
        done, _ = await asyncio.wait((line, requests, watch), return_when=asyncio.FIRST_COMPLETED)
        end: Text = done.pop().result()
        return end
    finally:
        for task in (line, requests, watch):
            task.cancel()
        await asyncio.gather(line, requests, watch, return_exceptions=True)
        await station.close()


def _station(order: Note, pipe: Pipe, say: Any) -> Any:
    """What plays the role that is asked for. Only the controlling one needs c104."""
    match order.get("role"):
        case "controlling":
            from drivers.iec104.controlling import ControllingStation

            return ControllingStation(order, pipe.send, say)
        case "controlled":
            from drivers.iec104.controlled import ControlledStation

            return ControlledStation(order, pipe.send, say)
        case other:
            raise ValueError(f"unknown role {other}")


async def _requests(station: Any, pipe: Pipe) -> Text:
    """Carry out requests, each on its own, until told to close or nobody is there any more."""
    running: set[asyncio.Task[None]] = set()
    while (request := await pipe.requests.get()) is not None:
        if isinstance(request, tuple):
            pipe.batches.release()
            station.take(*request)
            continue
        if request["do"] == "close":
            break
        task = asyncio.create_task(station.do(request))
        running.add(task)
        task.add_done_callback(running.discard)
    return _CLOSED


async def _watch(faults: Any, order: Note, say: Any) -> Text:
    """Say that we live, what could not be read, and how much memory we hold; end when that is too much."""
    import psutil

    me, until = psutil.Process(), time.monotonic() + order["least_life_s"]
    while True:
        rss_mb = me.memory_info().rss / 1e6
        counted = [(asdict(why), count) for why, count in faults.items()]
        say({"note": "alive", "rss_mb": round(rss_mb, 1), "faults": counted})
        faults.clear()
        if rss_mb > order["rss_mb"] and time.monotonic() > until:
            say({"note": "retired"})
            return _CLOSED
        await asyncio.sleep(ALIVE_EVERY_S)


def own_pipe() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output for messages alone: whatever the library prints goes to standard error."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return source, sink


if __name__ == "__main__":
    faulthandler.enable()
    asyncio.run(main(*own_pipe()))
    os._exit(0)  # threads of the library may still wait for an answer that nobody needs any more
