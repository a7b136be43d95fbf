"""The gate at work: who may what where, what is told, and that nothing changes without its row."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any

import pytest

from app.access.accounts import AccountError
from app.access.guard import Guarded
from app.model.access import Action, Actor, Changed, Denied, Grant, SecondPersonNeeded, permit
from app.model.audit import Result
from app.model.errors import GridroomError, StorageError
from app.model.text import Text
from tests.support.doors import GOOD, House


def _devices(_: object, arguments: Mapping[str, Any]) -> list[str]:
    return list(arguments["devices"])


class Switches:
    """A service as any other."""

    def __init__(self) -> None:
        self.done: list[tuple[str, ...]] = []
        self.slow: Future[str] = Future()
        self.secret = "never"

    @permit(Action.VIEW)
    def look(self) -> int:
        return len(self.done)

    @permit(Action.ACKNOWLEDGE, where=_devices, changes=True, hide=("code",))
    def open(self, devices: list[str], code: str = "", reason: str = "", *, who: Actor) -> Changed[str]:
        self.done.append((who.name, *devices))
        return Changed("opened", before="closed", after="open")

    @permit(Action.CONFIGURE, changes=True)
    def fail(self) -> None:
        raise GridroomError("the hinge is broken")

    @permit(Action.CONFIGURE, changes=True)
    def later(self) -> Future[str]:
        return self.slow

    @permit(Action.CONFIGURE, changes=True, urgent=True)
    def stop_everything(self) -> str:
        self.done.append(("stopped",))
        return "stopped"

    def undeclared(self) -> str:
        return self.secret


class Doors:
    def __init__(self, house: House) -> None:
        self.house = house
        self.switches = Switches()

    def of(self, name: str, role: str) -> Any:
        desk, _ = self.house.person(name, role, f"door of {name}")
        return desk.facade(self, {"switches": self.switches, "accounts": self.house.service})


@pytest.fixture
def doors(house: House) -> Doors:
    return Doors(house)


def test_what_changes_something_has_a_row_before_and_a_row_after(doors: Doors) -> None:
    li = doors.of("li", "operator")
    doors.house.audit.clear()
    assert li.switches.open(["pcs1"], "1234", reason="storm").result(20) == "opened"
    asked, done = doors.house.audit
    assert (asked.result, asked.what, asked.target, asked.reason) == (Result.ASKED, "switches.open", "pcs1", "storm")
    assert asked.details == {"devices": ["pcs1"], "code": "(hidden)", "reason": "storm"}
    assert (done.result, done.asks, done.before, done.after) == (Result.DONE, 1, "closed", "open")
    assert doors.switches.done == [("li", "pcs1")]


def test_looking_leaves_no_row(doors: Doors) -> None:
    li = doors.of("li", "observer")
    doors.house.audit.clear()
    assert li.switches.look() == 0
    assert doors.house.audit == []


def test_a_denial_is_told_logged_and_audited(doors: Doors, caplog: pytest.LogCaptureFixture) -> None:
    li = doors.of("li", "observer")
    doors.house.audit.clear()
    with caplog.at_level(logging.WARNING, "gridroom.access"), pytest.raises(Denied) as denied:
        li.switches.open(["pcs1"]).result(20)
    assert "observer" in denied.value.text.en and "观察员" in denied.value.text.zh
    assert "operator" in denied.value.text.en  # who could
    assert "denied: switches.open for li" in caplog.text
    assert [(row.result, row.what, row.target) for row in doors.house.audit] == [
        (Result.DENIED, "switches.open", "pcs1")
    ]
    assert doors.switches.done == []


def test_what_declares_nothing_is_not_there(doors: Doors) -> None:
    admin = doors.of("li", "administrator")
    for name in ("undeclared", "secret", "_devices", "done", "__init__x"):
        with pytest.raises(AttributeError):
            getattr(admin.switches, name)
    with pytest.raises(AttributeError):
        admin.house  # noqa: B018


def test_nobody_can_say_that_he_is_somebody_else(doors: Doors) -> None:
    li = doors.of("li", "operator")
    with pytest.raises(TypeError):
        li.switches.open(["pcs1"], who=Actor("wang"))


def test_nobody_looks_and_does_nothing(doors: Doors) -> None:
    facade = doors.house.desk().facade(doors, {"switches": doors.switches})
    assert facade.switches.look() == 0
    with pytest.raises(Denied, match="nobody is signed in"):
        facade.switches.open(["pcs1"]).result(20)


@pytest.mark.parametrize(
    ("area", "allowed", "denied"),
    [
        ("pcs1", ["pcs1"], ["pcs2"]),
        ("bus_b", ["pcs2"], ["pcs1"]),
        ("bus_a", ["pcs1", "pcs2"], ["other"]),
        ("*", ["pcs1", "other"], []),
    ],
)
def test_a_role_may_within_its_areas_and_below(doors: Doors, area: str, allowed: list[str], denied: list[str]) -> None:
    house = doors.house
    house.accounts.copy_role("observer", "hand", Text("hand", "助手")).result(20)
    grants = [Grant(Action.VIEW), Grant(Action.ACKNOWLEDGE, area)]
    house.accounts.change_role("hand", Text("hand", "助手"), grants).result(20)
    li = doors.of("li", "hand")
    for device in allowed:
        li.switches.open([device]).result(20)
    for device in denied:
        with pytest.raises(Denied, match=device):
            li.switches.open([device]).result(20)
    if denied:  # all or nothing
        with pytest.raises(Denied):
            li.switches.open([*allowed, *denied]).result(20)
    assert [row[1:] for row in doors.switches.done] == [(device,) for device in allowed]


def test_a_role_cannot_name_an_area_that_is_not_there(doors: Doors) -> None:
    doors.house.accounts.copy_role("observer", "hand", Text("hand", "助手")).result(20)
    with pytest.raises(AccountError, match="no area 'moon'"):
        doors.house.accounts.change_role("hand", Text("h", "h"), [Grant(Action.VIEW, "moon")]).result(20)


def test_who_manages_accounts_gives_nobody_what_he_may_not_do_himself(doors: Doors) -> None:
    accounts = doors.house.accounts
    accounts.copy_role("observer", "clerk", Text("clerk", "文员")).result(20)
    only = [Grant(Action.VIEW), Grant(Action.ACCOUNTS), Grant(Action.ACKNOWLEDGE, "pcs1")]
    accounts.change_role("clerk", Text("clerk", "文员"), only).result(20)
    accounts.add("chief", "administrator").result(20)
    door = doors.of("bo", "clerk").accounts
    for forbidden in (
        lambda: door.set_role("bo", "administrator"),
        lambda: door.add("bo2", "operator"),
        lambda: door.reset("chief"),  # its password is the answer
        lambda: door.set_disabled("chief", True),
        lambda: door.set_role("chief", "observer"),
        lambda: door.change_role("clerk", Text("clerk", "文员"), [*only, Grant(Action.COMMAND, "pcs1")]),
        lambda: door.change_role("clerk", Text("clerk", "文员"), [*only, Grant(Action.ACKNOWLEDGE)]),
        lambda: door.copy_role("", "clerk", Text("x", "x")),
    ):
        with pytest.raises(AccountError):
            forbidden().result(20)
    assert doors.house.entrance.register.grants("clerk") == frozenset(only)
    door.add("guest", "observer").result(20)
    door.set_disabled("guest", True).result(20)
    door.copy_role("administrator", "copy", Text("copy", "副本")).result(20)  # which nobody has
    with pytest.raises(AccountError, match="ask somebody who may"):
        door.set_role("guest", "copy").result(20)


def test_given_roles_stay_and_a_role_that_somebody_has_stays(doors: Doors) -> None:
    accounts = doors.house.accounts
    with pytest.raises(AccountError, match="given"):
        accounts.change_role("operator", Text("o", "o"), [Grant(Action.ACCOUNTS)]).result(20)
    with pytest.raises(AccountError, match="given"):
        accounts.remove_role("operator").result(20)
    accounts.copy_role("observer", "hand", Text("hand", "助手")).result(20)
    doors.of("li", "hand")
    with pytest.raises(AccountError, match="li"):
        accounts.remove_role("hand").result(20)


@pytest.mark.expects_errors
def test_what_cannot_be_audited_does_not_happen(doors: Doors) -> None:
    li = doors.of("li", "operator")
    doors.house.audit.broken = True
    with pytest.raises(StorageError, match="cannot be audited: the disk is full"):
        li.switches.open(["pcs1"]).result(20)
    assert doors.switches.done == []


@pytest.mark.expects_errors
def test_what_makes_the_station_safe_waits_for_no_audit(doors: Doors) -> None:
    li = doors.of("li", "engineer")
    doors.house.audit.broken = True
    assert li.switches.stop_everything().result(20) == "stopped"
    assert doors.switches.done == [("stopped",)]


def test_how_it_failed_is_told_and_written(doors: Doors) -> None:
    li = doors.of("li", "engineer")
    doors.house.audit.clear()
    with pytest.raises(GridroomError, match="hinge"):
        li.switches.fail().result(20)
    assert [(row.result, row.reason) for row in doors.house.audit] == [("asked", ""), ("failed", "the hinge is broken")]


def test_what_takes_long_is_written_when_it_ends_and_can_be_called_off(doors: Doors) -> None:
    li = doors.of("li", "engineer")
    doors.house.audit.clear()
    answer = li.switches.later()
    begun = threading.Event()
    doors.switches.slow.add_done_callback(lambda _: begun.set())
    while len(doors.house.audit) < 1 or not doors.switches.slow._done_callbacks[1:]:
        pass
    assert answer.cancel()
    assert begun.wait(20) and doors.switches.slow.cancelled()
    with pytest.raises(CancelledError):
        answer.result(1)
    assert [(row.result, row.reason) for row in doors.house.audit] == [("asked", ""), ("failed", "cancelled")]


def test_a_shift_changes_over_the_lock_and_both_are_in_the_audit(doors: Doors) -> None:
    house = doors.house
    house.person("wang", "operator", "elsewhere")
    desk, _ = house.person("li", "operator", "console")
    facade = desk.facade(doors, {"switches": doors.switches})
    desk.lock()
    assert facade.switches.look() == 0  # the screen goes on
    with pytest.raises(Denied, match="locked"):
        facade.switches.open(["pcs1"]).result(20)
    house.audit.clear()
    assert desk.sign_in("wang", GOOD + "wang").result(20).actor.name == "wang"
    facade.switches.open(["pcs1"]).result(20)
    assert [(row.actor.name, row.what, row.reason) for row in house.audit[:2]] == [
        ("wang", "access.sign_in", ""), ("li", "access.sign_out", "taken over by wang"),
    ]  # fmt: skip
    assert doors.switches.done == [("wang", "pcs1")]


def test_a_session_that_an_administrator_ends_is_over(doors: Doors) -> None:
    admin = doors.of("chief", "administrator")
    desk, _ = doors.house.person("li", "operator", "console 2")
    (row,) = [row for row in admin.accounts.sessions() if row.user == "li"]
    assert (row.origin, row.locked) == ("console 2", False)
    assert admin.accounts.end_session(row.id).result(20) is True
    assert desk.standing().actor.name == ""


class TestSecondPerson:
    @pytest.fixture
    def two(self, tmp_path: Path) -> Any:
        house = House(tmp_path, second=[Action.ACKNOWLEDGE])
        yield Doors(house)
        house.close()

    def test_it_needs_another_one_who_may_do_it_himself_once(self, two: Doors) -> None:
        two.house.person("wang", "operator", "a")
        two.house.person("watcher", "observer", "b")
        desk, _ = two.house.person("li", "operator", "c")
        li = desk.facade(two, {"switches": two.switches})
        with pytest.raises(SecondPersonNeeded) as needed:
            li.switches.open(["pcs1"]).result(20)
        method = needed.value.method
        with pytest.raises(Denied, match="another"):
            desk.confirm(method, "LI", GOOD + "li").result(20)
        with pytest.raises(GridroomError):
            desk.confirm(method, "wang", "wrong wrong").result(20)
        desk.confirm(method, "watcher", GOOD + "watcher").result(20)
        with pytest.raises(Denied, match="observer"):
            li.switches.open(["pcs1"]).result(20)
        assert two.switches.done == []
        with pytest.raises(SecondPersonNeeded):
            li.switches.open(["pcs1"]).result(20)
        desk.confirm(method, "wang", GOOD + "wang").result(20)
        li.switches.open(["pcs1"]).result(20)
        assert two.switches.done == [("li", "pcs1")]
        (asked,) = [row for row in two.house.audit if row.what == "switches.open" and row.result == "asked"]
        assert asked.details["confirmed_by"] == "wang"
        words = [(row.actor.name, row.target) for row in two.house.audit if row.what == "access.confirm"]
        assert words == [("watcher", "li"), ("wang", "li")]
        with pytest.raises(SecondPersonNeeded):  # his word was for once
            li.switches.open(["pcs1"]).result(20)

    def test_a_word_given_for_one_thing_or_long_ago_is_for_nothing_else(self, two: Doors) -> None:
        two.house.person("wang", "operator", "a")
        desk, _ = two.house.person("li", "operator", "c")
        li = desk.facade(two, {"switches": two.switches})
        with pytest.raises(Denied, match="nothing waits"):
            desk.confirm("switches.open", "wang", GOOD + "wang").result(20)
        with pytest.raises(SecondPersonNeeded):
            li.switches.open(["pcs1"]).result(20)
        with pytest.raises(Denied, match="nothing waits"):
            desk.confirm("switches.other", "wang", GOOD + "wang").result(20)
        desk.confirm("switches.open", "wang", GOOD + "wang").result(20)
        with pytest.raises(SecondPersonNeeded):  # he was asked for pcs1
            li.switches.open(["pcs2"]).result(20)
        assert two.switches.done == []
        many = [f"d{i}" for i in range(300)]
        with pytest.raises(SecondPersonNeeded):
            li.switches.open(many).result(20)
        desk.confirm("switches.open", "wang", GOOD + "wang").result(20)
        with pytest.raises(SecondPersonNeeded):
            li.switches.open([*many[:-1], "other"]).result(20)
        desk.confirm("switches.open", "wang", GOOD + "wang").result(20)
        two.house.clock.advance(61)
        with pytest.raises(SecondPersonNeeded):
            li.switches.open(["pcs1"]).result(20)


def test_the_reason_why_something_is_disabled_is_the_reason_why_it_would_be_denied(doors: Doors) -> None:
    desk, _ = doors.house.person("li", "observer")
    facade = desk.facade(doors, {"switches": doors.switches})
    why = facade.access.why_not("switches.open", ["pcs1"])
    with pytest.raises(Denied) as denied:
        facade.switches.open(["pcs1"]).result(20)
    assert why == denied.value.text
    assert facade.access.why_not("switches.look") is None
    assert facade.access.why_not("switches.undeclared") is not None
    assert facade.access.why_not("nothing.at_all") is not None


def test_a_guarded_service_shows_no_way_to_what_is_behind_it(house: House) -> None:
    _, facade = house.person("li", "administrator")
    assert isinstance(facade.accounts, Guarded)
    with pytest.raises(AttributeError):
        facade.accounts._records  # noqa: B018
