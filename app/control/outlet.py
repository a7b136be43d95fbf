"""The way out to one device: its commands first, then its setpoints; each retried, renewed, read back."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

from app.control.heartbeat import NEVER, Heartbeat, point_of
from app.model.clock import SECOND_NS, Clock
from app.model.errors import DeviceError, GridroomError, ProtocolError, ReadOnlyError, TransportError
from app.model.station import Device, Point
from app.model.text import Text

RENEW_S: Final = 3.0
"""A setpoint is written again after so long at most, where its device has a timer: it is its heartbeat."""
ASSERT_S: Final = 60.0
"""And after so long where it has none: it may have started again meanwhile, and a write may wear out what it keeps."""
EXPIRY_S: Final = 10.0
"""What nobody has said for so long is not sent any more, renewed or late, where its device names no time of its own."""
HALTED: Final = Text("control was halted; whether the device has taken it is not known",
                     "控制已停止；设备是否已接受未知")  # fmt: skip

_log = logging.getLogger("gridroom.control")


class Field(Protocol):
    """What the engine gives to control, and nothing else: the one way to a device."""

    async def write(self, point: Point, value: float) -> float:
        """Write, and return what the device then holds, NaN where it cannot be asked.

        Raises GridroomError, ValueError.
        """


@dataclass(frozen=True, slots=True)
class Sent:
    """How a write went."""

    point: Point
    value: float
    at: int
    """UTC nanoseconds, when it was asked."""
    took_ms: float
    held: float
    """What the device says that it holds; NaN where it does not."""
    error: Text | None
    """Why it is not known to have been taken; None where all is well."""
    renewal: bool
    """The same value again."""
    answered: bool = True
    """False: it may not have been heard, and may be asked again."""


@dataclass(slots=True)
class _Want:
    point: Point
    value: float
    ticket: Future[int] | None
    """Its row in the ledger; None where it must not wait for one."""
    sent: float = math.nan
    sent_ns: int = 0
    """Monotonic; 0 before the first."""
    failed_ns: int = 0
    fresh_ns: int = 0
    """When it was said last that this is to be held."""
    expired: bool = False

    def may_go(self) -> bool:
        """No row, no command."""
        ticket = self.ticket
        return ticket is None or (ticket.done() and not ticket.cancelled() and ticket.exception() is None)


@dataclass(slots=True, eq=False)
class _Command:
    point: Point
    value: float
    answer: asyncio.Future[Sent]
    refuse: Callable[[], None]
    left: int
    """So often it may still be sent again."""
    due_ns: int = 0
    """Monotonic."""
    failed: Sent | None = None
    """How it went last."""


class Outlet:
    """One device's queue. On the engine's loop."""

    def __init__(
        self, device: Device, field: Field, clock: Clock, told: Callable[[Sent], None],
        on_expired: Callable[[Point, bool], None] = lambda point, expired: None,
    ) -> None:  # fmt: skip
        """`told` hears of each write that ended; `on_expired` when nobody has said for too long what is to be held, and
        when it is said again."""
        self._on_expired = on_expired
        self.device = device
        self._field, self._clock, self._told = field, clock, told
        self._wants: dict[str, _Want] = {}
        self._commands: deque[_Command] = deque()
        self._stir = asyncio.Event()
        control = device.control
        self._expiry_ns = round((control.expiry or EXPIRY_S) * SECOND_NS)
        own_s = min(RENEW_S, control.expiry / 3.0) if control.expiry is not None else ASSERT_S
        self._renew_ns = round((control.renew or own_s) * SECOND_NS)
        points = {point.id: point for point in device.points}
        self._enabling = [(points[one.point], one.value) for one in control.enable if one.point in points]
        self._enabled_ns = 0
        """Monotonic, when it was told all of that last; 0 where it must be told first."""
        self._throttle_ns = round((control.throttle or 0.0) * SECOND_NS)
        self._again_ns, self._times = round(control.retry.after * SECOND_NS), control.retry.times
        beaten, every_s = point_of(device), control.heartbeat
        self._heartbeat = Heartbeat(beaten, every_s, self._expiry_ns, clock) if beaten and every_s else None

    def want(self, point: Point, value: float, ticket: Future[int] | None) -> None:
        """This is to be held from now on. Of several values that wait the last one is sent."""
        want = self._wants.get(point.name)
        if want is None:
            want = self._wants[point.name] = _Want(point, value, ticket)
        want.fresh_ns = self._clock.monotonic_ns()
        if want.expired:
            want.expired = False
            self._on_expired(point, False)
        if (want.sent_ns or want.failed_ns) and want.value == value and want.ticket is ticket:
            return
        if ticket is None:  # what leads to safety waits for no failure of something else
            want.failed_ns = 0
        want.value, want.ticket = value, ticket
        if ticket is not None and not ticket.done():
            loop = asyncio.get_running_loop()
            ticket.add_done_callback(lambda _: _call(loop, self._stir.set))
        self._stir.set()

    def alive(self) -> None:
        """The device is commanded: its heartbeat may rise for another while, where it has one."""
        if self._heartbeat is not None:
            if self._heartbeat.due() == NEVER:
                self._stir.set()
            self._heartbeat.alive()

    def release(self, point: Point) -> None:
        """Nothing more is sent to it; what it holds ends by its own timer."""
        want = self._wants.pop(point.name, None)
        if want is not None and want.expired:
            self._on_expired(point, False)
        if not self._wants:
            self.rest()

    def rest(self) -> None:
        """The device is not commanded: its heartbeat stands at once."""
        if self._heartbeat is not None:
            self._heartbeat.rest()

    def command(self, point: Point, value: float, refuse: Callable[[], None] = lambda: None) -> asyncio.Future[Sent]:
        """One command, ahead of every setpoint. The answer never raises: how it went is in it. `refuse` is asked before
        each time that it is sent, and raises GridroomError where it may not be any more."""
        answer: asyncio.Future[Sent] = asyncio.get_running_loop().create_future()
        self._commands.append(_Command(point, value, answer, refuse, self._times))
        self._stir.set()
        return answer

    def sent(self, point: Point) -> tuple[float, int]:
        """What was last taken by the device, and when (monotonic); NaN and 0 before the first."""
        want = self._wants.get(point.name)
        return (want.sent, want.sent_ns) if want is not None else (math.nan, 0)

    async def run(self) -> None:
        """Until cancelled. Who waits for a command is then told so."""
        try:
            await self._run()
        finally:
            while self._commands:
                self._halted(self._commands.popleft())

    def _halted(self, command: _Command) -> None:
        at = self._clock.now_ns()
        self._answer(command, command.failed or Sent(command.point, command.value, at, 0.0, math.nan, HALTED, False))

    async def _run(self) -> None:
        while True:
            self._stir.clear()
            while (command := self._next()) is not None:
                await self._command(command)
            for want in list(self._wants.values()):
                if self._next(look=True) is not None:
                    break
                if self._due(want) == 0:
                    await self._hold(want)
            if self._heartbeat is not None and self._heartbeat.due() == 0:
                await self._write(self._heartbeat.point, self._heartbeat.beat(), renewal=True)
            if self._next(look=True) is not None or self._stir.is_set():
                continue
            ahead_ns = min((self._due(want) for want in self._wants.values()), default=SECOND_NS)
            now = self._clock.monotonic_ns()
            ahead_ns = min([ahead_ns, *(command.due_ns - now for command in self._commands)])
            if self._heartbeat is not None:
                ahead_ns = min(ahead_ns, self._heartbeat.due())
            with suppress(TimeoutError):
                # Not `wait_for`: that of Python 3.11 swallows a cancellation that comes with a stir, and would send on.
                async with asyncio.timeout(max(ahead_ns, 1_000_000) / SECOND_NS):
                    await self._stir.wait()

    def _next(self, *, look: bool = False) -> _Command | None:
        """The first command that is due, out of the queue; with `look` it stays there."""
        now = self._clock.monotonic_ns()
        command = next((one for one in self._commands if one.due_ns <= now), None)
        if command is not None and not look:
            self._commands.remove(command)
        return command

    async def _command(self, command: _Command) -> None:
        """Send it; where nobody answered, and it may be, again after a while: setpoints go in between."""
        if command.answer.cancelled():  # who asked has called it off
            return
        try:
            command.refuse()
        except GridroomError as refused:
            at = self._clock.now_ns()
            self._answer(
                command, command.failed or Sent(command.point, command.value, at, 0.0, math.nan, refused.text, False)
            )
            return
        last = command.left == 0
        try:
            sent = await self._write(command.point, command.value, renewal=False, tell=last)
        except asyncio.CancelledError:
            self._halted(command)
            raise
        if last:
            self._answer(command, sent)
        elif sent.answered:
            self._told(sent)
            self._answer(command, sent)
        else:
            command.left, command.due_ns = command.left - 1, self._clock.monotonic_ns() + self._again_ns
            command.failed = sent
            self._commands.append(command)

    @staticmethod
    def _answer(command: _Command, sent: Sent) -> None:
        if not command.answer.done():
            command.answer.set_result(sent)

    def _due(self, want: _Want) -> int:
        """Nanoseconds until it is to be written; 0 now."""
        if not want.may_go():
            return self._renew_ns
        now = self._clock.monotonic_ns()
        if now - want.fresh_ns > self._expiry_ns:
            if not want.expired:
                want.expired = True
                self._on_expired(want.point, True)
            return self._renew_ns
        if want.failed_ns:
            return max(0, want.failed_ns + self._again_ns - now)
        if want.value != want.sent:
            throttled = self._throttle_ns if want.ticket is not None and want.sent_ns else 0
            return max(0, want.sent_ns + throttled - now)
        return max(0, want.sent_ns + self._renew_ns - now)

    async def _hold(self, want: _Want) -> None:
        value = want.value
        sent = await self._write(want.point, value, renewal=value == want.sent)
        if sent.error is None:  # the value first: a switch must not make an old one true
            sent = await self._enable() or sent
        now = self._clock.monotonic_ns()
        self._enabled_ns = self._enabled_ns if sent.error is None else 0
        if sent.error is None:
            want.sent, want.sent_ns, want.failed_ns = value, now, 0
        else:
            want.sent, want.failed_ns = math.nan, now

    async def _enable(self) -> Sent | None:
        """Make the device take setpoints, where that is due; how it failed, where it did."""
        now = self._clock.monotonic_ns()
        if not self._enabling or (self._enabled_ns and now - self._enabled_ns < ASSERT_S * SECOND_NS):
            return None
        for point, value in self._enabling:
            sent = await self._write(point, value, renewal=self._enabled_ns > 0)
            if sent.error is not None:
                return sent
        self._enabled_ns = now
        return None

    async def _write(self, point: Point, value: float, *, renewal: bool, tell: bool = True) -> Sent:
        began, at = self._clock.monotonic_ns(), self._clock.now_ns()
        held, error, answered = math.nan, None, True
        try:
            held = await self._field.write(point, value)
        except (GridroomError, ValueError) as failed:
            error, answered = _why(failed), not isinstance(failed, TransportError | ProtocolError)
        except Exception as failed:  # a fault of the driver stays with its device
            _log.exception("device %s: its driver failed at a write", self.device.id)
            error = Text.of(f"{type(failed).__name__}: {failed}")
        took_ms = (self._clock.monotonic_ns() - began) / 1e6
        sent = Sent(point, value, at, took_ms, held, error, renewal, answered)
        if tell:
            self._told(sent)
        return sent


def _why(error: Exception) -> Text:
    if isinstance(error, DeviceError | ReadOnlyError | GridroomError):
        return error.text
    return Text.of(str(error))


def _call(loop: asyncio.AbstractEventLoop, what: Callable[[], Any]) -> None:
    with suppress(RuntimeError):  # the loop has ended: nothing is sent any more
        loop.call_soon_threadsafe(what)
