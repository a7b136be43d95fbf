"""Topic names and topic filters, as MQTT 5 has them (chapter 4.7; 3.1.1 is alike). No I/O."""

from __future__ import annotations

from typing import Final

_LONGEST_BYTES: Final = 65535
WILDCARDS: Final = ("+", "#")


def trouble(topic: object) -> tuple[str, str] | None:
    """What is wrong with a topic name, and the mend; None where nothing is."""
    if not isinstance(topic, str) or not topic:
        return f"topic '{topic}' is not a text", "write its name, such as plant/meter1/state"
    if any(wildcard in topic for wildcard in WILDCARDS):
        return f"topic '{topic}' has a wildcard, and a point is in one place", "write the one topic that carries it"
    if "\0" in topic or not _fits(topic):
        return f"topic '{topic[:40]}' cannot go over the wire", "write at most 65,535 bytes of UTF-8 without NUL"
    return None


def filter_trouble(pattern: object) -> tuple[str, str] | None:
    """As `trouble`, for a filter, where `+` stands for one level and `#` for all that follow."""
    if not isinstance(pattern, str) or not pattern:
        return f"topic '{pattern}' is not a text", "write a topic, or a filter such as plant/#"
    levels = pattern.split("/")
    alone = all(level in WILDCARDS or not any(wildcard in level for wildcard in WILDCARDS) for level in levels)
    if not alone or "#" in levels[:-1]:
        return f"filter '{pattern}' is not allowed", "`+` and `#` stand alone between slashes, and `#` comes last"
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
