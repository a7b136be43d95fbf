"""Where a value stands in a device's JSON: the `address` of a point, judged and parsed. No I/O.

address: {path: $.meter.p, url: /status, time: $.meter.ts, quality: $.meter.ok, map: {RUN: 1, STOP: 0}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.model.errors import Wrong
from app.model.text import Text
from drivers import json_path
from drivers.http.values import GOOD
from drivers.json_path import Path
from drivers.judging import KeyFault, unknown_key

KEYS: Final = ("path", "url", "time", "quality", "good", "map")
_PATHS: Final = ("path", "time", "quality")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a value stands. Build it with `Address.of`."""

    path: Path
    written: str
    """The path as it was written, for messages."""
    url: str = ""
    """What is appended to the URL of the connection."""
    time: Path | None = None
    quality: Path | None = None
    good: tuple[Any, ...] = GOOD
    """What the quality says of a good value; texts in lower case."""
    map: Mapping[str, float] | None = None
    """Text -> number, for a value that is a word."""

    @staticmethod
    def of(mapping: Mapping[str, Any]) -> Address:
        """Parse the `address` of a point. Raises KeyFault, a ValueError, with the first fault and its mend."""
        for fault in faults(mapping):
            raise fault
        time, quality, good = mapping.get("time"), mapping.get("quality"), mapping.get("good", GOOD)
        words = mapping.get("map")
        return Address(
            path=json_path.compile(mapping["path"]),
            written=mapping["path"],
            url=mapping.get("url", ""),
            time=None if time is None else json_path.compile(time),
            quality=None if quality is None else json_path.compile(quality),
            good=tuple(one.lower() if isinstance(one, str) else one for one in _as_list(good)),
            map=None if words is None else {word: float(number) for word, number in words.items()},
        )


def faults(mapping: Mapping[str, Any]) -> list[KeyFault]:
    """Everything wrong with the `address` of a point; empty when `Address.of` takes it."""
    found = [unknown_key(str(key), KEYS, "address") for key in mapping if key not in KEYS]
    if "path" not in mapping:
        found.append(
            KeyFault(
                "path",
                Text("address has no path", "地址缺少 path"),
                Text("add `path:`, such as $.power or $.list[0].x", "请添加“path:”，例如 $.power 或 $.list[0].x"),
            )
        )
    for key in _PATHS:
        if key in mapping:
            try:
                json_path.compile(mapping[key])
            except Wrong as error:
                found.append(KeyFault(key, error.what, error.mend))
    return found + _url_faults(mapping) + _good_faults(mapping) + _map_faults(mapping)


def _url_faults(mapping: Mapping[str, Any]) -> list[KeyFault]:
    url = mapping.get("url", "/")
    if isinstance(url, str) and url[:1] in ("/", "?") and not url.startswith("//") and url.isprintable():
        return []
    mend = Text(
        "write what follows the connection's url, such as /status or ?id=2",
        "请写接在连接 url 之后的部分，例如 /status 或 ?id=2",
    )
    return [
        KeyFault(
            "url", Text(f"url '{url}' is no suffix of the connection's url", f"url “{url}”不是连接 url 的后缀"), mend
        )
    ]


def _good_faults(mapping: Mapping[str, Any]) -> list[KeyFault]:
    if "good" not in mapping:
        return []
    if "quality" not in mapping:
        return [
            KeyFault(
                "good",
                Text("good is given without a quality", "有 good 而没有 quality"),
                Text("add `quality:`, the path of what it is said of", "请添加“quality:”，即其所指的路径"),
            )
        ]
    if all(isinstance(one, str | int | float) for one in _as_list(mapping["good"])):
        return []
    return [
        KeyFault(
            "good",
            Text("good is neither a text nor a number", "good 既不是文本也不是数字"),
            Text("write what a good value has there, or a list", "请写正常值在该处的内容，或列表"),
        )
    ]


def _map_faults(mapping: Mapping[str, Any]) -> list[KeyFault]:
    words = mapping.get("map", {})
    if not isinstance(words, Mapping) or ("map" in mapping and not words):
        return [
            KeyFault(
                "map",
                Text(f"map '{words}' is no table of words", f"map “{words}”不是词表"),
                Text("write such as {RUN: 1, STOP: 0}", "例如 {RUN: 1, STOP: 0}"),
            )
        ]
    found = []
    for word, number in words.items():
        if not isinstance(word, str):
            mend = Text(
                "put the word in quotes: YAML takes on, off, yes and no for true and false",
                "请给该词加引号：YAML 把 on、off、yes、no 当作真假值",
            )
            found.append(
                KeyFault("map", Text(f"map has '{word}', which is no text", f"map 中的“{word}”不是文本"), mend)
            )
        if isinstance(number, bool) or not isinstance(number, int | float):
            found.append(
                KeyFault(
                    "map",
                    Text(f"map gives '{number}' for '{word}'", f"map 给“{word}”的值是“{number}”"),
                    Text("give each word a number", "请为每个词给出数字"),
                )
            )
    return found


def _as_list(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)
