"""`gridroom user`: accounts without a screen, also while an engine runs on that folder, which notices within a second.

A change and its row in the audit are one transaction: neither is there without the other.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from app.access import accounts, passwords
from app.access.accounts import AccountError, Register
from app.access.audit import Audit
from app.access.plain import plain
from app.configuration import configure
from app.demo import station_directory
from app.history.folder import DataFolder
from app.model.access import WHOLE_STATION, Action, Actor, Grant
from app.model.audit import AuditEntry, Result
from app.model.clock import SystemClock, to_datetime
from app.model.errors import wrong_input
from app.model.station import Station
from app.model.text import Text
from app.place import here, user
from app.records.places import place_of
from app.records.service import Records

DONE: Final = 0
_WITHIN_S: Final = 5.0
"""A change that cannot be stored by then is given up."""
_DOOR: Final = "command line"


def add(station: Path, data: Path, name: str, role: str) -> int:
    """Make an account; its password for one sign-in is all that goes to standard output."""
    with _open(station, data) as opened:
        password = passwords.one_time()
        hash_ = passwords.hashed(password)

        def store(connection: Connection, before: Register) -> None:
            accounts.add(connection, name, role, hash_, opened.clock.now_ns(), must_change=True)
            if not before.accounts and Grant(Action.ACCOUNTS, WHOLE_STATION) not in before.grants(role):
                raise AccountError(
                    Text(
                        "the first account must be one that manages the others; add an administrator first",
                        "首个账户须能管理其他账户；请先添加管理员",
                    )
                )

        opened.change("accounts.add", name, store, {"role": role})
        _hand_out(name, password)
    return DONE


def reset(station: Path, data: Path, name: str) -> int:
    """Another password for one sign-in; what the account has open is closed by the station."""
    with _open(station, data) as opened:
        password = passwords.one_time()
        hash_ = passwords.hashed(password)

        def store(connection: Connection, before: Register) -> None:
            accounts.set_password(connection, name, hash_, opened.clock.now_ns(), must_change=True)

        opened.change("accounts.reset", name, store)
        _hand_out(name, password)
    return DONE


def set_disabled(station: Path, data: Path, name: str, *, disabled: bool) -> int:
    """Lock an account out, or let it in again."""
    with _open(station, data) as opened:

        def store(connection: Connection, before: Register) -> None:
            accounts.set_disabled(connection, name, disabled)

        opened.change("accounts.set_disabled", name, store, {"disabled": disabled})
    print(f"{name}: {'disabled' if disabled else 'enabled'}")
    return DONE


def show(station: Path, data: Path) -> int:
    """Print every account, a line each."""
    with _open(station, data) as opened:
        register = opened.records.read(accounts.load).result()
    for row in sorted((one.row for one in register.accounts.values()), key=lambda row: accounts.key_of(row.name)):
        state = "disabled" if row.disabled else "must change its password" if row.must_change else "enabled"
        last = "never"
        if row.last_sign_in:
            last = to_datetime(row.last_sign_in).astimezone(opened.station.zone).isoformat(timespec="seconds")
        print(f"{row.name}\t{row.role}\t{state}\tlast sign-in {last}")
    if not register.accounts:
        print("nobody yet: the console asks for the first administrator, or use `gridroom user add`", file=sys.stderr)
    return DONE


@dataclass(frozen=True, slots=True)
class _Opened:
    station: Station
    records: Records
    audit: Audit
    clock: SystemClock

    def change(
        self, what: str, name: str, store: Callable[[Connection, Register], None], details: object = None
    ) -> None:
        """In one transaction with its audit row. Raises ConfigFaults where it is refused, StorageError."""
        actor = Actor(user(), origin=here(_DOOR))

        def work(connection: Connection) -> None:
            before = accounts.begin_change(connection)
            store(connection, before)
            after = accounts.load(connection)
            entry = AuditEntry(
                actor, what, name, Result.DONE, details=details,
                before=plain(_row(before, name)), after=plain(_row(after, name)),
            )  # fmt: skip
            self.audit.append(connection, entry)

        try:
            self.records.write(work, within_s=_WITHIN_S).result()
        except AccountError as error:
            refused = AuditEntry(actor, what, name, Result.FAILED, str(error), details)
            self.audit.write(refused, later=False).result()
            said, _, mend = str(error).partition("; ")
            raise wrong_input(said, mend or "correct it") from None


@contextmanager
def _open(station: Path, data: Path) -> Iterator[_Opened]:
    found = configure(station_directory(station)).station
    if not data.expanduser().is_dir():
        raise wrong_input(f"{data} is no folder", "give the data folder of the station, or make one for it first")
    folder = DataFolder.beside(data)
    folder.belongs_to(found.id)
    clock = SystemClock()
    records = Records(folder.path, on_trouble=lambda key, text: None, place=place_of(found, folder.path))
    audit = Audit(records, clock, found.id, zone=found.zone, logs=folder.logs)
    records.start()
    try:
        yield _Opened(found, records, audit, clock)
    finally:
        records.stop()


def _row(register: Register, name: str) -> object:
    found = register.account(name)
    return found.row if found else None


def _hand_out(name: str, password: str) -> None:
    print(password)
    print(f"{name} signs in with it once, and then chooses another; it is kept nowhere", file=sys.stderr)
