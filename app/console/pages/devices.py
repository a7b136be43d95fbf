"""Devices: the tree, all points of what is chosen in it, its connection, and the editor of its file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.console.engineering import Engineering
from app.console.finding import Finding
from app.console.pages.page import Context, Page
from app.console.reading import Readings
from app.model.views import AlarmRow, DeviceStatus, Health, Snapshot
from widgets import language
from widgets.alarm_words import by_device
from widgets.connection_card import ConnectionCard
from widgets.device_tree import DeviceTree, DeviceTreeModel
from widgets.editor.device_editor import DeviceEditor
from widgets.editor.finder import DeviceFinder
from widgets.icons import keep
from widgets.language import tr
from widgets.point_table import Column, PointModel, PointTable


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
        self.card = ConnectionCard(self.station)
        self.readings = Readings(context)
        self.editor, self.finder = DeviceEditor(self.station.zone), DeviceFinder()
        self._back_to_finder = False
        """Where the editor goes when it is closed: one who opened a find wants the next one."""
        self._notice = QLabel()
        self._notice.setWordWrap(True)
        self._notice.hide()
        self._columns, self._copy, self._trend, self._faceplate = (QPushButton() for _ in range(4))
        self._read, self._edit, self._add, self._find = (QPushButton() for _ in range(4))
        for button, icon in (
            (self._columns, "columns"), (self._copy, "copy"), (self._trend, "trends"), (self._faceplate, "devices"),
            (self._read, "link"), (self._add, "add"), (self._find, "search"),
        ):  # fmt: skip
            keep(button, icon)
        self._lay_out()
        self._connect_tools()
        self.filter.textChanged.connect(self._on_filter)
        self.tree.chosen.connect(self._on_chosen)
        self.tree.opened.connect(context.intents.device)
        self._columns.clicked.connect(self._on_columns)
        self._copy.clicked.connect(self.table.copy)
        self._trend.clicked.connect(self._on_trend)
        self._faceplate.clicked.connect(self._on_faceplate)
        self.table.trend_asked.connect(context.intents.trend)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._on_table_menu)
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._on_selection())
        self._read.clicked.connect(self.read_now)
        self._edit.clicked.connect(self.edit)
        self._add.clicked.connect(lambda: self.engineering.edit(""))
        self._find.clicked.connect(self.finding.open)
        find = QShortcut(QKeySequence("Ctrl+F"), self)
        find.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        find.activated.connect(self.filter.setFocus)
        for keys, act in (("Ctrl+R", self.read_now), ("F2", self.edit)):
            QShortcut(QKeySequence(keys), self, act, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.retranslate()
        stored = context.settings.get("devices.chosen", "")
        if stored in self.station.by_id:
            self.tree.choose(stored)
        else:
            self.tree.choose_all()

    def _connect_tools(self) -> None:
        """Editor and finder with their errands."""
        self.engineering, self.finding = Engineering(self.context, self.editor), Finding(self.context, self.finder)
        self.finding.opened.connect(lambda: self._show(self.finder))
        self.finding.refused.connect(self.tell)
        self.finder.chosen.connect(self._on_find)
        self.finder.closed.connect(self._on_finder_closed)
        self.engineering.opened.connect(lambda: self._show(self.editor))
        self.engineering.refused.connect(self.tell)
        self.engineering.removed.connect(self._on_removed)
        self.editor.closed.connect(self._on_editor_closed)

    def resume(self, before: Page) -> None:
        """Editor and finder go over as they stand, with what is not saved and what was found."""
        if not isinstance(before, DevicesPage):
            return
        shown = before.right.currentIndex()
        applying = before.engineering.applying
        for errands in (before.engineering, before.finding):
            errands.deleteLater()
        for mine in (self.editor, self.finder):
            self.right.removeWidget(mine)
            mine.deleteLater()
        self.editor, self.finder = before.editor, before.finder
        self.editor.closed.disconnect(before._on_editor_closed)
        self.finder.chosen.disconnect(before._on_find)
        self.finder.closed.disconnect(before._on_finder_closed)
        self.right.addWidget(self.editor)
        self.right.addWidget(self.finder)
        self._connect_tools()
        self.finder.show_ended()  # a search was asked for by the window that goes
        self._back_to_finder = before._back_to_finder
        self.right.setCurrentIndex(shown)
        self.show_rights()
        if applying is not None:
            self.engineering.applied(*applying)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self._heading)
        head.addWidget(self._count)
        head.addStretch(1)
        for button in (self._faceplate, self._trend, self._copy, self._columns):
            head.addWidget(button)
        narrow = QHBoxLayout()
        narrow.addWidget(self.filter, 1)
        narrow.addWidget(self._read)
        self._points = QWidget()
        column = QVBoxLayout(self._points)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self.card)
        column.addWidget(self._notice)
        column.addLayout(narrow)
        column.addWidget(self.table, 1)
        column.addWidget(self.readings)
        self.right = QStackedWidget()
        for part in (self._points, self.editor, self.finder):
            self.right.addWidget(part)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.tree, 1)
        doing = QHBoxLayout()
        doing.addWidget(self._add)
        doing.addWidget(self._edit)
        column.addLayout(doing)
        column.addWidget(self._find)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(8)
        self.splitter.addWidget(left)
        self.splitter.addWidget(self.right)
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
        self._read.setText(tr("Read now"))
        self._add.setText(tr("Add device"))
        self._find.setText(tr("Find devices…"))
        self._edit.setText(tr("Edit"))
        self.show_rights()
        self._describe()

    def main_widget(self) -> QWidget:
        return self.tree

    def show_device(self, device_id: str) -> None:
        """Choose a device in the tree, to see its points; an editor with changes stays."""
        self.filter.clear()
        if self.right.currentWidget() is self.editor and not self.editor.dirty:
            self._show(self._points)
        self.tree.choose(device_id)

    # --------------------------------------------------------------------------------------------------- live

    def take_values(self, changed: NDArray[np.intp], snapshot: Snapshot) -> None:
        self.model.set_snapshot(changed, snapshot, self.table.visible_rows())
        if len(self._ids) == 1:
            self.card.set_status(self.context.bridge.devices, snapshot)

    def take_alarms(self, rows: tuple[AlarmRow, ...]) -> None:
        self.tree.tree.set_status(self.context.bridge.devices, by_device(rows))

    def take_health(self, health: Health, devices: dict[str, DeviceStatus]) -> None:
        self.tree.tree.set_status(devices, by_device(self.context.bridge.alarm_rows))
        self.model.set_remarks({name: why for status in devices.values() for name, why in status.remarks.items()})
        self.model.tick(self.table.visible_rows())
        self.card.set_status(devices, self.context.bridge.snapshot)
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
        self._notice.hide()
        self.card.show_devices([self.station.by_id[id_] for id_ in ids])
        self.card.set_status(self.context.bridge.devices, self.context.bridge.snapshot)
        self.show_rights()
        self._describe()
        if self.right.currentWidget() is self.editor and len(ids) == 1 and not self.editor.dirty:
            self.editor.open_device(ids[0])
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

    def read_now(self) -> None:
        """Ask the field for the selected points, beside their schedule."""
        if self._read.isEnabled():
            self.readings.read(self.table.selected_points())

    def edit(self) -> None:
        """Open the chosen device in the editor."""
        if self._edit.isEnabled():
            self.engineering.edit(self._ids[0])

    def _show(self, part: QWidget) -> None:
        """The points, the editor or the finder."""
        self._notice.hide()
        self.right.setCurrentWidget(part)
        self.show_rights()
        if part is self._points:
            self._back_to_finder = False
            self.tree.setFocus()

    def _on_find(self, form: dict[str, Any]) -> None:
        self._back_to_finder = True
        self.engineering.edit("", form)

    def _on_editor_closed(self) -> None:
        if self._back_to_finder:
            self.finding.renew()
        self._show(self.finder if self._back_to_finder else self._points)

    def _on_finder_closed(self) -> None:
        self.finding.stop()
        self.finder.show_ended()
        self._show(self._points)

    def _on_removed(self, words: str) -> None:
        self._show(self._points)
        self.tell(words)

    def tell(self, words: str) -> None:
        """Say something above the points, until another device is chosen."""
        self._notice.setText(words)
        self._notice.show()

    def show_rights(self) -> None:
        door, at_points = self.context.door, self.right.currentWidget() is self._points
        door.allow(self._add, "commissioning.contents", able=at_points)
        hint = tr("Look for devices in the field that are not in the file yet")
        door.allow(self._find, "commissioning.discover", able=at_points, hint=hint)
        hint = tr("Change this device in the station's file (F2)")
        door.allow(self._edit, "commissioning.contents", able=at_points and len(self._ids) == 1, hint=hint)
        self._on_selection()

    def _on_selection(self) -> None:
        names = self.table.selected_points()
        devices = {name.partition(".")[0] for name in names}
        hint = tr("Read the selected points once, beside their schedule (Ctrl+R)")
        self.context.door.allow(self._read, "station.read_once", able=bool(names), hint=hint, devices=devices)

    def _on_table_menu(self, at: QPoint) -> None:
        self.table_menu().popup(self.table.viewport().mapToGlobal(at))

    def table_menu(self) -> QMenu:
        """What may be done with the selected points."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        chosen = bool(self.table.selected_rows())
        for text, act in (
            (tr("Read now"), self.read_now), (tr("Send to trend"), self._on_trend), (tr("Copy"), self.table.copy),
        ):  # fmt: skip
            menu.addAction(text, act).setEnabled(chosen if act != self.read_now else self._read.isEnabled())
        return menu

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
