"""Devices: the tree, all points of what is chosen in it, and its connection."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QSplitter, QVBoxLayout, QWidget

from app.console.pages.page import Context, Page
from app.model.views import AlarmRow, DeviceStatus, Health, Snapshot
from widgets import language
from widgets.alarm_words import by_device
from widgets.device_tree import KIND_WORDS, STATE_NAMES, DeviceTree, DeviceTreeModel
from widgets.icons import keep
from widgets.language import tr
from widgets.point_table import Column, PointModel, PointTable
from widgets.times import moment_text
from widgets.values import NOTHING, age_text, format_value


class DevicesPage(Page):
    name = "devices"
    title = "Devices"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._ids: list[str] = []
        self.tree = DeviceTree(DeviceTreeModel(self.station))
        self.model = PointModel(self.station, context.bridge.snapshot)
        self.table = PointTable(self.model)
        self.table.restore_columns(context.settings.get("devices.columns", {}))
        self.filter = QLineEdit()
        self.filter.setClearButtonEnabled(True)
        self._heading, self._count = QLabel(), QLabel()
        self._heading.setProperty("level", "title")
        self._count.setProperty("soft", True)
        self._link = QLabel()
        self._link.setWordWrap(True)
        self._link.setTextFormat(Qt.TextFormat.PlainText)
        self._columns, self._copy, self._trend, self._faceplate = (QPushButton() for _ in range(4))
        for button, icon in (
            (self._columns, "columns"), (self._copy, "copy"), (self._trend, "trends"), (self._faceplate, "devices"),
        ):  # fmt: skip
            keep(button, icon)
        self._lay_out()
        self.filter.textChanged.connect(self._on_filter)
        self.tree.chosen.connect(self._on_chosen)
        self.tree.opened.connect(context.intents.device)
        self._columns.clicked.connect(self._on_columns)
        self._copy.clicked.connect(self.table.copy)
        self._trend.clicked.connect(self._on_trend)
        self._faceplate.clicked.connect(self._on_faceplate)
        self.table.trend_asked.connect(context.intents.trend)
        find = QShortcut(QKeySequence("Ctrl+F"), self)
        find.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        find.activated.connect(self.filter.setFocus)
        self.retranslate()
        stored = context.settings.get("devices.chosen", "")
        if stored in self.station.by_id:
            self.tree.choose(stored)
        else:
            self.tree.choose_all()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self._heading)
        head.addWidget(self._count)
        head.addStretch(1)
        for button in (self._faceplate, self._trend, self._copy, self._columns):
            head.addWidget(button)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self._link)
        column.addWidget(self.filter)
        column.addWidget(self.table, 1)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(8)
        self.splitter.addWidget(self.tree)
        self.splitter.addWidget(right)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes(self.context.settings.get("devices.split", []) or [250, 1000])
        whole = QHBoxLayout(self)
        whole.setContentsMargins(12, 12, 12, 12)
        whole.addWidget(self.splitter)

    def retranslate(self) -> None:
        self.filter.setPlaceholderText(tr("Filter by name, id, unit or device"))
        self.filter.setAccessibleName(tr("Filter by name, id, unit or device"))
        self.tree.setAccessibleName(tr("Devices"))
        self._columns.setText(tr("Columns"))
        self._copy.setText(tr("Copy"))
        self._copy.setToolTip(tr("Copy the selected rows with headers (Ctrl+C)"))
        self._trend.setText(tr("Send to trend"))
        self._trend.setToolTip(tr("Show the selected points on the Trends page (Enter)"))
        self._faceplate.setText(tr("Faceplate"))
        self._describe()

    def main_widget(self) -> QWidget:
        return self.tree

    def show_device(self, device_id: str) -> None:
        """Choose a device in the tree."""
        self.filter.clear()
        self.tree.choose(device_id)

    # --------------------------------------------------------------------------------------------------- live

    def take_values(self, changed: NDArray[np.intp], snapshot: Snapshot) -> None:
        self.model.set_snapshot(changed, snapshot, self.table.visible_rows())

    def take_alarms(self, rows: tuple[AlarmRow, ...]) -> None:
        self.tree.tree.set_status(self.context.bridge.devices, by_device(rows))

    def take_health(self, health: Health, devices: dict[str, DeviceStatus]) -> None:
        self.tree.tree.set_status(devices, by_device(self.context.bridge.alarm_rows))
        self.model.set_remarks({name: why for status in devices.values() for name, why in status.remarks.items()})
        self.model.tick(self.table.visible_rows())
        self._describe()

    def remember(self) -> None:
        settings = self.context.settings
        settings.set("devices.columns", self.table.columns())
        settings.set("devices.split", self.splitter.sizes())
        settings.set("devices.chosen", self._ids[0] if len(self._ids) == 1 else "")

    # ------------------------------------------------------------------------------------------------- doing

    def _on_chosen(self, ids: list[str]) -> None:
        self._ids = ids
        points = [point.index for id_ in ids for point in self.station.by_id[id_].points]
        self.model.show_points(np.array(points, dtype=np.int32))
        self.table.setColumnHidden(Column.DEVICE, len(ids) == 1)
        if self.table.horizontalHeader().sectionSize(Column.DEVICE) < 40 and len(ids) > 1:
            self.table.setColumnWidth(Column.DEVICE, 150)
        self.table.scrollToTop()
        self._describe()
        if len(ids) == 1:
            self.context.intents.looked_at.emit(ids[0])

    def _on_filter(self, text: str) -> None:
        self.model.set_filter(text)
        self._describe()

    def _on_columns(self) -> None:
        menu = self.table.columns_menu(self)
        menu.popup(self._columns.mapToGlobal(self._columns.rect().bottomLeft()))

    def _on_trend(self) -> None:
        names = self.table.selected_points()
        if names:
            self.context.intents.trend.emit(names)

    def _on_faceplate(self) -> None:
        if len(self._ids) >= 1 and self._device_id():
            self.context.intents.device.emit(self._device_id())

    def _device_id(self) -> str:
        """The chosen device, or that of the current row where a group is chosen."""
        if len(self._ids) == 1:
            return self._ids[0]
        rows = self.table.selected_rows()
        return self.model.point_at(rows[0]).device if rows else ""

    def _describe(self) -> None:
        total = sum(len(self.station.by_id[id_].points) for id_ in self._ids)
        shown = self.model.rowCount()
        self._count.setText(
            tr("{n} points", n=f"{total:,}")
            if shown == total
            else tr("{n} of {m} points", n=f"{shown:,}", m=f"{total:,}")
        )
        index = self.tree.currentIndex()
        self._heading.setText(str(index.data() or self.station.name.in_(language.name())))
        single = self.station.by_id.get(self._ids[0]) if len(self._ids) == 1 else None
        self._link.setText(self._link_text(self._ids[0]) if single else "")
        self._link.setVisible(single is not None)

    def _link_text(self, device_id: str) -> str:
        """One line about the connection: where, state, round trip, errors, and what is wrong."""
        device, status = self.station.by_id[device_id], self.context.bridge.devices.get(device_id)
        where = [str(device.connection[key]) for key in ("host", "device") if key in device.connection]
        if where and "port" in device.connection:
            where[0] += f":{device.connection['port']}"
        if "unit" in device.connection:
            where.append(tr("unit {n}", n=device.connection["unit"]))
        parts = [tr(KIND_WORDS[device.kind]), " ".join(filter(None, (device.vendor, device.model)))]
        parts += [device.driver or "", " ".join(where)]
        if status is not None:
            now = self.context.bridge.snapshot.taken
            since = moment_text(status.since, self.station.zone, now)
            parts.append(tr("{state} since {time}", state=tr(STATE_NAMES[status.state]), time=since))
            rtt = NOTHING if math.isnan(status.rtt_ms) else format_value(status.rtt_ms, 1, "ms")
            parts.append(tr("round trip {time}", time=rtt))
            parts.append(tr("errors {n}", n=status.errors))
            if status.remarks:
                parts.append(tr("{n} points without a value", n=len(status.remarks)))
            if status.last_error:
                parts.append(status.last_error.in_(language.name()))
            if status.next_try > now:
                parts.append(tr("next try in {time}", time=age_text(status.next_try - now)))
            parts += [f"{self.station.by_id[device_id].id}.{key}: {text}" for key, text in status.texts.items()]
        return "  ·  ".join(filter(None, parts))
