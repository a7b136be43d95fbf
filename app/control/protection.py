"""Protection: what every value passes last. Bounds of the device, of its battery and of the site; pure functions.

It outranks every strategy and every person (design, part 7). A bound that cannot be read allows nothing beyond rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.control.fleet import NOWHERE, Fleet, Floats, Rows, clamp
from app.control.inputs import Inputs, Reader, known, or_else
from app.control.policy import steps
from app.model.control import Clip, Quantity

Codes = NDArray[np.int8]
CLIPS: tuple[Clip, ...] = tuple(Clip)
_CODE = {clip: i for i, clip in enumerate(CLIPS)}
_TINY = 1e-6
_NO = np.int8(0)


def code(clip: Clip) -> int:
    """As it stands in columns."""
    return _CODE[clip]


def coded(rows: NDArray[np.bool_], clip: Clip) -> Codes:
    """The code of a rule where it holds, else 0."""
    codes: Codes = np.where(rows, np.int8(code(clip)), _NO)
    return codes


@dataclass
class Bounds:
    """What protection allows now, and which rule made each end; all of length n."""

    low: Floats
    high: Floats
    low_by: Codes
    high_by: Codes

    def at_least(self, low: Floats, clip: Clip) -> None:
        """Raise the low end where this is higher; the high end goes along, for the stricter rule holds."""
        self.__dict__.pop("ends", None)
        higher = low > self.low
        self.low = np.where(higher, low, self.low)
        self.low_by = np.where(higher, np.int8(code(clip)), self.low_by)

    def at_most(self, high: Floats, clip: Clip) -> None:
        """Lower the high end where this is lower."""
        self.__dict__.pop("ends", None)
        lower = high < self.high
        self.high = np.where(lower, high, self.high)
        self.high_by = np.where(lower, np.int8(code(clip)), self.high_by)

    @cached_property
    def ends(self) -> tuple[Floats, Floats]:
        """Of what is left when all rules have been told."""
        low, high = np.minimum(self.low, np.maximum(self.high, 0.0)), np.maximum(self.high, np.minimum(self.low, 0.0))
        return np.minimum(low, high), np.maximum(low, high)

    def clip(self, value: Floats) -> tuple[Floats, Codes]:
        """The values within the bounds, and the rule that moved each (0: none). Where the ends cross, it is at rest."""
        low, high = self.ends
        within = clamp(value, low, high)
        by = np.where(within > value + _TINY, self.low_by, np.where(within < value - _TINY, self.high_by, _NO))
        return within, by


class DeviceProtection:
    """The bounds of each channel by itself: rating, range, battery, state of charge, derating, interlocks."""

    def __init__(self, fleet: Fleet, reader: Reader) -> None:
        self._fleet = fleet
        self._reader = reader
        self._tells_most = fleet.is_active & (fleet.discharge_limit != NOWHERE)
        self._tells_least = fleet.is_active & (fleet.charge_limit != NOWHERE)
        known_kva = [
            one.quantity is Quantity.REACTIVE and one.device.ratings.apparent_kva is not None for one in fleet.channels
        ]
        self._apparent = np.flatnonzero(known_kva)
        devices = [fleet.channels[i].device for i in self._apparent]
        beside = [one.role("active_power") for one in devices]
        self._beside: Rows = np.array([NOWHERE if point is None else point.index for point in beside], np.int64)
        reader.need(self._beside)
        self._kva = np.array([one.ratings.apparent_kva for one in devices], np.float64)
        unknown = [one.ratings.power_kw or np.inf for one in devices]
        self._kw = np.where(self._beside == NOWHERE, 0.0, np.array(unknown, np.float64))
        self._has_soc = fleet.is_active & (fleet.soc != NOWHERE)
        self._curves: list[tuple[NDArray[np.intp], Rows, list[float], list[float], Clip]] = []
        self._locks: list[tuple[int, Rows]] = []
        for i, one in enumerate(fleet.channels):
            control = one.device.control
            battery = fleet.battery(one.device)
            for curve in control.derate:
                point = battery.role(curve.by) or one.device.role(curve.by)
                row = NOWHERE if point is None else point.index
                reader.need(np.array([row], np.int64))
                clip = (
                    Clip.CELL_VOLTAGE if "voltage" in curve.by else Clip.SOC if curve.by == "soc" else Clip.TEMPERATURE
                )
                self._curves.append((np.array([i]), np.array([row]), [x for x, _ in curve.curve],
                                     [y for _, y in curve.curve], clip))  # fmt: skip
            rows = [fleet.station.by_name[one.point.beside(name)] for name in control.interlocks]
            reader.need(np.array(rows, np.int64))
            if rows:
                self._locks.append((i, np.array(rows, np.int64)))

    def bounds(self, inputs: Inputs) -> Bounds:
        """Of this cycle."""
        fleet = self._fleet
        n = len(fleet)
        rating = np.full(n, code(Clip.RATING), np.int8)
        bounds = Bounds(fleet.low.copy(), fleet.high.copy(), rating, rating.copy())
        active = fleet.is_active
        zero = np.zeros(n)
        if len(self._apparent):
            most = self._reactive()
            bounds.at_most(most, Clip.RATING)
            bounds.at_least(-most, Clip.RATING)
        # A limit that the battery should tell and does not is a limit of nothing.
        bounds.at_most(np.where(self._tells_most, or_else(inputs.discharge_limit, 0.0), np.inf), Clip.BATTERY)
        bounds.at_least(np.where(self._tells_least, -or_else(inputs.charge_limit, 0.0), -np.inf), Clip.BATTERY)
        unknown = self._has_soc & np.isnan(inputs.soc)
        if unknown.any():
            bounds.at_most(np.where(unknown, zero, np.inf), Clip.BAD_INPUT)
            bounds.at_least(np.where(unknown, zero, -np.inf), Clip.BAD_INPUT)
        bounds.at_most(np.where(active & (inputs.soc <= fleet.soc_low), zero, np.inf), Clip.SOC)
        bounds.at_least(np.where(active & (inputs.soc >= fleet.soc_high), zero, -np.inf), Clip.SOC)
        self._derate(bounds)
        for i, rows in self._locks:
            if not np.all(or_else(self._reader.good(rows), 0.0) != 0):
                _hold_at_rest(bounds, i, Clip.INTERLOCK)
        return bounds

    def _reactive(self) -> Floats:
        """kvar that the apparent rating leaves beside the active power that flows; beside one that may not be used what
        its rating leaves, and beside none all of it."""
        kw = np.minimum(np.abs(or_else(self._reader.good(self._beside), self._kw)), self._kva)
        most: Floats = np.full(len(self._fleet), np.inf)
        most[self._apparent] = np.sqrt(self._kva**2 - kw**2)
        return most

    def _derate(self, bounds: Bounds) -> None:
        n = len(self._fleet)
        for at, row, xs, ys, clip in self._curves:
            value = float(self._reader.good(row)[0])
            part = float(np.interp(value, xs, ys)) / 100.0 if np.isfinite(value) else 0.0
            most = np.full(n, np.inf)
            rating = self._fleet.rating[at]  # a part of what nobody knows is nothing
            most[at] = np.inf if part >= 1.0 else np.where(np.isfinite(rating), rating, 0.0) * part
            bounds.at_most(most, clip if np.isfinite(value) else Clip.BAD_INPUT)
            bounds.at_least(-most, clip if np.isfinite(value) else Clip.BAD_INPUT)


def _hold_at_rest(bounds: Bounds, i: int, clip: Clip) -> None:
    bounds.low[i] = bounds.high[i] = 0.0
    bounds.low_by[i] = bounds.high_by[i] = code(clip)


@dataclass(frozen=True, slots=True)
class Gate:
    """A place where the power of many devices is limited together: the grid connection, a transformer."""

    import_kw: float
    export_kw: float
    channel: NDArray[np.intp]
    """Active and limit channels of the devices behind it."""
    is_limit: NDArray[np.bool_]
    """Of these, which are limits: a limit above what is given changes nothing now."""
    over: Clip
    under: Clip


def within_gate(gate: Gate, drawn_kw: float, power: Floats, value: Floats, held: Floats) -> tuple[Floats, Codes]:
    """Values of length n that keep what is drawn through a gate within its limits, and the rule that moved each.

    `drawn_kw` is what its meter shows now, import positive; `power` what each device gives now. What would be drawn
    follows from how far each value is from the device's present power. Too much import is taken from those that
    charge, too much export from those that give, each in parts of what it takes or gives. Without the meter no value
    may go further from rest than it is held now.
    """
    at = gate.channel
    result, by = value.copy(), np.zeros(len(value), np.int8)
    asked = np.isfinite(value[at])
    if not np.isfinite(drawn_kw):
        last = or_else(held[at], 0.0)
        kept = clamp(value[at], np.minimum(last, 0.0), np.maximum(last, 0.0))
        moved = asked & (np.abs(kept - value[at]) > _TINY)
        result[at] = np.where(asked, kept, value[at])
        by[at] = coded(moved, Clip.BAD_INPUT)
        return result, by
    now = or_else(power[at], 0.0)
    flows = clamp(now, 0.0, np.where(asked, value[at], 0.0))  # of a limit: what is given below it
    next_ = np.where(asked, np.where(gate.is_limit, flows, value[at]), now)
    drawn = drawn_kw - float((next_ - now).sum())
    if drawn > gate.import_kw + _TINY:
        room, clip = np.where(asked, np.maximum(-next_, 0.0), 0.0), gate.over
        over = drawn - gate.import_kw
        sign = 1.0
    elif -drawn > gate.export_kw + _TINY:
        room, clip = np.where(asked, np.maximum(next_, 0.0), 0.0), gate.under
        over = -drawn - gate.export_kw
        sign = -1.0
    else:
        return result, by
    total = float(room.sum())
    if total > 0:
        change = room * min(over / total, 1.0)
        result[at] = np.where(change > _TINY, next_ + sign * change, value[at])
        by[at] = coded(change > _TINY, clip)
    return result, by


def ramped(value: Floats, last: Floats, flows: Floats, per_s: Floats, dt_s: float) -> tuple[Floats, Codes]:
    """No value further from the last than its ramp allows; the first one begins at what flows, where that is known."""
    base = or_else(last, flows)
    step = np.where(known(base), steps(per_s, dt_s), np.inf)
    base = or_else(base, 0.0)
    within = clamp(value, base - step, base + step)
    return within, coded(np.abs(within - value) > _TINY, Clip.RAMP)


def first_of(codes: Sequence[Codes]) -> Codes:
    """Of several rules that moved a value, the one that came last."""
    result = codes[0]
    for later in codes[1:]:
        result = np.where(later != 0, later, result)
    return result
