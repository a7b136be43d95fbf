"""Where somebody works: the operating system's user and the machine, as the audit names them."""

from __future__ import annotations

import getpass
import socket


def user() -> str:
    """The operating system's user."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user, or a system without user names
        return "unknown"


def here(door: str) -> str:
    """`console, li at control-room-1`."""
    return f"{door}, {user()} at {socket.gethostname()}"
