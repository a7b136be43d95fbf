"""The rows of an export, a portion of one point at a time, so that an export of any length fits into memory."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from app.history.archive import Archive
from app.history.export.request import ExportError
from app.history.layout import BUCKET_MS, Tier
from app.history.query import of_point, tier_rows
from app.history.readers import Task
from app.history.reduce import Drawn, as_they_are, draw_buckets
from app.history.tiers import emitted_by
from app.model.text import Text

_ROWS_AT_ONCE: Final = 300_000


@dataclass(frozen=True, slots=True)
class ExportPoint:
    """A point that is exported."""

    id: int
    name: str
    device: str
    unit: str


@dataclass(frozen=True, slots=True)
class Portion:
    """Some rows of one point in the order of time (milliseconds). Of raw samples, `mean` is the value."""

    point: ExportPoint
    rows: Drawn
    share: float
    """Of the whole export, done with this portion."""


def matching(archive: Archive, patterns: str | tuple[str, ...]) -> list[ExportPoint]:
    """Points with a history whose names match, devices together, in the order of the station; removed ones last.

    Raises ExportError when there is none.
    """
    wanted = (patterns,) if isinstance(patterns, str) else patterns
    form = re.compile("|".join(fnmatch.translate(pattern) for pattern in wanted))
    places = {device.id: place for place, device in enumerate(archive.station.devices)}
    found: list[tuple[tuple[int, str, int, str], ExportPoint]] = []
    for id_, name in archive.ids.rows():
        if name not in wanted and not form.match(name):
            continue
        index = archive.station.by_name.get(name)
        device = name.partition(".")[0]
        unit = archive.station.points[index].unit if index is not None else ""
        place = places.get(device, len(places))
        order = index if index is not None else len(archive.station.points)
        found.append(((place, device, order, name), ExportPoint(id_, name, device, unit)))
    if not found:
        pattern = " ".join(wanted)
        raise ExportError(
            Text(
                f"no point with a history matches '{pattern}'; write a pattern such as inv1.* or *.p_kw",
                f"没有带历史的测点与“{pattern}”相符；请写 inv1.* 或 *.p_kw 这样的模式",
            )
        )
    return [point for _, point in sorted(found, key=lambda pair: pair[0])]


def keeps(archive: Archive, point: ExportPoint, tier: Tier) -> bool:
    """Whether the history makes this tier of the point; of one that left the station nobody knows."""
    index = archive.station.by_name.get(point.name)
    if tier is Tier.RAW or index is None:
        return True
    return bool(emitted_by(np.array([archive.station.points[index].form.scan]), tier)[0])


def portions(
    archive: Archive, task: Task[Any], tier: Tier, points: Sequence[ExportPoint], window_ms: tuple[int, int]
) -> Iterator[Portion]:
    """All rows of the points with start <= time < end. Raises StorageError, CancelledError."""
    start, end = window_ms
    step_ms = BUCKET_MS[tier] or _scan_ms(archive, points)
    stored = archive.stored(task, tier, window_ms)
    each = max(1, sum(last - first for first, last in stored) // step_ms)
    at_once = max(1, _ROWS_AT_ONCE // each)
    slice_ms = end - start if each <= _ROWS_AT_ONCE else _ROWS_AT_ONCE * step_ms
    # Nobody waits for months in which nothing was recorded.
    slices = [
        since
        for since in range(start, end, slice_ms)
        if any(first < since + slice_ms and last > since for first, last in stored)
    ]
    for first in range(0, len(points), at_once):
        some = points[first : first + at_once]
        for number, since in enumerate(slices):
            task.check()
            share = (first + len(some) * (number + 1) / len(slices)) / len(points)
            for point, rows in _read(archive, task, tier, some, (since, min(since + slice_ms, end))):
                yield Portion(point, rows, share)


def _read(
    archive: Archive, task: Task[Any], tier: Tier, points: Sequence[ExportPoint], window_ms: tuple[int, int]
) -> Iterator[tuple[ExportPoint, Drawn]]:
    ids = [point.id for point in points]
    rows = archive.raw(task, ids, *window_ms) if tier is Tier.RAW else archive.buckets(task, tier, ids, window_ms)
    for point in points:
        mine = of_point(rows, point.id, tier)
        if not mine or not len(mine["time"]):
            continue
        if tier is Tier.RAW:
            yield point, as_they_are(mine["time"], mine["value"], mine["quality"])
        else:
            yield point, draw_buckets(tier_rows(mine), BUCKET_MS[tier])


def _scan_ms(archive: Archive, points: Sequence[ExportPoint]) -> int:
    by_name = archive.station.by_name
    known = [by_name[point.name] for point in points if point.name in by_name]
    return max(1, round(float(archive.station.columns.scan_s[known].min(initial=1.0)) * 1000)) if known else 1000
