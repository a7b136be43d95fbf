"""The engine's clock as the console knows it."""

from __future__ import annotations

import time

from app.console.bridge import Bridge
from app.model.clock import Clock


class StationTime(Clock):
    """The time of the last snapshot: ages and the right edge of trends are measured where the values are."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def now_ns(self) -> int:
        return self._bridge.snapshot.taken

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()
