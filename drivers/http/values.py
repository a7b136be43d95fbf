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


def decode(body: bytes, charset: str = "") -> Any:
    """The document in a body. NaN and Infinity, which JSON has not, become NaN. Raises ValueError in words."""
    try:
        codec = codecs.lookup(charset or "utf-8").name
        if codec not in _CHARSETS:
            raise LookupError(charset)
        # Bytes are UTF-8 to the json module, with or without a byte order mark.
        text = body if codec == "utf-8" else body.decode(codec)
        return json.loads(text, parse_constant=lambda _: math.nan)
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON: {error.msg} at character {error.pos}, '{_excerpt(body)}'") from None
    except RecursionError:
        raise ValueError("JSON that is nested too deep") from None
    except LookupError:
        raise ValueError(f"text in charset '{charset[:_SHOWN]}', which is not known") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"no text in {charset or 'UTF-8'}: byte {error.start} cannot be read") from None
    except ValueError as error:  # a whole number of thousands of digits
        raise ValueError(f"JSON that cannot be read: {error}") from None


def number(raw: Any, words: Mapping[str, float] | None) -> tuple[float, str]:
    """(value, why there is none). Numbers, true and false, numbers in quotes, and the words of a map."""
    if words is not None and isinstance(raw, str) and raw in words:
        return words[raw], ""
    if isinstance(raw, str) and _NUMBER.fullmatch(raw):
        raw = float(raw)
    if not isinstance(raw, int | float):  # bool is an int
        return math.nan, f"{_called(raw)} where a number should be"
    try:
        value = float(raw)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        return math.nan, "no finite number"
    return value, ""


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


def _called(raw: Any) -> str:
    if raw is None:
        return "null"
    if isinstance(raw, str):
        return f"the text '{raw[:_SHOWN]}'"
    return "a list" if isinstance(raw, list) else "an object"


def _excerpt(body: bytes) -> str:
    return "".join(c if c.isprintable() else " " for c in body[:_SHOWN].decode("utf-8", "replace"))
