"""Whatever is told in two languages is told in two languages: no text of the sources stands for both by mistake."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SOURCES = sorted(file for room in ("app", "drivers", "widgets") for file in (ROOT / room).rglob("*.py"))
CHINESE = re.compile(r"[\u4e00-\u9fff：；，]")


def pairs(file: Path) -> Iterator[tuple[int, str, str]]:
    """(line, English, Chinese) of each text written out in a file, without what is filled in."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Name(id="Text"), args=[english, ast.Constant() | ast.JoinedStr() as chinese]):
                yield node.lineno, _words(english), _words(chinese)


def _words(node: ast.expr) -> str:
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str))


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_an_english_text_has_its_chinese(file: Path) -> None:
    names = ("interface ", "address ", "Sparkplug : ")
    wrong = [
        (line, english)
        for line, english, chinese in pairs(file)
        if re.search(r"[a-z]{3} ", english) and english not in names and not CHINESE.search(chinese)
    ]
    assert not wrong
    assert not [line for line, _, chinese in pairs(file) if re.search(r"\{\d\}|; ", chinese)]
