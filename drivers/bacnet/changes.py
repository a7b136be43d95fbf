"""Change of value: subscriptions kept alive, notifications gathered into batches."""

from __future__ import annotations

import asyncio
import logging
from asyncio import timeout
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NoReturn

import numpy as np
from bacpypes3.apdu import SubscribeCOVRequest
from bacpypes3.primitivedata import ObjectIdentifier

from app.model import quality as q
from app.model.clock import Clock
from app.model.errors import TransportError
from app.model.station import Point
from app.model.text import Text
from app.model.updates import Updates
from drivers.bacnet.address import PRESENT_VALUE, STATUS_FLAGS, Address
from drivers.bacnet.connection import Peer
from drivers.bacnet.polling import flags_of
from drivers.bacnet.reading import as_number, encoded
from drivers.bacnet.wire import PROCESS, Denied, Wire
from drivers.contract import Deliver

log = logging.getLogger("gridroom.drivers")

GATHER_S: Final = 0.02
"""Notifications of this time make one batch."""
MOST_GATHERED: Final = 1000
"""Rows after which a batch goes at once."""
_ATTEMPTS: Final = 2
_RENEWED: Final = 0.5
"""Part of its life after which a subscription is renewed."""


class Subscriptions:
    """What one device is asked to tell by itself. Its points are polled as well, since notifications get lost."""

    def __init__(self, peer: Peer, points: Sequence[Point], clock: Clock) -> None:
        self._peer = peer
        self._clock = clock
        self._points: dict[tuple[int, int], list[Point]] = {}
        for point in points:
            address = Address.of(point.form.address or {})
            if peer.cov and point.polled and address.cov:
                self._points.setdefault(address.object_id, []).append(point)
        self._rows: list[tuple[int, float, int, int]] = []
        self._flush: asyncio.TimerHandle | None = None
        self._deliver: Deliver | None = None
        self._refused = ""
        self._wake: asyncio.Event | None = None
        self._ended = False
        self.granted = 0
        """How many objects tell by themselves."""

    async def report(self, wire: Wire, deliver: Deliver, online: Callable[[], None]) -> NoReturn:
        """Subscribe, renew, and deliver until cancelled. Raises TransportError when the device does not answer."""
        self._deliver = deliver
        restarted = self._wake = asyncio.Event()
        try:
            wire.listen(self._peer, restarted.set)
            while not self._ended:
                await self._subscribe(wire, online)
                try:
                    async with timeout(self._peer.lifetime_s * _RENEWED):
                        await restarted.wait()
                    log.info("device %s has started again; its subscriptions are renewed", self._peer.device)
                except TimeoutError:
                    pass
                restarted.clear()
            name = self._peer.device
            raise TransportError(Text("its line was closed here", "其线路已由本程序关闭"), device=name)
        finally:
            self._deliver = self._wake = None
            if self._flush is not None:
                self._flush.cancel()
            self._flush = None
            self._rows.clear()
            wire.listen(self._peer, None)
            wire.unsubscribe(self._peer, self._points)

    def end(self) -> None:
        """The line is closed for good: nothing is told any more."""
        self._ended = True
        if self._wake is not None:
            self._wake.set()

    async def _subscribe(self, wire: Wire, online: Callable[[], None]) -> None:
        """Every object once. What is refused is polled only, and asked for again at the next renewal."""
        granted, refused = 0, ""
        for object_, points in self._points.items():
            wire.subscribe(self._peer, object_, self._notified(points))
            try:
                await self._ask(wire, object_)
                granted += 1
                online()
            except Denied as denied:
                refused = refused or f"{points[0].name}: {denied}"
                if denied.unknown_service:
                    break
        self.granted = granted
        if refused and refused != self._refused:
            total = len(self._points)
            log.info("device %s tells %d of %d objects by itself (%s)", self._peer.device, granted, total, refused)
        self._refused = refused

    async def _ask(self, wire: Wire, object_: tuple[int, int]) -> None:
        for attempt in range(_ATTEMPTS):
            request = SubscribeCOVRequest(
                subscriberProcessIdentifier=PROCESS,
                monitoredObjectIdentifier=ObjectIdentifier(object_),
                issueConfirmedNotifications=self._peer.cov == "confirmed",
                lifetime=self._peer.lifetime_s,
            )
            try:
                await wire.ask(self._peer, request)
                return
            except TransportError:
                if attempt + 1 == _ATTEMPTS:
                    raise

    def _notified(self, points: Sequence[Point]) -> Callable[[Iterable[Any]], None]:
        def notified(properties: Iterable[Any]) -> None:
            told = {int(one.propertyIdentifier): encoded(one.value) for one in properties}
            if PRESENT_VALUE not in told or self._deliver is None:
                return
            value, why = as_number(told[PRESENT_VALUE])
            quality = flags_of(told[STATUS_FLAGS]) if STATUS_FLAGS in told else q.GOOD
            now = self._clock.now_ns()
            for point in points:
                scaled = value * point.form.scale + point.form.offset
                good = not why and np.isfinite(scaled)
                row = (point.index, scaled, quality, now) if good else (point.index, np.nan, quality | q.IV, now)
                self._rows.append(row)
            if len(self._rows) >= MOST_GATHERED:
                self._hand_over()
            elif self._flush is None:
                self._flush = asyncio.get_running_loop().call_later(GATHER_S, self._hand_over)

        return notified

    def _hand_over(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
        self._flush = None
        if self._rows and self._deliver is not None:
            point, value, quality, time = zip(*self._rows, strict=True)
            self._rows.clear()
            self._deliver(Updates.of(point, value, quality, time, self._clock.now_ns()))
