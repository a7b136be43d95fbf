"""Closing hours into Parquet, sealing hours into days, months and years, and dropping what is too old.

A file is written under a temporary name, made durable, then renamed: it is visible when it is whole. Only then are the
tables or finer files that it replaces removed. A crash between leaves both; the tables win over their files, and a
coarser file wins over the finer ones that it lists, so that no row is lost and none stands twice.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from app.history.catalogue import Catalogue
from app.history.hot import HotStore
from app.history.layout import COARSER, FINER, SEALED_INTO, Block, Hour, Span, Tier, blocks_in, period_end, period_start
from app.history.runs import Runs
from app.history.schema import file_list, file_rows, hour_rows
from app.history.whole import UNFINISHED
from app.history.writing import rows_in, write_block

log = logging.getLogger("gridroom.history.closing")

_SEAL_ROWS: Final = 200_000_000
"""A day of more rows stays in its hours: sorting it once more would cost more than opening 24 files."""
_SORT_MB: Final = 96
"""Memory for sorting, while an hour is closed or a day is sealed."""


@dataclass(frozen=True, slots=True)
class Closer:
    """Works on one data folder's `history`, on one thread."""

    folder: Path
    store: HotStore
    catalogue: Catalogue
    runs: Runs
    retention_ms: Mapping[Tier, int]
    drop: Callable[[Hour], None]
    """Removes an hour's tables, on the thread that writes."""
    memory_mb: int

    def close(self, hour: Hour) -> list[Block]:
        """Write an hour's tables, to which nothing is added any more, into files, and drop them.

        Raises duckdb.Error or OSError; it is done again from the start then, and may be.
        """
        blocks: list[Block] = []
        with self.store.cursor() as cursor:
            for tier in Tier:
                rows = hour_rows(hour, tier)
                (bounds,) = cursor.execute(f"SELECT count(*), min(time), max(time) FROM {rows.source}").fetchall()
                if bounds[0]:
                    block = Block.at(self.folder, tier, Span.HOUR, hour, bounds[1:])
                    write_block(cursor, rows, block, bounds[0], self.memory_mb)
                    blocks.append(block)
            for run, alive in cursor.execute(f"SELECT run, max(alive) FROM {hour.alive} GROUP BY run").fetchall():
                self.runs.add(run, alive)
        self.runs.save(self.folder)
        self.catalogue.change(add_blocks=blocks, drop_hours=[hour])
        self.drop(hour)
        return blocks

    def seal(self, now_ms: int) -> list[Block]:
        """Make days of hours, months of days, years of months, where a period is over and its hours are closed."""
        made: list[Block] = []
        for tier, spans in SEALED_INTO.items():
            for span in spans:
                for start_ms, sources in self._ripe(tier, span, now_ms):
                    if (block := self._seal(tier, span, start_ms, sources)) is not None:
                        made.append(block)
        return made

    def expire(self, now_ms: int) -> list[Block]:
        """Remove files whose period ended longer ago than their tier is kept."""
        view = self.catalogue.view
        old = [b for b in view.blocks if period_end(b.span, b.start_ms) < now_ms - self.retention_ms[b.tier]]
        if old:
            self.catalogue.change(drop_blocks=old)
            _remove(old)
        return old

    def next_part(self, hour_ms: int) -> int:
        """A part of this hour that no table and no file ever had."""
        view = self.catalogue.view
        # The tables too: an hour that got no rows is in no view, and its tables are still to be dropped.
        tables = (*view.hours, *self.store.hours())
        taken = {hour.part for hour in tables if hour.start_ms == hour_ms}
        sealed = []
        for block in blocks_in(self.folder):
            if block.span is Span.HOUR and block.start_ms == hour_ms:
                taken.add(block.part)
            elif block.start_ms == period_start(block.span, hour_ms):
                sealed.append(block)
        if not taken and not sealed:
            return 0
        probe = Block.at(self.folder, Tier.RAW, Span.HOUR, Hour(hour_ms), (0, 0)).stem.rpartition("_")[0]
        with self.store.cursor() as cursor:
            names = [name for block in sealed for name in every_source(cursor, block)]
        taken |= {int(name.rpartition("_")[2]) for name in names if name.rpartition("_")[0] == probe}
        return max(taken, default=-1) + 1

    def _ripe(self, tier: Tier, span: Span, now_ms: int) -> list[tuple[int, list[Block]]]:
        view = self.catalogue.view
        *finest, finer = FINER[span]
        periods: dict[int, list[Block]] = defaultdict(list)
        busy = {period_start(span, hour.start_ms) for hour in view.hours}
        for block in view.blocks:
            if block.tier is tier and block.span is finer:
                periods[period_start(span, block.start_ms)].append(block)
            elif block.tier is tier and block.span in finest:
                busy.add(period_start(span, block.start_ms))
        return [
            (start, sorted(blocks, key=lambda b: (b.start_ms, b.part)))
            for start, blocks in sorted(periods.items())
            if start not in busy and period_end(span, start) <= now_ms
        ]

    def _seal(self, tier: Tier, span: Span, start_ms: int, sources: Sequence[Block]) -> Block | None:
        files = [source.path for source in sources]
        part = 1 + max((b.part for b in self.catalogue.view.blocks if _same(b, tier, span, start_ms)), default=-1)
        times = min(b.first_ms for b in sources), max(b.last_ms for b in sources)
        block = Block.at(self.folder, tier, span, Hour(start_ms, part), times)
        with self.store.cursor() as cursor:
            count = rows_in(cursor, files)
            if count > _SEAL_ROWS:
                return None
            names = [name for source in sources for name in (source.stem, *every_source(cursor, source))]
            write_block(cursor, file_rows(tier, files), block, count, self.memory_mb, names)
        self.catalogue.change(add_blocks=[block], drop_blocks=sources)
        _remove(sources)
        return block


@dataclass(frozen=True, slots=True)
class Standing:
    """What of tables and files counts after a start. A crash may have left both what replaces and what is replaced."""

    hours: list[Hour]
    blocks: list[Block]
    stale_hours: list[Hour]
    """Hours whose rows are in coarser files already: their tables should have been dropped."""
    stale_blocks: list[Block]
    """Files whose rows are in coarser files already."""


def take_stock(folder: Path, store: HotStore, hours: Sequence[Hour]) -> Standing:
    """Look through tables and files. An hour's tables win over its files, which will be written again; a coarser file
    wins over what it lists as its sources."""
    blocks = list(blocks_in(folder))
    wholes: dict[tuple[Tier, Span, int], list[Block]] = defaultdict(list)
    for block in blocks:
        wholes[block.tier, block.span, block.start_ms].append(block)
    sources: dict[Block, set[str]] = {}
    with store.cursor() as cursor:

        def sealed(part: Block) -> bool:
            for span in COARSER[part.span]:
                for whole in wholes.get((part.tier, span, period_start(span, part.start_ms)), ()):
                    if whole not in sources:
                        sources[whole] = set(every_source(cursor, whole))
                    if part.stem in sources[whole]:
                        return True
            return False

        stale_blocks = [block for block in blocks if sealed(block)]
        parts = {hour: [Block.at(folder, tier, Span.HOUR, hour, (0, 0)) for tier in Tier] for hour in hours}
        stale_hours = [hour for hour in hours if any(sealed(part) for part in parts[hour])]
    hot = set(hours) - set(stale_hours)
    gone = set(stale_blocks) | {b for b in blocks if b.span is Span.HOUR and Hour(b.start_ms, b.part) in hot}
    return Standing(sorted(hot), [block for block in blocks if block not in gone], stale_hours, stale_blocks)


def tidy(folder: Path, store: HotStore) -> Standing:
    """After a start: remove what a crash left half done, and say what counts. Raises duckdb.Error, OSError."""
    for tier in Tier:
        directory = folder / tier.value
        directory.mkdir(parents=True, exist_ok=True)
        for path in directory.glob(f"*{UNFINISHED}"):
            path.unlink(missing_ok=True)
    standing = take_stock(folder, store, store.hours())
    for hour in standing.stale_hours:
        store.drop(hour)
    _remove(standing.stale_blocks)
    return standing


def every_source(cursor: duckdb.DuckDBPyConnection, block: Block) -> list[str]:
    """The stems of all finer files that became this one. None for a file that cannot be read."""
    if block.span is Span.HOUR:
        return []
    try:
        rows = cursor.execute(
            f"SELECT decode(value) FROM parquet_kv_metadata({file_list([block.path])}) WHERE decode(key) = 'sources'"
        ).fetchall()
    except duckdb.Error as error:
        log.warning("%s does not say what it was made of: %s", block.path, error)
        return []
    return [name for (text,) in rows for name in text.split(",")]


def _same(block: Block, tier: Tier, span: Span, start_ms: int) -> bool:
    return block.tier is tier and block.span is span and block.start_ms == start_ms


def _remove(blocks: Iterable[Block]) -> None:
    for block in blocks:
        try:
            block.path.unlink(missing_ok=True)
        except OSError as error:
            # It is not seen any more, and goes with the next start.
            log.warning("%s cannot be removed yet: %s", block.path, error)
