"""In the worker: the controlling station of one line, with up to two connections of which one transfers data.

Both are kept open; the first is preferred at the start, and the other takes over when the one that transfers is lost.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.model.text import Text, joined
from drivers.iec104.asdu import Control
from drivers.iec104.clock import StationClock
from drivers.iec104.library import Client, Connection, Parameters
from drivers.iec104.messages import Note
from drivers.iec104.relay import Ended, Relay, Tap, Way
from drivers.iec104.typeids import CLOCK_SYNCHRONISATION, COUNTER_INTERROGATION, INTERROGATION

log = logging.getLogger("gridroom.iec104")

RETRY_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Between attempts at a connection while the other one is there."""
PREFERENCE_S: Final = 2.0
"""How long the second connection waits for the first at the start."""
COMMANDS_AT_ONCE: Final = 16
"""And no more than half of the window k: a full one lets nothing through."""
BEGIN_SHARE: Final = 0.9
"""Of the time for an answer: what has not been sent by then never is, because it is reported as not sent soon after."""
_AGAIN_S: Final = 0.02
_TICK_S: Final = 0.1
_NONE: Final = Text("no connection", "未连接")


class ControllingStation:
    """Serves one `open` request until its connections are lost."""

    def __init__(self, order: Note, send: Callable[[bytes], Awaitable[None]], say: Callable[[Note], None]) -> None:
        """`send` waits while the pipe is full; `say` does not, and is for small notes."""
        self._say = say
        self._parameters = Parameters(**order["parameters"])
        self._client = Client(self._parameters, order["answer_s"])
        self._answer_s: float = order["answer_s"]
        self._commands = asyncio.Semaphore(max(1, min(COMMANDS_AT_ONCE, self._parameters.k // 2)))
        self._threads = ThreadPoolExecutor(COMMANDS_AT_ONCE, thread_name_prefix="c104")
        clock = StationClock(ZoneInfo(order["zone"]) if order["zone"] else None, 0)
        self.faults = Counter[Text]()
        self._channels = [
            _Channel(
                self,
                number,
                Relay(way_of(one), clock, self._tap(number, send), self._parameters.t1, read_only=order["read_only"]),
            )
            for number, one in enumerate(order["connections"])
        ]
        self._active: _Channel | None = None

    def _tap(self, number: int, send: Callable[[bytes], Awaitable[None]]) -> Tap:
        return Tap(send, self._control, lambda: self._started(self._channels[number]), self.faults)

    async def run(self) -> Text:
        """Until all connections are lost; why they are."""
        tasks = [asyncio.create_task(channel.run()) for channel in self._channels]
        try:
            async with asyncio.timeout(self._parameters.t0 + self._parameters.t1 + 5):
                await self._choose()
            while self._active or any(channel.is_up for channel in self._channels):
                done, _ = await asyncio.wait(tasks, timeout=_TICK_S, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()  # it never ends but by a fault of ours
                await self._choose_another()
        except TimeoutError:
            pass
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return joined([channel.why for channel in self._channels if channel.why] or [_NONE])

    async def close(self) -> None:
        """Close the library; may take a moment."""
        await self.call(self._client.stop)
        self._threads.shutdown(wait=False)

    async def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Something of the library that may block, on a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: function(*arguments, **options))

    def add(self, port: int) -> Connection:
        return self._client.add(port)

    # ------------------------------------------------------------------------------------------------- switching

    async def _choose(self) -> None:
        """Start the first connection that is up, giving the preferred one some time. Returns when all have failed."""
        waited = 0.0
        while self._active is None:
            up = next((channel for channel in self._channels if channel.is_up), None)
            if up is None and all(channel.why for channel in self._channels):
                return
            if up is not None and (up is self._channels[0] or self._channels[0].why or waited > PREFERENCE_S):
                self._active = up
                await up.start()
            await asyncio.sleep(0.02)
            waited += 0.02

    async def _choose_another(self) -> None:
        if self._active is not None and self._active.is_up:
            await self._active.start()  # nothing where it has been started
            return
        self._active = next((channel for channel in self._channels if channel.is_up), None)
        if self._active is not None:
            await self._active.start()

    def _started(self, channel: _Channel) -> None:
        self._say({"note": "started", "connection": channel.number, "way": str(channel.relay.way)})

    def _control(self, control: Control, sent: bool) -> None:
        self._say(
            {
                "note": "control", "sent": sent, "type": control.type, "cause": control.cause,
                "negative": control.negative, "ca": control.ca, "ioa": control.ioa, "element": control.element.hex(),
            }
        )  # fmt: skip

    def lost(self, channel: _Channel) -> None:
        """Of a channel: it is down, and says why."""
        self._say({"note": "lost", "connection": channel.number, "why": asdict(channel.why or _NONE)})

    # -------------------------------------------------------------------------------------------------- requests

    async def do(self, request: Note) -> None:
        """Carry out one request. What the station answers is seen by the relay; this says that the library is done."""
        by = asyncio.get_running_loop().time() + BEGIN_SHARE * self._answer_s
        sent = False
        try:
            if request["do"] == "command":
                async with self._commands:
                    sent = await self._command(request, by)
            else:
                sent = await self._send(self._active, request, by)
        except Exception as error:  # of the library, which raises whatever it likes
            self.faults[Text(f"the library failed: {error}", f"协议库出错：{error}")] += 1
        finally:
            self._say({"note": "done", "id": request.get("id", ()), "sent": sent})

    async def _command(self, request: Note, by: float) -> bool:
        """A command with selection is two: it is executed where its selection was confirmed."""
        channel = self._active
        if request["select"]:
            if not await self._send(channel, request, by):
                return False
            by += self._answer_s
        return await self._send(channel, {**request, "select": False}, by)

    async def _send(self, channel: _Channel | None, request: Note, by: float) -> bool:
        """Have the library send something and, for a command, wait for its confirmation; whether that went well.

        While its window is full the library sends nothing, and says so at once: it is asked again until `by`.
        """
        loop, action, key = asyncio.get_running_loop(), _ACTIONS[request["do"]], _key(request)
        while channel is not None and channel.connection is not None and channel.is_up and loop.time() < by:
            passed = channel.relay.passed[key]
            if await self.call(action, channel.connection, request):
                return True
            await asyncio.sleep(_AGAIN_S)
            if channel.relay.passed[key] != passed:
                return False
        return False


def _interrogate(connection: Connection, request: Note) -> bool:
    return connection.interrogate(request["ca"], request["qualifier"])


def _command(connection: Connection, request: Note) -> bool:
    return connection.command(
        request["ca"], request["ioa"], request["type"], request["value"], request["qualifier"], select=request["select"]
    )


_ACTIONS: Final[Mapping[str, Callable[[Connection, Note], bool]]] = {
    "interrogate": _interrogate,
    "count": lambda connection, request: connection.count(request["ca"]),
    "clock": lambda connection, request: connection.set_clock(request["ca"]),
    "command": _command,
}
REQUESTS: Final = tuple(_ACTIONS)
_TYPES: Final = {"interrogate": INTERROGATION, "count": COUNTER_INTERROGATION, "clock": CLOCK_SYNCHRONISATION}


def _key(request: Note) -> tuple[int, int, int]:
    """Type, common address and object address of the frame that carries out a request."""
    if request["do"] == "command":
        return request["type"], request["ca"], request["ioa"]
    return _TYPES[request["do"]], request["ca"], 0


class _Channel:
    """One connection, opened again and again while the line lives."""

    def __init__(self, station: ControllingStation, number: int, relay: Relay) -> None:
        self.number = number
        self.relay = relay
        self.connection: Connection | None = None
        self.is_up = False
        self.why: Text | None = None
        """Why it is down, once it has been tried."""
        self._station = station
        self._asked = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        port = await self.relay.listen()
        self.connection = await self._station.call(self._station.add, port)
        attempt = 0
        try:
            while True:
                try:
                    way = await self.relay.reach(self._station._parameters.t0)
                    attempt = 0
                    await self.relay.carry(way, self._up)
                except Ended as ended:
                    self.is_up, self.why = False, ended.text
                    self._station.lost(self)
                await self._station.call(self.connection.close)
                await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
                attempt += 1
        finally:
            await self.relay.close()

    async def _up(self) -> None:
        """The station has been reached: bring the library to it, which stays muted until it is started."""
        assert self.connection is not None  # noqa: S101 (for mypy: run() has made it)
        await self._station.call(self.connection.open)
        self.is_up, self._asked = True, 0.0

    async def start(self) -> None:
        """Have data transfer started, again and again until the library does it."""
        now = asyncio.get_running_loop().time()
        if self.connection is None or self.relay.start_sent or now - self._asked < 0.2:
            return
        self._asked = now
        await self._station.call(self.connection.start)


def way_of(connection: Note) -> Way:
    """How to reach a station, as a request has it. Raises Ended where certificates cannot be read."""
    tls = connection.get("tls")
    if tls is None:
        return Way(connection["host"], connection["port"])
    files = tls["ca"] or "the system's authorities"
    try:
        context = ssl.create_default_context(cafile=tls["ca"])
        if tls["certificate"]:
            files = f"{tls['certificate']}, {tls['key']}"
            context.load_cert_chain(tls["certificate"], tls["key"], tls["password"])
    except OSError as error:  # ssl.SSLError is one; neither names the file
        text = Text(f"{files} cannot be used for TLS: {error}", f"{files} 无法用于 TLS：{error}")
        raise Ended(text) from None
    name = tls["name"] or connection["host"]
    return Way(connection["host"], connection["port"], context, name)
