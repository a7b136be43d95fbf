"""Signing in: who somebody is. Sessions begin and end here, each told to the audit, without which they do not begin."""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Final, NoReturn, Protocol

from sqlalchemy import Connection

from app.access import accounts, passwords
from app.access.accounts import STORED_WITHIN_S, AccountError, Register
from app.access.delays import Delays
from app.access.roles import ADMINISTRATOR, ENGINEER
from app.access.sessions import Session, Sessions
from app.model.access import Actor, Denied, UserRow, WrongPassword
from app.model.audit import AuditEntry, Result
from app.model.clock import SECOND_NS, Clock
from app.model.text import Text
from app.records.service import Records

ONE_TIME_LASTS_S: Final = 7 * 86400.0
"""A password that another one set is good for so long."""
DEMO_NAME: Final = "demo engineer"
LONGEST_TYPED: Final = 10_000
"""What is longer is no password of anybody's, and is looked at no further."""

_log = logging.getLogger("gridroom.access")


class Chain(Protocol):
    """What is asked of the audit."""

    def write(self, entry: AuditEntry) -> Future[int]: ...

    def append(self, connection: Connection, entry: AuditEntry) -> int: ...


class Entrance:
    """Accounts, roles and sessions of one running station. Thread-safe; what hashes or stores answers by a future."""

    def __init__(
        self, records: Records, audit: Chain, clock: Clock, *, lock_after_s: float, demo: bool = False
    ) -> None:
        self._records = records
        self._audit = audit
        self._clock = clock
        self._demo = demo
        self._delays = Delays(clock)
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="access")
        self._pool.submit(passwords.prepare)
        self.sessions = Sessions(clock, lock_after_s)
        self.register: Register = accounts.EMPTY

    def stop(self) -> None:
        """Wait for what runs."""
        self._pool.shutdown(cancel_futures=True)

    @property
    def demo(self) -> bool:
        """Whether this is the demo station, with an engineer of its own."""
        return self._demo

    @property
    def first_start(self) -> bool:
        """Whether whoever stands here may name the first administrator: of a station that never knew anybody."""
        register = self.register
        return register.version >= 0 and not register.accounts and not self._demo and self._lost() is None

    def _lost(self) -> Text | None:
        """Why a station that knows nobody is not new: its accounts are in a damaged file.

        Else a disk that breaks would make whoever stands before the screen its administrator.
        """
        if self._demo or self.register.accounts or (aside := self._records.set_aside) is None:
            return None
        return Text(
            f"the accounts of this station are in {aside.name}, which was damaged and set aside; whoever manages this "
            "machine adds an administrator with gridroom user add, or puts a sound copy in place of records.sqlite",
            f"本站账户在已损坏并移开的 {aside.name} 中；请由本机管理员用 gridroom user add 添加管理员，"
            "或以完好的副本恢复 records.sqlite",
        )

    # ------------------------------------------------------------------------------------------------ the register

    def reload(self) -> None:
        """Read accounts and roles anew where another process or thread has changed them; sessions follow.

        Blocks on the disk. Raises StorageError.
        """
        if self._records.read(accounts.version).result() != self.register.version:
            self.take(self._records.read(accounts.load).result())

    def take(self, register: Register) -> None:
        """These are the accounts and roles now: who is disabled is out at once, who has another role has it at once."""
        self.register = register
        for session in self.sessions.all():
            account = register.account(session.actor.name)
            if self._is_demo(session):
                continue
            if account is None or account.row.disabled:
                self.end(session.actor.session, "the account is disabled")
            elif account.row.must_change and (not session.must_change or account.row.password_changed > session.since):
                self.end(session.actor.session, "its password was reset")
            elif account.row.role != session.actor.role:
                was = session.actor
                session.actor = Actor(was.name, account.row.role, was.origin, was.session)

    # --------------------------------------------------------------------------------------------------- signing in

    def sign_in(self, name: str, password: str, door: str) -> Future[Session]:
        """A session, once the audit has it. Fails with WrongPassword, which never says what was wrong of both."""
        return self._pool.submit(self._sign_in, name, password, door)

    def verify(self, name: str, password: str, door: str) -> Future[Actor]:
        """Who stands by as a second person; no session begins. Fails with WrongPassword.

        Whoever must change the password first is nobody yet: another person knows it.
        """

        def work() -> Actor:
            actor, account = self._known(name, password, door)
            if account.row.must_change:
                raise WrongPassword(
                    Text("this account must change its password first; sign in with it", "该账户须先登录并修改密码")
                )
            return actor

        return self._pool.submit(work)

    def sign_in_demo(self, door: str) -> Session:
        """The demo engineer, who needs no password and exists on the demo station only. Raises Denied elsewhere."""
        if not self._demo:
            raise Denied(Text("the demo engineer exists on the demo station only", "演示工程师仅存在于演示站"))
        session = self.sessions.begin(DEMO_NAME, ENGINEER, door)
        self._tell(session.actor, "access.sign_in")
        return session

    def name_administrator(self, name: str, password: str, door: str) -> Future[Session]:
        """The first account of a station. Fails with AccountError where there is one already, or WeakPassword."""

        def work() -> Session:
            if self._demo:
                raise Denied(Text("the demo station has its engineer, and no administrator", "演示站只有演示工程师"))
            passwords.judge(password, name)
            hash_, now = passwords.hashed(password), self._clock.now_ns()

            if (lost := self._lost()) is not None:
                raise AccountError(lost)

            def store(connection: Connection) -> Register:
                if accounts.begin_change(connection).accounts:
                    raise AccountError(
                        Text("this station has an administrator already; sign in", "本站已有管理员；请登录")
                    )
                accounts.add(connection, name, ADMINISTRATOR, hash_, now, must_change=False)
                actor = Actor(accounts.checked_name(name), ADMINISTRATOR, door)
                self._audit.append(connection, AuditEntry(actor, "accounts.name_administrator", actor.name))
                return accounts.load(connection)

            self.take(self._records.write(store, within_s=STORED_WITHIN_S).result())
            return self._sign_in(name, password, door)

        return self._pool.submit(work)

    def change_password(self, session: Session, old: str, new: str) -> Future[None]:
        """A person's own password. Fails with WrongPassword, WeakPassword."""

        def work() -> None:
            actor, account = self._known(session.actor.name, old, session.actor.origin)
            passwords.judge(new, actor.name)
            if new == old:
                raise passwords.WeakPassword(Text("the new password is the old one", "新密码与旧密码相同"))
            hash_, now = passwords.hashed(new), self._clock.now_ns()

            def store(connection: Connection) -> Register:
                self._still(accounts.begin_change(connection), account)
                accounts.set_password(connection, actor.name, hash_, now, must_change=False)
                self._audit.append(connection, AuditEntry(session.actor, "access.change_password", actor.name))
                return accounts.load(connection)

            self.take(self._records.write(store, within_s=STORED_WITHIN_S).result())
            session.must_change = False

        return self._pool.submit(work)

    def end(self, id_: str, reason: str = "") -> bool:
        """End a session; whether it was open."""
        ended = self.sessions.end(id_)
        if ended is not None:
            self._tell(ended.actor, "access.sign_out", reason)
        return ended is not None

    def lock(self, session: Session, reason: str = "") -> None:
        """Its person has gone; only who signs in goes on."""
        if not session.locked:
            session.locked = True
            self._tell(session.actor, "access.lock", reason)

    def lock_idle(self) -> None:
        """Lock whoever has done nothing for too long."""
        for session in self.sessions.all():
            if not session.locked and self.sessions.is_idle(session):
                self.lock(session, "idle")

    # ------------------------------------------------------------------------------------------------ on the pool

    def _sign_in(self, name: str, password: str, door: str) -> Session:
        _, account = self._known(name, password, door)
        now = self._clock.now_ns()

        def store(connection: Connection) -> UserRow:
            row = self._still(accounts.load(connection), account)
            accounts.signed_in(connection, row.name, now)
            self._audit.append(connection, AuditEntry(Actor(row.name, row.role, door), "access.sign_in", row.name))
            return row

        row: UserRow = self._records.write(store, within_s=STORED_WITHIN_S).result()
        session = self.sessions.begin(row.name, row.role, door, must_change=row.must_change)
        self.take(self.register)  # whoever changed the account before the session began did not see it
        return session

    @staticmethod
    def _still(register: Register, account: accounts.Account) -> UserRow:
        """The account as it is now. Raises WrongPassword where it was disabled or reset since it was looked at:
        looking at a password takes longer than that."""
        found = register.account(account.row.name)
        if found is None or found.row.disabled or found.password_hash != account.password_hash:
            raise WrongPassword(Text("the account was changed meanwhile; sign in again", "账户刚被更改，请重新登录"))
        return found.row

    def _known(self, name: str, password: str, door: str) -> tuple[Actor, accounts.Account]:
        """Who this is, and the account that the password was right for. Raises WrongPassword."""
        if len(password) > LONGEST_TYPED or len(name) > LONGEST_TYPED:
            raise WrongPassword(Text("that is too long for a name or a password", "名称或密码过长"))
        key = accounts.key_of(name)
        if (wait_s := self._delays.wait_s(door, key)) > 0:
            raise WrongPassword(
                Text(f"too many failures; try again in {wait_s:.0f} s", f"失败次数过多；请在 {wait_s:.0f} 秒后重试"),
                wait_s,
            )
        self.reload()
        if (lost := self._lost()) is not None:
            raise AccountError(lost)
        found = self.register.account(name)
        right = passwords.matches(found.password_hash if found else None, password)
        if found is None or not right or found.row.disabled or self._is_over(found):
            self._delays.failed(door, key)
            self._refuse(found.row.name if found else "", door)
        self._delays.succeeded(door, key)
        if passwords.is_outdated(found.password_hash):
            hash_, was = passwords.hashed(password), found.password_hash
            kept = self._records.write(
                lambda connection: accounts.keep_hash(connection, name, hash_, was), within_s=STORED_WITHIN_S
            ).result()
            found = replace(found, password_hash=hash_) if kept else found
        return Actor(found.row.name, found.row.role, door), found

    def _is_over(self, found: accounts.Account) -> bool:
        age_s = (self._clock.now_ns() - found.row.password_changed) / SECOND_NS
        return found.row.must_change and age_s > ONE_TIME_LASTS_S

    def _refuse(self, name: str, door: str) -> NoReturn:
        """Tell log and audit. The name of no account is not written down: people type passwords there."""
        _log.warning("sign-in refused for %s at %s", name or "an unknown name", door)
        entry = AuditEntry(Actor(name, "", door), "access.sign_in", name or "(unknown name)", Result.DENIED)
        self._audit.write(entry)
        raise WrongPassword(
            Text(
                "name or password is wrong, or the account is disabled; an administrator can reset it",
                "名称或密码错误，或账户已停用；可请管理员重置",
            )
        )

    def _is_demo(self, session: Session) -> bool:
        return self._demo and session.actor.name == DEMO_NAME

    def _tell(self, actor: Actor, what: str, reason: str = "") -> None:
        _log.info("%s: %s at %s%s", what, actor.name, actor.origin, f" ({reason})" if reason else "")
        self._audit.write(AuditEntry(actor, what, actor.name, reason=reason))
