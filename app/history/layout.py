"""Names and periods: which tier exists, what its files are called, which hour a table belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

MS_NS: Final = 1_000_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS


class Tier(StrEnum):
    """The resolutions that are kept, finest first. The words are those of queries and exports."""

    RAW = "raw"
    S1 = "1s"
    S5 = "5s"
    MIN15 = "15min"
    H1 = "1h"


BUCKET_MS: Final[dict[Tier, int]] = {Tier.RAW: 0, Tier.S1: 1000, Tier.S5: 5000, Tier.MIN15: 900_000, Tier.H1: HOUR_MS}
BUCKET_TIERS: Final = (Tier.S1, Tier.S5, Tier.MIN15, Tier.H1)


class Span(StrEnum):
    """The period that one file covers."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"


_FORMS: Final = {Span.HOUR: "%Y-%m-%dT%H", Span.DAY: "%Y-%m-%d", Span.MONTH: "%Y-%m", Span.YEAR: "%Y"}
SEALED_INTO: Final[dict[Tier, tuple[Span, ...]]] = {
    Tier.RAW: (Span.DAY,),
    Tier.S1: (Span.DAY,),
    Tier.S5: (Span.DAY,),
    Tier.MIN15: (Span.DAY, Span.MONTH, Span.YEAR),
    Tier.H1: (Span.DAY, Span.MONTH, Span.YEAR),
}
"""The coarser files that hour files of a tier become, in turn."""
COARSER: Final = {
    Span.HOUR: (Span.DAY, Span.MONTH, Span.YEAR),
    Span.DAY: (Span.MONTH, Span.YEAR),
    Span.MONTH: (Span.YEAR,),
    Span.YEAR: (),
}
FINER: Final = {span: tuple(s for s in Span if span in COARSER[s]) for span in Span}
"""The spans of files that a coarser one is made of in the end, the finest first."""


def period_start(span: Span, time_ms: int) -> int:
    """Start of the UTC hour, day, month or year that holds a time; both in milliseconds."""
    if span is Span.HOUR:
        return time_ms - time_ms % HOUR_MS
    if span is Span.DAY:
        return time_ms - time_ms % DAY_MS
    moment = datetime.fromtimestamp(time_ms // 1000, UTC)
    month = moment.month if span is Span.MONTH else 1
    return round(datetime(moment.year, month, 1, tzinfo=UTC).timestamp() * 1000)


def period_end(span: Span, start_ms: int) -> int:
    """Start of the next period."""
    if span in (Span.MONTH, Span.YEAR):
        return period_start(span, start_ms + (32 if span is Span.MONTH else 367) * DAY_MS)
    return start_ms + (HOUR_MS if span is Span.HOUR else DAY_MS)


@dataclass(frozen=True, slots=True, order=True)
class Hour:
    """One hour of hot tables. `part` tells apart tables of one hour, which arise when the clock is set back."""

    start_ms: int
    part: int = 0

    @property
    def key(self) -> str:
        return f"{datetime.fromtimestamp(self.start_ms // 1000, UTC):%Y%m%d%H}_{self.part}"

    @property
    def raw(self) -> str:
        return f"raw_{self.key}"

    @property
    def buckets(self) -> str:
        return f"buckets_{self.key}"

    @property
    def alive(self) -> str:
        return f"alive_{self.key}"

    @property
    def tables(self) -> tuple[str, str, str]:
        return self.raw, self.buckets, self.alive

    @staticmethod
    def of_table(table: str) -> Hour | None:
        """The hour of a table's name; None for a table that is no hour's."""
        match = re.fullmatch(r"(?:raw|buckets|alive)_(\d{10})_(\d+)", table)
        if match is None:
            return None
        moment = datetime.strptime(match[1], "%Y%m%d%H").replace(tzinfo=UTC)
        return Hour(round(moment.timestamp() * 1000), int(match[2]))


_NAME: Final = re.compile(r"(\d{4}(?:-\d\d(?:-\d\d(?:T\d\d)?)?)?)_(\d+)_(-?\d+)_(-?\d+)\.parquet")


@dataclass(frozen=True, slots=True)
class Block:
    """One Parquet file: rows of one tier, sorted by point and time.

    Its name says all that is known here: `2026-11-21T07_0_1763708400000_1763711999999.parquet` is the first part of
    that UTC hour, and its rows' times lie between those two (Unix milliseconds, both included).
    """

    tier: Tier
    span: Span
    start_ms: int
    part: int
    first_ms: int
    last_ms: int
    path: Path

    @property
    def stem(self) -> str:
        """Period and part: what a coarser file's list of sources names."""
        return f"{_period(self.span, self.start_ms)}_{self.part}"

    @staticmethod
    def at(folder: Path, tier: Tier, span: Span, hour: Hour, times_ms: tuple[int, int]) -> Block:
        """The block of these facts in its place under `folder` (the data folder's `history`).

        `hour` gives start and part of the period, `times_ms` the first and the last row's time.
        """
        name = f"{_period(span, hour.start_ms)}_{hour.part}_{times_ms[0]}_{times_ms[1]}.parquet"
        return Block(tier, span, hour.start_ms, hour.part, *times_ms, folder / tier.value / name)

    @staticmethod
    def of_file(path: Path) -> Block | None:
        """Read a file's name; None where it is not one of ours."""
        match = _NAME.fullmatch(path.name)
        if match is None or path.parent.name not in set(Tier):
            return None
        span = {4: Span.YEAR, 7: Span.MONTH, 10: Span.DAY, 13: Span.HOUR}[len(match[1])]
        try:
            start = datetime.strptime(match[1], _FORMS[span]).replace(tzinfo=UTC)
        except ValueError:
            return None
        start_ms = round(start.timestamp() * 1000)
        return Block(
            Tier(path.parent.name), span, start_ms, int(match[2]), int(match[3]), int(match[4]), path
        )  # fmt: skip


def _period(span: Span, start_ms: int) -> str:
    return datetime.fromtimestamp(start_ms // 1000, UTC).strftime(_FORMS[span])


def blocks_in(folder: Path) -> Iterator[Block]:
    """Every block under `folder`, in no order. Temporary and foreign files are passed over."""
    for tier in Tier:
        directory = folder / tier.value
        if directory.is_dir():
            for path in directory.iterdir():
                if (block := Block.of_file(path)) is not None:
                    yield block
