"""Points read once, now: value, quality, time and round trip in place below the table, or why not."""

from __future__ import annotations

import time
from typing import Final

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from app.console.pages.page import Context
from app.model.text import Text
from app.model.updates import Updates
from widgets import language
from widgets.answers import Answer, AnswerModel, AnswerTable
from widgets.icons import keep
from widgets.language import tr
from widgets.tables import row_height

_NAN: Final = float("nan")
_MOST: Final = 20
"""Each point is a request of its own, beside what the device is asked anyway."""
_MOST_SHOWN: Final = 5
HEADER_PX: Final = 32
_UNREADABLE: Final = Text("computed or written only, not to be read from the field", "计算量或只写量，无法从现场读取")


class Readings(QFrame):
    """A panel below the points; hidden until something is read."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._asked = 0
        self._rows = AnswerModel(context.facade.station.zone)
        self._title, self._note = QLabel(), QLabel()
        self._title.setProperty("heading", True)
        self._note.setProperty("soft", True)
        self._close = QToolButton()
        self._close.setProperty("flat", True)
        keep(self._close, "close")
        self._close.clicked.connect(self.hide)
        self.table = AnswerTable(self._rows)
        head = QHBoxLayout()
        head.addWidget(self._title)
        head.addWidget(self._note, 1)
        head.addWidget(self._close)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.table)
        language.changed.connect(self._retranslate)
        self._retranslate()
        self.hide()

    @property
    def answers(self) -> list[Answer]:
        """What came so far."""
        return self._rows.rows

    def _retranslate(self) -> None:
        self._title.setText(tr("Read once"))
        self._close.setToolTip(tr("Close"))
        self._close.setAccessibleName(tr("Close"))
        self._note.setText(tr("the first {n} of {m} points", n=_MOST, m=self._asked) if self._asked > _MOST else "")

    def read(self, names: list[str]) -> None:
        """Ask for these points, full names; each row is filled when its answer comes."""
        station = self._context.facade.station
        self._asked = len(names)
        answers = []
        for name in names[:_MOST]:
            point = station.points[station.by_name[name]]
            why = None if point.polled else _UNREADABLE
            answers.append(Answer(name, point.form, _NAN, 0, 0, _NAN, why, waiting=why is None))
        self._rows.show_answers(answers, self._context.bridge.snapshot.taken)
        shown = min(len(answers), _MOST_SHOWN)
        self.table.setFixedHeight(HEADER_PX + shown * row_height(self))
        self._retranslate()
        self.show()
        for row, answer in enumerate(answers):
            if answer.waiting:
                self._ask(row, answer)

    def _ask(self, row: int, answer: Answer) -> None:
        began = time.monotonic()

        def took_ms() -> float:
            return (time.monotonic() - began) * 1000

        def show(updates: Updates) -> None:
            value, quality, at = float(updates.value[0]), int(updates.quality[0]), int(updates.time[0])
            device = self._context.bridge.devices.get(answer.point.partition(".")[0])
            remark = device.remarks.get(answer.point) if device is not None else None
            self._put(row, Answer(answer.point, answer.form, value, quality, at, took_ms(), remark))

        def refuse(error: BaseException) -> None:
            why = getattr(error, "text", None)
            remark = why if isinstance(why, Text) else Text.of(str(error))
            self._put(row, Answer(answer.point, answer.form, _NAN, 0, 0, took_ms(), remark))

        self._context.bridge.ask(self._context.facade.read_once(answer.point), self, show, refuse, slot=f"read {row}")

    def _put(self, row: int, answer: Answer) -> None:
        """Unless other points were asked for meanwhile."""
        if row < len(self._rows.rows) and self._rows.rows[row].point == answer.point:
            self._rows.put(row, answer)
