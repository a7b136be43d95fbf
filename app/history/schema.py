"""The columns of hot tables and of Parquet files, and the SQL that turns one into the other.

A value in Parquet is a whole number at its point's decimals (`value` 1234 with `decimals` 2 is 12.34), which takes a
third of the room of a double. A value without decimals, or one that is no finite number, stands as a double in a column
of the same name with `_f`, and its whole number is NULL; where both are NULL there is no value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.history.layout import Hour, Tier

TIER_CODES: Final = {tier: code for code, tier in enumerate(Tier)}
"""The number of a tier in hot tables."""

_VALUES: Final = ("min", "max", "mean", "first", "last")
_EXTRA_DECIMALS: Final = {"mean": 2}
_WHOLE_LIMIT: Final = 2**53
_MOST_DECIMALS: Final = 11


ROW_GROUP: Final = {
    tier: 122_880 if tier in (Tier.RAW, Tier.S1) else 24_576 for tier in Tier
}  # fmt: skip
"""Rows of a row group, the least that is read: a day of one point scanned each second, or of its 5 s buckets."""


def parquet_options(tier: Tier) -> str:
    """How a tier's files are written.

    Version 2 for DELTA_BINARY_PACKED, which takes a walk at two decimals in 1.1 bytes; a dictionary would only be in
    its way.
    """
    return (
        "format parquet, parquet_version v2, compression zstd, dictionary_size_limit 1, "
        f"row_group_size {ROW_GROUP[tier]}"
    )


def create_tables(hour: Hour) -> tuple[str, ...]:
    """The statements that make the hot tables of an hour. No key and no index: appended to, read, dropped."""
    values = ", ".join(f'"{name}" DOUBLE' for name in _VALUES)
    judged = "decimals TINYINT, quality USMALLINT"
    columns = {
        hour.raw: f"point INTEGER, time BIGINT, value DOUBLE, {judged}",
        hour.buckets: "tier TINYINT, point INTEGER, time BIGINT, since INTEGER, "
        f'{values}, "count" INTEGER, good INTEGER, {judged}',
        hour.alive: "run BIGINT, alive BIGINT, folded BIGINT, number BIGINT, ended BOOLEAN",
    }
    return tuple(f"CREATE TABLE IF NOT EXISTS {table} ({form})" for table, form in columns.items())


def _encoded(name: str) -> str:
    extra = _EXTRA_DECIMALS.get(name, 0)
    whole = f'round("{name}" * pow(10.0, decimals + {extra}))'
    fits = f'decimals >= 0 AND isfinite("{name}") AND abs({whole}) < {_WHOLE_LIMIT}'
    return (
        f'CASE WHEN {fits} THEN CAST({whole} AS BIGINT) END AS "{name}", '
        f'CASE WHEN NOT ({fits}) THEN "{name}" END AS "{name}_f"'
    )


def _decoded(name: str) -> str:
    extra = _EXTRA_DECIMALS.get(name, 0)
    scaled = " ".join(f'WHEN {d} THEN "{name}" / 1e{d + extra}' for d in range(_MOST_DECIMALS))
    return f'coalesce(CASE decimals {scaled} END, "{name}_f", \'nan\'::DOUBLE) AS "{name}"'


@dataclass(frozen=True, slots=True)
class SortedRows:
    """Rows on their way into a file."""

    columns: str
    """What is selected, as it stands in Parquet."""
    source: str
    """Where from, up to a WHERE with at least one condition."""
    order: str

    def some(self, condition: str = "true") -> str:
        """The query for those that fulfil a condition, sorted."""
        return f"SELECT {self.columns} FROM {self.source} AND {condition} ORDER BY {self.order}"


def hour_rows(hour: Hour, tier: Tier) -> SortedRows:
    """The rows of one tier of an hour's tables; events of one millisecond stay in their order."""
    if tier is Tier.RAW:
        columns = f"point, time, {_encoded('value')}, decimals, quality"
        return SortedRows(columns, f"{hour.raw} WHERE true", "point, time, rowid")
    values = ", ".join(_encoded(name) for name in _VALUES)
    return SortedRows(
        f'point, time, since, {values}, "count", good, decimals, quality',
        f"{hour.buckets} WHERE tier = {TIER_CODES[tier]}",
        "point, time, since, rowid",
    )


def file_rows(tier: Tier, files: Sequence[Path]) -> SortedRows:
    """The rows of finer files of a tier."""
    ties = "time" if tier is Tier.RAW else "time, since"
    return SortedRows(
        "* EXCLUDE (file_row_number)",
        f"read_parquet({file_list(files)}, file_row_number = true) WHERE true",
        f"point, {ties}, file_row_number",
    )


def file_list(files: Sequence[Path]) -> str:
    """Paths as a SQL list, with the characters that DuckDB would take for a pattern made plain."""
    plain = (re.sub(r"([\[*?])", r"[\1]", path.as_posix()).replace("'", "''") for path in files)
    return "[" + ", ".join(f"'{path}'" for path in plain) + "]"


def raw_source(tables: Sequence[str], files: Sequence[Path], where: str) -> str:
    """All raw rows that fulfil `where`, from hot tables and files: columns point, time (ms), value, quality."""
    value = "coalesce(value, 'nan'::DOUBLE) AS value"
    parts = []
    if files:
        parts.append(f"SELECT point, time, {_decoded('value')}, quality FROM read_parquet({file_list(files)})")
    parts += [f"SELECT point, time, {value}, quality FROM {table}" for table in tables]
    return " UNION ALL ".join(f"{part} WHERE {where}" for part in parts)


def bucket_source(tier: Tier, tables: Sequence[str], files: Sequence[Path], where: str) -> str:
    """All bucket rows of a tier that fulfil `where`: the columns of `BUCKET_COLUMNS` without decimals."""
    hot = ", ".join(f'coalesce("{name}", \'nan\'::DOUBLE) AS "{name}"' for name in _VALUES)
    closed = ", ".join(_decoded(name) for name in _VALUES)
    parts = []
    if files:
        parts.append(
            f'SELECT point, time, since, {closed}, "count", good, quality FROM read_parquet({file_list(files)}) '
            f"WHERE {where}"
        )
    parts += [
        f'SELECT point, time, since, {hot}, "count", good, quality FROM {table} '
        f"WHERE tier = {TIER_CODES[tier]} AND {where}"
        for table in tables
    ]
    return " UNION ALL ".join(parts)
