"""Accounts, roles and sessions as administrators work on them. Behind the gate, as every service."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from sqlalchemy import Connection

from app.access import accounts, passwords
from app.access.accounts import STORED_WITHIN_S, AccountError, Register
from app.access.areas import Areas
from app.access.entrance import Entrance
from app.model.access import Action, Actor, Changed, Grant, RoleRow, SessionRow, UserRow, permit
from app.model.clock import Clock
from app.model.text import Text
from app.records.service import Records


class Accounts:
    """Thread-safe. Changes answer by a future, done when they are stored; all fail with AccountError in words."""

    def __init__(self, records: Records, entrance: Entrance, clock: Clock, areas: Callable[[], Areas]) -> None:
        self._records = records
        self._entrance = entrance
        self._clock = clock
        self._areas = areas
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="accounts")

    def stop(self) -> None:
        """Wait for what runs."""
        self._pool.shutdown(cancel_futures=True)

    @permit(Action.ACCOUNTS)
    def users(self) -> list[UserRow]:
        """Every account, by name."""
        return sorted(
            (one.row for one in self._entrance.register.accounts.values()), key=lambda row: row.name.casefold()
        )

    @permit(Action.ACCOUNTS)
    def roles(self) -> list[RoleRow]:
        """The given roles, then own ones."""
        return list(self._entrance.register.roles.values())

    @permit(Action.ACCOUNTS)
    def areas(self) -> list[tuple[str, Text]]:
        """What a grant may name: id and name of the station, its elements, its devices."""
        return self._areas().names()

    @permit(Action.ACCOUNTS, changes=True)
    def add(self, name: str, role: str, *, who: Actor) -> Future[Any]:
        """A new account; the answer is its password for one sign-in, which is kept nowhere."""

        def store(connection: Connection, before: Register, hash_: str) -> None:
            accounts.must_have(before, who.role, before.grants(role))
            accounts.add(connection, name, role, hash_, self._clock.now_ns(), must_change=True)

        return self._with_password(store, name)

    @permit(Action.ACCOUNTS, changes=True)
    def reset(self, name: str, *, who: Actor) -> Future[Any]:
        """Another password for one sign-in, which is the answer; open sessions of the account end."""

        def store(connection: Connection, before: Register, hash_: str) -> None:
            accounts.must_outrank(before, who.role, name)
            accounts.set_password(connection, name, hash_, self._clock.now_ns(), must_change=True)

        return self._with_password(store, name)

    @permit(Action.ACCOUNTS, changes=True)
    def set_disabled(self, name: str, disabled: bool, reason: str = "", *, who: Actor) -> Future[Any]:
        """Lock an account out, at once, or let it in again."""

        def store(connection: Connection, before: Register) -> None:
            accounts.must_outrank(before, who.role, name)
            accounts.set_disabled(connection, name, disabled)

        return self._change(store, name)

    @permit(Action.ACCOUNTS, changes=True)
    def set_role(self, name: str, role: str, reason: str = "", *, who: Actor) -> Future[Any]:
        """Give an account another role; it has it at once."""

        def store(connection: Connection, before: Register) -> None:
            accounts.must_outrank(before, who.role, name)
            accounts.must_have(before, who.role, before.grants(role))
            accounts.set_role(connection, name, role)

        return self._change(store, name)

    @permit(Action.ACCOUNTS, changes=True)
    def copy_role(self, role: str, name: str, label: Text) -> Future[Any]:
        """An own role that may what `role` may."""

        def store(connection: Connection, before: Register) -> None:
            accounts.put_role(connection, name, label, before.grants(role), copied_from=role)

        return self._change(store, role=name)

    @permit(Action.ACCOUNTS, changes=True)
    def change_role(self, name: str, label: Text, grants: Collection[Grant], *, who: Actor) -> Future[Any]:
        """What an own role may, and what it is called. Areas that the station does not have are refused."""
        known = {area for area, _ in self._areas().names()}
        for grant in grants:
            if grant.area not in known:
                failed: Future[Any] = Future()
                failed.set_exception(
                    AccountError(
                        Text(f"the station has no area '{grant.area}'; choose from its elements and devices",
                             f"本站没有区域“{grant.area}”；请从其设备与元件中选择")
                    )
                )  # fmt: skip
                return failed

        def store(connection: Connection, before: Register) -> None:
            accounts.must_have(before, who.role, frozenset(grants) - before.grants(name))
            accounts.put_role(connection, name, label, grants)

        return self._change(store, role=name)

    @permit(Action.ACCOUNTS, changes=True)
    def remove_role(self, name: str) -> Future[Any]:
        """Remove an own role that nobody has."""
        return self._change(lambda connection, before: accounts.remove_role(connection, name), role=name)

    @permit(Action.ACCOUNTS)
    def sessions(self) -> list[SessionRow]:
        """Who is signed in where, the oldest first."""
        return self._entrance.sessions.rows()

    @permit(Action.ACCOUNTS, changes=True)
    def end_session(self, id_: str, reason: str = "", *, who: Actor) -> bool:
        """End somebody's session; whether it was open."""
        return self._entrance.end(id_, f"ended by {who.name}")

    # ------------------------------------------------------------------------------------------------------ storing

    def _with_password(self, store: Callable[[Connection, Register, str], None], name: str) -> Future[Any]:
        def work() -> Changed[str]:
            password = passwords.one_time()
            hash_ = passwords.hashed(password)
            changed = self._stored(lambda connection, before: store(connection, before, hash_), name, "")
            return Changed(password, changed.before, changed.after)

        return self._pool.submit(work)

    def _change(self, store: Callable[[Connection, Register], None], name: str = "", role: str = "") -> Future[Any]:
        return self._pool.submit(self._stored, store, name, role)

    def _stored(self, store: Callable[[Connection, Register], None], name: str, role: str) -> Changed[None]:
        def work(connection: Connection) -> tuple[Register, Register]:
            before = accounts.begin_change(connection)
            store(connection, before)
            return before, accounts.load(connection)

        before, after = self._records.write(work, within_s=STORED_WITHIN_S).result()
        self._entrance.take(after)
        return Changed(None, _of(before, name, role), _of(after, name, role))


def _of(register: Register, name: str, role: str) -> object:
    """What is told of an account or role."""
    if role:
        return register.roles.get(role)
    found = register.account(name)
    return found.row if found else None
