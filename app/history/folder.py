"""The data folder: what belongs in it, and the lock that lets one process own it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from app.history.whole import write_whole
from app.model.errors import FolderHeld, StorageError, mend_of, wrong_input
from app.model.file_lock import lock

LOCK_NAME: Final = "gridroom.lock"
OWNER_NAME: Final = "station.json"
SUBFOLDERS: Final = ("history", "exports", "backups", "logs", "outbox")


class DataFolder:
    """An owned data folder. The operating system drops the lock when the process ends, however it ends."""

    def __init__(self, path: Path, descriptor: int | None) -> None:
        self.path = path
        self._descriptor = descriptor

    @staticmethod
    def beside(path: Path) -> DataFolder:
        """The folder for a program that works beside its owner, and owns nothing. Raises StorageError for a link."""
        folder = DataFolder(path.expanduser().absolute(), None)
        _refuse_links(folder.path)
        return folder

    @staticmethod
    def open(path: Path, who: str) -> DataFolder:
        """Make the folder where it is missing, and own it. `who` is what another process is told, `gridroom console`.

        Raises FolderHeld, with the holder's name, when another process owns it, and StorageError when it cannot be
        written. Returns or raises at once: it never waits for the holder.
        """
        path = path.expanduser().absolute()
        try:
            for name in SUBFOLDERS:
                (path / name).mkdir(parents=True, exist_ok=True)
            _refuse_links(path)
            descriptor = os.open(path / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            if not lock(descriptor):
                raise FolderHeld(path, _holder(path))
            _sign(descriptor, who)
            probe = path / ".writable"
            probe.write_bytes(b"")
            probe.unlink()
        except FolderHeld:
            os.close(descriptor)
            raise
        except OSError as error:
            os.close(descriptor)
            raise _unwritable(path, error) from error
        return DataFolder(path, descriptor)

    @staticmethod
    def is_one(path: Path) -> bool:
        """Whether a program has used this folder for data before."""
        return (path.expanduser() / LOCK_NAME).exists()

    @staticmethod
    def open_existing(path: Path, who: str) -> DataFolder:
        """As `open`, and makes no data folder of one that is none. Raises ConfigFaults there."""
        if not (path.expanduser() / "history").is_dir():
            raise wrong_input(f"{path} is no data folder", "give the one that the console or the engine names at start")
        return DataFolder.open(path, who)

    @property
    def history(self) -> Path:
        return self.path / "history"

    @property
    def exports(self) -> Path:
        return self.path / "exports"

    @property
    def backups(self) -> Path:
        return self.path / "backups"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def outbox(self) -> Path:
        return self.path / "outbox"

    def belongs_to(self, station: str, *, claim: bool = True) -> None:
        """Make sure that the folder is this station's; `claim` makes one that is nobody's so.

        Points are known by their names here: another station's `meter1.p_kw` would go into the same series. Raises
        StorageError that names the owner.
        """
        path = self.path / OWNER_NAME
        try:
            owner = json.loads(path.read_text(encoding="utf-8"))["station"]
        except FileNotFoundError:
            if claim:
                write_whole(path, json.dumps({"station": station}) + "\n")
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StorageError(
                f"{path}, which says whose data this is, cannot be read ({error}); write "
                f'{{"station": "{station}"}} into it if this folder is this station\'s'
            ) from error
        if owner != station:
            raise StorageError(
                f"data folder {self.path} belongs to station '{owner}', not to '{station}'; give it a folder of its "
                f"own with --data. If '{owner}' was only renamed, write the new id into {path}"
            )

    def close(self) -> None:
        """Give the folder up. May be called twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)  # the lock goes with it
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _refuse_links(path: Path) -> None:
    """What is written here is written over: a link that stands for a file would let it be any file of this account.

    A link that stands for a folder is fine: history is put on another disk that way. Raises StorageError.
    """
    for folder in (path, *(path / name for name in SUBFOLDERS)):
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink() and not entry.is_dir():
                    raise StorageError(
                        f"{entry.path} is a symbolic link; in a data folder a link may stand for a folder, not for a "
                        "file: put the file itself there, or remove the link"
                    )


def _unwritable(path: Path, error: OSError) -> StorageError:
    why = error.strerror or str(error)
    return StorageError(
        f"data folder {path} cannot be written ({why}); {mend_of(error).en}, or name another folder with --data"
    )


def _sign(descriptor: int, who: str) -> None:
    text = {
        "pid": os.getpid(),
        "program": who,
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": socket.gethostname(),
    }
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, json.dumps(text).encode())


def _holder(path: Path) -> str:
    """Who holds it, in words; the holder may be writing just now, so that what is read may be nothing."""
    try:
        said = json.loads((path / LOCK_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "another process"
    if not isinstance(said, Mapping):
        return "another process"
    return (
        f"{said.get('program', 'another program')} (process {said.get('pid', '?')} on {said.get('host', '?')}, "
        f"since {_local(said.get('since'))})"
    )


def _local(since: object) -> str:
    """A moment as the clock on the wall shows it."""
    try:
        return f"{datetime.fromisoformat(str(since)).astimezone():%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return "?"
