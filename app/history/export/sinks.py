"""Where portions of an export go: CSV, Excel, Parquet. Each writes to the path it is given, portion by portion."""

from __future__ import annotations

import math
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import duckdb
import numpy as np

from app.history.export.rows import Portion
from app.history.export.text import RAW_HEAD, TIER_HEAD, csv_text, number, qualities, times
from app.history.layout import Tier

SHEET_ROWS: Final = 1_000_000
"""Rows of a sheet below its head; the format ends at 1,048,576."""
_VALUES: Final = ("min", "max", "mean", "first", "last")


class Sink(ABC):
    """A file that is being written. Portions of one device come together, those of one point in the order of time."""

    def __init__(self, path: Path, tier: Tier, zone: ZoneInfo) -> None:
        self._path = path
        self._raw = tier is Tier.RAW
        self._head = RAW_HEAD if self._raw else TIER_HEAD
        self._zone = zone

    @abstractmethod
    def write(self, portion: Portion) -> None:
        """Add rows. Raises OSError."""

    @abstractmethod
    def finish(self) -> None:
        """Complete the file. Raises OSError."""

    @abstractmethod
    def abandon(self) -> None:
        """Let go of the file, which is not wanted any more."""


class CsvSink(Sink):
    """RFC 4180 text, UTF-8."""

    def __init__(self, path: Path, tier: Tier, zone: ZoneInfo) -> None:
        super().__init__(path, tier, zone)
        self._file = path.open("w", encoding="utf-8", newline="")
        self._file.write(",".join(self._head) + "\r\n")

    def write(self, portion: Portion) -> None:
        rows = portion.rows
        name, unit = csv_text(portion.point.name), csv_text(portion.point.unit)
        columns: list[list[str]] = [times(rows.time, self._zone)]
        if self._raw:
            columns.append([number(value) for value in rows.mean.tolist()])
        else:
            columns += [[number(value) for value in getattr(rows, column).tolist()] for column in _VALUES]
            columns.append([str(count) for count in rows.count.tolist()])
        columns.append([csv_text(words) for words in qualities(rows.quality)])
        lines = (f"{time},{name},{','.join(cells)},{unit}\r\n" for time, *cells in zip(*columns, strict=True))
        self._file.write("".join(lines))

    def finish(self) -> None:
        self._file.close()

    def abandon(self) -> None:
        self._file.close()


class ExcelSink(Sink):
    """A sheet a device, and further ones where a device has more rows than a sheet takes."""

    def __init__(self, path: Path, tier: Tier, zone: ZoneInfo) -> None:
        super().__init__(path, tier, zone)
        import xlsxwriter  # type: ignore[import-untyped]

        # Constant memory: rows leave for the disk as they come, which they do in order.
        self._rows_aside = tempfile.TemporaryDirectory(prefix="gridroom-export-", ignore_cleanup_errors=True)
        options = {"constant_memory": True, "tmpdir": self._rows_aside.name}
        self._book: Any = xlsxwriter.Workbook(str(path), options)
        self._bold = self._book.add_format({"bold": True})
        self._names: set[str] = set()
        self._device: str | None = None
        self._sheet: Any = None
        self._sheets_of_device = 0
        self._row = 0

    def write(self, portion: Portion) -> None:
        rows = portion.rows
        names = ("mean",) if self._raw else _VALUES
        values = [getattr(rows, name).tolist() for name in names]
        counts = [] if self._raw else [rows.count.tolist()]
        stamps, words = times(rows.time, self._zone), qualities(rows.quality)
        for at, (stamp, word) in enumerate(zip(stamps, words, strict=True)):
            sheet = self._sheet_for(portion.point.device)
            self._row += 1
            sheet.write_string(self._row, 0, stamp)
            sheet.write_string(self._row, 1, portion.point.name)
            column = 2
            for cells in values:
                self._number(sheet, column, cells[at])
                column += 1
            for cells in counts:
                sheet.write_number(self._row, column, cells[at])
                column += 1
            for text in (word, portion.point.unit):
                if text:
                    sheet.write_string(self._row, column, text)
                column += 1

    def finish(self) -> None:
        if self._sheet is None:
            self._sheet_for("export")
        from xlsxwriter.exceptions import FileCreateError  # type: ignore[import-untyped]

        try:
            self._book.close()
        except FileCreateError as error:
            raise OSError(str(error)) from error
        self._rows_aside.cleanup()

    def abandon(self) -> None:
        self._book.fileclosed = True  # or its end would complain about a book that nobody closed
        for sheet in self._book.worksheets():
            sheet.row_data_fh.close()
        self._rows_aside.cleanup()

    def _number(self, sheet: Any, column: int, value: float) -> None:
        if math.isfinite(value):
            sheet.write_number(self._row, column, value)
        elif not math.isnan(value):
            sheet.write_string(self._row, column, number(value))

    def _sheet_for(self, device: str) -> Any:
        if self._sheet is not None and device == self._device and self._row < SHEET_ROWS:
            return self._sheet
        self._sheets_of_device = self._sheets_of_device + 1 if device == self._device else 1
        self._device = device
        self._sheet = self._book.add_worksheet(self._sheet_name(device, self._sheets_of_device))
        self._row = 0
        self._sheet.freeze_panes(1, 0)
        self._sheet.set_column(0, 0, 30)
        self._sheet.set_column(1, 1, 24)
        for column, title in enumerate(self._head):
            self._sheet.write_string(0, column, title, self._bold)
        return self._sheet

    def _sheet_name(self, device: str, number_: int) -> str:
        """At most 31 characters, unlike every other; Excel keeps `History` for itself."""
        suffix = f" ({number_})" if number_ > 1 else "_" if device.lower() == "history" else ""
        name, more = device[: 31 - len(suffix)] + suffix, 1
        while name.lower() in self._names:
            more += 1
            suffix = f" ({number_}-{more})"
            name = device[: 31 - len(suffix)] + suffix
        self._names.add(name.lower())
        return name


class ParquetSink(Sink):
    """Times as instants (UTC), values as doubles; the station's zone stands in the file's metadata as `timezone`."""

    def __init__(self, path: Path, tier: Tier, zone: ZoneInfo) -> None:
        super().__init__(path, tier, zone)
        spill = path.with_name(path.name + ".spill")
        self._connection = duckdb.connect(
            ":memory:", config={"memory_limit": "128MB", "threads": 1, "temp_directory": str(spill)}
        )
        self._connection.execute("SET TimeZone = 'UTC'")
        values = (
            '"value" DOUBLE' if self._raw else ", ".join(f'"{name}" DOUBLE' for name in _VALUES) + ', "count" BIGINT'
        )
        self._connection.execute(
            f"CREATE TABLE rows (time TIMESTAMPTZ, point VARCHAR, {values}, quality VARCHAR, unit VARCHAR)"
        )

    def write(self, portion: Portion) -> None:
        rows = portion.rows
        columns: dict[str, Any] = {"time": rows.time}
        if self._raw:
            columns["value"] = rows.mean
        else:
            columns |= {name: getattr(rows, name) for name in _VALUES} | {"count": rows.count}
        columns["quality"] = np.array(qualities(rows.quality), dtype=object)
        names = ", ".join(f'"{name}"' for name in columns if name not in {"time", "quality"})
        self._connection.execute(
            f"INSERT INTO rows SELECT epoch_ms(time)::TIMESTAMPTZ, ?, {names}, quality, ? FROM columns",
            [portion.point.name, portion.point.unit],
        )

    def finish(self) -> None:
        target = self._path.as_posix().replace("'", "''")
        zone = str(self._zone).replace("'", "''")
        try:
            self._connection.execute(
                f"COPY rows TO '{target}' (format parquet, compression zstd, kv_metadata {{timezone: '{zone}'}})"
            )
        except duckdb.IOException as error:
            raise OSError(str(error)) from error
        finally:
            self._connection.close()

    def abandon(self) -> None:
        self._connection.close()


SINKS: Final[dict[str, type[Sink]]] = {".csv": CsvSink, ".xlsx": ExcelSink, ".parquet": ParquetSink}
