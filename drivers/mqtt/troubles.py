"""What a source sent that could not be taken: counted, logged once, and remarked on the points that it belongs to."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Final

from app.model.text import Text

log = logging.getLogger("gridroom.mqtt")

QUIET_S: Final = 60.0
"""A source that comes and goes is logged no more often than this."""


class Trouble:
    """Of one source of one device: a topic, a reading, a metric. Written by one thread, read by any."""

    def __init__(self, device: str, where: Text, points: Iterable[str]) -> None:
        self._device = device
        self._where = where
        self._points = tuple(points)
        """Full names."""
        self.count = 0
        self._now: Text | None = None
        self._logged_s = -QUIET_S

    def say(self, what: Text) -> None:
        """It happened again, or something else did."""
        self.count += 1
        now_s = time.monotonic()
        if self._now is None and now_s - self._logged_s >= QUIET_S:
            self._logged_s = now_s
            log.warning("device %s: %s: %s", self._device, self._where.en, what.en)
        self._now = what

    def over(self) -> None:
        """What came last was sound."""
        self._now = None

    @property
    def text(self) -> Text | None:
        """What is wrong; None while nothing is."""
        where, now, count = self._where, self._now, self.count
        if now is None:
            return None
        return Text(f"{where.en}: {now.en} ({count} so far)", f"{where.zh}：{now.zh}（累计 {count} 次）")

    def remarks(self) -> dict[str, Text]:
        """Full point name -> what is wrong; empty while nothing is."""
        text = self.text
        return dict.fromkeys(self._points, text) if text else {}
