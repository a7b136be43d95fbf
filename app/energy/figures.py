"""Key figures of any station, from its points' roles and its devices' kinds: power now, state of charge, energy today.

Pure: a snapshot in, figures out. Quality is propagated: a figure that misses a contributor is marked DERIVED and says
how many of how many were used; one without any is NaN and NT.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.energy.today import DayBaseline
from app.model.config import DeviceKind
from app.model.quality import DERIVED, ESTIMATED, IV, NT, OV, usable
from app.model.station import Device, Station
from app.model.views import Snapshot

_CARRIED: Final = np.uint16(0xFFFF & ~(NT | IV))
"""Bits of a contributor that the sum shows too; what is unusable is left out of the sum instead, and counted."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the whole station."""

    value: float
    quality: int
    used: int
    """Contributors with a usable value."""
    of: int
    """Contributors that there are; 0 where the station has no such device."""
    since: int = 0
    """For energies of today: UTC nanoseconds from which they count; 0 for what is now."""

    @property
    def there(self) -> bool:
        """Whether the station has anything that makes this figure."""
        return self.of > 0


@dataclass(frozen=True, slots=True)
class Figures:
    """Powers in kW, SOC in %, energies of the station's own day in kWh.

    Signs as everywhere: PV, storage (discharging), genset and grid (importing) are positive into the busbar, load and
    chargers positive out of it.
    """

    pv: Figure
    storage: Figure
    soc: Figure
    """Weighted by rated energy where all batteries have one."""
    load: Figure
    """The sum of load devices; where there are none, the busbar's balance, marked ESTIMATED."""
    grid: Figure
    genset: Figure
    chargers: Figure
    pv_today: Figure
    charged_today: Figure
    discharged_today: Figure
    import_today: Figure
    export_today: Figure


NOTHING: Final = Figure(float("nan"), NT, 0, 0)


class FigureReader:
    """Knows where in a snapshot a station's key figures are."""

    def __init__(self, station: Station) -> None:
        self._station = station
        grid = station.by_id.get(station.grid_meter or "")
        self._power = {
            kind: _indices(self._of_kind(kind), "active_power")
            for kind in (DeviceKind.PV_INVERTER, DeviceKind.PCS, DeviceKind.LOAD, DeviceKind.GENSET, DeviceKind.CHARGER)
        }
        self._grid_power = _indices([grid] if grid else [], "active_power")
        self._soc, self._soc_weight = _soc(station)
        pv, pcs = self._of_kind(DeviceKind.PV_INVERTER), self._of_kind(DeviceKind.PCS)
        self._energy = {
            "pv": _indices(pv, "energy_export"),
            "charged": _indices(pcs, "energy_import"),
            "discharged": _indices(pcs, "energy_export"),
            "import": _indices([grid] if grid else [], "energy_import"),
            "export": _indices([grid] if grid else [], "energy_export"),
        }

    @property
    def counters(self) -> tuple[str, ...]:
        """Full names of the counters whose reading at the start of the day `read` wants in its baseline."""
        wanted = sorted({int(i) for indices in self._energy.values() for i in indices})
        return tuple(self._station.points[i].name for i in wanted)

    def read(self, snapshot: Snapshot, baseline: DayBaseline | None = None) -> Figures:
        """The figures of one moment. Without a baseline the energies of today are unknown."""
        good = usable(snapshot.value, snapshot.quality)
        power = {kind: _sum(snapshot, good, indices) for kind, indices in self._power.items()}
        grid = _sum(snapshot, good, self._grid_power)
        load = power[DeviceKind.LOAD]
        if not load.there:
            sources = (grid, power[DeviceKind.PV_INVERTER], power[DeviceKind.PCS], power[DeviceKind.GENSET])
            load = _balance(sources, power[DeviceKind.CHARGER])
        energy = {name: _today(snapshot, good, indices, baseline) for name, indices in self._energy.items()}
        return Figures(
            pv=power[DeviceKind.PV_INVERTER],
            storage=power[DeviceKind.PCS],
            soc=_mean(snapshot, good, self._soc, self._soc_weight),
            load=load,
            grid=grid,
            genset=power[DeviceKind.GENSET],
            chargers=power[DeviceKind.CHARGER],
            pv_today=energy["pv"],
            charged_today=energy["charged"],
            discharged_today=energy["discharged"],
            import_today=energy["import"],
            export_today=energy["export"],
        )

    def _of_kind(self, kind: DeviceKind) -> list[Device]:
        return [device for device in self._station.devices if device.kind is kind]


def _indices(devices: Iterable[Device], role: str) -> NDArray[np.intp]:
    points = (device.role(role) for device in devices)
    return np.array([point.index for point in points if point is not None], dtype=np.intp)


def _soc(station: Station) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Where the states of charge are, each battery once, and its weight in kWh (1 each where any has no rating)."""
    found: dict[int, float | None] = {}
    seen: set[str] = set()
    for device in station.devices:
        if device.kind is not DeviceKind.PCS:
            continue
        battery = station.by_id.get(device.bms or "")
        point = (battery.role("soc") if battery else None) or device.role("soc")
        seen.update((device.id, battery.id if battery else device.id))
        if point is not None:
            rated = device.ratings.energy_kwh or (battery.ratings.energy_kwh if battery else None)
            found.setdefault(point.index, rated)
    for device in station.devices:
        point = device.role("soc")
        if device.kind is DeviceKind.BMS and device.id not in seen and point is not None:
            found.setdefault(point.index, device.ratings.energy_kwh)
    weights = [weight or 0.0 for weight in found.values()]
    if not all(weights):
        weights = [1.0] * len(found)
    return np.array(list(found), dtype=np.intp), np.array(weights, dtype=np.float64)


def _quality(snapshot: Snapshot, indices: NDArray[np.intp], used: NDArray[np.bool_]) -> int:
    if not len(indices) or not used.any():
        return NT
    bits = int(np.bitwise_or.reduce(snapshot.quality[indices[used]]) & _CARRIED)
    return bits | (0 if used.all() else DERIVED)


def _sum(snapshot: Snapshot, good: NDArray[np.bool_], indices: NDArray[np.intp]) -> Figure:
    used = good[indices]
    value = float(snapshot.value[indices[used]].sum()) if used.any() else float("nan")
    return Figure(value, _quality(snapshot, indices, used), int(used.sum()), len(indices))


def _mean(
    snapshot: Snapshot, good: NDArray[np.bool_], indices: NDArray[np.intp], weight: NDArray[np.float64]
) -> Figure:
    used = good[indices]
    value = float(np.average(snapshot.value[indices[used]], weights=weight[used])) if used.any() else float("nan")
    return Figure(value, _quality(snapshot, indices, used), int(used.sum()), len(indices))


def _balance(sources: tuple[Figure, ...], chargers: Figure) -> Figure:
    """What flows out of the busbar unmetered. Unknown without the grid's power, which closes the balance."""
    grid = sources[0]
    parts = [figure for figure in (*sources, chargers) if figure.there]
    used, of = sum(part.used for part in parts), sum(part.of for part in parts)
    if not grid.there or not grid.used:
        return Figure(float("nan"), NT, used, of if grid.there else 0)
    value = sum(figure.value for figure in sources if figure.used) - (chargers.value if chargers.used else 0.0)
    quality = ESTIMATED | (DERIVED if used < of else 0)
    for part in parts:
        quality |= part.quality & int(_CARRIED) if part.used else 0
    return Figure(value, quality, used, of)


def _today(
    snapshot: Snapshot, good: NDArray[np.bool_], indices: NDArray[np.intp], baseline: DayBaseline | None
) -> Figure:
    if baseline is None or not len(indices):
        return Figure(float("nan"), NT, 0, len(indices))
    start, since = baseline.readings(indices)
    # The counter of a lost device stands where it was: its last reading counts, and the sum says that it is not whole.
    known = np.isfinite(snapshot.value[indices]) & ((snapshot.quality[indices] & (IV | OV)) == 0)
    used = known & np.isfinite(start)
    if not used.any():
        return Figure(float("nan"), NT, 0, len(indices))
    now = snapshot.value[indices[used]]
    # A counter that fell far was reset or exchanged: what it shows is what it counted since. One that fell a little did
    # not: history rounds to the point's precision, and a live f32 may lie just below its own rounded reading.
    begun_again = now < start[used] / 2
    grown = np.where(begun_again, now, np.maximum(now - start[used], 0.0))
    quality = _quality(snapshot, indices, used) | (0 if good[indices].all() else DERIVED)
    return Figure(float(grown.sum()), quality, int(used.sum()), len(indices), int(since[used].max()))
