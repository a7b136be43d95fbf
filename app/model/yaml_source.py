"""Reads YAML so that every fault can name its line.

YAML 1.2 core scalars (`off`, `on`, `yes` and `no` are texts, not truth values, because a state is called that), no
tags, no merge keys, no duplicate keys, and bounds on how deep a file nests and on what its aliases expand to.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from app.model.errors import Fault
from app.model.full_width import mended, slip, slip_in_word, told
from app.model.text import Text

_MOST_NODES: Final = 5_000_000
_DEEPEST: Final = 100
"""Levels. A station has about ten; what recurses over them, here and in pydantic, is safe with this many."""
_MOST_SLIPS: Final = 50
"""Told of one file, which was typed with another keyboard."""
_LONGEST_NUMBER: Final = 40
"""Characters; more is a text, which is then refused where a number belongs. Python itself refuses 4,300 digits."""
_INT: Final = re.compile(r"[-+]?[0-9]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL: Final[dict[str, Any]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    ".inf": float("inf"), "+.inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan"),
}  # fmt: skip
_KEY: Final = re.compile(r":(\s|$)")
_QUOTES: Final = ("'", '"', "|", ">")
_LINE_ENDS: Final = "[\n\x85\u2028\u2029]"
"""Those of YAML 1.1, by which the parser counts."""
_Loader: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Unacceptable(Exception):
    """Good YAML that means nothing here."""

    def __init__(self, mark: Any, what: Text, mend: Text) -> None:
        super().__init__(what.en)
        self.line = mark.line + 1
        self.what = what
        self.mend = mend


class YamlSource:
    """One YAML file: its data, its faults of form, and the line of anything in it."""

    def __init__(self, file: Path, text: str | None = None) -> None:
        """`text` is what is to be judged in place of the file's content, before it is written there."""
        self.file = file
        self.text = ""
        self.faults: list[Fault] = []
        self.data: Any = None
        self._nodes = 0
        self._mended = False
        self.root: yaml.Node | None = None
        """The tree of nodes, each of which knows its place in `text`."""
        try:
            self.text = text = _read(file) if text is None else text
            self.root = self._compose_mending(text)
            data = self._build(self.root, 0) if self.root is not None else None
            self.data = data if not self._mended else None
        except _Unacceptable as error:
            self._fault(error.line, error.what, error.mend)
        except yaml.reader.ReaderError as error:
            line = self.text[: error.position].count("\n") + 1
            self._fault(
                line,
                Text(
                    f"not YAML: {error.reason}: character {error.character:#06x}",
                    f"不是 YAML：{error.reason}：字符 {error.character:#06x}",
                ),
                Text("remove that character", "请删除该字符"),
            )
        except UnicodeDecodeError as error:
            self._fault(
                1,
                Text(f"not UTF-8 text at byte {error.start}", f"第 {error.start} 字节不是 UTF-8 文本"),
                Text("save the file as UTF-8", "请将文件保存为 UTF-8"),
            )
        except FileNotFoundError:
            self._fault(
                1,
                Text("the file does not exist", "文件不存在"),
                Text("create it, or correct the path", "请创建文件，或改正路径"),
            )
        except OSError as error:
            self._fault(
                1,
                Text(f"cannot be read: {error.strerror}", f"无法读取：{error.strerror}"),
                Text("correct its path or its permissions", "请改正路径或权限"),
            )

    def line(self, path: Sequence[Hashable]) -> int:
        """The line, 1-based, of the value at a path of keys and positions; of its nearest parent where it is absent."""
        node, line = self.root, 1
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

    def _fault(self, line: int, what: Text, mend: Text) -> None:
        self.faults.append(Fault(self.file, line, what, mend))

    def _compose_mending(self, text: str) -> yaml.Node | None:
        """The tree of nodes. A slip that keeps the text from being YAML is told, and read as it was meant, to find the
        next one; what is no slip is told only where it comes first, for it may be a consequence."""
        for _ in range(_MOST_SLIPS):
            try:
                return self._compose(text)
            except yaml.MarkedYAMLError as error:
                lines = re.split(f"({_LINE_ENDS})", text.rstrip())  # each second one is a line's end
                number, character = self._not_yaml(error, lines[::2])
                if not character:
                    break
                lines[2 * number - 2] = mended(lines[2 * number - 2], character)
                text, self._mended = "".join(lines) + "\n", True
        return None

    def _not_yaml(self, error: yaml.MarkedYAMLError, lines: Sequence[str]) -> tuple[int, str]:
        """The line and the character that was meant otherwise, or nothing."""
        line, what = _not_yaml(error)
        line = min(line, len(lines))  # what has no end is noticed behind it
        noticed = error.problem_mark.line + 1 if error.problem_mark is not None else line
        places = [line, noticed, noticed - 1]
        if "mapping values" in str(error.problem) and noticed > 1 and not _KEY.search(lines[noticed - 2]):
            places.reverse()  # the line before has no key, and so was read as the beginning of this one
        if found := slip(lines, places):
            here, mend = told(found[1])
            self._fault(found[0], here.at(what), mend)
            return found
        if not self._mended:
            self._fault(
                line,
                what,
                Text("correct the indentation, the brackets or the quotes there", "请改正该处的缩进、括号或引号"),
            )
        return line, ""

    def _compose(self, text: str) -> yaml.Node | None:
        """The tree of nodes. Not `yaml.compose`, which recurses in C: deep enough, a file would end the process."""
        root: yaml.Node | None = None
        open_: list[yaml.Node] = []
        anchors: dict[str, yaml.Node] = {}
        event: Any
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.CollectionEndEvent):
                closed = open_.pop()
                closed.end_mark = event.end_mark
                if isinstance(closed, yaml.MappingNode):
                    closed.value = list(zip(closed.value[::2], closed.value[1::2], strict=True))
                continue
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                raise _Unacceptable(
                    event.start_mark,
                    Text("a second document begins", "此处开始了第二个文档"),
                    Text("remove the line '---'", "请删除“---”行"),
                )
            if not isinstance(event, yaml.NodeEvent):
                continue
            name = event.anchor or ""
            node = anchors.get(name) if isinstance(event, yaml.AliasEvent) else _node(event)
            if node is None:
                what = Text(f"no '&{name}' stands before this '*{name}'", f"“*{name}”之前没有“&{name}”")
                raise _Unacceptable(
                    event.start_mark, what, Text("write the text in quotes if it is no alias", "若不是别名，请加引号")
                )
            if name:
                anchors[name] = node
            if open_:
                open_[-1].value.append(node)
            else:
                root = node
            if isinstance(event, yaml.CollectionStartEvent):
                open_.append(node)
                if len(open_) > _DEEPEST:
                    what = Text(f"nested deeper than {_DEEPEST} levels", f"嵌套超过 {_DEEPEST} 层")
                    raise _Unacceptable(
                        event.start_mark, what, Text("a station file has about ten", "电站文件一般约十层")
                    )
        return root

    def _build(self, node: yaml.Node, depth: int) -> Any:
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            what = Text("aliases expand to more than five million values here", "别名展开后超过五百万个值")
            raise _Unacceptable(
                node.start_mark, what, Text("write what they stand for, or use a template", "请写出其内容，或使用模板")
            )
        if depth > _DEEPEST:
            what = Text(
                f"aliases nest deeper than {_DEEPEST} levels, or contain themselves",
                f"别名嵌套超过 {_DEEPEST} 层，或包含自身",
            )
            raise _Unacceptable(node.start_mark, what, Text("write what they stand for", "请写出其内容"))
        if isinstance(node, yaml.ScalarNode):
            self._look_for_slip(node, key=False)
            return self._scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return [self._build(item, depth + 1) for item in node.value]
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._fault(
                    line,
                    Text("a list or mapping is used as a key", "列表或映射被用作键"),
                    Text("write a plain word as the key", "键请写成普通单词"),
                )
                continue
            key = self._scalar(key_node)
            self._look_for_slip(key_node, key=True)
            if key in result:
                self._fault(
                    line,
                    Text(f"'{key}' stands here twice", f"“{key}”在此出现两次"),
                    Text("keep one of the two", "请保留其一"),
                )
            result[key] = self._build(value_node, depth + 1)
        return result

    def _look_for_slip(self, node: yaml.ScalarNode, *, key: bool) -> None:
        if node.style not in _QUOTES and (character := slip_in_word(node.value, key=key)):
            what, mend = told(character)
            self._fault(node.start_mark.line + 1, what.at(Text(f"'{node.value}'", f"“{node.value}”")), mend)

    def _scalar(self, node: yaml.Node) -> Any:
        text: str = node.value
        if not isinstance(node, yaml.ScalarNode) or node.style in _QUOTES:
            return text
        if text in _SPECIAL:
            return _SPECIAL[text]
        if len(text) > _LONGEST_NUMBER:
            return text
        if _INT.fullmatch(text):
            return int(text, 16) if text.startswith("0x") else int(text)
        return float(text) if _FLOAT.fullmatch(text) else text


def _read(file: Path) -> str:
    """The file's text with its line ends as they are."""
    with file.open(encoding="utf-8", newline="") as stream:
        return stream.read()


def _not_yaml(error: yaml.MarkedYAMLError) -> tuple[int, Text]:
    """The line and what is wrong. A bracket, quote or key without its end is told where it begins."""
    noticed, begins = error.problem_mark, error.context_mark
    line = noticed.line + 1 if noticed is not None else 1
    unended = any(words in str(error.problem) for words in ("',' or", "expected ':'", "node content", "end of stream"))
    if unended and begins is not None and begins.line + 1 < line:
        return begins.line + 1, Text(
            f"not YAML: {error.problem} up to line {line} for what begins here",
            f"不是 YAML：此处开始的内容到第 {line} 行为止：{error.problem}",
        )
    return line, Text(f"not YAML: {error.problem}", f"不是 YAML：{error.problem}")


def _node(event: Any) -> yaml.Node:
    """A scalar, or a list or mapping still empty. A tag is a fault: nothing here would act on it."""
    if event.tag is not None:
        what = Text(f"the tag {event.tag} means nothing here", f"标签 {event.tag} 在此没有意义")
        raise _Unacceptable(
            event.start_mark, what, Text("remove it, or write the text in quotes", "请删除，或给文本加引号")
        )
    start: Any = event.start_mark
    end: Any = event.end_mark
    if isinstance(event, yaml.ScalarEvent):
        return yaml.ScalarNode("", event.value, start, end, event.style)
    kind = yaml.MappingNode if isinstance(event, yaml.MappingStartEvent) else yaml.SequenceNode
    return kind("", [], start, end, event.flow_style)
