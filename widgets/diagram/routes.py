"""The corners of the lines between placed elements. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from widgets.diagram.elements import Element, Kind
from widgets.diagram.layout import HEIGHTS, Bar, Place
from widgets.diagram.symbols import half_height

Point = tuple[float, float]
_FORK_PX = 4.0
"""So far outside a cell a line turns."""


def _reach(element: Element, place: Place) -> float:
    """How far above and below the middle of a cell its line ends: at the symbol, or at the frame of an opened group."""
    return place.height / 2 if place.height > HEIGHTS[Kind.GROUP] else half_height(element)


def route(a: Element, b: Element, places: Mapping[str, Place], bars: Mapping[str, Sequence[Bar]]) -> tuple[Point, ...]:
    """From one end to the other: straight down where both stand on one line, with one step aside otherwise."""
    if b.kind is Kind.BUS and a.kind is not Kind.BUS:
        a, b = b, a
    if a.kind is Kind.BUS:
        return _to_bar(b, places[b.id], bars.get(a.id, ()), places[a.id])
    if places[b.id].y < places[a.id].y:
        a, b = b, a
    upper, lower = places[a.id], places[b.id]
    begin = (upper.trunk, upper.middle + _reach(a, upper))
    end = (lower.trunk, lower.middle - _reach(b, lower))
    if begin[0] == end[0]:
        return begin, end
    turn = max(min(lower.y - _FORK_PX, end[1]), begin[1])
    return begin, (begin[0], turn), (end[0], turn), end


def _to_bar(element: Element, place: Place, bars: Sequence[Bar], bus: Place) -> tuple[Point, ...]:
    centre = place.middle
    bars = bars or ((bus.x, bus.right, bus.bottom),)
    above = [bar for bar in bars if bar[2] <= centre]
    bar = above[-1] if above else bars[0]
    half = _reach(element, place)
    end = centre - half if bar[2] <= centre else centre + half
    if bar[0] <= place.trunk <= bar[1]:
        return (place.trunk, bar[2]), (place.trunk, end)
    x = min(max(place.trunk, bar[0] + 6), bar[1] - 6)
    away = centre + half if end < centre else centre - half
    turn = place.bottom + _FORK_PX if away > centre else place.y - _FORK_PX
    return (x, bar[2]), (x, turn), (place.trunk, turn), (place.trunk, away)
