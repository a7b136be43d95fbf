"""A station's records beside whoever runs it: for verbs that manage what an engine may be using at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from app.access.audit import Audit
from app.access.plain import plain
from app.access.secrets.vault import Vault
from app.configuration import Configuration, configure
from app.demo import station_directory
from app.history.export.target import targets
from app.history.folder import DataFolder
from app.model import secrets
from app.model.access import Actor, Changed
from app.model.audit import AuditEntry, Result
from app.model.clock import SystemClock
from app.model.errors import wrong_input
from app.model.station import Station
from app.place import here, user
from app.records.places import place_of
from app.records.service import Records

T = TypeVar("T")

WITHIN_S: Final = 5.0
"""A change that cannot be stored by then is given up."""
_DOOR: Final = "command line"


@dataclass(frozen=True, slots=True)
class Beside:
    """What such a verb works on."""

    configuration: Configuration
    records: Records
    audit: Audit
    clock: SystemClock
    vault: Vault

    @property
    def station(self) -> Station:
        return self.configuration.station

    @staticmethod
    def actor() -> Actor:
        """Whoever runs the verb, as the operating system knows them."""
        return Actor(user(), origin=here(_DOOR))


@contextmanager
def beside(station: Path, data: Path, *, trying: Mapping[str, str] | None = None) -> Iterator[Beside]:
    """Raises ConfigFaults, StorageError. `trying` are secrets that are not stored yet: the records' own password."""
    found = configure(station_directory(station))
    if not data.expanduser().is_dir():
        raise wrong_input(f"{data} is no folder", "give the data folder of the station, or make one for it first")
    folder = DataFolder.beside(data)
    folder.belongs_to(found.station.id)
    with recording(found, folder, trying=trying) as opened:
        yield opened


@contextmanager
def recording(found: Configuration, folder: DataFolder, *, trying: Mapping[str, str] | None = None) -> Iterator[Beside]:
    """The records of a folder that is this station's, for as long as a verb works. Raises StorageError."""
    with vault_of(found.station, folder.path, trying=trying) as vault:
        clock = SystemClock()
        records = Records(folder.path, on_trouble=lambda key, text: None, place=place_of(found.station, folder.path))
        audit = Audit(records, clock, found.station.id, zone=found.station.zone, logs=folder.logs,
                      may_write=targets(found.station.directory, folder.path, found.station.audit.heads))  # fmt: skip
        records.start()
        try:
            yield Beside(found, records, audit, clock, vault)
        finally:
            records.stop()


def audited(opened: Beside, what: str, details: object, run: Callable[[], T]) -> T:
    """First the row, then the deed, then the row of how it ended. No row, no deed."""
    asked = AuditEntry(opened.actor(), what, opened.station.id, Result.ASKED, details=details)
    id_ = opened.audit.write(asked).result()
    try:
        answer = run()
    except BaseException as error:
        why = str(error) or type(error).__name__
        failed = replace(asked, result=Result.FAILED, reason=why, asks=id_, details=None)
        opened.audit.write(failed, later=False).result()
        raise
    changed = answer if isinstance(answer, Changed) else Changed(answer)
    done = replace(
        asked, result=Result.DONE, asks=id_, details=None, before=plain(changed.before), after=plain(changed.after)
    )
    opened.audit.write(done, later=False).result()
    return answer


@contextmanager
def vault_of(station: Station, data: Path, *, trying: Mapping[str, str] | None = None) -> Iterator[Vault]:
    """The station's secrets, opened for every `secret:NAME` of this process."""
    vault = Vault(data, station.id)
    vault.look()
    tried = trying or {}
    with secrets.opened(lambda name: tried.get(name) or vault.find(name)):
        yield vault
