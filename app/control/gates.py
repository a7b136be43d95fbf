"""Where the power of many devices is limited together: found from the diagram and the station's limits."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from app.control.fleet import NOWHERE, Fleet, Rows
from app.control.inputs import Reader
from app.control.protection import Gate
from app.model.config import DeviceKind
from app.model.control import Clip
from app.model.station import Station


@dataclass(frozen=True, slots=True)
class Metered:
    """A gate, and the rows of the power that is drawn through it, int64[1] each."""

    gate: Gate
    row: Rows
    kvar: Rows
    bears_kva: float
    """Of transformers; inf where the gate is a limit of active power."""

    def now(self, reader: Reader) -> tuple[Gate, float]:
        """The gate as it is now, and the kW drawn through it, import positive; NaN where nobody knows enough of it.

        Of transformers it is what they bear beside the reactive power, where the meter tells that.
        """
        drawn, kvar = float(reader.good(self.row)[0]), float(reader.good(self.kvar)[0])
        if math.isinf(self.bears_kva) or self.kvar[0] == NOWHERE:
            return self.gate, drawn
        if math.isnan(kvar):
            return self.gate, math.nan
        most = math.sqrt(self.bears_kva**2 - min(abs(kvar), self.bears_kva) ** 2)
        return replace(self.gate, import_kw=most, export_kw=most), drawn


def gates_of(station: Station, fleet: Fleet) -> tuple[Metered, ...]:
    """The grid connection, by the station's limits and what its transformers bear.

    All channels of active power and its limits lie behind the grid meter; a station without one has no gate.
    """
    meter = station.by_id.get(station.grid_meter or "")
    point = meter.role("active_power") if meter is not None else None
    if point is None or not len(fleet):
        return ()
    limits, row = station.limits, np.array([point.index], np.int64)
    reactive = meter.role("reactive_power") if meter is not None else None
    kvar = np.array([NOWHERE if reactive is None else reactive.index], np.int64)
    at = np.flatnonzero(fleet.is_active | fleet.is_limit)
    is_limit = fleet.is_limit[at]
    found = []
    if limits.import_kw is not None or limits.export_kw is not None:
        gate = Gate(limits.import_kw if limits.import_kw is not None else math.inf,
                    limits.export_kw if limits.export_kw is not None else math.inf,
                    at, is_limit, Clip.IMPORT, Clip.EXPORT)  # fmt: skip
        found.append(Metered(gate, row, kvar, math.inf))
    if bears := transformers_kva(station):
        gate = Gate(bears, bears, at, is_limit, Clip.TRANSFORMER, Clip.TRANSFORMER)
        found.append(Metered(gate, row, kvar, bears))
    return tuple(found)


def transformers_kva(station: Station) -> float:
    """What the transformers between grid and station bear together; 0 where nobody says."""
    devices = [one for one in station.devices if one.kind is DeviceKind.TRANSFORMER]
    at_grid = {node.device for node in station.topology if node.kind == "transformer" and node.device}
    return sum(one.ratings.apparent_kva or 0.0 for one in devices if not at_grid or one.id in at_grid)
