"""One connection to a broker: paho on a thread of its own, which also decodes; the engine's loop gets whole batches.

paho's network loop is driven here by its calls for external loops (`loop_read`, `loop_write`, `loop_misc`), because its
own thread reads one packet a turn and acknowledges at once. Here a burst is read, decoded and handed over as one batch;
it is acknowledged when the loop has delivered it. Every call into paho happens on this thread.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import paho.mqtt.client as paho
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from app.model.clock import Clock
from app.model.errors import ReadOnlyError, RefusedByDevice, TransportError
from app.model.text import Text
from drivers.mqtt import broker_words
from drivers.mqtt.client import make_client, presence_of
from drivers.mqtt.connection import Broker
from drivers.mqtt.inbox import Inbox
from drivers.mqtt.routing import Batch
from drivers.mqtt.rows import Message
from drivers.mqtt.waiting import READ, WRITE, Alarm, Watch

log = logging.getLogger("gridroom.mqtt")

PACE_S: Final = {"5": 0.01, "3.1.1": 0.002}
"""A message is handed over at once, those behind it together after this. In MQTT 3.1.1 the broker decides how many it
sends before it is told that we have them, 20 with mosquitto as it comes: then this is what keeps the rate up."""
BURST: Final = 2000
"""Messages read before others get their turn."""
AT_ONCE: Final = 2
"""Batches that may be on their way to the engine's loop: one that it works on, one that waits."""
HOUSEKEEPING_S: Final = 0.5
GOODBYE_S: Final = 1.0
"""A broker that does not take our goodbye in this time does without."""
_SUBSCRIPTION: Final = Text(" to a subscription", "（订阅）")

Deliver = Callable[["Session", Batch], None]


class Decoder(Protocol):
    """What makes batches of messages. Called on the session's thread."""

    def begin(self, kept: bool) -> None:
        """A connection is new; `kept` where the broker kept the session of last time."""

    def decode(self, messages: Sequence[Message], received: int) -> Batch:
        """One batch of a burst, in its order. Never raises."""


class Session:
    """One connection, from `open` until it is lost or closed; never opened again."""

    def __init__(
        self,
        broker: Broker,
        decoder: Decoder,
        clock: Clock,
        deliver: Deliver,
        *,
        read_only: bool,
        passing: bool = False,
    ) -> None:
        self.lost: asyncio.Future[Text] = asyncio.get_running_loop().create_future()
        """Done when the connection is gone, with why."""
        self.kept = False
        """Whether the broker had kept the session of last time."""
        self.taken_over = False
        """Whether it was lost to another client of the same name."""
        self.dropped = 0
        """Messages of QoS 0 that came faster than they could be taken."""
        self._broker = broker
        self._decoder = decoder
        self._clock = clock
        self._deliver = deliver
        self._read_only = read_only
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._inbox = Inbox()
        self._orders: deque[Callable[[], None]] = deque()
        self._granted: dict[int, tuple[asyncio.Future[None], tuple[str, ...]]] = {}
        self._sent: dict[int, asyncio.Future[None]] = {}
        self._under_way = 0
        """Batches handed over and not yet delivered."""
        self._paused = False
        self._connected = False
        self._end_by = math.inf
        """Monotonic seconds: then the thread ends, whatever is still to be said."""
        self._why: Text | None = None
        self._received = 0
        self._presence = None if read_only else presence_of(broker, clock.now_ns())
        """A read-only station says nothing, not even that it is here."""
        self._client, self._tls = make_client(broker, self._presence, passing=passing)
        self._listen()
        self._alarm = Alarm()
        self._hand_over_at = self._house_at = self._answer_by = 0.0
        """Monotonic seconds."""
        self._thread = threading.Thread(target=self._run, name=f"mqtt {broker.place}", daemon=True)

    # --------------------------------------------------------------------------------- asked by the engine's loop

    async def open(self) -> None:
        """Connect. Raises TransportError."""
        self._thread.start()
        await asyncio.shield(self._opened)

    async def close(self) -> None:
        """Say goodbye, and end; after `open`. The broker keeps the session for when we come again."""
        self._order(self._stop)
        await asyncio.shield(self.lost)
        self._thread.join()

    async def subscribe(self, filters: Mapping[str, int]) -> None:
        """Ask for topics. Raises TransportError where the broker does not grant one, or does not answer."""
        if filters:
            await self._asked(lambda future: self._subscribe(filters, future), _SUBSCRIPTION)

    async def publish(self, topic: str, payload: bytes, qos: int, properties: Properties | None = None) -> None:
        """Send a command. Returns when the broker has it.

        Raises ReadOnlyError, TransportError, or RefusedByDevice where the broker knows of nobody who listens.
        """
        if self._read_only:
            raise ReadOnlyError(f"nothing was published on {topic}: the station is read-only")
        about = Text(f" to {topic}", f"（{topic}）")
        await self._asked(lambda future: self._publish(topic, payload, qos, properties, future), about)

    def delivered(self, batch: Batch) -> None:
        """The engine has it: the broker may forget it."""
        if batch.acknowledge:
            self._order(lambda: self._acknowledge(batch))

    def pause(self, paused: bool) -> None:
        """Hand nothing over for now: somebody who is meant is not there yet."""
        if paused != self._paused:
            self._paused = paused
            self._alarm.ring()

    async def _asked(self, order: Callable[[asyncio.Future[None]], None], about: Text) -> None:
        future: asyncio.Future[None] = self._loop.create_future()
        self._order(lambda: order(future))
        await first_of(future, self.lost, timeout_s=self._broker.timeout_s)
        if future.done():
            future.result()
        elif self.lost.done():
            raise TransportError(self.lost.result())
        else:
            raise TransportError(self._at(broker_words.silent(self._broker, about)))

    def _order(self, order: Callable[[], None]) -> None:
        self._orders.append(order)
        self._alarm.ring()

    # ------------------------------------------------------------------------------------------ the network thread

    def _run(self) -> None:
        try:
            sock = self._connect()
            if sock is not None:
                self._serve(sock)
        except Exception as error:  # ours: the devices are told, and it is tried again
            log.exception("the connection to %s failed", self._broker.place)
            self._why = self._why or self._at(Text(f"Gridroom's own fault: {error}", f"Gridroom 内部错误：{error}"))
        finally:
            self._client.on_disconnect = None
            sock = self._client.socket()
            if sock is not None:
                sock.close()
            self._alarm.close()
            self._soon(self._end, self._why or self._at(broker_words.GONE))

    def _connect(self) -> paho.SocketLike | None:
        """The open socket; None where none came to be."""
        try:
            self._client.reconnect()
        except (OSError, ValueError) as error:
            self._why = self._at(broker_words.of_connecting(error, self._broker))
            if self._tls is not None:
                self._tls.close_latest()
        return self._client.socket()

    def _serve(self, sock: paho.SocketLike) -> None:
        """Until the connection is gone."""
        self._answer_by = time.monotonic() + self._broker.timeout_s
        watch = Watch(sock, self._alarm)
        try:
            while sock is self._client.socket() and time.monotonic() < self._end_by:
                self._turn(watch)
        finally:
            watch.close()

    def _turn(self, watch: Watch) -> None:
        """Wait, do as told, read a burst, hand it over, write, keep house.

        Nothing is read before it can be handed over: what comes meanwhile waits in the kernel, because a thread that
        wakes for each message costs more than the messages do.
        """
        rest_s = self._hand_over_at - time.monotonic()
        reading = rest_s <= 0 and not self._inbox.full
        wanted = (READ if reading else 0) | (WRITE if self._client.want_write() else 0)
        readable = watch.wait(wanted, rest_s if rest_s > 0 else HOUSEKEEPING_S)
        while self._orders:
            self._orders.popleft()()
        if readable:
            self._read()
        now = time.monotonic()
        if now >= self._hand_over_at and self._may_hand_over():
            self._hand_over_at = now + PACE_S[self._broker.version]
            self._hand_over()
        if self._client.want_write() and self._client.socket() is not None:
            self._client.loop_write()
        if now >= self._house_at:
            self._house_at = now + HOUSEKEEPING_S
            self._client.loop_misc()
        if not self._connected and now > self._answer_by:
            self._why = self._at(broker_words.silent(self._broker, Text.of("")))
            self._end_by = 0.0

    def _may_hand_over(self) -> bool:
        return bool(len(self._inbox)) and self._under_way < AT_ONCE and not self._paused

    def _read(self) -> None:
        """A burst: until the socket has no more, or it is others' turn."""
        self._received = self._clock.now_ns()
        before, most = -1, len(self._inbox) + BURST
        while before != len(self._inbox) < most and not self._inbox.full and self._client.socket() is not None:
            before = len(self._inbox)
            self._client.loop_read()

    def _hand_over(self) -> None:
        messages = self._inbox.take()
        self.dropped = self._inbox.dropped
        batch = self._decoder.decode(messages, self._clock.now_ns())
        self._under_way += 1
        self._soon(self._handed_over, batch)

    def _handed_over(self, batch: Batch) -> None:
        """On the engine's loop."""
        try:
            self._deliver(self, batch)
        finally:
            self._under_way -= 1
            self._alarm.ring()

    def _acknowledge(self, batch: Batch) -> None:
        for mid in batch.acknowledge:
            self._client.ack(mid, 1)

    def _soon(self, call: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:  # the loop is closed: nobody is left to tell
            self._end_by = 0.0

    def _end(self, why: Text) -> None:
        """On the engine's loop, as the last thing."""
        _fail(self._opened, TransportError(why))
        for future in [*(future for future, _ in self._granted.values()), *self._sent.values()]:
            _fail(future, TransportError(why))
        if not self.lost.done():
            self.lost.set_result(why)

    # --------------------------------------------------------------------------------------------------------- paho

    def _listen(self) -> None:
        client = self._client
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message

    def _on_connect(
        self, client: paho.Client, _: Any, flags: paho.ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._why = self._at(broker_words.of_refusal(reason, self._broker))
            return
        self.kept = flags.session_present
        self._decoder.begin(self.kept)
        if self._presence is not None:
            client.publish(self._presence.topic, self._presence.online, qos=1, retain=True)
        self._connected = True
        self._soon(_done, self._opened)

    def _on_disconnect(
        self,
        client: paho.Client,
        _: Any,
        flags: paho.DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if not self._why:
            self.taken_over = flags.is_disconnect_packet_from_server and reason.value == broker_words.TAKEN_OVER
            if self.taken_over:
                words = broker_words.stolen(self._broker)
            elif self._connected:
                words = broker_words.lost(reason)
            else:
                words = broker_words.unanswered(self._broker)
            self._why = self._at(words)

    def _on_message(self, client: paho.Client, _: Any, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # of nobody
        properties = message.properties
        correlation = getattr(properties, "CorrelationData", None) if properties is not None else None
        self._inbox.add(
            Message(
                topic,
                bytes(message.payload),
                message.mid,
                message.qos,
                message.retain,
                message.dup,
                correlation,
                self._received,
            )
        )

    def _subscribe(self, filters: Mapping[str, int], future: asyncio.Future[None]) -> None:
        _, mid = self._client.subscribe(self._wanted(filters))
        if mid is None:
            self._soon(_fail, future, TransportError(self._at(broker_words.GONE)))
        else:
            self._granted[mid] = future, tuple(filters)

    def _wanted(self, filters: Mapping[str, int]) -> Any:
        """As paho wants it; MQTT 5 has options in place of the QoS."""
        if self._broker.version == "5":
            return [(pattern, SubscribeOptions(qos=qos)) for pattern, qos in filters.items()]
        return list(filters.items())

    def _on_subscribe(
        self, client: paho.Client, _: Any, mid: int, reasons: list[ReasonCode], properties: Properties | None
    ) -> None:
        future, filters = self._granted.pop(mid, (None, ()))
        refused = [(pattern, reason) for pattern, reason in zip(filters, reasons, strict=False) if reason.is_failure]
        if future is not None and refused:
            self._soon(_fail, future, TransportError(self._at(broker_words.ungranted(refused))))
        elif future is not None:
            self._soon(_done, future)

    def _publish(
        self, topic: str, payload: bytes, qos: int, properties: Properties | None, future: asyncio.Future[None]
    ) -> None:
        info = self._client.publish(topic, payload, qos, properties=properties)
        if info.rc not in (paho.MQTT_ERR_SUCCESS, paho.MQTT_ERR_QUEUE_SIZE):
            self._soon(_fail, future, TransportError(self._at(Text.of(paho.error_string(info.rc)))))
        else:
            self._sent[info.mid] = future

    def _on_publish(
        self, client: paho.Client, _: Any, mid: int, reason: ReasonCode, properties: Properties | None
    ) -> None:
        future = self._sent.pop(mid, None)
        if future is None:
            return
        if reason.value == broker_words.NOBODY:
            self._soon(_fail, future, RefusedByDevice(broker_words.UNHEARD))
        elif reason.is_failure:
            self._soon(_fail, future, RefusedByDevice(broker_words.untaken(reason), code=reason.value))
        else:
            self._soon(_done, future)

    def _stop(self) -> None:
        """Say goodbye: our own word that we are gone first, because a goodbye keeps the will from being said."""
        if self._client.is_connected():
            if self._presence is not None:
                self._client.publish(self._presence.topic, self._presence.offline, qos=0, retain=True)
            self._client.disconnect()
            self._end_by = time.monotonic() + GOODBYE_S
        else:
            self._end_by = 0.0
        self._why = self._why or self._at(broker_words.CLOSED)

    def _at(self, what: Text) -> Text:
        return broker_words.at(self._broker, what)


async def first_of(*futures: asyncio.Future[Any], timeout_s: float | None) -> None:
    """Wait until one of them is done, or the time is over. None of them is cancelled."""
    await asyncio.wait(futures, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _fail(future: asyncio.Future[None], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # whoever waited may be gone
