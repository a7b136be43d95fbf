"""Values as a person types them into a line or a box, and back: YAML, so that `5s`, `502` and `[1, 2]` just work."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from app.model.connections import SECRET_KEYS
from app.model.errors import Wrong
from app.model.text import Text
from app.model.yaml_source import YamlSource

_TYPED: Final = Path("typed")
_REFERENCES: Final = ("secret:", "env:")
_BARE: Final = re.compile(r"[^\W\d](?:[\w ./()%*+-]*[\w/()%*+])?|\d+(?:\.\d+)?[a-z]+|(?:\d+\.){3}\d+")
"""Words, durations and addresses; others stand in quotes within brackets."""


def parse(text: str) -> Any:
    """What was typed, None for nothing. Raises Wrong with the fault where it is no YAML."""
    if text.strip().startswith(_REFERENCES):
        return text.strip()
    source = YamlSource(_TYPED, text)
    if source.faults:
        first = source.faults[0]
        raise Wrong(first.what, first.mend)
    return source.data


def parse_mapping(text: str) -> dict[str, Any]:
    """A mapping typed over several lines; empty for nothing. Raises Wrong where it is something else."""
    data = parse(text)
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise Wrong(
            Text("this is not a mapping", "此处不是键值映射"),
            Text("write 'key: value' on each line", "请每行写“key: value”"),
        )
    return data


def line_of(value: Any) -> str:
    """A value as one line that `parse` takes back. Texts stand bare where they stay texts."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value if value.isprintable() and _stays(value) else _quoted(value)
    return _within(value)


def _within(value: Any) -> str:
    """A value as it stands within brackets or braces."""
    match value:
        case str():
            return value if _BARE.fullmatch(value) and _stays(value) else _quoted(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case Mapping():
            return "{" + ", ".join(f"{_within(key)}: {_within(inner)}" for key, inner in value.items()) + "}"
        case _:
            return "[" + ", ".join(map(_within, value)) + "]"


def _stays(text: str) -> bool:
    try:
        return bool(parse(text) == text)
    except ValueError:
        return False


def _quoted(text: str) -> str:
    """In double quotes; what cannot be seen, or ends a line in YAML, by its number."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'


def lines_of(mapping: Mapping[str, Any]) -> str:
    """A mapping as lines `key: value` that `parse_mapping` takes back."""
    return "\n".join(f"{_within(key)}: {line_of(value)}" for key, value in mapping.items())


def plain_secrets(value: Any, key: str = "") -> list[str]:
    """Keys of secrets that are written out instead of being named by `secret:` or `env:`, however deep."""
    if isinstance(value, Mapping):
        return [found for inner, one in value.items() for found in plain_secrets(one, str(inner))]
    if isinstance(value, list | tuple):
        return [found for one in value for found in plain_secrets(one)]
    return [key] if key in SECRET_KEYS and value is not None and not str(value).startswith(_REFERENCES) else []


def is_secret(key: str) -> bool:
    """Whether what stands under this key must be hidden until it is a reference."""
    return key in SECRET_KEYS


def is_reference(text: str) -> bool:
    """Whether it names a secret instead of being one."""
    return text.strip().startswith(_REFERENCES)
