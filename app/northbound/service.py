"""All centres that a station is offered to: a sink of the engine, on a thread and a loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from app.model.access import Action, permit
from app.model.clock import Clock
from app.model.station import Station
from app.model.text import Text
from app.model.updates import Updates
from app.model.views import CentreStatus
from app.northbound.centre import Centre
from app.northbound.orders import AT_ONCE, Order, more_refused, refused
from app.northbound.serving import Serving, Trouble

log = logging.getLogger("gridroom.northbound")

LONGEST_STOP_S: Final = 10.0

Journal = Callable[[int, str, Text, float], None]
"""(time, source, message, value): a line of the journal of events."""


class Northbound:
    """`take` belongs to the engine's thread; everything else may be called from any."""

    def __init__(
        self, centres: Sequence[Centre], station: Station, clock: Clock, *, journal: Journal, on_trouble: Trouble
    ) -> None:
        self._station = station
        self._clock = clock
        self._journal = journal
        self._centres = {centre.id: centre for centre in centres}
        self._servings = [
            Serving(centre, station, clock, on_order=self._ordered, on_trouble=on_trouble) for centre in centres
        ]
        self._recorded = {centre.id: (0, 0) for centre in centres}
        """Centre -> the second of its last order, and how many came in it."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to serve; nothing is started where nothing is offered."""
        if self._servings:
            self._thread = threading.Thread(target=self._main, name="northbound", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Drop everybody. Safe to call twice."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._ready.wait(LONGEST_STOP_S)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it ended by itself meanwhile
                self._loop.call_soon_threadsafe(self._cancel)
        thread.join(LONGEST_STOP_S)
        if thread.is_alive():
            log.error("northbound did not stop within %.0f s; the program ends without it", LONGEST_STOP_S)

    def take(self, updates: Updates) -> None:
        """What changed, on the engine's thread."""
        for serving in self._servings:
            serving.take(updates)

    @permit(Action.VIEW)
    def status(self) -> list[CentreStatus]:
        """Every centre, in the order of the file."""
        return [serving.status() for serving in self._servings]

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except Exception:
            log.exception("northbound ended with an error; nothing is offered any more, restart the program")
        finally:
            self._ready.set()

    async def _run(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._ready.set()
        with contextlib.suppress(asyncio.CancelledError):
            async with asyncio.TaskGroup() as tasks:
                for serving in self._servings:
                    tasks.create_task(serving.run(), name=f"northbound {serving.centre.id}")
                tasks.create_task(self._tell_of_many(), name="northbound orders")

    def _ordered(self, order: Order) -> None:
        """Record it. The worker has refused it already: nothing here reaches a device."""
        second, count = self._recorded[order.centre]
        now = order.time // 1_000_000_000
        if now != second:
            self._close_second(order.centre)
            count = 0
        self._recorded[order.centre] = (now, count + 1)
        if count < AT_ONCE:
            message = refused(order, self._station, self._centres[order.centre])
            log.info("%s", message.en)
            self._journal(order.time, order.source(self._station), message, order.value)

    def _close_second(self, centre: str) -> None:
        """Tell how many orders of a second were not recorded each by itself."""
        second, count = self._recorded[centre]
        self._recorded[centre] = (second, 0)
        if count > AT_ONCE:
            message = more_refused(count - AT_ONCE, self._centres[centre])
            self._journal(self._clock.now_ns(), f"_northbound.{centre}", message, float("nan"))

    async def _tell_of_many(self) -> None:
        while True:
            await asyncio.sleep(1)
            now = self._clock.now_ns() // 1_000_000_000
            for centre, (second, count) in tuple(self._recorded.items()):
                if count > AT_ONCE and second != now:
                    self._close_second(centre)
