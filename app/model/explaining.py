"""Turns pydantic's findings into a station engineer's words: what is wrong, and the mend."""

from __future__ import annotations

from collections.abc import Hashable
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError


def explain(error: ValidationError, model: type[BaseModel]) -> list[tuple[str, str, tuple[Hashable, ...]]]:
    """(what, mend, path) of each fault that pydantic found, in a station engineer's words."""
    result: list[tuple[str, str, tuple[Hashable, ...]]] = []
    for one in error.errors(include_url=False):
        at: tuple[Hashable, ...] = tuple(step for step in one["loc"] if not _is_union_branch(step))
        key = str(at[-1]) if at else ""
        match one["type"]:
            case "missing":
                what, mend = f"'{key}' is missing", f"add '{key}: ...'"
                at = at[:-1]
            case "extra_forbidden":
                near = get_close_matches(key, _all_keys(model), 1)
                what, mend = f"unknown key '{key}'", f"did you mean '{near[0]}'?" if near else "remove it"
            case "value_error":
                what, _, mend = str(one["ctx"]["error"]).partition("; ")
                what = f"{key}: {what}" if key and not isinstance(at[-1], int) else what
                mend = mend or "correct it"
            case "string_pattern_mismatch":
                what, mend = (
                    f"'{one['input']}' is not an id",
                    "write small letters, digits and _, beginning with a letter",
                )
            case "literal_error" | "enum":
                what, mend = f"{key}: '{one['input']}' is not known", f"write one of: {one['ctx']['expected']}"
            case _:
                what, mend = f"{key}: {one['msg'][0].lower()}{one['msg'][1:]}", f"it holds {one['input']!r}"[:120]
        result.append((what, mend, at))
    return result


def _is_union_branch(step: object) -> bool:
    """Whether a step of a pydantic path names a branch of a union instead of a key of the file."""
    return isinstance(step, str) and (
        step.endswith("Form") or step in ("float", "bool", "int", "constrained-float") or "[" in step
    )


def _all_keys(model: type[BaseModel]) -> list[str]:
    """Every key that the form and its parts know, to suggest from."""
    keys: set[str] = set()
    stack: list[Any] = [model]
    seen: set[Any] = set()
    while stack:
        part = stack.pop()
        if part in seen:
            continue
        seen.add(part)
        if isinstance(part, type) and issubclass(part, BaseModel):
            for name, info in part.model_fields.items():
                keys.add(info.alias or name)
                stack.append(info.annotation)
        else:
            stack += getattr(part, "__args__", ())
    return sorted(keys)
