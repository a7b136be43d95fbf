"""Which secrets a station asks for, and whether they are there."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from app.access.secrets.vault import Vault
from app.model.access import SecretPlace, SecretRow
from app.model.text import Text

_MISSING = Text("missing", "缺失")


def rows_of(vault: Vault, uses: Mapping[str, Sequence[str]]) -> list[SecretRow]:
    """What the station asks for or has, by reference. Raises StorageError where the names cannot be read."""
    states = vault.states()
    rows = []
    for reference in sorted({*uses, *(f"secret:{name}" for name in states)}):
        scheme, _, name = reference.partition(":")
        users = tuple(uses.get(reference, ()))
        if scheme == "env":
            rows.append(
                SecretRow(reference, SecretPlace.ENVIRONMENT, None if os.environ.get(name) else _MISSING, users)
            )
        elif (state := states.get(name)) is None:
            rows.append(SecretRow(reference, SecretPlace.NOWHERE, _MISSING, users))
        else:
            place = SecretPlace.KEYRING if state.in_keyring else SecretPlace.SEALED
            rows.append(SecretRow(reference, place, state.trouble, users))
    return rows
