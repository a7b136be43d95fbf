"""Which machines a station has and what each meter sees, read from kinds, ratings, parents and topology."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from app.model.config import DeviceKind
from app.model.station import Device, Station

SOURCES: Final = (DeviceKind.PV_INVERTER, DeviceKind.PCS, DeviceKind.GENSET)
DEFAULT_KW: Final[dict[DeviceKind, float]] = {
    DeviceKind.PV_INVERTER: 100.0, DeviceKind.PCS: 100.0, DeviceKind.GENSET: 200.0, DeviceKind.CHARGER: 60.0,
    DeviceKind.LOAD: 200.0, DeviceKind.METER: 200.0,
}  # fmt: skip
"""Ratings of devices that declare none."""
STORAGE_HOURS: Final = 2.0
DEFAULT_KVA: Final = 1000.0
DEFAULT_VOLTAGE_V: Final = 400.0


@dataclass(frozen=True, slots=True)
class StorageUnit:
    """One battery and its converter; either may be missing."""

    pcs: str | None
    bms: str | None
    rating_kw: float
    capacity_kwh: float


@dataclass(frozen=True, slots=True)
class Metering:
    """What one meter sees: a sum of terminals, or a load of its own."""

    device: str
    terminals: tuple[str, ...]
    source_sign: bool
    """Positive into the busbar, since only sources are seen; otherwise positive out of it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The park of one station."""

    pv: tuple[Device, ...]
    storage: tuple[StorageUnit, ...]
    gensets: tuple[Device, ...]
    chargers: tuple[Device, ...]
    loads: tuple[Device, ...]
    meters: tuple[Metering, ...]
    grid_meter: str | None
    transformers: tuple[Device, ...]
    weather: tuple[str, ...]
    others: tuple[str, ...]
    """Devices of which physics knows nothing."""
    rest_kw: float
    """Rating of a load that nobody meters; 0 where the station has load feeders."""
    nominal_v: float


def lay_out(station: Station) -> Layout:
    """Read the park from a station's devices."""
    of_kind = {kind: tuple(d for d in station.devices if d.kind is kind) for kind in DeviceKind}
    wiring = _Wiring(station)
    loads, meters = list(of_kind[DeviceKind.LOAD]), []
    for meter in of_kind[DeviceKind.METER]:
        if meter.id == station.grid_meter:
            continue
        seen = wiring.machines_below(meter)
        if seen:
            sources = all(device.kind in SOURCES for device in seen)
            meters.append(Metering(meter.id, tuple(device.id for device in seen), sources))
        elif wiring.is_feeder(meter.parent):
            loads.append(meter)
        else:
            meters.append(Metering(meter.id, (), source_sign=False))
    buses = [node.voltage_kv for node in station.topology if node.kind == "bus" and node.voltage_kv]
    machines = (*SOURCES, DeviceKind.CHARGER, DeviceKind.LOAD, DeviceKind.METER, DeviceKind.BMS)
    known = (*machines, DeviceKind.TRANSFORMER, DeviceKind.WEATHER)
    return Layout(
        pv=of_kind[DeviceKind.PV_INVERTER],
        storage=_storage(of_kind[DeviceKind.PCS], of_kind[DeviceKind.BMS]),
        gensets=of_kind[DeviceKind.GENSET],
        chargers=of_kind[DeviceKind.CHARGER],
        loads=tuple(loads),
        meters=tuple(meters),
        grid_meter=station.grid_meter,
        transformers=of_kind[DeviceKind.TRANSFORMER],
        weather=tuple(device.id for device in of_kind[DeviceKind.WEATHER]),
        others=tuple(device.id for device in station.devices if device.kind not in known),
        rest_kw=0.0 if loads else (station.limits.import_kw or DEFAULT_KW[DeviceKind.LOAD]),
        nominal_v=min(buses) * 1000.0 if buses else DEFAULT_VOLTAGE_V,
    )


def rating_kw(device: Device) -> float:
    """Rated active power, or what such a device commonly has."""
    ratings = device.ratings
    return ratings.power_kw or ratings.apparent_kva or DEFAULT_KW.get(device.kind, 100.0)


def rating_kva(device: Device) -> float:
    """Rated apparent power of a transformer."""
    return device.ratings.apparent_kva or device.ratings.power_kw or DEFAULT_KVA


def highest(device: Device, form: str) -> int:
    """The highest number that `form` (a pattern with one group) finds in the ids of a device's points; 0 for none."""
    found = (re.match(form, point.id) for point in device.points)
    return max((int(match[1]) for match in found if match), default=0)


def _storage(converters: Sequence[Device], batteries: Sequence[Device]) -> tuple[StorageUnit, ...]:
    by_id = {device.id: device for device in batteries}
    units = []
    for pcs in converters:
        battery = by_id.pop(pcs.bms, None) if pcs.bms else None
        power = rating_kw(pcs)
        energy = pcs.ratings.energy_kwh or (battery.ratings.energy_kwh if battery else None) or power * STORAGE_HOURS
        units.append(StorageUnit(pcs.id, battery.id if battery else None, power, energy))
    for battery in by_id.values():
        energy = battery.ratings.energy_kwh or DEFAULT_KW[DeviceKind.PCS] * STORAGE_HOURS
        units.append(StorageUnit(None, battery.id, battery.ratings.power_kw or energy / STORAGE_HOURS, energy))
    return tuple(units)


class _Wiring:
    """What hangs below what."""

    def __init__(self, station: Station) -> None:
        self._devices = station.by_id
        self._kinds = {node.id: node.kind for node in station.topology}
        self._below: dict[str, list[str]] = {}
        for node in station.topology:
            for upper, lower in ((node.from_, node.id), (node.id, node.to), (node.id, node.device)):
                if upper and lower:
                    self._below.setdefault(upper, []).append(lower)
        for device in station.devices:
            if device.parent:
                self._below.setdefault(device.parent, []).append(device.id)

    def is_feeder(self, place: str | None) -> bool:
        return self._kinds.get(place or "") == "feeder"

    def machines_below(self, meter: Device) -> list[Device]:
        """Sources, chargers and loads that the meter's place feeds; of a device as parent, that device itself."""
        found: dict[str, Device] = {}
        waiting = [meter.parent] if meter.parent else []
        done: set[str] = set()
        while waiting:
            place = waiting.pop()
            if place in done:
                continue
            done.add(place)
            device = self._devices.get(place)
            if device is not None and device.kind in (*SOURCES, DeviceKind.CHARGER, DeviceKind.LOAD):
                found[device.id] = device
            waiting += self._next(place)
        return sorted(found.values(), key=lambda device: list(self._devices).index(device.id))

    def _next(self, place: str) -> Iterable[str]:
        return self._below.get(place, ())
