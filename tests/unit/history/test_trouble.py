"""What stands wrong with the history, as the top bar and the alarms tell it."""

from __future__ import annotations

from app.history.trouble import Troubles
from app.model.text import Text


def test_all_that_stands_is_told_in_both_languages_until_it_is_well() -> None:
    told: list[tuple[str, Text | None]] = []
    troubles = Troubles(lambda key, text: told.append((key, text)))
    assert troubles.standing() is None
    troubles.tell("history.disk", "the disk is full", "磁盘已满")
    troubles.tell("history.storage", "a file is damaged", "文件损坏")
    assert troubles.standing() == Text("the disk is full; a file is damaged", "磁盘已满；文件损坏")
    troubles.clear("history.disk")
    troubles.clear("history.storage")
    assert troubles.standing() is None
    assert told[-1] == ("history.storage", None)
