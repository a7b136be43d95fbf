"""From symbol to symbol with the arrow keys. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from widgets.diagram.layout import Place


class Direction(Enum):
    LEFT = (-1, 0)
    RIGHT = (1, 0)
    UP = (0, -1)
    DOWN = (0, 1)


def nearest(places: Mapping[str, Place], start: str | None, direction: Direction) -> str | None:
    """The symbol that lies next in a direction; the first one of all where none is focused yet.

    What lies straight ahead is preferred: a step aside counts three times. None when there is nothing that way.
    """
    if not places:
        return None
    if start is None or start not in places:
        return min(places, key=lambda id_: (places[id_].y, places[id_].x))
    dx, dy = direction.value
    here = places[start]
    best: tuple[float, str] | None = None
    for id_, place in places.items():
        along = (place.trunk - here.trunk) * dx + (place.middle - here.middle) * dy
        aside = abs((place.trunk - here.trunk) * dy) + abs((place.middle - here.middle) * dx)
        if id_ != start and along > 1 and (best is None or along + 3 * aside < best[0]):
            best = (along + 3 * aside, id_)
    return best[1] if best else None
