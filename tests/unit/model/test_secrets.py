"""Secrets are referred to, and what is missing is named."""

from __future__ import annotations

import pytest

from app.model.errors import GridroomError
from app.model.secrets import is_reference, resolve


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER1", "hush")
    assert resolve("env:BROKER1") == "hush"


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("env:NOT_SET_ANYWHERE", "environment variable NOT_SET_ANYWHERE is not set"),
        ("secret:broker1", "comes with accounts"),
        ("hush", "stands in the file itself"),
    ],
)
def test_what_is_missing_is_named_and_no_secret_repeated(reference: str, words: str) -> None:
    with pytest.raises(GridroomError, match=words) as caught:
        resolve(reference)
    assert "hush" not in str(caught.value)


def test_what_is_a_reference() -> None:
    assert [is_reference(one) for one in ("env:A", "secret:a", "env:", "a", 5, None)] == [True, True] + [False] * 4
