"""Topic names and topic filters, as MQTT 5 has them (chapter 4.7; 3.1.1 is alike). No I/O."""

from __future__ import annotations

from typing import Final

from app.model.text import Text

_LONGEST_BYTES: Final = 65535
WILDCARDS: Final = ("+", "#")


def trouble(topic: object) -> tuple[Text, Text] | None:
    """What is wrong with a topic name, and the mend; None where nothing is."""
    if not isinstance(topic, str) or not topic:
        return Text(f"topic '{topic}' is not a text", f"主题“{topic}”不是文本"), Text(
            "write its name, such as plant/meter1/state", "请写其名称，例如 plant/meter1/state"
        )
    if any(wildcard in topic for wildcard in WILDCARDS):
        return Text(
            f"topic '{topic}' has a wildcard, and a point is in one place", f"主题“{topic}”含通配符，而测点只在一处"
        ), Text("write the one topic that carries it", "请写承载它的那一个主题")
    if "\0" in topic or not _fits(topic):
        return Text(f"topic '{topic[:40]}' cannot go over the wire", f"主题“{topic[:40]}”无法传输"), Text(
            "write at most 65,535 bytes of UTF-8 without NUL", "最多 65,535 字节的 UTF-8，不含 NUL"
        )
    return None


def filter_trouble(pattern: object) -> tuple[Text, Text] | None:
    """As `trouble`, for a filter, where `+` stands for one level and `#` for all that follow."""
    if not isinstance(pattern, str) or not pattern:
        return Text(f"topic '{pattern}' is not a text", f"主题“{pattern}”不是文本"), Text(
            "write a topic, or a filter such as plant/#", "请写主题，或过滤器，例如 plant/#"
        )
    levels = pattern.split("/")
    alone = all(level in WILDCARDS or not any(wildcard in level for wildcard in WILDCARDS) for level in levels)
    if not alone or "#" in levels[:-1]:
        return Text(f"filter '{pattern}' is not allowed", f"不允许过滤器“{pattern}”"), Text(
            "`+` and `#` stand alone between slashes, and `#` comes last", "“+”和“#”须单独位于斜线之间，“#”须在最后"
        )
    return trouble("/".join("x" if level in WILDCARDS else level for level in levels))


def matches(pattern: str, topic: str) -> bool:
    """Whether a filter takes a topic. One that begins with a wildcard takes no topic of the broker's own (`$SYS`)."""
    wanted, given = pattern.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in WILDCARDS:
        return False
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place >= len(given) or level not in ("+", given[place]):
            return False
    return len(wanted) == len(given)


def _fits(topic: str) -> bool:
    try:
        return len(topic.encode()) <= _LONGEST_BYTES
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
