"""The system's own keyring: Credential Manager, Keychain, or Secret Service. What it may wait for has an end."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from keyring.backend import KeyringBackend
from keyring.errors import KeyringError, PasswordDeleteError

from app.model.errors import GridroomError
from app.model.text import Text

T = TypeVar("T")

ANSWERS_WITHIN_S: Final = 10.0
"""A keyring may ask its owner for a password, and there may be nobody before the screen."""


class Keyring:
    """The secrets of one station in the keyring of whoever runs the program. All raise GridroomError."""

    def __init__(self, backend: KeyringBackend, station: str, *, within_s: float = ANSWERS_WITHIN_S) -> None:
        self._backend = backend
        self._service = f"gridroom {station}"
        self._within_s = within_s

    def get(self, name: str) -> str | None:
        """None where it is not there."""
        return self._asked(lambda: self._backend.get_password(self._service, name))

    def put(self, name: str, value: str) -> None:
        """Store it, and make sure that it is there."""
        self._asked(lambda: self._backend.set_password(self._service, name, value))
        if self.get(name) != value:
            raise GridroomError("the system keyring took a secret and gives another")

    def forget(self, name: str) -> None:
        """Also where it is not there."""

        def forget() -> None:
            try:
                self._backend.delete_password(self._service, name)
            except PasswordDeleteError:
                if self._backend.get_password(self._service, name) is not None:
                    raise

        self._asked(forget)

    def _asked(self, ask: Callable[[], T]) -> T:
        """On a thread of its own, which is left to itself where the keyring does not answer."""
        answers: list[T] = []
        errors: list[Exception] = []

        def work() -> None:
            try:
                answers.append(ask())
            except Exception as error:  # backends raise what their systems raise
                errors.append(error)

        thread = threading.Thread(target=work, name="keyring", daemon=True)
        thread.start()
        thread.join(self._within_s)
        if answers:
            return answers[0]
        if errors:
            why = str(errors[0]) if isinstance(errors[0], KeyringError) and str(errors[0]) else type(errors[0]).__name__
            text = Text(f"the system keyring refuses: {why}; unlock it", f"系统密钥环拒绝：{why}；请先解锁")
            raise GridroomError(text) from errors[0]
        text = Text(
            f"the system keyring does not answer within {self._within_s:g} s; unlock it",
            f"系统密钥环 {self._within_s:g} s 内无应答；请先解锁",
        )
        raise GridroomError(text)


def system_keyring(station: str) -> Keyring | None:
    """That of this system and user; None where there is none, as on a server without a desktop.

    The kind is named here and not looked for: what other packages install must not get a station's secrets
    (jaraco/keyring#591).
    """
    kind: type[KeyringBackend]
    if sys.platform == "win32":
        from keyring.backends.Windows import WinVaultKeyring as kind  # type: ignore[no-redef]
    elif sys.platform == "darwin":
        from keyring.backends.macOS import Keyring as kind  # type: ignore[no-redef]
    else:
        from keyring.backends.SecretService import Keyring as kind
    return Keyring(kind(), station) if kind.viable else None
