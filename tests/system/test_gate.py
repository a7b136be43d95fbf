"""The gate of a running station: every method of every service, called as every role and as nobody.

The bodies of the methods are replaced: what is tried is who gets to them, and not what they do.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

import pytest

from app.configuration import configure
from app.model.access import Action, Denied, Grant, NobodySignedIn, permit_of
from app.model.audit import AuditFilter
from app.model.text import Text
from app.station import SERVICES, RunningStation
from tests.support.doors import ADMINISTRATOR
from tests.support.permissions import COLUMNS, FILE, WITHIN, document, may, members

STATION = """
version: 1
station: {id: site, name: {en: Site, zh: 站点}, timezone: Asia/Shanghai, location: {latitude: 30, longitude: 120}}
devices:
  - {id: one, name: One, kind: meter, connection: {driver: modbus-tcp, host: 127.0.0.1, port: 1}, points: [
      {id: p_kw, name: P, kind: measurement, address: {table: input, register: 1, type: u16}, scan: 1h}]}
  - {id: two, name: Two, kind: meter, connection: {driver: modbus-tcp, host: 127.0.0.1, port: 1, unit: 2}, points: [
      {id: p_kw, name: P, kind: measurement, address: {table: input, register: 1, type: u16}, scan: 1h}]}
"""


class Reached(tuple[()]):
    """What a method answers here: itself, or nothing to whoever looks for rows in it."""


REACHED: Final = Reached()
PASSWORD: Final = "four small grey cats"
AT_ONE: Final = "warden of one"


def replaced(service: object) -> Any:
    """The service, with methods that only say that they were reached; what they declare stays."""
    kind = type(service)

    def body(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def instead(*args: Any, **kwargs: Any) -> Any:
            if not str(method.__annotations__.get("return", "")).startswith("Future"):
                return REACHED
            future: Future[Reached] = Future()
            future.set_result(REACHED)
            return future

        return instead

    new: dict[str, Any] = {}
    for name in dir(kind):
        member = getattr(kind, name)
        if name.startswith("_") or permit_of(kind, name) is None:
            continue
        new[name] = property(body(member.fget)) if isinstance(member, property) else body(member)
    copy = object.__new__(type(kind.__name__, (kind,), new))
    copy.__dict__ = service.__dict__
    return copy


class Gate:
    """A running station, and doors to it at which somebody of each role stands."""

    def __init__(self, folder: Path, roles: Collection[str]) -> None:
        (folder / "station.yaml").write_text(STATION, encoding="utf-8")
        (folder / "data").mkdir()
        self.running = RunningStation(configure(folder), folder / "data")
        self.running.start()
        self.real = {name: getattr(self.running, name) for name in SERVICES}
        self.doors: dict[str, Any] = {"": self.door()}
        chief = self.doors["administrator"] = self.door()
        chief.access.name_administrator("administrator", PASSWORD).result(30)
        self.running.accounts.copy_role("observer", AT_ONE, Text("warden", "看守")).result(30)
        grants = {Grant(action, "one") for action in (Action.PROBE, Action.ACKNOWLEDGE)}
        self.running.accounts.change_role(AT_ONE, Text("warden", "看守"), grants, who=ADMINISTRATOR).result(30)
        for role in set(roles) - {"", "administrator"}:
            password = self.running.accounts.add(role, role, who=ADMINISTRATOR).result(30).answer
            door = self.doors[role] = self.door()
            door.access.sign_in(role, password).result(30)
            door.access.change_password(password, PASSWORD).result(30)

    def door(self) -> Any:
        services = {name: replaced(service) for name, service in self.real.items()}
        return self.running._access.facade("test", replaced(self.running), services)

    def call(self, role: str, path: str, device: str = "one") -> Denied | None:
        """How it went: through, or why not."""
        service, _, member = path.partition(".")
        owner = self.running if service == "station" else self.real[service]
        door = self.doors[role] if service == "station" else getattr(self.doors[role], service)
        try:
            answer = getattr(door, member)
            if not isinstance(getattr(type(owner), member), property):
                answer = answer(*arguments(getattr(type(owner), member), device))
            answer = answer.result(30) if isinstance(answer, Future) else answer
        except Denied as denied:
            return denied
        assert answer is REACHED, path
        return None


def arguments(method: Callable[..., Any], device: str) -> list[Any]:
    """For what it must be given: no more than how many there are is looked at, but for a point."""
    return [
        f"{device}.p_kw" if name == "point" else ()
        for name, parameter in list(inspect.signature(method).parameters.items())[1:]
        if name != "who" and parameter.default is parameter.empty
    ]


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Callable[..., Gate]]:
    gates: list[Gate] = []

    def open_gate(*roles: str) -> Gate:
        gates.append(Gate(tmp_path, roles))
        return gates[-1]

    yield open_gate
    for one in gates:
        one.running.stop()


METHODS: Final = [(path, permit) for path, permit in members() if permit is not None and not path.startswith("access.")]


def test_everything_public_is_declared_or_within() -> None:
    """A new method fails here until it says what it asks for, or is named as one that no door leads to."""
    assert {path for path, permit in members() if permit is None} == WITHIN


def test_the_document_is_what_is_declared() -> None:
    assert FILE.read_text(encoding="utf-8") == document(), "run python -m tests.support.permissions"


def test_nobody_reaches_what_is_within(gate: Callable[..., Gate]) -> None:
    doors = gate().doors
    for path in sorted(WITHIN):
        service, _, member = path.partition(".")
        for door in doors.values():
            with pytest.raises(AttributeError, match="declares no permit"):
                getattr(door if service == "station" else getattr(door, service), member)


@pytest.mark.parametrize("role", ["", *COLUMNS])
def test_each_role_gets_what_the_document_says(
    gate: Callable[..., Gate], role: str, caplog: pytest.LogCaptureFixture
) -> None:
    opened = gate(role)
    with caplog.at_level(logging.WARNING, "gridroom.access"):
        denied = {path: opened.call(role, path) for path, _ in METHODS}
    rows = {line.split("`")[1]: line.split("|")[3:-1] for line in FILE.read_text("utf-8").splitlines() if "`" in line}
    column = ("", *COLUMNS).index(role)
    assert {path: "no" if why else "yes" for path, why in denied.items()} == {
        path: rows[path][column].strip() for path, _ in METHODS
    }
    assert {path: why is None for path, why in denied.items()} == {
        path: may(role, permit.action) for path, permit in METHODS
    }
    refused = {path: why for path, why in denied.items() if why is not None}
    for path, why in refused.items():
        assert why.text.en and why.text.zh and isinstance(why, NobodySignedIn) is (role == "")
        assert f"denied: {path} for {role or 'nobody'} at test" in caplog.text
    opened.running.records.write(lambda connection: None).result(30)
    audited = opened.running.audit.rows(AuditFilter(results=("denied",)), 1000).result(30)
    assert {(one.actor, one.what, one.reason) for one in audited} == {
        (role, path, why.text.en) for path, why in refused.items()
    }


def test_a_role_of_one_device_gets_no_further(gate: Callable[..., Gate]) -> None:
    opened = gate(AT_ONE)
    for path, permit in METHODS:
        granted = permit.action in (Action.PROBE, Action.ACKNOWLEDGE) and permit.where is not None
        assert (opened.call(AT_ONE, path) is None) is granted, path
    assert opened.call(AT_ONE, "station.read_once", "two") is not None


def test_a_locked_session_looks_and_does_nothing(gate: Callable[..., Gate]) -> None:
    opened = gate("engineer")
    opened.doors["engineer"].access.lock()
    for path, permit in METHODS:
        assert (opened.call("engineer", path) is None) is (permit.action is Action.VIEW), path
