"""Waits for a socket and for whoever wants to interrupt: on Windows as well, where only sockets can be waited for."""

from __future__ import annotations

import contextlib
import selectors
import socket
from typing import Any

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE


class Alarm:
    """Ends a wait from another thread."""

    def __init__(self) -> None:
        self._out, self._in = socket.socketpair()
        self._out.setblocking(False)
        self._in.setblocking(False)

    def ring(self) -> None:
        """Any thread, at any time."""
        with contextlib.suppress(OSError):  # full, so it rings anyway; or closed, so nobody waits any more
            self._in.send(b"x")

    def fileno(self) -> int:
        return self._out.fileno()

    def silence(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while len(self._out.recv(4096)) == 4096:
                pass

    def close(self) -> None:
        self._out.close()
        self._in.close()


class Watch:
    """One socket and one alarm."""

    def __init__(self, sock: Any, alarm: Alarm) -> None:
        self._sock = sock
        self._alarm = alarm
        self._wanted = 0
        self._selector = selectors.DefaultSelector()
        self._selector.register(alarm, READ)

    def wait(self, wanted: int, seconds: float) -> bool:
        """Until the socket can do what is wanted (`READ | WRITE`), the alarm rings, or the time is over.

        Returns whether reading is wanted, and there is something to read.
        """
        if wanted != self._wanted:
            if self._wanted:
                self._selector.unregister(self._sock)
            if wanted:
                self._selector.register(self._sock, wanted)
            self._wanted = wanted
        pending = bool(wanted & READ) and self._decrypted()
        readable = pending
        for key, mask in self._selector.select(0.0 if pending else seconds):
            if key.fileobj is self._alarm:
                self._alarm.silence()
            else:
                readable |= bool(mask & READ)
        return readable

    def _decrypted(self) -> bool:
        """Whether TLS has decrypted more than was read: the selector does not know of that."""
        pending = getattr(self._sock, "pending", None)
        return pending is not None and pending() > 0

    def close(self) -> None:
        self._selector.close()
