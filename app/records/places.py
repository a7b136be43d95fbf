"""Where a station keeps its records, as its file says."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from app.model.secrets import resolve
from app.model.station import Station
from app.records.database import Place
from app.records.postgresql import PostgresqlServer
from app.records.service import FILE_NAME
from app.records.sqlite import SqliteFile


def place_of(station: Station, data: Path, *, sole: bool = False) -> Place:
    """The file in the data folder, or the station's schema on the server.

    `sole`: for the engine, of which there is one; all others are beside it.
    The password is looked up at each opening, so that it need not be known before, and may change.
    """
    form = station.records
    if form.url is None:
        return SqliteFile(data / FILE_NAME, beside=not sole)
    password = partial(resolve, form.password) if form.password is not None else None
    return PostgresqlServer(form.url, station.id, password, sole=sole)
