"""Durations as people write them in a station file: `250ms 5s 15min 1h 30d 20y`."""

from __future__ import annotations

import re
from typing import Final

from app.model.errors import Wrong
from app.model.text import Text

SECONDS: Final[dict[str, float]] = {
    "ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "y": 365.25 * 86400.0,
}  # fmt: skip
_FORM: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min|h|d|y)")


def parse_duration_s(text: str) -> float:
    """Seconds of a duration such as `15min`. Raises ValueError with the accepted forms."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise Wrong(
            Text(f"'{text}' is not a duration", f"“{text}”不是时长"),
            Text(
                "write a number and a unit, such as 250ms, 5s, 15min, 1h or 30d",
                "请写数字和单位，例如 250ms、5s、15min、1h 或 30d",
            ),
        )
    return float(match[1]) * SECONDS[match[2]]


def format_duration(seconds: float) -> str:
    """The shortest way to write it: `900` s is `15min`."""
    for unit in ("d", "h", "min", "s", "ms"):
        count = seconds / SECONDS[unit]
        if count >= 1 and abs(count - round(count)) < 1e-9:
            return f"{round(count)}{unit}"
    return f"{seconds:g}s"
