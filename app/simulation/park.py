"""The whole park: all machines on one busbar, advanced together, and every quantity of every device as one vector."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.model.station import Station
from app.simulation.charger import Chargers
from app.simulation.dynamics import Machines
from app.simulation.electrical import Counters, Flows, shown, split, tariff_period
from app.simulation.genset import Gensets
from app.simulation.grid import Grid, Supply, Transformer
from app.simulation.layout import highest, lay_out, rating_kva, rating_kw
from app.simulation.load import Loads
from app.simulation.noise import Floats
from app.simulation.pv import PvInverters
from app.simulation.storage import Storage
from app.simulation.weather import Sky
from app.simulation.weather_station import WeatherStation

STEP_S: Final = 1.0
MOST_STEPS: Final = 60
"""A plain step is cut into pieces of a second, but into no more than this many."""
WARM_UP_STEP_S: Final = 300.0
PATIENCE: Final = 4.0
"""Periods of its heartbeat after which a device misses it."""

Source = tuple[Sequence[str | None], Callable[[], dict[str, Floats]]]


class Park:
    """Everything that a station's devices measure, from `start` on (UTC seconds since 1970).

    It lives through the day from midnight to `start` when it is made, so that energies, states of charge and
    temperatures of the day are there.
    """

    def __init__(self, station: Station, *, seed: int, start_s: float) -> None:
        self.layout = lay_out(station)
        self._zone = station.zone
        layout = self.layout
        self.sky = Sky(seed, station.location, len(layout.pv))
        self.pv = PvInverters(
            seed + 20,
            np.array([rating_kw(device) for device in layout.pv]),
            [highest(device, r"mppt_?(\d+)") for device in layout.pv],
            [highest(device, r"(?:pv|string|str)_?(\d+)") for device in layout.pv],
        )
        units = layout.storage
        self.storage = Storage(
            seed + 40, np.array([u.rating_kw for u in units]), np.array([u.capacity_kwh for u in units])
        )
        self.storage.started = np.array([unit.pcs is not None for unit in units], dtype=np.bool_)
        self.gensets = Gensets(seed + 60, np.array([rating_kw(device) for device in layout.gensets]))
        self.chargers = Chargers(
            seed + 80,
            np.array([rating_kw(device) for device in layout.chargers]),
            [max(1, highest(device, r"(?:c|connector|gun)_?(\d+)_")) for device in layout.chargers],
        )
        rest = [layout.rest_kw] if layout.rest_kw else []
        self.loads = Loads(seed + 100, np.array([rating_kw(device) for device in layout.loads] + rest))
        self.transformers = Transformer(seed + 120, np.array([rating_kva(device) for device in layout.transformers]))
        self.grid = Grid(seed + 140, layout.nominal_v)
        self.weather_station = WeatherStation(len(layout.weather), station.location.elevation_m)
        for group, ids in (
            (self.pv, [device.id for device in layout.pv]), (self.storage, [unit.pcs for unit in layout.storage]),
        ):  # fmt: skip
            for row, id_ in enumerate(ids):
                control = station.by_id[id_].control if id_ is not None else None
                if control is not None and control.expiry is not None:
                    group.expiry_s[row] = control.expiry
                if control is not None and control.heartbeat is not None:
                    group.patience_s[row] = PATIENCE * control.heartbeat
        self._wire(seed)
        self._day = -1
        local = self._local(start_s)
        midnight = start_s - (local.hour * 3600 + local.minute * 60 + start_s % 60.0)
        self.time_s = midnight
        self.flows: Flows
        self.supply: Supply
        self._step(1e-3)
        while self.time_s < start_s - 1e-3:
            self._step(min(WARM_UP_STEP_S, start_s - self.time_s))
        self._lay_down()

    def _wire(self, seed: int) -> None:
        """Terminals in the order of the busbar's rows: machines, the grid connection, then meters over some of them."""
        layout = self.layout
        groups: list[tuple[Machines, Sequence[str | None], bool]] = [
            (self.pv, [device.id for device in layout.pv], True),
            (self.storage, [unit.pcs for unit in layout.storage], True),
            (self.gensets, [device.id for device in layout.gensets], True),
            (self.chargers, [device.id for device in layout.chargers], False),
            (self.loads, [*(device.id for device in layout.loads), *([None] if layout.rest_kw else [])], False),
        ]
        self._groups = [group for group, _, _ in groups]
        self.terminals: list[str | None] = [id_ for _, ids, _ in groups for id_ in ids]
        self._rows = {id_: (group, row) for group, ids, _ in groups for row, id_ in enumerate(ids) if id_}
        for row, unit in enumerate(layout.storage):
            if unit.bms:
                self._rows.setdefault(unit.bms, (self.storage, row))
        sources = np.array([source for group, _, source in groups for _ in range(group.count)], dtype=np.bool_)
        self._into_bus = np.where(sources, 1.0, -1.0)
        position = {id_: row for row, id_ in enumerate(self.terminals) if id_}
        self._sums = np.zeros((1 + len(layout.meters), len(self.terminals)))
        self._sums[0] = -self._into_bus
        for row, meter in enumerate(layout.meters, start=1):
            for id_ in meter.terminals:
                seen = self._into_bus[position[id_]]
                self._sums[row, position[id_]] = seen if meter.source_sign else -seen
        self.metered: list[str | None] = [layout.grid_meter, *(meter.device for meter in layout.meters)]
        self._share = np.full((len(self.terminals), 3), 1.0 / 3.0)
        first_load = len(self.terminals) - self.loads.count
        self._share[first_load:] = self.loads.share
        # The auxiliaries of the storage hang on the last load feeder, so that what is metered balances.
        self._auxiliary_row = len(self.terminals) - 1 if self.loads.count else -1
        meter_exports = [meter.source_sign for meter in layout.meters]
        imports = ~np.concatenate([sources, [False], np.array(meter_exports, dtype=np.bool_)])
        self.counters = Counters(seed + 160, imports, *self._history(imports))

    def _history(self, imports: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """What each counter counted in the park's first two months, kWh imported and exported: by kW of rating."""
        per_kw = ((0.0, 220.0), (112.0, 102.0), (0.0, 6.0), (70.0, 0.0), (400.0, 0.0))
        into, out = [], []
        ratings = (
            self.pv.rating_kw, self.storage.rating_kw, self.gensets.rating_kw, self.chargers.rating_kw,
            self.loads.rating_kw,
        )  # fmt: skip
        for rating, (imported, exported) in zip(ratings, per_kw, strict=True):
            into.append(imported * rating)
            out.append(exported * rating)
        machines_in, machines_out = np.concatenate(into), np.concatenate(out)
        taken = np.abs(self._sums) @ machines_in
        given_ = np.abs(self._sums) @ machines_out
        taken[0], given_[0] = max(0.0, 0.7 * (taken[0] - given_[0])), 0.08 * given_[0]
        return np.concatenate([machines_in, taken]), np.concatenate([machines_out, given_])

    def advance(self, dt_s: float) -> None:
        """Let time pass, in steps short enough for every response, and bring `values` up to date."""
        count = max(1, min(MOST_STEPS, math.ceil(dt_s / STEP_S)))
        for _ in range(count):
            self._step(dt_s / count)
        self.refresh()

    def _step(self, dt_s: float) -> None:
        """One step: everybody's power from the state at its beginning, then the balance and the counters."""
        self.time_s += dt_s
        now = self.time_s
        local = self._local(now)
        hour = local.hour + local.minute / 60.0 + (now % 60.0) / 3600.0
        day = local.toordinal()
        if day != self._day:
            self._day = day
            self.counters.new_day()
            self.pv.new_day()
        self.weather = self.sky.at(now)
        ambient_c = self.weather.ambient_c
        self.pv.step(dt_s, self.weather)
        self.storage.step(dt_s, hour, ambient_c)
        self.gensets.step(dt_s, ambient_c)
        self.chargers.step(dt_s, day, hour * 3600.0)
        self.loads.step(now, hour, local.weekday())
        self.weather_station.step(dt_s, self.weather)
        p = np.concatenate([group.p_kw for group in self._groups])
        q = np.concatenate([group.q_kvar for group in self._groups])
        if self._auxiliary_row >= 0:
            auxiliary_kw = float(self.storage.auxiliary_kw.sum())
            p[self._auxiliary_row] += auxiliary_kw
            q[self._auxiliary_row] += 0.4 * auxiliary_kw
        own = split(p, q, self._share)
        self.flows = Flows(
            np.concatenate([own.p, self._sums @ own.p]),
            np.concatenate([own.q, self._sums @ own.q]),
            np.concatenate([own.p_phase, self._sums @ own.p_phase]),
            np.concatenate([own.q_phase, self._sums @ own.q_phase]),
        )
        grid_kw, grid_kvar = self.grid_power
        rated = float(self.transformers.rating_kva.sum()) or max(float(np.abs(p).sum()), 1.0)
        self.supply = self.grid.at(now, grid_kw, grid_kvar, rated)
        self.transformers.step(dt_s, math.hypot(grid_kw, grid_kvar), ambient_c)
        self.counters.step(dt_s, self.flows, tariff_period(hour))

    @property
    def grid_power(self) -> tuple[float, float]:
        """kW and kvar drawn from the grid in the last step."""
        row = len(self.terminals)
        return float(self.flows.p[row]), float(self.flows.q[row])

    @property
    def into_bus(self) -> Floats:
        """float64[machines]: 1 where positive power of a terminal flows into the busbar, -1 where out of it."""
        return self._into_bus

    def command(self, device: str, verb: str, value: float = 1.0) -> bool:
        """Do what somebody wrote to a device. False where the device has nothing that could obey."""
        found = self._rows.get(device)
        if found is None:
            return device in self.layout.weather and self.weather_station.command(verb)
        group, row = found
        group.command(row, verb, value)
        return True

    def _local(self, time_s: float) -> datetime:
        return datetime.fromtimestamp(time_s, self._zone)

    # --- every quantity as one vector ---------------------------------------------------------------------------

    def _lay_down(self) -> None:
        """Give each (device, quantity) its place in `values`, which never changes again."""
        units = self.layout.storage
        everybody = [*self.terminals, *self.metered]
        self._sources: list[Source] = [
            (sorted({*self._all_devices()}), self._clock),
            (everybody, lambda: shown(self.flows, self.supply)),
            (everybody, self.counters.columns),
            ([device.id for device in self.layout.pv], self.pv.columns),
            ([unit.pcs for unit in units], self.storage.pcs_columns),
            ([unit.bms for unit in units], self.storage.bms_columns),
            ([device.id for device in self.layout.gensets], self._genset_columns),
            ([device.id for device in self.layout.chargers], self.chargers.columns),
            ([device.id for device in self.layout.loads], self._load_columns),
            ([device.id for device in self.layout.transformers], self.transformers.columns),
            (self.layout.weather, self.weather_station.columns),
        ]
        self.index: dict[tuple[str, str], int] = {}
        """(device, quantity) -> position in `values`."""
        at = 0
        for ids, columns in self._sources:
            for name in columns():
                self.index |= {(id_, name): at + row for row, id_ in enumerate(ids) if id_}
                at += len(ids)
        self.values: Floats = np.zeros(at)
        self.refresh()

    def refresh(self) -> None:
        """Write what is true now into `values`."""
        columns = [column for _, read in self._sources for column in read().values()]
        if columns:
            np.concatenate(columns, out=self.values)

    def _all_devices(self) -> Iterable[str]:
        layout = self.layout
        yield from (id_ for id_ in (*self.terminals, *self.metered) if id_)
        yield from (unit.bms for unit in layout.storage if unit.bms)
        yield from (device.id for device in layout.transformers)
        yield from layout.weather
        yield from layout.others

    def _clock(self) -> dict[str, Floats]:
        """What any device may show: its clock, a heartbeat, and that it is switched to remote."""
        count = len(set(self._all_devices()))
        local = self._local(self.time_s)
        numbers = {
            "heartbeat": math.floor(self.time_s) % 65536, "unix_time": math.floor(self.time_s), "remote": 1,
            "year": local.year, "month": local.month, "day": local.day, "hour": local.hour, "minute": local.minute,
            "second": local.second, "breaker": 1, "fault": 0,
        }  # fmt: skip
        return {name: np.full(count, float(number)) for name, number in numbers.items()}

    def _load_columns(self) -> dict[str, Floats]:
        closed = self.loads.closed[: len(self.layout.loads)].astype(np.float64)
        return {"breaker": closed, "running": closed, "rated_power": self.loads.rating_kw[: len(self.layout.loads)]}

    def _genset_columns(self) -> dict[str, Floats]:
        """A standing generator has neither voltage nor frequency."""
        own = self.gensets.columns()
        excited = own.pop("excited")
        supply = self.supply
        for k, (phase, line) in enumerate(zip(supply.phase_v, supply.line_v, strict=True)):
            own[f"voltage_l{k + 1}"] = phase * excited
            own[f"mains_voltage_l{k + 1}"] = np.full(len(excited), phase)
            own["voltage_" + ("l12", "l23", "l31")[k]] = line * excited
        own["voltage"] = float(supply.phase_v.mean()) * excited
        own["line_voltage"] = float(supply.line_v.mean()) * excited
        own["frequency"] = supply.frequency_hz * excited
        return own
