"""What every page is given and what it offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QWidget

from app.console.bridge import Bridge
from app.console.door import Door
from app.console.settings import Settings
from app.facade import StationFacade
from app.model.views import AlarmRow, DeviceStatus, Health, Snapshot
from widgets import language


class Intents(QObject):
    """What a page wants of the window."""

    device = Signal(str)
    """Open the faceplate of a device."""
    looked_at = Signal(str)
    """A device is being looked at: an open faceplate follows."""
    devices_page = Signal(str)
    """Show all points of a device."""
    trend = Signal(list)
    """Show these points, full names, on the Trends page."""
    alarms_page = Signal(str)
    """Show the alarms; of this device where it is not empty."""


@dataclass(frozen=True)
class Context:
    """Everything that a page stands on."""

    facade: StationFacade
    bridge: Bridge
    settings: Settings
    intents: Intents
    door: Door
    """Who is here, and what he may do."""


class Page(QWidget):
    """A page appears with the last data at once, follows the bridge while it is seen, and sleeps otherwise."""

    name: ClassVar[str] = ""
    """Of the settings and screenshots, and the key of its icon."""
    title: ClassVar[str] = ""
    """English; the rail shows `tr(title)`."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context
        self.station = context.facade.station
        bridge = context.bridge
        bridge.values.connect(self._on_values)
        bridge.alarms.connect(self._on_alarms)
        bridge.health.connect(self._on_health)
        context.door.changed.connect(self.show_rights)
        language.changed.connect(self.retranslate)

    def retranslate(self) -> None:
        """Set every text anew. Called after the page is built and when the language changes."""

    def show_rights(self) -> None:
        """Enable what who is here may do, and say why not of the rest. Called when that has changed."""

    def main_widget(self) -> QWidget:
        """Where the keyboard goes when the page is chosen by a key."""
        return self

    def take_values(self, changed: NDArray[np.intp], snapshot: Snapshot) -> None:
        """New values, while the page is seen; `changed` is every row when it appears."""

    def take_alarms(self, rows: tuple[AlarmRow, ...]) -> None:
        """Another set of alarms, while the page is seen."""

    def take_health(self, health: Health, devices: dict[str, DeviceStatus]) -> None:
        """Each second, while the page is seen."""

    def resume(self, before: Page) -> None:
        """Take over what the same page of an earlier window had open, when the configuration has changed."""

    def remember(self) -> None:
        """Put into the settings what should be as it is now at the next start."""

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        bridge = self.context.bridge
        self.take_alarms(bridge.alarm_rows)
        self.take_health(bridge.health_now, bridge.devices)
        self.take_values(np.arange(len(self.station.points)), bridge.snapshot)

    def _on_values(self, changed: NDArray[np.intp], snapshot: Snapshot) -> None:
        if self.isVisible():
            self.take_values(changed, snapshot)

    def _on_alarms(self, rows: tuple[AlarmRow, ...]) -> None:
        if self.isVisible():
            self.take_alarms(rows)

    def _on_health(self, health: Health, devices: dict[str, DeviceStatus]) -> None:
        if self.isVisible():
            self.take_health(health, devices)
