"""A plan of 96 points a day: what each quarter of an hour is to give, kW, discharge or generation positive."""

from __future__ import annotations

import csv
import math
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

from app.model.errors import Wrong
from app.model.text import Text

POINTS: Final = 96
EVERY_DAY: Final = date.min
"""In place of a day, where the plan is that of each."""
_MOST_ROWS: Final = 400_000
_MOST_BYTES: Final = 20 << 20
_SPREADSHEET: Final = ".xlsx"


class Plan:
    """Values of days; a day that is not planned has none."""

    def __init__(self, days: Mapping[date, Sequence[float]]) -> None:
        """`days` day (or `EVERY_DAY`) -> 96 values in kW, NaN where nothing is planned."""
        self.days = {day: tuple(map(float, values)) for day, values in days.items()}
        if any(len(values) != POINTS for values in self.days.values()):
            raise Wrong(Text(f"a day of a plan has {POINTS} points", f"每日计划应有 {POINTS} 点"))

    def at(self, local: datetime) -> float:
        """kW at a local time; NaN where nothing is planned."""
        values = self.days.get(local.date()) or self.days.get(EVERY_DAY)
        return values[(local.hour * 60 + local.minute) // 15] if values is not None else math.nan


def read_plan(file: Path) -> Plan:
    """A .csv or .xlsx of at most 20 MB: `time` (`07:15` for every day, or ISO 8601 with a date) and `power_kw`.

    Raises Wrong.
    """
    _judge_size(file)
    rows = _sheet(file) if file.suffix.lower() == _SPREADSHEET else _text(file)
    days: dict[date, list[float]] = {}
    for number, (when, what) in rows:
        day, quarter = _quarter(when, file, number)
        values = days.setdefault(day, [math.nan] * POINTS)
        if not math.isnan(values[quarter]):
            raise Wrong(Text(f"{file.name}:{number}: {when} stands there twice", f"{file.name}:{number}：{when} 重复"))
        try:
            values[quarter] = float(str(what))
        except (TypeError, ValueError):
            values[quarter] = math.nan
        if not math.isfinite(values[quarter]):
            raise Wrong(
                Text(
                    f"{file.name}:{number}: '{what}' is no power in kW",
                    f"{file.name}:{number}：“{what}”不是功率值（kW）",
                )
            )
    if not days:
        raise Wrong(Text(f"{file.name} holds no point", f"{file.name} 中没有计划点"))
    return Plan(days)


def written(plan: Plan) -> str:
    """A CSV file of it, as `read_plan` reads it."""
    lines = ["time,power_kw"]
    for day, values in sorted(plan.days.items()):
        prefix = "" if day == EVERY_DAY else f"{day.isoformat()}T"
        for quarter, value in enumerate(values):
            if not math.isnan(value):
                lines.append(f"{prefix}{quarter // 4:02}:{quarter % 4 * 15:02},{value:g}")
    return "\n".join(lines) + "\n"


def _judge_size(file: Path) -> None:
    """A plan is small, also unpacked: a spreadsheet is a zip, and a few kilobytes of one may stand for gigabytes."""
    try:
        size = file.stat().st_size
        if size <= _MOST_BYTES and file.suffix.lower() == _SPREADSHEET:
            with zipfile.ZipFile(file) as parts:
                size = sum(part.file_size for part in parts.infolist())
    except (OSError, zipfile.BadZipFile) as error:
        raise Wrong(Text(f"{file} is no spreadsheet ({error})", f"{file} 不是电子表格（{error}）")) from None
    if size > _MOST_BYTES:
        raise Wrong(Text(f"{file.name} is too large for a plan", f"{file.name} 对于计划而言过大"),
                    Text("keep it below 20 MB, also unpacked", "请保持在 20 MB 以内（含解压后）"))  # fmt: skip


def _text(file: Path) -> list[tuple[int, tuple[object, object]]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            lines = list(csv.reader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Wrong(Text(f"{file} cannot be read ({error})", f"{file} 无法读取（{error}）")) from None
    return _body(file, [(number, line) for number, line in enumerate(lines, 1) if any(map(str.strip, line))])


def _sheet(file: Path) -> list[tuple[int, tuple[object, object]]]:
    import openpyxl  # heavy, and seldom needed

    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        lines = [
            (n, list(line))
            for n, line in enumerate(book.worksheets[0].iter_rows(values_only=True, max_row=_MOST_ROWS), 1)
        ]
        book.close()
    except Exception as error:  # a foreign file: the library raises whatever it finds
        raise Wrong(Text(f"{file} is no spreadsheet ({error})", f"{file} 不是电子表格（{error}）")) from None
    return _body(file, [(n, line) for n, line in lines if any(cell is not None for cell in line)])


def _body(file: Path, lines: Sequence[tuple[int, Sequence[object]]]) -> list[tuple[int, tuple[object, object]]]:
    head = [str(cell).strip().lower() for cell in lines[0][1]] if lines else []
    column = "power_kvar" if "power_kvar" in head else "power_kw"
    if "time" not in head or column not in head:
        raise Wrong(
            Text(
                f"{file.name}: the first line does not name 'time' and 'power_kw'",
                f"{file.name}：首行未注明 time 和 power_kw",
            ),
            Text("write time,power_kw there", "请写 time,power_kw"),
        )
    when, what = head.index("time"), head.index(column)
    found = []
    for number, line in lines[1:]:
        if len(line) <= max(when, what):
            raise Wrong(Text(f"{file.name}:{number}: a cell is missing", f"{file.name}:{number}：缺少单元格"))
        found.append((number, (line[when], line[what])))
    return found


def _quarter(when: object, file: Path, number: int) -> tuple[date, int]:
    words = when.isoformat() if hasattr(when, "isoformat") else str(when).strip()
    day, sep, clock = words.replace(" ", "T").rpartition("T")
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}" if sep else f"2000-01-01T{clock.zfill(5)}")
    except ValueError:
        raise Wrong(
            Text(f"{file.name}:{number}: '{when}' is no time", f"{file.name}:{number}：“{when}”不是时刻"),
            Text("write 07:15, or 2026-11-27T07:15", "请写 07:15 或 2026-11-27T07:15"),
        ) from None
    if moment != moment.replace(tzinfo=None) or timedelta(minutes=moment.minute % 15, seconds=moment.second):
        raise Wrong(
            Text(f"{file.name}:{number}: {when} is no quarter of an hour of the station's time",
                 f"{file.name}:{number}：{when} 不是站点时间的整刻"),
            Text("write such as 07:15", "例如 07:15"),
        )  # fmt: skip
    return (moment.date() if sep else EVERY_DAY), (moment.hour * 60 + moment.minute) // 15
