"""`gridroom user`: accounts without a screen, also while an engine runs on that folder, which notices within a second.

A change and its row in the audit are one transaction: neither is there without the other.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from app.access import accounts, passwords
from app.access.accounts import AccountError, Register
from app.access.plain import plain
from app.beside import WITHIN_S, Beside, beside
from app.model.access import WHOLE_STATION, Action, Grant
from app.model.audit import AuditEntry, Result
from app.model.clock import to_datetime
from app.model.errors import wrong_input
from app.model.text import Text

DONE: Final = 0


def add(station: Path, data: Path, name: str, role: str) -> int:
    """Make an account; its password for one sign-in is all that goes to standard output."""
    with beside(station, data) as opened:
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

        _change(opened, "accounts.add", name, store, {"role": role})
        _hand_out(name, password)
    return DONE


def reset(station: Path, data: Path, name: str) -> int:
    """Another password for one sign-in; what the account has open is closed by the station."""
    with beside(station, data) as opened:
        password = passwords.one_time()
        hash_ = passwords.hashed(password)

        def store(connection: Connection, before: Register) -> None:
            accounts.set_password(connection, name, hash_, opened.clock.now_ns(), must_change=True)

        _change(opened, "accounts.reset", name, store)
        _hand_out(name, password)
    return DONE


def set_disabled(station: Path, data: Path, name: str, *, disabled: bool) -> int:
    """Lock an account out, or let it in again."""
    with beside(station, data) as opened:

        def store(connection: Connection, before: Register) -> None:
            accounts.set_disabled(connection, name, disabled)

        _change(opened, "accounts.set_disabled", name, store, {"disabled": disabled})
    print(f"{name}: {'disabled' if disabled else 'enabled'}")
    return DONE


def show(station: Path, data: Path) -> int:
    """Print every account, a line each."""
    with beside(station, data) as opened:
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


def _change(
    opened: Beside, what: str, name: str, store: Callable[[Connection, Register], None], details: object = None
) -> None:
    """In one transaction with its audit row. Raises ConfigFaults where it is refused, StorageError."""
    actor = opened.actor()

    def work(connection: Connection) -> None:
        before = accounts.begin_change(connection)
        store(connection, before)
        after = accounts.load(connection)
        entry = AuditEntry(
            actor, what, name, Result.DONE, details=details,
            before=plain(_row(before, name)), after=plain(_row(after, name)),
        )  # fmt: skip
        opened.audit.append(connection, entry)

    try:
        opened.records.write(work, within_s=WITHIN_S).result()
    except AccountError as error:
        refused = AuditEntry(actor, what, name, Result.FAILED, str(error), details)
        opened.audit.write(refused, later=False).result()
        said, _, mend = str(error).partition("; ")
        raise wrong_input(said, mend or "correct it") from None


def _row(register: Register, name: str) -> object:
    found = register.account(name)
    return found.row if found else None


def _hand_out(name: str, password: str) -> None:
    print(password)
    print(f"{name} signs in with it once, and then chooses another; it is kept nowhere", file=sys.stderr)
