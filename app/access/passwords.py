"""Passwords: which are taken, how they are kept. Rules of OWASP ASVS 5.0, 6.2: length, a list, and nothing else."""

from __future__ import annotations

import secrets
import unicodedata
from functools import cache
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.model.errors import GridroomError
from app.model.text import Text

SHORTEST: Final = 8
LONGEST: Final = 1024
"""Characters. A longer one is refused before any work is spent on it."""
_COMMON: Final = Path(__file__).resolve().parents[2] / "resources" / "access" / "common_passwords.txt"
_ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"
"""Without what is mistaken for another when it is read out: 0 o, 1 i l."""

_hasher: Final = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
"""argon2id, 64 MiB, three passes."""


class WeakPassword(GridroomError):
    """A new password that is not taken, and why."""


def judge(password: str, name: str) -> None:
    """Raise WeakPassword where a new password of the account `name` is not taken."""
    characters = len(password)
    if characters < SHORTEST:
        raise WeakPassword(
            Text(f"the password is shorter than {SHORTEST} characters; take more, such as four words",
                 f"密码不足 {SHORTEST} 个字符；请加长，例如使用几个词组")
        )  # fmt: skip
    if characters > LONGEST:
        raise WeakPassword(
            Text(f"the password is longer than {LONGEST} characters; take fewer", f"密码超过 {LONGEST} 个字符；请缩短")
        )
    plain = unicodedata.normalize("NFKC", password).casefold()
    if plain in _common() or plain in {name.casefold(), "gridroom"}:
        raise WeakPassword(
            Text("that password is one of the first that anybody tries; take another, such as four words",
                 "该密码过于常见，极易被猜到；请另选，例如使用几个词组")
        )  # fmt: skip


def hashed(password: str) -> str:
    """What is stored: argon2id with its parameters and a salt of its own. Takes some 0.1 s and 64 MiB."""
    return _hasher.hash(_normal(password))


def matches(stored: str | None, password: str) -> bool:
    """Whether a password is the stored one. Without a stored one it takes the same time, and is not."""
    if len(password) > LONGEST:
        return False
    try:
        _hasher.verify(stored or _nobodys(), _normal(password))
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def is_outdated(stored: str) -> bool:
    """Whether it was hashed with less than today's parameters: it is hashed anew when its password is known again."""
    return _hasher.check_needs_rehash(stored)


def one_time() -> str:
    """A password for one sign-in, to be read out: 78 bits."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def _normal(password: str) -> bytes:
    """One form of what looks alike (NIST SP 800-63B, 5.1.1.2): an input method may write it full width."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def prepare() -> None:
    """Make what the first unknown name is compared with: else it would take twice the time of a known one."""
    _nobodys()


@cache
def _nobodys() -> str:
    """A hash that no password has."""
    return _hasher.hash(secrets.token_hex(32))


@cache
def _common() -> frozenset[str]:
    lines = _COMMON.read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("# "))
