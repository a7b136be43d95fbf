"""From physics to points and back: which quantity a point shows, and what a write to it asks for.

A point is understood by its role first, then by its id, so that nothing here knows a vendor. A status with `states`
gets the code whose English text says what the machine does.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from app.model.config import DeviceKind, PointKind
from app.model.station import Device, Point
from app.model.units import conversion
from app.simulation.charger import AMPS_PER_KW
from app.simulation.dynamics import State, Verb
from app.simulation.layout import rating_kw
from app.simulation.vocabulary import (
    CHARGER_CODES,
    CONNECTOR_LIMIT,
    FORMS,
    INSTEAD,
    LETTERS,
    OFF,
    ON,
    SETTINGS,
    STATE_WORDS,
    UNITS_AT_END,
    USUAL,
)

_FORMS: Final = [(re.compile(form), names.split()) for form, names in FORMS.items()]
_UNIT: Final = re.compile(UNITS_AT_END)
_LETTER: Final = re.compile(r"(u|i|p|q|s|pf|thd)(?:_(l[123]|l12|l23|l31))?(?:_(?:mean|avg|total))?")
_CODES: Final = ("phases", "rain_type")
"""Quantities that are codes already."""
_NATURAL: Final = {"oil_pressure": "hPa", "running_hours": "h", "running_minutes_day": "min", "session_time": "s"}
"""Units of quantities whose points come in several units."""
_ORDERS: Final = (Verb.START, Verb.STOP, Verb.RESET, Verb.OPEN, Verb.CLOSE)
_SETPOINTS: Final = (Verb.POWER, Verb.REACTIVE, Verb.LIMIT)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a point shows: value = quantity * factor + offset, or the code at the quantity's place in `codes`."""

    quantity: str
    factor: float = 1.0
    offset: float = 0.0
    codes: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What writing a point asks for: the verb, and its value = written * factor."""

    verb: str
    factor: float = 1.0
    only: tuple[float, ...] = ()
    """Values that count as the order; empty where any does."""
    on: float | None = None
    """For a switch: the value that means on."""


def meaning(device: Device, point: Point, known: Collection[str]) -> Meaning | None:
    """The quantity that a point shows, out of those `known` of its device; None where physics has none."""
    quantity = next((name for name in _candidates(device, point) if name in known), None)
    if quantity is None:
        return None
    states = _texts(point)
    if quantity.endswith("state"):
        return Meaning(quantity, codes=_state_codes(device, states))
    if point.kind is PointKind.STATUS or quantity == Verb.LIMIT_SWITCH:
        if states and quantity not in _CODES and not {0, 1} <= set(states):
            return Meaning(quantity, codes=(_code(states, OFF, 0.0), _code(states, ON, 1.0)))
        return Meaning(quantity)
    factor, offset = _converted(device, point, quantity)
    return Meaning(quantity, factor, offset)


def constant(point: Point) -> float:
    """What a point answers of which physics knows nothing: 0, or of a status a state that says nothing is wrong."""
    states = _texts(point)
    if not states:
        return 1.0 if point.kind is PointKind.SETPOINT and point.id.startswith("pf") else 0.0
    return 0.0 if set(states) == {0, 1} else _code(states, USUAL, 0.0 if 0 in states else float(next(iter(states))))


def order(device: Device, point: Point) -> Order | None:
    """What a write to the point asks of the physics; None where the register only keeps what was written."""
    if point.kind not in (PointKind.SETPOINT, PointKind.COMMAND):
        return None
    states = tuple(float(code) for code in point.form.states or ())
    role, id_ = point.form.role, _bare(point)
    if role in _SETPOINTS or (role == Verb.HEARTBEAT and point.kind is PointKind.SETPOINT):
        return Order(role)
    if role in _ORDERS:
        return Order(role, only=states)
    if connector := re.fullmatch(CONNECTOR_LIMIT, id_):
        return Order(f"{Verb.LIMIT}_{connector[1]}")
    verb = SETTINGS.get(id_)
    if verb is None:
        return None
    if verb == Verb.LIMIT_SWITCH:
        return Order(verb, on=_code(_texts(point), ON, 1.0))
    if verb in _SETPOINTS:
        return Order(verb, 1.0 / _converted(device, point, verb)[0])
    return Order(verb, only=states)


def _candidates(device: Device, point: Point) -> list[str]:
    """Names of quantities that the point may mean, the likeliest first."""
    role, kind, id_ = point.form.role, device.kind, _bare(point)
    names: list[str] = []
    if role in ("voltage", "current") and kind is DeviceKind.BMS:
        names.append(f"dc_{role}")
    if role is not None and role not in _ORDERS and role != "heartbeat":
        names.append(role)
    if id_ in SETTINGS:
        names.append(SETTINGS[id_])
    if point.kind is PointKind.SETPOINT and re.fullmatch(r"i_(dis)?charge_max", id_):
        return [*names, "rated_dc_current"]
    if id_ == "e_day":
        source = kind in (DeviceKind.PV_INVERTER, DeviceKind.GENSET)
        names.append("energy_export_day" if source else "energy_import_day")
    if letter := _LETTER.fullmatch(id_):
        names.append(LETTERS[letter[1]] + (f"_{letter[2]}" if letter[2] else ""))
    for form, meant in _FORMS:
        if match := form.fullmatch(id_):
            names += [match.expand(name) for name in meant]
    return [*names, id_, point.id]


def _bare(point: Point) -> str:
    """The id without its unit; litres stay, since a level and a volume differ by nothing else."""
    return point.id if point.unit == "l" else _UNIT.sub("", point.id)


def _converted(device: Device, point: Point, quantity: str) -> tuple[float, float]:
    """(factor, offset) from the quantity's own unit to the point's."""
    if quantity == Verb.LIMIT and point.unit == "%":
        return 100.0 / rating_kw(device), 0.0
    if quantity == Verb.LIMIT and point.unit == "A":
        return AMPS_PER_KW, 0.0
    natural = _NATURAL.get(quantity)
    return conversion(natural, point.unit) if natural and point.unit else (1.0, 0.0)


def _texts(point: Point) -> dict[int, str]:
    return {code: text.en.lower() for code, text in (point.form.states or {}).items()}


def _state_codes(device: Device, states: Mapping[int, str]) -> tuple[float, ...]:
    """The device's code of each `State`, by the state's number."""
    if states:
        return tuple(_state_code(states, state) for state in State)
    if device.kind is DeviceKind.CHARGER:
        return tuple(CHARGER_CODES.get(state, 3.0) for state in State)
    return tuple(float(state not in (State.STOPPED, State.STANDBY)) for state in State)


def _state_code(states: Mapping[int, str], state: State) -> float:
    tried: set[State] = set()
    while state not in tried:
        tried.add(state)
        code = _find(states, STATE_WORDS[state])
        if code is not None:
            return code
        state = INSTEAD.get(state, state)
    return float(next(iter(states))) if 0 in states else 0.0


def _code(states: Mapping[int, str], words: tuple[str, ...], otherwise: float) -> float:
    code = _find(states, words)
    return otherwise if code is None else code


def _find(states: Mapping[int, str], words: tuple[str, ...]) -> float | None:
    for form in words:
        for code, text in states.items():
            if re.search(form, text):
                return float(code)
    return None
