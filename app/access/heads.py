"""Heads of the audit's chain in a second place: the log, and a file that the user chose. One line a head."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from app.model.audit import Head
from app.model.clock import from_datetime, to_datetime
from app.model.errors import GridroomError, mend_of
from app.model.text import Text

EVERY_S: Final = 60.0
TROUBLE: Final = "audit_heads"
_HEAD: Final = r"([a-z][a-z0-9_]*) ([1-9][0-9]{0,17}) ([0-9a-f]{64}) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)\s*$"
_LINE: Final = re.compile(f"^{_HEAD}")
_LOGGED: Final = re.compile(rf"^[0-9T:., +-]+ INFO +gridroom\.audit: audit head {_HEAD}")
"""The whole line: what a device or a person says stands in other lines of the log, and is no head."""
_BEGINS: Final = re.compile(rb"[a-z][a-z0-9_]* [1-9]")
"""Of a file of heads, be its first line whole or cut off by a crash."""

_log = logging.getLogger("gridroom.audit")


def line_of(head: Head) -> str:
    """`park1 4711 9f86d0... 2026-11-26T08:00:00.000Z`: station, id, hash, time."""
    moment = to_datetime(head.time).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{head.station} {head.id} {head.hash} {moment}"


def read_heads(path: Path, form: re.Pattern[str] = _LINE) -> Iterator[Head]:
    """The heads in a file of them; other lines are none. Raises OSError."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if found := form.match(line):
                with suppress(ValueError):
                    moment = datetime.fromisoformat(found[4].removesuffix("Z")).replace(tzinfo=UTC)
                    yield Head(found[1], int(found[2]), found[3], from_datetime(moment))


def heads_in(logs: Path | None, files: Iterable[Path] = ()) -> list[Head]:
    """All heads of the log files in a folder, and of the files named. Raises GridroomError where one of these fails."""
    found: list[Head] = []
    for path in sorted(logs.glob("*.log*")) if logs is not None else ():
        with suppress(OSError):
            found += read_heads(path, _LOGGED)
    for path in files:
        try:
            found += read_heads(path)
            found += read_heads(path, _LOGGED)  # a log that somebody kept is a file of heads as well
        except OSError as error:
            raise GridroomError(_words(path, error, "read")) from error
    return found


def _words(path: Path, error: OSError, verb: str) -> Text:
    mend = mend_of(error)
    why = error.strerror or str(error)
    doing = {"read": "读取", "written": "写入"}[verb]
    return Text(
        f"the heads of the audit cannot be {verb} in {path} ({why}); {mend.en}",
        f"审计链头无法{doing} {path}（{why}）；{mend.zh}",
    )


class HeadKeeper:
    """Puts the head of the chain into its second places every minute, and at the end, where it has changed."""

    def __init__(
        self,
        head: Callable[[], Head],
        file: Path | None,
        on_trouble: Callable[[str, Text | None], None],
        every_s: float = EVERY_S,
    ) -> None:
        """`head` answers with the last row of the chain, or raises."""
        self._head = head
        self._file = file
        self._on_trouble = on_trouble
        self._every_s = every_s
        self._kept = 0
        self._troubled = False
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit-heads", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """With the last head. Safe to call twice, and without a start."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        over = False
        while not over:
            over = self._ending.wait(self._every_s)
            self.keep()

    def keep(self) -> None:
        """Do it once, now."""
        try:
            head = self._head()
        except Exception as error:
            _log.warning("the head of the audit cannot be read (%s); it is tried again", error)
            return
        if head.id in (0, self._kept):
            return
        line = line_of(head)
        _log.info("audit head %s", line)
        if self._file is not None:
            try:
                _append(self._file, line)
            except OSError as error:
                self._tell(_words(self._file, error, "written"))
                return
            except GridroomError as error:
                self._tell(error.text)
                return
            self._tell(None)
        self._kept = head.id

    def _tell(self, text: Text | None) -> None:
        if text is not None and not self._troubled:
            _log.error("%s", text.en)
        if text is not None or self._troubled:
            self._on_trouble(TROUBLE, text)
        self._troubled = text is not None


def _append(path: Path, line: str) -> None:
    """Add a line and see it on the disk. A line that a crash cut off is ended first; a file of other things is left.

    Raises OSError, GridroomError.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
    try:
        size = os.lseek(descriptor, 0, os.SEEK_END)
        whole = True
        if size:
            os.lseek(descriptor, 0, os.SEEK_SET)
            if not _BEGINS.match(os.read(descriptor, 100)):
                raise GridroomError(
                    Text(
                        f"{path} holds something else than heads of the audit, and is left alone; name another file",
                        f"{path} 中不是审计链头，未作改动；请另指定文件",
                    )
                )
            os.lseek(descriptor, size - 1, os.SEEK_SET)
            whole = os.read(descriptor, 1) == b"\n"
        os.write(descriptor, ("" if whole else "\n").encode() + line.encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
