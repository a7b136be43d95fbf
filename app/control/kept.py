"""What people decided of control, in `control.json` of the data folder: whole, and on the disk before they are told.

A file and not the records: tags and trips must be known also where the server of the records is away.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from app.control.standing import Standing
from app.history.whole import write_whole
from app.model.errors import StorageError, mend_of
from app.model.text import Text

FILE_NAME: Final = "control.json"


def load(file: Path) -> Standing:
    """As it was when the last run ended; a new one where there is no file. Raises StorageError."""
    try:
        return Standing.of_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Standing()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(
            Text(
                f"{file} cannot be read ({error}): tags, trips and modes are not known, and control is off until a "
                "person sets its mode",
                f"{file} 无法读取（{error}）：挂牌、跳闸与模式未知，控制已退出，需人工设置模式",
            )
        ) from error


def save(file: Path, text: str) -> None:
    """Raises StorageError."""
    try:
        write_whole(file, text)
    except OSError as error:
        mend, why = mend_of(error), error.strerror or str(error)
        raise StorageError(
            Text(f"{file} cannot be written ({why}); {mend.en}", f"{file} 无法写入（{why}）；{mend.zh}")
        ) from error
