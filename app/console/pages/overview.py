"""Overview: key figures of the station above its single-line diagram."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from app.console.diagram_values import DiagramValues
from app.console.pages.page import Context, Page
from app.console.station_time import StationTime
from app.energy.figures import Figure, Figures
from app.energy.today import day_start_ns
from app.model.clock import SECOND_NS
from app.model.quality import DERIVED, ESTIMATED
from app.model.station import Station
from app.model.views import AlarmRow, DeviceStatus, Health, Snapshot
from widgets.alarm_words import by_device
from widgets.bars import RangeBar
from widgets.diagram import DiagramView, from_station
from widgets.language import tr
from widgets.times import moment_text
from widgets.value_label import ValueLabel
from widgets.values import format_value

_TILE_PX: Final = 132
_NARROW_TILE_PX: Final = 152
_NARROW_BELOW_PX: Final = 200
"""Tiles less wide put the caption of their energies on a line of its own."""
_TOLD_OTHERWISE: Final = DERIVED | ESTIMATED
"""Of a sum: a tile says these two by `5/6` and by words."""
_IDLE_KW: Final = 0.5
"""Below this no direction is claimed."""
_LATE_START_NS: Final = 15 * 60 * SECOND_NS


class _Tile(QFrame):
    """One key figure: name, number, a line of words, and up to two lines of today's energies in kWh."""

    def __init__(self, title: str, unit: str, *, bar: bool = False, lines: int = 0, line_unit: str = "") -> None:
        super().__init__()
        self._title_text = title
        self.setProperty("panel", True)
        self.setMinimumWidth(148)
        self.setFixedHeight(_TILE_PX)
        self._title, self._missing, self._words = (_line() for _ in range(3))
        self._captions = (_line(), _line())
        """Beside the words, and below them where a tile is narrow."""
        self._caption = ""
        self._narrow = False
        self._title.setProperty("soft", True)
        self._missing.setProperty("state", "bad")
        for caption in self._captions:
            caption.setProperty("soft", True)
            caption.hide()
        self._value = ValueLabel(22, widest="00,000.0", unit=unit, right=False)
        self._bar = RangeBar(0, 100) if bar else None
        self._lines = [
            (_line(), ValueLabel(13, widest="0,000.0" if line_unit else "00,000.0", unit=line_unit))
            for _ in range(lines)
        ]
        head = QHBoxLayout()
        head.addWidget(self._title, 1)
        head.addWidget(self._missing)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 6, 10, 6)
        column.setSpacing(1)
        column.addLayout(head)
        column.addWidget(self._value)
        if self._bar is not None:
            column.addWidget(self._bar)
        middle = QHBoxLayout()
        middle.addWidget(self._words, 1)
        middle.addWidget(self._captions[0])
        column.addLayout(middle)
        column.addWidget(self._captions[1])
        for label, value in self._lines:
            label.setProperty("soft", True)
            line = QHBoxLayout()
            line.addWidget(label, 1)
            line.addWidget(value)
            column.addLayout(line)
        column.addStretch(1)

    def show_figure(self, figure: Figure, words: str, *, magnitude: bool = False) -> None:
        """The number, and words that say its direction or what it consists of."""
        value = abs(figure.value) if magnitude else figure.value
        self._title.setText(tr(self._title_text))
        self._value.set_text(format_value(value, 1), figure.quality & ~_TOLD_OTHERWISE)
        self._missing.setText(f"{figure.used}/{figure.of}" if figure.used < figure.of else "")
        self._missing.setToolTip(tr("{n} of {m} devices give a usable value", n=figure.used, m=figure.of))
        self._words.setText(words)
        if self._bar is not None:
            self._bar.set_value(figure.value, figure.quality)

    def set_narrow(self, narrow: bool) -> None:
        """Whether the tile has no room for its caption beside its words."""
        self._narrow = narrow
        self.setFixedHeight(_NARROW_TILE_PX if narrow else _TILE_PX)
        for label, below in zip(self._captions, (False, True), strict=True):
            label.setText(self._caption)
            label.setVisible(bool(self._caption) and below == narrow)

    def show_energies(self, caption: str, *energies: tuple[str, Figure]) -> None:
        """Label and energy of today, a line each, under a caption that says since when. What is not there has none."""
        caption = caption if any(figure.there for _, figure in energies) else ""
        if caption != self._caption:
            self._caption = caption
            self.set_narrow(self._narrow)
        for (label, value), (text, figure) in zip(self._lines, energies, strict=True):
            label.setVisible(figure.there)
            value.setVisible(figure.there)
            label.setText(text)
            value.set_text(format_value(figure.value, 1), figure.quality & ~_TOLD_OTHERWISE)


def _line() -> QLabel:
    label = QLabel()
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    return label


class FigureStrip(QWidget):
    """The key figures of any station: tiles for what it has."""

    def __init__(self) -> None:
        super().__init__()
        self._tiles = {
            "pv": _Tile("PV", "kW", lines=1),
            "storage": _Tile("Storage", "kW", lines=2),
            "soc": _Tile("State of charge", "%", bar=True),
            "load": _Tile("Load", "kW", lines=1, line_unit="kW"),
            "grid": _Tile("Grid", "kW", lines=2),
            "genset": _Tile("Genset", "kW"),
        }
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for tile in self._tiles.values():
            row.addWidget(tile)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        shown = [tile for tile in self._tiles.values() if not tile.isHidden()]
        narrow = self.width() < _NARROW_BELOW_PX * max(len(shown), 1)
        for tile in self._tiles.values():
            tile.set_narrow(narrow)

    def show_figures(self, figures: Figures, since: str) -> None:
        """New numbers. `since` says from when the energies count: `kWh today`, or `kWh since 09:12`."""
        tiles = self._tiles
        there = {name: getattr(figures, name).there for name in tiles}
        for name, tile in tiles.items():
            tile.setVisible(there[name])
        self.setVisible(any(there.values()))
        tiles["pv"].show_figure(figures.pv, "")
        tiles["pv"].show_energies(since, (tr("generated"), figures.pv_today))
        words = _direction(figures.storage, "↑ discharging", "↓ charging")
        tiles["storage"].show_figure(figures.storage, words, magnitude=True)
        tiles["storage"].show_energies(
            since, (tr("charged"), figures.charged_today), (tr("discharged"), figures.discharged_today)
        )
        tiles["soc"].show_figure(figures.soc, "")
        tiles["load"].show_figure(figures.load, tr("from the balance") if figures.load.quality & ESTIMATED else "")
        tiles["load"].show_energies("", (tr("+ chargers"), figures.chargers))
        words = _direction(figures.grid, "↓ importing", "↑ exporting")
        tiles["grid"].show_figure(figures.grid, words, magnitude=True)
        tiles["grid"].show_energies(
            since, (tr("imported"), figures.import_today), (tr("exported"), figures.export_today)
        )
        tiles["genset"].show_figure(figures.genset, "")


def _direction(figure: Figure, positive: str, negative: str) -> str:
    """An arrow and a word, so that nobody has to know the sign convention."""
    if math.isnan(figure.value):
        return ""
    if abs(figure.value) < _IDLE_KW:
        return tr("at rest")
    return tr(positive if figure.value > 0 else negative)


def since_words(figures: Figures, station: Station, now_ns: int) -> str:
    """`kWh today`, or from when where the first readings of the day came late."""
    since = max(f.since for f in (figures.pv_today, figures.charged_today, figures.import_today))
    if since - day_start_ns(station, now_ns) < _LATE_START_NS:
        return tr("kWh today")
    return tr("kWh since {time}", time=moment_text(since, station.zone, now_ns)[:-3])


class OverviewPage(Page):
    name = "overview"
    title = "Overview"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.strip = FigureStrip()
        elements = from_station(self.station)
        self._reader = DiagramValues(self.station, elements)
        self.diagram = DiagramView(clock=StationTime(context.bridge))
        self.diagram.set_zone(self.station.zone)
        self.diagram.set_elements(elements)
        self._devices = {element.id: element.device for element in elements if element.device}
        self.diagram.selected.connect(self._on_selected)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(8)
        column.addWidget(self.strip)
        column.addWidget(self.diagram, 1)
        self.retranslate()

    def retranslate(self) -> None:
        self.diagram.setAccessibleName(tr("Single-line diagram"))
        self._show_figures(self.context.bridge.snapshot)
        self._show_diagram()

    def main_widget(self) -> QWidget:
        return self.diagram

    def take_values(self, changed: NDArray[np.intp], snapshot: Snapshot) -> None:
        self._show_figures(snapshot)
        if self._reader.touched(changed):
            self._show_diagram()

    def take_alarms(self, rows: tuple[AlarmRow, ...]) -> None:
        self._show_diagram()

    def take_health(self, health: Health, devices: dict[str, DeviceStatus]) -> None:
        self._show_diagram()

    def _show_diagram(self) -> None:
        bridge = self.context.bridge
        self.diagram.set_values(self._reader.read(bridge.snapshot, bridge.devices, by_device(bridge.alarm_rows)))

    def _on_selected(self, element: str) -> None:
        device = self._devices.get(element)
        if device is not None:
            self.context.intents.device.emit(device)

    def _show_figures(self, snapshot: Snapshot) -> None:
        figures = self.context.facade.figures(snapshot)
        self.strip.show_figures(figures, since_words(figures, self.station, snapshot.taken))
