"""`gridroom secret`: secrets of a station without a screen, also while an engine runs, which knows within a second.

A value comes on standard input: arguments are seen by everybody on the machine, and stay in a shell's history.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from app.access.secrets.uses import rows_of
from app.access.secrets.vault import LONGEST_BYTES, SecretState, judge
from app.beside import audited, beside
from app.model.access import Changed, SecretPlace
from app.model.errors import GridroomError, wrong_input

DONE: Final = 0
FAILED: Final = 1
_PLACES: Final = {
    SecretPlace.KEYRING: "in the system keyring",
    SecretPlace.SEALED: "sealed with the key file",
    SecretPlace.ENVIRONMENT: "in the environment",
    SecretPlace.NOWHERE: "nowhere",
}


def put(station: Path, data: Path, name: str, *, sealed: bool) -> int:
    """Store what standard input holds, without the end of its last line."""
    value = _given(name)
    # The records may need this very secret to be opened: it is tried there before it is stored.
    with beside(station, data, trying={name: value}) as opened:
        details = {"name": name, "sealed": sealed}
        before = opened.vault.states().get(name)

        def put() -> Changed[None]:
            return Changed(None, before, opened.vault.put(name, value, sealed=sealed))

        state = audited(opened, "secrets.put", details, put).after
        asked_for = f"secret:{name}" in opened.configuration.secret_uses()
    print(f"secret:{name} is kept {_PLACES[_place(state)]}")
    if not asked_for:
        print(f"no file of the station asks for it yet: write secret:{name} there", file=sys.stderr)
    return DONE


def show(station: Path, data: Path) -> int:
    """Print what the station asks for or has, a line each; exit 1 where something is missing."""
    with beside(station, data) as opened:
        rows = rows_of(opened.vault, opened.configuration.secret_uses())
    for row in rows:
        users = ", ".join(row.users) or "nobody asks for it"
        print(f"{row.reference}\t{_PLACES[row.place]}\t{row.trouble.en if row.trouble else 'there'}\t{users}")
    if not rows:
        print("none: no file of the station asks for a secret", file=sys.stderr)
    return FAILED if any(row.trouble for row in rows) else DONE


def forget(station: Path, data: Path, name: str) -> int:
    """Remove one."""
    with beside(station, data) as opened:
        before = opened.vault.states().get(name)

        def drop() -> Changed[None]:
            opened.vault.forget(name)
            return Changed(None, before)

        audited(opened, "secrets.forget", {"name": name}, drop)
        users = opened.configuration.secret_uses().get(f"secret:{name}", [])
    print(f"secret:{name} is forgotten")
    if users:
        print(f"still asked for by {', '.join(users)}", file=sys.stderr)
    return DONE


def _given(name: str) -> str:
    """From standard input. Raises ConfigFaults."""
    how = f"give it on standard input: gridroom secret set {name} STATION_DIR --data DIR < FILE"
    if sys.stdin is None or sys.stdin.isatty():
        raise wrong_input("the value of a secret is neither asked for nor typed where it can be seen", how)
    content = sys.stdin.buffer.read(LONGEST_BYTES + 3)
    try:
        value = content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise wrong_input("the value on standard input is no text in UTF-8", how) from None
    value = value.removesuffix("\n").removesuffix("\r")
    try:
        judge(name, value)
    except GridroomError as error:
        said, _, mend = str(error).partition("; ")
        raise wrong_input(said, mend) from None
    return value


def _place(state: SecretState | None) -> SecretPlace:
    return SecretPlace.KEYRING if state is not None and state.in_keyring else SecretPlace.SEALED
