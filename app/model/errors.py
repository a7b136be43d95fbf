"""The tree of errors. Each says what happened, where, and what to do; each carries its data.

GridroomError
├── ConfigFaults            the files are wrong (all faults at once)
├── DeviceError             one device; it is supervised, the station goes on
│   ├── TransportError      no connection, lost, timed out
│   ├── ProtocolError       it answered, but not what the protocol allows
│   └── RefusedByDevice     it answered properly: no
├── ReadOnlyError           a write in a read-only station
└── StorageError            data folder, history or records
    └── FolderHeld          another process owns the data folder
"""

from __future__ import annotations

import errno
import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.model.text import Text, joined, text_of

_LONGEST: Final = 800
"""Characters of what is said of one fault."""
_MENDS: Final = {
    "ENOSPC": Text("make room on that disk", "请清理该磁盘空间"),
    "EDQUOT": Text("make room: this user's share of that disk is used up", "本用户磁盘配额已满，请清理"),
    "EROFS": Text("that disk is mounted read-only: mount it for writing", "该磁盘以只读方式挂载，请改为可写"),
    "EACCES": Text("give this user the right to write there", "请授予本用户写权限"),
    "EPERM": Text("give this user the right to write there", "请授予本用户写权限"),
    "ENOENT": Text("make its folder first", "请先建立其文件夹"),
    "ENOTDIR": Text("a file stands where a folder should: move it", "应为文件夹处有同名文件，请移走"),
    "EEXIST": Text("a file stands where a folder should: move it", "应为文件夹处有同名文件，请移走"),
    "EISDIR": Text("a folder stands where the file should be: move it", "应为文件处有同名文件夹，请移走"),
    "EMFILE": Text("let this user open more files", "请提高本用户可打开文件数"),
    "EIO": Text("check that disk", "请检查该磁盘"),
}
"""By the system's error: a full disk asks for room, not for rights."""


class Wrong(ValueError):
    """A value that cannot be meant: what is wrong with it, and the mend. Plain text stands for both languages."""

    def __init__(self, what: Text | str, mend: Text | str = "") -> None:
        super().__init__(f"{what}; {mend}" if mend else str(what))
        self.what = text_of(what)
        self.mend = text_of(mend) if mend else Text("correct it", "请改正")
        self.text = joined([self.what, self.mend]) if mend else self.what


class GridroomError(Exception):
    """Anything that Gridroom reports on purpose: `text` for the screen, `str()` in English for logs and command line.

    Plain text stands for both languages: for what only the command line says.
    """

    def __init__(self, text: Text | str) -> None:
        super().__init__(text)
        self.text = text if isinstance(text, Text) else Text.of(text)

    def __str__(self) -> str:
        return self.text.en


def words_of(error: BaseException) -> Text:
    """What an error says within a sentence of ours: its own words, or the first line of what a library said."""
    if isinstance(error, GridroomError | Wrong):
        return error.text
    lines = str(error).strip().splitlines()
    return Text.of(lines[0] if lines else type(error).__name__)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a file: where, what, and the mend."""

    file: Path
    line: int
    """From 1; 0 where there are no lines."""
    what: Text
    mend: Text
    path: tuple[Hashable, ...] = field(default=(), compare=False)
    """Keys and positions that lead to it within the file; empty where it is no YAML, or the whole."""

    def __str__(self) -> str:
        """One line, whatever stood in the file."""
        return self.line_of(self.file).en

    def line_of(self, file: Path | str) -> Text:
        """All of it on one line; `file` is how the file is called there."""
        return self.words.at(Text.of(f"{file}:{self.line}" if self.line else str(file)))

    @property
    def words(self) -> Text:
        """What, and the mend, without where."""
        return joined([Text(_printable(self.what.en), _printable(self.what.zh)), self.mend])


def _printable(text: str) -> str:
    words = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}..."


class ConfigFaults(GridroomError):
    """Everything wrong with a station's files, told at once."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(set(faults), key=lambda fault: (str(fault.file), fault.line, fault.what.en)))
        lines = [fault.line_of(fault.file) for fault in self.faults]
        super().__init__(Text("\n".join(line.en for line in lines), "\n".join(line.zh for line in lines)))


def wrong_input(what: str, mend: str) -> ConfigFaults:
    """Something on the command line that cannot be meant."""
    return ConfigFaults([Fault(Path("command line"), 0, Text.of(what), Text.of(mend))])


def mend_of(error: Exception) -> Text:
    """What to do about a file that the system refuses; `error` is an OSError, or quotes one as DuckDB does."""
    for name, mend in _MENDS.items():
        code = getattr(errno, name, None)  # Windows does not know them all
        if code is not None and (getattr(error, "errno", None) == code or os.strerror(code) in str(error)):
            return mend
    return Text("see what the system says about that place", "请查看系统对该位置的说明")


class DeviceError(GridroomError):
    """Trouble with one device, in both languages. `device` may be empty where the thrower does not know it."""

    def __init__(self, text: Text, *, device: str = "") -> None:
        super().__init__(text)
        self.device = device


class TransportError(DeviceError):
    """No connection, connection lost, or no answer in time."""


class ProtocolError(DeviceError):
    """The device answered something that the protocol does not allow."""


class RefusedByDevice(DeviceError):
    """The device understood and refused. `code` is the protocol's own number (a Modbus exception code)."""

    def __init__(self, text: Text, *, device: str = "", code: int = 0) -> None:
        super().__init__(text, device=device)
        self.code = code


class ReadOnlyError(GridroomError):
    """A write was asked for in a station that is marked read-only."""


class StorageError(GridroomError):
    """The data folder, the history or the records cannot be used."""


class FolderHeld(StorageError):
    """Another process owns the data folder."""

    def __init__(self, folder: Path, holder: str) -> None:
        super().__init__(
            f"data folder {folder} is in use by {holder}; close that program, or give another folder with --data"
        )
        self.folder = folder
        self.holder = holder
