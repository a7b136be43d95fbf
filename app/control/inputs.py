"""What control reads of the live table in one cycle: columns over the channels, NaN where a value may not be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.control.fleet import NOWHERE, Fleet, Floats, Rows
from app.model.clock import SECOND_NS
from app.model.quality import usable

OLD_SCANS: Final = 4
OLD_S: Final = 2.0
"""A value that is older than both, by the clock of the station, says nothing about now."""


class Table(Protocol):
    """The live table's columns, as the engine's thread sees them."""

    value: NDArray[np.float64]
    quality: NDArray[np.uint16]
    received: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Inputs:
    """All of length n (the fleet's channels)."""

    power: Floats
    """kW or kvar that flows."""
    held: Floats
    """What the device says that its setpoint is; NaN where it does not tell."""
    soc: Floats
    soh: Floats
    charge_limit: Floats
    discharge_limit: Floats
    remote: NDArray[np.bool_]
    """It may be commanded from here; true where it does not tell."""
    healthy: NDArray[np.bool_]
    """It tells no fault."""


class Reader:
    """Reads points of a table by row; what is old is not used."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        scan_s = fleet.station.columns.scan_s
        self._oldest_ns = (np.maximum(scan_s * OLD_SCANS, OLD_S) * SECOND_NS).astype(np.int64)
        computed = np.array([point.form.value is not None for point in fleet.station.points], np.bool_)
        self._ages = ~computed
        """Computed points are as old as what they are made of, which their quality tells."""

    def good(self, table: Table, rows: Rows, now_ns: int) -> Floats:
        """float64 of the rows' length; NaN for `NOWHERE` and for what may not be used."""
        at = np.where(rows == NOWHERE, 0, rows)
        value = table.value[at]
        old = self._ages[at] & (now_ns - table.received[at] > self._oldest_ns[at])
        good = (rows != NOWHERE) & usable(value, table.quality[at]) & ~old
        return np.where(good, value, np.nan)

    def read(self, table: Table, now_ns: int) -> Inputs:
        """Everything of this cycle."""
        fleet = self._fleet
        remote, fault = self.good(table, fleet.remote, now_ns), self.good(table, fleet.fault, now_ns)
        return Inputs(
            power=self.good(table, fleet.feedback, now_ns),
            held=self.good(table, fleet.setpoint, now_ns),
            soc=self.good(table, fleet.soc, now_ns),
            soh=self.good(table, fleet.soh, now_ns),
            charge_limit=self.good(table, fleet.charge_limit, now_ns),
            discharge_limit=self.good(table, fleet.discharge_limit, now_ns),
            remote=(fleet.remote == NOWHERE) | (np.nan_to_num(remote, nan=0.0) != 0),
            healthy=(fleet.fault == NOWHERE) | (np.nan_to_num(fault, nan=1.0) == 0),
        )
