"""Arguments as the audit keeps them: plain data for JSON, short, and without what must stay hidden."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any, Final

LONGEST_TEXT: Final = 2000
LONGEST_LIST: Final = 200
HIDDEN: Final = "(hidden)"


def plain(value: Any) -> Any:
    """What JSON can hold. A long text is its beginning and digest; what cannot be told is the name of its type."""
    match value:
        case Enum():
            return plain(value.value)
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case str():
            return value if len(value) <= LONGEST_TEXT else _shortened(value)
        case PurePath():
            return str(value)
        case Mapping():
            return {str(key): plain(one) for key, one in list(value.items())[:LONGEST_LIST]}
        case list() | tuple() | set() | frozenset():
            listed = sorted(value, key=str) if isinstance(value, set | frozenset) else list(value)
            more = [f"and {len(listed) - LONGEST_LIST} more"] if len(listed) > LONGEST_LIST else []
            return [plain(one) for one in listed[:LONGEST_LIST]] + more
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    return f"({type(value).__name__})"


def arguments(bound: Mapping[str, Any], hide: Iterable[str]) -> dict[str, Any]:
    """Of a call, by name; what must be hidden is, and what nobody can read (a callable) is left out."""
    hidden = frozenset(hide)
    return {name: HIDDEN if name in hidden else plain(value) for name, value in bound.items() if not callable(value)}


def _shortened(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{text[: LONGEST_TEXT // 4]}... ({len(text)} characters, SHA-256 {digest})"
