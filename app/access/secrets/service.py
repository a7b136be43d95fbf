"""Secrets as people manage them: names, never a value. Behind the gate, as every service."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Final

from app.access.secrets.uses import rows_of
from app.access.secrets.vault import Vault
from app.model import secrets
from app.model.access import Action, Changed, SecretRow, permit

LOOK_EVERY_S: Final = 1.0
"""How soon what another process stored (`gridroom secret set`) is known here."""


class Secrets:
    """Starts before everything that may need a secret, stops after it. Slow answers are futures. Any thread."""

    def __init__(self, vault: Vault, uses: Callable[[], Mapping[str, Sequence[str]]]) -> None:
        """`uses` says of each reference that the station makes who makes it."""
        self._vault = vault
        self._uses = uses
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="secrets")
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="secrets-watch", daemon=True)
        self._opened = ExitStack()

    def start(self) -> None:
        """Open what is kept, for every `secret:NAME` of this process. What cannot be opened costs who needs it."""
        self._vault.look()
        self._opened.enter_context(secrets.opened(self._vault.find))
        self._thread.start()

    def stop(self) -> None:
        """Wait for what runs. Safe to call twice, and without a start."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown(cancel_futures=True)
        self._opened.close()

    def _watch(self) -> None:
        while not self._ending.wait(LOOK_EVERY_S):
            self._vault.look()

    @permit(Action.SECRETS)
    def rows(self) -> Future[list[SecretRow]]:
        """What the station asks for or has, by reference, looked up anew. Fails with StorageError."""

        def look() -> list[SecretRow]:
            self._vault.look(again=True)
            return rows_of(self._vault, self._uses())

        return self._pool.submit(look)

    @permit(Action.SECRETS, changes=True, hide=("value",))
    def put(self, name: str, value: str, reason: str = "") -> Future[Any]:
        """Store one, in place of an older one; who needs it has it at its next connection. Fails with GridroomError."""

        def put() -> Changed[None]:
            before = self._vault.states().get(name)
            return Changed(None, before, self._vault.put(name, value))

        return self._pool.submit(put)

    @permit(Action.SECRETS, changes=True)
    def forget(self, name: str, reason: str = "") -> Future[Any]:
        """Fails with GridroomError where there is none."""

        def forget() -> Changed[None]:
            before = self._vault.states().get(name)
            self._vault.forget(name)
            return Changed(None, before)

        return self._pool.submit(forget)
