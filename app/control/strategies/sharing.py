"""One target for several storages, shared by state of charge, limits and health."""

from __future__ import annotations

import numpy as np

from app.control.strategies.contract import Ask, Floats, Units, column

_SHARE_FLOOR = 1e-9


def capacity(units: Units) -> tuple[float, float]:
    """(charge, discharge) in kW that all usable ones together can give now, neither negative."""
    return float(units.charge.sum()), float(units.discharge.sum())


def share(total_kw: float, units: Units) -> Floats:
    """float64[m]: what each gives of a total (discharge positive); less than it where they cannot.

    In discharge by the energy above the band's low end, in charge by the room below its high end, both with the health
    taken in: so all arrive at the ends of their bands together. A limit that is met hands the rest on to the others.
    """
    caps = units.discharge if total_kw > 0 else units.charge
    if abs(total_kw) <= _SHARE_FLOOR:
        return np.zeros(len(units))
    if abs(total_kw) >= caps.sum():
        return caps if total_kw > 0 else -caps
    soc = np.where(np.isnan(units.soc), 0.0, units.soc)
    room = soc - units.soc_low if total_kw > 0 else units.soc_high - soc
    healthy = np.where(np.isnan(units.soh), 1.0, units.soh / 100.0)
    energy = np.where(np.isfinite(units.energy_kwh), units.energy_kwh, caps)
    weight = np.where(caps > 0, np.maximum(room, _SHARE_FLOOR) * healthy * energy, 0.0)
    given = np.zeros(len(units))
    left, open_ = abs(total_kw), caps > 0
    while left > _SHARE_FLOOR and open_.any():
        part = left * weight / weight[open_].sum() * open_
        over = open_ & (given + part >= caps)
        if not over.any():
            given += part
            break
        given[over] = caps[over]
        left = abs(total_kw) - given.sum()
        open_ &= ~over
    signed: Floats = np.copysign(given, total_kw)
    return signed


def at_least(total_kw: float, units: Units, target: Floats | None = None) -> Ask:
    """Together they give at least this total: a low bound for each; `target` float64[m] where one is wanted."""
    m = len(units)
    return Ask(share(total_kw, units), column(m, np.inf), column(m, np.nan) if target is None else target)


def at_most(total_kw: float, units: Units) -> Ask:
    """Together they give at most this total."""
    m = len(units)
    return Ask(column(m, -np.inf), share(total_kw, units), column(m, np.nan))
