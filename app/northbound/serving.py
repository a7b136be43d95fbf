"""One centre served: a worker process that is fed, listened to, and started anew when it ends."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from app.model.clock import SECOND_NS, Clock
from app.model.durations import format_duration
from app.model.errors import GridroomError
from app.model.secrets import resolve
from app.model.station import Station
from app.model.text import Text
from app.model.updates import Updates
from app.model.views import CentreStatus
from app.northbound.centre import Centre, TlsFiles
from app.northbound.intake import Intake
from app.northbound.orders import Order
from drivers.iec104.clock import StationClock
from drivers.iec104.messages import Note, pack_values
from drivers.iec104.process import Worker

log = logging.getLogger("gridroom.northbound")

RSS_MB: Final = 300
LEAST_LIFE_S: Final = 60.0
RETRY_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Between attempts at a worker that ends."""
SOUND_S: Final = 30.0
"""A worker that lived for so long begins anew with the first of them."""
MOST_FAULTS: Final = 50
_OTHERS: Final = Text("others", "其他")

Trouble = Callable[[str, Text | None], None]


class Serving:
    """One centre. `take` belongs to the engine's thread and `status` to any, everything else to the loop of `run`."""

    def __init__(
        self, centre: Centre, station: Station, clock: Clock, *, on_order: Callable[[Order], None], on_trouble: Trouble
    ) -> None:
        self.centre = centre
        self.port = 0
        """At which it listens; 0 while it does not."""
        self._station = station
        self._clock = clock
        self._on_order = on_order
        self._on_trouble = on_trouble
        self._commands = {command.ioa: command for command in centre.commands}
        zone = station.zone if centre.station_clock else None
        self._came = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._intake = Intake(centre, len(station.points), StationClock(zone, 0), self._wake)
        self._worker: Worker | None = None
        self._status: Note = {}
        self._error: Text | None = None
        self._faults = Counter[Text]()
        self._orders = 0
        self._clock_ahead_s: float | None = None
        self._seen_ns = clock.monotonic_ns()
        """When somebody transferred last."""
        self._troubled = ""

    def take(self, updates: Updates) -> None:
        """Of the engine, on its thread. Never blocks."""
        self._intake.take(updates)

    def _wake(self) -> None:
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self._came.set)

    def status(self) -> CentreStatus:
        """How it is. Any thread."""
        status = self._status
        connections = [(str(peer), bool(transfers)) for peer, transfers in status.get("connections", ())]
        return CentreStatus(
            centre=self.centre.id,
            name=self.centre.name,
            port=self.port,
            connected=tuple(peer for peer, _ in connections),
            transferring=tuple(peer for peer, transfers in connections if transfers),
            waiting=status.get("waiting", 0),
            superseded=status.get("superseded", 0),
            lost=status.get("lost", 0),
            orders=self._orders,
            clock_ahead_s=self._clock_ahead_s,
            last_error=self._error,
            faults=dict(self._faults),
        )

    async def run(self) -> None:
        """Serve until cancelled."""
        self._loop = asyncio.get_running_loop()
        watch = asyncio.create_task(self._watch(), name=f"northbound {self.centre.id}: watch")
        attempt = 0
        try:
            while True:
                began = self._clock.monotonic_ns()
                try:
                    why = await self._serve()
                except GridroomError as error:
                    why = error.text
                except Exception as error:  # a fault in one centre stays with it
                    log.exception("northbound %s failed; it is started anew", self.centre.id)
                    why = Text.of(str(error))
                self.port, self._status = 0, {}
                if why is not None:  # it did not only give way to a new one
                    self._error = why
                    log.warning("northbound %s: %s", self.centre.id, why.en)
                attempt = 0 if self._clock.monotonic_ns() - began > SOUND_S * SECOND_NS else attempt
                await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
                attempt += 1
        finally:
            self._loop = None
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    async def _serve(self) -> Text | None:
        """One worker, to its end; why it ended, None where it gives way to a new one."""
        worker = self._worker = await Worker.start(self._order())
        tasks = [
            asyncio.create_task(self._listen(worker), name=f"northbound {self.centre.id}: listen"),
            asyncio.create_task(self._feed(worker), name=f"northbound {self.centre.id}: feed"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            self._worker = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await worker.close()

    async def _feed(self, worker: Worker) -> Text | None:
        """Everything first, then what changes."""
        now = self._clock.now_ns()
        await worker.deliver(pack_values(self._intake.everything(now), now))
        while True:
            await self._came.wait()
            self._came.clear()
            columns = self._intake.fetch()
            now = self._clock.now_ns()
            if columns is None:
                log.warning("northbound %s: the worker is behind; everything is sent once more", self.centre.id)
                await worker.deliver(pack_values(self._intake.everything(now), now))
                worker.send({"do": "gap"})
            elif len(columns):
                await worker.deliver(pack_values(columns, now))

    async def _listen(self, worker: Worker) -> Text | None:
        while True:
            note = await worker.receive()
            if isinstance(note, tuple):
                continue
            match note["note"]:
                case "end":
                    return Text.of(note["why"])
                case "retired":
                    return None
                case "listening":
                    self.port, self._error = note["port"], None
                    log.info("northbound %s listens at %s:%d", self.centre.id, self.centre.host, self.port)
                case "status":
                    self._status = note
                case "alive":
                    self._count(note["faults"])
                case "order":
                    self._ordered(note)
                case "clock":
                    self._clock_ahead_s = note["ahead_s"]
                case "started":
                    log.info("northbound %s: %s has started data transfer", self.centre.id, note["peer"])
                case "lost":
                    log.info("northbound %s: %s is gone: %s", self.centre.id, note["peer"], note["why"] or "closed")

    def _count(self, faults: Sequence[tuple[dict[str, str], int]]) -> None:
        for why, count in faults:
            fault = Text.of(why)
            known = fault if fault in self._faults or len(self._faults) < MOST_FAULTS else _OTHERS
            self._faults[known] += count

    def _ordered(self, note: Note) -> None:
        self._orders += 1
        self._on_order(
            Order.of(
                self.centre, self._commands[note["ioa"]], time=self._clock.now_ns(), peer=note["peer"],
                value=note["value"], qualifier=note["qualifier"], select=note["select"], cancel=note["cancel"],
                number=note["number"],
            )
        )  # fmt: skip

    def decided(self, number: int, *, accepted: bool) -> None:
        """Tell the centre. Any thread; where the worker is gone, so is whoever asked."""
        loop = self._loop
        if loop is not None and number:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._send_decided, number, accepted)

    def _send_decided(self, number: int, accepted: bool) -> None:
        if self._worker is not None:
            self._worker.send({"do": "decided", "number": number, "accepted": accepted})

    async def _watch(self) -> None:
        """Raise the alarm when nobody has transferred for too long, and end it."""
        while True:
            now = self._clock.monotonic_ns()
            if self.status().transferring:
                self._seen_ns = now
                self._tell(None)
            elif now - self._seen_ns >= self.centre.lost_after_s * SECOND_NS:
                self._tell(self._lost_words())
            await asyncio.sleep(min(0.5, self.centre.lost_after_s / 4))

    def _tell(self, trouble: Text | None) -> None:
        if (trouble.en if trouble else "") != self._troubled:
            self._troubled = trouble.en if trouble else ""
            self._on_trouble(f"northbound.{self.centre.id}", trouble)

    def _lost_words(self) -> Text:
        name, period = self.centre.name, format_duration(self.centre.lost_after_s)
        if self._error is not None:
            return Text(
                f"dispatch centre {name.en} cannot be served: {self._error.en}",
                f"无法为调度主站 {name.zh} 提供服务：{self._error.zh}",
            )
        return Text(
            f"dispatch centre {name.en} takes no data, for {period} or more; check the line and the centre, and "
            f"whether its address is allowed in northbound.yaml",
            f"调度主站 {name.zh} 已 {period} 以上未接收数据，请检查通道、主站，以及 northbound.yaml 是否允许其地址",
        )

    def _order(self) -> dict[str, Any]:
        """What the worker is told. Raises GridroomError where a secret is missing."""
        centre = self.centre
        return {
            "role": "controlled", "host": centre.host, "port": centre.port, "ca": centre.ca,
            "allow": centre.allow, "tls": _tls(centre.tls) if centre.tls else None, "redundant": centre.redundant,
            "parameters": dict(centre.parameters), "zone": self._station.timezone if centre.station_clock else None,
            "confirms_clock": centre.confirms_clock, "timed_measurements": centre.timed_measurements,
            "cyclic_s": centre.cyclic_s, "rss_mb": RSS_MB, "least_life_s": LEAST_LIFE_S,
            "points": [[one.ioa, one.type, one.deadband / abs(one.scale), one.groups] for one in centre.values],
            "commands": [[one.ioa, one.type, one.select] for one in centre.commands],
            "decides": centre.accepts_orders,
        }  # fmt: skip


def _tls(files: TlsFiles) -> dict[str, Any]:
    return {
        "certificate": str(files.certificate),
        "key": str(files.key),
        "password": resolve(files.password) if files.password else None,
        "ca": str(files.ca) if files.ca else None,
    }
