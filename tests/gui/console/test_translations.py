"""Every text of the screen exists in Chinese, with the same blanks to fill in, also those that no picture shows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.console.window import PAGES
from widgets import alarm_words, device_tree
from widgets.alarm_table import _ALARM_TITLES
from widgets.answers import ANSWER_TITLES
from widgets.connection_card import LINES, PAIRS
from widgets.editor import device_form, point_form
from widgets.editor.device_editor import SAVED, SAVED_FOR_LATER
from widgets.editor.finder import FOUND_TITLES
from widgets.editor.points_form import POINT_TITLES, WHERE
from widgets.editor.templates import TEMPLATE_TITLES
from widgets.journal_table import _JOURNAL_TITLES
from widgets.language import catalogue
from widgets.point_table import _TITLES

ROOT = Path(__file__).resolve().parents[3]
BLANK = re.compile(r"\{(\w*)\}")
NEEDS_NONE = {"HH", "H", "L", "LL"}


def said(file: Path) -> Iterator[str]:
    """Literals that go through `tr` in a file."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and _name(node.func) in {"tr", "both", "called", "_say"} and node.args:
            for part in ast.walk(node.args[0]):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


def _name(called: ast.expr) -> str:
    return called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""


def tables() -> list[str]:
    """Texts that are looked up in a table first."""
    words: list[str] = [page.title for page in PAGES]
    for table in (alarm_words.PRIORITY_WORDS, alarm_words.STATE_WORDS, alarm_words.CONDITION_WORDS,
                  alarm_words.WHAT_WORDS, device_tree.KIND_NAMES, device_tree.KIND_WORDS,
                  device_tree.STATE_NAMES, device_form.RATINGS, point_form.FIELD_NAMES):  # fmt: skip
        words += table.values()  # type: ignore[attr-defined]
    words += [*PAIRS, *LINES, *ANSWER_TITLES, *POINT_TITLES, *TEMPLATE_TITLES, *FOUND_TITLES, *WHERE]
    return [
        *words,
        *_ALARM_TITLES,
        *_JOURNAL_TITLES,
        *_TITLES,
        SAVED,
        SAVED_FOR_LATER,
        "LIVE",
        "DEMO",
        "READ ONLY",
        "SHADOW",
    ]


FILES = sorted([*(ROOT / "app" / "console").rglob("*.py"), *(ROOT / "widgets").rglob("*.py")])


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_literal_has_its_chinese(file: Path) -> None:
    chinese = catalogue("zh")
    missing = [text for text in said(file) if text not in chinese and len(text) > 1]
    assert not missing


def test_every_table_has_its_chinese() -> None:
    chinese = catalogue("zh")
    assert [text for text in tables() if text not in chinese and text not in NEEDS_NONE] == []


def test_translations_keep_the_blanks() -> None:
    wrong = [en for en, zh in catalogue("zh").items() if sorted(BLANK.findall(en)) != sorted(BLANK.findall(zh))]
    assert not wrong
