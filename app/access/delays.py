"""A delay that grows with failed sign-ins, and locks nobody out: it counts for one door and name, and ends soon."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from app.model.clock import SECOND_NS, Clock

FREE_TRIES: Final = 3
LONGEST_S: Final = 30.0
FORGOTTEN_S: Final = 900.0
"""After so long without a try it starts anew."""
MOST_KEPT: Final = 10_000
FREE_TRIES_OF_A_DOOR: Final = 10
"""Of all names together: who tries one password on many accounts waits as well."""


class Delays:
    """Failures by (door, name), on the monotonic clock, which nobody can set. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failed: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, door: str, name: str) -> float:
        """How long until the next try of this name by this door is looked at; 0 now."""
        now = self._clock.monotonic_ns()
        with self._lock:
            named = self._left(door, name, FREE_TRIES, now)
            return max(named, self._left(door, "", FREE_TRIES_OF_A_DOOR, now))

    def failed(self, door: str, name: str) -> None:
        """A try has failed."""
        now = self._clock.monotonic_ns()
        with self._lock:
            for key in ((door, name), (door, "")):
                count, last = self._failed.pop(key, (0, now))
                if now - last > FORGOTTEN_S * SECOND_NS:
                    count = 0
                self._failed[key] = (count + 1, now)
            while len(self._failed) > MOST_KEPT:
                self._failed.popitem(last=False)

    def succeeded(self, door: str, name: str) -> None:
        """The right password: what failed before under this name is forgiven, and under others not."""
        with self._lock:
            self._failed.pop((door, name), None)

    def _left(self, door: str, name: str, free: int, now: int) -> float:
        count, last = self._failed.get((door, name), (0, 0))
        if count < free:
            return 0.0
        wait = min(LONGEST_S, 2.0 ** min(count - free, 10))
        return max(0.0, wait - (now - last) / SECOND_NS)
