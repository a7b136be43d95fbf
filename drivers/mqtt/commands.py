"""Commands by topic: one request, at most one answer, never repeated."""

from __future__ import annotations

import asyncio
import json
import math
import uuid
from dataclasses import dataclass
from typing import Any, Final

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from app.model.clock import Clock
from app.model.errors import ProtocolError, RefusedByDevice, TransportError
from app.model.station import Device, Point
from app.model.text import Text
from app.model.updates import Updates
from drivers.json_path import MISSING, Path, find
from drivers.mqtt import sparkplug
from drivers.mqtt.address import Address, Format, Metric, Reply, Request
from drivers.mqtt.connection import Broker
from drivers.mqtt.documents import PayloadFault, number, parse_json, parse_plain, shown, text
from drivers.mqtt.readers import is_good
from drivers.mqtt.rosters import Roster, address_of
from drivers.mqtt.routing import Batch
from drivers.mqtt.rows import Message
from drivers.mqtt.session import Session, first_of

_MOST_EXACT: Final = 2**53


@dataclass(slots=True)
class _Asked:
    """A request that waits for its answer."""

    request: Request
    number: str
    answer: asyncio.Future[Message]


class Commands:
    """Those of one line. On the engine's loop."""

    def __init__(self, roster: Roster, clock: Clock) -> None:
        self._roster = roster
        self._clock = clock
        self._asked: dict[str, list[_Asked]] = {}
        """Reply topic -> requests, the oldest first."""
        self._turns: dict[str, asyncio.Lock] = {}
        self._states: dict[int, list[asyncio.Future[float]]] = {}
        """Point -> those who wait for what the device says of it next."""

    def take(self, batch: Batch) -> None:
        """Answers and states that came."""
        for message in batch.replies:
            self._answered(message)
        if self._states:
            self._stated(batch.updates)

    async def write(self, session: Session, broker: Broker, point: Point, value: float) -> float:
        """Send, wait for the answer, and for what the device then says it holds. NaN where it does not say."""
        device = self._roster.parts[point.device].device
        address = address_of(point, device)
        raw = (value - point.form.offset) / point.form.scale
        if not math.isfinite(raw):
            raise ValueError(f"{point.name} cannot be set to {value:g}: it is no number")
        state: asyncio.Future[float] | None = None
        if address.source is not None:
            state = asyncio.get_running_loop().create_future()
            self._states.setdefault(point.index, []).append(state)
        try:
            if isinstance(address.source, Metric):
                await self._send_metric(session, point, address.source, raw)
                held = math.nan
            else:
                held = await self._send(session, broker, device, point, address, raw)
            if state is None or math.isfinite(held):
                return held
            done, _ = await asyncio.wait({state}, timeout=broker.timeout_s)
            return state.result() if done else math.nan
        finally:
            if state is not None:
                self._states[point.index].remove(state)
                if not self._states[point.index]:
                    del self._states[point.index]

    # -------------------------------------------------------------------------------------------------------- sending

    async def _send_metric(self, session: Session, point: Point, where: Metric, raw: float) -> None:
        metric = self._roster.nodes[where.group, where.node].metric(where.device, where.name)
        if metric is None:
            what = Text(
                f"{point.name} was not written: no birth has told the type of metric {where.name}",
                f"{point.name} 未下发：指标 {where.name} 的类型尚未由上线报文（birth）声明",
            )
            raise TransportError(what, device=point.device)
        try:
            payload = sparkplug.command(where.name, metric.alias, metric.datatype, raw, self._clock.now_ns())
        except ValueError as error:
            raise ValueError(f"{point.name} was not written: {error}") from None
        await session.publish(sparkplug.command_topic(where.group, where.node, where.device), payload, 1)

    async def _send(
        self, session: Session, broker: Broker, device: Device, point: Point, address: Address, raw: float
    ) -> float:
        request = address.request
        if request is None:
            raise ValueError(f"{point.name} is read, and never written")
        mine = uuid.uuid4().hex
        payload = payload_of(request, raw, mine)
        five = broker.version == "5"
        if request.reply is None:
            await session.publish(request.topic, payload, request.qos, _properties(broker, None, "") if five else None)
            return math.nan
        alone = self._turns.setdefault(request.reply.topic, asyncio.Lock())
        async with alone:
            asked = _Asked(request, mine, asyncio.get_running_loop().create_future())
            here = self._asked.setdefault(request.reply.topic, [])
            here.append(asked)
            try:
                properties = _properties(broker, request.reply, mine) if five else None
                await session.publish(request.topic, payload, request.qos, properties)
                await first_of(asked.answer, session.lost, timeout_s=broker.timeout_s)
            finally:
                here.remove(asked)
        if not asked.answer.done():
            what = Text(
                f"{point.name} was sent, and no answer came within {broker.timeout_s:g} s; look at the device",
                f"{point.name} 已下发，但 {broker.timeout_s:g} 秒内无应答；请查看设备",
            )
            raise TransportError(what, device=device.id)
        return _judge(point, request.reply, asked.answer.result(), address)

    # ------------------------------------------------------------------------------------------------------ answers

    def _answered(self, message: Message) -> None:
        """Give an answer to the request that it carries the number of; without numbers, to the only one there is."""
        for asked in self._asked.get(message.topic, ()):
            if not asked.answer.done() and _belongs(message, asked):
                asked.answer.set_result(message)
                return

    def _stated(self, updates: Updates) -> None:
        for index, waiting in self._states.items():
            rows = (updates.point == index).nonzero()[0]
            for future in waiting if len(rows) else ():
                if not future.done():
                    future.set_result(float(updates.value[rows[-1]]))


def _belongs(message: Message, asked: _Asked) -> bool:
    where = asked.request.correlation
    if where is not None:
        try:
            return bool(text(find(parse_json(message.payload), where)) == asked.number)
        except (PayloadFault, TypeError):
            return False
    return message.correlation is None or message.correlation == asked.number.encode()


def _judge(point: Point, reply: Reply, message: Message, address: Address) -> float:
    """What the answer says the device holds, in the point's unit; NaN where it does not. Raises as `write` does."""
    try:
        document = _document(message.payload)
        verdict = find(document, reply.path)
        if reply.ok is not None and (verdict is MISSING or not is_good(verdict, reply.ok)):
            said = Text("nothing", "（空）") if verdict is MISSING else Text.of(shown(text(verdict)))
            refusal = Text(
                f"{point.device} refused {point.name}: it answered {said.en}",
                f"{point.device} 拒绝了 {point.name}：应答为 {said.zh}",
            )
            raise RefusedByDevice(refusal, device=point.device)
        if reply.value is None:
            return math.nan
        held = number(find(document, reply.value), address.words or {})
    except PayloadFault as fault:
        unread = Text(
            f"{point.name} was sent, and the answer cannot be read: {fault.text.en}",
            f"{point.name} 已下发，但应答无法解析：{fault.text.zh}",
        )
        raise ProtocolError(unread, device=point.device) from None
    return held * point.form.scale + point.form.offset


def _document(payload: bytes) -> Any:
    """An answer is JSON, or a word alone. Raises PayloadFault where it is neither."""
    try:
        return parse_json(payload)
    except PayloadFault:
        return parse_plain(payload)


def _properties(broker: Broker, reply: Reply | None, mine: str) -> Properties:
    """MQTT 5: where the answer goes, and that nobody may obey when we have given up."""
    properties = Properties(PacketTypes.PUBLISH)
    properties.MessageExpiryInterval = max(1, math.ceil(broker.timeout_s))
    if reply is not None:
        properties.ResponseTopic = reply.topic
        properties.CorrelationData = mine.encode()
    return properties


def payload_of(request: Request, raw: float, mine: str) -> bytes:
    """What is sent: the value alone, or an object with it, what is constant, and the number of the request."""
    value = int(raw) if raw == round(raw) and abs(raw) < _MOST_EXACT else raw
    if request.format is Format.PLAIN:
        return str(value).encode()
    if not request.path:
        return json.dumps(value).encode()
    document = json.loads(json.dumps(dict(request.constant)))
    _put(document, request.path, value)
    if request.correlation is not None:
        _put(document, request.correlation, mine)
    return json.dumps(document, ensure_ascii=False).encode()


def _put(document: dict[str, Any], path: Path, value: object) -> None:
    here = document
    for step in path[:-1]:
        here = here.setdefault(str(step), {})
    here[str(path[-1])] = value
