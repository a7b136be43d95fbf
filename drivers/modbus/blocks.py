"""Which registers to ask for in one read. Pure planning; nothing here knows a socket."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.model.config import BlocksForm
from app.model.text import Text
from drivers.modbus.address import Address, Table


@dataclass(frozen=True, slots=True)
class Item:
    """Values that stand on the same registers, and so are read together or not at all."""

    table: Table
    start: int
    end: int
    """The first register behind it."""
    rows: tuple[int, ...]
    """Which of the planned addresses these are."""


@dataclass(frozen=True, slots=True)
class Block:
    """One read: neighbouring items of one table, with the gaps between them."""

    items: tuple[Item, ...]
    at: int
    """Position of its first register in the memory that all blocks of a plan share (or first bit, in that of bits)."""

    @property
    def table(self) -> Table:
        return self.items[0].table

    @property
    def start(self) -> int:
        return self.items[0].start

    @property
    def count(self) -> int:
        return self.items[-1].end - self.items[0].start

    @property
    def rows(self) -> tuple[int, ...]:
        return tuple(row for item in self.items for row in item.rows)

    def part(self, items: tuple[Item, ...]) -> Block:
        """The block of some of its items, in the same place of the memory."""
        return Block(items, self.at + items[0].start - self.start)

    def halves(self) -> tuple[Block, Block]:
        """Two blocks with half of the items each; no item is cut. Only for a block of two items or more."""
        middle = len(self.items) // 2
        return self.part(self.items[:middle]), self.part(self.items[middle:])


@dataclass(frozen=True, slots=True)
class Reading:
    """How a set of addresses is read."""

    blocks: tuple[Block, ...]
    unreadable: dict[int, Text]
    """Row -> why it cannot be read at all."""
    words: int
    """Registers of memory that the blocks need."""
    bits: int
    """Bits of memory that the blocks need."""


def reading(addresses: Sequence[Address], limits: BlocksForm) -> Reading:
    """The fewest blocks that cover every address.

    Gaps of up to `limits.max_gap` unwanted registers are read along, unless they are forbidden. Values are never cut.
    Forbidden ranges are of registers; coils and discrete inputs have none.
    """
    blocks: list[Block] = []
    unreadable: dict[int, Text] = {}
    words = bits = 0
    for table in Table:
        readable = []
        for item in _items(table, addresses):
            why = trouble(item.table, item.start, item.end, limits)
            if why:
                unreadable |= dict.fromkeys(item.rows, why)
            else:
                readable.append(item)
        for items in _runs(readable, limits):
            at = bits if table.of_bits else words
            block = Block(items, at)
            blocks.append(block)
            if table.of_bits:
                bits += block.count
            else:
                words += block.count
    return Reading(tuple(blocks), unreadable, words, bits)


def trouble(table: Table, start: int, end: int, limits: BlocksForm) -> Text | None:
    """Why registers `start` to `end - 1` can never be read in one go; None when they can."""
    limit = limits.max_bits if table.of_bits else limits.max_registers
    if end - start > limit:
        return Text(
            f"takes {end - start} registers, and one read may ask for {limit} (blocks.max_registers)",
            f"占 {end - start} 个寄存器，而一次最多读 {limit} 个（blocks.max_registers）",
        )
    for low, high in limits.forbidden:
        if not table.of_bits and low < end and start <= high:
            return Text(
                f"stands in registers {low} to {high}, which no read may touch (blocks.forbidden)",
                f"位于禁止读取的寄存器 {low} 至 {high} 之内（blocks.forbidden）",
            )
    return None


def _items(table: Table, addresses: Sequence[Address]) -> list[Item]:
    """Addresses of one table by register, those that share registers joined."""
    spans = sorted((a.register, a.end, row) for row, a in enumerate(addresses) if a.table is table)
    items: list[Item] = []
    for start, end, row in spans:
        if items and start < items[-1].end:
            last = items[-1]
            items[-1] = Item(table, last.start, max(end, last.end), (*last.rows, row))
        else:
            items.append(Item(table, start, end, (row,)))
    return items


def _runs(items: Sequence[Item], limits: BlocksForm) -> Iterable[tuple[Item, ...]]:
    """The items of each block: as many as fit, from left to right, which needs the fewest blocks."""
    run: list[Item] = []
    for item in items:
        if run and not _joins(run[0], run[-1], item, limits):
            yield tuple(run)
            run = []
        run.append(item)
    if run:
        yield tuple(run)


def _joins(first: Item, last: Item, item: Item, limits: BlocksForm) -> bool:
    return item.start - last.end <= limits.max_gap and not trouble(item.table, first.start, item.end, limits)
