"""From columns to what one strategy sees, and from its wish to claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.control.arbiter import Claim
from app.control.fleet import NOWHERE, Fleet, Floats, Rows
from app.control.inputs import Inputs, Reader, known
from app.control.loading import Bound
from app.control.standing import Manual
from app.control.strategies.contract import Ask, Units, View, Wish
from app.model.control import ORDERS, Quantity, Rank
from app.model.station import Station


@dataclass(frozen=True, slots=True)
class Places:
    """Which channels a strategy may use, as positions in the fleet, and which rows it reads besides."""

    storage: NDArray[np.intp]
    pv: NDArray[np.intp]
    reactive: NDArray[np.intp]
    chargers: NDArray[np.intp]
    meter: Rows
    """Active and reactive power of its meter."""
    names: tuple[str, ...]
    points: Rows

    sets: NDArray[np.intp]
    """Of all these, which it sets."""
    orders: tuple[str, ...]
    """Of its names, those of dispatch centres' orders, which are no points: infinite until something is ordered."""


def places_of(station: Station, fleet: Fleet, bound: Bound) -> Places:
    """Looked up once."""
    meter = station.by_id.get(bound.meter or "")
    powers = [meter.role(role) if meter is not None else None for role in ("active_power", "reactive_power")]
    names = bound.strategy.points()
    at = {quantity: fleet.of(bound.devices, quantity) for quantity in Quantity}
    chargers = fleet.of(bound.devices, Quantity.LIMIT, load=True)
    sets = [at[quantity] for quantity in bound.strategy.uses]
    return Places(
        at[Quantity.ACTIVE],
        at[Quantity.LIMIT],
        at[Quantity.REACTIVE],
        chargers,
        np.array([NOWHERE if one is None else one.index for one in powers], np.int64),
        names,
        np.array([station.by_name.get(name, NOWHERE) for name in names], np.int64),
        np.concatenate([*sets, *([chargers] if bound.strategy.uses_chargers else ())]),
        tuple(name for name in names if name.startswith(ORDERS)),
    )


@dataclass(frozen=True, slots=True)
class Moment:
    """What all strategies of a cycle have in common."""

    now_ns: int
    local: datetime
    inputs: Inputs
    last: Floats
    """What was allowed last, NaN before the first."""
    low: Floats
    high: Floats
    """What protection allows of each channel by itself."""
    full_age_s: Floats
    units: dict[tuple[int, int], Units] = field(default_factory=dict)
    """What was made in this cycle already, by the identity of its columns."""


def view_of(
    places: Places, moment: Moment, free: NDArray[np.bool_], fleet: Fleet, reader: Reader, dt_s: float,
    orders: Mapping[str, Manual],
) -> View:  # fmt: skip
    """What a strategy sees; `free` bool[n] which channels it may use now."""
    kw, kvar = reader.good(places.meter)
    values = dict(zip(places.names, reader.good(places.points).tolist(), strict=True))
    for name in places.orders:
        values[name] = orders[name].value if name in orders else np.inf
    return View(
        moment.now_ns, moment.local, dt_s, float(kw), float(kvar),
        _units(places.storage, moment, free, fleet), _units(places.pv, moment, free, fleet),
        _units(places.reactive, moment, free, fleet), _units(places.chargers, moment, free, fleet),
        values,
    )  # fmt: skip


_NOTHING: Final = np.empty(0)
_NONE: Final = Units(
    (), *(_NOTHING,) * 11, np.empty(0, np.bool_)
)  # fmt: skip


def _units(at: NDArray[np.intp], moment: Moment, free: NDArray[np.bool_], fleet: Fleet) -> Units:
    if not len(at):
        return _NONE
    key = id(at), id(free)
    if key not in moment.units:
        moment.units[key] = _made(at, moment, free, fleet)
    return moment.units[key]


def _made(at: NDArray[np.intp], moment: Moment, free: NDArray[np.bool_], fleet: Fleet) -> Units:
    inputs = moment.inputs
    usable = free[at] & inputs.remote[at] & inputs.healthy[at] & known(inputs.power[at])
    soc = np.where(usable, inputs.soc[at], np.nan)
    low, high = fleet.soc_low[at], fleet.soc_high[at]
    without = usable & (fleet.soc[at] == NOWHERE)  # no state of charge ends what it gives, such as reactive power
    return Units(
        fleet.names(at), fleet.rating[at], np.where(usable, inputs.power[at], np.nan), moment.last[at], soc,
        inputs.soh[at], np.where(without | (soc < high), np.maximum(-moment.low[at], 0.0), 0.0),
        np.where(without | (soc > low), np.maximum(moment.high[at], 0.0), 0.0), fleet.energy_kwh[at], low, high,
        moment.full_age_s[at], usable,
    )  # fmt: skip


def claims_of(wish: Wish, rank: Rank, places: Places) -> list[Claim]:
    """A wish as claims on the fleet's channels. What is no number asks for nothing."""
    pairs: list[tuple[NDArray[np.intp], Ask | None]] = [
        (places.storage, wish.storage), (places.pv, wish.pv), (places.reactive, wish.reactive),
        (places.chargers, wish.chargers),
    ]  # fmt: skip
    claims = [_claim(rank, at, ask) for at, ask in pairs if ask is not None and len(at)]
    if wish.idle is not None and len(places.storage):
        claims.append(replace(_claim(rank, places.storage, wish.idle), is_last=True))
    return claims


def _claim(rank: Rank, at: NDArray[np.intp], ask: Ask) -> Claim:
    low, high = np.fmax(ask.low, -np.inf), np.fmin(ask.high, np.inf)  # NaN bounds nothing
    return Claim(rank, at, low, np.maximum(high, low), np.where(np.isfinite(ask.target), ask.target, np.nan))


def only(claim: Claim, rows: NDArray[np.bool_]) -> Claim:
    """The part of a claim that is for these channels; `rows` bool[n] over the fleet."""
    chosen = rows[claim.channel]
    if chosen.all():
        return claim
    return replace(claim, channel=claim.channel[chosen], low=claim.low[chosen], high=claim.high[chosen],
                   target=claim.target[chosen])  # fmt: skip


def well_formed(wish: object, places: Places) -> bool:
    """Whether what a strategy answered can be used: a plugin may answer anything."""
    if not isinstance(wish, Wish):
        return False
    sizes: list[tuple[Any, int]] = [
        (wish.storage, len(places.storage)), (wish.pv, len(places.pv)), (wish.reactive, len(places.reactive)),
        (wish.chargers, len(places.chargers)), (wish.idle, len(places.storage)),
    ]  # fmt: skip
    return all(ask is None or all(_shape(one) == (m,) for one in (ask.low, ask.high, ask.target)) for ask, m in sizes)


def _shape(one: Any) -> Any:
    """As `np.shape`, and at once of what has one."""
    return getattr(one, "shape", None) or np.shape(one)
