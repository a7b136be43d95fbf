"""What is asked of an export, what comes of it, and what is wrong with the asking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from app.history.layout import Tier
from app.model.errors import GridroomError

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
            raise ExportError(
                f"'{self.path.name}' is no known format; name a file that ends with {', '.join(SUFFIXES)}"
            )
        if not self.path.parent.is_dir():
            raise ExportError(f"the folder {self.path.parent} does not exist; make it first")
        if self.every not in set(Tier):
            raise ExportError(f"every '{self.every}' is not kept; one of: {' '.join(Tier)}")
        if self.end_ns <= self.start_ns:
            raise ExportError("the end of the export is not after its start; exchange them")
        try:
            return Tier(self.every), ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise ExportError(f"'{zone}' is not a time zone; write an IANA name such as Asia/Shanghai") from None


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What was written."""

    path: Path
    rows: int
    points: int
    """Points that had rows."""
