"""The MQTT link: a broker and the devices behind it. They report by themselves; some can be commanded."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from app.model.clock import SECOND_NS, Clock
from app.model.errors import DeviceError, ReadOnlyError, TransportError
from app.model.station import Device, Point
from app.model.text import Text
from app.model.updates import Updates
from drivers.contract import Deliver, Link
from drivers.mqtt import broker_words, sparkplug
from drivers.mqtt.commands import Commands
from drivers.mqtt.connection import Broker
from drivers.mqtt.edge_node import NEVER_BORN, EdgeNode
from drivers.mqtt.rosters import Part, roster_of
from drivers.mqtt.routing import Batch
from drivers.mqtt.session import Session, first_of

log = logging.getLogger("gridroom.mqtt")

REBIRTH_EVERY_S: Final = 10.0
"""A node is not asked for its births more often: each costs it more than the gap that it mends."""
_EARLY_S: Final = 0.05
"""That a timer may ring before its time."""
MOST_HELD: Final = 500_000
"""Rows that wait for devices which the engine has not come to yet."""
SHORT_S: Final = 10.0
THEFTS: Final = 3
"""MQTT 3.1.1 does not say why it ends a connection: so many short ones in a row look like a stolen client id."""


class MqttLink(Link):
    """One connection to a broker, opened anew whenever it was lost. Is `Reporting` and `Writable`.

    What came for a device goes to the engine also while the engine waits for its next try with that device: the broker
    forgets what we have acknowledged, and others' messages stand behind it.
    """

    def __init__(self, broker: Broker, devices: Sequence[Device], clock: Clock, *, read_only: bool) -> None:
        self._broker = broker
        self._clock = clock
        self._read_only = read_only
        self._roster = roster_of(devices, broker.max_payload)
        self._lives = {id_: _Life(part, clock) for id_, part in self._roster.parts.items()}
        self._told = [life for life in self._lives.values() if life.part.nodes or life.part.presence]
        """Those of whom it is said that they are there or not."""
        self._sinks: list[Deliver] = []
        """Who takes the rows: each once, however many devices it is given for."""
        self._sink_of = np.full(len(devices), -1)
        """By a device's place on the line, its sink's in `_sinks`; -1 before the engine has come to it."""
        self._commands = Commands(self._roster, clock)
        self._session: Session | None = None
        self._opening: asyncio.Task[None] | None = None
        self._held: deque[tuple[Session, Batch, Updates, NDArray[np.intp]]] = deque()
        """What is left of batches, and whose each row is."""
        self._held_rows = 0
        self._asked_ns: dict[tuple[str, str], int] = {}
        """Edge node -> when it was last asked for its births."""
        self._asking: asyncio.Task[None] | None = None
        self._opened_ns = 0
        self._short = 0
        self._closed = False

    # ---------------------------------------------------------------------------------------------- the connection

    async def connect(self) -> None:
        """All devices that call meanwhile share one attempt, and how it ends."""
        if self._closed:
            raise TransportError(broker_words.at(self._broker, broker_words.CLOSED))
        if self._session is not None and not self._session.lost.done():
            return
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open(), name=f"mqtt {self._broker.place}")
        await asyncio.shield(self._opening)

    async def _open(self) -> None:
        session = Session(self._broker, self._roster.router, self._clock, self._take, read_only=self._read_only)
        await session.open()
        if self._closed:
            await session.close()
            raise TransportError(broker_words.at(self._broker, broker_words.CLOSED))
        session.lost.add_done_callback(lambda lost: self._on_lost(session))
        if self._session is not None and not session.kept:
            log.warning("%s has not kept our session: what came meanwhile is lost", self._broker.place)
        self._session, self._opened_ns = session, self._clock.monotonic_ns()
        self._asked_ns.clear()
        for life in self._lives.values():
            life.begin()

    def _on_lost(self, session: Session) -> None:
        short = self._clock.monotonic_ns() - self._opened_ns < SHORT_S * SECOND_NS
        self._short = self._short + 1 if short else 0
        if session.taken_over and not self._closed:
            log.warning("%s", broker_words.at(self._broker, broker_words.stolen(self._broker)).en)

    async def close(self) -> None:
        self._closed = True
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])
        if self._opening is not None:
            await asyncio.wait([self._opening])
            if not self._opening.cancelled():
                self._opening.exception()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    # ----------------------------------------------------------------------------------------------------- reporting

    async def report(self, device: Device, deliver: Deliver, online: Callable[[], None]) -> NoReturn:
        session = self._live()
        life = self._lives[device.id]
        life.deliver = deliver
        self._release(session)
        await self._subscribe(session, life)
        await self._ask_for_births(session)
        life.watch()
        while True:
            life.changed.clear()
            if session.lost.done():
                raise TransportError(self._loss(session), device=device.id)
            wait_s = life.judge(online)
            changed = asyncio.ensure_future(life.changed.wait())
            try:
                await first_of(changed, session.lost, timeout_s=wait_s)
            finally:
                changed.cancel()

    async def _subscribe(self, session: Session, life: _Life) -> None:
        await session.subscribe(life.part.filters)
        life.subscribed = session

    def _live(self) -> Session:
        if self._session is None or self._session.lost.done():
            raise TransportError(broker_words.at(self._broker, broker_words.UNCONNECTED))
        return self._session

    def _loss(self, session: Session) -> Text:
        why = session.lost.result()
        if self._short >= THEFTS and not session.taken_over:
            guess = broker_words.stolen(self._broker)
            return Text(
                f"{why.en}; {self._short} times soon after connecting: perhaps {guess.en}",
                f"{why.zh}；连接后不久即断开，已 {self._short} 次：可能{guess.zh}",
            )
        return why

    def _take(self, session: Session, batch: Batch) -> None:
        """Give a batch to the engine, and then let the broker forget it. On the loop."""
        self._deliver(session, batch, batch.updates, batch.owner)
        now = self._clock.monotonic_ns()
        for device in batch.heard:
            self._lives[device].heard(now)
        for life in self._told:
            life.compare()
        self._commands.take(batch)
        session.pause(self._held_rows > MOST_HELD)
        if (self._asking is None or self._asking.done()) and self._incomplete():
            self._asking = asyncio.create_task(self._ask_in_time(session), name=f"births at {self._broker.place}")

    def _release(self, session: Session) -> None:
        """Deliver what was held for devices that are there now."""
        delivers = [life.deliver for life in self._lives.values()]
        self._sinks = list(dict.fromkeys(deliver for deliver in delivers if deliver is not None))
        self._sink_of[:] = [-1 if deliver is None else self._sinks.index(deliver) for deliver in delivers]
        held, self._held, self._held_rows = self._held, deque(), 0
        for part in held:
            self._deliver(*part)
        session.pause(self._held_rows > MOST_HELD)

    def _deliver(self, session: Session, batch: Batch, updates: Updates, owner: NDArray[np.intp]) -> None:
        """Give rows to whoever takes them, those of many devices in one batch where that is the same; hold the others.

        A batch is acknowledged with its last rows.
        """
        sink_of = self._sink_of[owner]
        for sink, deliver in enumerate(self._sinks):
            mine = sink_of == sink
            if mine.any():
                deliver(updates if mine.all() else updates.take(mine))
        late = sink_of < 0
        if late.any():
            self._held.append((session, batch, updates.take(late), owner[late]))
            self._held_rows += int(late.sum())
        else:
            session.delivered(batch)

    def _incomplete(self) -> list[EdgeNode]:
        """The nodes to ask for their births: something of them is not known. None in a read-only station."""
        return [] if self._read_only else [node for node in self._roster.nodes.values() if node.incomplete]

    def _quiet_s(self, node: EdgeNode) -> float:
        """How long it must not be asked yet."""
        asked_ns = self._asked_ns.get((node.group, node.node))
        return 0.0 if asked_ns is None else REBIRTH_EVERY_S - (self._clock.monotonic_ns() - asked_ns) / SECOND_NS

    async def _ask_in_time(self, session: Session) -> None:
        """Ask as soon as one may be asked: what shows a gap may be the last message for hours."""
        quiet_s = min((self._quiet_s(node) for node in self._incomplete()), default=0.0)
        await asyncio.sleep(max(0.0, quiet_s) + _EARLY_S)
        if session is self._session:
            await self._ask_for_births(session)

    async def _ask_for_births(self, session: Session) -> None:
        """Sparkplug's rebirth request."""
        for node in [node for node in self._incomplete() if self._quiet_s(node) <= 0]:
            self._asked_ns[node.group, node.node] = self._clock.monotonic_ns()
            payload = sparkplug.rebirth_request(self._clock.now_ns())
            try:
                await session.publish(sparkplug.command_topic(node.group, node.node, ""), payload, 0)
            except DeviceError as error:
                log.info("Sparkplug %s/%s was not asked for its births: %s", node.group, node.node, error)

    # -------------------------------------------------------------------------------------------- texts and remarks

    def texts(self, device: Device) -> Mapping[str, str]:
        return dict(self._lives[device.id].part.rows.texts)

    def remarks(self, device: Device) -> Mapping[str, Text]:
        part = self._lives[device.id].part
        found: dict[str, Text] = {}
        for trouble in part.troubles:
            found |= trouble.remarks()
        for node, _ in part.nodes:
            if (text := node.trouble.text) is not None:
                found |= dict.fromkeys((point.name for point in part.rows.points), text)
        return found

    # ------------------------------------------------------------------------------------------------------- writing

    async def write(self, point: Point, value: float) -> float:
        """As `drivers.contract.Writable` says; `RefusedByDevice` also where the broker knows of nobody who listens."""
        if self._read_only:
            raise ReadOnlyError(f"{point.name} was not written: the station is read-only")
        session, life = self._live(), self._lives[point.device]
        if life.subscribed is not session:  # the engine has not come to this device yet: its answer would pass unheard
            await self._subscribe(session, life)
        return await self._commands.write(session, self._broker, point, value)


class _Life:
    """Whether one device is there, as far as its connection says how to know that."""

    def __init__(self, part: Part, clock: Clock) -> None:
        self.part = part
        self.deliver: Deliver | None = None
        self.subscribed: Session | None = None
        """The connection on which its topics are subscribed."""
        self.changed = asyncio.Event()
        self._clock = clock
        self._heard_ns: int | None = None
        self._since_ns = 0
        self._was_there = False
        self._seen: object = None

    def begin(self) -> None:
        """A connection is new."""
        self._heard_ns = None

    def watch(self) -> None:
        """The engine attends to it from now on. What was heard too long ago is not waited from."""
        self._since_ns = now = self._clock.monotonic_ns()
        self._was_there = False
        silence_s = self.part.silence_s
        if silence_s is not None and self._heard_ns is not None and now - self._heard_ns >= silence_s * SECOND_NS:
            self._heard_ns = None

    def heard(self, now_ns: int) -> None:
        first, self._heard_ns = self._heard_ns is None, now_ns
        if first:
            self.changed.set()

    def compare(self) -> None:
        """Wake whoever watches when a birth, a death or a word of presence came."""
        presence = self.part.presence.present if self.part.presence else None
        now = presence, tuple(node.alive(device) for node, device in self.part.nodes)
        if now != self._seen:
            self._seen = now
            self.changed.set()

    def judge(self, online: Callable[[], None]) -> float | None:
        """Call `online` when it is there; return for how many seconds that needs no second look, None for ever.

        Raises TransportError when it is lost, or does not come in time.
        """
        device, now = self.part.device, self._clock.monotonic_ns()
        waited_s = (now - self._since_ns) / SECOND_NS
        absent, patience_s = self._absent()
        if absent is not None:
            if self._was_there or waited_s >= patience_s:
                raise TransportError(absent, device=device.id)
            return patience_s - waited_s
        silence_s = self.part.silence_s
        if silence_s is None:
            self._there(online)
            return None
        if self._heard_ns is not None:
            waited_s = (now - self._heard_ns) / SECOND_NS
        if waited_s >= silence_s:
            text = Text(
                f"{device.id} has sent nothing for {silence_s:g} s", f"{device.id} 已 {silence_s:g} 秒没有发送数据"
            )
            raise TransportError(text, device=device.id)
        if self._heard_ns is not None:
            self._there(online)
        return silence_s - waited_s

    def _there(self, online: Callable[[], None]) -> None:
        if not self._was_there:
            self._was_there = True
            online()

    def _absent(self) -> tuple[Text | None, float]:
        """Why it is not there, and how long to wait for it; None where nothing says so."""
        presence, id_ = self.part.presence, self.part.device.id
        if presence is not None and presence.present is None:
            return Text(f"nothing says whether {id_} is there", f"{id_} 是否在线未知"), self.part.birth_s
        if presence is not None and not presence.present:
            return Text(f"{id_} is said to be offline", f"{id_} 报告为离线"), self.part.birth_s
        for node, device in self.part.nodes:
            if not node.alive(device):
                name = "/".join(filter(None, (node.group, node.node, device)))
                why = node.deaths.get(device, NEVER_BORN)
                return Text(f"Sparkplug {name}: {why.en}", f"Sparkplug {name}：{why.zh}"), self.part.birth_s
        return None, 0.0
