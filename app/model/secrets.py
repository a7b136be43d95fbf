"""Secrets by reference: a station file says where one is kept, never the secret itself.

password: env:BROKER1       the environment variable BROKER1
password: secret:broker1    what `gridroom secret set broker1` stored for this station
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from app.model.errors import GridroomError
from app.model.text import Text

SCHEMES: Final = ("env:", "secret:")

Lookup = Callable[[str], str]
"""Name -> secret. Raises GridroomError that says what is missing and what to do."""

_lookups: list[Lookup] = []


@contextmanager
def opened(lookup: Lookup) -> Iterator[None]:
    """`secret:NAME` means what `lookup` finds, in this process, until the end: those of the station that runs in it."""
    _lookups.append(lookup)
    try:
        yield
    finally:
        _lookups.remove(lookup)


def is_reference(value: object) -> bool:
    """Whether a value of a station file is a reference to a secret, and not one itself."""
    return isinstance(value, str) and value.startswith(SCHEMES) and not value.endswith(":")


def references(value: Any) -> Iterator[str]:
    """Every reference within a value of a station file, however deep."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            yield from references(one)
    elif is_reference(value):
        yield value


def resolve(reference: str) -> str:
    """The secret that a reference means. Raises GridroomError that names what is missing, never what is there.

    It waits for nothing: secrets are in memory while a station runs.
    """
    scheme, _, name = reference.partition(":")
    if not is_reference(reference):
        text = Text(
            "a secret stands in the file itself; write secret:NAME or env:NAME, and store it there",
            "密码直接写在了文件里；请改写为 secret:名称 或 env:名称，并存于该处",
        )
        raise GridroomError(text)
    if scheme == "secret":
        if not _lookups:
            text = Text(
                f"{reference} belongs to a station, and none is open here; write env:NAME",
                f"{reference} 属于某个站点，而此处未打开站点；请写 env:名称",
            )
            raise GridroomError(text)
        return _lookups[-1](name)
    secret = os.environ.get(name, "")
    if not secret:
        text = Text(
            f"environment variable {name} is not set; set it before Gridroom starts",
            f"环境变量 {name} 未设置；请在启动 Gridroom 之前设置",
        )
        raise GridroomError(text)
    return secret
