"""Where the symbols of a single-line diagram stand: sources above, busbars across, feeders below. Pure and repeatable.

A branch is measured from its leaves upwards, then placed from its busbar outwards. Many feeders are put in several
rows, each under a bar of its own of the same busbar, whichever number of rows lets the whole be seen largest.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from widgets.diagram.branches import Block, Branch, Trees
from widgets.diagram.elements import Element, Kind, Role, connections
from widgets.diagram.folding import fold

TRUNK_X: Final = 32.0
"""From the left of a cell to the line on which its symbol stands; texts stand to the right of it."""
CELL_WIDTH: Final = 212.0
HEIGHTS: Final = {
    Kind.GRID: 56.0, Kind.TRANSFORMER: 58.0, Kind.BREAKER: 40.0, Kind.FEEDER: 40.0, Kind.DEVICE: 78.0, Kind.GROUP: 78.0,
    Kind.BUS: 28.0,
}  # fmt: skip
METER_HEIGHT: Final = 40.0
WORD_HEIGHT: Final = 16.0
"""A grid meter also says `importing` or `exporting`."""
MEMBER_WIDTH: Final = 168.0
MEMBER_HEIGHT: Final = 54.0
HEADER_HEIGHT: Final = 56.0
GAP: Final = 8.0
BAR_INSET: Final = 4.0
"""A bar lies so far above the bottom of its busbar's cell, and begins so far from its left."""
_BAR_BEYOND: Final = 60.0
"""A bar ends so far to the right of the last line on it."""
ROW_GAP: Final = 26.0
SCREEN: Final = (1290.0, 520.0)
"""What is left for a diagram on a screen of 1366 × 768."""
_MOST_ROWS: Final = 8
_WORTH_A_ROW: Final = 1.08
"""A further row must let everything be seen so much larger."""

Bar = tuple[float, float, float]
"""x1, x2, y."""


@dataclass(frozen=True, slots=True)
class Place:
    """A cell: its top left corner and size; of a member, the group whose frame it stands in."""

    x: float
    y: float
    width: float
    height: float
    within: str | None = None

    @property
    def trunk(self) -> float:
        return self.x + TRUNK_X

    @property
    def middle(self) -> float:
        return self.y + self.height / 2

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height


@dataclass(frozen=True)
class Layout:
    """Everything that a view needs to draw and to move symbols."""

    elements: tuple[Element, ...]
    """As shown: groups stand in place of what is folded into them."""
    places: Mapping[str, Place]
    bars: Mapping[str, tuple[Bar, ...]]
    """Of each busbar, from the top; they are joined at their left."""
    edges: tuple[tuple[str, str], ...]
    """Pairs of ids to be joined by a line. Members of an unfolded group are joined by standing in its frame."""
    above: frozenset[str] = frozenset()
    """Ids of what stands on its busbar: power into the bar flows down there."""

    @property
    def size(self) -> tuple[float, float]:
        """Right and bottom of everything; left and top are 0."""
        places = self.places.values()
        return max((p.right for p in places), default=0.0), max((p.bottom for p in places), default=0.0)


def layout(elements: Sequence[Element], unfolded: Collection[str] = ()) -> Layout:
    """Places, bars and lines of all elements. The same elements in the same order always give the same answer.

    unfolded: ids of groups (`folding.group_id`) whose members are shown.
    """
    shown = fold(elements, unfolded)
    plan = _Plan({element.id: element for element in shown})
    x = 0.0
    for root in Trees(shown).roots:
        if isinstance(root, Block):
            plan.measure_block(root)
            plan.place_block(root, x, 0.0)
        else:
            plan.measure(root)
            plan.place(root, x, 0.0, down=True)
        x += root.width + 3 * GAP
    plan.place_rest(shown)
    edges = tuple((a, b) for a, b in connections(shown) if plan.places[a].within != b and plan.places[b].within != a)
    return Layout(shown, plan.places, plan.bars, edges, frozenset(plan.above))


def member_columns(count: int) -> int:
    """How many members stand side by side in an unfolded group, which is to be about twice as wide as high."""
    return max(1, round(math.sqrt(count * 2 * MEMBER_HEIGHT / MEMBER_WIDTH)))


class _Plan:
    def __init__(self, by_id: Mapping[str, Element]) -> None:
        self._by_id = by_id
        self.places: dict[str, Place] = {}
        self.bars: dict[str, tuple[Bar, ...]] = {}
        self.above: set[str] = set()

    def _opened(self, element: Element) -> bool:
        return any(member in self._by_id for member in element.members)

    def _size(self, element: Element) -> tuple[float, float]:
        """Of its own cell; of an unfolded group with its members in it."""
        if self._opened(element):
            columns = member_columns(len(element.members))
            rows = math.ceil(len(element.members) / columns)
            width = max(columns * MEMBER_WIDTH + 2 * GAP, CELL_WIDTH)
            return width, HEADER_HEIGHT + rows * MEMBER_HEIGHT + GAP
        if element.inline:
            return CELL_WIDTH, METER_HEIGHT + (WORD_HEIGHT if element.role is Role.GRID else 0.0)
        return CELL_WIDTH, HEIGHTS[element.kind]

    # --------------------------------------------------------------------------------------------------- measuring

    def measure(self, branch: Branch) -> None:
        """Set the width and height that a branch needs with all beyond it."""
        for inner in branch.beyond:
            self.measure(inner)
        if branch.bus is not None:
            self.measure_block(branch.bus)
        beyond: list[Branch | Block] = [*branch.beyond, *([branch.bus] if branch.bus is not None else [])]
        width, height = self._size(branch.element)
        branch.width = max(width, sum(inner.width for inner in beyond))
        branch.height = height + max((GAP + inner.height for inner in beyond), default=0.0)

    def measure_block(self, block: Block) -> None:
        """The same of a busbar; chooses the number of rows below it."""
        for branch in (*block.above, *block.below):
            self.measure(branch)
        best = 0.0
        for count in range(1, min(len(block.below), _MOST_ROWS) + 1):
            rows = _split(block.below, count)
            width, height = self._room(block, rows)
            scale = min(SCREEN[0] / width, SCREEN[1] / height)
            if scale > best * _WORTH_A_ROW:
                best, block.rows = scale, rows
        block.width, block.height = self._room(block, block.rows)

    def _room(self, block: Block, rows: list[list[Branch]]) -> tuple[float, float]:
        above = self._entry(block) + sum(branch.width for branch in block.above)
        width = max([CELL_WIDTH, above] + [sum(branch.width for branch in row) for row in rows])
        height = self._height_above(block) + HEIGHTS[Kind.BUS]
        for number, row in enumerate(rows):
            height += max(branch.height for branch in row) + GAP + (ROW_GAP if number else 0.0)
        return width, height

    @staticmethod
    def _entry(block: Block) -> float:
        """Left of the sources of a busbar that another one feeds, the line from there comes in."""
        return CELL_WIDTH if block.entered and block.above else 0.0

    @staticmethod
    def _height_above(block: Block) -> float:
        return max((branch.height + GAP for branch in block.above), default=0.0)

    # ----------------------------------------------------------------------------------------------------- placing

    def place(self, branch: Branch, x: float, y: float, *, down: bool) -> None:
        """Place a branch whose busbar lies at the height y, above it or, when it goes up, below it."""
        element = branch.element
        width, height = self._size(element)
        top = y if down else y - height
        self.places[element.id] = Place(x, top, width, height)
        if not down:
            self.above |= {element.id, *element.members}
        if self._opened(element):
            self._place_members(element, x + GAP, top + HEADER_HEIGHT)
        beyond = y + (height + GAP) * (1 if down else -1)
        for inner in branch.beyond:
            self.place(inner, x, beyond, down=down)
            x += inner.width
        if branch.bus is not None:
            self.place_block(branch.bus, x, beyond)

    def _place_members(self, group: Element, x: float, y: float) -> None:
        columns = member_columns(len(group.members))
        for number, member in enumerate(group.members):
            row, column = divmod(number, columns)
            self.places[member] = Place(
                x + column * MEMBER_WIDTH, y + row * MEMBER_HEIGHT, MEMBER_WIDTH, MEMBER_HEIGHT, within=group.id
            )

    def place_block(self, block: Block, x: float, y: float) -> None:
        """Place a busbar with all that stands and hangs on it, its top left corner at (x, y)."""
        y += self._height_above(block)
        at = x + self._entry(block)
        for branch in block.above:
            self.place(branch, at, y - GAP, down=False)
            at += branch.width
        self.places[block.element.id] = Place(x, y, block.width, HEIGHTS[Kind.BUS])
        y += HEIGHTS[Kind.BUS]
        above_end = at - (block.above[-1].width if block.above else 0.0)
        bars: list[Bar] = []
        for number, row in enumerate(block.rows or [[]]):
            if number:
                y += ROW_GAP
            last = x + sum(branch.width for branch in row[:-1])
            right = max(last, above_end if not number else last) + TRUNK_X + _BAR_BEYOND
            bars.append((x + BAR_INSET, right, y - BAR_INSET))
            at = x
            for branch in row:
                self.place(branch, at, y + GAP, down=True)
                at += branch.width
            y += max((branch.height for branch in row), default=-GAP) + GAP
        self.bars[block.element.id] = tuple(bars)

    def place_rest(self, elements: Sequence[Element]) -> None:
        """What no line leads to stands below everything: nothing that was declared is hidden."""
        rest = [element for element in elements if element.id not in self.places]
        bottom = max((place.bottom for place in self.places.values()), default=-ROW_GAP) + ROW_GAP
        right = max([SCREEN[0]] + [place.right for place in self.places.values()])
        x = height = 0.0
        for element in rest:
            if element.id in self.places:
                continue
            size = self._size(element)
            if x and x + size[0] > right:
                x, bottom, height = 0.0, bottom + height + GAP, 0.0
            self.places[element.id] = Place(x, bottom, *size)
            if element.role is Role.GRID:
                self.above.add(element.id)
            if self._opened(element):
                self._place_members(element, x + GAP, bottom + HEADER_HEIGHT)
            x, height = x + size[0], max(height, size[1])


def _split(branches: list[Branch], count: int) -> list[list[Branch]]:
    """So many rows in their order, of about one width."""
    share = sum(branch.width for branch in branches) / count
    rows: list[list[Branch]] = [[]]
    filled = 0.0
    for branch in branches:
        if rows[-1] and filled + branch.width / 2 > share * len(rows) and len(rows) < count:
            rows.append([])
        rows[-1].append(branch)
        filled += branch.width
    return rows
