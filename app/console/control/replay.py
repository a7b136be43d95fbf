"""Replay: how control stood at any minute of the past, and what the ledger says of why."""

from __future__ import annotations

import math
from datetime import datetime
from functools import partial
from typing import Final

from PySide6.QtCore import QDate, QDateTime, QTime, QTimer, QTimeZone
from PySide6.QtWidgets import QDateTimeEdit, QLabel

from app.console.control.devices import QUANTITIES, number
from app.console.pages.page import Context
from app.console.tab import Tab
from app.model.clock import SECOND_NS, from_datetime, to_datetime
from app.model.control import CLIP_NAMES, UNITS, ReplayRow, ReplayView
from widgets import language
from widgets.cells import Cell
from widgets.language import tr

STEPS: Final = {"−1 h": -3600, "−1 min": -60, "−1 s": -1, "+1 s": 1, "+1 min": 60, "+1 h": 3600}
_PLAY_MS: Final = 1000
_PLAYED_S: Final = 60

_PLAIN: Final = QTimeZone(QTimeZone.Initialization.UTC)
"""The field holds the station's wall clock: the machine's own zone must not move what falls into its summer time."""


class ReplayTab(Tab):
    title = "Replay"
    reads = "control.replay"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._settle, self._playing = QTimer(self), QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(250)
        self._settle.timeout.connect(self.reload)
        self._playing.setInterval(_PLAY_MS)
        self._playing.timeout.connect(self._on_played)
        self.at = QDateTimeEdit()
        self.at.setDisplayFormat("yyyy-MM-dd HH:mm:ss")
        self.at.setTimeZone(_PLAIN)
        self.at.setCalendarPopup(True)
        self.at.dateTimeChanged.connect(lambda *_: self._settle.start())
        self.verbs.addWidget(self.at)
        for words, seconds in STEPS.items():
            self.verb(partial(self._move, seconds)).setText(words)
        self._play = self.verb(self._on_play)
        self._play.setCheckable(True)
        self._now = self.verb(self._on_now)
        self.meter = QLabel()
        self.meter.setProperty("heading", True)
        self.verbs.addStretch(1)
        self.verbs.addWidget(self.meter)
        self.rows = self.table(
            ("Device", "Quantity", "Set by", "Requested", "Allowed", "Sent", "Flows", "Limited by", "Why"),
            (140, 160, 130, 95, 95, 95, 95, 140, 260), self._tell, stretch=8,
        )  # fmt: skip
        self.column.addWidget(self.rows, 1)
        self._seen: ReplayView | None = None
        self._begun = False

    def _tell(self, row: ReplayRow) -> list[Cell | str]:
        unit, tongue = UNITS[row.quantity], language.name()
        quantity = f"{tr(QUANTITIES[row.quantity])}, {unit}"
        numbers = [Cell(number(one), right=True) for one in (row.requested, row.allowed, row.sent, row.flows)]
        return [row.device, quantity, row.who or "–", *numbers, CLIP_NAMES[row.clip].in_(tongue), row.why]

    @property
    def at_ns(self) -> int:
        """The moment, read as the station's wall clock."""
        local = self.at.dateTime()
        day, time = local.date(), local.time()
        wall = datetime(day.year(), day.month(), day.day(), time.hour(), time.minute(), time.second(),
                        tzinfo=self.context.facade.station.zone)  # fmt: skip
        return from_datetime(wall)

    def show_at(self, time_ns: int) -> None:
        """Go to a moment."""
        local = to_datetime(time_ns).astimezone(self.context.facade.station.zone)
        day, time = QDate(local.year, local.month, local.day), QTime(local.hour, local.minute, local.second)
        self.at.setDateTime(QDateTime(day, time, _PLAIN))

    def read(self) -> None:
        if not self._begun:
            self._begun = True
            self._on_now()
        answer = self.context.facade.control.replay(self.at_ns)
        self.context.bridge.ask(answer, self, self._on_view, self._on_lost, slot="replay")

    def _on_view(self, view: ReplayView) -> None:
        self._seen = view
        self.rows.rows_model.refresh(view.rows)
        known = any(not math.isnan(one.flows) or one.row for one in view.rows)
        self.say("" if known else tr("Nothing is recorded of this moment."))
        self._say_meter()

    def _on_lost(self, error: BaseException) -> None:
        """What another moment was like stands under no time of this one."""
        self.clear()
        self._say_meter()
        self.refuse(error)

    def _say_meter(self) -> None:
        kw = self._seen.meter_kw if self._seen is not None else math.nan
        self.meter.setText(tr("Grid meter: {kw} kW", kw=number(kw)))

    def clear(self) -> None:
        self._seen = None
        self.rows.rows_model.set_rows([])

    def retranslate(self) -> None:
        self.at.setAccessibleName(tr("Moment"))
        self._now.setText(tr("Now"))
        self._play.setText(tr("Play"))
        self._play.setToolTip(tr("A minute each second"))
        self._say_meter()

    def _move(self, seconds: int) -> None:
        self.show_at(self.at_ns + seconds * SECOND_NS)

    def _on_now(self) -> None:
        self.show_at(self.context.bridge.snapshot.taken - 2 * SECOND_NS)

    def _on_play(self) -> None:
        if self._play.isChecked():
            self._playing.start()
        else:
            self._playing.stop()

    def _on_played(self) -> None:
        later = self.at_ns + _PLAYED_S * SECOND_NS
        if not self.isVisible() or later > self.context.bridge.snapshot.taken:
            self._play.setChecked(False)
            self._playing.stop()
            return
        self.show_at(later)
