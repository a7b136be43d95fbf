"""Accounts and roles in the records: read whole, changed one transaction at a time, never deleted."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from app.access.roles import ADMINISTRATOR, GIVEN
from app.model.access import ACTION_NAMES, WHOLE_STATION, Action, Grant, RoleRow, UserRow
from app.model.errors import GridroomError
from app.model.text import Text
from app.records.tables import access_version, account, own_role

LONGEST_NAME: Final = 64
STORED_WITHIN_S: Final = 2.0
"""What cannot be stored by then is given up, and who asked is told."""


class AccountError(GridroomError):
    """An account or role that cannot be made or changed so. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account as it is stored."""

    row: UserRow
    password_hash: str


@dataclass(frozen=True, slots=True)
class Register:
    """All accounts and roles at one moment."""

    version: int
    accounts: Mapping[str, Account]
    """By `key_of(name)`."""
    roles: Mapping[str, RoleRow]

    def account(self, name: str) -> Account | None:
        """The account of this name, however it is written."""
        return self.accounts.get(key_of(name))

    def grants(self, role: str) -> frozenset[Grant]:
        """What a role allows; a role that is gone allows nothing."""
        found = self.roles.get(role)
        return found.grants if found else frozenset()


EMPTY: Final = Register(-1, {}, GIVEN)
"""Before the records were read."""


def key_of(name: str) -> str:
    """What two names must differ in: width and case of letters do not tell people apart."""
    return unicodedata.normalize("NFKC", name.strip()).casefold()


def checked_name(name: str) -> str:
    """A name as it is stored. Raises AccountError where nobody could read it."""
    name = unicodedata.normalize("NFC", name.strip())
    if not name or len(name) > LONGEST_NAME or not all(c.isprintable() for c in name):
        raise AccountError(
            Text(
                f"'{name[:LONGEST_NAME]!r}' is no name; write 1 to {LONGEST_NAME} visible characters",
                f"名称无效；请使用 1 到 {LONGEST_NAME} 个可见字符",
            )
        )
    return name


# -------------------------------------------------------------------------------------------------------- reading


def version(connection: Connection) -> int:
    """Grows with every change, by whatever process."""
    return connection.execute(select(access_version.c.version)).scalar() or 0


def load(connection: Connection) -> Register:
    """Everything."""
    accounts = {}
    for row in connection.execute(select(account)):
        user = UserRow(
            row.name, row.role, bool(row.disabled), bool(row.must_change), row.created, row.password_changed,
            row.last_sign_in,
        )  # fmt: skip
        accounts[key_of(row.name)] = Account(user, row.password_hash)
    roles = dict(GIVEN)
    for row in connection.execute(select(own_role)):
        roles[row.name] = RoleRow(row.name, Text(row.label_en, row.label_zh), _grants(row.grants), given=False)
    return Register(version(connection), accounts, roles)


def _grants(text: str) -> frozenset[Grant]:
    """Stored as [[action, area], ...]; an action that a later version knew is none here."""
    known = {action.value for action in Action}
    return frozenset(Grant(Action(action), area) for action, area in json.loads(text) if action in known)


# ------------------------------------------------------------------------------------------------------- changing
# Each runs in a transaction of the records; `begin_change` comes first and lets one process in at a time.


def begin_change(connection: Connection) -> Register:
    """Everything as it stands, while no other process can change it."""
    connection.execute(update(access_version).values(version=access_version.c.version + 1))
    return load(connection)


def add(connection: Connection, name: str, role: str, password_hash: str, now_ns: int, *, must_change: bool) -> None:
    """A new account. Raises AccountError."""
    register = begin_change(connection)
    name = checked_name(name)
    _must_be_role(register, role)
    if (taken := register.account(name)) is not None:
        raise AccountError(
            Text(f"there is an account '{taken.row.name}' already; take another name",
                 f"账户“{taken.row.name}”已存在；请使用其他名称")
        )  # fmt: skip
    connection.execute(
        insert(account).values(
            name=name, name_key=key_of(name), role=role, password_hash=password_hash, disabled=False,
            must_change=must_change, created=now_ns, password_changed=now_ns, last_sign_in=0,
        )
    )  # fmt: skip


def set_password(connection: Connection, name: str, password_hash: str, now_ns: int, *, must_change: bool) -> None:
    """Another password."""
    found = must_exist(begin_change(connection), name)
    _update(connection, found, password_hash=password_hash, password_changed=now_ns, must_change=must_change)


def keep_hash(connection: Connection, name: str, password_hash: str, was: str) -> bool:
    """The same password, hashed with today's parameters; not where it is another one since `was` was looked at."""
    found = must_exist(begin_change(connection), name)
    if found.password_hash != was:
        return False
    _update(connection, found, password_hash=password_hash)
    return True


def signed_in(connection: Connection, name: str, now_ns: int) -> None:
    """Note the time."""
    connection.execute(update(account).where(account.c.name_key == key_of(name)).values(last_sign_in=now_ns))


def set_disabled(connection: Connection, name: str, disabled: bool) -> None:
    """Lock an account out, or let it in again. Raises AccountError for the last who could undo it."""
    _update(connection, must_exist(begin_change(connection), name), disabled=disabled)
    _must_keep_an_administrator(connection)


def set_role(connection: Connection, name: str, role: str) -> None:
    """Give an account another role. Raises AccountError for the last administrator."""
    register = begin_change(connection)
    _must_be_role(register, role)
    _update(connection, must_exist(register, name), role=role)
    _must_keep_an_administrator(connection)


def put_role(
    connection: Connection, name: str, label: Text, grants: Iterable[Grant], *, copied_from: str | None = None
) -> None:
    """Make an own role as a copy (`copied_from`), or change one. Raises AccountError."""
    register = begin_change(connection)
    name = checked_name(name)
    if name in GIVEN:
        raise AccountError(
            Text(f"role '{name}' is given and stays as it is; copy it, and change the copy",
                 f"角色“{name}”为内置角色，不能修改；请复制后再改")
        )  # fmt: skip
    text = json.dumps(sorted([grant.action.value, grant.area] for grant in grants))
    values = {"label_en": label.en, "label_zh": label.zh, "grants": text}
    if copied_from is None:
        _must_be_role(register, name)
        connection.execute(update(own_role).where(own_role.c.name == name).values(**values))
    elif name in register.roles:
        raise AccountError(
            Text(f"there is a role '{name}' already; take another name", f"角色“{name}”已存在；请使用其他名称")
        )
    else:
        _must_be_role(register, copied_from)
        connection.execute(insert(own_role).values(name=name, copied_from=copied_from, **values))
    _must_keep_an_administrator(connection)


def remove_role(connection: Connection, name: str) -> None:
    """Remove an own role that nobody has. Raises AccountError."""
    register = begin_change(connection)
    _must_be_role(register, name)
    users = [found.row.name for found in register.accounts.values() if found.row.role == name]
    if name in GIVEN or users:
        who = ", ".join(users)
        raise AccountError(
            Text(f"role '{name}' is given, and stays", f"角色“{name}”为内置角色，不能删除") if name in GIVEN
            else Text(f"role '{name}' is had by {who}; give them another first",
                      f"角色“{name}”仍被 {who} 使用；请先更换其角色")
        )  # fmt: skip
    connection.execute(own_role.delete().where(own_role.c.name == name))


def must_exist(register: Register, name: str) -> Account:
    """The account. Raises AccountError."""
    found = register.account(name)
    if found is None:
        raise AccountError(Text(f"there is no account '{name}'; see the list", f"没有账户“{name}”；请查看列表"))
    return found


def must_have(register: Register, giver: str, grants: Iterable[Grant]) -> None:
    """Whoever manages accounts gives nobody what his own role (`giver`) may not: else he could give it to himself.

    Raises AccountError.
    """
    own = register.grants(giver)
    more = [grant for grant in grants if grant not in own and Grant(grant.action) not in own]
    if more:
        what = [ACTION_NAMES[action] for action in dict.fromkeys(grant.action for grant in sorted(more, key=repr))]
        raise AccountError(
            Text(f"that takes what you may not do yourself: {', '.join(one.en for one in what)}; ask somebody who may",
                 f"此操作涉及您没有的权限：{'、'.join(one.zh for one in what)}；请由有权的人操作")
        )  # fmt: skip


def must_outrank(register: Register, giver: str, name: str) -> None:
    """Nor does he change an account that may more than he. Raises AccountError."""
    must_have(register, giver, register.grants(must_exist(register, name).row.role))


def _must_be_role(register: Register, role: str) -> None:
    if role not in register.roles:
        known = ", ".join(register.roles)
        raise AccountError(
            Text(f"there is no role '{role}'; write one of: {known}", f"没有角色“{role}”；可用：{known}")
        )


def _must_keep_an_administrator(connection: Connection) -> None:
    """Somebody must be able to undo what was done."""
    register = load(connection)
    needed = Grant(Action.ACCOUNTS, WHOLE_STATION)
    able = [
        one for one in register.accounts.values() if not one.row.disabled and needed in register.grants(one.row.role)
    ]
    if register.accounts and not able:
        raise AccountError(
            Text(f"nobody could manage accounts any more; make another {ADMINISTRATOR} first",
                 "此后将无人能管理账户；请先指定另一名管理员")
        )  # fmt: skip


def _update(connection: Connection, found: Account, **values: Any) -> None:
    connection.execute(update(account).where(account.c.name_key == key_of(found.row.name)).values(**values))
