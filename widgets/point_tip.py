"""What hovering over a value tells: quality, times, and what the driver read where filters stand in between."""

from __future__ import annotations

from app.model.station import Point, Station
from app.model.views import Snapshot
from widgets import language
from widgets.language import tr
from widgets.times import clock_text
from widgets.values import format_value, quality_mark


def point_tip(station: Station, snapshot: Snapshot, point: Point, remark: str = "") -> str:
    """Several lines; `remark` is why the point has no value."""
    i, zone = point.index, station.zone
    time, received = int(snapshot.time[i]), int(snapshot.received[i])
    device = station.by_id[point.device].name.in_(language.name())
    lines = [
        f"{point.name} · {device}",
        format_value(float(snapshot.value[i]), point.form.precision, point.unit, point.form.states),
        tr("Quality: {letters}", letters=quality_mark(int(snapshot.quality[i])).text or tr("good")),
        raw_text(snapshot, point),
    ]
    if remark:
        lines.append(tr("The device says: {why}", why=remark))
    if time:
        lines.append(tr("Source time: {time}", time=clock_text(time, zone)))
    if received:
        lines.append(tr("Received: {time}", time=clock_text(received, zone)))
    return "\n".join(filter(None, lines))


def raw_text(snapshot: Snapshot, point: Point) -> str:
    """What the driver read before the point's filters, with its quality; empty for a point without filters.

    Without names of states: a filter may have made them of other numbers.
    """
    row = snapshot.raw.row(point.index) if snapshot.raw is not None else None
    if snapshot.raw is None or row is None:
        return ""
    value = format_value(float(snapshot.raw.value[row]), None, point.unit)
    marks = quality_mark(int(snapshot.raw.quality[row])).text
    return tr("Before filters: {value}", value=f"{value} {marks}".rstrip())
