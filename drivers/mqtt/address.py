"""Where a value lives behind a broker: the `address` of a point, judged and parsed. No I/O.

    {topic: plant/meter1/state, path: $.p_kw}           JSON or a plain value
    {sparkplug: group/node/device, metric: Power}       Sparkplug B
    {resource: ActivePower}                             a reading in the events of an EdgeX gateway

How a payload is read (`format`, `time`, `quality`, ...) may stand in the connection for all points of the device, or in
an address for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal

from app.model.errors import Wrong
from app.model.text import Text
from drivers import json_path
from drivers.json_path import Path
from drivers.judging import KeyFault, unknown_key
from drivers.mqtt import moments, topics


class Format(StrEnum):
    """How a payload is written."""

    JSON = "json"
    PLAIN = "plain"
    EDGEX = "edgex"
    SPARKPLUG = "sparkplug"


class Retained(StrEnum):
    """What a message is worth that the broker kept: nobody knows for how long."""

    OLD = "old"
    LIVE = "live"
    IGNORE = "ignore"


GOOD: Final[tuple[Any, ...]] = (True, "good", 192)
"""What a payload says of a good value; 192 is OPC DA's."""
READING: Final = ("format", "time", "time_unit", "quality", "good", "retained", "qos", "words")
"""Keys that may stand in the connection as well."""
_OF_TOPIC: Final = ("topic", "path", *READING)
_OF_WRITTEN: Final = ("topic", "path", "with", "correlation", "reply", "state", "qos", "format")
_OF_SPARKPLUG: Final = ("sparkplug", "metric", "words")
_OF_RESOURCE: Final = ("resource", "path", "words")
_OF_REPLY: Final = ("topic", "path", "ok", "value")
_OF_STATE: Final = ("topic", "path", *READING)
KEYS: Final = tuple(dict.fromkeys((*_OF_TOPIC, *_OF_WRITTEN, *_OF_SPARKPLUG, *_OF_RESOURCE)))
"""Every key that the address of some point may have."""
_WHOLE: Final[Path] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value of a topic is read."""

    topic: str
    path: Path
    format: Literal[Format.JSON, Format.PLAIN]
    time: Path | None
    time_unit_ns: int
    quality: Path | None
    good: tuple[Any, ...]
    retained: Retained
    qos: Literal[0, 1]


@dataclass(frozen=True, slots=True)
class Resource:
    """A reading of an EdgeX event, and where in an object or a list that it carries."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of a Sparkplug edge node, or of a device behind it (`device` empty for the node's own)."""

    group: str
    node: str
    device: str
    name: str


@dataclass(frozen=True, slots=True)
class Reply:
    """How a device answers a command."""

    topic: str
    path: Path
    ok: tuple[Any, ...] | None
    """What says yes at `path`; None where any answer does."""
    value: Path | None
    """Where the answer says what the device now holds."""


@dataclass(frozen=True, slots=True)
class Request:
    """Where and how a command or setpoint is sent."""

    topic: str
    path: Path
    format: Literal[Format.JSON, Format.PLAIN]
    constant: Mapping[str, Any]
    """What the payload has beside the value."""
    correlation: Path | None
    """Where request and answer carry the number of the request."""
    qos: Literal[0, 1]
    reply: Reply | None


@dataclass(frozen=True, slots=True)
class Address:
    """Of a point: where it is read, and where it is written; of `Metric` both."""

    source: Source | Resource | Metric | None
    request: Request | None = None
    words: Mapping[str, float] | None = None

    @staticmethod
    def of(mapping: Mapping[str, Any], connection: Mapping[str, Any], *, written: bool = False) -> Address:
        """Parse the `address` of a point; `written` for commands and setpoints. Raises KeyFault, a ValueError."""
        for fault in faults(mapping, connection, written=written):
            raise fault
        words = {str(word): float(n) for word, n in _with(mapping, connection, "words", {}).items()}
        if "sparkplug" in mapping:
            group, node, *device = mapping["sparkplug"].split("/")
            return Address(Metric(group, node, device[0] if device else "", mapping["metric"]), words=words)
        if "resource" in mapping:
            return Address(Resource(mapping["resource"], json_path.compile(mapping.get("path", "$"))), words=words)
        if not written:
            return Address(_source(mapping, connection), words=words)
        state = mapping.get("state")
        return Address(_source(state, connection) if state else None, _request(mapping, connection), words)


def _with(mapping: Mapping[str, Any], connection: Mapping[str, Any], key: str, given: Any) -> Any:
    return mapping.get(key, connection.get(key, given))


def topic_of(topic: str, connection: Mapping[str, Any]) -> str:
    """The whole topic: a leading `~` stands for `base` of the connection."""
    return f"{connection.get('base', '')}{topic[1:]}" if topic.startswith("~") else topic


def _path(mapping: Mapping[str, Any], key: str) -> Path | None:
    return json_path.compile(mapping[key]) if key in mapping else None


def _source(mapping: Mapping[str, Any], connection: Mapping[str, Any]) -> Source:
    both = {**{key: connection[key] for key in READING if key in connection}, **mapping}
    return Source(
        topic=topic_of(mapping["topic"], connection),
        path=_path(mapping, "path") or _WHOLE,
        format=_json_or_plain(both),
        time=_path(both, "time"),
        time_unit_ns=moments.UNITS[both.get("time_unit", "ms")],
        quality=_path(both, "quality"),
        good=tuple(both.get("good", GOOD)),
        retained=Retained(both.get("retained", Retained.OLD)),
        qos=both.get("qos", 1),
    )


def _json_or_plain(mapping: Mapping[str, Any]) -> Literal[Format.JSON, Format.PLAIN]:
    return Format.PLAIN if mapping.get("format") == Format.PLAIN else Format.JSON


def _request(mapping: Mapping[str, Any], connection: Mapping[str, Any]) -> Request:
    reply = mapping.get("reply")
    return Request(
        topic=topic_of(mapping["topic"], connection),
        path=_path(mapping, "path") or _WHOLE,
        format=_json_or_plain({"format": _with(mapping, connection, "format", Format.JSON)}),
        constant=mapping.get("with", {}),
        correlation=_path(mapping, "correlation"),
        qos=_with(mapping, connection, "qos", 1),
        reply=Reply(
            topic_of(reply["topic"], connection),
            _path(reply, "path") or _WHOLE,
            tuple(reply["ok"]) if "ok" in reply else None,
            _path(reply, "value"),
        )
        if reply
        else None,
    )


# ---------------------------------------------------------------------------------------------------------- judging


def faults(mapping: Mapping[str, Any], connection: Mapping[str, Any], *, written: bool = False) -> list[KeyFault]:
    """Everything wrong with the `address` of a point; empty when `Address.of` takes it."""
    if "sparkplug" in mapping:
        return strangers(mapping, _OF_SPARKPLUG, "address") + _sparkplug_faults(mapping) + reading_faults(mapping)
    if "resource" in mapping or (connection.get("format") == Format.EDGEX and "topic" not in mapping):
        return strangers(mapping, _OF_RESOURCE, "address") + _resource_faults(mapping, connection, written)
    if not written:
        return strangers(mapping, _OF_TOPIC, "address") + _place_faults(mapping, connection, "address")
    found = strangers(mapping, _OF_WRITTEN, "address") + _place_faults(mapping, connection, "address")
    return found + _request_faults(mapping, connection)


def strangers(mapping: Mapping[str, Any], known: tuple[str, ...], where: str) -> list[KeyFault]:
    """The keys that nobody reads."""
    return [unknown_key(str(key), known, where) for key in mapping if key not in known]


def reading_faults(mapping: Mapping[str, Any]) -> list[KeyFault]:
    """What is wrong with the keys of `READING`, in an address or a connection."""
    found = _path_faults(mapping, ("time", "quality"))
    for key, allowed in (("format", tuple(Format)), ("time_unit", tuple(moments.UNITS)), ("retained", tuple(Retained))):
        if key in mapping and mapping[key] not in allowed:
            found.append(
                KeyFault(
                    key,
                    Text(f"unknown {key} '{mapping[key]}'", f"未知的 {key}“{mapping[key]}”"),
                    Text(f"one of: {' '.join(allowed)}", f"可写：{' '.join(allowed)}"),
                )
            )
    if mapping.get("qos", 1) not in (0, 1) or isinstance(mapping.get("qos"), bool):
        mend = Text(
            "write 1, which loses nothing, or 0; of 2 the library keeps half in memory only, and a restart loses it",
            "请写 1（不丢失）或 0；为 2 时库只在内存中保留一半，重启即丢失",
        )
        found.append(
            KeyFault("qos", Text(f"qos '{mapping['qos']}' cannot be had", f"不能使用 qos “{mapping['qos']}”"), mend)
        )
    if "good" in mapping and not (isinstance(mapping["good"], list) and mapping["good"]):
        found.append(
            KeyFault(
                "good",
                Text("good is not a list", "good 不是列表"),
                Text(
                    "write what a good value has at `quality`: [0], [good]", "请写 quality 处表示正常的值：[0]、[good]"
                ),
            )
        )
    words = mapping.get("words", {})
    if not isinstance(words, Mapping) or not all(_is_number(value) for value in words.values()):
        found.append(
            KeyFault(
                "words",
                Text("words are not numbers by text", "words 不是 文本: 数字 的对照"),
                Text("write such as {run: 1, stop: 0}", "例如 {run: 1, stop: 0}"),
            )
        )
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _place_faults(mapping: Mapping[str, Any], connection: Mapping[str, Any], where: str) -> list[KeyFault]:
    """What is wrong with `topic`, `path` and how they are read."""
    found = _topic_faults(mapping, connection, where) + _path_faults(mapping, ("path",)) + reading_faults(mapping)
    format_ = _with(mapping, connection, "format", Format.JSON)
    if format_ == Format.PLAIN:
        for key in ("path", "time", "quality"):
            if mapping.get(key, "$") != "$":
                found.append(
                    KeyFault(
                        key,
                        Text(f"a plain value has no {key}", f"纯数值没有 {key}"),
                        Text("leave it out, or write `format: json`", "请删除，或写“format: json”"),
                    )
                )
    elif mapping.get("format") in (Format.EDGEX, Format.SPARKPLUG):
        mend = Text(
            "write `resource:` for a reading of EdgeX, or `sparkplug:` and `metric:`, instead of a topic",
            "EdgeX 读数请写“resource:”，Sparkplug 请写“sparkplug:”和“metric:”，而不是 topic",
        )
        found.append(
            KeyFault(
                "format",
                Text(f"format {format_} is not read by topic and path", f"format {format_} 不按 topic 和 path 读取"),
                mend,
            )
        )
    return found


def _topic_faults(mapping: Mapping[str, Any], connection: Mapping[str, Any], where: str) -> list[KeyFault]:
    if "topic" not in mapping:
        mend = Text("add `topic:`, or `sparkplug:` and `metric:`", "请添加“topic:”，或“sparkplug:”和“metric:”")
        return [KeyFault("topic", Text(f"{where} has no topic", f"{where} 缺少 topic"), mend)]
    topic = mapping["topic"]
    if isinstance(topic, str) and topic.startswith("~"):
        if "base" not in connection:
            mend = Text(
                "add `base:` to the connection, or write the whole topic", "请在连接中添加“base:”，或写完整主题"
            )
            return [
                KeyFault(
                    "topic",
                    Text(
                        f"topic '{topic}' begins with ~, and there is no base", f"主题“{topic}”以 ~ 开头，但没有 base"
                    ),
                    mend,
                )
            ]
        topic = topic_of(topic, connection)
    wrong = topics.trouble(topic)
    return [KeyFault("topic", *wrong)] if wrong else []


def _path_faults(mapping: Mapping[str, Any], names: tuple[str, ...]) -> list[KeyFault]:
    found = []
    for key in names:
        try:
            _path(mapping, key)
        except Wrong as error:
            found.append(KeyFault(key, error.what, error.mend))
    return found


def _sparkplug_faults(mapping: Mapping[str, Any]) -> list[KeyFault]:
    found = []
    levels = str(mapping["sparkplug"]).split("/")
    if len(levels) not in (2, 3) or not all(levels) or any(set("+#\0") & set(level) for level in levels):
        what = Text(
            f"'{mapping['sparkplug']}' names no Sparkplug device", f"“{mapping['sparkplug']}”不是 Sparkplug 设备"
        )
        found.append(
            KeyFault(
                "sparkplug",
                what,
                Text(
                    "write group/node/device, or group/node for metrics of the node",
                    "请写 组/节点/设备；节点自身的指标写 组/节点",
                ),
            )
        )
    if not isinstance(mapping.get("metric"), str) or not mapping["metric"]:
        found.append(
            KeyFault(
                "metric",
                Text("address has no metric", "地址缺少 metric"),
                Text("add `metric:`, its name as in the birth", "请添加“metric:”，即上线报文中的名称"),
            )
        )
    return found


def _resource_faults(mapping: Mapping[str, Any], connection: Mapping[str, Any], written: bool) -> list[KeyFault]:
    found = _path_faults(mapping, ("path",)) + reading_faults(mapping)
    if not isinstance(mapping.get("resource"), str) or not mapping["resource"]:
        mend = Text(
            "add `resource:`, the name of a reading as in the device's profile",
            "请添加“resource:”，即设备 profile 中读数的名称",
        )
        found.append(KeyFault("resource", Text("address has no resource", "地址缺少 resource"), mend))
    if connection.get("format") != Format.EDGEX:
        mend = Text(
            "add `format: edgex`, `topic:` and `device:` to the connection",
            "请在连接中添加“format: edgex”、“topic:”和“device:”",
        )
        found.append(
            KeyFault("resource", Text("the connection is not to an EdgeX gateway", "该连接不是到 EdgeX 网关的"), mend)
        )
    if written:
        mend = Text(
            "write `topic:` and `reply:` of the gateway's command service instead",
            "请改写网关命令服务的“topic:”和“reply:”",
        )
        found.append(
            KeyFault(
                "resource",
                Text("events of EdgeX carry readings, and no commands", "EdgeX 事件只带读数，不带命令"),
                mend,
            )
        )
    return found


def _request_faults(mapping: Mapping[str, Any], connection: Mapping[str, Any]) -> list[KeyFault]:
    found = _path_faults(mapping, ("correlation",))
    plain = _with(mapping, connection, "format", Format.JSON) == Format.PLAIN
    if not isinstance(mapping.get("with", {}), Mapping):
        found.append(
            KeyFault(
                "with",
                Text("with is not an object", "with 不是对象"),
                Text("write what the payload has beside the value", "请写报文中除数值之外的内容"),
            )
        )
    for key in ("with", "correlation"):
        if key in mapping and (plain or mapping.get("path", "$") == "$"):
            mend = Text("add `path:`, where the value goes, or leave it out", "请添加“path:”指明数值位置，或删除")
            found.append(KeyFault(key, Text(f"{key} needs a payload that is an object", f"{key} 要求报文是对象"), mend))
    if any(isinstance(step, int) for key in ("path", "correlation") for step in _steps(mapping, key)):
        found.append(
            KeyFault(
                "path",
                Text("a request is made of objects, without lists", "请求由对象组成，不含列表"),
                Text("write names only", "请只写名称"),
            )
        )
    reply, state = mapping.get("reply", {"topic": "x"}), mapping.get("state", {"topic": "x"})
    for name, part, known in (("reply", reply, _OF_REPLY), ("state", state, _OF_STATE)):
        if not isinstance(part, Mapping):
            found.append(
                KeyFault(
                    name,
                    Text(f"{name} is not an object", f"{name} 不是对象"),
                    Text(
                        f"write `{name}: {{topic: ..., path: $. ...}}`", f"请写“{name}: {{topic: ..., path: $. ...}}”"
                    ),
                )
            )
            continue
        found += strangers(part, known, name)
        found += _topic_faults(part, connection, name) + _path_faults(part, ("path", "value"))
        found += reading_faults(part) if name == "state" else []
    if isinstance(reply, Mapping) and "ok" in reply and not (isinstance(reply["ok"], list) and reply["ok"]):
        found.append(
            KeyFault(
                "reply",
                Text("ok is not a list", "ok 不是列表"),
                Text(
                    "write what a yes has at `path`: [ok], [true], [0]", "请写 path 处表示成功的值：[ok]、[true]、[0]"
                ),
            )
        )
    return found


def _steps(mapping: Mapping[str, Any], key: str) -> Path:
    try:
        return _path(mapping, key) or _WHOLE
    except ValueError:
        return _WHOLE
