"""A changed configuration, given to a running station without stopping what it does not touch; or refused whole.

Everything that can fail is done first, beside the running station. What is left is one moment on the engine's loop,
between two batches, after which every part speaks of the new points.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from app.alarms.events import Events
from app.alarms.service import Alarms
from app.configuration import Configuration
from app.control.service import Control
from app.engine.engine import Engine
from app.engine.thread import EngineThread
from app.history.service import History
from app.history.writer import Failures
from app.model.errors import GridroomError, words_of
from app.model.station import Station
from app.model.succession import Succession, fixed_changes
from app.model.text import Text
from app.northbound.service import Northbound


@dataclass(frozen=True, slots=True)
class Parts:
    """Of a running station, those that know its points."""

    engine: Engine
    thread: EngineThread
    history: History
    alarms: Alarms
    events: Events
    northbound: Northbound
    control: Control


def change(parts: Parts, before: Station, after: Configuration, swap: Callable[[], None]) -> Succession:
    """Give a configuration to the running station. Not on the loop: it waits for the disk, and for lines to close.

    `swap` is called on the loop in the one moment. Raises GridroomError, and then nothing has changed.
    """
    station = after.station
    if fixed := fixed_changes(before, station):
        words = ", ".join(fixed)
        raise GridroomError(
            Text(
                f"{words}: taken with the next start only; nothing is changed. Restart the station, or take it back",
                f"{words}：仅在下次启动时生效；现未作任何更改。请重启站点，或撤回该修改",
            )
        )
    prepared = parts.engine.prepare(station, after.expressions)
    succession = prepared.succession
    watch = parts.alarms.prepare(station)
    offer = parts.northbound.prepare(after.centres, station)
    controller = parts.control.prepare(station, after.strategies)
    try:
        recording = parts.history.prepare(station)
    except Failures as error:
        why = words_of(error)
        text = Text(
            f"the history cannot take new points: {why.en}; nothing is changed",
            f"历史库无法接纳新测点：{why.zh}；未作更改",
        )
        raise GridroomError(text) from error

    def all_at_once() -> None:
        parts.history.change(recording)
        parts.alarms.change(watch)
        parts.events.change(station, succession.to_old)
        parts.northbound.change(offer, succession.to_old)
        parts.control.change(controller)
        swap()

    changed: Future[Any] = parts.thread.ask(parts.engine.change(prepared, all_at_once))
    try:
        changed.result()
    except RuntimeError as error:
        text = Text("the engine does not run; restart the station", "采集引擎未运行；请重启站点")
        raise GridroomError(text) from error
    parts.northbound.settle(offer)
    return succession
