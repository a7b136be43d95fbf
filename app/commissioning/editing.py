"""Edits of `station.yaml` that leave every other line as it was, comments included.

Only the lines of the nearest list item that holds the change are written anew (a device, or a point that stands on
lines of its own), by a YAML library that keeps comments and quotes but not the spaces before a comment; all others are
the same bytes as before.
"""

from __future__ import annotations

import io
import re
from collections.abc import Hashable, Mapping, MutableMapping, Sequence
from difflib import unified_diff
from typing import Any, Final

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from app.model.yaml_source import YamlSource

Path_ = Sequence[Hashable]
_WIDEST: Final = 4096
"""Lines are broken where a person broke them, not here."""
_BARE: Final = re.compile(r"[^\W\d](?:[\w ./()%*+-]*[\w/()%*+])?|\d+(?:\.\d+)?[a-z]+|(?:\d+\.){3}\d+")
"""Words, durations and addresses. Others stand in quotes: the libraries that write and read disagree about some."""
_Items = tuple[yaml.SequenceNode, int, yaml.Node]


def put(source: YamlSource, path: Path_, value: Mapping[str, Any]) -> str:
    """The file's text with the mapping at `path` changed to `value`: keys that are equal keep their lines' form.

    Raises LookupError where there is no mapping at `path`.
    """
    node = _must(source, path)
    if isinstance(node, yaml.MappingNode) and not _in_braces(node) and node.value[0][0].value in value:
        return _put_keys(source, node, _at(source.data, path), value)
    fragment, rest = _Fragment.around(source, path)
    _update(_at(fragment.content, rest), value)
    return fragment.spliced()


def append(source: YamlSource, path: Path_, value: Mapping[str, Any]) -> str:
    """The file's text with `value` as the last item of the list at `path`, which is made where there is none.

    Raises LookupError where what holds the list does not exist.
    """
    items = _node(source, path)
    if isinstance(items, yaml.SequenceNode) and not _in_braces(items) and items.value:
        return _after(source, items, value)
    holder = _at(source.data, path[:-1])
    if not holder.get(path[-1]):
        return put(source, path[:-1], {**holder, str(path[-1]): [value]})
    fragment, rest = _Fragment.around(source, path)
    _at(fragment.content, rest).append(_plain(value, flow=True))
    return fragment.spliced()


def remove(source: YamlSource, path: Path_) -> str:
    """The file's text without the list item at `path`, and without its lines' comments. Raises LookupError."""
    found = _block_item(source, path)
    if found is not None and len(found[0].value) > 1:
        first, last = _lines(found[2])
        lines = source.text.splitlines(keepends=True)
        return "".join(lines[:first] + lines[last + 1 :])
    holder = _at(source.data, path[:-2])
    if len(holder[path[-2]]) == 1:
        return put(source, path[:-2], {key: value for key, value in holder.items() if key != path[-2]})
    fragment, rest = _Fragment.around(source, path[:-1])
    del _at(fragment.content, rest)[path[-1]]
    return fragment.spliced()


def difference(before: str, after: str, name: str) -> list[str]:
    """What changes, as a unified difference with three lines around; empty where nothing does."""
    lines = unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm="")
    return list(lines)


class _Fragment:
    """Some whole lines of a file, read so that they can be changed and written back."""

    def __init__(self, text: str, first: int, last: int, column: int) -> None:
        self._lines = text.splitlines(keepends=True)
        self._first, self._last, self._column = first, last, column
        self.end = "\r\n" if self._lines and self._lines[0].endswith("\r\n") else "\n"
        mine = [line.rstrip("\r\n") for line in self._lines[first : last + 1]]
        # Left of the column there is nothing, or the dash of the item whose first line this is.
        dedented = "\n".join(line[column:] for line in mine) + "\n"
        self._yaml = _library(dedented)
        self.content: Any = self._yaml.load(dedented)

    @staticmethod
    def around(source: YamlSource, path: Path_) -> tuple[_Fragment, list[Hashable]]:
        """The smallest fragment that holds `path`, and the rest of the path within it."""
        _must(source, path)
        for length in range(len(path), 0, -1):
            found = _block_item(source, path[:length])
            if found is not None:
                first, last = _lines(found[2])
                column = _dash_column(source, first, found[2])
                return _Fragment(source.text, first, last, column), [0, *path[length:]]
        return _Fragment(source.text, 0, len(source.text.splitlines()), 0), list(path)

    def written(self) -> list[str]:
        """The lines of the changed fragment, at its place in the line."""
        stream = io.StringIO()
        self._yaml.dump(self.content, stream)
        lines = stream.getvalue().rstrip("\n").split("\n")
        indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        return [(" " * self._column + line[indent:] if line.strip() else "") + self.end for line in lines]

    def spliced(self) -> str:
        """The whole text with the changed fragment in place of the old one."""
        return "".join(self._lines[: self._first] + self.written() + self._lines[self._last + 1 :])


def _library(text: str) -> YAML:
    """One that writes as `text` is written: quotes kept, dashes of lists where they stood."""
    library = YAML(typ="rt")
    library.preserve_quotes = True
    library.width = _WIDEST
    offset = _offset(yaml.compose(text, Loader=yaml.SafeLoader))
    library.indent(mapping=2, sequence=2 + offset, offset=offset)
    return library


def _offset(node: yaml.Node | None) -> int:
    """How far dashes stand right of the key of their list: 0 or 2, as the first inner list has it."""
    waiting = [node]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if isinstance(value, yaml.SequenceNode) and not _in_braces(value) and value.value:
                    return int(max(0, min(2, value.start_mark.column - key.start_mark.column)))
                waiting.append(value)
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
    return 2


def _put_keys(source: YamlSource, node: yaml.MappingNode, present: Mapping[str, Any], value: Mapping[str, Any]) -> str:
    """Key by key, so that the others keep their lines. The first key stays: it may share its line with a dash."""
    lines = source.text.splitlines(keepends=True)
    column = node.start_mark.column
    behind = _lines(node)[1] + 1
    if new := {key: value[key] for key in value if key not in present}:
        fragment = _Fragment(source.text, behind, behind - 1, column)
        fragment.content = CommentedMap({key: _plain(inner, depth=1) for key, inner in new.items()})
        lines[behind - 1] = lines[behind - 1].rstrip("\r\n") + fragment.end
        lines[behind:behind] = fragment.written()
    for key, inner in reversed(node.value):
        first, last = key.start_mark.line, _lines(inner)[1]
        if key.value not in value:
            del lines[first : last + 1]
        elif present[key.value] != value[key.value] or type(present[key.value]) is not type(value[key.value]):
            fragment = _Fragment(source.text, first, last, column)
            _update(fragment.content, {key.value: value[key.value]})
            made = fragment.written()
            lines[first : last + 1] = [lines[first][:column] + made[0][column:], *made[1:]]
    return "".join(lines)


def _after(source: YamlSource, items: yaml.SequenceNode, value: Mapping[str, Any]) -> str:
    """A new item on lines of its own behind the last one of a list that has some."""
    first, last = _lines(items.value[-1])
    column = _dash_column(source, first, items.value[-1])
    library = _library(source.text)
    stream = io.StringIO()
    library.dump(CommentedSeq([_plain(value)]), stream)
    made = stream.getvalue().rstrip("\n").split("\n")
    indent = len(made[0]) - len(made[0].lstrip())
    lines = source.text.splitlines(keepends=True)
    end = "\r\n" if lines[0].endswith("\r\n") else "\n"
    if not lines[last].endswith("\n"):
        lines[last] += end
    return "".join(lines[: last + 1] + [" " * column + line[indent:] + end for line in made] + lines[last + 1 :])


def _plain(value: Any, *, flow: bool = False, depth: int = 0) -> Any:
    """Data as a person would write it: an item's keys on lines of their own, the mappings within it in braces."""
    if isinstance(value, Mapping):
        made = CommentedMap({key: _plain(inner, flow=flow, depth=depth + 1) for key, inner in value.items()})
        if flow or depth:
            made.fa.set_flow_style()
        return made
    if isinstance(value, list | tuple):
        of_items = bool(value) and all(isinstance(inner, Mapping) and "id" in inner for inner in value)
        sequence = CommentedSeq([_plain(inner, flow=flow, depth=0 if of_items else depth + 1) for inner in value])
        if flow or not of_items:
            sequence.fa.set_flow_style()
        return sequence
    if isinstance(value, str) and not _BARE.fullmatch(value):
        return DoubleQuotedScalarString(value)
    return value


def _update(present: MutableMapping[Any, Any], value: Mapping[str, Any]) -> None:
    """Change a mapping in place; what is equal is not touched."""
    for key in [key for key in present if key not in value]:
        del present[key]
    for key, new in value.items():
        old = present.get(key)
        if isinstance(old, MutableMapping) and isinstance(new, Mapping):
            _update(old, new)
        elif key not in present or old != new or type(old) is bool is not type(new):
            present[key] = _plain(new, depth=1)


def _at(content: Any, path: Path_) -> Any:
    for step in path:
        content = content[step]
    return content


def _must(source: YamlSource, path: Path_) -> yaml.Node:
    node = _node(source, path)
    if node is None:
        raise LookupError(f"{source.file} has nothing at {'.'.join(map(str, path)) or 'its top'}")
    return node


def _node(source: YamlSource, path: Path_) -> yaml.Node | None:
    node = source.root
    for step in path:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
        else:
            return None
    return node


def _block_item(source: YamlSource, path: Path_) -> _Items | None:
    """The list, position and node of an item that has lines of its own; None where it shares them."""
    if not path or not isinstance(path[-1], int):
        return None
    items, item = _node(source, path[:-1]), _node(source, path)
    if isinstance(items, yaml.SequenceNode) and not _in_braces(items) and item is not None:
        return items, path[-1], item
    return None


def _in_braces(node: yaml.Node | None) -> bool:
    """Whether it is a list in [] or a mapping in {}."""
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def _lines(node: yaml.Node) -> tuple[int, int]:
    """First and last line of a node's own words, 0-based. A block's mark of its end is where the next word begins."""
    last = node.start_mark.line
    waiting = [node]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, yaml.ScalarNode):
            # The end of a block text is the begin of the line behind it.
            behind = inner.end_mark.column == 0 and inner.end_mark.line > inner.start_mark.line
            last = max(last, inner.end_mark.line - behind)
        elif _in_braces(inner):
            last = max(last, inner.end_mark.line)
        elif isinstance(inner, yaml.MappingNode):
            waiting += [part for pair in inner.value for part in pair]
        else:
            waiting += inner.value
    return node.start_mark.line, last


def _dash_column(source: YamlSource, line: int, item: yaml.Node) -> int:
    """Where the dash of an item stands, which is on the item's first line."""
    text = source.text.splitlines()[line]
    return text.rindex("-", 0, item.start_mark.column)
