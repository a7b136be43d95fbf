"""Which secrets a station has, and where each is kept: a file in the data folder that shows no value."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.history.whole import publish, unfinished
from app.model.errors import StorageError, mend_of
from app.model.file_lock import lock
from app.model.text import Text

FILE_NAME: Final = "secrets.json"
_LOCK_NAME: Final = "secrets.lock"
_LARGEST: Final = 16 << 20
_WAITS_S: Final = 5.0
_PRIVATE: Final = 0o600


@dataclass(frozen=True, slots=True)
class Kept:
    """One secret: sealed here, or in the system's keyring."""

    sealed: bytes | None

    @property
    def in_keyring(self) -> bool:
        return self.sealed is None


class Shelf:
    """The file. All raise StorageError."""

    def __init__(self, data: Path) -> None:
        self.path = data / FILE_NAME

    def stamp(self) -> tuple[int, ...]:
        """Changes whenever the file does."""
        try:
            found = self.path.lstat()
        except OSError:
            return ()
        return (found.st_mtime_ns, found.st_size, found.st_ino)

    def read(self) -> dict[str, Kept]:
        """By name; empty where there is no file yet."""
        try:
            if self.path.is_symlink():
                raise _unreadable(self.path, "it is a symbolic link", "这是一个符号链接")
            with self.path.open("rb") as file:
                content = file.read(_LARGEST + 1)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise _unreadable(self.path, error.strerror or str(error)) from error
        try:
            if len(content) > _LARGEST:
                raise ValueError("too large")
            return {str(name): _kept(one) for name, one in json.loads(content)["secrets"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _unreadable(self.path, "it is not what Gridroom wrote", "内容并非由 Gridroom 写入") from error

    def write(self, secrets: Mapping[str, Kept]) -> None:
        """In place of the old file, whole or not at all."""
        form = {
            name: {"kept": "keyring"} if one.sealed is None
            else {"kept": "sealed", "sealed": base64.b64encode(one.sealed).decode()}
            for name, one in sorted(secrets.items())
        }  # fmt: skip
        temporary = unfinished(self.path)
        try:
            temporary.unlink(missing_ok=True)  # also a link that somebody put there
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb") as file:
                file.write(json.dumps({"secrets": form}, indent=1).encode() + b"\n")
            publish(self.path)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    @contextmanager
    def held(self) -> Iterator[None]:
        """No other process changes it meanwhile."""
        path = self.path.with_name(_LOCK_NAME)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), _PRIVATE)
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            end = time.monotonic() + _WAITS_S
            while not lock(descriptor):
                if time.monotonic() > end:
                    raise StorageError(
                        Text(
                            "another program changes secrets of this station; try again",
                            "另一程序正在更改本站密钥；请重试",
                        )
                    )
                time.sleep(0.05)
            yield
        finally:
            os.close(descriptor)


def _kept(form: Mapping[str, Any]) -> Kept:
    if form["kept"] == "keyring":
        return Kept(None)
    if form["kept"] == "sealed":
        return Kept(base64.b64decode(form["sealed"], validate=True))
    raise ValueError(form["kept"])


def _unreadable(path: Path, why: str, zh: str = "") -> StorageError:
    return StorageError(
        Text(
            f"{path} cannot be read: {why}; put a copy of it back, or remove it and set the secrets again",
            f"无法读取 {path}：{zh or why}；请放回其副本，或删除后重新设置各密钥",
        )
    )


def _unwritable(path: Path, error: OSError) -> StorageError:
    why = error.strerror or str(error)
    mend = mend_of(error)
    return StorageError(Text(f"{path} cannot be written: {why}; {mend.en}", f"无法写入 {path}：{why}；{mend.zh}"))
