"""Texts that people read, in both languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LANGUAGES: Final = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Text:
    """A name in English and Chinese; a language that was not given shows the other."""

    en: str
    zh: str

    @staticmethod
    def of(value: str | dict[str, str]) -> Text:
        """From a station file: plain text for both languages, or `{en, zh}` with one of them at least."""
        if isinstance(value, str):
            return Text(value, value)
        first = next(iter(value.values()))
        return Text(value.get("en", first), value.get("zh", first))

    def at(self, where: Text) -> Text:
        """Behind the words of where it is: `device m: no driver`."""
        return Text(f"{where.en}: {self.en}", f"{where.zh}：{self.zh}")

    def __str__(self) -> str:
        """The English: for logs and the command line."""
        return self.en

    def in_(self, language: str) -> str:
        """The text in `en` or `zh`."""
        return self.zh if language == "zh" else self.en


def text_of(value: Text | str) -> Text:
    """As it is, or plain text for both languages."""
    return value if isinstance(value, Text) else Text.of(value)


def joined(texts: Sequence[Text]) -> Text:
    """Several findings as one, each said once."""
    once = list(dict.fromkeys(texts))
    return Text("; ".join(text.en for text in once), "；".join(text.zh for text in once))
