"""All centres that a station is offered to: a sink of the engine, on a thread and a loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.model.access import Action, permit
from app.model.clock import Clock
from app.model.control import GridOrder
from app.model.errors import words_of
from app.model.station import Station
from app.model.text import Text
from app.model.updates import Updates
from app.model.views import CentreStatus
from app.northbound.centre import Centre
from app.northbound.orders import AT_ONCE, NOT_ACCEPTED, NOT_SELECTED, Order, many_more, told
from app.northbound.serving import Serving, Trouble

log = logging.getLogger("gridroom.northbound")

LONGEST_STOP_S: Final = 10.0

Journal = Callable[[int, str, Text, float], None]
"""(time, source, message, value): a line of the journal of events."""
Decide = Callable[[GridOrder], Future[Text | None]]
"""Control: None where it takes an order, else why it does not."""


@dataclass(frozen=True)
class Offer:
    """What is offered, by whom, in whose words."""

    station: Station
    """As it was when the centres were read."""
    centres: Mapping[str, Centre]
    servings: tuple[Serving, ...]
    rows: NDArray[np.int32] | None = None
    """Row of the table now -> row of `station`; -1 for a newer point. None while they are the same."""


class Northbound:
    """`take` belongs to the engine's thread; everything else may be called from any."""

    def __init__(
        self,
        centres: Sequence[Centre],
        station: Station,
        clock: Clock,
        *,
        journal: Journal,
        on_trouble: Trouble,
        decide: Decide | None = None,
    ) -> None:
        """Without `decide` every order is refused."""
        self._decide = decide
        self._clock = clock
        self._journal = journal
        self._on_trouble = on_trouble
        self._offer = self._made(centres, station)
        self._recorded = {centre.id: (0, 0) for centre in centres}
        """Centre -> the second of its last order, and how many came in it."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to serve; nothing is started where nothing is offered."""
        if self._offer.servings:
            self._ready.clear()
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

    def prepare(self, centres: Sequence[Centre], station: Station) -> Offer:
        """What a changed configuration offers; the same to the same centres where it can: then nobody is dropped."""
        offer = self._offer
        if _named(centres, station) == _named(list(offer.centres.values()), offer.station):
            return offer
        return self._made(centres, station)

    def change(self, offer: Offer, to_old: NDArray[np.int32]) -> None:
        """Go on with what was prepared; `to_old` int32[n] is each point's row before, or -1.

        On the engine's thread, between two batches.
        """
        if offer is self._offer:
            rows = offer.rows
            self._offer = replace(offer, rows=to_old if rows is None else np.where(to_old >= 0, rows[to_old], -1))
        else:
            self._offer = offer

    def settle(self, offer: Offer) -> None:
        """Where other things are offered now, drop everybody and serve anew. Not on the engine's thread: it waits."""
        if offer is self._offer:  # made anew, and not the one before with its rows moved
            self.stop()
            self._recorded = dict.fromkeys(offer.centres, (0, 0))
            self.start()

    def take(self, updates: Updates) -> None:
        """What changed, on the engine's thread."""
        offer = self._offer
        if offer.rows is not None and offer.servings:
            rows = offer.rows[updates.point]
            updates = replace(updates, point=rows).take(rows >= 0)
        for serving in offer.servings:
            serving.take(updates)

    def _made(self, centres: Sequence[Centre], station: Station) -> Offer:
        servings = tuple(
            Serving(centre, station, self._clock, on_order=self._ordered, on_trouble=self._on_trouble)
            for centre in centres
        )
        return Offer(station, {centre.id: centre for centre in centres}, servings)

    @permit(Action.VIEW)
    def status(self) -> list[CentreStatus]:
        """Every centre, in the order of the file."""
        return [serving.status() for serving in self._offer.servings]

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
                for serving in self._offer.servings:
                    tasks.create_task(serving.run(), name=f"northbound {serving.centre.id}")
                tasks.create_task(self._tell_of_many(), name="northbound orders")

    def _ordered(self, order: Order) -> None:
        """Let control decide about it, tell the centre, and record both. Nothing here reaches a device."""
        if order.centre not in self._recorded:  # of a centre that a change of the configuration has just taken away
            return
        second, count = self._recorded[order.centre]
        now = order.time // 1_000_000_000
        if now != second:
            self._close_second(order.centre)
            count = 0
        self._recorded[order.centre] = (now, count + 1)
        if count >= AT_ONCE:
            self._answer(order, accepted=False)
        elif self._decide is None or not self._offer.centres[order.centre].accepts_orders:
            self._end(order, NOT_ACCEPTED)
        elif not order.number:
            self._end(order, NOT_SELECTED)
        else:
            try:
                decided = self._decide(order.for_control(self._offer.station))
            except RuntimeError as error:  # the engine's loop has ended
                self._end(order, Text.of(str(error)))
                return
            decided.add_done_callback(lambda done: self._end(order, _why(done)))

    def _end(self, order: Order, refused: Text | None) -> None:
        offer = self._offer
        self._answer(order, accepted=refused is None)
        if order.centre in offer.centres:
            message = told(order, offer.station, offer.centres[order.centre], refused)
            log.info("%s", message.en)
            self._journal(order.time, order.source(offer.station), message, order.value)

    def _answer(self, order: Order, *, accepted: bool) -> None:
        for serving in self._offer.servings:
            if serving.centre.id == order.centre:
                serving.decided(order.number, accepted=accepted)

    def _close_second(self, centre: str) -> None:
        """Tell how many orders of a second were not recorded each by itself."""
        second, count = self._recorded[centre]
        self._recorded[centre] = (second, 0)
        if count > AT_ONCE:
            message = many_more(count - AT_ONCE, self._offer.centres[centre])
            self._journal(self._clock.now_ns(), f"_northbound.{centre}", message, float("nan"))

    async def _tell_of_many(self) -> None:
        while True:
            await asyncio.sleep(1)
            now = self._clock.now_ns() // 1_000_000_000
            for centre, (second, count) in tuple(self._recorded.items()):
                if count > AT_ONCE and second != now:
                    self._close_second(centre)


def _why(done: Future[Text | None]) -> Text | None:
    if done.cancelled():
        return Text("control has ended", "控制已停止")
    error = done.exception()
    if error is not None:
        return words_of(error) if isinstance(error, Exception) else Text.of(str(error))
    return done.result()


def _named(centres: Sequence[Centre], station: Station) -> list[Centre]:
    """Centres with the names of points in the place of their rows, which another configuration may have elsewhere."""

    def name(row: int | None) -> Any:
        return None if row is None else station.points[row].name

    return [
        replace(
            centre,
            values=tuple(replace(one, point=name(one.point)) for one in centre.values),
            commands=tuple(replace(one, point=name(one.point)) for one in centre.commands),
        )
        for centre in centres
    ]
