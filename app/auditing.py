"""`gridroom audit`: verify only reads, export is audited; both also while an engine runs on that folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect

from app.access.audit_rows import verdict
from app.access.heads import heads_in
from app.access.outbox import FILE_NAME, rows_in
from app.beside import audited, beside, vault_of
from app.configuration import configure
from app.demo import station_directory
from app.headless import moment
from app.model.audit import AuditFilter
from app.model.errors import StorageError
from app.model.station import Station
from app.records.database import Place
from app.records.places import place_of
from app.records.tables import audit
from app.records.troubles import cause, is_trouble

DONE: Final = 0
FAILED: Final = 1


def verify(station: Path, data: Path, heads: Sequence[Path]) -> int:
    """Print the verdict. 0 where the audit is sound, 1 with the first row that is not."""
    found = configure(station_directory(station)).station
    own = found.directory / found.audit.heads if found.audit.heads else None
    files = dict.fromkeys((*([own] if own is not None and own.exists() else []), *heads))
    kept = heads_in(data / "logs", files)
    with _reading(found, data) as connection:
        seen = verdict(connection, found.id, kept)
    if own is not None and own not in files:
        print(f"{own} is not there: the heads that the station keeps in it are not looked at", file=sys.stderr)
    if late := rows_in(data / "outbox" / FILE_NAME):
        print(f"{len(late)} rows wait in {data / 'outbox' / FILE_NAME}: the next start stores them", file=sys.stderr)
    against = f"{seen.heads_checked:,} heads that were kept elsewhere"
    if seen.sound:
        print(f"sound: {seen.rows:,} rows, and {against}, in {seen.seconds:.1f} s")
        return DONE
    print(f"NOT SOUND: {seen.fault}; {seen.rows:,} rows before it are sound, and {against}")
    return FAILED


def export(station: Path, data: Path, output: Path, start: str | None, end: str | None) -> int:
    """Write rows into a .csv or .xlsx file: among them that this was asked for."""
    found = configure(station_directory(station)).station
    wanted = AuditFilter(
        start=moment(start, found.timezone) if start else 0, end=moment(end, found.timezone) if end else 0
    )
    with _reading(found, data):
        pass  # a folder that holds no audit is told so, and gets none
    details = {"path": str(output), "from": start, "to": end}
    with beside(station, data) as opened:
        count = audited(opened, "audit.export", details, lambda: opened.audit.export(output, wanted).result())
    print(f"{output}: {count:,} rows")
    return DONE


@contextmanager
def _reading(station: Station, data: Path) -> Iterator[Connection]:
    place: Place = place_of(station, data)
    try:
        with vault_of(station, data), place.reading() as connection:
            if audit.name not in inspect(connection).get_table_names():
                raise StorageError(
                    f"{place.name} holds no audit yet: it is of an older Gridroom; start the console or the engine once"
                )
            yield connection
    except Exception as error:
        if isinstance(error, StorageError) or not is_trouble(error):
            raise
        raise StorageError(f"{place.name} cannot be read: {cause(error)}; check it, or take a copy of it") from error
