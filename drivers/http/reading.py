"""Documents to values: the points of one document, read from it together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from app.model import quality as q
from app.model.clock import SECOND_NS
from app.model.station import Point
from app.model.updates import Updates
from drivers.http.address import Address
from drivers.http.values import is_good, number, text, time_ns
from drivers.json_path import MISSING, Path, find

_AHEAD_NS: Final = 60 * SECOND_NS
"""A source time further ahead of our clock is wrong, one of the two."""


class Reader:
    """Reads the values of some points of one device out of each document that it sends."""

    def __init__(self, points: Sequence[Point], *, whole: bool) -> None:
        """`whole`: every document has every point, and what it lacks is IV; otherwise only what it has is read."""
        self.names = tuple(point.name for point in points)
        self._addresses = [Address.of(point.form.address or {}) for point in points]
        self._point = np.array([point.index for point in points], np.int32)
        self._scale = np.array([point.form.scale for point in points])
        self._offset = np.array([point.form.offset for point in points])
        self._whole = whole

    def updates(self, document: Any, now_ns: int) -> tuple[Updates, dict[str, str]]:
        """(a row for each point, full point name -> why it has no value)."""
        n = len(self.names)
        value, quality, time = np.full(n, np.nan), np.zeros(n, np.uint16), np.full(n, now_ns, np.int64)
        remarks: dict[str, str] = {}
        times: dict[Path, int | None] = {}
        there = np.ones(n, np.bool_)
        for row, address in enumerate(self._addresses):
            raw = find(document, address.path)
            if raw is MISSING:
                there[row] = self._whole
                why = f"nothing at {address.written} in the answer"
            else:
                value[row], why = number(raw, address.map)
            if not why and address.quality is not None:
                said = find(document, address.quality)
                if not is_good(None if said is MISSING else said, address.good):
                    why = "the device does not call it good"
            if why:
                quality[row] = q.IV
                remarks[self.names[row]] = why
            if address.time is not None:
                if address.time not in times:
                    times[address.time] = _source_time(document, address.time, now_ns)
                source_ns = times[address.time]
                time[row] = now_ns if source_ns is None else source_ns
                quality[row] |= q.CLOCK if source_ns is None else 0
        with np.errstate(over="ignore", invalid="ignore"):
            value = value * self._scale + self._offset
        quality[~np.isfinite(value)] |= q.IV
        value[~np.isfinite(value)] = np.nan
        updates = Updates(self._point, value, quality, time, now_ns)
        if not there.all():
            updates = updates.take(there)
            remarks = {name: why for name, why in remarks.items() if there[self.names.index(name)]}
        return updates, remarks

    def texts(self, document: Any) -> dict[str, str]:
        """Full point name -> text, of those that the document has."""
        found = zip(self.names, (find(document, address.path) for address in self._addresses), strict=True)
        return {name: text(raw) for name, raw in found if raw is not MISSING and raw is not None}


def _source_time(document: Any, path: Path, now_ns: int) -> int | None:
    """The time that a document gives, None where it gives none that can be believed."""
    raw = find(document, path)
    source_ns = None if raw is MISSING else time_ns(raw)
    return None if source_ns is None or source_ns > now_ns + _AHEAD_NS else source_ns
