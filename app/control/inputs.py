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
"""A value that nothing new was received of for longer than both says nothing about now."""


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
    """It may be commanded from here; true where it has no such point."""
    healthy: NDArray[np.bool_]
    """It tells no fault."""


class Reader:
    """Reads points of the table by row; what is old is not used.

    Who needs rows says so once; `look` judges all of them at the beginning of a cycle, and `good` only picks.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        points = fleet.station.points
        scan_s = fleet.station.columns.scan_s
        self._oldest_ns = (np.maximum(scan_s * OLD_SCANS, OLD_S) * SECOND_NS).astype(np.int64)
        self._ages = np.array([point.form.value is None for point in points], np.bool_)
        """Computed points are as old as what they are made of, which their quality tells."""
        self._rows: Rows = np.empty(0, np.int64)
        self._received: Rows = np.full(len(points), -1, np.int64)
        self._since_ns: Rows = np.zeros(len(points), np.int64)
        """Monotonic, when each was last seen to be received anew: a clock that is set makes nothing old or new."""
        self._no_remote, self._no_fault = fleet.remote == NOWHERE, fleet.fault == NOWHERE
        self._seen: Floats = np.full(len(points) + 1, np.nan)
        """A value a point; the last one stands for `NOWHERE`, which is -1."""
        for rows in (fleet.inputs, fleet.setpoint):
            self.need(rows)

    def need(self, rows: Rows) -> None:
        """These are asked for later."""
        every: Rows = np.union1d(self._rows, rows)
        self._rows = every[every != NOWHERE]

    def follow(self, before: Reader) -> None:
        """What was old there is as old here."""
        known, points = before._fleet.station.by_name, self._fleet.station.points
        for row in self._rows.tolist():
            if (there := known.get(points[row].name)) is not None:
                self._received[row], self._since_ns[row] = before._received[there], before._since_ns[there]
                self._seen[row] = before._seen[there]

    def look(self, table: Table, monotonic_ns: int) -> None:
        """Judge everything that is needed, as it is now."""
        rows = self._rows
        value, received = table.value[rows], table.received[rows]
        self._since_ns[rows] = np.where(received != self._received[rows], monotonic_ns, self._since_ns[rows])
        self._received[rows] = received
        old = self._ages[rows] & (monotonic_ns - self._since_ns[rows] > self._oldest_ns[rows])
        self._seen[rows] = np.where(usable(value, table.quality[rows]) & ~old, value, np.nan)

    def since(self, rows: Rows) -> Rows:
        """int64 of the rows' length: monotonic, when each was last seen to be received anew."""
        found: Rows = self._since_ns[rows]
        return found

    def good(self, rows: Rows) -> Floats:
        """float64 of the rows' length; NaN for `NOWHERE` and for what may not be used."""
        found: Floats = self._seen[rows]
        return found

    def read(self) -> Inputs:
        """Everything of this cycle."""
        fleet, good = self._fleet, self.good
        remote, fault = good(fleet.remote), good(fleet.fault)
        return Inputs(
            power=good(fleet.feedback),
            held=good(fleet.setpoint),
            soc=_between(good(fleet.soc), 0.0, 100.0),
            soh=_between(good(fleet.soh), 1.0, 110.0),
            charge_limit=_between(good(fleet.charge_limit), 0.0, np.inf),
            discharge_limit=_between(good(fleet.discharge_limit), 0.0, np.inf),
            remote=self._no_remote | (known(remote) & (remote != 0)),
            healthy=self._no_fault | (fault == 0),  # what is not known is not 0
        )


def _between(values: Floats, low: float, high: float) -> Floats:
    """What can be meant; a state of charge of 65535 is none, and a limit below 0 would ask for the opposite."""
    possible: Floats = np.where((values >= low) & (values <= high), values, np.nan)
    return possible


def known(values: Floats) -> NDArray[np.bool_]:
    """Where there is a number."""
    result: NDArray[np.bool_] = values == values  # noqa: PLR0124 (NaN is not equal to itself: half the time of isnan)
    return result


def or_else(values: Floats, instead: float | Floats) -> Floats:
    """The values, and `instead` where there is none."""
    result: Floats = np.where(known(values), values, instead)
    return result
