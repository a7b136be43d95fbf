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


def plain(value: Any, *, whole: bool = False) -> Any:
    """What JSON can hold. A long text is its beginning and digest; what cannot be told is the name of its type.

    `whole`: long texts and lists too.
    """
    match value:
        case Enum():
            return plain(value.value)
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case str():
            return value if whole or len(value) <= LONGEST_TEXT else _shortened(value)
        case PurePath():
            return str(value)
        case Mapping():
            pairs = list(value.items())
            return {str(key): plain(one, whole=whole) for key, one in (pairs if whole else pairs[:LONGEST_LIST])}
        case list() | tuple() | set() | frozenset():
            listed = sorted(value, key=str) if isinstance(value, set | frozenset) else list(value)
            most = len(listed) if whole else LONGEST_LIST
            more = [f"and {len(listed) - most} more"] if len(listed) > most else []
            return [plain(one, whole=whole) for one in listed[:most]] + more
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name), whole=whole) for one in fields(value)}
    return f"({type(value).__name__})"


def arguments(bound: Mapping[str, Any], hide: Iterable[str]) -> dict[str, Any]:
    """Of a call, by name; what must be hidden is, and what nobody can read (a callable) is left out."""
    hidden = frozenset(hide)
    return {name: HIDDEN if name in hidden else plain(value) for name, value in bound.items() if not callable(value)}


def fingerprint(bound: Mapping[str, Any]) -> str:
    """By which two calls with the same arguments are known as the same; of a callable nobody can tell."""
    told = {name: plain(value, whole=True) for name, value in bound.items() if not callable(value)}
    return hashlib.sha256(repr(sorted(told.items())).encode("utf-8", "surrogatepass")).hexdigest()


def _shortened(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{text[: LONGEST_TEXT // 4]}... ({len(text)} characters, SHA-256 {digest})"
