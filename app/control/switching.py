"""What strategies want started and stopped: when it may be done, so that no machine is started twice, or stopped that
somebody else has started."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from app.control.standing import Standing
from app.model.clock import SECOND_NS
from app.model.control import Mode
from app.model.station import Station
from app.model.text import Text

AGAIN_S: Final = 60.0
"""So long after one try there is no other: a genset takes its time."""
_RUNS_PCT: Final = 2.0
"""Of its rating: a machine that gives more runs."""


@dataclass(frozen=True, slots=True)
class Switch:
    """A strategy wants a device to run, or to rest."""

    device: str
    on: bool
    who: str
    why: Text


class Switching:
    """Of one station. On the engine's loop."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._tried_ns: dict[str, int] = {}

    def due(
        self, wanted: Iterable[Switch], power: Mapping[str, float], standing: Standing, monotonic_ns: int
    ) -> list[Switch]:
        """Those that are to be done now.

        `power` in kW by device, NaN where it may not be used: nothing is done then.
        """
        found = []
        for one in wanted:
            device = self._station.by_id[one.device]
            given = abs(power.get(one.device, math.nan))
            runs = given > _RUNS_PCT / 100.0 * (device.ratings.power_kw or 0.0)
            if math.isnan(given) or standing.stopped or standing.mode_of(one.device) is not Mode.AUTO or runs is one.on:
                continue
            if not one.on and one.device not in standing.started:
                continue
            least_s = device.control.minimum_off if one.on else device.control.minimum_on
            since_ns = monotonic_ns - self._tried_ns.get(one.device, -(1 << 62))
            if since_ns >= max(AGAIN_S, least_s or 0.0) * SECOND_NS:
                self._tried_ns[one.device] = monotonic_ns
                found.append(one)
        return found
