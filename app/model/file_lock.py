"""Locking a file for one process. The operating system drops the lock when the process ends, however it ends."""

from __future__ import annotations

import os
import sys
from typing import Final

_LOCK_AT: Final = 1 << 20
"""Where Windows locks a byte: beyond the text, which others must be able to read."""


def lock(descriptor: int) -> bool:
    """Lock the file for as long as it is open here. False where another has it; OSError where it cannot be."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, _LOCK_AT, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        # flock, not lockf: it also tells two openings within one process apart.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
