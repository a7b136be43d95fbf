"""Where the time axis has its ticks: on round moments of the station's wall clock, daylight saving included."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from app.model.clock import MS_NS, SECOND_NS, to_datetime
from widgets.times import zone_name

_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400
_STEPS_S: Final = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30,
    _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE,
    _HOUR, 2 * _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY,
)  # fmt: skip
_LAST_YEAR: Final = 9998
_MONTHS: Final = (1, 3, 6, 12, 24, 60, 120)


class Tick(NamedTuple):
    time_ns: int
    label: str
    below: str
    """The second line: the date where a day begins, the zone where the clock was put back or forward."""


class _Stretch(NamedTuple):
    """A piece of time with one offset from UTC, its end excluded."""

    start_ns: int
    end_ns: int
    offset_s: int
    after_change: bool


def offset_s(time_ns: int, zone: ZoneInfo) -> int:
    """Seconds that the wall clock is ahead of UTC."""
    shift = to_datetime(time_ns).astimezone(zone).utcoffset()
    return int(shift.total_seconds()) if shift is not None else 0


def _stretches(start_ns: int, end_ns: int, zone: ZoneInfo) -> list[_Stretch]:
    """Cut an interval where the offset changes. Looks once a day; no zone changes twice in one."""
    cuts = [start_ns]
    probe = start_ns
    while probe < end_ns:
        later = min(probe + _DAY * SECOND_NS, end_ns)
        before = offset_s(probe, zone)
        if offset_s(later, zone) != before:
            low, high = probe, later
            while high - low > SECOND_NS:
                middle = (low + high) // 2
                low, high = (middle, high) if offset_s(middle, zone) == before else (low, middle)
            cuts.append(high // SECOND_NS * SECOND_NS)
        probe = later
    ends = [*cuts[1:], end_ns + 1]
    return [
        _Stretch(start, end, offset_s(start, zone), start != start_ns) for start, end in zip(cuts, ends, strict=True)
    ]


def ticks(start_ns: int, end_ns: int, zone: ZoneInfo, most: int) -> list[Tick]:
    """At most about `most` ticks in [start, end], oldest first."""
    span_s = (end_ns - start_ns) / SECOND_NS
    rough = span_s / max(most, 1)
    step = next((s for s in _STEPS_S if s >= rough), None)
    if step is None:
        return _calendar(start_ns, end_ns, zone, rough)
    found: list[Tick] = []
    for stretch in _stretches(start_ns, end_ns, zone):
        found += _in_stretch(stretch, step, zone)
    return found


def _in_stretch(stretch: _Stretch, step_s: float, zone: ZoneInfo) -> list[Tick]:
    step = round(step_s * SECOND_NS)
    shift = stretch.offset_s * SECOND_NS
    if step_s == 7 * _DAY:
        shift += 3 * _DAY * SECOND_NS  # 1970-01-01 was a Thursday; weeks begin on Monday
    first = -(-(stretch.start_ns + shift) // step) * step - shift
    found: list[Tick] = []
    for time_ns in range(first, stretch.end_ns, step):
        local = to_datetime(time_ns).astimezone(zone)
        below = zone_name(time_ns, zone) if stretch.after_change and not found else ""
        if step_s >= _DAY:
            found.append(Tick(time_ns, f"{local:%m-%d}", f"{local:%Y}" if local.timetuple().tm_yday <= 7 else ""))
        else:
            midnight = local.hour == local.minute == local.second == 0 and time_ns % SECOND_NS == 0
            found.append(Tick(time_ns, _clock(local, time_ns, step_s), f"{local:%m-%d}" if midnight else below))
    return found


def _clock(local: datetime, time_ns: int, step_s: float) -> str:
    if step_s >= _MINUTE:
        return f"{local:%H:%M}"
    if step_s >= 1:
        return f"{local:%H:%M:%S}"
    digits = 1 if step_s >= 0.1 else 2 if step_s >= 0.01 else 3
    return f"{local:%M:%S}.{time_ns % SECOND_NS // MS_NS:03d}"[: 6 + digits]


def _calendar(start_ns: int, end_ns: int, zone: ZoneInfo, rough_s: float) -> list[Tick]:
    months = next((m for m in _MONTHS if m * 30.4 * _DAY >= rough_s), 12 * math.ceil(rough_s / (365.25 * _DAY)))
    local = to_datetime(start_ns).astimezone(zone)
    number = -(-(local.year * 12 + local.month - 1) // months) * months
    found: list[Tick] = []
    while True:
        year, month = divmod(number, 12)
        number += months
        if year > _LAST_YEAR:
            return found
        moment = datetime(year, month + 1, 1, tzinfo=zone)
        time_ns = (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) * SECOND_NS
        if time_ns > end_ns:
            return found
        if time_ns >= start_ns:
            label = f"{year}" if months >= 12 else f"{year}-{month + 1:02d}"
            found.append(Tick(time_ns, label, ""))
