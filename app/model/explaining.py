"""Turns pydantic's findings into a station engineer's words: what is wrong, and the mend."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from app.model.errors import Wrong
from app.model.full_width import half_width
from app.model.text import Text

_WORDS: Final[dict[str, Text]] = {
    "dict_type": Text("must be a mapping, such as {key: value}", "应为键值映射，例如 {key: value}"),
    "model_type": Text("must be a mapping, such as {key: value}", "应为键值映射，例如 {key: value}"),
    "tuple_type": Text("must be a list, such as [1, 2]", "应为列表，例如 [1, 2]"),
    "string_type": Text("must be a text", "应为文本"),
    "float_type": Text("must be a number", "应为数字"),
    "float_parsing": Text("must be a number", "应为数字"),
    "int_type": Text("must be a whole number", "应为整数"),
    "int_parsing": Text("must be a whole number", "应为整数"),
    "int_from_float": Text("must be a whole number", "应为整数"),
    "bool_type": Text("must be true or false", "应为 true 或 false"),
    "bool_parsing": Text("must be true or false", "应为 true 或 false"),
    "invalid_key": Text("a key must be a word", "键应为单词"),
}
"""Findings that pydantic tells in Python's words."""
_CHINESE: Final = {
    "greater_than": "应大于 {gt}",
    "greater_than_equal": "应不小于 {ge}",
    "less_than": "应小于 {lt}",
    "less_than_equal": "应不大于 {le}",
    "finite_number": "应为有限的数字",
    "too_short": "至少应有 {min_length} 项，现有 {actual_length} 项",
    "too_long": "最多可有 {max_length} 项，现有 {actual_length} 项",
    "string_too_short": "至少应有 {min_length} 个字符",
    "string_too_long": "最多可有 {max_length} 个字符",
    "list_type": "应为列表，例如 [1, 2]",
}
"""Findings whose English is pydantic's own, with its blanks."""
Finding = tuple[Text, Text, tuple[Hashable, ...]]
"""What, mend, and the path."""
_BRANCHES: Final = ("float", "bool", "int", "constrained-float", "constrained-int")
_LONGEST: Final = 60


def explain(error: ValidationError, model: type[BaseModel]) -> list[Finding]:
    """(what, mend, path) of each fault that pydantic found, in a station engineer's words."""
    result: list[Finding] = []
    for one, at in _findings(error):
        key, shown = _name(at), _show(one["input"])
        match one["type"]:
            case "missing" if isinstance(at[-1], int):
                what, mend = (
                    Text(f"{_name(at[:-1])}: has only {at[-1]} of its values", f"{_name(at[:-1])}：只有 {at[-1]} 个值"),
                    Text("write all of them", "请写全所有值"),
                )
                at = at[:-1]
            case "missing":
                what, mend = (
                    Text(f"'{at[-1]}' is missing", f"缺少“{at[-1]}”"),
                    Text(f"add '{at[-1]}: ...'", f"请添加“{at[-1]}: ...”"),
                )
                at = at[:-1]
            case "extra_forbidden":
                key, known = str(at[-1]), _keys(model, at[:-1])
                near, all_known = get_close_matches(key, known, 1), " ".join(known)
                what, mend = (
                    Text(f"unknown key '{key}'", f"未知键“{key}”"),
                    Text(f"did you mean '{near[0]}'?", f"是否应为“{near[0]}”？")
                    if near
                    else Text(f"known here: {all_known}", f"此处可用：{all_known}"),
                )
            case "value_error":
                what, mend = _of_a_validator(one["ctx"]["error"])
                what = what.at(Text.of(key)) if at else what
            case "string_pattern_mismatch":
                what, mend = (
                    Text(f"{shown.en} is not an id", f"{shown.zh}不是 id"),
                    Text(
                        "write small letters, digits and _, beginning with a letter",
                        "请使用小写字母、数字和 _，以字母开头",
                    ),
                )
            case "literal_error" | "enum":
                what, mend = (
                    Text(f"{key}: {shown.en} is not known", f"{key}：未知的{shown.zh}"),
                    Text(
                        f"write one of: {one['ctx']['expected']}",
                        f"可写：{one['ctx']['expected'].replace(' or ', '、')}",
                    ),
                )
            case other:
                words = _WORDS.get(other) or _of_pydantic(one)
                what, mend = words.at(Text.of(key)), Text(f"it holds {shown.en}", f"现为{shown.zh}")
        if one["type"] not in ("missing", "extra_forbidden") and (half := half_width(one["input"])):
            mend = Text(f"write it in half-width characters: '{half}'", f"请使用半角字符：“{half}”")
        result.append((what, mend, at))
    return result


def _name(at: tuple[Hashable, ...]) -> str:
    """The last key of a path; behind it in brackets the position in its list, counted from 0, or a number as key."""
    words = [i for i, step in enumerate(at) if isinstance(step, str)]
    first = words[-1] if words else 0
    return "".join(str(step) if i == first else f"[{step}]" for i, step in enumerate(at) if i >= first) or "this"


def _of_a_validator(error: Exception) -> tuple[Text, Text]:
    """What a validator of ours said: in both languages, where it is no plain ValueError."""
    if isinstance(error, Wrong):
        return error.what, error.mend
    what, _, mend = str(error).partition("; ")
    return Text.of(what), Text.of(mend) if mend else Wrong(Text.of(what)).mend


def _of_pydantic(one: Any) -> Text:
    """What pydantic found, in its own English, and in Chinese where we know the finding."""
    english = f"{one['msg'][0].lower()}{one['msg'][1:]}"
    chinese = _CHINESE.get(one["type"])
    return Text(english, chinese.format(**one.get("ctx", {})) if chinese else english)


def _show(value: object) -> Text:
    """What stands there, short. Of a list or mapping only that it is one: it may hold a secret."""
    if isinstance(value, Mapping):
        return Text("a mapping", "映射")
    if isinstance(value, list | tuple):
        return Text("a list", "列表")
    if value is None:
        return Text("nothing", "空值")
    text = str(value)
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return Text(f"'{text}'", f"“{text}”")


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
