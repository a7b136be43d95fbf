"""Turns pydantic's findings into a station engineer's words: what is wrong, and the mend."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from app.model.full_width import half_width

_WORDS: Final[dict[str, str]] = {
    "dict_type": "must be a mapping, such as {key: value}",
    "model_type": "must be a mapping, such as {key: value}",
    "tuple_type": "must be a list, such as [1, 2]",
    "string_type": "must be a text",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "invalid_key": "a key must be a word",
}
"""Findings that pydantic tells in Python's words."""
_BRANCHES: Final = ("float", "bool", "int", "constrained-float", "constrained-int")
_LONGEST: Final = 60


def explain(error: ValidationError, model: type[BaseModel]) -> list[tuple[str, str, tuple[Hashable, ...]]]:
    """(what, mend, path) of each fault that pydantic found, in a station engineer's words."""
    result: list[tuple[str, str, tuple[Hashable, ...]]] = []
    for one, at in _findings(error):
        key = _name(at)
        match one["type"]:
            case "missing" if isinstance(at[-1], int):
                what, mend = f"{_name(at[:-1])}: has only {at[-1]} of its values", "write all of them"
                at = at[:-1]
            case "missing":
                what, mend = f"'{at[-1]}' is missing", f"add '{at[-1]}: ...'"
                at = at[:-1]
            case "extra_forbidden":
                key, known = str(at[-1]), _keys(model, at[:-1])
                near = get_close_matches(key, known, 1)
                mend = f"did you mean '{near[0]}'?" if near else f"known here: {' '.join(known)}"
                what = f"unknown key '{key}'"
            case "value_error":
                what, _, mend = str(one["ctx"]["error"]).partition("; ")
                what = f"{key}: {what}" if at else what
                mend = mend or "correct it"
            case "string_pattern_mismatch":
                what, mend = (
                    f"{_show(one['input'])} is not an id",
                    "write small letters, digits and _, beginning with a letter",
                )
            case "literal_error" | "enum":
                what, mend = f"{key}: {_show(one['input'])} is not known", f"write one of: {one['ctx']['expected']}"
            case other:
                words = _WORDS.get(other) or f"{one['msg'][0].lower()}{one['msg'][1:]}"
                what, mend = f"{key}: {words}", f"it holds {_show(one['input'])}"
        if one["type"] not in ("missing", "extra_forbidden") and (half := half_width(one["input"])):
            mend = f"write it in half-width characters: '{half}'"
        result.append((what, mend, at))
    return result


def _name(at: tuple[Hashable, ...]) -> str:
    """The last key of a path; behind it in brackets the position in its list, counted from 0, or a number as key."""
    words = [i for i, step in enumerate(at) if isinstance(step, str)]
    first = words[-1] if words else 0
    return "".join(str(step) if i == first else f"[{step}]" for i, step in enumerate(at) if i >= first) or "this"


def _show(value: object) -> str:
    """What stands there, short. Of a list or mapping only that it is one: it may hold a secret."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    text = str(value)
    return f"'{text if len(text) <= _LONGEST else text[:_LONGEST] + '...'}'"


def _findings(error: ValidationError) -> list[tuple[Any, tuple[Hashable, ...]]]:
    """pydantic's findings with their paths in the file.

    Where a value may be written in two ways, such as a number or a mapping, pydantic tells what is wrong with it as
    each of them. That it has not the shape of the other way is left out.
    """
    kept: list[tuple[Any, tuple[Hashable, ...]]] = []
    shapeless: list[tuple[Any, tuple[Hashable, ...]]] = []
    chosen: list[tuple[Hashable, ...]] = []
    for one in error.errors(include_url=False):
        steps: tuple[Hashable, ...] = one["loc"]
        keys = len(steps) - 1 if one["type"] == "extra_forbidden" else len(steps)
        at = tuple(step for i, step in enumerate(steps) if i >= keys or not _is_branch(step))
        branched = len(at) < len(steps)
        if branched and one["type"].endswith("_type"):
            shapeless.append((one, at))
            continue
        kept.append((one, at))
        if branched:
            chosen.append(at)
    for one, at in shapeless:
        if not any(other[: len(at)] == at for other in chosen):
            kept.append((one, at))
            chosen.append(at)
    return kept


def _is_branch(step: object) -> bool:
    """Whether a step of a pydantic path names a way of writing instead of a key of the file."""
    if not isinstance(step, str):
        return False
    return step in _BRANCHES or step.endswith("Form") or step.startswith(("tuple[", "[key]"))


def _keys(model: type[BaseModel], at: tuple[Hashable, ...]) -> list[str]:
    """The keys that may stand at a path of the form."""
    forms = {model}
    for step in at:
        if isinstance(step, str):
            fields = [field for form in forms for field in form.model_fields.items()]
            forms = {part for name, info in fields if (info.alias or name) == step for part in _forms(info.annotation)}
    return sorted(info.alias or name for form in forms for name, info in form.model_fields.items())


def _forms(annotation: Any) -> set[type[BaseModel]]:
    """The forms that a key may hold, also as members of a list or a choice."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {form for part in getattr(annotation, "__args__", ()) for form in _forms(part)}
