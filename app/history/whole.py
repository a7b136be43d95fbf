"""Files that are visible only when they are whole, and files that are put aside because they are broken."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from app.model.clock import to_datetime

UNFINISHED: Final = ".unfinished"
"""Suffix of a file that is being written; whatever bears it at start is left from a crash."""


def unfinished(path: Path) -> Path:
    """Where to write a file before it is published."""
    return path.with_name(path.name + UNFINISHED)


def publish(path: Path) -> None:
    """Make `unfinished(path)` durable and give it its name, in place of an older file. Raises OSError."""
    _publish(unfinished(path), path)


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A new file to write to, which has the name `path` when all is done; after a failure nothing is left of it.

    For folders where others write too: the file's name is nobody's, so that no link and no other file stands there.
    Raises OSError.
    """
    temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}{UNFINISHED}")
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        yield temporary
        _publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _publish(temporary: Path, path: Path) -> None:
    descriptor = os.open(temporary, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    _sync_folder(path.parent)


def write_whole(path: Path, text: str) -> None:
    """Write a small text so that after a crash there is the old one or the new one. Raises OSError.

    Bytes that were no text are written as they were (`surrogateescape`).
    """
    temporary = unfinished(path)
    temporary.unlink(missing_ok=True)  # also a link that somebody put there
    with temporary.open("x", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        file.write(text)
    publish(path)


def set_aside(path: Path, now_ns: int) -> Path:
    """Rename a broken file to `NAME.broken-TIME` beside it, where a person may look at it. Returns the new path."""
    stamp = to_datetime(now_ns).strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.name}.broken-{stamp}")
    tries = 1
    while aside.exists():
        tries += 1
        aside = path.with_name(f"{path.name}.broken-{stamp}-{tries}")
    path.rename(aside)
    return aside


def _sync_folder(folder: Path) -> None:
    """Make a rename durable. Windows has no such call and needs none."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
