"""Where an export may be written: it never replaces what makes the station, nor what it keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.history.export.request import ExportError
from app.model.errors import StorageError, mend_of
from app.model.named_files import station_files
from app.model.text import Text

Judge = Callable[[Path], None]
"""Raises ExportError for a file that no export may write, StorageError for one that the disk does not allow."""


def targets(station: Path, data: Path, heads: str | None) -> Judge:
    """The judge of a station: its folder, its data folder, and its file of heads as `station.yaml` names it."""
    data = data.expanduser().resolve()

    def judge(path: Path) -> None:
        try:
            if "\0" in str(path):
                raise OSError(0, "a name has no NUL")
            path.lstat()
        except FileNotFoundError:
            pass
        except OSError as error:
            why, mend = error.strerror or str(error), mend_of(error)
            text = Text(f"{path} cannot be written ({why}); {mend.en}", f"{path} 无法写入（{why}）；{mend.zh}")
            raise StorageError(text) from error
        file = path.parent.resolve() / path.name
        if file.is_relative_to(data) and not file.is_relative_to(data / "exports"):
            raise ExportError(
                Text(f"{path} is within the data folder, which only its 'exports' is free of; write it there",
                     f"{path} 位于数据文件夹内；请写入其中的 exports 子文件夹")
            )  # fmt: skip
        own = [station / name for name in (*station_files(station), *([heads] if heads else ()))]
        if any(_is_same(file, one) for one in own):
            raise ExportError(
                Text(
                    f"{path} is a file of the station itself; choose another name",
                    f"{path} 是站点自身的文件；请另选文件名",
                )
            )

    return judge


def _is_same(one: Path, other: Path) -> bool:
    """Also where the disk does not tell cases apart, or one is a link to the other."""
    try:
        return one.samefile(other)
    except OSError:
        return one == other.parent.resolve() / other.name
