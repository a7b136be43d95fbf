"""Who may do what: the words that every room shares. Declared at the method itself; asked by `app.access.gate`.

A service method that people may reach carries `@permit(...)`. One without it cannot be reached from outside at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from app.model.errors import GridroomError
from app.model.text import Text

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

WHOLE_STATION: Final = "*"
"""The area that holds every other."""


class Action(StrEnum):
    """What a permission is for. Each is used by a method at least; a test holds that."""

    VIEW = "view"
    """Live values, alarms, trends, journals, connections."""
    EXPORT = "export"
    """History and lists into files."""
    ACKNOWLEDGE = "acknowledge"
    """Alarms."""
    PROBE = "probe"
    """Ask a device once, beside its schedule; try a connection."""
    COMMAND = "command"
    """Set and command devices: modes, setpoints, tags, resets, the emergency stop."""
    STRATEGIES = "strategies"
    """Which strategies run, live or in shadow, and their parameters."""
    CONFIGURE = "configure"
    """Station files: devices, points, limits; versions."""
    SECRETS = "secrets"
    """Store and forget passwords, tokens and keys; see their names."""
    AUDIT = "audit"
    """Read, verify and export the audit."""
    ACCOUNTS = "accounts"
    """Users, roles, sessions of others."""


ACTION_NAMES: Final[Mapping[Action, Text]] = {
    Action.VIEW: Text("see values, alarms and trends", "查看数值、告警与趋势"),
    Action.EXPORT: Text("export", "导出"),
    Action.ACKNOWLEDGE: Text("acknowledge alarms", "确认告警"),
    Action.PROBE: Text("ask devices once", "单次读取设备"),
    Action.COMMAND: Text("command devices", "控制设备"),
    Action.STRATEGIES: Text("run strategies", "投退策略"),
    Action.CONFIGURE: Text("change the configuration", "修改配置"),
    Action.SECRETS: Text("manage secrets", "管理密钥"),
    Action.AUDIT: Text("read the audit", "查看审计"),
    Action.ACCOUNTS: Text("manage accounts", "管理账户"),
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, and from where."""

    name: str
    """Of the account; empty for nobody."""
    role: str = ""
    origin: str = ""
    """`console`, `command line`, `config`: by which door."""
    session: str = ""
    """Empty without one."""


@dataclass(frozen=True, slots=True)
class Permit:
    """What a method asks for."""

    action: Action | None
    """None: anybody at the door, signed in or not."""
    where: Callable[[Any, Mapping[str, Any]], Iterable[str]] | None
    """(service, arguments) -> ids of the devices it touches; None: the whole station."""
    changes: bool
    """It is audited: a row before, without which it does not happen, and a row with its result."""
    urgent: bool
    """It happens at once, and the audit is written as soon as it can be: what makes the station safe never waits."""
    hide: frozenset[str]
    """Arguments that no row of the audit may show."""


def permit(
    action: Action | None,
    *,
    where: Callable[[Any, Mapping[str, Any]], Iterable[str]] | None = None,
    changes: bool = False,
    urgent: bool = False,
    hide: Iterable[str] = (),
) -> Callable[[F], F]:
    """Declare what a method of a service asks for. A property is declared below its `@property`.

    A method that takes a keyword `who` (Actor) is given who asked; nobody outside can name another.
    """

    def declare(method: F) -> F:
        method.__permit__ = Permit(action, where, changes, urgent, frozenset(hide))  # type: ignore[attr-defined]
        return method

    return declare


def permit_of(kind: type, name: str) -> Permit | None:
    """What a method or property of a class asks for; None where it is not for anybody outside."""
    member = getattr(kind, name, None)
    found: Permit | None = getattr(member.fget if isinstance(member, property) else member, "__permit__", None)
    return found


@dataclass(frozen=True, slots=True)
class Changed(Generic[T]):
    """What an audited method may return (or its future): the answer, and for the audit what was and what is now."""

    answer: T
    before: Any = None
    """Plain data that JSON can hold, without secrets; None where there was nothing."""
    after: Any = None


class Denied(GridroomError):
    """The gate said no: who may not do what, where, and who could."""


class NobodySignedIn(Denied):
    """It asks for somebody who is signed in, and nobody is; or the session is locked, or over."""


class SecondPersonNeeded(Denied):
    """Another person must confirm this action; `method` is what to name in `confirm`."""

    def __init__(self, text: Text, method: str) -> None:
        super().__init__(text)
        self.method = method


class WrongPassword(GridroomError):
    """A sign-in that failed; it never says which half was wrong. `wait_s` until the next try is looked at."""

    def __init__(self, text: Text, wait_s: float = 0.0) -> None:
        super().__init__(text)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Grant:
    """An action that a role allows, and where."""

    action: Action
    area: str = WHOLE_STATION
    """`*`, the id of a device, or of a diagram element that holds devices."""


@dataclass(frozen=True, slots=True)
class RoleRow:
    """A role. The four given ones cannot be changed, but copied."""

    name: str
    label: Text
    grants: frozenset[Grant]
    given: bool


@dataclass(frozen=True, slots=True)
class UserRow:
    """An account, without anything that could help to guess its password."""

    name: str
    role: str
    disabled: bool
    must_change: bool
    """Its password was set by another: the next sign-in asks for a new one."""
    created: int
    """UTC nanoseconds, as the others."""
    password_changed: int
    last_sign_in: int
    """0 before the first."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session that is open."""

    id: str
    user: str
    role: str
    origin: str
    since: int
    """UTC nanoseconds."""
    last_seen: int
    locked: bool


class SecretPlace(StrEnum):
    """Where a secret is kept."""

    KEYRING = "keyring"
    SEALED = "sealed"
    ENVIRONMENT = "environment"
    NOWHERE = ""


@dataclass(frozen=True, slots=True)
class SecretRow:
    """A secret that a station asks for or has, without its value."""

    reference: str
    """`secret:NAME` or `env:NAME`, as the station's files say it."""
    place: SecretPlace
    trouble: Text | None
    """Why it cannot be had; None where all is well."""
    users: tuple[str, ...]
    """Ids of devices and dispatch centres, `records`."""


NAMELESS: Final = Text("", "")


@dataclass(frozen=True, slots=True)
class Standing:
    """How a door stands: who is signed in, and what may be done next."""

    actor: Actor
    """Name empty: nobody."""
    label: Text = NAMELESS
    """What the role is called."""
    locked: bool = False
    """Somebody is signed in, but must sign in again before anything but looking."""
    must_change: bool = False
    """Signed in, and nothing else is allowed before the password is changed."""
    first_start: bool = False
    """There is no account at all yet: the first administrator may be named."""
    demo: bool = False
    """The demo engineer of the demo station, who exists nowhere else."""
    locks_at: int = 0
    """UTC nanoseconds when it locks by itself if nothing is done; 0 never."""
    version: int = field(default=0, compare=False)
    """Grows whenever anything here, a role or a grant changed."""
