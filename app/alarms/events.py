"""The journal of events: every change of a status point with its source time."""

from __future__ import annotations

import logging
import math
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, delete, insert, select

from app.alarms.journal import EVERYTHING, Cell, JournalFilter, export, page
from app.alarms.wording import Wording
from app.model.access import Action, permit
from app.model.clock import Clock
from app.model.errors import StorageError
from app.model.quality import usable
from app.model.station import Station
from app.model.text import Text
from app.model.updates import Updates
from app.model.views import JournalRow
from app.records.service import Records
from app.records.tables import event_journal, status_last

_log = logging.getLogger("gridroom.events")


@dataclass(frozen=True, slots=True)
class _Changes:
    """Changes of status points in their order; columns of one length."""

    point: NDArray[np.int32]
    old: NDArray[np.float64]
    """NaN where the state before is not known: such a row is remembered and is no event."""
    new: NDArray[np.float64]
    quality: NDArray[np.uint16]
    time: NDArray[np.int64]
    while_stopped: NDArray[np.bool_]
    """The first value since the start: it changed at some time before."""


class Events:
    """`take` belongs to the engine's thread; everything else may be called from any."""

    def __init__(self, station: Station, records: Records, clock: Clock) -> None:
        self._station = station
        self._records = records
        self._clock = clock
        self._wording = Wording(station)
        self._status = station.columns.status
        self._last = np.full(len(station.points), np.nan)
        self._seen = np.zeros(len(station.points), np.bool_)
        self._mark = np.zeros(len(station.points), np.bool_)

    def start(self) -> None:
        """Take up the states as they were last recorded. The records must have started."""
        try:
            stored = self._records.read(_load).result()
        except StorageError as error:
            _log.error("the last recorded states are not known, changes during the standstill are missed: %s", error)
            return
        for name, value in stored:
            index = self._station.by_name.get(name)
            if index is not None:
                self._last[index] = value

    def change(self, station: Station, to_old: NDArray[np.int32]) -> None:
        """Go on with another configuration; `to_old` int32[n] is each point's row before, or -1.

        On the engine's thread, between two batches.
        """
        known = to_old >= 0
        last, seen = np.full(len(to_old), np.nan), np.zeros(len(to_old), np.bool_)
        last[known], seen[known] = self._last[to_old[known]], self._seen[to_old[known]]
        self._station, self._wording, self._status = station, Wording(station), station.columns.status
        self._last, self._seen, self._mark = last, seen, np.zeros(len(to_old), np.bool_)

    def take(self, updates: Updates) -> None:
        """Journal what changed. Unusable values say nothing, and change nothing."""
        rows = np.flatnonzero(self._status[updates.point])
        if not len(rows):
            return
        rows = rows[usable(updates.value[rows], updates.quality[rows])]
        point = updates.point[rows]
        differs = updates.value[rows] != self._last[point]
        changes = self._changes(updates.take(rows), differs) if differs.any() else None
        self._seen[point] = True
        if changes is not None:
            now = self._clock.now_ns()
            job = partial(
                self._store, changes=changes, recorded=now, station=self._station, wording=self._wording
            )  # fmt: skip
            self._records.write(job, rows=len(changes.point))  # when it fails, the records say so themselves

    @permit(Action.VIEW)
    def journal(
        self, limit: int = 1000, before_id: int | None = None, *, wanted: JournalFilter = EVERYTHING
    ) -> Future[list[JournalRow]]:
        """A page of the journal, the last recorded first; `before_id` is the id of the page before's last row."""
        return self._records.read(page(event_journal, limit, before_id, wanted))

    @permit(Action.EXPORT, changes=True)
    def export_rows(self, wanted: JournalFilter = EVERYTHING, language: str = "en") -> Future[list[tuple[Cell, ...]]]:
        """The journal as cells for a file: a header, then all rows by source time in the station's zone."""
        return self._records.read(export(event_journal, wanted, self._station.zone, language))

    def note(self, time: int, source: str, message: Text, value: float = math.nan) -> None:
        """Journal something that is no change of a point, such as an order from outside."""
        row = {
            "time": time, "recorded": self._clock.now_ns(), "source": source, "what": "order",
            "message_en": message.en, "message_zh": message.zh, "old_value": None,
            "value": None if math.isnan(value) else value, "quality": 0,
        }  # fmt: skip
        self._records.write(insert(event_journal), [row])

    def _changes(self, rows: Updates, differs: NDArray[np.bool_]) -> _Changes:
        # A row that equals the last known state counts as well when another of the same point does not.
        unruly = rows.point[differs]
        self._mark[unruly] = True
        chosen = rows.take(self._mark[rows.point])
        self._mark[unruly] = False

        by_point = np.argsort(chosen.point, kind="stable")
        chosen = chosen.take(by_point)
        first = np.ones(len(chosen), np.bool_)
        first[1:] = chosen.point[1:] != chosen.point[:-1]
        before = np.where(first, self._last[chosen.point], np.roll(chosen.value, 1))
        while_stopped = first & ~self._seen[chosen.point]
        self._last[chosen.point] = chosen.value
        changed = np.flatnonzero(chosen.value != before)
        time = np.where(chosen.time > 0, chosen.time, chosen.received)
        order = changed[np.lexsort((by_point[changed], time[changed]))]  # of one time: as they came
        return _Changes(
            chosen.point[order],
            before[order],
            chosen.value[order],
            chosen.quality[order],
            time[order],
            while_stopped[order],
        )

    @staticmethod
    def _store(connection: Connection, changes: _Changes, recorded: int, station: Station, wording: Wording) -> None:
        """On the records' thread, where building ten thousand rows holds up nobody."""
        events: list[dict[str, Any]] = []
        last: dict[str, float] = {}
        points = station.points
        for index, old, new, quality, time, while_stopped in zip(
            changes.point.tolist(), changes.old.tolist(), changes.new.tolist(), changes.quality.tolist(),
            changes.time.tolist(), changes.while_stopped.tolist(), strict=True,
        ):  # fmt: skip
            point = points[index]
            last[point.name] = new
            if old != old:  # noqa: PLR0124 (NaN: the state before is not known)
                continue
            message = wording.changed(point, old, new, while_stopped=while_stopped)
            events.append({
                "time": time, "recorded": recorded, "source": point.name, "what": "status",
                "message_en": message.en, "message_zh": message.zh, "old_value": old, "value": new,
                "quality": quality,
            })  # fmt: skip
        if events:
            connection.execute(insert(event_journal), events)
        _remember(connection, last)


def _load(connection: Connection) -> list[tuple[str, float]]:
    return [(row.source, row.value) for row in connection.execute(select(status_last))]


def _remember(connection: Connection, last: dict[str, float]) -> None:
    outdated = delete(status_last).where(status_last.c.source == bindparam("outdated"))
    connection.execute(outdated, [{"outdated": name} for name in last])
    connection.execute(insert(status_last), [{"source": name, "value": value} for name, value in last.items()])
