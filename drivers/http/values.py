"""What a device's JSON says a number, a time or a quality is. Any JSON value is judged, none raises."""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from app.model.clock import SECOND_NS, from_datetime
from app.model.text import Text

GOOD: Final = (True, "good", "ok", "valid")
"""What the quality of a value says where it is good, unless the address says otherwise."""
_NUMBER: Final = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_CHARSETS: Final = {
    "utf-8", "ascii", "iso8859-1", "cp1252", "utf-16", "gb2312", "gbk", "gb18030", "big5", "shift_jis", "euc_kr",
}  # fmt: skip
"""What a body may be written in. Python knows more, and some of those take time that grows with the square."""
_SHOWN: Final = 40
"""Characters of a device's text that a message repeats."""
_LATEST_S: Final = 9_000_000_000
"""Nanoseconds of a later time would not fit into 64 bits."""


_NOT_FINITE: Final = Text("no finite number", "不是有限数值")


class NoDocument(ValueError):
    """A body that cannot be read, and why."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.text = Text(en, zh)


def decode(body: bytes, charset: str = "") -> Any:
    """The document in a body. NaN and Infinity, which JSON has not, become NaN. Raises NoDocument."""
    try:
        codec = codecs.lookup(charset or "utf-8").name
        if codec not in _CHARSETS:
            raise LookupError(charset)
        # Bytes are UTF-8 to the json module, with or without a byte order mark.
        text = body if codec == "utf-8" else body.decode(codec)
        return json.loads(text, parse_constant=lambda _: math.nan)
    except json.JSONDecodeError as error:
        at, seen = error.pos, _excerpt(body)
        raise NoDocument(
            f"no JSON: {error.msg} at character {at}, '{seen}'", f"不是 JSON（第 {at} 个字符处：{error.msg}），'{seen}'"
        ) from None
    except RecursionError:
        raise NoDocument("JSON that is nested too deep", "JSON 嵌套过深") from None
    except LookupError:
        named = charset[:_SHOWN]
        raise NoDocument(f"text in charset '{named}', which is not known", f"未知的字符集 '{named}'") from None
    except UnicodeDecodeError as error:
        named, at = charset or "UTF-8", error.start
        raise NoDocument(
            f"no text in {named}: byte {at} cannot be read", f"不是 {named} 文本：第 {at} 个字节无法解读"
        ) from None
    except ValueError as error:  # a whole number of thousands of digits
        raise NoDocument(f"JSON that cannot be read: {error}", f"JSON 无法解读：{error}") from None


def number(raw: Any, words: Mapping[str, float] | None) -> tuple[float, Text | None]:
    """(value, why there is none). Numbers, true and false, numbers in quotes, and the words of a map."""
    if words is not None and isinstance(raw, str) and raw in words:
        return words[raw], None
    if isinstance(raw, str) and _NUMBER.fullmatch(raw):
        raw = float(raw)
    if not isinstance(raw, int | float):  # bool is an int
        called = _called(raw)
        return math.nan, Text(f"{called.en} where a number should be", f"应为数值，实为{called.zh}")
    try:
        value = float(raw)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        return math.nan, _NOT_FINITE
    return value, None


def text(raw: Any) -> str:
    """What a point of kind text shows of a value."""
    return raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False)


def time_ns(raw: Any) -> int | None:
    """UTC nanoseconds of a time: seconds, milli-, micro- or nanoseconds since 1970, told by size, or ISO 8601 with an
    offset. None where it is none, or says no zone."""
    if isinstance(raw, str):
        if not _NUMBER.fullmatch(raw):
            return _iso_ns(raw)
        raw = float(raw) if not raw.strip().isdigit() or len(raw) > 20 else int(raw)
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not 0 < raw < _LATEST_S * SECOND_NS:
        return None
    for per_s in (1, 1_000, 1_000_000, 1_000_000_000):
        if raw < _LATEST_S * per_s:
            whole, unit_ns = int(raw), SECOND_NS // per_s
            return whole * unit_ns + round((raw - whole) * unit_ns)  # a float alone has not so many digits
    return None


def is_good(raw: Any, good: Sequence[Any]) -> bool:
    """Whether a quality is one of the good ones. true is not 1 here, and letters may be of any case."""
    said = raw.lower() if isinstance(raw, str) else raw
    return any(said == one and isinstance(said, bool) is isinstance(one, bool) for one in good)


def _iso_ns(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text.strip())
        return from_datetime(moment) if moment.year > 1970 else None
    except (ValueError, OverflowError):
        return None


def _called(raw: Any) -> Text:
    if raw is None:
        return Text("null", "空值")
    if isinstance(raw, str):
        return Text(f"the text '{raw[:_SHOWN]}'", f"文本 '{raw[:_SHOWN]}'")
    return Text("a list", "列表") if isinstance(raw, list) else Text("an object", "对象")


def _excerpt(body: bytes) -> str:
    return "".join(c if c.isprintable() else " " for c in body[:_SHOWN].decode("utf-8", "replace"))
