"""Secrets by reference: a station file says where one is kept, never the secret itself.

password: env:BROKER1       the environment variable BROKER1
password: secret:broker1    the keyring
"""

from __future__ import annotations

import os
from typing import Final

from app.model.errors import GridroomError
from app.model.text import Text

SCHEMES: Final = ("env:", "secret:")


def is_reference(value: object) -> bool:
    """Whether a value of a station file is a reference to a secret, and not one itself."""
    return isinstance(value, str) and value.startswith(SCHEMES) and not value.endswith(":")


def resolve(reference: str) -> str:
    """The secret that a reference means. Raises GridroomError that names what is missing, never what is there."""
    scheme, _, name = reference.partition(":")
    if not is_reference(reference):
        text = Text(
            "a secret stands in the file itself; write env:NAME and set that environment variable",
            "密码直接写在了文件里；请改写为 env:NAME 并设置该环境变量",
        )
        raise GridroomError(text)
    if scheme == "secret":
        text = Text(
            f"{reference} is in the keyring, which comes with accounts; write env:NAME until then",
            f"{reference} 指向密钥库，密钥库将随账户功能提供；目前请使用 env:NAME",
        )
        raise GridroomError(text)
    secret = os.environ.get(name, "")
    if not secret:
        text = Text(
            f"environment variable {name} is not set; set it before Gridroom starts",
            f"环境变量 {name} 未设置；请在启动 Gridroom 之前设置",
        )
        raise GridroomError(text)
    return secret
