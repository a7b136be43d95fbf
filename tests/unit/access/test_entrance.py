"""Signing in: who gets in, who waits, and what nobody learns from it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from app.access import passwords
from app.access.accounts import AccountError
from app.access.entrance import DEMO_NAME
from app.access.passwords import WeakPassword
from app.model.access import Action, Denied, Grant, WrongPassword
from app.model.errors import StorageError
from app.model.text import Text
from app.records.database import Place
from tests.support.doors import BETTER, GOOD, House


def wrong(house: House, name: str, password: str = "", door: str = "console") -> WrongPassword:
    with pytest.raises(WrongPassword) as caught:
        house.entrance.sign_in(name, password or "wrong wrong", door).result(20)
    return caught.value


def test_the_first_administrator_is_named_once_and_by_nobody_else(house: House) -> None:
    desk = house.desk()
    assert desk.standing().first_start
    assert desk.name_administrator("李伟 😀", GOOD).result(20).actor.role == "administrator"
    assert not desk.standing().first_start
    with pytest.raises(AccountError, match="already"):
        house.desk("other").name_administrator("mallory", BETTER).result(20)
    assert [row.name for row in house.accounts.users()] == ["李伟 😀"]
    assert ("李伟 😀", "accounts.name_administrator", "done") in house.audit.told()


def test_a_weak_first_password_names_nobody(house: House) -> None:
    with pytest.raises(WeakPassword):
        house.desk().name_administrator("li", "password1").result(20)
    assert house.accounts.users() == []


def test_a_name_is_one_however_it_is_written(house: House) -> None:
    house.person("Li Wei", "operator")
    for written in ("li wei", "LI WEI", " Ｌｉ　Ｗｅｉ "):
        assert house.entrance.sign_in(written, GOOD + "Li Wei", "x").result(20).actor.name == "Li Wei"
    with pytest.raises(AccountError, match="already"):
        house.accounts.add("lI wEI", "observer").result(20)


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "x" * 65, "tab\tname", "null\x00"])
def test_names_that_nobody_can_read_are_refused(house: House, name: str) -> None:
    with pytest.raises(AccountError):
        house.accounts.add(name, "operator").result(20)


@pytest.mark.parametrize("name", ["'; DROP TABLE account; --", "=cmd|'/c calc'!A1", "../../etc/passwd", "张三", "🦊"])
def test_odd_names_are_only_names(house: House, name: str) -> None:
    house.person(name, "operator")
    assert [row.name for row in house.accounts.users()] == [name]


def test_wrong_password_unknown_name_and_disabled_account_say_the_same(house: House) -> None:
    house.person("li", "operator")
    house.person("wang", "administrator")
    known = str(wrong(house, "li", door="a"))
    unknown = str(wrong(house, "nobody at all", door="b"))
    house.accounts.set_disabled("li", True).result(20)
    disabled = str(wrong(house, "li", GOOD + "li", door="c"))
    assert known == unknown == disabled


def test_an_unknown_name_costs_the_same_work(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.person("li", "operator")
    verified: list[str] = []
    hasher = passwords._hasher

    class Counting:
        def verify(self, stored: str, password: bytes) -> bool:
            verified.append(stored.rpartition("$")[0].rpartition("$")[0])
            return hasher.verify(stored, password)

    house.entrance.verify("li", GOOD + "li", "c").result(20)  # it begins
    monkeypatch.setattr(passwords, "_hasher", Counting())  # which hashes nothing anew
    wrong(house, "li", door="a")
    wrong(house, "nobody", door="b")
    assert len(verified) == 2 and verified[0] == verified[1]  # one hash each, of the same parameters


def test_the_name_of_no_account_is_not_written_down_for_it_may_be_a_password(house: House) -> None:
    wrong(house, "my secret password")
    assert "my secret password" not in repr(house.audit)
    assert house.audit.told()[-1] == ("", "access.sign_in", "denied")


def test_failures_are_waited_out_and_nobody_is_locked_out_by_others(house: House) -> None:
    house.person("li", "operator")
    for _ in range(3):
        assert wrong(house, "li", door="attic").wait_s == 0
    waiting = wrong(house, "li", GOOD + "li", door="attic")
    assert 0 < waiting.wait_s <= 30
    assert house.entrance.sign_in("li", GOOD + "li", "console").result(20)  # at his own door he is not kept waiting
    for _ in range(40):  # however long somebody tries
        house.clock.advance(31)
        wrong(house, "li", door="attic")
    assert wrong(house, "li", door="attic").wait_s <= 30
    house.clock.advance(31)
    assert house.entrance.sign_in("li", GOOD + "li", "attic").result(20)


def test_who_tries_one_password_on_many_names_waits_as_well(house: House) -> None:
    waits = [wrong(house, f"name {n}", door="attic").wait_s for n in range(14)]
    assert waits[0] == 0 and waits[-1] > 0


def test_a_clock_set_back_during_the_delay_neither_ends_nor_lengthens_it(house: House) -> None:
    house.person("li", "operator")
    for _ in range(4):
        wrong(house, "li", door="attic")
    before = wrong(house, "li", door="attic").wait_s
    house.clock.set_wall(house.clock.now_ns() - 3600 * 10**9)
    assert wrong(house, "li", door="attic").wait_s == before
    house.clock.advance(before + 0.1)
    assert house.entrance.sign_in("li", GOOD + "li", "attic").result(20)


def test_a_password_that_another_set_must_be_changed_before_anything_else(house: House) -> None:
    once = house.accounts.add("li", "operator").result(20).answer
    desk = house.desk()
    facade = desk.facade(house, {"accounts": house.service})
    assert desk.sign_in("li", once).result(20).must_change
    with pytest.raises(Denied, match="change the password"):
        facade.accounts.users()
    with pytest.raises(WeakPassword, match="old one"):
        desk.change_password(once, once).result(20)
    with pytest.raises(WrongPassword):
        desk.change_password("not the old one", GOOD).result(20)
    assert not desk.change_password(once, GOOD).result(20).must_change
    assert not house.desk("b").sign_in("li", GOOD).result(20).must_change


def test_a_password_for_one_sign_in_is_no_password_for_long(house: House) -> None:
    once = house.accounts.add("li", "operator").result(20).answer
    house.clock.advance(8 * 86400)
    wrong(house, "li", once)


def test_an_old_hash_is_made_anew_at_the_next_sign_in(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.person("li", "operator")
    before = house.entrance.register.accounts["li"].password_hash
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=2, memory_cost=2048, parallelism=1))
    house.entrance.sign_in("li", GOOD + "li", "x").result(20)
    house.entrance.reload()
    after = house.entrance.register.accounts["li"].password_hash
    assert before != after and not passwords.is_outdated(after)
    assert house.entrance.sign_in("li", GOOD + "li", "x").result(20)


def test_a_reset_ends_the_sessions_and_the_old_password(house: House) -> None:
    desk, _ = house.person("li", "operator")
    once = house.accounts.reset("li").result(20).answer
    assert desk.standing().actor.name == ""
    wrong(house, "li", GOOD + "li")
    assert house.entrance.sign_in("li", once, "x").result(20).must_change


def test_who_is_disabled_is_out_at_once_and_who_has_another_role_has_it_at_once(house: House) -> None:
    house.person("wang", "administrator")
    li, _ = house.person("li", "observer", "b")
    house.accounts.set_role("li", "operator").result(20)
    assert li.standing().actor.role == "operator"
    house.accounts.set_disabled("li", True).result(20)
    assert li.standing().actor.name == ""


def test_two_administrators_cannot_disable_each_other(house: House) -> None:
    house.person("li", "administrator", "a")
    house.person("wang", "administrator", "b")
    house.accounts.set_disabled("wang", True).result(20)
    with pytest.raises(AccountError, match="nobody could manage"):
        house.accounts.set_disabled("li", True).result(20)
    with pytest.raises(AccountError, match="nobody could manage"):
        house.accounts.set_role("li", "operator").result(20)
    assert [row.disabled for row in house.accounts.users()] == [False, True]


def test_two_administrators_who_disable_each_other_at_once(
    tmp_path: Path, place_of: Callable[[Path], Place | None]
) -> None:
    """Each through a process of his own, as far as the database can tell."""
    houses = [House(tmp_path, place=place_of(tmp_path)) for _ in range(2)]
    houses[0].accounts.add("li", "administrator").result(20)
    houses[0].accounts.add("wang", "administrator").result(20)
    try:
        for _ in range(10):
            both = threading.Barrier(2)

            def disable(house: House, name: str, both: threading.Barrier = both) -> str:
                both.wait(20)
                try:
                    house.accounts.set_disabled(name, True).result(20)
                except AccountError as error:
                    assert "nobody could manage" in str(error)
                    return ""
                return name

            with ThreadPoolExecutor(2) as pool:
                ended = list(pool.map(disable, houses, ("li", "wang")))
            assert sum(map(bool, ended)) == 1, ended
            houses[0].entrance.reload()
            assert [row.disabled for row in houses[0].accounts.users()].count(True) == 1
            houses[0].accounts.set_disabled("".join(ended), False).result(20)
    finally:
        for house in houses:
            house.close()


def test_the_last_who_can_manage_accounts_keeps_that_in_an_own_role_too(house: House) -> None:
    house.person("li", "administrator", "a")
    house.accounts.copy_role("administrator", "chief", Text("chief", "主管")).result(20)
    house.accounts.set_role("li", "chief").result(20)
    with pytest.raises(AccountError, match="nobody could manage"):
        house.accounts.change_role("chief", Text("chief", "主管"), [Grant(Action.VIEW)]).result(20)


def test_what_another_process_changed_is_true_here_soon(tmp_path: Path) -> None:
    one = House(tmp_path)
    desk, _ = one.person("li", "administrator")
    two = House(tmp_path)
    two.accounts.add("wang", "administrator").result(20)
    two.accounts.set_disabled("li", True).result(20)
    one.entrance.reload()
    assert desk.standing().actor.name == ""
    assert {row.name for row in one.accounts.users()} == {"li", "wang"}
    two.close()
    one.close()


def test_without_an_audit_nobody_signs_in_and_nobody_is_named(house: House) -> None:
    house.person("li", "operator")
    house.audit.broken = True
    with pytest.raises(StorageError):
        house.entrance.sign_in("li", GOOD + "li", "x").result(20)
    assert len(house.entrance.sessions.all()) == 1


def test_the_demo_engineer_exists_on_the_demo_station_only(tmp_path: Path, house: House) -> None:
    with pytest.raises(Denied):
        house.desk().sign_in_demo()
    demo = House(tmp_path / "demo", demo=True)
    standing = demo.desk().standing()
    assert (standing.actor.name, standing.actor.role, standing.demo) == (DEMO_NAME, "engineer", True)
    assert not standing.first_start
    with pytest.raises(Denied, match="demo"):
        demo.desk().name_administrator("li", GOOD).result(20)
    demo.close()


def test_an_idle_session_locks_and_only_who_signs_in_goes_on(tmp_path: Path) -> None:
    house = House(tmp_path, lock_after_s=60)
    desk, facade = house.person("li", "administrator")
    house.clock.advance(59)
    desk.touch()
    house.clock.advance(59)
    house.entrance.lock_idle()
    assert not desk.standing().locked
    house.clock.advance(2)
    house.entrance.lock_idle()
    assert desk.standing().locked and desk.standing().actor.name == "li"
    desk.touch()  # a hand on the mouse is no password
    with pytest.raises(Denied, match="locked"):
        facade.accounts.users()
    assert not desk.sign_in("li", GOOD + "li").result(20).locked
    assert facade.accounts.users()
    house.close()


def during_the_hash(house: House, monkeypatch: pytest.MonkeyPatch, what: Callable[[], object]) -> None:
    """Do something while a right password is being looked at."""
    matches = passwords.matches

    def slowly(hash_: str | None, password: str) -> bool:
        right = matches(hash_, password)
        monkeypatch.setattr(passwords, "matches", matches)
        what()
        return right

    monkeypatch.setattr(passwords, "matches", slowly)


def test_who_is_disabled_while_signing_in_is_not_in(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.person("ada", "administrator", "a")
    house.person("li", "administrator", "b")
    during_the_hash(house, monkeypatch, lambda: house.accounts.set_disabled("li", True).result(20))
    with pytest.raises(WrongPassword, match="changed meanwhile"):
        house.entrance.sign_in("li", GOOD + "li", "c").result(20)
    assert [one.user for one in house.entrance.sessions.rows()] == ["ada"]
    assert house.audit.told()[-1] != ("li", "access.sign_in", "done")


def test_who_is_demoted_while_signing_in_has_the_new_role(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.person("ada", "administrator", "a")
    house.person("li", "administrator", "b")
    during_the_hash(house, monkeypatch, lambda: house.accounts.set_role("li", "observer").result(20))
    session = house.entrance.sign_in("li", GOOD + "li", "c").result(20)
    assert session.actor.role == "observer"


def test_a_reset_is_not_undone_by_a_change_of_password_that_is_under_way(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.person("ada", "administrator", "a")
    li, _ = house.person("li", "operator", "b")
    during_the_hash(house, monkeypatch, lambda: house.accounts.reset("li").result(20))
    with pytest.raises((WrongPassword, Denied)):
        li.change_password(GOOD + "li", BETTER).result(20)
    wrong(house, "li", BETTER, "d")


def test_an_account_that_must_change_its_password_is_no_second_person(house: House) -> None:
    once = house.accounts.add("bo", "administrator").result(20).answer
    with pytest.raises(WrongPassword, match="must change"):
        house.entrance.verify("bo", once, "console").result(20)
