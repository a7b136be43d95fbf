"""The channels of a station that can be commanded, as columns: which points they read, what bounds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.model.config import DeviceKind
from app.model.control import FEEDBACK_ROLES, SETPOINT_ROLES, Quantity
from app.model.station import Device, Point, Station

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
T = TypeVar("T", bound=np.generic)

NOWHERE: Final = -1
"""Row of a point that a channel does not have."""


def clamp(value: Floats, low: Floats | float, high: Floats | float) -> Floats:
    """Within these, as `np.clip`, in a third of its time for short columns."""
    within: Floats = np.minimum(np.maximum(value, low), high)
    return within


def carried(column: NDArray[T], at: NDArray[np.intp], new: Any) -> NDArray[T]:
    """A column of another fleet as one of this: `at` of `Fleet.positions_in`, `new` for channels that it had not."""
    result: NDArray[T] = np.full((len(at), *column.shape[1:]), new, column.dtype)
    result[at >= 0] = column[at[at >= 0]]
    return result


@dataclass(frozen=True, slots=True)
class Channel:
    """One quantity of one device that is set."""

    device: Device
    quantity: Quantity
    point: Point
    """Which is written."""
    rating: float
    """kW, or kVA of reactive power; inf where neither rating nor range is known."""


class Fleet:
    """Channels in the station's order; every column has their number as its length, n."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self.channels: tuple[Channel, ...] = tuple(
            channel for device in station.devices for channel in _channels(device)
        )
        channels = self.channels
        self.position = {one.point.name: i for i, one in enumerate(channels)}
        """By the name of the setpoint."""
        self._names: dict[int, tuple[str, ...]] = {}
        self._of: dict[tuple[tuple[str, ...], Quantity, bool], NDArray[np.intp]] = {}
        self.is_active = np.array([one.quantity is Quantity.ACTIVE for one in channels], np.bool_)
        self.is_cap = np.array([one.quantity is Quantity.LIMIT for one in channels], np.bool_)
        """The most that may flow, and not what shall flow."""
        self.is_load = np.array([one.device.kind is DeviceKind.CHARGER for one in channels], np.bool_) & self.is_cap
        """What a charger may take, out of the busbar."""
        self.is_limit = self.is_cap & ~self.is_load
        """What an inverter may give."""
        self.is_reactive = np.array([one.quantity is Quantity.REACTIVE for one in channels], np.bool_)
        self.setpoint: Rows = np.array([one.point.index for one in channels], np.int64)
        self.feedback: Rows = self._rows(lambda one: FEEDBACK_ROLES[one.quantity])
        self.remote: Rows = self._rows(lambda one: "remote")
        self.fault: Rows = self._rows(lambda one: "fault")
        self.soc, self.soh = self._battery("soc"), self._battery("soh")
        self.charge_limit, self.discharge_limit = self._battery("charge_limit"), self._battery("discharge_limit")
        self.cell_high_v, self.cell_low_v = self._battery("cell_voltage_max"), self._battery("cell_voltage_min")
        self.cell_hot, self.cell_cold = self._battery("cell_temperature_max"), self._battery("cell_temperature_min")
        self.rating: Floats = np.array([one.rating for one in channels])
        self.energy_kwh: Floats = np.array([self._energy(one.device) for one in channels])
        bounds = [_bounds(one) for one in channels]
        self.low: Floats = np.array([low for low, _ in bounds])
        self.high: Floats = np.array([high for _, high in bounds])
        controls = [one.device.control for one in channels]
        self.safe: Floats = np.array([
            one.device.control.safe_kw if one.quantity is Quantity.ACTIVE
            else one.rating if one.quantity is Quantity.LIMIT and np.isfinite(one.rating) else 0.0
            for one in channels
        ])  # fmt: skip
        """Where a channel goes when nobody knows better: storage to `safe_kw`, PV to its full power."""
        self.ramp_per_s: Floats = np.array([control.ramp_kw_per_s or np.inf for control in controls])
        self.soc_low: Floats = np.array([control.soc[0] for control in controls])
        self.soc_high: Floats = np.array([control.soc[1] for control in controls])
        self.dead_zone: Floats = np.where(self.is_active, np.array([control.dead_zone_kw for control in controls]), 0.0)
        self.minimum_change: Floats = np.array([control.minimum_change_kw for control in controls])

    def __len__(self) -> int:
        return len(self.channels)

    def of(self, devices: Sequence[str], quantity: Quantity, *, load: bool = False) -> NDArray[np.intp]:
        """Positions of one quantity's channels of these devices, in the order in which the devices are named; of
        chargers with `load`, of all others without.

        The same array for the same devices: what is made of it once a cycle can be kept by it.
        """
        key = tuple(devices), quantity, load
        if key not in self._of:
            place = {(one.device.id, one.quantity): i for i, one in enumerate(self.channels)}
            at = [place[id_, quantity] for id_ in devices if (id_, quantity) in place]
            self._of[key] = np.array([i for i in at if self.is_load[i] == load], np.intp)
        return self._of[key]

    def positions_in(self, before: Fleet) -> NDArray[np.intp]:
        """intp[n]: where each channel was in another fleet, by its setpoint's name; -1 where it was not."""
        return np.array([before.position.get(one.point.name, -1) for one in self.channels], np.intp)

    def names(self, at: NDArray[np.intp]) -> tuple[str, ...]:
        """Ids of the devices of some channels, whose array `of` gave."""
        key = id(at)
        if key not in self._names:
            self._names[key] = tuple(self.channels[i].device.id for i in at)
        return self._names[key]

    @cached_property
    def by_device(self) -> dict[str, list[int]]:
        """Device id -> positions of its channels."""
        found: dict[str, list[int]] = {}
        for i, one in enumerate(self.channels):
            found.setdefault(one.device.id, []).append(i)
        return found

    @cached_property
    def inputs(self) -> Rows:
        """Every row of the table that a channel reads, each once."""
        rows = np.unique(np.concatenate([
            self.feedback, self.remote, self.fault, self.soc, self.soh, self.charge_limit, self.discharge_limit,
            self.cell_high_v, self.cell_low_v, self.cell_hot, self.cell_cold,
        ]))  # fmt: skip
        known: Rows = rows[rows != NOWHERE]
        return known

    def battery(self, device: Device) -> Device:
        """The device that knows the battery: its own `bms`, or itself."""
        return self.station.by_id.get(device.bms or "", device)

    def _rows(self, role: Callable[[Channel], str]) -> Rows:
        points = [one.device.role(role(one)) for one in self.channels]
        return np.array([NOWHERE if point is None else point.index for point in points], np.int64)

    def _battery(self, role: str) -> Rows:
        """Of the active power's channel; what the converter itself does not tell, its battery does."""
        points = [
            self.battery(one.device).role(role) or one.device.role(role) if one.quantity is Quantity.ACTIVE else None
            for one in self.channels
        ]
        return np.array([NOWHERE if point is None else point.index for point in points], np.int64)

    def _energy(self, device: Device) -> float:
        return device.ratings.energy_kwh or self.battery(device).ratings.energy_kwh or np.nan


def _channels(device: Device) -> list[Channel]:
    found = []
    for role, quantity in SETPOINT_ROLES.items():
        point = device.role(role)
        if point is None or device.driver is None or (quantity is Quantity.LIMIT and device.kind is DeviceKind.PCS):
            continue
        found.append(Channel(device, quantity, point, _rating(device, quantity, point)))
    return found


def _rating(device: Device, quantity: Quantity, point: Point) -> float:
    """Where nobody says, the largest that the setpoint's range allows."""
    ratings = device.ratings
    known = ratings.apparent_kva or ratings.power_kw if quantity is Quantity.REACTIVE else ratings.power_kw
    return known or max(map(abs, point.form.range or ()), default=0.0) or np.inf


def _bounds(one: Channel) -> tuple[float, float]:
    """What rating and the point's range allow."""
    low, high = one.point.form.range or (-np.inf, np.inf)
    low, high = max(low, -one.rating), min(high, one.rating)
    return (max(low, 0.0), high) if one.quantity is Quantity.LIMIT else (low, high)
