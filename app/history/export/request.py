"""What is asked of an export, what comes of it, and what is wrong with the asking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from app.history.layout import Tier
from app.model.errors import GridroomError
from app.model.text import Text

SUFFIXES: Final = (".csv", ".xlsx", ".parquet")


class ExportError(GridroomError):
    """An export that cannot be: the request is wrong."""


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """Samples (`every` raw) or buckets of a tier with start <= time < end."""

    points: str | tuple[str, ...]
    """Shell pattern on full names, or several; `*` crosses dots."""
    start_ns: int
    end_ns: int
    every: str
    """raw, 1s, 5s, 15min or 1h."""
    path: Path
    """Its suffix says the format: .csv, .xlsx or .parquet. A file there is replaced, when the new one is whole."""
    zone: str | None = None
    """IANA name of the zone in which times are written; None for the station's."""
    progress: Callable[[float], None] | None = None
    """Told the share done, 0 to 1, now and then, on the exporting thread."""

    def judged(self, station_zone: str) -> tuple[Tier, ZoneInfo]:
        """The tier and the zone. Raises ExportError."""
        zone = self.zone or station_zone
        if self.path.suffix.lower() not in SUFFIXES:
            name, known = self.path.name, ", ".join(SUFFIXES)
            raise ExportError(
                Text(
                    f"'{name}' is no known format; name a file that ends with {known}",
                    f"不支持“{name}”的格式；文件名请以 {known} 结尾",
                )
            )
        if not self.path.parent.is_dir():
            folder = self.path.parent
            raise ExportError(
                Text(f"the folder {folder} does not exist; make it first", f"文件夹 {folder} 不存在；请先创建")
            )
        if self.every not in set(Tier):
            kept = " ".join(Tier)
            raise ExportError(
                Text(f"every '{self.every}' is not kept; one of: {kept}", f"没有“{self.every}”间隔；可选：{kept}")
            )
        if self.end_ns <= self.start_ns:
            raise ExportError(
                Text("the end of the export is not after its start; exchange them", "结束时间不晚于开始时间；请对调")
            )
        try:
            return Tier(self.every), ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            text = Text(
                f"'{zone}' is not a time zone; write an IANA name such as Asia/Shanghai",
                f"“{zone}”不是时区；请写 IANA 名称，如 Asia/Shanghai",
            )
            raise ExportError(text) from None


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What was written."""

    path: Path
    rows: int
    points: int
    """Points that had rows."""
    without: int = 0
    """Points that were chosen and are not kept in this tier: it is finer than four of their scans."""
