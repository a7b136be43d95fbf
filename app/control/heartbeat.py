"""A counter that some devices want to see rise: it tells them that whoever commands them is there."""

from __future__ import annotations

from typing import Final

from app.model.clock import SECOND_NS, Clock
from app.model.config import PointKind
from app.model.station import Device, Point

LARGEST: Final = 65535.0
"""Counted to where the point names no range: what the smallest of such counters holds (SunSpec 802, CtrlHb)."""
NEVER: Final = 1 << 62
"""Nanoseconds: not due."""


def point_of(device: Device) -> Point | None:
    """Where its heartbeat is written; None where it has no such setpoint."""
    point = device.role("heartbeat")
    return point if point is not None and point.kind is PointKind.SETPOINT else None


class Heartbeat:
    """Of one device. It rises only while somebody says that the device is commanded: `alive`, each cycle of control."""

    def __init__(self, point: Point, every_s: float, expiry_ns: int, clock: Clock) -> None:
        self.point = point
        self._every_ns = round(every_s * SECOND_NS)
        self._expiry_ns = expiry_ns
        self._clock = clock
        self._low, self._high = point.form.range or (0.0, LARGEST)
        self._count = self._low
        self._alive_ns = self._beaten_ns = 0
        """Monotonic; 0 before the first."""

    def alive(self) -> None:
        self._alive_ns = self._clock.monotonic_ns()

    def rest(self) -> None:
        """It is not commanded any more: nothing is written to it from now on."""
        self._alive_ns = 0

    def due(self) -> int:
        """Nanoseconds until it is to be written; 0 now."""
        now = self._clock.monotonic_ns()
        if not self._alive_ns or now - self._alive_ns > self._expiry_ns:
            return NEVER
        return max(0, self._beaten_ns + self._every_ns - now) if self._beaten_ns else 0

    def beat(self) -> float:
        """What is written now."""
        self._beaten_ns = self._clock.monotonic_ns()
        self._count = self._count + 1.0 if self._count < self._high else self._low
        return self._count
