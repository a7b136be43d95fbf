"""A connection's life at a glance: state, round trip, errors, last frame, next try; for a group, who is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QWidget

from app.model.station import Device, Station
from app.model.views import DeviceStatus, LinkState, Snapshot
from widgets import language, theme
from widgets.device_tree import KIND_WORDS, STATE_NAMES, paint_state
from widgets.language import tr
from widgets.times import moment_text
from widgets.values import NOTHING, age_text, format_value

PAIRS: Final = ("State", "Round trip", "Errors", "Late scans", "Last frame", "Next try", "Points without a value")
"""Titles of the figures, in rows of four."""
LINES: Final = ("Reached by", "Not online", "Last error", "The device tells")
"""Titles of the lines below them, each as wide as the card."""
_IN_A_ROW: Final = 4
_MOST_NAMES: Final = 4


class StateShape(QWidget):
    """The shape of a connection's state, as the tree paints it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state: LinkState | None = None
        self.setFixedSize(14, 14)
        theme.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_state(painter, self.state, QRectF(1, 1, 12, 12))
        painter.end()


class ConnectionCard(QFrame):
    """Shows the devices given by `show_devices`; `set_status` each second."""

    def __init__(self, station: Station, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._station = station
        self._devices: list[Device] = []
        self._status: Mapping[str, DeviceStatus] = {}
        self._snapshot: Snapshot | None = None
        self.setProperty("panel", True)
        self._shape = StateShape()
        self._titles = {name: QLabel() for name in (*PAIRS, *LINES)}
        self._texts = {name: QLabel() for name in (*PAIRS, *LINES)}
        for label in self._titles.values():
            label.setProperty("soft", True)
        self._lay_out()
        language.changed.connect(self._retranslate)
        self._retranslate()

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(10, 6, 10, 6)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(3)
        state = QHBoxLayout()
        state.setSpacing(4)
        state.addWidget(self._shape)
        state.addWidget(self._texts["State"])
        for i, name in enumerate(PAIRS):
            row, column = i // _IN_A_ROW, i % _IN_A_ROW * 2
            grid.addWidget(self._titles[name], row, column)
            if name == "State":
                grid.addLayout(state, row, column + 1)
            else:
                grid.addWidget(self._texts[name], row, column + 1)
        below = (len(PAIRS) + _IN_A_ROW - 1) // _IN_A_ROW
        for i, name in enumerate(LINES, start=below):
            text = self._texts[name]
            text.setWordWrap(True)
            text.setTextFormat(Qt.TextFormat.PlainText)
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            grid.addWidget(self._titles[name], i, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(text, i, 1, 1, 2 * _IN_A_ROW - 1)
        for column in range(1, 2 * _IN_A_ROW, 2):
            grid.setColumnStretch(column, 2 if column == 1 else 1)

    def show_devices(self, devices: Sequence[Device]) -> None:
        """One device, or all of a group."""
        self._devices = list(devices)
        self._refresh()

    def set_status(self, status: Mapping[str, DeviceStatus], snapshot: Snapshot) -> None:
        """How the connections are now, and when their points were last received."""
        self._status, self._snapshot = status, snapshot
        self._refresh()

    def text(self) -> str:
        """All it says, for a screen reader and for tests."""
        shown = (name for name in self._texts if not self._texts[name].isHidden())
        return "\n".join(f"{self._titles[name].text()}: {self._texts[name].text()}" for name in shown)

    # ---------------------------------------------------------------------------------------------------- content

    def _refresh(self) -> None:
        known = [self._status[device.id] for device in self._devices if device.id in self._status]
        single = len(self._devices) == 1
        self.setVisible(bool(known))
        if not known or self._snapshot is None:
            return
        if single:
            said = self._of_one(self._devices[0], known[0], self._snapshot)
        else:
            said = self._of_many(known, self._snapshot)
        self._shape.setVisible(single)
        self._shape.state = known[0].state if single else None
        self._shape.update()
        for name, label in self._texts.items():
            text = said.get(name, "")
            label.setText(text)
            label.setVisible(bool(text))
            self._titles[name].setVisible(bool(text))
        trouble = single and known[0].state is LinkState.LOST
        if self._texts["State"].property("state") != ("bad" if trouble else ""):
            self._texts["State"].setProperty("state", "bad" if trouble else "")
            self._texts["State"].style().polish(self._texts["State"])
        self.setAccessibleName(self.text())

    def _of_one(self, device: Device, status: DeviceStatus, snapshot: Snapshot) -> dict[str, str]:
        now, zone = snapshot.taken, self._station.zone
        since = moment_text(status.since, zone, now)
        ahead = status.next_try - now
        tongue = language.name()
        return {
            "State": tr("{state} since {time}", state=tr(STATE_NAMES[status.state]), time=since),
            "Round trip": NOTHING if math.isnan(status.rtt_ms) else format_value(status.rtt_ms, 1, "ms"),
            "Errors": f"{status.errors:,}",
            "Late scans": f"{status.late_scans:,}",
            "Last frame": self._last_frame([device], snapshot),
            "Next try": (tr("in {time}", time=age_text(ahead)) if ahead > 0 else tr("now"))
            if status.next_try
            else NOTHING,
            "Points without a value": f"{len(status.remarks):,}" if status.remarks else "",
            "Reached by": _reached(device),
            "Last error": status.last_error.in_(tongue) if status.last_error else "",
            "The device tells": "  ·  ".join(
                f"{_label(device, key, tongue)}: {text}" for key, text in status.texts.items()
            ),
        }

    def _of_many(self, known: Sequence[DeviceStatus], snapshot: Snapshot) -> dict[str, str]:
        online = sum(status.state is LinkState.ONLINE for status in known)
        trips = [status.rtt_ms for status in known if not math.isnan(status.rtt_ms)]
        missing = [status for status in known if status.state is not LinkState.ONLINE]
        names = [self._station.by_id[status.device].name.in_(language.name()) for status in missing]
        listed = " · ".join(names[:_MOST_NAMES])
        if len(names) > _MOST_NAMES:
            listed = tr("{names} and {n} more", names=listed, n=len(names) - _MOST_NAMES)
        return {
            "State": tr("{n} of {m} online", n=online, m=len(known)),
            "Round trip": tr("up to {time}", time=format_value(max(trips), 1, "ms")) if trips else NOTHING,
            "Errors": f"{sum(status.errors for status in known):,}",
            "Late scans": f"{sum(status.late_scans for status in known):,}",
            "Last frame": self._last_frame(self._devices, snapshot),
            "Not online": listed,
        }

    def _last_frame(self, devices: Sequence[Device], snapshot: Snapshot) -> str:
        """When a point of theirs was last received, and how long ago."""
        received = [
            int(snapshot.received[point.index]) for device in devices for point in device.points if point.polled
        ]
        newest = max(received, default=0)
        if newest <= 0:
            return NOTHING
        clock = moment_text(newest, self._station.zone, snapshot.taken)
        return tr("{time}, {age} ago", time=clock, age=age_text(snapshot.taken - newest))

    def _retranslate(self) -> None:
        for name, label in self._titles.items():
            label.setText(tr(name))
        self._refresh()


def _reached(device: Device) -> str:
    """What it is, and where."""
    where = [str(device.connection[key]) for key in ("host", "device", "url", "broker") if key in device.connection]
    if where and "port" in device.connection:
        where[0] += f":{device.connection['port']}"
    if "unit" in device.connection:
        where.append(tr("unit {n}", n=device.connection["unit"]))
    what = " ".join(filter(None, (device.vendor, device.model)))
    return "  ·  ".join(filter(None, (tr(KIND_WORDS[device.kind]), what, device.driver or "", " ".join(where))))


def _label(device: Device, point: str, tongue: str) -> str:
    found = device.point(point)
    return found.label.in_(tongue) if found is not None else point
