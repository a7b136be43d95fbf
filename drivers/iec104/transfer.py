"""What a controlled station keeps of one connection: transfer started or not, sequence numbers, windows, timers.

IEC 60870-5-104, 5.1 to 5.5. No I/O: frames and the time go in, frames come out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from drivers.iec104 import apci


class State(Enum):
    STOPPED = auto()
    STARTED = auto()
    STOPPING = auto()
    """Asked to stop, and waiting for what it has sent to be acknowledged."""


class Event(Enum):
    START = auto()
    STOP = auto()
    TEST = auto()
    TESTED = auto()
    """Our test was confirmed."""
    INFORMATION = auto()
    SUPERVISORY = auto()
    SETTLED = auto()
    """Everything that was sent is acknowledged."""


class Action(Enum):
    NOTHING = auto()
    CONFIRM_START = auto()
    CONFIRM_STOP = auto()
    CONFIRM_TEST = auto()
    ACKNOWLEDGE = auto()
    DELIVER = auto()


TABLE: Final[Mapping[tuple[State, Event], tuple[State, Action]]] = {
    (State.STOPPED, Event.START): (State.STARTED, Action.CONFIRM_START),
    (State.STOPPED, Event.STOP): (State.STOPPED, Action.CONFIRM_STOP),
    (State.STOPPED, Event.TEST): (State.STOPPED, Action.CONFIRM_TEST),
    (State.STOPPED, Event.TESTED): (State.STOPPED, Action.NOTHING),
    (State.STOPPED, Event.SUPERVISORY): (State.STOPPED, Action.NOTHING),
    (State.STOPPED, Event.SETTLED): (State.STOPPED, Action.NOTHING),
    (State.STARTED, Event.START): (State.STARTED, Action.CONFIRM_START),
    (State.STARTED, Event.STOP): (State.STOPPING, Action.ACKNOWLEDGE),
    (State.STARTED, Event.TEST): (State.STARTED, Action.CONFIRM_TEST),
    (State.STARTED, Event.TESTED): (State.STARTED, Action.NOTHING),
    (State.STARTED, Event.INFORMATION): (State.STARTED, Action.DELIVER),
    (State.STARTED, Event.SUPERVISORY): (State.STARTED, Action.NOTHING),
    (State.STARTED, Event.SETTLED): (State.STARTED, Action.NOTHING),
    (State.STOPPING, Event.START): (State.STARTED, Action.CONFIRM_START),
    (State.STOPPING, Event.STOP): (State.STOPPING, Action.NOTHING),
    (State.STOPPING, Event.TEST): (State.STOPPING, Action.CONFIRM_TEST),
    (State.STOPPING, Event.TESTED): (State.STOPPING, Action.NOTHING),
    (State.STOPPING, Event.SUPERVISORY): (State.STOPPING, Action.NOTHING),
    (State.STOPPING, Event.SETTLED): (State.STOPPED, Action.CONFIRM_STOP),
}
"""What is not here ends the connection: information that comes while transfer is stopped."""

_FUNCTIONS: Final = {
    apci.STARTDT_ACT: Event.START,
    apci.STOPDT_ACT: Event.STOP,
    apci.TESTFR_ACT: Event.TEST,
    apci.TESTFR_CON: Event.TESTED,
}
_CONFIRMATIONS: Final = {
    Action.CONFIRM_START: apci.control(apci.STARTDT_CON),
    Action.CONFIRM_STOP: apci.control(apci.STOPDT_CON),
    Action.CONFIRM_TEST: apci.control(apci.TESTFR_CON),
}
_TEST: Final = apci.control(apci.TESTFR_ACT)


class Broken(Exception):
    """The connection must be closed; the message says why."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Windows in frames, times in seconds (9.6)."""

    k: int = 12
    w: int = 8
    t1: float = 15.0
    t2: float = 10.0
    t3: float = 20.0


class Transfer:
    """One connection. `out` gathers the frames to send; who owns this empties it."""

    def __init__(self, parameters: Parameters, now_s: float) -> None:
        """`now_s` is monotonic, here and everywhere below."""
        self.state = State.STOPPED
        self.out: list[bytes] = []
        self.unacknowledged: deque[tuple[float, bytes]] = deque()
        """(when it was sent, ASDU), the oldest first."""
        self._limits = parameters
        self._send = self._receive = 0
        self._owed = 0
        """Received frames that we have not acknowledged, the first of them since:"""
        self._owed_since = 0.0
        self._heard = now_s
        self._tested: float | None = None
        """When we sent a test that is not confirmed yet."""

    @property
    def room(self) -> int:
        """How many ASDUs may be sent now."""
        return self._limits.k - len(self.unacknowledged) if self.state is State.STARTED else 0

    def take(self, frame: bytes, now_s: float) -> bytes | None:
        """Take a frame; the ASDU that it delivers, if it does. Raises Broken."""
        self._heard = now_s
        if function := apci.unnumbered(frame):
            event = _FUNCTIONS.get(function)
            if event is None:
                raise Broken(f"a control frame {function:#04x} that only a controlled station sends")
        else:
            self._acknowledge(apci.receive_number(frame))
            event = Event.INFORMATION if apci.is_information(frame) else Event.SUPERVISORY
        if event is Event.TESTED:
            self._tested = None
        delivers = self._step(event) is Action.DELIVER
        if not self.unacknowledged:
            self._step(Event.SETTLED)
        if not delivers:
            return None
        self._count(apci.send_number(frame), now_s)
        return frame[6:]

    def send(self, asdu: bytes, now_s: float) -> None:
        """Send an ASDU; there must be room."""
        self.out.append(apci.information(self._send, self._receive, asdu))
        self.unacknowledged.append((now_s, asdu))
        self._send = (self._send + 1) % apci.MODULO
        self._owed = 0

    def tick(self, now_s: float) -> None:
        """Do what time asks for; call it a few times a second. Raises Broken."""
        limits = self._limits
        if self.unacknowledged and now_s - self.unacknowledged[0][0] >= limits.t1:
            raise Broken(f"a frame was not acknowledged within t1, {limits.t1:g} s")
        if self._tested is not None and now_s - self._tested >= limits.t1:
            raise Broken(f"a test frame was not answered within t1, {limits.t1:g} s")
        if self._owed and now_s - self._owed_since >= limits.t2:
            self._confirm_received()
        if self._tested is None and now_s - self._heard >= limits.t3:
            self._tested = now_s
            self.out.append(_TEST)

    def demote(self) -> None:
        """Another connection of the group transfers now: nothing more is sent on this one."""
        self.state = State.STOPPED

    def _step(self, event: Event) -> Action:
        try:
            self.state, action = TABLE[self.state, event]
        except KeyError:
            raise Broken(f"information that came while data transfer was {self.state.name.lower()}") from None
        if action is Action.ACKNOWLEDGE and self._owed:
            self._confirm_received()
        elif action in _CONFIRMATIONS:
            self.out.append(_CONFIRMATIONS[action])
        return action

    def _acknowledge(self, number: int) -> None:
        waiting = len(self.unacknowledged)
        oldest = (self._send - waiting) % apci.MODULO
        done = (number - oldest) % apci.MODULO
        if done > waiting:
            raise Broken(f"it acknowledged frames before {number}, where {oldest} to {self._send} can be")
        for _ in range(done):
            self.unacknowledged.popleft()

    def _count(self, number: int, now_s: float) -> None:
        if number != self._receive:
            raise Broken(f"it sent frame {number} where {self._receive} was due")
        self._receive = (self._receive + 1) % apci.MODULO
        self._owed += 1
        if self._owed == 1:
            self._owed_since = now_s
        if self._owed >= self._limits.w:
            self._confirm_received()

    def _confirm_received(self) -> None:
        self.out.append(apci.supervisory(self._receive))
        self._owed = 0
