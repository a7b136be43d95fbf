"""From one configuration of a running station to the next: what goes on, what begins and ends, where rows move."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.model.station import Device, Station

_FIXED: Final = ("id", "timezone", "directory", "read_only", "history", "records", "audit", "access")
"""What is built into the running station once: another is taken with the next start only."""
_NOT_OF_THE_FIELD: Final = frozenset(("name", "alarms", "range", "deadband", "clean"))
"""What table, alarms, history and screens look at, and no driver does."""

Line = Callable[[Device], str]
"""The line that a device hangs on, as its driver says it."""


def fixed_changes(before: Station, after: Station) -> tuple[str, ...]:
    """The parts of the configuration that differ and cannot be changed while the station runs."""
    return tuple(key for key in _FIXED if getattr(before, key) != getattr(after, key))


@dataclass(frozen=True)
class Succession:
    """Two stations of one id. Rows: int32, -1 where there is none."""

    before: Station
    after: Station
    line: Line

    @cached_property
    def to_old(self) -> NDArray[np.int32]:
        """int32[n after]: the row that a point had before."""
        known = self.before.by_name
        return np.array([known.get(point.name, -1) for point in self.after.points], np.int32)

    @cached_property
    def going_on(self) -> Mapping[str, int]:
        """Device id -> by how many rows its points move. Its line has the same devices, all the same to the field.

        The points of a device stand side by side in the table.
        """
        before, after = self._lines(self.before.devices), self._lines(self.after.devices)
        same = {
            key: devices for key, devices in after.items()
            if len(devices) == len(before.get(key, ()))
            and all(map(_same_to_the_field, before[key], devices))
        }  # fmt: skip
        return {
            device.id: device.points[0].index - self.before.by_id[device.id].points[0].index
            for devices in same.values() for device in devices
        }  # fmt: skip

    @cached_property
    def stopping(self) -> frozenset[str]:
        """Devices with a connection that ends, whether or not another takes its place."""
        return frozenset(one.id for one in self.before.devices if one.driver is not None) - self.going_on.keys()

    @cached_property
    def beginning(self) -> frozenset[str]:
        """Devices with a connection that is made."""
        return frozenset(one.id for one in self.after.devices if one.driver is not None) - self.going_on.keys()

    def _lines(self, devices: Iterable[Device]) -> dict[tuple[str, str], list[Device]]:
        lines: dict[tuple[str, str], list[Device]] = {}
        for device in devices:
            if device.driver is not None:
                lines.setdefault((device.driver, self.line(device)), []).append(device)
        return lines


def _same_to_the_field(before: Device, after: Device) -> bool:
    return _of_the_field(before) == _of_the_field(after)


def _of_the_field(device: Device) -> tuple[Any, ...]:
    points = [
        (point.name, {key: value for key, value in dict(point.form).items() if key not in _NOT_OF_THE_FIELD})
        for point in (*device.points, *device.texts)
    ]
    return device.id, dict(device.connection), device.blocks, device.timezone, points
