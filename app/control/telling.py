"""What was requested, allowed and sent, as points of the table: so that it is history, and a trend like any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from app.control.fleet import NOWHERE, Fleet, Floats, Rows
from app.model import quality as q
from app.model.own_points import SETPOINT_STAGES, control_id
from app.model.updates import Updates

Publish = Callable[[Updates], None]
_TINY: Final = 1e-9


class Telling:
    """Of one fleet. On the engine's loop."""

    def __init__(self, fleet: Fleet, publish: Publish) -> None:
        self._publish = publish
        rows = [
            [_row(fleet, one.device.id, control_id(one.quantity.value, stage)) for one in fleet.channels]
            for stage in SETPOINT_STAGES
        ]
        self._rows: Rows = np.array(rows, np.int64).reshape(-1)
        self._last: Floats = np.full(len(self._rows), np.nan)
        self._told = np.zeros(len(self._rows), np.bool_)

    def tell(self, requested: Floats, allowed: Floats, sent: Floats, now_ns: int) -> None:
        """What has changed since the last time. What is nothing now keeps its last value, and is not topical."""
        value = np.concatenate([requested, allowed, sent])
        there = np.isfinite(value)
        moved = there & ~(np.abs(value - self._last) <= _TINY)
        gone = ~there & self._told
        changed = (moved | gone) & (self._rows != NOWHERE)
        self._last = np.where(there, value, self._last)
        self._told = there
        if changed.any():
            quality = np.where(gone, q.NT, 0)[changed]
            self._publish(Updates.of(self._rows[changed], self._last[changed], quality, now_ns, now_ns))


def _row(fleet: Fleet, device: str, id_: str) -> int:
    return fleet.station.by_name.get(f"{device}.{id_}", NOWHERE)
