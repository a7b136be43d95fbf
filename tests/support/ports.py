"""Ports for servers of other programs, which cannot be asked which one they took."""

from __future__ import annotations

import random
import socket
from typing import Final

_BELOW_EPHEMERAL: Final = range(20_000, 32_000)
"""No system here gives these to whoever asks for any port, so that a broker that stopped finds its own again."""


def free_port() -> int:
    """One of 127.0.0.1 on which nobody listens, and that nobody is given by chance."""
    while True:
        port = random.choice(_BELOW_EPHEMERAL)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
