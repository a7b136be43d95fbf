"""One Sparkplug edge node as a host sees it: births, deaths, sequence, aliases. No I/O; a state machine of messages.

A host knows nothing of a node before its birth, and nothing again after its death (Sparkplug 3.0.0, chapter 5). Every
message but a death counts `seq` from 0 to 255; one that is missing means that something was lost, and the births are
asked for again. `bdSeq` tells which birth a death belongs to: the death of an earlier session is not news.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.model import quality as q
from app.model.station import Point
from app.model.text import Text
from drivers.mqtt import moments, sparkplug
from drivers.mqtt.documents import PayloadFault, text
from drivers.mqtt.documents import number as number_of
from drivers.mqtt.rows import Message, Rows
from drivers.mqtt.sparkplug import SEQUENCE, DataType, Kind, Topic
from drivers.mqtt.sparkplug_b_pb2 import Payload
from drivers.mqtt.troubles import Trouble

_MS: Final = 1_000_000
MOST_METRICS: Final = 100_000
"""Of one node, births of more are refused: memory is not for strangers to fill."""


@dataclass(slots=True)
class Use:
    """A point of ours that reads a metric."""

    rows: Rows
    slot: int
    point: Point
    words: Mapping[str, float]
    trouble: Trouble
    last: tuple[float, int, int] | None = None
    """Value, quality and time of the latest row that was not historical."""


@dataclass(slots=True)
class Metric:
    """One metric of the node, as born, and who reads it."""

    device: str
    name: str
    datatype: int = 0
    alias: int | None = None
    uses: list[Use] = field(default_factory=list)


class EdgeNode:
    """`group/node`, and the devices behind it."""

    def __init__(self, group: str, node: str) -> None:
        self.group = group
        self.node = node
        self._readers: dict[str, list[Rows]] = {}
        """Sparkplug device -> rows of ours that read it."""
        self.trouble = Trouble(f"{group}/{node}", Text.of("Sparkplug"), ())
        self.wants_birth = True
        """Whether the births must be asked for: nothing is known, or something was lost."""
        self.deaths: dict[str, Text] = {}
        """Sparkplug device ('' the node) -> why it is not there; those that were born and live are not in it."""
        self.lost_messages = 0
        self._metrics: dict[tuple[str, str], Metric] = {}
        self._by_alias: dict[int, Metric] = {}
        self._born: set[str] = set()
        self._bd_seq: int | None = None
        self._seq: int | None = None
        """Of the next message; None while it is not known."""

    # ----------------------------------------------------------------------------------------------- who reads it

    def read_by(
        self, rows: Rows, device: str, points: Sequence[tuple[Point, int, str, Mapping[str, float]]]
    ) -> list[Trouble]:
        """Give the metrics of a Sparkplug device to rows of ours: (point, slot, metric, words). Their troubles."""
        troubles = []
        self._readers.setdefault(device, []).append(rows)
        for point, slot, name, words in points:
            trouble = Trouble(rows.device, Text(f"metric {name}", f"指标 {name}"), [point.name])
            troubles.append(trouble)
            metric = self._metrics.setdefault((device, name), Metric(device, name))
            metric.uses.append(Use(rows, slot, point, words, trouble))
        return troubles

    def alive(self, device: str) -> bool:
        """Whether a Sparkplug device ('' the node) was born and lives."""
        return device in self._born

    @property
    def incomplete(self) -> bool:
        """Whether its births should be asked for: something is not known, or was lost."""
        return self.wants_birth or not all(device in self._born for device in self._readers)

    def metric(self, device: str, name: str) -> Metric | None:
        """As born; None before."""
        metric = self._metrics.get((device, name))
        return metric if metric is not None and metric.datatype and device in self._born else None

    # ------------------------------------------------------------------------------------------------- messages

    def begin(self, kept: bool) -> None:
        """A connection is new. If the broker did not keep the session, what happened meanwhile is not known."""
        if not kept:
            self._born.clear()
            self._seq = None
        self.wants_birth = not self._born

    def take(self, topic: Topic, message: Message) -> None:
        """Add what a message says. Raises PayloadFault where it is none."""
        if message.retained and topic.kind is not Kind.NDEATH:
            raise PayloadFault(
                f"a retained {topic.kind}, which Sparkplug does not know",
                f"{topic.kind} 是保留消息，Sparkplug 中没有这种用法",
            )
        payload = sparkplug.decode(message.payload)
        if topic.kind is Kind.NDEATH:
            self._node_died(payload, message)
            return
        if topic.kind is Kind.NBIRTH:
            self._node_born(payload)
        elif "" not in self._born:
            self.wants_birth = True
            raise PayloadFault(f"{topic.kind} before the birth of its node", f"{topic.kind} 先于其边缘节点的 NBIRTH")
        else:
            self._count(payload, message)
        if topic.kind is Kind.DDEATH:
            self._die(topic.device, _DIED)
            return
        if topic.kind in (Kind.NBIRTH, Kind.DBIRTH):
            self._learn(topic.device, payload)
        elif topic.device not in self._born:
            self.wants_birth = True
            raise PayloadFault(
                f"{topic.kind} before the birth of {topic.device}", f"{topic.kind} 先于 {topic.device} 的 DBIRTH"
            )
        self._values(topic.device, payload, message)
        self.trouble.over()

    def _node_born(self, payload: Payload) -> None:
        for device in self._born - {""}:
            self.deaths[device] = _NODE_BORN
        self._born = {""}
        self._by_alias.clear()
        for metric in self._metrics.values():
            metric.datatype, metric.alias = 0, None
        self._seq = (payload.seq + 1) % SEQUENCE
        self._bd_seq = next((_bd_seq(m) for m in payload.metrics if m.name == sparkplug.BD_SEQ), None)
        self.wants_birth = False

    def _node_died(self, payload: Payload, message: Message) -> None:
        bd_seq = next((_bd_seq(m) for m in payload.metrics if m.name == sparkplug.BD_SEQ), None)
        if "" in self._born and None not in (bd_seq, self._bd_seq) and bd_seq != self._bd_seq:
            return  # the will of a session before this one
        if message.retained and "" in self._born:
            return
        for device in [*self._born, ""]:
            self._die(device, _NODE_DIED)
        self._seq = None

    def _die(self, device: str, why: Text) -> None:
        self._born.discard(device)
        self.deaths[device] = why

    def _count(self, payload: Payload, message: Message) -> None:
        """The sequence number of every message but a node's birth and death."""
        expected, self._seq = self._seq, (payload.seq + 1) % SEQUENCE
        if expected is None or payload.seq == expected:
            return
        if message.again:  # the broker repeats what was not acknowledged before the connection was lost
            self._seq = expected
            return
        self.lost_messages += (payload.seq - expected) % SEQUENCE
        self.wants_birth = True
        before = (expected - 1) % SEQUENCE
        what = Text(
            f"sequence {payload.seq} after {before}: something was lost",
            f"序号 {before} 之后是 {payload.seq}：有消息丢失",
        )
        self.trouble.say(what)

    def _learn(self, device: str, payload: Payload) -> None:
        """Take names, aliases and types of a birth."""
        if len(payload.metrics) + len(self._by_alias) > MOST_METRICS:
            size = f"{len(payload.metrics):,}"
            raise PayloadFault(
                f"a birth of {size} metrics, where {MOST_METRICS:,} is the most",
                f"上线报文（birth）含 {size} 个指标，上限为 {MOST_METRICS:,}",
            )
        for born in payload.metrics:
            metric = self._metrics.get((device, born.name))
            if metric is None:
                metric = _UNREAD  # known, and read by nobody
            else:
                metric.datatype = born.datatype
                metric.alias = born.alias if born.HasField("alias") else None
            if born.HasField("alias"):
                self._by_alias[born.alias] = metric
        self._born.add(device)
        self.deaths.pop(device, None)

    def _values(self, device: str, payload: Payload, message: Message) -> None:
        """The hot path: a row a metric that somebody reads."""
        metrics, by_alias, received = self._metrics, self._by_alias, message.received
        latest = received + moments.AHEAD_NS
        sent = payload.timestamp
        unknown = 0
        for metric in payload.metrics:
            name = metric.name
            known = metrics.get((device, name)) if name else by_alias.get(metric.alias)
            if known is None or not (name or metric.alias or metric.HasField("alias")):
                unknown += not name
                continue
            if not known.uses:
                continue
            time = (metric.timestamp or sent) * _MS
            quality = 0
            if not _FIRST_NS <= time <= latest:
                time, quality = moments.judged(moments.moment_ns(time, 1), received)
            if metric.is_null:
                quality |= q.IV
            historical = metric.is_historical
            for use in known.uses:
                value = _value(use, metric, known.datatype)
                if use.slot < 0:
                    continue
                use.rows.add(use.slot, value, quality, time)
                if historical:
                    _behind(use)
                else:
                    use.last = (value, quality, time)
        for rows in self._readers.get(device, ()):
            rows.hear()
        if unknown:
            self.wants_birth = True
            raise PayloadFault(
                f"{unknown} metrics with an alias that no birth has told",
                f"{unknown} 个指标的别名未在上线报文（birth）中声明",
            )


NEVER_BORN: Final = Text("no birth has come", "尚未收到上线报文（birth）")
_DIED: Final = Text("it died (DDEATH)", "设备已离线（DDEATH）")
_NODE_DIED: Final = Text("its edge node died (NDEATH)", "其边缘节点已离线（NDEATH）")
_NODE_BORN: Final = Text("its node was born anew, and it was not yet", "其边缘节点已重新上线，设备尚未上线")
_UNREAD: Final = Metric("", "")
_FLOAT: Final = int(DataType.FLOAT)
_FIRST_NS: Final = 946_684_800_000_000_000
"""The year 2000, as in `moments`."""


def _bd_seq(metric: Payload.Metric) -> int:
    return int(metric.long_value or metric.int_value)


def _value(use: Use, metric: Payload.Metric, datatype: int) -> float:
    """What a metric says, by the type of its birth; NaN where it is null, or remarked, where it has no number."""
    if datatype == _FLOAT and metric.HasField("float_value"):  # most are
        return metric.float_value
    if metric.is_null:
        return math.nan
    try:
        if datatype in sparkplug.TEXTS:
            if use.slot < 0:
                use.rows.texts[use.point.id] = text(metric.string_value)
                return math.nan
            return number_of(metric.string_value, use.words)
        value = sparkplug.number(metric, datatype)
    except PayloadFault as fault:
        use.trouble.say(fault.text)
        return math.nan
    if use.slot < 0:
        use.rows.texts[use.point.id] = text(value)
    if use.trouble.count:
        use.trouble.over()
    return value


def _behind(use: Use) -> None:
    """What happened earlier goes into history, and what is true now stays: it is said again behind it.

    Where nothing newer is known, the past stands there and says so.
    """
    if use.last is None:
        use.rows.mark(q.NT)
    else:
        use.rows.add(use.slot, *use.last)
