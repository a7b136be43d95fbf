"""Which passwords are taken, and how they are kept."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type
from hypothesis import given
from hypothesis import strategies as st

from app.access import passwords
from app.access.passwords import WeakPassword, hashed, judge, matches, one_time


@pytest.mark.parametrize(
    "password", ["short77", "", "password1", "PASSWORD1", "１２３４５６７８９", "iloveyou", "li wei zhang", "Gridroom"]
)
def test_what_everybody_tries_first_is_not_taken(password: str) -> None:
    with pytest.raises(WeakPassword):
        judge(password, "li wei zhang")


@pytest.mark.parametrize(
    "password", ["aaaa bbbb", "四只灰色小猫咪睡觉", "😀" * 8, "x" * 64, "z" * 1024, "'; DROP TABLE account; --"]
)
def test_length_is_enough_and_no_kind_of_character_is_asked_for(password: str) -> None:
    judge(password, "li")
    assert matches(hashed(password), password)


def test_a_million_characters_are_refused_before_they_are_worked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_hasher", None)  # whoever hashes now fails
    with pytest.raises(WeakPassword, match="1024"):
        judge("x" * 1_000_000, "li")
    assert not matches("whatever", "x" * 1_000_000)


def test_three_thousand_common_ones_are_known() -> None:
    assert len(passwords._common()) == 3000


def test_todays_hashes_are_argon2id_of_64_mib_and_three_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    found = extract_parameters(hashed("four small grey cats"))
    assert (found.type, found.memory_cost, found.time_cost) == (Type.ID, 65536, 3)


def test_a_hash_of_less_work_is_known_as_outdated() -> None:
    old = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash("four small grey cats")
    assert passwords.is_outdated(old) and not passwords.is_outdated(hashed("four small grey cats"))


@given(st.text(st.characters(codec=None), min_size=1, max_size=40))
def test_no_text_is_nobodys_password(text: str) -> None:
    assert not matches(None, text)


def test_half_a_character_is_one_as_any_other() -> None:
    passwords.judge("four small \ud83d cats", "li")
    assert matches(hashed("four small \ud83d cats"), "four small \ud83d cats")


def test_what_an_input_method_writes_full_width_is_the_same_password() -> None:
    assert matches(hashed("pass12345word"), "ｐａｓｓ１２３４５ｗｏｒｄ")


def test_a_damaged_hash_lets_nobody_in() -> None:
    assert not matches("$argon2id$garbage", "four small grey cats")


def test_passwords_for_one_sign_in_differ_and_can_be_read_out() -> None:
    made = {one_time() for _ in range(200)}
    assert len(made) == 200 and not set("".join(made)) & set("0o1il")
