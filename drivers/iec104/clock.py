"""CP56Time2a (IEC 60870-5-101, 7.2.6.18) to UTC and back, in UTC or in the local time of a zone. No I/O.

octets 1-2 milliseconds of the minute   3 minute, bit 8 IV   4 hour, bit 8 SU (summer time)
octet 5 day of month, weekday           6 month              7 year within the century
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from app.model.clock import MS_NS, SECOND_NS, to_datetime
from drivers.iec104.asdu import NO_TIME

Times = NDArray[np.int64]
Marks = NDArray[np.bool_]

_BLOCK_S: Final = 900
"""Zones change their offset on whole quarters of an hour."""
_MOST_BLOCKS: Final = 4096
BEHIND_S: Final = 3600.0
"""A time older than this is doubtful: a real event may have waited that long, but a wrong zone looks the same."""


class StationClock:
    """Reads and writes the clock of one station: UTC, or the local time of a zone."""

    def __init__(self, zone: ZoneInfo | None, ahead_s: float) -> None:
        """`zone` is None for UTC; a time further than `ahead_s` in the future is doubtful."""
        self._zone = zone
        self._ahead_ns = round(ahead_s * SECOND_NS)
        self._offsets: dict[int, tuple[int, int, bool]] = {}

    def read(self, octets: NDArray[np.uint64], received_ns: int) -> tuple[Times, Marks]:
        """UTC nanoseconds of times as `asdu.Columns` has them, and which are doubtful. Shapes are all [n].

        Without a time it is `received_ns`, in good faith; where octets are no time at all it is, too, and doubtful.
        """
        absent = octets == NO_TIME
        if absent.all():
            return np.full(len(octets), received_ns, np.int64), np.zeros(len(octets), np.bool_)
        local_ms, wrong = _calendar(octets)
        if self._zone is None:
            utc_ms, doubtful = local_ms, np.zeros(len(octets), np.bool_)
        else:
            summer = (octets >> 31 & 1).astype(np.bool_)
            utc_ms, doubtful = self._to_utc(np.where(wrong, 0, local_ms), summer, received_ns)
        times = np.where(wrong, received_ns, utc_ms * MS_NS)
        doubtful |= wrong | (octets >> 23 & 1).astype(np.bool_)
        doubtful |= times - received_ns > self._ahead_ns
        doubtful |= received_ns - times > round(BEHIND_S * SECOND_NS)
        return np.where(absent, received_ns, times), doubtful & ~absent

    def _to_utc(self, local_ms: Times, summer: Marks, received_ns: int) -> tuple[Times, Marks]:
        """An hour that a zone has twice is the first where the summer bit is set, otherwise the nearer to now."""
        blocks, where = np.unique(local_ms // (_BLOCK_S * 1000), return_inverse=True)
        known = [self._offset(int(block)) for block in blocks]
        first, second, exists = (np.array(column)[where] for column in zip(*known, strict=True))
        twice = (first != second) & exists
        now_ms = received_ns // MS_NS
        earlier, later = local_ms - first * 1000, local_ms - second * 1000
        use_later = twice & ~summer & (np.abs(later - now_ms) < np.abs(earlier - now_ms))
        return np.where(use_later, later, earlier), (twice & ~summer) | ~exists

    def _offset(self, block: int) -> tuple[int, int, bool]:
        """Seconds east of UTC of a local quarter of an hour: its first and its second occurrence, and whether it is."""
        found = self._offsets.get(block)
        if found is None:
            naive = datetime(1970, 1, 1, tzinfo=self._zone) + timedelta(seconds=block * _BLOCK_S)
            offsets = [moment.utcoffset() or timedelta() for moment in (naive, naive.replace(fold=1))]
            first, second = (round(offset.total_seconds()) for offset in offsets)
            exists = first >= second  # where the clock is put forward, PEP 495 swaps the two
            if len(self._offsets) >= _MOST_BLOCKS:
                self._offsets.clear()
            found = self._offsets[block] = first, second, exists
        return found

    def octets(self, now_ns: int) -> bytes:
        """This moment as seven octets of CP56Time2a."""
        moment = to_datetime(now_ns).astimezone(self._zone or UTC)
        millisecond = moment.second * 1000 + moment.microsecond // 1000
        summer = 0x80 if self._zone is not None and moment.dst() else 0
        day = moment.day | moment.isoweekday() << 5
        rest = bytes((moment.minute, moment.hour | summer, day, moment.month, moment.year % 100))
        return millisecond.to_bytes(2, "little") + rest

    def write(self, times: Times) -> NDArray[np.uint64]:
        """UTC nanoseconds to times as `asdu.Columns` has them. Shapes are [n]."""
        if not len(times):
            return np.empty(0, np.uint64)
        utc_ms = times // MS_NS
        blocks, where = np.unique(utc_ms // (_BLOCK_S * 1000), return_inverse=True)
        known = [self._offset_at(int(block)) for block in blocks]
        offset_s, summer = (np.array(column, np.int64)[where] for column in zip(*known, strict=True))
        local_ms = utc_ms + offset_s * 1000
        day_number, in_day = local_ms // 86_400_000, local_ms % 86_400_000
        months = day_number.astype("datetime64[D]").astype("datetime64[M]")
        day = day_number - months.astype("datetime64[D]").astype(np.int64) + 1
        month_number = months.astype(np.int64)
        weekday = (day_number + 3) % 7 + 1  # 1970 began on a Thursday
        octets = in_day % 60_000 | in_day // 60_000 % 60 << 16 | in_day // 3_600_000 << 24 | summer << 31
        octets |= (day | weekday << 5) << 32 | (month_number % 12 + 1) << 40 | (month_number // 12 + 1970) % 100 << 48
        return octets.astype(np.uint64)

    def _offset_at(self, block: int) -> tuple[int, bool]:
        """Seconds east of UTC in a quarter of an hour of UTC, and whether that is summer time."""
        if self._zone is None:
            return 0, False
        moment = to_datetime(block * _BLOCK_S * SECOND_NS).astimezone(self._zone)
        return round((moment.utcoffset() or timedelta()).total_seconds()), bool(moment.dst())


def _calendar(octets: NDArray[np.uint64]) -> tuple[Times, Marks]:
    """Milliseconds since 1970 on the clock that wrote them, and where no clock could have."""
    millisecond = (octets & 0xFFFF).astype(np.int64)
    minute, hour = (octets >> 16 & 0x3F).astype(np.int64), (octets >> 24 & 0x1F).astype(np.int64)
    day, month = (octets >> 32 & 0x1F).astype(np.int64), (octets >> 40 & 0x0F).astype(np.int64)
    year = (octets >> 48 & 0x7F).astype(np.int64)
    wrong = (millisecond > 59_999) | (minute > 59) | (hour > 23) | (day < 1) | (month < 1) | (month > 12) | (year > 99)
    months = (year + 30) * 12 + np.clip(month, 1, 12) - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    next_first = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    wrong |= day > next_first - first
    return (first + day - 1) * 86_400_000 + hour * 3_600_000 + minute * 60_000 + millisecond, wrong
