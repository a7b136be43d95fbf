"""Secrets are referred to, and what is missing is named."""

from __future__ import annotations

import pytest

from app.model.errors import GridroomError
from app.model.secrets import is_reference, resolve


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER1", "hush")
    assert resolve("env:BROKER1") == "hush"


@pytest.mark.parametrize(
    ("reference", "en", "zh"),
    [
        (
            "env:NOT_SET_ANYWHERE",
            "environment variable NOT_SET_ANYWHERE is not set",
            "环境变量 NOT_SET_ANYWHERE 未设置",
        ),
        ("secret:broker1", "none is open here; write env:NAME", "未打开站点"),
        ("hush", "stands in the file itself", "写在了文件里"),
    ],
)
def test_what_is_missing_is_named_and_no_secret_repeated(reference: str, en: str, zh: str) -> None:
    with pytest.raises(GridroomError, match=en) as caught:
        resolve(reference)
    assert zh in caught.value.text.zh
    assert "hush" not in str(caught.value.text)


def test_what_is_a_reference() -> None:
    assert [is_reference(one) for one in ("env:A", "secret:a", "env:", "a", 5, None)] == [True, True] + [False] * 4
