"""Reads YAML so that every fault can name its line.

YAML 1.2 core scalars (`off`, `on`, `yes` and `no` are texts, not truth values, because a state is called that), no
tags, no duplicate keys, and a bound on what aliases may expand to.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from app.model.errors import Fault

_MOST_NODES: Final = 5_000_000
_INT: Final = re.compile(r"[-+]?[0-9]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL: Final[dict[str, Any]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    ".inf": float("inf"), "+.inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan"),
}  # fmt: skip
_Loader: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlSource:
    """One YAML file: its data, its faults of form, and the line of anything in it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.faults: list[Fault] = []
        self.data: Any = None
        self._nodes = 0
        self._root: yaml.Node | None = None
        try:
            text = file.read_text(encoding="utf-8")
            self._root = yaml.compose(text, Loader=_Loader)
            self.data = self._build(self._root) if self._root is not None else None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._fault(
                (mark.line + 1) if mark else 1,
                f"not YAML: {error.problem}",
                "correct the indentation or the quotes there",
            )
        except yaml.YAMLError as error:
            self._fault(1, f"not YAML: {error}", "save the file as UTF-8 text")
        except UnicodeDecodeError as error:
            self._fault(1, f"not UTF-8 text at byte {error.start}", "save the file as UTF-8")
        except FileNotFoundError:
            self._fault(1, "the file does not exist", "create it, or correct the path")
        except OSError as error:
            self._fault(1, f"cannot be read: {error.strerror}", "correct its permissions")
        except RecursionError:
            self._fault(1, "nested too deep", "a station file has no more than about ten levels")

    def line(self, path: Sequence[Hashable]) -> int:
        """The line, 1-based, of the value at a path of keys and positions; of its nearest parent where it is absent."""
        node, line = self._root, 1
        for step in path:
            if isinstance(node, yaml.MappingNode):
                found = next(((k, v) for k, v in node.value if self._scalar(k) == step), None)
                if found is None:
                    break
                line, node = found[0].start_mark.line + 1, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                line = node.start_mark.line + 1
            else:
                break
        return line

    def _fault(self, line: int, what: str, mend: str) -> None:
        self.faults.append(Fault(self.file, line, what, mend))

    def _build(self, node: yaml.Node) -> Any:
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise yaml.YAMLError("aliases expand to more than five million values")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return [self._build(item) for item in node.value]
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._fault(line, "a list or mapping is used as a key", "write a plain word as the key")
                continue
            key = self._scalar(key_node)
            if key in result:
                self._fault(line, f"'{key}' stands here twice", "keep one of the two")
            result[key] = self._build(value_node)
        return result

    def _scalar(self, node: yaml.Node) -> Any:
        text: str = node.value
        if not isinstance(node, yaml.ScalarNode) or node.style in ("'", '"', "|", ">"):
            return text
        if text in _SPECIAL:
            return _SPECIAL[text]
        if _INT.fullmatch(text):
            return int(text, 16) if text.startswith("0x") else int(text)
        return float(text) if _FLOAT.fullmatch(text) else text
