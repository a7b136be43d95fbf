"""What people decided of control, in `control.json` of the data folder: whole, and on the disk before they are told.

A file and not the records: tags and trips must be known also where the server of the records is away.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Final

from app.control.standing import Standing
from app.history.whole import set_aside, write_whole
from app.model.clock import SECOND_NS, Clock
from app.model.config import Priority
from app.model.control import Mode
from app.model.errors import StorageError, mend_of
from app.model.text import Text

FILE_NAME: Final = "control.json"
AGAIN_S: Final = 5.0
"""So long after it could not be written it is tried again, where nobody waits for it."""
UNREAD: Final = "control_kept"
UNWRITTEN: Final = "control_unkept"

Change = Callable[[Standing], object]
"""What somebody decides, done to what stands."""

_log = logging.getLogger("gridroom.control")


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


class Keeper:
    """Of one running station. On the engine's loop, but for `begin`."""

    def __init__(
        self, file: Path, clock: Clock, alarm: Callable[[str, Text | None, Priority], None],
        standing: Callable[[], Standing],
    ) -> None:  # fmt: skip
        self._file, self._clock, self._alarm, self._standing = file, clock, alarm, standing
        self._one = asyncio.Lock()
        self._decisions = Counter[str]()
        self._is_stale = False
        """What is on the disk may be what nobody decided in the end."""
        self._failed_ns = 0
        """Monotonic, when it could not be written and nobody waited for it; 0 where it could."""

    def begin(self) -> Standing:
        """What people had decided when the last run ended; where that cannot be read, control is off."""
        try:
            return load(self._file)
        except StorageError as error:
            _log.error("%s", error)
            with suppress(OSError):  # a person may still make out the tags that stand in it
                _log.error("it is put aside as %s", set_aside(self._file, self._clock.now_ns()))
            self._alarm(UNREAD, error.text, Priority.HIGH)
            return Standing(mode=Mode.OFF)

    def looked_at(self) -> None:
        """A person has set the station's mode: what could not be read needs nobody any more."""
        self._alarm(UNREAD, None, Priority.HIGH)

    def is_due(self) -> bool:
        """It could not be written a while ago, or what was written does not hold."""
        waited_ns = self._clock.monotonic_ns() - self._failed_ns if self._failed_ns else 0
        return self._is_stale or waited_ns > AGAIN_S * SECOND_NS

    async def keep(self) -> None:
        """What people decided is on the disk before they are told that it is so. Raises StorageError."""
        async with self._one:  # one after the other: the newest is written last
            await self._write(self._standing())

    async def _write(self, standing: Standing) -> None:
        writing = asyncio.ensure_future(asyncio.to_thread(save, self._file, standing.to_json()))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:  # it is written all the same: nobody else may write meanwhile
            await asyncio.wait({writing})
            self._is_stale = writing.cancelled() or writing.exception() is None
            raise

    def decided(self, key: str) -> int:
        """Somebody decides of this now: who decided of it before, and still waits for the disk, is too late."""
        self._decisions[key] += 1
        return self._decisions[key]

    async def keep_first(self, key: str, change: Change) -> None:
        """What loosens is on the disk before it is done: who is told that it failed must not find that it was done.

        Of one `key` the latest decision holds; without a key all do, in their order.

        Raises StorageError, and then nothing has changed.
        """
        number = self.decided(key)
        async with self._one:
            wanted = deepcopy(self._standing())
            change(wanted)
            await self._write(wanted)
            if not key or self._decisions[key] == number:
                change(self._standing())

    async def keep_by_itself(self) -> None:
        """What nobody waits for; where it cannot be written it is told, and tried again."""
        self._failed_ns, self._is_stale = 0, False
        try:
            await self.keep()
        except StorageError as error:
            _log.error("%s", error)
            self._failed_ns = self._clock.monotonic_ns()
            self._alarm(UNWRITTEN, error.text, Priority.HIGH)
        else:
            self._alarm(UNWRITTEN, None, Priority.HIGH)
