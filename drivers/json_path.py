"""Where a value stands in a JSON document: `$`, `$.a.b`, `$.list[0].x`, `$['a key'].b`.

The part of JSONPath (RFC 9535) that names exactly one value: member names and indices, no wildcards, no filters. A
negative index counts from the end.
"""

from __future__ import annotations

import re
from typing import Any, Final

from app.model.errors import Wrong
from app.model.text import Text

Path = tuple[str | int, ...]

MISSING: Final = object()
"""What `find` returns where there is nothing; JSON's null is None."""

_STEP: Final = re.compile(
    r"""\.(?P<name>[^.*\[\]'"\s]+)|\[(?P<index>-?\d{1,9})\]|\['(?P<single>[^']+)'\]|\["(?P<double>[^"]+)"\]"""
)


def compile(path: object) -> Path:
    """The keys and indices of a path. Raises ValueError with the mend."""
    if not isinstance(path, str) or not path.startswith("$"):
        raise Wrong(
            Text(f"path '{path}' does not begin with $", f"path “{path}”不以 $ 开头"),
            Text("write $ for the whole, or such as $.a.b or $.list[0].x", "整个报文写 $，或例如 $.a.b、$.list[0].x"),
        )
    steps: list[str | int] = []
    at = 1
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            rest = path[at:]
            what = Text(f"path '{path}' is not understood from '{rest}' on", f"path “{path}”自“{rest}”起无法理解")
            raise Wrong(what, _mend(rest))
        steps.append(int(match["index"]) if match["index"] else match["name"] or match["single"] or match["double"])
        at = match.end()
    return tuple(steps)


def find(document: Any, path: Path) -> Any:
    """The value at a path, or MISSING. `document` is what the json module made of the text."""
    here = document
    for step in path:
        if isinstance(step, str):
            if not isinstance(here, dict) or step not in here:
                return MISSING
        elif not isinstance(here, list) or not -len(here) <= step < len(here):
            return MISSING
        here = here[step]
    return here


def _mend(rest: str) -> Text:
    if "*" in rest or "?" in rest or ".." in rest or ":" in rest:
        return Text(
            "a path names one value: wildcards, filters and slices are not known",
            "路径只指一个值：不支持通配符、过滤和切片",
        )
    return Text(
        "write .name, [0], or ['a name'] for a name with blanks, dots or brackets",
        "请写 .名称、[0]，名称含空格、点或括号时写 ['名称']",
    )
