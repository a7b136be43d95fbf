"""The alarm service of a running station: updates in, the list of what needs a person out, everything journaled."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np

from app.alarms.book import Book, in_order
from app.alarms.journal import EVERYTHING, Cell, JournalFilter, export, page
from app.alarms.judge import Judge, Transitions
from app.alarms.rules import Rules, compile_rules
from app.alarms.storing import load, store, store_all
from app.alarms.wording import Wording
from app.model.access import Action, Actor, permit
from app.model.clock import Clock
from app.model.config import Priority
from app.model.errors import StorageError
from app.model.station import Station
from app.model.text import Text
from app.model.updates import Updates
from app.model.views import AlarmRow, AlarmState, JournalRow
from app.records.service import Records
from app.records.tables import alarm_journal

SYSTEM: Final = "_system."
"""Before the key of Gridroom's own alarms: `_system.history`."""
AT_ONCE: Final = 500
"""Transitions that one call brings to the list: some 3 ms. The rest of an avalanche follows with the next calls, of
which the engine makes thirty a second."""

_log = logging.getLogger("gridroom.alarms")


@dataclass(frozen=True, slots=True)
class Counts:
    """How many alarms are on the list; every priority is a key."""

    total: dict[Priority, int]
    unacknowledged: dict[Priority, int]


@dataclass(frozen=True, slots=True)
class _Watch:
    """What a configuration asks to be watched."""

    station: Station
    rules: Rules
    judge: Judge
    wording: Wording


class Alarms:
    """`take` and `tick` belong to one thread, the engine's; everything else may be called from any."""

    def __init__(self, station: Station, records: Records, clock: Clock) -> None:
        self._station = station
        self._records = records
        self._clock = clock
        self._rules = compile_rules(station)
        self._judge = Judge(self._rules)
        self._wording = Wording(station)
        self._lock = threading.Lock()
        self._book = Book()
        self._backlog: deque[Transitions] = deque()
        self._version = 0
        self._published: tuple[int, tuple[AlarmRow, ...]] = (0, ())
        self._early: list[Callable[[], None]] | None = []  # system alarms from before the start
        self._late: Future[tuple[list[AlarmRow], int]] | None = None  # the last run's list, while it is not to be had
        self._unsaved = False
        self._epoch = 0

    # ------------------------------------------------------------------------------------------------- life

    def start(self) -> None:
        """Take up the list of the last run: what is still true keeps its time and its acknowledgement.

        The records must have started. While they cannot be read the list begins empty, and the rest comes later.
        """
        stored = self._records.read(load)
        try:
            rows, next_id = stored.result()
        except StorageError as error:
            _log.error("the alarms of the last run cannot be read yet: %s", error)
            rows, next_id = [], self._clock.now_ns() // 1000  # above every number ever given
            self._late = stored
        with self._lock:
            self._epoch = self._records.epoch
            self._restore(rows, next_id)
            self._save()
            early, self._early = self._early or [], None
        for call in early:
            call()

    def prepare(self, station: Station) -> _Watch:
        """What watches a changed configuration. Any thread."""
        rules = compile_rules(station)
        return _Watch(station, rules, Judge(rules), Wording(station))

    def change(self, watch: _Watch) -> None:
        """Go on with another configuration: what is still watched keeps its time and its acknowledgement.

        On the engine's thread, between two batches.
        """
        while self._backlog:  # it speaks of the old rules
            self._work_off()
        with self._lock:
            self._station, self._rules, self._judge, self._wording = (
                watch.station, watch.rules, watch.judge, watch.wording,
            )  # fmt: skip
            known = self._rules.by_name()
            still: list[int] = []
            for row in self._book.rows():
                index = known.get((row.source, row.condition))
                if index is not None and row.state is not AlarmState.RETURNED_UNACKNOWLEDGED:
                    still.append(index)
                elif index is None and not row.source.startswith(SYSTEM):
                    self._drop(row)
            self._judge.restore(np.array(still, np.int64))
            self._save()

    def stop(self) -> None:
        """Bring what is left of an avalanche to the list and the journal. Call it before the records stop."""
        while self._backlog:
            self._work_off()
        self._mend()

    # ------------------------------------------------------------------------------- on the engine's thread

    def take(self, updates: Updates) -> None:
        """Judge a batch."""
        self._note(self._judge.take(updates, self._clock.monotonic_ns()))
        if self._backlog:
            self._work_off()

    def tick(self) -> None:
        """Raise what has held for its delay. Each 100 ms or so."""
        self._note(self._judge.tick(self._clock.monotonic_ns()))
        if self._backlog:
            self._work_off()
        self._mend()

    # --------------------------------------------------------------------------------------- what people do

    @property
    @permit(Action.VIEW)
    def version(self) -> int:
        """Grows with every change of the list."""
        return self._version

    @permit(Action.VIEW)
    def active(self) -> tuple[AlarmRow, ...]:
        """The list: the worst priority first, of one priority the unacknowledged, of those the newest."""
        version, rows = self._published
        if version != self._version:
            with self._lock:
                version, unsorted = self._version, self._book.rows()
            rows = in_order(unsorted)
            self._published = (version, rows)
        return rows

    @permit(Action.VIEW)
    def counts(self) -> Counts:
        """Of the list, by priority."""
        total, unacknowledged = dict.fromkeys(Priority, 0), dict.fromkeys(Priority, 0)
        for row in self.active():
            total[row.priority] += 1
            unacknowledged[row.priority] += row.state is not AlarmState.ACTIVE_ACKNOWLEDGED
        return Counts(total, unacknowledged)

    def _devices_of(self, arguments: Mapping[str, Any]) -> set[str]:
        """The devices whose alarms are named by `ids`; Gridroom's own alarms are the whole station's.

        So is a number of which nobody can know yet whose it will be: what is asked now is done a little later.
        """
        ids = frozenset(arguments["ids"])
        with self._lock:
            below = self._book.known_below() if self._late is None else 0
        rows = [row for row in self.active() if row.id in ids]
        devices = {row.source.partition(".")[0] for row in rows}
        if any(id_ >= below for id_ in ids - {row.id for row in rows}):
            devices.add(SYSTEM.removesuffix("."))
        return devices

    @permit(Action.ACKNOWLEDGE, where=_devices_of, changes=True)
    def acknowledge(self, ids: Sequence[int], who: Actor) -> tuple[int, ...]:
        """Somebody has seen these occurrences. Returns those that were waiting for it; others are ignored."""
        with self._lock:
            done = self._book.acknowledge(ids, who.name, self._clock.now_ns())
            self._save()
        return tuple(done)

    def raise_system(self, key: str, message: Text, priority: Priority) -> None:
        """Gridroom itself needs a person. Once active, another message only changes the words."""
        with self._lock:
            if self._early is not None:
                self._early.append(partial(self.raise_system, key, message, priority))
            elif self._book.reworded(SYSTEM + key, "system", message):
                self._version += 1
            else:
                now = self._clock.now_ns()
                self._book.raised(SYSTEM + key, "system", priority=priority, message=message, time=now)
                self._save()

    def clear_system(self, key: str) -> None:
        """That is over. Nothing happens where it was not raised."""
        with self._lock:
            if self._early is not None:
                self._early.append(partial(self.clear_system, key))
            row = self._book.find(SYSTEM + key, "system")
            if row:
                message = Text(f"Over: {row.message.en}", f"已恢复：{row.message.zh}")
                self._book.returned(row.source, row.condition, message=message, time=self._clock.now_ns())
                self._save()

    @permit(Action.VIEW)
    def journal(
        self, limit: int = 1000, before_id: int | None = None, *, wanted: JournalFilter = EVERYTHING
    ) -> Future[list[JournalRow]]:
        """A page of the journal, the last recorded first; `before_id` is the id of the page before's last row."""
        return self._records.read(page(alarm_journal, limit, before_id, wanted))

    @permit(Action.EXPORT, changes=True)
    def export_rows(self, wanted: JournalFilter = EVERYTHING, language: str = "en") -> Future[list[tuple[Cell, ...]]]:
        """The journal as cells for a file: a header, then all rows by source time in the station's zone."""
        return self._records.read(export(alarm_journal, wanted, self._station.zone, language))

    # ------------------------------------------------------------------------------------------------ inside

    def _note(self, transitions: Transitions) -> None:
        if len(transitions):
            self._backlog.append(transitions)

    def _work_off(self) -> None:
        """Bring the next transitions to the list, and everything that this changes to the records."""
        free = AT_ONCE
        with self._lock:
            while free and self._backlog:
                now, later = self._backlog.popleft().split(free)
                if len(later):
                    self._backlog.appendleft(later)
                for transition in zip(
                    now.rule.tolist(), now.raised.tolist(), now.value.tolist(), now.quality.tolist(),
                    now.time.tolist(), strict=True,
                ):  # fmt: skip
                    self._enter(*transition)
                free -= len(now)
            self._save()

    def _enter(self, rule_index: int, raised: bool, value: float, quality: int, time: int) -> None:
        rule = self._rules.rules[rule_index]
        source, condition = rule.point.name, rule.condition
        if raised:
            self._book.raised(
                source,
                condition,
                priority=rule.priority,
                message=self._wording.raised(rule, value, quality),
                time=time,
                value=value,
                limit=rule.limit,
                unit=rule.point.unit,
                quality=quality,
            )
        else:
            message = self._wording.returned(rule, value)
            self._book.returned(source, condition, message=message, time=time, value=value, quality=quality)

    def _save(self) -> None:
        """Hand what changed to the records. The lock is held, so that changes are stored in their order."""
        changes = self._book.changes()
        if changes.lines or changes.gone or changes.rows:
            self._version += 1
            job = partial(store, changes=changes, recorded=self._clock.now_ns())
            self._watch(self._records.write(job, rows=len(changes.lines) + len(changes.rows)))

    def _mend(self) -> None:
        """Once the records work again: take up what could not be read, store what could not be written."""
        if self._records.state() != "ok":
            return
        if self._late is not None:
            self._restore_late(self._late)
        elif self._unsaved or self._epoch != self._records.epoch:
            with self._lock:  # after a failure, or in a new file, nothing that is stored of the list counts
                self._unsaved = False
                self._epoch = self._records.epoch
                rows = self._book.rows()
                self._watch(self._records.write(partial(store_all, rows=rows), rows=len(rows)))

    def _watch(self, stored: Future[Any]) -> None:
        def look(future: Future[Any]) -> None:
            self._unsaved = self._unsaved or future.exception() is not None

        stored.add_done_callback(look)

    def _restore(self, stored: Sequence[AlarmRow], next_id: int) -> None:
        """Take up stored rows, but for those that were raised meanwhile. The lock is held."""
        known = self._rules.by_name()
        rows: list[AlarmRow] = []
        still: list[int] = []
        for row in stored:
            if self._book.find(row.source, row.condition):
                continue
            index = known.get((row.source, row.condition))
            rows.append(row if index is None else replace(row, priority=self._rules.rules[index].priority))
            if index is not None and row.state is not AlarmState.RETURNED_UNACKNOWLEDGED:
                still.append(index)
        self._book.restore(rows, next_id)
        self._judge.restore(np.array(still, np.int64))
        for row in rows:
            if (row.source, row.condition) not in known:
                # Gridroom's own troubles are told anew if they still are; what the config dropped is watched no more.
                self._drop(row)
        self._version += 1

    def _drop(self, row: AlarmRow) -> None:
        text = Text(f"{row.message.en} (no longer watched)", f"{row.message.zh}（不再监视）")
        self._book.returned(row.source, row.condition, message=text, time=self._clock.now_ns())

    def _restore_late(self, stored: Future[tuple[list[AlarmRow], int]]) -> None:
        if not stored.done():
            return
        if stored.exception() is not None:
            self._late = self._records.read(load)
            return
        with self._lock:
            self._late = None
            self._unsaved = True
            self._restore(*stored.result())
            self._save()
