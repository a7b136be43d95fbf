"""Control as people and pages ask for it, and the loop that runs it. Behind the gate, as every service."""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.control.controller import Controller, Outcome
from app.control.dispatcher import Dispatcher
from app.control.inflight import LOOKED_AT, Open, ended, unanswered
from app.control.judging import Judge
from app.control.kept import Change, Keeper
from app.control.ledger import Ledger, Writer
from app.control.loading import Bound
from app.control.notices import Alarm
from app.control.orders import Orders
from app.control.outlet import Field
from app.control.refused import ControlError, Unanswered
from app.control.replay import (
    FAR_NS,
    FAR_PIXELS,
    MOST_ROWS,
    NEAR_NS,
    PIXELS,
    names_of,
    value_at,
    view_of,
    wanted_rows,
)  # fmt: skip
from app.control.showing import state_of
from app.control.standing import Manual, Standing
from app.control.switching import Switcher, Switching
from app.control.telling import Publish, Telling
from app.model.access import Action, Actor, Changed, permit
from app.model.audit import AuditFilter, AuditRow
from app.model.clock import SECOND_NS, Clock
from app.model.config import DeviceKind, Priority
from app.model.control import ControlState, GridOrder, Mode, Quantity, ReplayView, Running
from app.model.errors import StorageError
from app.model.station import Point, Station
from app.model.text import Text
from app.model.views import Series

T = TypeVar("T")
LEAST_S: Final = 0.02
MOST_S: Final = 0.1
"""A cycle runs when an input has changed, at most this often and at least that often (design, part 7)."""
ARMED_S: Final = 30.0
_ANSWER_S: Final = 3.0
"""Beyond the device's own time of confirmation."""
READ_WITHIN_S: Final = 30.0
"""So long a restart waits for devices to tell what they hold of what was under way."""
STATION: Final = "*"
Journal = Callable[[AuditFilter, int, int | None], Future[list[AuditRow]]]
"""Reads the audit, the newest row first."""
Query = Callable[[Sequence[str], int, int, int], Future[list[Series]]]
"""Reads history: points, start, end, pixels."""
_STOPPED_TOO: Final = (DeviceKind.GENSET, DeviceKind.CHARGER)
_FAILED: Final = "control"

_log = logging.getLogger("gridroom.control")


def _device(_: Any, arguments: Mapping[str, Any]) -> Iterable[str]:
    """`*` is no device, and so in no area but the whole station."""
    return (str(arguments["device"]),)


def _devices(_: Any, arguments: Mapping[str, Any]) -> Iterable[str]:
    return tuple(map(str, arguments["values"])) or (STATION,)


class Control:
    """Of one running station. `start` and `stop` from another thread than the engine's."""

    def __init__(
        self,
        station: Station,
        strategies: Sequence[Bound],
        audit: Writer,
        file: Path,
        clock: Clock,
        *,
        field: Field,
        table: Callable[[], Any],
        ask: Callable[[Coroutine[Any, Any, Any]], Future[Any]],
        alarm: Alarm,
        journal: Journal,
        query: Query,
        accepting: Callable[[], Collection[str]],
        export: Callable[[Path, AuditFilter], Future[int]],
        publish: Publish,
    ) -> None:
        """`table` answers with the live table; `ask` runs a coroutine on the engine's loop; `file` keeps what people
        decided; `accepting` names the dispatch centres that may order."""
        self._clock, self._audit = clock, audit
        self._keeper = Keeper(file, clock, alarm, lambda: self._standing)
        self._field, self._table, self._ask, self._alarm, self._journal = field, table, ask, alarm, journal
        self._station, self._strategies = station, tuple(strategies)
        self._query, self._export = query, export
        self._standing = Standing()
        self._controller = Controller(station, strategies, self._standing)
        self._judge = Judge(lambda: self._controller)
        self._dispatcher = self._new_dispatcher()
        self._switching = Switching(station)
        self._switcher = Switcher(audit, alarm, execute=self._execute, keep=self._keeper.keep_by_itself)
        self._orders = Orders(
            lambda: self._controller, self._judge, audit, accepting,
            execute=self._execute, decide=self._decide, number=self._next,
        )  # fmt: skip
        self._publish = publish
        self._telling = Telling(self._controller.fleet, publish)
        self._watched = self._controller.watched()
        self._outcome: Outcome | None = None
        self._stir: asyncio.Event | None = None
        self._running: Future[Any] | None = None
        self._resolving: Future[Any] = Future()
        self._armed: dict[str, tuple[str, str, int]] = {}
        self._kept_trips: dict[str, Text] = {}
        self._failed = False
        self._begun: set[asyncio.Task[None]] = set()
        """Held, for the loop itself forgets tasks that nobody holds."""

    # ---------------------------------------------------------------------------------------------------------- life

    def start(self) -> None:
        """Begin, with what people had decided when the last run ended. What cannot be read commands nothing."""
        self._standing = self._keeper.begin()
        self._controller.standing = self._standing
        self._forget_strategies()
        self._kept_trips = dict(self._standing.trips)
        self._running = self._ask(self._run())
        self._resolving = self._ask(self._resolve(self._clock.now_ns()))

    def stop(self) -> None:
        """Send no more. Safe to call twice, and without a start."""
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            self._resolving.cancel()
            with suppress(Exception):
                self._ask(self._halt()).result(10.0)

    async def _resolve(self, started_ns: int) -> None:
        """Answer the rows that the last run left open, by what the devices hold now."""
        try:
            rows = await asyncio.wrap_future(self._journal(AuditFilter(what="control."), LOOKED_AT, None))
        except StorageError as error:
            _log.error("what was under way when the last run ended cannot be looked up: %s", error)
            return
        open_ = unanswered(rows, started_ns, self._controller.fleet)
        end = self._clock.monotonic_ns() + round(READ_WITHIN_S * SECOND_NS)
        origin = f"config {self._station.config_hash[:12]}"
        for one in open_:
            held = None
            while one.point is not None and self._clock.monotonic_ns() < end:
                read = self._controller.held(one.point)
                if not math.isnan(read):
                    held = read
                    break
                await asyncio.sleep(0.1)
            self._audit.write(ended(one, held, self._near(one), origin))

    def _near(self, one: Open) -> float:
        """How far what a device holds may be from what was asked."""
        device = self._station.by_id.get(one.point.device) if one.point is not None else None
        if one.point is None or device is None:
            return 0.0
        return max(abs(one.point.form.scale), device.control.confirm.tolerance_pct / 100.0 * abs(one.value))

    async def _halt(self) -> None:
        self._dispatcher.halt("the program ended")

    def prepare(self, station: Station, strategies: Sequence[Bound]) -> Controller:
        """What a changed configuration needs. Any thread."""
        return Controller(station, strategies, self._standing)

    def change(self, controller: Controller) -> None:
        """Go on with another configuration. On the engine's loop, between two batches."""
        self._dispatcher.halt("the configuration changed")
        controller.follow(self._controller)
        self._controller, self._station = controller, controller.station
        self._forget_strategies()
        before = self._dispatcher
        self._dispatcher, self._watched, self._outcome = self._new_dispatcher(), controller.watched(), None
        self._dispatcher.follow(before)
        self._telling, self._switching.station = Telling(controller.fleet, self._publish), controller.station
        if self._stir is not None:
            self._dispatcher.start()

    def _forget_strategies(self) -> None:
        """What was decided of strategies that are not there any more: another of that id begins as its file says."""
        there = {one.bound.id for one in self._controller.runners}
        for id_ in self._standing.running.keys() - there:
            del self._standing.running[id_]
            self._controller.is_to_be_kept = True

    def heard(self, points: NDArray[np.int32]) -> None:
        """These points have changed. On the engine's loop."""
        if self._stir is not None and self._watched[points].any():
            self._stir.set()

    async def _run(self) -> None:
        self._stir = asyncio.Event()
        self._dispatcher.start()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(MOST_S):  # `wait_for` of Python 3.11 may swallow a cancellation
                    await self._stir.wait()
            self._stir.clear()
            began = self._clock.monotonic_ns()
            try:
                self._cycle()
            except Exception:  # nothing is renewed any more: what was set expires
                self._fail()
            else:
                if self._failed:
                    self._failed = False
                    self._alarm(_FAILED, None, Priority.URGENT)
            await asyncio.sleep(max(0.0, LEAST_S - (self._clock.monotonic_ns() - began) / SECOND_NS))

    def _cycle(self) -> None:
        self._orders.forget()
        outcome = self._controller.cycle(
            self._table(), self._clock.now_ns(), self._clock.monotonic_ns(), self._dispatcher.pending
        )
        self._dispatcher.send(outcome)
        self._telling.tell(outcome.requested, outcome.allowed, self._dispatcher.sent, self._clock.now_ns())
        self._outcome = outcome
        if outcome.switches or self._switcher.failed:
            self._switch(outcome)
        if self._standing.trips != self._kept_trips or self._controller.is_to_be_kept or self._keeper.is_due():
            self._kept_trips, self._controller.is_to_be_kept = dict(self._standing.trips), False
            keeping = asyncio.get_running_loop().create_task(self._keeper.keep_by_itself(), name="control keeps")
            self._begun.add(keeping)
            keeping.add_done_callback(self._begun.discard)

    def _fail(self) -> None:
        """A cycle has failed: told once, until one succeeds."""
        if not self._failed:
            self._failed = True
            _log.exception("a cycle of control failed; what was set expires")
            what = Text(
                "control has failed; what was set expires; send the log", "控制出错，设定值将到期失效；请反馈日志"
            )
            self._alarm(_FAILED, what, Priority.URGENT)

    def _switch(self, outcome: Outcome) -> None:
        power = self._controller.powers([one.device for one in outcome.switches])
        self._switcher.settle(self._switching.open(outcome.switches, power, self._standing))
        due = self._switching.due(outcome.switches, power, self._standing, self._clock.monotonic_ns())
        self._switcher.begin(due, self._standing, f"config {self._station.config_hash[:12]}")

    def _new_dispatcher(self) -> Dispatcher:
        ledger = Ledger(self._audit, self._clock, self._station.config_hash)
        return Dispatcher(self._controller, self._field, ledger, self._clock, self._alarm)

    # ------------------------------------------------------------------------------------------------------- looking

    @permit(Action.VIEW)
    def state(self) -> ControlState:
        """Who acts on each channel, what each asked, what clipped it, what was sent and is held."""
        return state_of(self._controller, self._dispatcher, self._outcome)

    @permit(Action.VIEW)
    def ledger(
        self, text: str = "", meant: tuple[str, ...] = (), limit: int = 200, before_id: int | None = None
    ) -> Future[list[AuditRow]]:
        """Rows of the audit that are about control, the newest first; `meant` as that of AuditFilter."""
        return self._journal(AuditFilter(text=text, meant=meant, what="control."), limit, before_id)

    @permit(Action.VIEW)
    def replay(self, at_ns: int) -> Future[ReplayView]:
        """How it stood at any moment of the past, as history and ledger keep it. Fails with StorageError."""
        return self._ask(self._replay(at_ns))

    @permit(Action.EXPORT, changes=True)
    def export_ledger(self, path: Path, text: str = "", meant: tuple[str, ...] = ()) -> Future[int]:
        """What `ledger` would show, all of it, into a .csv or .xlsx file; the number of rows."""
        return self._export(path, AuditFilter(text=text, meant=meant, what="control."))

    # ------------------------------------------------------------------------------------------------------- setting

    @permit(Action.COMMAND, where=_device, changes=True)
    def request(self, device: str, quantity: Quantity, value: float, reason: str = "", *, who: Actor) -> Future[Any]:
        """Set a device in manual. The answer comes when the device holds it, or says why it does not.

        Fails with ControlError. Answers with the value that was allowed. Called off, it is led back to where it was.
        """
        return self._ask(self._request(device, Quantity(quantity), float(value), who, reason))

    @permit(Action.COMMAND, where=_devices, changes=True)
    def request_many(
        self, values: Mapping[str, float], quantity: Quantity, reason: str = "", *, who: Actor
    ) -> Future[Any]:
        """Set several devices in manual at one moment, or none: device -> value. Answers with what was allowed of each.

        Fails with ControlError; what then was set stays set. Called off, each is led back to where it was.
        """
        given = {str(device): float(value) for device, value in values.items()}
        return self._ask(self._request_many(given, Quantity(quantity), who, reason))

    @permit(Action.COMMAND, where=_device)
    def arm(self, device: str, role: str) -> str:
        """The first of two steps of a command (start, stop, reset, open, close): a word that is good for 30 s."""
        self._judge.commanded(device, role)
        word = secrets.token_hex(8)
        until = self._clock.monotonic_ns() + round(ARMED_S * SECOND_NS)
        self._armed = {key: one for key, one in self._armed.items() if one[2] > self._clock.monotonic_ns()}
        self._armed[word] = (device, role, until)
        return word

    @permit(Action.COMMAND, where=_device, changes=True, hide=("armed",))
    def command(self, device: str, role: str, armed: str, reason: str = "") -> Future[Any]:
        """The second step: it is sent. Fails with ControlError where it was not armed, is locked, or is refused."""
        return self._ask(self._command(device, role, armed))

    @permit(Action.COMMAND, where=_device, changes=True)
    def set_mode(self, device: str, mode: Mode, reason: str = "") -> Future[Any]:
        """Auto, manual or off, of a device or of the station (`*`). Manual begins where the device is."""
        return self._ask(self._set_mode(device, Mode(mode)))

    @permit(Action.COMMAND, where=_device, changes=True)
    def tag(self, device: str, reason: str) -> Future[Any]:
        """Hang a tag (挂牌): nothing is sent to the device until it is taken away."""
        return self._ask(self._tag(device, reason))

    @permit(Action.COMMAND, where=_device, changes=True)
    def untag(self, device: str, reason: str = "") -> Future[Any]:
        """Take the tag away."""
        return self._ask(self._tag(device, None))

    @permit(Action.COMMAND, where=_device, changes=True)
    def reset_trip(self, device: str, reason: str = "") -> Future[Any]:
        """What has tripped may be used again."""
        return self._ask(self._reset(device))

    @permit(Action.COMMAND, changes=True, urgent=True)
    def stop_all(self, reason: str = "") -> Future[Any]:
        """The emergency stop: everything to nothing, at once, before any row is written. It stays until released."""
        return self._ask(self._stop_all(stopped=True))

    @permit(Action.COMMAND, changes=True)
    def release_stop(self, reason: str = "") -> Future[Any]:
        """The emergency stop is over."""
        return self._ask(self._stop_all(stopped=False))

    @permit(Action.STRATEGIES, changes=True)
    def run_strategy(self, strategy: str, running: Running, reason: str = "") -> Future[Any]:
        """Live, in shadow or off, until another is said or the file is changed."""
        return self._ask(self._run_strategy(strategy, Running(running)))

    def order(self, order: GridOrder) -> Future[Text | None]:
        """A dispatch centre orders: None where it is taken, else why it is not. Not for people: it asks no gate, for
        `northbound.yaml` says who may."""
        return self._ask(self._orders.take(order))

    # -------------------------------------------------------------------------------------------- on the engine's loop

    async def _replay(self, at_ns: int) -> ReplayView:
        fleet, meter = self._controller.fleet, self._controller.meter_name
        names = names_of(fleet, meter)
        rows = await asyncio.wrap_future(self._journal(wanted_rows(at_ns), MOST_ROWS, None))
        values: dict[str, float] = {}
        for span_ns, pixels in ((NEAR_NS, PIXELS), (FAR_NS, FAR_PIXELS)):
            missing = [name for name in names if name not in values]
            if missing:
                found = await asyncio.wrap_future(self._query(missing, at_ns - span_ns, at_ns + 1, pixels))
                values |= {one.point: value_at(one, at_ns) for one in found if len(one.time)}
        columns = [values.get(name, math.nan) for name in names]
        return await asyncio.to_thread(view_of, fleet, columns, rows, at_ns, meter=meter is not None)

    async def _request(self, device: str, quantity: Quantity, value: float, who: Actor, reason: str) -> Changed[float]:
        name = self._controller.fleet.channels[self._judge.channel(device, quantity)].point.name
        before = self._standing.manual.get(name)
        answer = await self._request_many({device: value}, quantity, who, reason)
        allowed = answer.answer[device]
        return Changed(
            allowed, before=None if before is None else before.value, after={"asked": value, "allowed": allowed}
        )

    async def _request_many(
        self, values: Mapping[str, float], quantity: Quantity, who: Actor, reason: str
    ) -> Changed[dict[str, float]]:
        """All are judged before one is set; called off, each is what it was before."""
        at = {device: self._judge.setpoint(device, quantity, value) for device, value in values.items()}
        points = {device: self._controller.fleet.channels[i].point for device, i in at.items()}
        before: dict[str, Manual] = {}
        given: dict[str, Manual] = {}
        number = self._next()
        for k, (device, i) in enumerate(at.items()):
            name, last = points[device].name, float(self._controller.last[i])
            was = self._standing.manual.get(name)
            if was is not None or math.isfinite(last):
                before[name] = was or Manual(last, who.name, "as it was", number + len(at) + k)
            given[name] = Manual(values[device], who.name, reason, number + k)
        await self._keeper.keep_first("", lambda standing: standing.manual.update(given))
        self._cycle()
        try:
            held = await asyncio.gather(*map(self._held, points.values()), return_exceptions=True)
        except asyncio.CancelledError:
            self._take_back(points.values(), before)
            self._cycle()
            await asyncio.shield(self._keeper.keep())
            raise
        allowed: dict[str, float] = {}
        for device, one in zip(at, held, strict=True):
            if isinstance(one, BaseException):
                raise one
            allowed[device] = one
        was_kw = {name: one.value for name, one in before.items()}
        return Changed(allowed, before=was_kw, after={"asked": dict(values), "allowed": allowed})

    def _take_back(self, points: Iterable[Point], before: Mapping[str, Manual]) -> None:
        for point in points:
            self._standing.manual.pop(point.name, None)
        self._standing.manual.update(before)

    def _next(self) -> int:
        """Another number than any that stands: the same value set again is another row of the ledger."""
        given = (*self._standing.manual.values(), *self._standing.orders.values())
        return 1 + max((one.id for one in given), default=0)

    async def _held(self, point: Point) -> float:
        """Wait until what is allowed was taken. Raises ControlError where it is not in time."""
        within_s = self._station.by_id[point.device].control.confirm.within
        end = self._clock.monotonic_ns() + round((within_s + _ANSWER_S) * SECOND_NS)
        while self._clock.monotonic_ns() < end:
            i, outcome = self._controller.fleet.position.get(point.name), self._outcome
            if i is None:  # the configuration has changed meanwhile
                break
            allowed = float(outcome.allowed[i]) if outcome is not None else math.nan
            if outcome is not None and math.isnan(allowed) and not outcome.blocked[i]:
                fleet = self._controller.fleet
                if fleet.is_cap[i] and outcome.requested[i] >= fleet.safe[i]:
                    return float(outcome.requested[i])  # a limit that limits nothing is not written
            sent, _ = self._dispatcher.outlet(point.device).sent(point)
            if not math.isnan(allowed) and sent == allowed:
                return allowed
            await asyncio.sleep(0.005)
        if (i := self._controller.fleet.position.get(point.name)) is not None:
            self._judge.refuse_blocked(point.device, i)
        raise ControlError(Text(f"{point.name} did not take it in time; what it holds is not known",
                                f"{point.name} 未在规定时间内接受，实际保持值未知"))  # fmt: skip

    async def _command(self, device: str, role: str, armed: str) -> Changed[float]:
        found = self._armed.pop(armed, None)
        if found is None or found[:2] != (device, role) or found[2] < self._clock.monotonic_ns():
            raise ControlError(Text("it is not armed, or no longer; arm it again", "未预置或已超时；请重新预置"))
        return await self._execute(device, role)

    async def _execute(self, device: str, role: str) -> Changed[float]:
        point = self._judge.commanded(device, role)
        self._refuse_command(device, role)
        states = point.form.states
        value = float(next(iter(states))) if states and len(states) == 1 else 1.0
        refuse = partial(self._refuse_command, device, role)
        sent = await self._dispatcher.outlet(device).command(point, value, refuse)
        if sent.error is not None:
            raise ControlError(sent.error) if sent.answered else Unanswered(sent.error)
        return Changed(value, after={"sent": value, "held": None if math.isnan(sent.held) else sent.held})

    def _refuse_command(self, device: str, role: str) -> None:
        """Raises ControlError where it may not be sent now: asked again before each retry."""
        self._judge.refuse_blocked(device, None)
        if self._standing.stopped and role in ("start", "close"):
            raise ControlError(Text("the emergency stop is in; release it first", "急停有效；请先解除"))
        if role != "stop" and not self._controller.interlocks_hold(device):
            raise ControlError(Text(f"{device} is interlocked; see its interlocks", f"{device} 被闭锁；请查看闭锁条件"))

    def _refuse_stop(self, device: str) -> None:
        """Raises ControlError where the emergency stop has been released, or somebody works there."""
        if not self._standing.stopped or device in self._standing.tags:
            raise ControlError(Text("the emergency stop does not hold there any more", "急停在该设备已不再有效"))

    async def _set_mode(self, device: str, mode: Mode) -> Changed[None]:
        if device not in {STATION, *self._controller.fleet.by_device, *self._controller.switched}:
            raise ControlError(Text(f"{device} cannot be commanded", f"{device} 不可控"))
        before = self._standing.mode if device == STATION else self._standing.modes.get(device, Mode.AUTO)
        channels = self._controller.fleet.channels
        points = [one.point for one in channels if device in (STATION, one.device.id)]

        def change(standing: Standing) -> None:
            if device == STATION:
                standing.mode = mode
            elif mode is Mode.AUTO:
                standing.modes.pop(device, None)
            else:
                standing.modes[device] = mode
            for point in points:  # what was allowed last is where manual begins
                standing.manual.pop(point.name, None)
                standing.orders.pop(point.name, None)  # a person takes it over, and gives it back without them

        await self._decide(f"mode {device}", change, tightens=mode is Mode.OFF)
        if device == STATION:
            self._keeper.looked_at()
        return Changed(None, before=before.value, after=mode.value)

    async def _decide(self, key: str, change: Change, *, tightens: bool) -> None:
        """What tightens is done at once, and holds while the program runs also where it cannot be kept. Raises
        StorageError."""
        if tightens:
            self._keeper.decided(key)
            change(self._standing)
            self._cycle()
            await self._keeper.keep()
        else:
            await self._keeper.keep_first(key, change)
            self._cycle()

    async def _tag(self, device: str, reason: str | None) -> Changed[None]:
        if device not in self._station.by_id:
            raise ControlError(Text(f"there is no device '{device}'", f"没有设备“{device}”"))
        if reason is not None and not reason.strip():
            raise ControlError(Text("a tag needs its reason", "挂牌须注明原因"))
        before = self._standing.tags.get(device)

        def change(standing: Standing) -> None:
            standing.tags.pop(device, None)
            if reason is not None:
                standing.tags[device] = reason.strip()

        await self._decide(f"tag {device}", change, tightens=reason is not None)
        return Changed(None, before=before, after=reason)

    async def _reset(self, device: str) -> Changed[None]:
        before = self._standing.trips.get(device)
        if before is None:
            raise ControlError(Text(f"{device} has not tripped", f"{device} 未跳闸"))
        await self._keeper.keep_first(f"trip {device}", lambda standing: standing.trips.pop(device, None))
        self._controller.stuck_soc.forget(device)
        self._cycle()
        return Changed(None, before=before.en, after=None)

    async def _stop_all(self, *, stopped: bool) -> Changed[None]:
        before = self._standing.stopped
        if not stopped:
            await self._decide("stop", lambda standing: setattr(standing, "stopped", False), tightens=False)
            return Changed(None, before=before, after=False)
        self._keeper.decided("stop")
        self._standing.stopped = True
        self._cycle()  # first of all
        for id_ in (*self._controller.fleet.by_device, *self._stopped_too()):
            point = self._station.by_id[id_].role("stop")
            if point is not None and id_ not in self._standing.tags and not self._station.read_only:
                states = point.form.states
                value = float(next(iter(states))) if states else 1.0
                self._dispatcher.outlet(id_).command(point, value, partial(self._refuse_stop, id_))
        await self._keeper.keep()
        return Changed(None, before=before, after=True)

    def _stopped_too(self) -> list[str]:
        """What gives or takes power and has no setpoint. No battery: its contactors must not open under load."""
        by_id = self._station.by_id
        return [id_ for id_ in self._controller.commanded if by_id[id_].kind in _STOPPED_TOO]

    async def _run_strategy(self, strategy: str, running: Running) -> Changed[None]:
        bound = next((one.bound for one in self._controller.runners if one.bound.id == strategy), None)
        if bound is None:
            raise ControlError(Text(f"there is no strategy '{strategy}'", f"没有策略“{strategy}”"))
        before = self._controller.running(bound)
        await self._decide(
            f"runs {strategy}", lambda standing: standing.running.update({strategy: running}),
            tightens=running is not Running.LIVE,
        )  # fmt: skip
        return Changed(None, before=before.value, after=running.value)
