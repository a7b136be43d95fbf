"""In the worker: the controlled station that one control centre connects to, without c104.

    outbox <- values from the pipe       transfer    windows and timers of one connection
    offered   present values             answering   what is answered to what

Connections of one centre are redundant (one of them transfers, and another takes over what it left), or independent.
"""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import math
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final
from zoneinfo import ZoneInfo

from app.model.text import Text
from drivers.causes import cause
from drivers.iec104 import apci
from drivers.iec104.answering import Answering, Ordered, decided, is_selection, selected
from drivers.iec104.asdu import Columns
from drivers.iec104.clock import StationClock
from drivers.iec104.encoding import head
from drivers.iec104.messages import Note
from drivers.iec104.offered import Offered, OfferedPoint
from drivers.iec104.outbox import MOST_ANSWERS, Outbox
from drivers.iec104.transfer import Broken, Parameters, State, Transfer
from drivers.iec104.typeids import END_OF_INITIALISATION, Cause

TICK_S: Final = 0.1
MOST_CONNECTIONS: Final = 8
"""At once; a further one is closed."""
MOST_UNSENT: Final = 64
"""Confirmations that wait before a connection is not read any more."""
MOST_ASKED: Final = 20
"""Orders that wait to be decided; a further one is refused."""
DECIDED_WITHIN_S: Final = 8.0
"""Below t1 of the centre (15 s), who else would count us as lost."""
SELECTED_S: Final = 30.0
STATUS_EVERY_S: Final = 1.0


class Group:
    """Connections that share what is to be sent; at most one of them transfers."""

    def __init__(self, offered: Offered, *, redundant: bool) -> None:
        self.outbox = Outbox(offered)
        self.redundant = redundant
        self.active: Connection | None = None
        self.initialised = False
        """Whether the centre has been told that we began."""


class ControlledStation:
    """Serves one `open` request until told to close."""

    def __init__(self, order: Note, send: Callable[[bytes], Awaitable[None]], say: Callable[[Note], None]) -> None:
        self.faults = Counter[Text]()
        self.say = say
        self.parameters = Parameters(**order["parameters"])
        points = [OfferedPoint(ioa, type_, deadband, tuple(groups)) for ioa, type_, deadband, groups in order["points"]]
        self.offered = Offered(points, order["ca"], timed_measurements=order["timed_measurements"])
        self.clock = StationClock(ZoneInfo(order["zone"]) if order["zone"] else None, 0)
        commands = {ioa: type_ for ioa, type_, _ in order["commands"]}
        self.selects = {ioa for ioa, _, select in order["commands"] if select}
        """What must be selected before it is executed."""
        self.answering = Answering(
            self.offered, commands, self.clock, confirms_clock=order["confirms_clock"], decides=order["decides"]
        )
        self._asked: dict[int, tuple[Connection, bytes, float]] = {}
        """Number of an order -> who waits, for what, until when."""
        self._numbers = itertools.count(1)
        self.connections: list[Connection] = []
        self._address: tuple[str, int] = (order["host"], order["port"])
        self._tls = server_context(order["tls"]) if order["tls"] else None
        self._allowed = None if order["allow"] is None else [ipaddress.ip_network(one) for one in order["allow"]]
        self._cyclic_s: float | None = order["cyclic_s"]
        self._common = Group(self.offered, redundant=True) if order["redundant"] else None
        self._known = asyncio.Event()
        """Set with the first values: before them there is nothing to answer with."""
        self._lost = self._superseded = 0
        """Of groups that are gone."""

    async def run(self) -> Text:
        """Listen until cancelled. Ends by itself only where it cannot listen, and says why."""
        loop = asyncio.get_running_loop()
        await self._known.wait()
        host, port = self._address
        try:
            server = await loop.create_server(lambda: Connection(self), host, port, ssl=self._tls)
        except OSError as error:
            why = cause(error, 0.0)
            return Text(f"cannot listen at {host}:{port}: {why.en}", f"无法监听 {host}:{port}：{why.zh}")
        self.say({"note": "listening", "port": server.sockets[0].getsockname()[1]})
        status_at = cyclic_at = loop.time() + (self._cyclic_s or 0)
        try:
            while True:
                now = loop.time()
                for connection in tuple(self.connections):
                    connection.tick(now)
                for number in [one for one, (_, _, end) in self._asked.items() if now > end]:
                    self.decided(number, accepted=False)
                if self._cyclic_s and now >= cyclic_at:
                    cyclic_at = max(cyclic_at + self._cyclic_s, now)
                    self._send_cyclically()
                if now >= status_at:
                    status_at = now + STATUS_EVERY_S
                    self._say_status()
                await asyncio.sleep(TICK_S)
        finally:
            server.close()

    async def close(self) -> None:
        """Drop everybody."""
        for connection in tuple(self.connections):
            connection.close("")

    async def do(self, request: Note) -> None:
        """`gap`: changes were missed before they came here, so that everything is sent once more.
        `decided`: an order was accepted, or not."""
        if request["do"] == "decided":
            self.decided(request["number"], accepted=request["accepted"])
        if request["do"] == "gap":
            for group in self._groups():
                group.outbox.repeat_everything()
                self.pump(group)

    def ask(self, connection: Connection, asdu: bytes) -> int:
        """Somebody has to decide about a command; its number, 0 where too many wait."""
        if len(self._asked) >= MOST_ASKED:
            return 0
        number = next(self._numbers)
        self._asked[number] = connection, asdu, asyncio.get_running_loop().time() + DECIDED_WITHIN_S
        return number

    def decided(self, number: int, *, accepted: bool) -> None:
        """Answer whoever waits."""
        connection, asdu, _ = self._asked.pop(number, (None, b"", 0.0))
        if connection is not None and connection in self.connections:
            connection.decided(asdu, accepted=accepted)

    def take(self, columns: Columns, received_ns: int) -> None:
        """Values from the pipe become true, and changes are queued for whoever transfers."""
        rows = self.offered.learn(columns)
        self._known.set()
        for group in self._groups():
            if group.active is not None:
                group.outbox.put(rows)
                self.pump(group)
            elif group.redundant:  # nobody to send to: changes of states are kept for whoever comes
                group.outbox.put(rows.take(self.offered.state[rows.point]))

    def pump(self, group: Group) -> None:
        """Send what there is room for."""
        if group.active is not None:
            group.active.send(group.outbox)

    # ------------------------------------------------------------------------------------------------ connections

    def admits(self, peer: str) -> bool:
        """Whether somebody at this address may connect, and there is room."""
        address = ipaddress.ip_address(peer.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        if self._allowed is not None and not any(address in network for network in self._allowed):
            text = Text(f"{peer} is not among the peers that are allowed", f"{peer} 不在允许的对端之列")
            self.faults[text] += 1
            return False
        if len(self.connections) >= MOST_CONNECTIONS:
            self.faults[Text(f"more than {MOST_CONNECTIONS} connections", f"连接数超过 {MOST_CONNECTIONS}")] += 1
            return False
        return True

    def group_for(self) -> Group:
        return self._common or Group(self.offered, redundant=False)

    def started(self, connection: Connection) -> None:
        """Data transfer was asked for: this connection goes on where another one was."""
        group = connection.group
        if group.active is not None and group.active is not connection:
            self.stopped(group.active)
            group.active.transfer.demote()
        group.active = connection
        self.say({"note": "started", "peer": connection.peer})
        if not group.initialised:
            group.initialised = True
            initialised = head(END_OF_INITIALISATION, 1, Cause.INITIALISED, self.offered.ca) + bytes(4)
            group.outbox.reply(initialised)
        self.pump(group)

    def stopped(self, connection: Connection) -> None:
        """Data transfer has ended on a connection; what counts by itself waits for the next one."""
        group = connection.group
        if group.active is connection:
            sent = [asdu for _, asdu in connection.transfer.unacknowledged]
            group.outbox.interrupted(sent, keep_states=group.redundant)

    def gone(self, connection: Connection, why: str) -> None:
        self.stopped(connection)
        if connection.group.active is connection:
            connection.group.active = None
        if not connection.group.redundant:
            self._lost += connection.group.outbox.lost
            self._superseded += connection.group.outbox.superseded
        self.connections.remove(connection)
        self.say({"note": "lost", "peer": connection.peer, "why": why})
        self._say_status()

    def _groups(self) -> list[Group]:
        return [self._common] if self._common else [connection.group for connection in self.connections]

    def _send_cyclically(self) -> None:
        for group in self._groups():
            if group.active is not None and not len(group.outbox):
                group.outbox.answer(self.offered.asdus(self.offered.measurements(), Cause.CYCLIC))
                self.pump(group)

    def _say_status(self) -> None:
        groups = self._groups()
        self.say(
            {
                "note": "status",
                "connections": [
                    [one.peer, one.group.active is one and one.transfer.state is not State.STOPPED]
                    for one in self.connections
                ],
                "waiting": sum(len(group.outbox) for group in groups),
                "superseded": self._superseded + sum(group.outbox.superseded for group in groups),
                "lost": self._lost + sum(group.outbox.lost for group in groups),
            }
        )


class Connection(asyncio.Protocol):
    """One connection of the centre."""

    def __init__(self, station: ControlledStation) -> None:
        self._station = station
        self._loop = asyncio.get_running_loop()
        self._splitter = apci.Splitter()
        self._transport: asyncio.Transport | None = None
        self._why = ""
        self._admitted = False
        self.peer = ""
        self.transfer = Transfer(station.parameters, self._loop.time())
        self.group = station.group_for()
        self._selected: dict[bytes, float] = {}
        """What is selected, and until when."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (for mypy: asyncio promises it)
        self._transport = transport
        host, port = (transport.get_extra_info("peername") or ("", 0))[:2]
        self.peer = f"{host}:{port}"
        self._admitted = bool(host) and self._station.admits(host)
        if self._admitted:
            self._station.connections.append(self)
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._admitted:
            self._station.gone(self, self._why or (str(exc) if exc else "it closed the connection"))

    def pause_writing(self) -> None:
        """The peer does not take what we answer: no more of it is read."""
        if self._transport:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        now = self._loop.time()
        try:
            for frame in self._splitter.feed(data):
                before = self.transfer.state
                asdu = self.transfer.take(frame, now)
                self._note_state(before)
                if asdu is not None:
                    self._answer(asdu)
        except (Broken, apci.FrameFault) as fault:
            self.close(str(fault))
            return
        if self.group.active is self:
            self._station.pump(self.group)
        self._flush()

    def _note_state(self, before: State) -> None:
        state = self.transfer.state
        if state is before:
            return
        if state is State.STARTED:
            self._station.started(self)
        elif state is State.STOPPED:
            self._station.stopped(self)
            self.group.active = None

    def _answer(self, asdu: bytes) -> None:
        outbox, now_ns = self.group.outbox, time.time_ns()
        if outbox.urgent >= MOST_UNSENT:
            raise Broken(f"more than {MOST_UNSENT} requests wait for their confirmation")
        answer = self._station.answering.answer(asdu, now_ns, busy=outbox.answers >= MOST_ANSWERS)
        outbox.reply(*answer.now)
        if answer.then:
            outbox.answer(answer.then)
        if answer.fault is not None:
            self._station.faults[answer.fault] += 1
        if answer.order is not None:
            one = answer.order
            number = 0
            if not answer.decided:
                number = self._station.ask(self, asdu) if self._was_selected(one, asdu) else 0
                if not number:
                    self.decided(asdu, accepted=False)
            self._station.say(
                {
                    "note": "order", "number": number, "peer": self.peer, "ioa": one.ioa, "type": one.type,
                    "value": one.value if math.isfinite(one.value) else None,
                    "qualifier": one.qualifier, "select": one.select, "cancel": one.cancel,
                }
            )  # fmt: skip
        if answer.clock_ns is not None:
            self._station.say({"note": "clock", "peer": self.peer, "ahead_s": (answer.clock_ns - now_ns) / 1e9})

    def _was_selected(self, order: Ordered, asdu: bytes) -> bool:
        """Whether a command that must be selected first was; a selection serves once."""
        if order.select or order.cancel or order.ioa not in self._station.selects:
            return True
        return self._selected.pop(selected(asdu), 0.0) > self._loop.time()

    def decided(self, asdu: bytes, *, accepted: bool) -> None:
        """Answer a command."""
        if asdu[2] & 0x3F == Cause.DEACTIVATION:
            self._selected.pop(selected(asdu), None)
        elif accepted and is_selection(asdu):
            self._selected[selected(asdu)] = self._loop.time() + SELECTED_S
        self.group.outbox.reply(*decided(asdu, accepted=accepted))
        if self.group.active is self:
            self._station.pump(self.group)

    def send(self, outbox: Outbox) -> None:
        """As much as the window allows."""
        now = self._loop.time()
        for asdu in outbox.take(self.transfer.room):
            self.transfer.send(asdu, now)
        self._flush()

    def tick(self, now: float) -> None:
        try:
            self.transfer.tick(now)
        except Broken as fault:
            self.close(str(fault))
            return
        self._flush()

    def _flush(self) -> None:
        if self.transfer.out and self._transport:
            self._transport.write(b"".join(self.transfer.out))
        self.transfer.out.clear()

    def close(self, why: str) -> None:
        """End it at once; what was sent and not acknowledged is not waited for."""
        self._why = why
        if self._transport:
            self._transport.abort()


def server_context(tls: Note) -> ssl.SSLContext:
    """Of a listening side; with an authority given, peers must show a certificate of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(tls["certificate"], tls["key"], tls["password"])
    if tls["ca"]:
        context.load_verify_locations(tls["ca"])
        context.verify_mode = ssl.CERT_REQUIRED
    return context
