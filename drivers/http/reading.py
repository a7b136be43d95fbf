"""Documents to values: the points of one document, read from it together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from app.model import quality as q
from app.model.clock import SECOND_NS
from app.model.station import Point
from app.model.text import Text
from app.model.updates import Updates
from drivers.http.address import Address
from drivers.http.values import is_good, number, text, time_ns
from drivers.json_path import MISSING, Path, find

_AHEAD_NS: Final = 60 * SECOND_NS
"""A source time further ahead of our clock is wrong, one of the two."""
_NOT_GOOD: Final = Text("the device does not call it good", "设备未标明该值为好值")


class Reader:
    """Reads the values of some points of one device out of each document that it sends."""

    def __init__(self, points: Sequence[Point], *, whole: bool) -> None:
        """`whole`: every document has every point, and what it lacks is IV; otherwise only what it has is read."""
        self.names = tuple(point.name for point in points)
        self._addresses = [Address.of(point.form.address or {}) for point in points]
        self._absent = [
            Text(f"nothing at {address.written} in the answer", f"应答中没有 {address.written}")
            for address in self._addresses
        ]
        self._point = np.array([point.index for point in points], np.int32)
        self._scale = np.array([point.form.scale for point in points])
        self._offset = np.array([point.form.offset for point in points])
        self._whole = whole

    def updates(self, document: Any, now_ns: int) -> tuple[Updates, dict[str, Text]]:
        """(a row for each point, full point name -> why it has no value)."""
        values, qualities, source_ns = [], [], []
        remarks: dict[str, Text] = {}
        times: dict[Path, int | None] = {}
        absent = []
        for row, address in enumerate(self._addresses):
            why: Text | None
            raw = find(document, address.path)
            if raw is MISSING:
                absent.append(row)
                value, why = math.nan, self._absent[row]
            else:
                value, why = number(raw, address.map)
            if address.quality is not None and not why and not is_good(find(document, address.quality), address.good):
                why = _NOT_GOOD
            quality, time = q.GOOD, now_ns
            if why:
                quality = q.IV
                remarks[self.names[row]] = why
            if address.time is not None:
                if address.time not in times:
                    times[address.time] = _source_time(document, address.time, now_ns)
                told = times[address.time]
                quality, time = (quality | q.CLOCK, now_ns) if told is None else (quality, told)
            values.append(value)
            qualities.append(quality)
            source_ns.append(time)
        updates = self._columns(values, qualities, source_ns, now_ns)
        if absent and not self._whole:
            updates = updates.take(np.delete(np.arange(len(values)), absent))
            for row in absent:
                remarks.pop(self.names[row])
        return updates, remarks

    def _columns(self, values: list[float], qualities: list[int], source_ns: list[int], now_ns: int) -> Updates:
        with np.errstate(over="ignore", invalid="ignore"):
            value = np.array(values) * self._scale + self._offset
        quality = np.array(qualities, np.uint16)
        beyond = ~np.isfinite(value)
        if beyond.any():
            value[beyond] = np.nan
            quality[beyond] |= q.IV
        return Updates(self._point, value, quality, np.array(source_ns, np.int64), now_ns)

    def texts(self, document: Any) -> dict[str, str]:
        """Full point name -> text, of those that the document has."""
        found = zip(self.names, (find(document, address.path) for address in self._addresses), strict=True)
        return {name: text(raw) for name, raw in found if raw is not MISSING and raw is not None}


def _source_time(document: Any, path: Path, now_ns: int) -> int | None:
    """The time that a document gives, None where it gives none that can be believed."""
    raw = find(document, path)
    source_ns = None if raw is MISSING else time_ns(raw)
    return None if source_ns is None or source_ns > now_ns + _AHEAD_NS else source_ns
