"""What stands in a payload: JSON or a plain value, and what number a value is. Whoever sent it is not trusted."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from app.model.text import Text

_BOM: Final = b"\xef\xbb\xbf"
_LONGEST_TEXT: Final = 1000
_SHOWN: Final = 40
"""Characters of a payload that a message repeats."""


class PayloadFault(ValueError):
    """A payload, or a value in it, that cannot be what was agreed; `text` says so in both languages."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.text = Text(en, zh)


def parse_json(payload: bytes) -> Any:
    """The document. Raises PayloadFault where it is not JSON, names a key twice, or nests too deep.

    NaN and infinities, which JSON has not but many write, become floats: a value alone is then without a number.
    """
    try:
        return _DECODER.decode(payload.removeprefix(_BOM).decode())
    except PayloadFault:
        raise
    except RecursionError:
        raise PayloadFault("nested too deep", "嵌套过深") from None
    except UnicodeDecodeError as error:
        raise PayloadFault(f"not UTF-8 at byte {error.start}", f"第 {error.start} 字节起不是 UTF-8") from None
    except json.JSONDecodeError as error:
        raise PayloadFault(
            f"not JSON: {error.msg} at character {error.pos}", f"不是 JSON：第 {error.pos} 个字符处 {error.msg}"
        ) from None
    except ValueError as error:  # a whole number of more digits than Python reads
        raise PayloadFault(f"not JSON that can be read: {error}"[:120], f"无法读取的 JSON：{error}"[:120]) from None


def parse_plain(payload: bytes) -> str:
    """The text of a payload that is nothing but a value. Raises PayloadFault where it is no text."""
    try:
        return payload.removeprefix(_BOM).decode().strip(" \t\r\n\0")
    except UnicodeDecodeError as error:
        raise PayloadFault(f"not UTF-8 at byte {error.start}", f"第 {error.start} 字节起不是 UTF-8") from None


def number(raw: Any, words: Mapping[str, float]) -> float:
    """The number that a value is: true 1, false 0, null none (NaN), a text by `words` or as it reads.

    Raises PayloadFault for anything else. What it returns may be infinite: no number either.
    """
    kind = type(raw)
    if kind is float or kind is bool:
        return float(raw)
    if kind is int:
        return float(raw) if -_HUGE < raw < _HUGE else math.inf
    if kind is str:
        return words[raw] if raw in words else _number_of_text(raw, words)
    if raw is None:
        return math.nan
    what = _KINDS.get(kind) or Text.of(kind.__name__)
    raise PayloadFault(f"{what.en} is no number", f"{what.zh}不是数值")


def text(raw: Any) -> str:
    """A value as a text attribute of a device; of a longer one the beginning."""
    return (raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False))[:_LONGEST_TEXT]


def shown(raw: str) -> str:
    """The beginning of what came, fit for a message."""
    short = raw if len(raw) <= _SHOWN else f"{raw[:_SHOWN]}..."
    return short.encode("unicode_escape").decode() if not short.isprintable() else short


_HUGE: Final = 10**300
_KINDS: Final[dict[type, Text]] = {dict: Text("an object", "对象"), list: Text("a list", "数组")}
_BOOLEANS: Final = {"true": 1.0, "false": 0.0}


def _number_of_text(raw: str, words: Mapping[str, float]) -> float:
    clean = raw.strip()
    try:
        if "_" not in clean:  # Python's own, which nobody else writes
            return float(clean)
    except ValueError:
        pass
    lower = clean.lower()
    if lower in words:
        return words[lower]
    if lower in _BOOLEANS:
        return _BOOLEANS[lower]
    raise PayloadFault(f"'{shown(raw)}' is no number", f"“{shown(raw)}”不是数值")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise PayloadFault(f"key '{shown(name)}' stands twice", f"键“{shown(name)}”重复")
            seen.add(name)
    return found


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_pairs)
