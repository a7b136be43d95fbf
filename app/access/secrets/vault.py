"""The secrets of one station, opened: in memory while it runs, so that a device that asks for one waits for nothing."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from app.access.secrets.keyring import Keyring, system_keyring
from app.access.secrets.sealing import key_path, make_key, read_key, seal, unseal
from app.access.secrets.shelf import Kept, Shelf
from app.model.errors import GridroomError, StorageError
from app.model.text import Text

LONGEST_BYTES: Final = 64 << 10
NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")

_log = logging.getLogger("gridroom.secrets")


@dataclass(frozen=True, slots=True)
class SecretState:
    """One that is kept, without its value."""

    in_keyring: bool
    trouble: Text | None
    """Why it cannot be opened."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """What was opened at one look. Never printed: `values` holds secrets."""

    values: Mapping[str, str]
    states: Mapping[str, SecretState]
    trouble: Text | None

    def __repr__(self) -> str:
        return f"<{len(self.values)} secrets>"


class Vault:
    """Any thread; other processes may store as well, which `look` notices."""

    def __init__(self, data: Path, station: str, *, keyring: Callable[[str], Keyring | None] = system_keyring) -> None:
        self._station = station
        self._shelf = Shelf(data)
        self._key_path = key_path(data)
        self._keyring = partial(keyring, station)
        self._stamp: tuple[int, ...] | None = None
        self._opened = _Opened({}, {}, None)

    def look(self, *, again: bool = False) -> None:
        """Open what is kept, where it changed since the last look, or `again` in any case. What fails is logged."""
        stamp = self._shelf.stamp()
        if stamp == self._stamp and not again:
            return
        self._stamp = stamp
        before, self._opened = self._opened, self._open()
        if self._opened.trouble is not None and self._opened.trouble != before.trouble:
            _log.error("%s", self._opened.trouble.en)
        for name, state in self._opened.states.items():
            if state.trouble is not None and state != before.states.get(name):
                _log.error("secret %s cannot be opened: %s", name, state.trouble.en)

    def find(self, name: str) -> str:
        """Its value, from memory. Raises GridroomError that says why there is none, and what to do."""
        opened = self._opened
        value = opened.values.get(name)
        if value is not None:
            return value
        state = opened.states.get(name)
        if state is not None and state.trouble is not None:
            text = Text(
                f"secret {name} cannot be opened: {state.trouble.en}", f"无法打开密钥 {name}：{state.trouble.zh}"
            )
        elif opened.trouble is not None:
            text = opened.trouble
        else:
            text = Text(
                f"there is no secret {name}; store it with: gridroom secret set {name}",
                f"没有名为 {name} 的密钥；请用 gridroom secret set {name} 存入",
            )
        raise GridroomError(text)

    def states(self) -> Mapping[str, SecretState]:
        """By name, as of the last look. Raises StorageError where the file of names cannot be read."""
        if self._opened.trouble is not None:
            raise StorageError(self._opened.trouble)
        return self._opened.states

    def put(self, name: str, value: str, *, sealed: bool = False) -> SecretState:
        """Store one, in place of an older one; `sealed`: not in the keyring, even where there is one.

        Raises GridroomError where name or value will not do, or it cannot be stored; then the older one is still there.
        """
        judge(name, value)
        with self._shelf.held():
            kept = self._shelf.read()
            keyring = self._keyring()
            old = kept.get(name)
            in_keyring = False
            if keyring is not None and not sealed:
                in_keyring = self._put_in(keyring, name, value)
            kept[name] = Kept(None if in_keyring else seal(self._key(kept), self._station, name, value))
            self._shelf.write(kept)
            if old is not None and old.in_keyring and not in_keyring and keyring is not None:
                self._forget_in(keyring, name)
        self.look(again=True)
        return SecretState(in_keyring, None)

    def forget(self, name: str) -> None:
        """Raises GridroomError where there is none, or it cannot be forgotten."""
        with self._shelf.held():
            kept = self._shelf.read()
            if name not in kept:
                raise GridroomError(
                    Text(f"there is no secret {name}; see: gridroom secret list", f"没有名为 {name} 的密钥")
                )
            if kept.pop(name).in_keyring and (keyring := self._keyring()) is not None:
                keyring.forget(name)
            self._shelf.write(kept)
        self.look(again=True)

    def _put_in(self, keyring: Keyring, name: str, value: str) -> bool:
        try:
            keyring.put(name, value)
        except GridroomError as error:  # locked, or too long for it: Windows takes 2,560 bytes
            _log.warning("secret %s is sealed with the key file instead: %s", name, error)
            return False
        return True

    def _forget_in(self, keyring: Keyring, name: str) -> None:
        try:
            keyring.forget(name)
        except GridroomError as error:
            _log.warning("an older value of secret %s stays in the keyring: %s", name, error)

    def _key(self, kept: Mapping[str, Kept]) -> bytes:
        """Made with the first secret that is sealed. Where others need one that is missing, none is made."""
        if not self._key_path.exists() and not any(not one.in_keyring for one in kept.values()):
            return make_key(self._key_path)
        return read_key(self._key_path)

    def _open(self) -> _Opened:
        try:
            kept = self._shelf.read()
        except StorageError as error:
            return _Opened({}, {}, error.text)
        values: dict[str, str] = {}
        states: dict[str, SecretState] = {}
        keyring = self._keyring() if any(one.in_keyring for one in kept.values()) else None
        for name, one in kept.items():
            try:
                values[name] = self._value(name, one, keyring)
            except GridroomError as error:
                states[name] = SecretState(one.in_keyring, error.text)
            else:
                states[name] = SecretState(one.in_keyring, None)
        return _Opened(values, states, None)

    def _value(self, name: str, kept: Kept, keyring: Keyring | None) -> str:
        if kept.sealed is not None:
            return unseal(read_key(self._key_path), self._station, name, kept.sealed)
        value = keyring.get(name) if keyring is not None else None
        if value is None:
            text = Text(
                "it is in the keyring of another user or system; set it here again, with --sealed where the engine "
                "runs as a service",
                "它存于另一用户或系统的密钥环；请在此重新设置，引擎作为服务运行时请加 --sealed",
            )
            raise GridroomError(text)
        return value


def judge(name: str, value: str) -> None:
    """Raises GridroomError where it is no name, or no value, that can be kept."""
    if not NAME.fullmatch(name):
        raise GridroomError(
            Text(
                f"'{name[:80]}' is no name for a secret; write up to 64 letters, digits, _ . -",
                f"“{name[:80]}”不能作密钥名称；请用不超过 64 个字母、数字、_ . -",
            )
        )
    size = len(value.encode("utf-8", "surrogatepass"))
    if not value or "\0" in value or size > LONGEST_BYTES or any("\ud800" <= one <= "\udfff" for one in value):
        raise GridroomError(
            Text(
                f"secret {name} is empty, no text, or longer than {LONGEST_BYTES // 1024} KiB; give the value alone",
                f"密钥 {name} 为空、不是文本或超过 {LONGEST_BYTES // 1024} KiB；请只给出其值",
            )
        )
