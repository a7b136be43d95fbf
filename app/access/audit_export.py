"""The audit as CSV or Excel, for people: no cell of it is ever taken for a formula."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.history.export.text import inert
from app.history.whole import appearing
from app.model.audit import AuditRow
from app.model.clock import to_datetime
from app.model.errors import GridroomError, mend_of
from app.model.text import Text

HEAD: Final = (
    "id", "time", "actor", "role", "origin", "session", "what", "target", "result", "reason", "details", "before",
    "after", "asks", "hash",
)  # fmt: skip
SHEET_ROWS: Final = 1_000_000
LONGEST_CELL: Final = 32_000
"""Excel's cells hold 32,767 characters."""

Cells = Iterator[tuple[int | str, ...]]


def export_rows(path: Path, rows: Iterable[AuditRow], zone: ZoneInfo) -> int:
    """Write a file, whole or not at all; returns how many rows it has. Raises GridroomError."""
    writers: dict[str, Callable[[Path, Cells], int]] = {".csv": _csv, ".xlsx": _excel}
    write = writers.get(path.suffix.lower())
    if write is None:
        raise GridroomError(
            Text(f"{path} is neither .csv nor .xlsx; name it so", f"{path} 不是 .csv 或 .xlsx；请使用这两种后缀")
        )
    try:
        with appearing(path) as part:
            count = write(part, (_cells(row, zone) for row in rows))
    except OSError as error:
        mend = mend_of(error)
        why = error.strerror or str(error)
        raise GridroomError(
            Text(f"{path} cannot be written ({why}); {mend.en}", f"{path} 无法写入（{why}）；{mend.zh}")
        ) from error
    return count


def _cells(row: AuditRow, zone: ZoneInfo) -> tuple[int | str, ...]:
    id_, time_ns, *rest = astuple(row)
    return (id_, to_datetime(time_ns).astimezone(zone).isoformat(timespec="milliseconds"), *rest)


def _csv(path: Path, rows: Cells) -> int:
    """RFC 4180, UTF-8."""
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEAD)
        for row in rows:
            writer.writerow([inert(cell) if isinstance(cell, str) else cell for cell in row])
            count += 1
    return count


def _excel(path: Path, rows: Cells) -> int:
    """Texts as texts, whatever they begin with; a further sheet where one is full."""
    import xlsxwriter  # type: ignore[import-untyped]
    from xlsxwriter.exceptions import FileCreateError  # type: ignore[import-untyped]

    count = 0
    with tempfile.TemporaryDirectory(prefix="gridroom-export-", ignore_cleanup_errors=True) as aside:
        book: Any = xlsxwriter.Workbook(str(path), {"constant_memory": True, "tmpdir": aside})
        bold = book.add_format({"bold": True})
        sheet: Any = None
        for row in rows:
            if count % SHEET_ROWS == 0:
                sheet = _sheet(book, bold, count // SHEET_ROWS)
            at = count % SHEET_ROWS + 1
            for column, cell in enumerate(row):
                if isinstance(cell, int):
                    sheet.write_number(at, column, cell)
                elif cell:
                    sheet.write_string(at, column, cell if len(cell) <= LONGEST_CELL else cell[:LONGEST_CELL] + "...")
            count += 1
        if sheet is None:
            _sheet(book, bold, 0)
        try:
            book.close()
        except FileCreateError as error:
            raise OSError(str(error)) from error
    return count


def _sheet(book: Any, bold: Any, number: int) -> Any:
    sheet = book.add_worksheet("audit" if number == 0 else f"audit ({number + 1})")
    sheet.freeze_panes(1, 0)
    sheet.set_column(1, 1, 30)
    for column, title in enumerate(HEAD):
        sheet.write_string(0, column, title, bold)
    return sheet
