"""What strategies would have made of a record: the answer of a backtest, plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Side:
    """One side of the comparison."""

    import_kwh: float
    export_kwh: float
    peak_kw: float
    """The highest mean import of a step."""
    energy_cost: float
    """CNY; NaN without prices."""
    demand_cost: float
    """CNY, of the highest step of each month; NaN without a price."""


@dataclass(frozen=True, slots=True)
class Used:
    """What a storage did."""

    device: str
    charged_kwh: float
    discharged_kwh: float
    cycles: float
    """Full ones: what was discharged, over what it holds."""
    soc_low: float
    soc_high: float


@dataclass(frozen=True, slots=True)
class Report:
    """What strategies would have made of a record."""

    before: Side
    after: Side
    storage: tuple[Used, ...]
    pv_lost_kwh: float
    steps: int
    unknown: int
    """Steps of which the site's power was not known: nothing was done in them."""
    unsound: Mapping[str, int]
    """Strategy -> steps in which what it goes by was not known, and its devices went by their policy."""
    time_ns: NDArray[np.int64]
    before_kw: Floats
    after_kw: Floats
    storage_kw: Floats
    """float64[k, storages]."""
    soc: Floats
    """float64[k, storages], at the end of each step."""
