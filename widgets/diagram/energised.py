"""Which parts of a diagram are under voltage: from breaker positions and from the voltages that somebody measures."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from widgets.diagram.elements import Element, Kind, Switch, connections

PRESENT_SHARE: Final = 0.2
"""Of the nominal voltage: what counts as present. Below it lies what induction and measuring noise leave."""
PRESENT_V: Final = 50.0
"""The same where no nominal voltage is known."""


class Live(IntEnum):
    """The larger wins where several say something."""

    DEAD = 0
    UNKNOWN = 1
    LIVE = 2


_PASSES: Final = {Switch.CLOSED: Live.LIVE, Switch.UNKNOWN: Live.UNKNOWN, Switch.OPEN: Live.DEAD}

Pair = tuple[str, str]
_Terminal = str | Pair
"""Where voltage is the same: an element that is no breaker, or the conductor of a pair."""


@dataclass(frozen=True, slots=True)
class Energised:
    """`elements`: each element by id (a breaker: its better side). `edges`: each pair of `connections`."""

    elements: Mapping[str, Live]
    edges: Mapping[Pair, Live]


def energised(
    elements: Sequence[Element],
    breakers: Mapping[str, Switch],
    voltages: Mapping[str, float | None],
    flowing: Collection[str] = (),
) -> Energised:
    """Spread what is known from the sources over closed breakers.

    breakers: position by element id; one that is missing is unknown, and beyond it nothing is certain.
    voltages: volts by element id. Present volts make an element a source; absent ones make it none, whatever else
    feeds it. A grid connection without volts is a source of which nothing is known, and so is what no line leads to,
    unless power flows there (`flowing`, element ids).
    """
    pairs = connections(elements)
    by_id = {element.id: element for element in elements}
    touching: dict[str, list[Pair]] = {id_: [] for id_ in by_id}
    for pair in pairs:
        for end in pair:
            touching[end].append(pair)
    links = _links(touching, by_id, breakers)
    known: dict[_Terminal, Live] = dict.fromkeys([*by_id, *pairs], Live.DEAD)
    spread: list[tuple[_Terminal, Live]] = [
        (element.id, _source(element, voltages, by_id, touching[element.id])) for element in elements
    ]
    while spread:
        terminal, live = spread.pop()
        if live > known[terminal]:
            known[terminal] = live
            spread += [(there, min(live, passes)) for there, passes in links.get(terminal, ())]
    alone = {id_: Live.LIVE if id_ in flowing else Live.UNKNOWN for id_ in by_id if not touching[id_]}
    shown = {id_: max(known[id_], alone.get(id_, Live.DEAD)) for id_ in by_id}
    for pair in pairs:
        for end in pair:
            if by_id[end].kind is Kind.BREAKER:
                shown[end] = max(shown[end], known[pair])
    return Energised(shown, {pair: known[pair] for pair in pairs})


def _source(
    element: Element, voltages: Mapping[str, float | None], by_id: Mapping[str, Element], pairs: Sequence[Pair]
) -> Live:
    volts = voltages.get(element.id)
    if volts is None or math.isnan(volts):
        return Live.UNKNOWN if element.kind is Kind.GRID else Live.DEAD
    nominal_kv = element.voltage_kv
    if nominal_kv is None:
        beside = [by_id[end].voltage_kv for pair in pairs for end in pair]
        nominal_kv = next((kv for kv in beside if kv is not None), None)
    present = abs(volts) >= (PRESENT_V if nominal_kv is None else nominal_kv * 1000 * PRESENT_SHARE)
    return Live.LIVE if present else Live.DEAD


def _links(
    touching: Mapping[str, Sequence[Pair]], by_id: Mapping[str, Element], breakers: Mapping[str, Switch]
) -> dict[_Terminal, list[tuple[_Terminal, Live]]]:
    """Terminal -> its neighbours, and the most that comes through to them."""
    links: dict[_Terminal, list[tuple[_Terminal, Live]]] = {}

    def link(a: _Terminal, b: _Terminal, passes: Live) -> None:
        links.setdefault(a, []).append((b, passes))
        links.setdefault(b, []).append((a, passes))

    for id_, element in by_id.items():
        conductors = touching[id_]
        if element.kind is Kind.BREAKER:
            for a, b in itertools.combinations(conductors, 2):
                link(a, b, _PASSES[breakers.get(id_, Switch.UNKNOWN)])
        else:
            for pair in conductors:
                link(id_, pair, Live.LIVE)
    return links
