"""When what is due: schedules that never drift, for each due time counts from the start, not from the last read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.model.clock import SECOND_NS
from app.model.station import Device, Point
from drivers.contract import Plan, Pollable


@dataclass(slots=True)
class ScanGroup:
    """Points of one device that are read together, and when next. Times are monotonic nanoseconds."""

    period_ns: int
    points: Sequence[Point]
    link: Pollable
    plan: Plan
    due_ns: int = 0
    failures: int = 0
    """Reads in a row without an answer."""
    lost: bool = False
    """Whether its points are marked as not topical, while the device answers otherwise."""

    def begin(self, now_ns: int, phase: float) -> None:
        """Start the schedule; the phase, 0 to 1 of a period, keeps devices from asking all at once.

        Everything was read just now: it is not due again before half a period is over.
        """
        self.due_ns = now_ns + round(self.period_ns * (phase if phase >= 0.5 else phase + 1))

    def done(self, now_ns: int) -> int:
        """Go on to the next due time that still lies ahead; returns how many were missed meanwhile."""
        missed = max(0, (now_ns - self.due_ns) // self.period_ns)
        self.due_ns += self.period_ns * (1 + missed)
        return missed


def group_by_scan(device: Device) -> list[tuple[int, list[Point]]]:
    """(period in nanoseconds, points) of everything that is polled, the fastest first."""
    groups: dict[int, list[Point]] = {}
    for point in device.points:
        if point.polled:
            groups.setdefault(round(point.form.scan * SECOND_NS), []).append(point)
    return sorted(groups.items())
