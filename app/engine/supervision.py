"""Each device supervised by itself: connect, poll, time out, back off, recover."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Final

from app.engine.lateness import Lateness
from app.engine.schedule import ScanGroup, group_by_scan
from app.model import quality as q
from app.model.clock import SECOND_NS, Clock
from app.model.errors import DeviceError, RefusedByDevice
from app.model.own_points import ERRORS, LATE_SCANS, ONLINE, RTT_MS
from app.model.station import Device, Point
from app.model.text import Text
from app.model.updates import Updates
from app.model.views import DeviceStatus, LinkState
from drivers.contract import Link, Plan, Pollable, Reporting, Writable

log = logging.getLogger("gridroom.engine")

FAILURES_UNTIL_LOST: Final = 2
"""Reads in a row without an answer after which a device, or a part of it, is lost: one may be noise."""
SHORTEST_BACK_OFF_S: Final = 1.0
LONGEST_BACK_OFF_S: Final = 30.0
"""A device that stays for less than this goes on where its back-off was: it comes and goes."""
JITTER: Final = 0.2
MOST_NAMED: Final = 8
"""Points named in one line of the log."""
MOST_REASONS: Final = 3
"""Reasons told of one point a connection: one that quotes what the device sent may be another at every read."""

Publish = Callable[[Updates], None]


class Supervisor:
    """One device's life. Publishes what it reads and what it knows of the connection; never lets an error out."""

    def __init__(
        self,
        device: Device,
        link: Link,
        clock: Clock,
        *,
        publish: Publish,
        lose: Callable[[Sequence[int]], None],
        lateness: Lateness,
        phase: float,
    ) -> None:
        self.device = device
        self.link = link
        self._clock = clock
        self._publish_rows = publish
        self._lose_points = lose
        self._shift = 0
        """By how many rows its points have moved in the table since it was made, by a change of the configuration."""
        self._lateness = lateness
        self._phase = phase
        self._random = random.Random(device.id)
        self._groups = (
            [ScanGroup(period, points, link, link.plan(device, points)) for period, points in group_by_scan(device)]
            if isinstance(link, Pollable)
            else []
        )
        self._single: dict[int, Plan] = {}
        """Plans of points that a person read by themselves, by index: a link keeps each plan that it makes."""
        self._state = LinkState.STARTING
        self._since = clock.now_ns()
        self._online_ns = 0
        """Monotonic, since when this attempt has the device; 0 while it does not."""
        self._rtt_ms = float("nan")
        self._errors = 0
        self._late_scans = 0
        self._last_error: Text | None = None
        self._next_try = 0
        self._texts: Mapping[str, str] = {}
        self._remarked: Mapping[str, Text] = {}
        """Full point name -> why it has no value, as it was seen last."""
        self._said: dict[str, list[Text]] = {}
        """Full point name -> what was said of it since the device came last."""
        self._refused: frozenset[str] = frozenset()
        """Full names of the points that it refuses, as they were seen last."""
        self._field = [point for point in device.points if not point.own and point.form.address is not None]
        self._own = {id_: _own_index(device, id_) for id_ in (ONLINE, RTT_MS, ERRORS, LATE_SCANS)}

    def move(self, rows: int) -> None:
        """Its points stand so many rows further on in the table from now on; the device is not told."""
        self._shift += rows

    def _publish(self, updates: Updates) -> None:
        self._publish_rows(updates.moved(self._shift) if self._shift else updates)

    def _lose(self, points: Sequence[Point]) -> None:
        self._lose_points([point.index + self._shift for point in points])

    def status(self) -> DeviceStatus:
        """How the connection is. Any thread."""
        remarks, texts = self._told()
        return DeviceStatus(
            self.device.id, self._state, self._since, self._rtt_ms, self._errors, self._late_scans, self._last_error,
            self._next_try, remarks, texts,
        )  # fmt: skip

    def _told(self) -> tuple[dict[str, Text], dict[str, str]]:
        """Remarks and texts, as the link has them by now."""
        try:
            return dict(self.link.remarks(self.device)), {**self._texts, **self.link.texts(self.device)}
        except Exception as error:  # a fault in one driver must not hide all connections
            what = f"{type(error).__name__}: {error}"
            text = Text(f"its driver cannot tell what it knows: {what}", f"其驱动无法说明设备状况：{what}")
            return {self.device.id: text}, dict(self._texts)

    async def read_once(self, point: Point) -> Updates:
        """Read one point now, beside all schedules; what comes is published as any other value.

        Raises DeviceError, or ValueError for a point that cannot be read.
        """
        if not isinstance(self.link, Pollable):
            raise ValueError(f"{point.name} cannot be asked for: its device sends by itself")
        if not point.polled:
            raise ValueError(f"{point.name} is no point that is read from the field")
        point = self.device.point(point.id) or point  # as its link knows it: its row may have moved since
        plan = self._single.get(point.index) or self.link.plan(self.device, [point])
        self._single[point.index] = plan
        await self.link.connect()
        updates = await self.link.read(plan)
        self._publish(updates)
        return updates.moved(self._shift)

    async def write(self, point: Point, value: float) -> float:
        """Write one value ahead of all polls; what the device then holds, NaN where it cannot be asked.

        Raises DeviceError, ReadOnlyError, or ValueError where the value does not fit or the device only tells.
        """
        if not isinstance(self.link, Writable):
            raise ValueError(f"{point.name} cannot be written: its driver only reads")
        await self.link.connect()
        return await self.link.write(self.device.point(point.id) or point, value)

    def reset_figures(self) -> None:
        """Count late scans anew."""
        self._late_scans = 0

    async def run(self) -> None:
        """Until cancelled."""
        attempt = 0
        try:
            while True:
                self._online_ns = 0
                try:
                    await self.link.connect()
                    await self._attend()
                except DeviceError as error:
                    self._lost(error)
                except Exception as error:  # a fault in one driver stays with its devices
                    if _text(error) != self._last_error:  # it may fail alike for months
                        log.exception("device %s: the driver failed; it is tried again", self.device.id)
                    self._lost(error)
                if self._online_ns and self._clock.monotonic_ns() - self._online_ns > LONGEST_BACK_OFF_S * SECOND_NS:
                    attempt = 0
                delay_s = min(SHORTEST_BACK_OFF_S * 2**attempt, LONGEST_BACK_OFF_S)
                delay_s *= 1 + JITTER * (2 * self._random.random() - 1)
                attempt = min(attempt + 1, 16)
                self._next_try = self._clock.now_ns() + round(delay_s * SECOND_NS)
                await asyncio.sleep(delay_s)
        finally:
            self._state, self._since = LinkState.STOPPED, self._clock.now_ns()

    async def _attend(self) -> None:
        """Poll the device, take what it reports, or both, until one of them fails."""
        if not isinstance(self.link, Reporting):
            await self._poll()
            return
        report: Coroutine[None, None, None] = self.link.report(self.device, self._publish, self._online)
        if not self._groups:
            await report
            return
        work: list[Coroutine[None, None, None]] = [report, self._poll()]
        tasks = [asyncio.create_task(one, name=f"device {self.device.id}") for one in work]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _online(self) -> None:
        """The device is there."""
        self._online_ns = self._online_ns or self._clock.monotonic_ns()
        if self._state is not LinkState.ONLINE:
            if self._state is LinkState.LOST:
                log.info("device %s is back", self.device.id)
                self._said = {}
            self._state, self._since, self._next_try = LinkState.ONLINE, self._clock.now_ns(), 0
            self._publish_online(1.0)

    async def _poll(self) -> None:
        """Everything once, then each group by its schedule.

        The device is there once a group is answered that it does not refuse whole: one that answers nothing but
        refusals is as good as lost.
        """
        for group in self._groups:
            await (self._try(group) if self._online_ns else self._read(group))
            if not self._refuses(group.points):
                self._online()
        self._must_give()
        self._online()
        await self._read_texts()
        now = self._clock.monotonic_ns()
        for group in self._groups:
            group.begin(now, self._phase)
        while self._groups:
            group = min(self._groups, key=lambda g: g.due_ns)
            ahead_s = (group.due_ns - self._clock.monotonic_ns()) / SECOND_NS
            if ahead_s > 0:
                await asyncio.sleep(ahead_s)
            self._lateness.add((self._clock.monotonic_ns() - group.due_ns) / SECOND_NS)
            await self._try(group)
            self._must_give()
            self._late_scans += group.done(self._clock.monotonic_ns())
        await asyncio.Event().wait()  # nothing to poll: connected is all there is to know

    def _refuses(self, points: Sequence[Point]) -> bool:
        return all(point.name in self._refused for point in points)

    def _must_give(self) -> None:
        """Raises RefusedByDevice where it refuses everything that it is asked for, and sends nothing by itself."""
        if not self._refused or isinstance(self.link, Reporting):
            return
        if self._groups and all(self._refuses(group.points) for group in self._groups):
            why = self._remarked[self._groups[0].points[0].name]
            raise RefusedByDevice(
                Text(
                    f"it refuses all of its points: {why.en}; compare its connection and the addresses of its points "
                    "with the device's own list",
                    f"设备拒绝了所有测点：{why.zh}；请与设备自己的点表核对连接参数和测点地址",
                )
            )

    async def _try(self, group: ScanGroup) -> None:
        """Read a group. As the first group goes, so goes the device; what fails another is told of its points alone."""
        first = group is self._groups[0]
        try:
            await self._read(group)
        except DeviceError as error:
            group.failures += 1
            lost = group.failures >= FAILURES_UNTIL_LOST or isinstance(error, RefusedByDevice)
            if lost and first:
                raise
            if lost and not group.lost:
                log.warning("device %s: %d of its points are lost: %s", self.device.id, len(group.points), error)
                group.lost = True
                self._lose(group.points)
            self._note(error)
            self.publish_own()

    async def _read(self, group: ScanGroup) -> None:
        began = self._clock.monotonic_ns()
        updates = await group.link.read(group.plan)
        self._rtt_ms = (self._clock.monotonic_ns() - began) / 1e6
        self._publish(updates)
        self._tell_remarks()
        if group.lost:
            log.info("device %s: %d points are back", self.device.id, len(group.points))
        group.failures, group.lost = 0, False

    def _tell_remarks(self) -> None:
        """Why a point has no value is said once a connection: without a screen nobody sees an IV.

        A sensor that comes and goes must not fill the log.
        """
        remarks = self.link.remarks(self.device)
        if remarks == self._remarked:
            return
        self._remarked = dict(remarks)
        self._refused = frozenset(self.link.refused(self.device))
        new: dict[Text, list[str]] = {}
        named: list[str] = []
        for name, why in remarks.items():
            said = self._said.setdefault(name, [])
            if why not in said and len(said) < MOST_REASONS:
                said.append(why)
                named.append(name)
                new.setdefault(why, []).append(self._place(name))
        if any(name in self._refused for name in named):
            self._errors += 1
        for why, places in new.items():
            more = f" and {len(places) - MOST_NAMED} more" if len(places) > MOST_NAMED else ""
            log.warning(
                "device %s has no value for %s%s, marked IV: %s; compare the address with the device's own list",
                self.device.id, ", ".join(places[:MOST_NAMED]), more, why.en,
            )  # fmt: skip

    def _place(self, name: str) -> str:
        """`meter1.p_kw (table input, register 52, type f32)`: a point, and where it was looked for."""
        point = next((p for p in (*self.device.points, *self.device.texts) if p.name == name), None)
        address = (point.form.address or {}) if point is not None else {}
        where = ", ".join(f"{key} {value}" for key, value in address.items() if isinstance(value, str | int))
        return f"{name} ({where})" if where else name

    async def _read_texts(self) -> None:
        """A device without its serial number is still a device: it is asked again when it connects again."""
        try:
            self._texts = await self.link.read_texts(self.device)
        except DeviceError as error:
            log.info("device %s: its texts cannot be read: %s", self.device.id, error)
            self._note(error)

    def _note(self, error: Exception) -> None:
        self._errors += 1
        self._last_error = _text(error)

    def _lost(self, error: Exception) -> None:
        self._note(error)
        if self._state is not LinkState.LOST:
            log.warning("device %s lost: %s", self.device.id, _text(error).en)
            self._state, self._since = LinkState.LOST, self._clock.now_ns()
            self._lose(self._field)
            self._publish_online(0.0)
        self.publish_own()

    def _publish_online(self, online: float) -> None:
        now = self._clock.now_ns()
        self._publish(Updates.of(self._own[ONLINE], online, 0, now, now))

    def own(self) -> list[tuple[int, float, int]]:
        """(row, value, quality) of round-trip time, errors and late scans, as they stand."""
        rows = [(self._own[ERRORS], float(self._errors), 0), (self._own[LATE_SCANS], float(self._late_scans), 0)]
        if math.isfinite(self._rtt_ms):
            rows.append((self._own[RTT_MS], self._rtt_ms, 0 if self._state is LinkState.ONLINE else q.NT))
        return [(row + self._shift, value, quality) for row, value, quality in rows]

    def publish_own(self) -> None:
        """Publish them."""
        point, value, quality = zip(*self.own(), strict=True)
        now = self._clock.now_ns()
        self._publish_rows(Updates.of(point, value, quality, now, now))


def _text(error: Exception) -> Text:
    """What an error says on the screen."""
    if isinstance(error, DeviceError):
        return error.text
    what = f"{type(error).__name__}: {error}"
    return Text(
        f"the driver failed ({what}); it is tried again, and the log says where",
        f"驱动程序出错（{what}）；将重试，详见日志",
    )


def _own_index(device: Device, id_: str) -> int:
    point = device.point(id_)
    if point is None:
        raise LookupError(f"device {device.id} has no point {id_}: it was loaded without a connection")
    return point.index
