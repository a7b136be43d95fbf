"""The one bridge from a running station to Qt.

Values: ten times a second, while the window is to be seen, one snapshot and one signal with the rows that changed.
Alarms, health and connections: a second path, when the alarms' version moved and each second. Answers of slow calls:
`ask`, delivered on the Qt thread. There is no event loop but Qt's (docs/decisions/0030).
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer, Signal

from app.facade import StationFacade
from app.model.views import AlarmRow, DeviceStatus, Health, Snapshot

T = TypeVar("T")
TICK_MS: Final = 100
HEALTH_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class _Question:
    future: Future[Any]
    owner_id: int
    slot: str
    on_result: Callable[[Any], None]
    on_error: Callable[[BaseException], None]


class Bridge(QObject):
    """Lives on the Qt thread with the window. `close` ends it: nothing is delivered after that."""

    values = Signal(object, object)
    """(int array of changed rows, Snapshot). The first one after a pause tells every row that changed meanwhile."""
    alarms = Signal(object)
    """tuple[AlarmRow, ...] whenever it changed."""
    health = Signal(object, object)
    """(Health, dict[device id, DeviceStatus]) each second."""
    reconfigured = Signal()
    """The station runs with another configuration: rows mean other points, and nothing is told of them any more."""
    _answered = Signal(int)

    def __init__(self, station: StationFacade, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.station = station
        self.snapshot: Snapshot = station.snapshot()
        self.alarm_rows: tuple[AlarmRow, ...] = station.alarms.active()
        self.health_now: Health = station.health()
        self.devices: dict[str, DeviceStatus] = {status.device: status for status in station.devices()}
        self._alarm_version = -1
        self._told = -1
        self._visible = False
        self._questions: dict[int, _Question] = {}
        self._owners: set[int] = set()
        self._tickets = itertools.count(1)
        self._gate = threading.Lock()
        self._open = True
        self._answered.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        self._ticks = self._timer(TICK_MS, self._on_tick)
        self._seconds = self._timer(HEALTH_MS, self._on_second)

    def start(self) -> None:
        """Begin to tell. Everything is told once at the next turn of the Qt loop."""
        self._ticks.start()
        self._seconds.start()

    def close(self, *, cancel: bool = True) -> None:
        """Stop the timers, cancel what was asked, and deliver nothing any more. May be called twice.

        Without `cancel` what was asked goes on, and nobody hears its answer: a window that is renewed must not call off
        what somebody has set.
        """
        self._ticks.stop()
        self._seconds.stop()
        with self._gate:
            self._open = False
        if not cancel:
            self._questions.clear()
        for ticket in list(self._questions):
            self._drop(ticket)

    def set_visible(self, visible: bool) -> None:
        """Whether anybody can see the window: hidden, no snapshot is taken; shown again, all is told at once."""
        self._visible = visible
        if visible and self._ticks.isActive():
            self._on_tick()

    def refresh(self) -> None:
        """Read and tell everything now."""
        self._tell_values()
        self._tell_alarms()
        self._on_second()

    def ask(
        self,
        future: Future[T],
        owner: QObject,
        on_result: Callable[[T], None],
        on_error: Callable[[BaseException], None],
        *,
        slot: str = "",
    ) -> None:
        """Deliver a future's answer on the Qt thread.

        It is dropped, and the future cancelled, when `owner` is gone, or when the same owner asks again under the same
        `slot` (a name; empty: questions that do not replace each other). A cancelled future is delivered to nobody.
        """
        self._watch(owner)
        if slot:
            for ticket, question in list(self._questions.items()):
                if question.owner_id == id(owner) and question.slot == slot:
                    self._drop(ticket)
        if not self._open:
            future.cancel()
            return
        ticket = next(self._tickets)
        self._questions[ticket] = _Question(future, id(owner), slot, on_result, on_error)
        future.add_done_callback(lambda _: self._post(ticket))

    def forget(self, owner: QObject, slot: str) -> None:
        """Cancel what this owner asked under this slot."""
        for ticket, question in list(self._questions.items()):
            if question.owner_id == id(owner) and question.slot == slot:
                self._drop(ticket)

    def _timer(self, interval_ms: int, what: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setInterval(interval_ms)
        timer.timeout.connect(what)
        return timer

    # ------------------------------------------------------------------------------------------------ what is true

    def _on_tick(self) -> None:
        if self._visible:
            self._tell_values()
        self._tell_alarms()

    def _tell_values(self) -> None:
        snapshot = self.station.snapshot()
        if snapshot.configuration != self.snapshot.configuration:
            self._ticks.stop()
            self._seconds.stop()
            self.reconfigured.emit()
            return
        changed = np.flatnonzero(snapshot.changed > self._told)
        self.snapshot, self._told = snapshot, snapshot.sequence
        self.values.emit(changed, snapshot)

    def _tell_alarms(self) -> None:
        version = self.station.alarms.version
        if version != self._alarm_version:
            self._alarm_version = version
            self.alarm_rows = self.station.alarms.active()
            self.alarms.emit(self.alarm_rows)

    def _on_second(self) -> None:
        self.health_now = self.station.health()
        self.devices = {status.device: status for status in self.station.devices()}
        self.health.emit(self.health_now, self.devices)

    # ---------------------------------------------------------------------------------------------------- answers

    def _post(self, ticket: int) -> None:
        """On whatever thread the answer came. The gate keeps a closed bridge, perhaps deleted by Qt, untouched."""
        with self._gate:
            if self._open:
                self._answered.emit(ticket)

    def _deliver(self, ticket: int) -> None:
        question = self._questions.pop(ticket, None)
        if question is None:
            return
        try:
            answer = question.future.result()
        except CancelledError:
            return
        except Exception as error:  # the asker says it to the person who asked
            question.on_error(error)
        else:
            question.on_result(answer)

    def _drop(self, ticket: int) -> None:
        question = self._questions.pop(ticket, None)
        if question is not None:
            question.future.cancel()

    def _watch(self, owner: QObject) -> None:
        """Once an owner: when Qt destroys it, its questions go with it."""
        key = id(owner)
        if key in self._owners:
            return
        self._owners.add(key)
        owner.destroyed.connect(lambda *_: self._owner_gone(key))

    def _owner_gone(self, key: int) -> None:
        self._owners.discard(key)
        for ticket, question in list(self._questions.items()):
            if question.owner_id == key:
                self._drop(ticket)
