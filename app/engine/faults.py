"""Faults of ours that may come with every tick: each is said, but not twenty times a second."""

from __future__ import annotations

import logging
from typing import Final

from app.model.clock import SECOND_NS, Clock

log = logging.getLogger("gridroom.engine")

AGAIN_S: Final = 60.0


class Faults:
    """Logs the exception being handled, the same one once a minute: more would push all else out of the log."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._said: dict[str, tuple[int, int]] = {}
        """What -> when it was said last, and how often it came since."""

    def say(self, what: str) -> None:
        """Call it in an except clause."""
        now = self._clock.monotonic_ns()
        said_ns, more = self._said.get(what, (None, 0))
        if said_ns is not None and now - said_ns < AGAIN_S * SECOND_NS:
            self._said[what] = said_ns, more + 1
            return
        self._said[what] = now, 0
        log.exception("%s%s", what, f"; {more} times more since it was last said" if more else "")
