"""Areas of a station: a device lies in itself, in what it hangs on, in what that hangs on, and in the whole station."""

from __future__ import annotations

from collections.abc import Iterable

from app.model.access import WHOLE_STATION
from app.model.station import Station
from app.model.text import Text


class Areas:
    """Which areas hold a device. Upwards: a device's `parent`, an element's `from`, and elements that lead `to` it."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._above: dict[str, set[str]] = {}
        for device in station.devices:
            if device.parent:
                self._above.setdefault(device.id, set()).add(device.parent)
        for node in station.topology:
            for lower, upper in ((node.id, node.from_), (node.to, node.id), (node.device, node.id)):
                if lower and upper:
                    self._above.setdefault(lower, set()).add(upper)

    def of(self, device: str) -> frozenset[str]:
        """Every area that holds a device (an id). What is no device lies in the whole station only."""
        found = {WHOLE_STATION}
        if device not in self._station.by_id:
            return frozenset(found)
        waiting = [device]
        while waiting:
            area = waiting.pop()
            if area not in found:
                found.add(area)
                waiting += self._above.get(area, ())
        return frozenset(found)

    def names(self) -> list[tuple[str, Text]]:
        """Every area that a grant may name, with what it is called: the station, its elements, its devices."""
        listed = [(WHOLE_STATION, Text("whole station", "全站"))]
        listed += [(node.id, node.name or Text.of(node.id)) for node in self._station.topology]
        return _first_of_each([*listed, *((device.id, device.name) for device in self._station.devices)])


def _first_of_each(pairs: Iterable[tuple[str, Text]]) -> list[tuple[str, Text]]:
    seen: dict[str, Text] = {}
    for id_, name in pairs:
        seen.setdefault(id_, name)
    return list(seen.items())
