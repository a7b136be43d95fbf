"""Moments as a person reads them, in the station's zone."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from app.model.clock import MS_NS, SECOND_NS, to_datetime
from widgets.values import NOTHING


def clock_text(time_ns: int, zone: ZoneInfo) -> str:
    """`2026-11-20 14:03:27 CST`."""
    local = to_datetime(time_ns).astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M:%S} {zone_name(time_ns, zone)}"


def zone_name(time_ns: int, zone: ZoneInfo) -> str:
    """`CST`, or the offset where the zone has no letters."""
    name = to_datetime(time_ns).astimezone(zone).tzname() or ""
    return name if name[:1].isalpha() else f"UTC{name}"


def moment_text(time_ns: int, zone: ZoneInfo, now_ns: int = 0, *, milliseconds: bool = False) -> str:
    """`14:02:55` of today, `11-19 14:02:55` of another day of the year, with the year otherwise. Nothing: a dash.

    now_ns: what today is; 0 always writes the whole date.
    """
    if time_ns <= 0:
        return NOTHING
    local = to_datetime(time_ns).astimezone(zone)
    now = to_datetime(now_ns).astimezone(zone) if now_ns else None
    if now is not None and local.date() == now.date():
        text = f"{local:%H:%M:%S}"
    elif now is not None and local.year == now.year:
        text = f"{local:%m-%d %H:%M:%S}"
    else:
        text = f"{local:%Y-%m-%d %H:%M:%S}"
    return f"{text}.{time_ns % SECOND_NS // MS_NS:03d}" if milliseconds else text
