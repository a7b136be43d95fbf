"""The connections of a diagram as trees: busbars with the branches that stand on them and hang from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from widgets.diagram.elements import Element, Kind, Role, connections, other

_ABOVE: Final = (Role.SOURCE, Role.GRID)
_STARTS: Final = (Kind.GRID, Kind.BUS, Kind.TRANSFORMER, Kind.FEEDER, Kind.BREAKER)


@dataclass
class Branch:
    """An element and what lies beyond it, seen from its busbar."""

    element: Element
    beyond: list[Branch] = field(default_factory=list)
    bus: Block | None = None
    """The busbar to which it leads."""
    width: float = 0.0
    height: float = 0.0

    def all(self) -> list[Element]:
        """This element and every one beyond it, busbars left out."""
        return [self.element, *(element for inner in self.beyond for element in inner.all())]

    @property
    def leads_to_bus(self) -> bool:
        return self.bus is not None or any(inner.leads_to_bus for inner in self.beyond)

    @property
    def feeds(self) -> bool:
        """Whether it comes from a grid connection."""
        return any(element.kind is Kind.GRID for element in self.all())

    @property
    def stands(self) -> bool:
        """Whether it stands on its busbar: it comes from a grid, or all of its devices are sources."""
        if self.leads_to_bus:
            return False
        devices = [e for e in self.all() if e.kind in (Kind.DEVICE, Kind.GROUP) and not e.inline]
        return self.feeds or (bool(devices) and all(device.role in _ABOVE for device in devices))


@dataclass
class Block:
    """A busbar, the branches above it and below it; `rows` is how the latter are arranged."""

    element: Element
    entered: bool
    """Whether a branch of another busbar leads here."""
    above: list[Branch] = field(default_factory=list)
    below: list[Branch] = field(default_factory=list)
    rows: list[list[Branch]] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


class Trees:
    """`roots`: busbars, and branches without one, from the grid on. Each element is met once."""

    def __init__(self, elements: Sequence[Element]) -> None:
        self._by_id = {element.id: element for element in elements}
        self._beside: dict[str, list[str]] = {id_: [] for id_ in self._by_id}
        for pair in connections(elements):
            for end in pair:
                self._beside[end].append(other(pair, end))
        framed = {id_ for element in elements for id_ in element.members}
        self._seen = framed & set(self._by_id)
        self.roots: list[Block | Branch] = []
        starts = sorted((e for e in elements if e.kind in _STARTS), key=lambda e: _STARTS.index(e.kind))
        for element in starts:
            if element.id not in self._seen:
                bus = self._nearest_bus(element.id)
                self.roots.append(self._block(bus, None) if bus is not None else self._branch(element, None))

    def _nearest_bus(self, start: str) -> Element | None:
        """The busbar nearest to a start, which may be one itself; None where it is met already or there is none."""
        ring, seen = [start], {start}
        while ring:
            bus = next((self._by_id[id_] for id_ in ring if self._by_id[id_].kind is Kind.BUS), None)
            if bus is not None:
                return bus if bus.id not in self._seen else None
            ring = list(dict.fromkeys(there for here in ring for there in self._beside[here] if there not in seen))
            seen.update(ring)
        return None

    def _block(self, bus: Element, came_from: str | None) -> Block:
        self._seen.add(bus.id)
        block = Block(bus, entered=came_from is not None)
        for id_ in self._beside[bus.id]:
            if id_ != came_from and id_ not in self._seen:
                branch = self._branch(self._by_id[id_], bus.id)
                (block.above if branch.stands else block.below).append(branch)
        block.above.sort(key=lambda branch: not branch.feeds)
        block.below.sort(key=self._is_tie)
        return block

    def _branch(self, element: Element, came_from: str | None) -> Branch:
        self._seen.add(element.id)
        branch = Branch(element)
        for id_ in self._beside[element.id]:
            there = self._by_id[id_]
            if id_ == came_from or id_ in self._seen:
                continue
            if there.kind is not Kind.BUS:
                branch.beyond.append(self._branch(there, element.id))
            elif branch.bus is None and not (element.kind is Kind.BREAKER and self._fed_itself(id_)):
                branch.bus = self._block(there, element.id)
        return branch

    def _fed_itself(self, bus: str) -> bool:
        """Whether a busbar has a grid connection of its own that is not drawn yet: then a breaker to it is a tie."""
        todo, seen = [bus], {bus, *self._seen}
        while todo:
            for there in self._beside[todo.pop()]:
                if there not in seen:
                    if self._by_id[there].kind is Kind.GRID:
                        return True
                    seen.add(there)
                    todo.append(there)
        return False

    def _is_tie(self, branch: Branch) -> bool:
        """Only a breaker, between two busbars: it stands last, next to the busbar at its other end."""
        return branch.element.kind is Kind.BREAKER and not branch.beyond and branch.bus is None
