"""The sessions that are open: in memory, for they end with the program."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from typing import Final

from app.model.access import Actor, SessionRow
from app.model.clock import SECOND_NS, Clock

WITNESS_S: Final = 60.0
"""A second person's word holds so long, and for one action."""


@dataclass(slots=True)
class Session:
    """One person at one door."""

    actor: Actor
    since: int
    seen_ns: int
    """Monotonic: idle time is no matter of what a clock is set to."""
    seen: int
    """UTC nanoseconds."""
    locked: bool = False
    must_change: bool = False
    asked: tuple[str, str] | None = None
    """What waits for a second person: method, fingerprint of its arguments."""
    witness: tuple[tuple[str, str], Actor, int] | None = None
    """(what, second person, monotonic end)."""


class Sessions:
    """Thread-safe."""

    def __init__(self, clock: Clock, lock_after_s: float) -> None:
        """`lock_after_s`: without any action for so long a session locks; 0 never."""
        self._clock = clock
        self.lock_after_s = lock_after_s
        self._open: dict[str, Session] = {}
        self._lock = threading.Lock()

    def begin(self, name: str, role: str, origin: str, *, must_change: bool = False) -> Session:
        """Somebody has signed in."""
        actor = Actor(name, role, origin, secrets.token_hex(4))
        now, seen_ns = self._clock.now_ns(), self._clock.monotonic_ns()
        session = Session(actor, now, seen_ns, now, must_change=must_change)
        with self._lock:
            self._open[actor.session] = session
        return session

    def end(self, id_: str) -> Session | None:
        """It is over; the session that it was, if it was open."""
        with self._lock:
            return self._open.pop(id_, None)

    def find(self, id_: str) -> Session | None:
        """The open session of this id."""
        return self._open.get(id_)

    def touch(self, session: Session) -> None:
        """Its person has done something."""
        session.seen_ns, session.seen = self._clock.monotonic_ns(), self._clock.now_ns()

    def is_idle(self, session: Session) -> bool:
        """Whether its person has done nothing for so long that it must lock."""
        idle_s = (self._clock.monotonic_ns() - session.seen_ns) / SECOND_NS
        return 0 < self.lock_after_s <= idle_s

    def all(self) -> list[Session]:
        """Every open one, the oldest first."""
        with self._lock:
            return sorted(self._open.values(), key=lambda session: session.since)

    def rows(self) -> list[SessionRow]:
        """As a list is shown."""
        return [
            SessionRow(
                one.actor.session, one.actor.name, one.actor.role, one.actor.origin, one.since, one.seen, one.locked
            )
            for one in self.all()
        ]

    def set_witness(self, session: Session, method: str, second: Actor) -> bool:
        """A second person stands by for the call of a method that waits for him; whether there is one."""
        with self._lock:
            if session.asked is None or session.asked[0] != method:
                return False
            end = self._clock.monotonic_ns() + round(WITNESS_S * SECOND_NS)
            session.witness, session.asked = (session.asked, second, end), None
        return True

    def take_witness(self, session: Session, method: str, fingerprint: str) -> Actor | None:
        """Who stands by for this call now; he does so once. Without him it waits for one from now on."""
        with self._lock:
            witness, session.witness = session.witness, None
            if witness is None or witness[0] != (method, fingerprint) or self._clock.monotonic_ns() > witness[2]:
                session.asked = (method, fingerprint)
                return None
        return witness[1]
