"""What a source sent that could not be taken: counted, logged once, and remarked on the points that it belongs to."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Final

log = logging.getLogger("gridroom.mqtt")

QUIET_S: Final = 60.0
"""A source that comes and goes is logged no more often than this."""


class Trouble:
    """Of one source of one device: a topic, a reading, a metric. Written by one thread, read by any."""

    def __init__(self, device: str, where: str, points: Iterable[str]) -> None:
        self._device = device
        self._where = where
        self._points = tuple(points)
        """Full names."""
        self.count = 0
        self._now = ""
        self._logged_s = -QUIET_S

    def say(self, what: str) -> None:
        """It happened again, or something else did."""
        self.count += 1
        now_s = time.monotonic()
        if not self._now and now_s - self._logged_s >= QUIET_S:
            self._logged_s = now_s
            log.warning("device %s: %s: %s", self._device, self._where, what)
        self._now = what

    def over(self) -> None:
        """What came last was sound."""
        self._now = ""

    @property
    def words(self) -> str:
        """What is wrong; empty while nothing is."""
        now = self._now
        return f"{self._where}: {now} ({self.count} so far)" if now else ""

    def remarks(self) -> dict[str, str]:
        """Full point name -> what is wrong; empty while nothing is."""
        words = self.words
        return dict.fromkeys(self._points, words) if words else {}
