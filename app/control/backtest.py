"""Try before you trust: strategies over recorded power, through the same arbiter and protection, with modelled storage.

Pure: columns in, a report out. The step is that of the record, 15 minutes as a rule; within it everything stands still.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.control.controller import Controller
from app.control.fleet import NOWHERE, Floats, clamp
from app.control.inputs import or_else
from app.control.loading import Bound
from app.control.standing import Standing
from app.control.tariff import Tariff
from app.model.backtest import Report, Side, Used
from app.model.clock import SECOND_NS, to_datetime
from app.model.config import DeviceKind
from app.model.control import Running
from app.model.errors import GridroomError
from app.model.station import Station
from app.model.text import Text

EFFICIENCY: Final = 0.95
"""Of charging, and of discharging: 0.9 for a round trip, as converters and lithium cells together have."""
START_SOC: Final = 50.0
_SMALL: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Record:
    """What was recorded, or is assumed: k steps of equal length."""

    time_ns: NDArray[np.int64]
    """int64[k], UTC, the beginning of each step."""
    step_s: float
    site_kw: Floats
    """float64[k]: what the grid would have given if all storage had stood still; NaN where nobody knows."""
    pv_kw: Floats
    """float64[k, inverters]: what each inverter gave."""
    points: Mapping[str, Floats] = field(default_factory=dict)
    """Full name of a point that strategies go by -> float64[k]; NaN where nobody knows."""


class _Park:
    """The table that a controller reads, and the storage behind it."""

    def __init__(self, station: Station, controller: Controller, soc: float) -> None:
        fleet, n = controller.fleet, len(station.points)
        self.value, self.quality = np.full(n, np.nan), np.zeros(n, np.uint16)
        self.received = np.zeros(n, np.int64)
        self._fleet = fleet
        self.storage = np.flatnonzero(fleet.is_active)
        self.pv = np.flatnonzero(fleet.is_limit)
        self.capacity = np.where(np.isfinite(fleet.energy_kwh), fleet.energy_kwh, 2.0 * fleet.rating)[self.storage]
        self.soc = np.full(len(self.storage), soc)
        self._low, self._high = fleet.soc_low[self.storage], fleet.soc_high[self.storage]
        self.power = np.zeros(len(self.storage))
        meter = station.by_id.get(station.grid_meter or "")
        point = meter.role("active_power") if meter is not None else None
        if point is None:
            raise GridroomError(Text("a backtest needs the station's grid meter", "回测需要站点的关口表"))
        self._meter = point.index
        self._assume()

    def _assume(self) -> None:
        """What is no part of the record: devices are in remote and sound, nothing locks them, nothing derates them."""
        fleet = self._fleet
        for rows, value in ((fleet.remote, 1.0), (fleet.fault, 0.0), (fleet.soh, 100.0)):
            self._put(rows, np.full(len(rows), value))
        for one in fleet.channels:
            control, battery = one.device.control, fleet.battery(one.device)
            for curve in control.derate:
                if point := battery.role(curve.by) or one.device.role(curve.by):
                    self.value[point.index] = max(curve.curve, key=lambda at: at[1])[0]
            for name in control.interlocks:
                self.value[fleet.station.by_name[one.point.beside(name)]] = 1.0

    def show(self, now_ns: int, site_kw: float, pv_kw: Floats, pv_was: Floats, points: Mapping[int, float]) -> None:
        """This is measured now: `pv_kw` as limited, `pv_was` as recorded; `points` row -> value of what strategies go
        by."""
        fleet = self._fleet
        self.received[:] = now_ns
        for row, value in points.items():
            self.value[row] = value
        self.value[self._meter] = site_kw - float(self.power.sum()) + float((pv_was - pv_kw).sum())
        feedback = np.zeros(len(fleet))
        feedback[self.storage], feedback[self.pv] = self.power, pv_kw
        self._put(fleet.feedback, feedback)
        soc = np.zeros(len(fleet))
        soc[self.storage] = self.soc
        self._put(fleet.soc, soc)
        for rows in (fleet.charge_limit, fleet.discharge_limit):
            self._put(rows, np.where(np.isfinite(fleet.rating), fleet.rating, 0.0))

    def give(self, wanted: Floats, step_s: float) -> None:
        """For one step; nothing beyond its band, where protection would end it within the step."""
        hours = step_s / 3600.0
        wanted = or_else(wanted, 0.0)
        stored = self.soc / 100.0 * self.capacity
        over, under = np.maximum(self.soc - self._low, 0.0), np.maximum(self._high - self.soc, 0.0)
        most = over / 100.0 * self.capacity * EFFICIENCY / hours
        least = -under / 100.0 * self.capacity / EFFICIENCY / hours
        self.power = clamp(wanted, least, most)
        taken = np.where(self.power > 0, self.power / EFFICIENCY, self.power * EFFICIENCY) * hours
        self.soc = clamp(100.0 * (stored - taken) / self.capacity, 0.0, 100.0)

    def _put(self, rows: NDArray[np.int64], values: Floats) -> None:
        there = rows != NOWHERE
        self.value[rows[there]] = values[there]


def backtest(
    station: Station,
    strategies: Sequence[Bound],
    record: Record,
    tariff: Tariff | None = None,
    *,
    modes: Mapping[str, Running] | None = None,
    soc: float = START_SOC,
    told: Callable[[float], bool] = lambda share: True,
) -> Report:
    """Run every strategy that is not off as if it were live: by `modes`, and where they do not name it by its file.

    `told` is told the share done; False calls it off. Raises GridroomError.
    """
    how = {one.id: (modes or {}).get(one.id, one.running) for one in strategies}
    standing = Standing(running={id_: mode if mode is Running.OFF else Running.LIVE for id_, mode in how.items()})
    # A station that only reads is one that is to be tried.
    station = replace(station, read_only=False)
    controller = Controller(station, strategies, standing, at_one_moment=True)
    park = _Park(station, controller, soc)
    steps, m = len(record.time_ns), len(park.storage)
    if not m:
        raise GridroomError(Text("the station has no storage that can be set", "本站没有可控储能"))
    after, given, levels = np.full(steps, np.nan), np.zeros((steps, m)), np.zeros((steps, m))
    lost, monotonic_ns, unsound = 0.0, SECOND_NS, Counter[str]()
    points = {station.by_name[name]: values for name, values in record.points.items()}
    full = controller.fleet.rating[park.pv]
    limit = full.copy()
    pv = or_else(record.pv_kw, 0.0)
    for k in range(steps):
        now_ns, site = int(record.time_ns[k]), float(record.site_kw[k])
        monotonic_ns += round(record.step_s * SECOND_NS)
        was = pv[k]
        if math.isnan(site):
            park.give(np.zeros(m), record.step_s)
        else:
            allowed, beside = controller.last, {row: float(values[k]) for row, values in points.items()}
            for _ in range(2):  # what was limited shows in what is measured
                park.show(now_ns, site, np.minimum(was, limit), was, beside)
                allowed = controller.cycle(park, now_ns, monotonic_ns).allowed
                monotonic_ns += 1
                before, limit = limit, np.where(np.isfinite(allowed[park.pv]), allowed[park.pv], full)
                if np.array_equal(before, limit):
                    break
                park.give(allowed[park.storage], _SMALL)
            park.give(allowed[park.storage], record.step_s)
            unsound.update(one.bound.id for one in controller.runners if one.wish is not None and not one.wish.sound)
            cut = float((was - np.minimum(was, limit)).sum())
            lost += cut * record.step_s / 3600.0
            after[k] = site - float(park.power.sum()) + cut
        given[k], levels[k] = park.power, park.soc
        if k % 500 == 0 and not told(k / steps):
            raise GridroomError(Text("called off", "已取消"))
    known = np.isfinite(record.site_kw)
    devices = [controller.fleet.channels[i].device.id for i in park.storage]
    used = tuple(_used(devices[i], given[:, i], levels[:, i], park.capacity[i], record.step_s) for i in range(m))
    return Report(
        _side(station, record, record.site_kw, tariff), _side(station, record, after, tariff), used, lost, steps,
        int((~known).sum()), dict(unsound), record.time_ns, record.site_kw, after, given, levels,
    )  # fmt: skip


def _used(device: str, power: Floats, soc: Floats, capacity: float, step_s: float) -> Used:
    hours = step_s / 3600.0
    discharged = float(np.maximum(power, 0).sum()) * hours
    return Used(device, float(np.maximum(-power, 0).sum()) * hours, discharged, discharged / capacity,
                float(soc.min()), float(soc.max()))  # fmt: skip


def _side(station: Station, record: Record, kw: Floats, tariff: Tariff | None) -> Side:
    """Energies, peak and what they cost. Export earns nothing: what it is paid is no part of a tariff."""
    hours = record.step_s / 3600.0
    drawn = np.maximum(np.nan_to_num(kw), 0.0)
    energy, demand = math.nan, math.nan
    if tariff is not None:
        local = [to_datetime(int(ns)).astimezone(station.zone) for ns in record.time_ns]
        prices = np.array([price if (price := tariff.price_at(one)) is not None else math.nan for one in local])
        energy = float((drawn * hours * prices).sum())
        months: dict[tuple[int, int], float] = {}
        rates: dict[tuple[int, int], float] = {}
        for one, power in zip(local, drawn.tolist(), strict=True):
            month = one.year, one.month
            months[month] = max(months.get(month, 0.0), power)
            rate = tariff.demand_price(one)
            rates[month] = math.nan if rate is None else rate
        demand = sum(peak * rates[month] for month, peak in months.items())
    peak = float(np.nanmax(kw)) if np.isfinite(kw).any() else math.nan
    exported = float(np.maximum(-np.nan_to_num(kw), 0.0).sum()) * hours
    return Side(float(drawn.sum()) * hours, exported, peak, energy, demand)


def storage_of(station: Station) -> list[str]:
    """Ids of the storage whose recorded power is taken out of the site's."""
    return [one.id for one in station.devices if one.kind is DeviceKind.PCS and one.role("active_power") is not None]
