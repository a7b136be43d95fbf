"""Who sent a message, and that it comes once: HMAC-SHA256 (RFC 2104) over time and body, and a memory of signatures.

Gridroom-Timestamp: 1764000000
Gridroom-Signature: sha256=<hexadecimal HMAC-SHA256 of "1764000000." + body>
"""

from __future__ import annotations

import hmac
from enum import Enum
from typing import Final

from app.model.clock import SECOND_NS

TIMESTAMP: Final = "Gridroom-Timestamp"
SIGNATURE: Final = "Gridroom-Signature"
_PREFIX: Final = "sha256="


class Verdict(Enum):
    """What is to be done with a message."""

    TAKE = "taken"
    UNSIGNED = f"it has no {TIMESTAMP} in whole seconds, or no {SIGNATURE} that begins with {_PREFIX}"
    OUTSIDE = "its timestamp is outside the window, or before this program began to listen"
    WRONG = "its signature is not that of this secret, timestamp and body"
    REPLAYED = "it was taken before"
    TOO_MANY = "more messages come than the device may send"


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """The signature of a message, as its header holds it."""
    return _PREFIX + hmac.digest(secret, timestamp.encode() + b"." + body, "sha256").hex()


class Guard:
    """Admits each message of one sender once. Times are wall time, UTC nanoseconds.

    Remembers `per_minute` signatures for each minute in which they may come again, and never forgets one of them to
    make room: a sender that sends more is refused.
    """

    def __init__(self, secret: bytes, *, window_s: float, per_minute: int, now_ns: int) -> None:
        self._secret = secret
        self._window_ns = round(window_s * SECOND_NS)
        self._most = max(1, round(per_minute * 2 * window_s / 60))
        self._began_ns = now_ns - now_ns % SECOND_NS
        """Whatever was signed earlier may have been taken by the run before, of which nothing is remembered."""
        self._seen: dict[bytes, int] = {}
        """Signature -> until when it is remembered; in this order."""

    def __len__(self) -> int:
        """How many signatures are remembered."""
        return len(self._seen)

    def judge(self, timestamp: str, signature: str, body: bytes, now_ns: int) -> Verdict:
        """Whether a message may be taken; a message that may is remembered."""
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12 and signature.isascii()):
            return Verdict.UNSIGNED
        if not signature.startswith(_PREFIX):
            return Verdict.UNSIGNED
        signed_ns = int(timestamp) * SECOND_NS
        if signed_ns < self._began_ns or abs(now_ns - signed_ns) > self._window_ns:
            return Verdict.OUTSIDE
        expected = sign(self._secret, timestamp, body)
        if not hmac.compare_digest(expected, signature):
            return Verdict.WRONG
        self._forget(now_ns)
        digest = bytes.fromhex(expected.removeprefix(_PREFIX))
        if digest in self._seen:
            return Verdict.REPLAYED
        if len(self._seen) >= self._most:
            return Verdict.TOO_MANY
        self._seen[digest] = now_ns + 2 * self._window_ns  # signed a window ahead, it may come for two
        return Verdict.TAKE

    def _forget(self, now_ns: int) -> None:
        while self._seen:
            oldest = next(iter(self._seen))
            if self._seen[oldest] >= now_ns:
                return
            del self._seen[oldest]
