"""What is wrong with one key of an `address` or a `connection`, as every driver says it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.model.durations import parse_duration_s
from app.model.secrets import is_reference


class KeyFault(ValueError):
    """One thing wrong with an `address` or a `connection`: the key, what is wrong, and the mend."""

    def __init__(self, key: str, what: str, mend: str) -> None:
        super().__init__(f"{what}; {mend}")
        self.key = key
        self.what = what
        self.mend = mend


def unknown(mapping: Mapping[str, Any], known: Sequence[str], where: str) -> list[KeyFault]:
    """The keys that nobody reads, each with the key that was probably meant."""
    found = []
    for key in mapping:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            mend = f"write '{close[0]}'" if close else f"known keys: {' '.join(known)}"
            found.append(KeyFault(str(key), f"unknown key '{key}' in {where}", mend))
    return found


def durations(mapping: Mapping[str, Any], keys: Iterable[str]) -> list[KeyFault]:
    """The given keys whose value is no duration above zero."""
    found = []
    for key in keys:
        value = mapping.get(key, "1s")
        try:
            seconds = parse_duration_s(value) if isinstance(value, str) else 0.0
        except ValueError:
            seconds = 0.0
        if seconds <= 0:
            mend = "write a number and a unit, such as 500ms, 5s or 10min"
            found.append(KeyFault(key, f"{key} '{value}' is not a duration", mend))
    return found


def whole_numbers(mapping: Mapping[str, Any], bounds: Mapping[str, tuple[int, int]]) -> list[KeyFault]:
    """The given keys whose value is not a whole number within its bounds."""
    found = []
    for key, (low, high) in bounds.items():
        value = mapping.get(key, low)
        if type(value) is not int or not low <= value <= high:
            what = f"{key} '{value}' is not a whole number from {low} to {high}"
            found.append(KeyFault(key, what, "correct it, without quotes"))
    return found


def secrets(mapping: Mapping[str, Any], keys: Iterable[str]) -> list[KeyFault]:
    """The given keys that hold a secret instead of a reference to one. What they hold is never repeated."""
    mend = "write env:NAME, and set the environment variable NAME"
    return [
        KeyFault(key, f"{key} is a secret, and a file is no place for one", mend)
        for key in keys
        if key in mapping and not is_reference(mapping[key])
    ]
