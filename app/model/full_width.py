"""What an input method types where YAML means a character of its own: full-width punctuation, odd spaces, tabs.

Within quotes, and within texts as such, all of it is welcome.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from app.model.text import Text

_HALF: Final = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | {0x3000: " "}
_PUNCTUATION: Final = dict(zip("：，［］｛｝－＃＂＇、【】“”‘’", ":,[]{}-#\"',[]\"\"''", strict=True))
_SPACES: Final = {
    "\u3000": Text("a full-width space", "全角空格"),
    "\u00a0": Text("a no-break space", "不换行空格"),
    "\t": Text("a tab", "制表符"),
}
_SLIP: Final = re.compile(rf"^[ -]*(\t)|([{''.join(_PUNCTUATION)}\u3000\u00a0])")
_CURLY: Final = re.compile("()([“”‘’])")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"' r"|'(?:[^']|'')*'" r"|(?:^|(?<=\s))#.*")
_IN_CURLY_QUOTES: Final = re.compile("[“”‘’].*[“”‘’]", re.DOTALL)


def slip(lines: Sequence[str], numbers: Iterable[int]) -> tuple[int, str] | None:
    """The first line of these (1-based) on which one stands outside quotes and comments, and the character.

    Where there is none, a curly quote also counts within a quoted text: it was meant to end it.
    """
    there = [number for number in numbers if 1 <= number <= len(lines)]
    for pattern, quoted in ((_SLIP, _QUOTED), (_CURLY, None)):
        for number in there:
            line = lines[number - 1]
            found = pattern.search(quoted.sub(lambda text: "x" * len(text[0]), line) if quoted else line)
            if found is not None:
                return number, found[1] or found[2]
    return None


def mended(line: str, character: str) -> str:
    """The line with the first of these characters outside quotes written as YAML means it."""
    bare = _QUOTED.sub(lambda text: "x" * len(text[0]), line)
    at = bare.find(character)
    at = line.find(character) if at < 0 else at
    meant = _PUNCTUATION.get(character, " ")
    return f"{line[:at]}{meant}{' ' if meant in ':,' else ''}{line[at + 1 :]}"


def slip_in_word(text: str, *, key: bool) -> str | None:
    """The character in a word without quotes that is meant otherwise: any in a key, quotes around a value."""
    if key:
        return next((c for c in text if c in _PUNCTUATION or c in _SPACES), None)
    return text[0] if _IN_CURLY_QUOTES.fullmatch(text) else None


def told(character: str) -> tuple[Text, Text]:
    """What it is, and the mend."""
    if character in _SPACES:
        name = _SPACES[character]
        return (
            Text(f"{name.en} stands here", f"此处有{name.zh}"),
            Text("write spaces instead; YAML is indented with them", "请改用普通空格；YAML 以空格缩进"),
        )
    meant = _PUNCTUATION[character]
    return (
        Text(f"the full-width character {character} stands here", f"此处有全角字符 {character}"),
        Text(f"write {meant} instead, or put the whole text in quotes", f"请改为 {meant}，或给整个文本加引号"),
    )


def half_width(value: object) -> str | None:
    """What was meant by a text in full-width letters, digits or punctuation; None where there are none in it."""
    if not isinstance(value, str):
        return None
    half = value.translate(_HALF)
    return half if half != value else None
