"""The engine: devices in, one joined batch out to every sink, twenty times a second. Runs on one asyncio loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.engine.cleaning import Cleaning, Now
from app.engine.computed import Computed
from app.engine.expression import Expression
from app.engine.faults import Faults
from app.engine.lateness import Lateness
from app.engine.ranges import in_range
from app.engine.supervision import Supervisor
from app.engine.table import LiveTable
from app.model import quality as q
from app.model.clock import SECOND_NS, Clock
from app.model.station import Device, Point, Station
from app.model.succession import Succession
from app.model.text import Text
from app.model.updates import Updates
from app.model.views import DeviceStatus
from drivers.absent import AbsentLink
from drivers.contract import Link
from drivers.registry import driver

log = logging.getLogger("gridroom.engine")

TICK_S: Final = 0.05
OWN_POINTS_EVERY_S: Final = 5.0
CLOCK_JUMP_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything of a changed configuration that can be made before the running one is touched."""

    succession: Succession
    table: LiveTable
    cleaning: Cleaning
    computed: Computed
    remembering: tuple[int, ...]
    """Rows of points whose value begins where it stood: totals, and counters that never fall."""
    supervisors: Mapping[str, Supervisor]
    """Of the devices that begin, by id."""


class Sink(Protocol):
    """Who takes what changed: history, alarms, events. On the loop; must not block it."""

    def take(self, updates: Updates) -> None:
        """A batch of everything since the last one, in order of arrival."""


class Engine:
    """Acquisition of one station. Build, `run` until cancelled."""

    def __init__(
        self,
        station: Station,
        expressions: Mapping[int, Expression],
        clock: Clock,
        *,
        sinks: Sequence[Sink],
        on_tick: Callable[[], None] = lambda: None,
        on_clock_jump: Callable[[float], None] = lambda seconds: None,
        on_values: Callable[[NDArray[np.int32]], None] = lambda points: None,
    ) -> None:
        """`on_values` is told at once, on the loop, which points have new values."""
        self.table = LiveTable(station)
        self.lateness = Lateness()
        self.cleaning = Cleaning(station, self.table)
        self.computed = Computed(station, expressions)
        self._station = station
        self._clock = clock
        self._sinks = sinks
        self._on_tick = on_tick
        self._on_clock_jump = on_clock_jump
        self._on_values = on_values
        self._pending: list[Updates] = []
        self._changed = np.zeros(len(station.points), np.bool_)
        self._faults = Faults(clock)
        self._received = 0
        self._rate = 0.0
        self._rate_since = (clock.monotonic_ns(), 0)
        self._wall_ahead_ns = clock.now_ns() - clock.monotonic_ns()
        self._supervisors = list(self._supervise(station, [one for one in station.devices if one.driver]).values())
        self._tasks: dict[str, asyncio.Task[None]] = {}
        """By device id."""
        self._fault: BaseException | None = None

    @property
    def points_per_s(self) -> float:
        """Rows from the field in the last second or so."""
        return self._rate

    @property
    def points_total(self) -> int:
        """Rows from the field since the start."""
        return self._received

    def reset_figures(self) -> None:
        """Begin counting lateness and late scans anew."""
        self.lateness.reset()
        for supervisor in self._supervisors:
            supervisor.reset_figures()

    def devices(self) -> list[DeviceStatus]:
        """Every connection, in the station's order. Any thread."""
        return [supervisor.status() for supervisor in self._supervisors]

    async def read_once(self, point: Point) -> Updates:
        """Read one point now, one row. Raises DeviceError, or ValueError for a point that cannot be read."""
        for supervisor in self._supervisors:
            if supervisor.device.id == point.device:
                return await supervisor.read_once(point)
        raise ValueError(f"{point.name} is computed; it is not read from the field")

    async def write(self, point: Point, value: float) -> float:
        """Write one value to the field: the dispatcher's way, and nobody else's. Raises as `Supervisor.write`."""
        for supervisor in self._supervisors:
            if supervisor.device.id == point.device:
                return await supervisor.write(point, value)
        raise ValueError(f"{point.name} is computed; it is not in the field")

    async def run(self) -> None:
        """Acquire until cancelled; then close every line, and hand the sinks what was pending."""
        self._begin(self._supervisors)
        try:
            await self._tick()
        except Exception:  # a fault of ours: from here on nothing is known any more
            for device in self._station.devices:
                self._lose([point.index for point in device.points if point.polled])
            raise
        finally:
            await self._end(self._supervisors)
            self._hand_over()

    # ------------------------------------------------------------------------------------- a changed configuration

    def prepare(self, station: Station, expressions: Mapping[int, Expression]) -> Prepared:
        """Make what another configuration of this station needs. The running one goes on. Any thread but the loop's."""
        succession = Succession(self._station, station, _line)
        table, computed = LiveTable(station), Computed(station, expressions)
        remembering = [i for i, point in enumerate(station.points) if i in expressions or point.form.clean]
        begin = [device for device in station.devices if device.id in succession.beginning]
        _ = succession.to_old, succession.stopping, station.by_id  # looked up here, and not while the loop waits
        return Prepared(
            succession, table, Cleaning(station, table), computed, tuple(remembering), self._supervise(station, begin)
        )  # fmt: skip

    async def change(self, prepared: Prepared, swap: Callable[[], None]) -> None:
        """Go on with what was prepared. Only the lines that it touches are closed and opened.

        `swap` is called when the sinks have had the last batch of the old rows and before the first of the new ones.
        """
        succession = prepared.succession
        await self._end([one for one in self._supervisors if one.device.id in succession.stopping])
        self._hand_over()
        self._take_over(prepared)
        swap()
        self._begin(list(prepared.supervisors.values()))

    def _take_over(self, prepared: Prepared) -> None:
        succession, table = prepared.succession, prepared.table
        station = succession.after
        table.follow(self.table, succession.to_old)
        begun = [point.index for id_ in succession.beginning for point in station.by_id[id_].points]
        table.quality[begun] |= np.uint16(q.NT)  # what they held was read where they no longer are
        now = self._clock.now_ns()
        last = {
            row: (float(table.value[row]), int(table.quality[row]), int(table.time[row]))
            for row in prepared.remembering if table.time[row]
        }  # fmt: skip
        prepared.computed.restore(last, now)
        prepared.cleaning.restore(last)
        kept = {one.device.id: one for one in self._supervisors if one.device.id in succession.going_on}
        for id_, supervisor in kept.items():
            supervisor.move(succession.going_on[id_])
        every = {**kept, **prepared.supervisors}
        self._supervisors = [every[device.id] for device in station.devices if device.id in every]
        self._station, self.table = station, table
        self.cleaning, self.computed = prepared.cleaning, prepared.computed
        self._changed = np.ones(len(station.points), np.bool_)
        told = table.time != 0
        told[begun] = False
        known = np.flatnonzero(told)
        if len(known):  # whoever begins anew with the new rows begins with what is true
            self._pending.append(
                Updates.of(known, table.value[known], table.quality[known], table.time[known], now)
            )  # fmt: skip

    def _begin(self, supervisors: Sequence[Supervisor]) -> None:
        for supervisor in supervisors:
            task = asyncio.get_running_loop().create_task(supervisor.run(), name=f"device {supervisor.device.id}")
            task.add_done_callback(self._ended)
            self._tasks[supervisor.device.id] = task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A supervisor lets no error out; one that did is a fault of ours, and acquisition ends loudly with it."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fault = error

    async def _end(self, supervisors: Sequence[Supervisor]) -> None:
        """End them, and close their lines, each once."""
        tasks = [self._tasks.pop(one.device.id) for one in supervisors]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for link in {one.link for one in supervisors}:
            try:
                await link.close()
            except Exception:  # the other lines are closed all the same
                self._faults.say(f"{type(link).__name__} could not close its line")

    # ------------------------------------------------------------------------------------------------ opening lines

    def _supervise(self, station: Station, devices: Sequence[Device]) -> dict[str, Supervisor]:
        """Device id -> its supervisor, of these devices, which are whole lines."""
        links = self._open(station, devices)
        # By the golden ratio, any number of devices is evenly spread over the period, and they do not ask all at once.
        phases = {one.id: n * 0.618034 % 1 for n, one in enumerate(station.devices)}
        made: dict[str, Supervisor] = {}
        for device in devices:
            try:
                made[device.id] = self._supervisor(device, links[device.id], phases[device.id])
            except Exception as error:  # its driver could not plan
                made[device.id] = self._supervisor(device, _stand_in([device], error), phases[device.id])
        return made

    def _open(self, station: Station, devices: Sequence[Device]) -> dict[str, Link]:
        """Device id -> its link, of which there is one a line."""
        lines: dict[tuple[str, str], list[Device]] = {}
        for device in devices:
            if device.driver is not None:
                lines.setdefault((device.driver, _line(device)), []).append(device)
        links: dict[str, Link] = {}
        for (name, _), together in lines.items():
            link: Link
            try:
                link = driver(name).open(together, self._clock, read_only=station.read_only)
            except Exception as error:  # a fault in one driver stays with its devices
                link = _stand_in(together, error)
            links |= {device.id: link for device in together}
        return links

    def _supervisor(self, device: Device, link: Link, phase: float) -> Supervisor:
        return Supervisor(
            device,
            link,
            self._clock,
            publish=self._from_field,
            lose=self._lose,
            lateness=self.lateness,
            phase=phase,
        )

    def _from_field(self, updates: Updates) -> None:
        """Clean, then judge the range: what is true is judged, not what a filter took away."""
        self._received += len(updates)
        self._take(self.cleaning.clean(updates, self._now()))

    def _take(self, cleaned: Updates) -> None:
        if len(cleaned):
            self.publish(in_range(cleaned, self._station.columns))

    def _now(self) -> Now:
        return Now(self._clock.now_ns(), self._clock.monotonic_ns())

    def publish(self, updates: Updates) -> None:
        """Into the table at once, to computed points and sinks with the next tick."""
        self.table.apply(updates)
        self._changed[updates.point] = True
        self._pending.append(updates)
        self._on_values(updates.point)

    def _lose(self, points: Sequence[int]) -> None:
        """The last values of what is lost stay visible, and visibly old, unless a filter puts others in their place."""
        rows = np.array(points, np.int32)
        now = self._now()
        quality = self.table.quality[rows] | np.uint16(q.NT)
        lost = self.cleaning.lose(Updates.of(rows, self.table.value[rows], quality, now.wall_ns, now.wall_ns), now)
        known = (self.table.time[lost.point] != 0) | ((lost.quality & q.NT) == 0)
        if known.any():
            self.publish(lost.take(known))
        if not known.all():  # nothing becomes true in the table, but whoever watches for a lost device hears of it
            self._pending.append(lost.take(~known))

    async def _tick(self) -> None:
        own_due = 0
        while True:
            await asyncio.sleep(TICK_S)
            if self._fault is not None:
                raise self._fault
            monotonic = self._clock.monotonic_ns()
            if monotonic >= own_due:
                own_due = monotonic + round(OWN_POINTS_EVERY_S * SECOND_NS)
                self._publish_own()
            self._watch_clock()
            for said in self.cleaning.tick(self._now()):
                self._take(said)
            self._hand_over()
            try:
                self._on_tick()
            except Exception:  # the alarms' fault must not end acquisition
                self._faults.say("the alarms could not keep their time")
            since, count = self._rate_since
            if monotonic - since >= SECOND_NS:
                self._rate = (self._received - count) * SECOND_NS / (monotonic - since)
                self._rate_since = (monotonic, self._received)

    def _publish_own(self) -> None:
        """What is known of every connection, as one batch: a thousand small ones would hold the loop 30 ms."""
        rows = [row for supervisor in self._supervisors for row in supervisor.own()]
        if rows:
            point, value, quality = zip(*rows, strict=True)
            now = self._clock.now_ns()
            self.publish(Updates.of(point, value, quality, now, now))

    def _hand_over(self) -> None:
        """Compute, then give everything that changed to every sink as one batch."""
        now, monotonic = self._clock.now_ns(), self._clock.monotonic_ns()
        pending, self._pending = self._pending, []
        pending += self.computed.run(self._changed, self.table, now, monotonic)
        self._changed[:] = False
        if pending:
            batch = Updates.join(pending)
            for sink in self._sinks:
                try:
                    sink.take(batch)
                except Exception:  # one sink's fault must not take values from the others
                    self._faults.say(f"{type(sink).__name__} could not take a batch of updates")

    def _watch_clock(self) -> None:
        ahead = self._clock.now_ns() - self._clock.monotonic_ns()
        jump_s = (ahead - self._wall_ahead_ns) / SECOND_NS
        self._wall_ahead_ns = ahead
        if abs(jump_s) >= CLOCK_JUMP_S:
            log.warning("the clock was set by %+.1f s; records go on with the new time", jump_s)
            self._on_clock_jump(jump_s)


def _line(device: Device) -> str:
    """The line that a device hangs on."""
    try:
        return driver(device.driver or "").line(device)
    except Exception:  # it is told when the line cannot be opened
        return f"of {device.id} alone"


def _stand_in(devices: Sequence[Device], error: Exception) -> AbsentLink:
    """A link that never connects, in the place of one that could not be made."""
    names = ", ".join(device.id for device in devices)
    log.error("the driver '%s' of %s failed; they stay lost", devices[0].driver, names, exc_info=error)
    word, why = devices[0].driver, f"{type(error).__name__}: {error}"
    text = Text(
        f"the driver '{word}' failed ({why}); tell who wrote it, and see the log",
        f"驱动 {word} 出错（{why}）；请告知其作者，并查看日志",
    )
    return AbsentLink(text)
