"""Trips: a value beyond its limit for too long leads a device to its safe power, until a person resets it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.control.fleet import Fleet
from app.control.inputs import Reader
from app.control.standing import Standing
from app.model.clock import SECOND_NS
from app.model.config import TripForm
from app.model.station import Point
from app.model.text import Text


@dataclass(slots=True)
class _Watched:
    device: str
    point: Point
    form: TripForm
    since_ns: int = 0
    """Monotonic; 0 while it is within its limit."""


class Trips:
    """Of a fleet's devices. On the engine's loop."""

    def __init__(self, fleet: Fleet, reader: Reader) -> None:
        self._reader = reader
        self._watched: list[_Watched] = []
        for id_ in fleet.by_device:
            device = fleet.station.by_id[id_]
            for form in device.control.trips:
                point = fleet.battery(device).role(form.by) or device.role(form.by)
                if point is not None:
                    self._watched.append(_Watched(id_, point, form))
        self._rows = np.array([one.point.index for one in self._watched], np.int64)
        reader.need(self._rows)

    def follow(self, before: Trips) -> None:
        """Go on where those of another fleet stood: of the same limits of the same devices."""
        since = {(one.device, one.point.name, one.form): one.since_ns for one in before._watched}
        for one in self._watched:
            one.since_ns = since.get((one.device, one.point.name, one.form), 0)

    def watch(self, monotonic_ns: int, standing: Standing) -> None:
        """Trip what has been beyond its limit for long enough. A value that may not be used trips nothing: it is bad
        input, and goes by the device's policy."""
        if not self._watched:
            return
        for one, value in zip(self._watched, self._reader.good(self._rows).tolist(), strict=True):
            form = one.form
            beyond = (form.above is not None and value > form.above) or (form.below is not None and value < form.below)
            if not beyond:
                one.since_ns = 0
                continue
            one.since_ns = one.since_ns or monotonic_ns
            if monotonic_ns - one.since_ns >= form.after * SECOND_NS and one.device not in standing.trips:
                shown = f"{value:g} {one.point.unit}".strip()
                standing.trips[one.device] = Text(f"{one.point.name} was {shown}", f"{one.point.name} 达到 {shown}")
