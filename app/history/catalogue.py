"""What there is to read just now: hot hours and closed blocks, handed to readers as one consistent view."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.history.layout import Block, Hour, Tier

_PATIENCE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class View:
    """Hours in hot tables and blocks in files. No row stands in both."""

    hours: tuple[Hour, ...] = ()
    blocks: tuple[Block, ...] = ()

    def files(self, tier: Tier, start_ms: int, end_ms: int) -> list[Path]:
        """The files of a tier that may hold rows with start <= time < end, oldest period first."""
        found = [b for b in self.blocks if b.tier is tier and b.first_ms < end_ms and b.last_ms >= start_ms]
        return [block.path for block in sorted(found, key=lambda b: (b.start_ms, b.part))]


class Catalogue:
    """The current view, and who still reads an older one. Thread-safe."""

    def __init__(self) -> None:
        self._view = View()
        self._changed = threading.Condition()
        self._readers: dict[int, int] = {}
        self._generation = 0

    @property
    def view(self) -> View:
        """The view of this moment, for a look without reading what it names."""
        return self._view

    @contextmanager
    def reading(self) -> Iterator[View]:
        """The current view. What it names stays in place until the block is left."""
        with self._changed:
            generation, view = self._generation, self._view
            self._readers[generation] = self._readers.get(generation, 0) + 1
        try:
            yield view
        finally:
            with self._changed:
                self._readers[generation] -= 1
                if not self._readers[generation]:
                    del self._readers[generation]
                self._changed.notify_all()

    def change(
        self,
        *,
        add_hours: Iterable[Hour] = (),
        add_blocks: Iterable[Block] = (),
        drop_hours: Iterable[Hour] = (),
        drop_blocks: Iterable[Block] = (),
    ) -> None:
        """Replace the view. Returns when nobody reads an older one, so that what was dropped may be removed.

        After half a minute it returns all the same: a query that loses a table or file under its feet is asked again.
        """
        gone_hours, gone_blocks = set(drop_hours), set(drop_blocks)
        with self._changed:
            hours = (*(hour for hour in self._view.hours if hour not in gone_hours), *add_hours)
            blocks = (*(block for block in self._view.blocks if block not in gone_blocks), *add_blocks)
            self._view = View(tuple(sorted(set(hours))), blocks)
            self._generation += 1
            if gone_hours or gone_blocks:
                now = self._generation
                self._changed.wait_for(lambda: all(reader >= now for reader in self._readers), _PATIENCE_S)
