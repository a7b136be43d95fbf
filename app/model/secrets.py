"""Secrets by reference: a station file says where one is kept, never the secret itself.

password: env:BROKER1       the environment variable BROKER1
password: secret:broker1    the keyring
"""

from __future__ import annotations

import os
from typing import Final

from app.model.errors import GridroomError

SCHEMES: Final = ("env:", "secret:")


def is_reference(value: object) -> bool:
    """Whether a value of a station file is a reference to a secret, and not one itself."""
    return isinstance(value, str) and value.startswith(SCHEMES) and not value.endswith(":")


def resolve(reference: str) -> str:
    """The secret that a reference means. Raises GridroomError that names what is missing, never what is there."""
    scheme, _, name = reference.partition(":")
    if not is_reference(reference):
        raise GridroomError("a secret stands in the file itself; write env:NAME and set that environment variable")
    if scheme == "secret":
        raise GridroomError(f"{reference} is in the keyring, which comes with accounts; write env:NAME until then")
    secret = os.environ.get(name, "")
    if not secret:
        raise GridroomError(f"environment variable {name} is not set; set it before Gridroom starts")
    return secret
