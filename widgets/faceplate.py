"""The faceplate of one device: state, main values with small trends, connection, last alarms, ways to more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.model.clock import SECOND_NS
from app.model.config import PointKind
from app.model.roles import ROLES
from app.model.station import Device, Point, Station
from app.model.units import symbol
from app.model.views import AlarmRow, DeviceStatus, Series, Snapshot
from widgets import language, theme
from widgets.alarm_words import message_text, unacknowledged, urgency
from widgets.bars import RangeBar, Sparkline
from widgets.connection_card import StateShape
from widgets.device_tree import KIND_WORDS, STATE_NAMES
from widgets.icons import keep, paint_priority
from widgets.language import tr
from widgets.point_tip import point_tip
from widgets.times import moment_text
from widgets.value_label import ValueLabel
from widgets.values import NOTHING, age_text, format_value

_MOST_VALUES: Final = 7
_MOST_ALARMS: Final = 4
_SPARKS: Final = 3
_RENEWED_SCANS: Final = 3
"""A value that is not older was read lately: one scan may be missed without a word."""
SPARK_NS: Final = 15 * 60 * SECOND_NS


def main_points(device: Device) -> list[Point]:
    """What a person wants to see of a device first: its roles in the order of the vocabulary, then measurements."""
    order = {role: i for i, role in enumerate(ROLES)}
    shown = (PointKind.MEASUREMENT, PointKind.STATUS, PointKind.COUNTER)
    points = [point for point in device.points if not point.own and point.kind in shown]
    with_role = sorted((p for p in points if p.form.role), key=lambda p: order[p.form.role or ""])
    without = [p for p in points if not p.form.role]
    return [*with_role, *without][:_MOST_VALUES]


class _AlarmLine(QWidget):
    def __init__(self, row: AlarmRow, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._row = row
        label = QLabel(text)
        label.setWordWrap(True)
        line = QHBoxLayout(self)
        line.setContentsMargins(20, 0, 0, 0)
        line.addWidget(label)
        theme.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_priority(painter, self._row.priority, QRectF(2, 4, 11, 11), filled=unacknowledged(self._row))
        painter.end()


class _Value(QWidget):
    """One main value: name, number, and where there is a range or history, a bar and a small trend."""

    def __init__(self, point: Point, *, spark: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.point = point
        self._shown: tuple[Station, Snapshot] | None = None
        self.name = QLabel(point.label.in_(language.name()))
        self.name.setProperty("soft", True)
        self.name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.name.setWordWrap(True)
        self.value = ValueLabel(15, widest="−00,000.0", unit=symbol(point.unit))
        self.bar = RangeBar(*point.form.range, point.form.alarms) if point.form.range is not None else None
        self.spark = Sparkline() if spark else None
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 2, 0, 2)
        grid.setVerticalSpacing(1)
        grid.addWidget(self.name, 0, 0)
        grid.addWidget(self.value, 0, 1)
        grid.setColumnStretch(0, 1)
        language.changed.connect(self._on_language)
        for row, extra in enumerate((self.bar, self.spark), start=1):
            if extra is not None:
                grid.addWidget(extra, row, 0, 1, 2)

    def show_value(self, station: Station, snapshot: Snapshot) -> None:
        self._shown = station, snapshot
        i = self.point.index
        value, quality, time = float(snapshot.value[i]), int(snapshot.quality[i]), int(snapshot.time[i])
        text = format_value(value, self.point.form.precision, "", self.point.form.states)
        age_ns = snapshot.taken - time if time else 0
        if age_ns <= _RENEWED_SCANS * self.point.form.scan * SECOND_NS:
            age_ns = 0  # it comes, and is not topical all the same (stuck): its letters say so, and no age would
        self.value.set_text(text, quality, age_ns)
        self.value.setToolTip(point_tip(station, snapshot, self.point))
        if self.bar is not None:
            self.bar.set_value(value, quality)

    def _on_language(self) -> None:
        if self._shown is not None:  # states and the hover's words
            self.show_value(*self._shown)


class Faceplate(QFrame):
    """Shows one device at a time. What it cannot know by itself it asks for by signals."""

    closed = Signal()
    points_asked = Signal(str)
    """Show all points of this device."""
    trend_asked = Signal(list)
    """Full point names."""
    alarms_asked = Signal(str)
    history_asked = Signal(list)
    """Full names of the points whose last fifteen minutes it would like: answer with `set_history`."""

    def __init__(self, station: Station, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._station = station
        self._device: Device | None = None
        self._values: list[_Value] = []
        self._status: DeviceStatus | None = None
        self._alarms: tuple[AlarmRow, ...] = ()
        self._now_ns = 0
        self.setObjectName("drawer")
        self._title, self._kind = QLabel(), QLabel()
        self._title.setProperty("level", "title")
        self._title.setWordWrap(True)
        self._kind.setProperty("soft", True)
        self._kind.setWordWrap(True)
        self._close = QToolButton()
        self._close.setProperty("flat", True)
        keep(self._close, "close")
        self._close.clicked.connect(self.closed)
        self._shape, self._state = StateShape(), QLabel()
        self._value_box, self._alarm_box = QVBoxLayout(), QVBoxLayout()
        self._value_box.setSpacing(4)
        self._alarm_box.setSpacing(4)
        self._link_labels = [QLabel() for _ in range(8)]
        self._headings = [QLabel() for _ in range(3)]
        self._buttons = [QPushButton() for _ in range(3)]
        self._lay_out()
        language.changed.connect(self._on_language)
        self._retranslate()

    def _lay_out(self) -> None:
        head = QGridLayout()
        head.setVerticalSpacing(2)
        head.addWidget(self._title, 0, 0, 1, 2)
        head.addWidget(self._close, 0, 2, Qt.AlignmentFlag.AlignTop)
        head.addWidget(self._kind, 1, 0, 1, 3)
        head.addWidget(self._shape, 2, 0)
        head.addWidget(self._state, 2, 1)
        head.setColumnStretch(1, 1)
        links = QGridLayout()
        links.setHorizontalSpacing(12)
        links.setVerticalSpacing(3)
        links.setColumnStretch(1, 1)
        for i, label in enumerate(self._link_labels):
            label.setProperty("soft", i % 2 == 0)
            label.setWordWrap(i % 2 == 1)
            links.addWidget(label, i // 2, i % 2, Qt.AlignmentFlag.AlignTop)
        inside = QWidget()
        body = QVBoxLayout(inside)
        body.setContentsMargins(0, 0, 6, 0)
        body.setSpacing(8)
        for heading, content in zip(self._headings, (self._value_box, links, self._alarm_box), strict=True):
            heading.setProperty("heading", True)
            body.addWidget(heading)
            body.addLayout(content)
            body.addSpacing(4)
        body.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(inside)
        scroll.viewport().setAutoFillBackground(False)
        inside.setAutoFillBackground(False)
        foot = QHBoxLayout()
        foot.setSpacing(6)
        for button, ask in zip(self._buttons, (self._ask_points, self._ask_trend, self._ask_alarms), strict=True):
            button.clicked.connect(ask)
            foot.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 10, 12)
        column.setSpacing(10)
        column.addLayout(head)
        column.addWidget(scroll, 1)
        column.addLayout(foot)

    # ---------------------------------------------------------------------------------------------------- content

    @property
    def device(self) -> Device | None:
        """What it shows."""
        return self._device

    def show_device(self, device: Device, snapshot: Snapshot) -> None:
        """Show another device, with what the snapshot says of it."""
        self._device = device
        self._status = None
        for value in self._values:
            self._value_box.removeWidget(value)
            value.hide()
            value.deleteLater()
        points = main_points(device)
        sparks = [p for p in points if p.kind is PointKind.MEASUREMENT][:_SPARKS]
        self._values = [_Value(point, spark=point in sparks) for point in points]
        for value in self._values:
            self._value_box.addWidget(value)
        self._retranslate()
        self.set_snapshot(snapshot)
        self.ask_history()

    def ask_history(self) -> None:
        """Ask for the small trends anew."""
        names = [value.point.name for value in self._values if value.spark is not None]
        if names:
            self.history_asked.emit(names)

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """New values."""
        self._now_ns = snapshot.taken
        for value in self._values:
            value.show_value(self._station, snapshot)

    def set_history(self, series: Sequence[Series], start_ns: int, end_ns: int) -> None:
        """The last minutes, for the small trends; gaps are cut out of the lines."""
        found = {one.point: one for one in series}
        for value in self._values:
            one = found.get(value.point.name)
            if value.spark is not None and one is not None:
                mean = one.mean.copy()
                for start, end in one.gaps:
                    mean[(one.time >= start) & (one.time < end)] = math.nan
                value.spark.set_series(one.time, mean, start_ns, end_ns)

    def set_status(self, status: DeviceStatus | None) -> None:
        """How its connection is."""
        self._status = status
        self._shape.state = status.state if status else None
        self._shape.update()
        if status is None:
            self._state.setText(tr("computed, without a connection"))
        else:
            since = moment_text(status.since, self._station.zone, self._now_ns)
            self._state.setText(tr("{state} since {time}", state=tr(STATE_NAMES[status.state]), time=since))
        for label, text in zip(self._link_labels[1::2], self._link_texts(status), strict=True):
            label.setText(text)

    def set_alarms(self, rows: Sequence[AlarmRow]) -> None:
        """All alarms; those of the device are shown, the most important first."""
        self._alarms = tuple(rows)
        while self._alarm_box.count():
            line = self._alarm_box.takeAt(0).widget()
            line.hide()
            line.deleteLater()
        mine = sorted(
            (row for row in rows if self._device and row.source.startswith(f"{self._device.id}.")), key=urgency
        )
        for row in mine[:_MOST_ALARMS]:
            time = moment_text(row.raised, self._station.zone, self._now_ns)
            text = f"{time}  {message_text(self._station, row)}"
            self._alarm_box.addWidget(_AlarmLine(row, text))
        if not mine:
            none = QLabel(tr("No alarm"))
            none.setProperty("soft", True)
            self._alarm_box.addWidget(none)

    def _link_texts(self, status: DeviceStatus | None) -> tuple[str, str, str, str]:
        if status is None:
            return (NOTHING,) * 4
        rtt = NOTHING if math.isnan(status.rtt_ms) else format_value(status.rtt_ms, 1, "ms")
        next_try = NOTHING
        if status.next_try:
            ahead = status.next_try - self._now_ns
            next_try = tr("in {time}", time=age_text(ahead)) if ahead > 0 else tr("now")
        last_error = status.last_error.in_(language.name()) if status.last_error else NOTHING
        return rtt, str(status.errors), last_error, next_try

    # ------------------------------------------------------------------------------------------------- texts

    def _retranslate(self) -> None:
        for heading, text in zip(self._headings, ("Values", "Connection", "Alarms"), strict=True):
            heading.setText(tr(text))
        for button, text in zip(self._buttons, ("Points", "Trend", "Alarms"), strict=True):
            button.setText(tr(text))
        for label, text in zip(self._link_labels[::2], ("Round trip", "Errors", "Last error", "Next try"), strict=True):
            label.setText(tr(text))
        self._close.setToolTip(tr("Close (Esc)"))
        self._close.setAccessibleName(tr("Close (Esc)"))
        if self._device is not None:
            self._title.setText(self._device.name.in_(language.name()))
            model = " ".join(filter(None, (self._device.vendor, self._device.model)))
            self._kind.setText(" · ".join(filter(None, (tr(KIND_WORDS[self._device.kind]), model, self._device.id))))
            for value in self._values:
                value.name.setText(value.point.label.in_(language.name()))

    def _on_language(self) -> None:
        self._retranslate()
        self.set_status(self._status)
        self.set_alarms(self._alarms)

    def _ask_points(self) -> None:
        if self._device is not None:
            self.points_asked.emit(self._device.id)

    def _ask_trend(self) -> None:
        self.trend_asked.emit([value.point.name for value in self._values if value.spark is not None])

    def _ask_alarms(self) -> None:
        if self._device is not None:
            self.alarms_asked.emit(self._device.id)
