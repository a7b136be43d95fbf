"""Cells: times with the zone's offset, numbers as they were stored, quality as letters, texts that stay texts."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from app.model.quality import letters

RAW_HEAD: Final = ("time", "point", "value", "quality", "unit")
TIER_HEAD: Final = ("time", "point", "min", "max", "mean", "first", "last", "count", "quality", "unit")
_QUARTER_MS: Final = 900_000
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet may take for the beginning of a formula; some take the full-width ones as well."""


def times(time_ms: NDArray[np.int64], zone: ZoneInfo) -> list[str]:
    """ISO 8601 with milliseconds and the zone's offset at that time: `2026-11-21T15:00:00.000+08:00`."""
    # Offsets only ever change on a quarter of an hour.
    quarters, which = np.unique(time_ms // _QUARTER_MS, return_inverse=True)
    offsets, texts = [], []
    for quarter in quarters.tolist():
        moment = datetime.fromtimestamp(quarter * _QUARTER_MS / 1000, UTC).astimezone(zone)
        offset = moment.utcoffset()
        seconds = round(offset.total_seconds()) if offset is not None else 0
        offsets.append(seconds * 1000)
        sign, minutes = ("-" if seconds < 0 else "+"), abs(seconds) // 60
        texts.append(f"{sign}{minutes // 60:02}:{minutes % 60:02}")
    local = (time_ms + np.array(offsets, dtype=np.int64)[which]).astype("datetime64[ms]")
    stamps = np.datetime_as_string(local, unit="ms").tolist()
    return [stamp + texts[place] for stamp, place in zip(stamps, which.tolist(), strict=True)]


def number(value: float) -> str:
    """The shortest text that is this number; nothing for none."""
    if math.isnan(value):
        return ""
    text = repr(value)
    return text.removesuffix(".0")


def qualities(quality: NDArray[np.uint16]) -> list[str]:
    """The letters of each row."""
    bits, which = np.unique(quality, return_inverse=True)
    words = [letters(int(bit)) for bit in bits]
    return [words[place] for place in which.tolist()]


def inert(cell: str) -> str:
    """A cell of a CSV that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULAS) else cell


def csv_text(text: str) -> str:
    """A text as a CSV cell that a spreadsheet never takes for a formula."""
    text = inert(text)
    if any(mark in text for mark in ',"\n\r'):
        text = '"' + text.replace('"', '""') + '"'
    return text
