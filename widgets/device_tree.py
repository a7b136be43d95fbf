"""The station's devices as a tree: by kind, batteries under their converters; state as a shape, counts, worst alarm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractItemModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import QAbstractItemView, QStyledItemDelegate, QStyleOptionViewItem, QTreeView, QWidget

from app.model.config import DeviceKind, Priority
from app.model.station import Device, Station
from app.model.views import DeviceStatus, LinkState
from widgets import language, theme
from widgets.icons import paint_priority
from widgets.language import tr
from widgets.options import is_selected, item
from widgets.tables import row_height

_Index = QModelIndex | QPersistentModelIndex
KIND_NAMES: Final[dict[DeviceKind, str]] = {
    DeviceKind.METER: "Meters",
    DeviceKind.TRANSFORMER: "Transformers",
    DeviceKind.PV_INVERTER: "PV inverters",
    DeviceKind.PCS: "Storage",
    DeviceKind.BMS: "Batteries",
    DeviceKind.LOAD: "Loads",
    DeviceKind.CHARGER: "Chargers",
    DeviceKind.GENSET: "Gensets",
    DeviceKind.WEATHER: "Weather",
    DeviceKind.GATEWAY: "Gateways",
    DeviceKind.OTHER: "Other",
}
"""Kinds in the order of the tree, and what a group of them is called."""
KIND_WORDS: Final[dict[DeviceKind, str]] = {
    DeviceKind.METER: "Meter",
    DeviceKind.TRANSFORMER: "Transformer",
    DeviceKind.PV_INVERTER: "PV inverter",
    DeviceKind.PCS: "Storage converter",
    DeviceKind.BMS: "Battery",
    DeviceKind.LOAD: "Load",
    DeviceKind.CHARGER: "Charger",
    DeviceKind.GENSET: "Genset",
    DeviceKind.WEATHER: "Weather station",
    DeviceKind.GATEWAY: "Gateway",
    DeviceKind.OTHER: "Device",
}
"""What one of a kind is called."""
STATE_NAMES: Final[dict[LinkState, str]] = {
    LinkState.STARTING: "starting",
    LinkState.ONLINE: "online",
    LinkState.LOST: "lost",
    LinkState.STOPPED: "stopped",
}
NODE_ROLE: Final = Qt.ItemDataRole.UserRole + 3


@dataclass(eq=False)
class Node:
    """The station, a group of one kind, or a device."""

    parent: Node | None
    row: int
    kind: DeviceKind | None = None
    device: Device | None = None
    children: list[Node] = field(default_factory=list)

    def devices(self) -> Iterator[Device]:
        """This node's device and all below it."""
        if self.device is not None:
            yield self.device
        for child in self.children:
            yield from child.devices()


class DeviceTreeModel(QAbstractItemModel):
    """One column. `set_status` tells the connections and alarms."""

    def __init__(self, station: Station, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.station = station
        self._status: Mapping[str, DeviceStatus] = {}
        self._alarms: Mapping[str, tuple[Priority, bool]] = {}
        self.root = Node(None, 0)
        self.nodes: dict[str, Node] = {}
        self._build()
        language.changed.connect(self._on_changed)

    def _build(self) -> None:
        top = Node(self.root, 0)
        self.root.children.append(top)
        below: dict[str, list[Device]] = {}
        for device in self.station.devices:
            owner = self._owner(device)
            if owner is not None:
                below.setdefault(owner, []).append(device)
        for kind in KIND_NAMES:
            devices = [d for d in self.station.devices if d.kind is kind and self._owner(d) is None]
            if devices:
                group = Node(top, len(top.children), kind=kind)
                top.children.append(group)
                for device in devices:
                    self._add(group, device, below)

    def _owner(self, device: Device) -> str | None:
        """The device under which another one hangs: by its parent, or as its battery."""
        if device.parent in self.station.by_id and device.parent != device.id:
            return device.parent
        return next((other.id for other in self.station.devices if other.bms == device.id), None)

    def _add(self, parent: Node, device: Device, below: Mapping[str, list[Device]]) -> None:
        node = Node(parent, len(parent.children), device=device)
        parent.children.append(node)
        self.nodes[device.id] = node
        for child in below.get(device.id, ()):
            if child.id not in self.nodes:
                self._add(node, child, below)

    def set_status(self, status: Mapping[str, DeviceStatus], alarms: Mapping[str, tuple[Priority, bool]]) -> None:
        """Device id -> connection; device id -> (worst priority, whether any is unacknowledged)."""
        if dict(status) != dict(self._status) or dict(alarms) != dict(self._alarms):
            self._status, self._alarms = status, alarms
            self._on_changed()

    def state(self, node: Node) -> LinkState | None:
        """Of a device: its own; of a group none."""
        status = self._status.get(node.device.id) if node.device else None
        return status.state if status else None

    def counts(self, node: Node) -> tuple[int, int]:
        """(online, all) devices at and below a node that have a connection."""
        states = [self._status[device.id].state for device in node.devices() if device.id in self._status]
        return sum(state is LinkState.ONLINE for state in states), len(states)

    def alarm(self, node: Node) -> tuple[Priority, bool] | None:
        """The worst alarm at or below a node, and whether any there is unacknowledged."""
        found = [self._alarms[device.id] for device in node.devices() if device.id in self._alarms]
        if not found:
            return None
        order = list(Priority)
        return min((priority for priority, _ in found), key=order.index), any(open_ for _, open_ in found)

    def text(self, node: Node) -> str:
        """What a node is called in the present language."""
        if node.device is not None:
            return node.device.name.in_(language.name())
        return tr(KIND_NAMES[node.kind]) if node.kind else self.station.name.in_(language.name())

    def index_of(self, device_id: str) -> QModelIndex:
        """Where a device stands; an invalid index when there is none of that id."""
        node = self.nodes.get(device_id)
        return self.createIndex(node.row, 0, node) if node else QModelIndex()

    def _node(self, index: _Index) -> Node:
        found = index.internalPointer() if index.isValid() else self.root
        return found if isinstance(found, Node) else self.root

    def index(self, row: int, column: int, parent: _Index = QModelIndex()) -> QModelIndex:  # noqa: B008
        children = self._node(parent).children
        return self.createIndex(row, column, children[row]) if 0 <= row < len(children) else QModelIndex()

    def parent(self, index: _Index) -> QModelIndex:  # type: ignore[override]
        above = self._node(index).parent
        return QModelIndex() if above is None or above is self.root else self.createIndex(above.row, 0, above)

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return len(self._node(parent).children)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 1

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        node = self._node(index)
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(node)
        if role == NODE_ROLE:
            return node
        if role == Qt.ItemDataRole.ToolTipRole:
            state = self.state(node)
            return f"{self.text(node)} · {tr(STATE_NAMES[state])}" if state else self.text(node)
        return None

    def _on_changed(self, parent: QModelIndex = QModelIndex()) -> None:  # noqa: B008
        for row in range(self.rowCount(parent)):
            index = self.index(row, 0, parent)
            self.dataChanged.emit(index, index)
            self._on_changed(index)


def paint_state(painter: QPainter, state: LinkState | None, rect: QRectF) -> None:
    """A connection as a shape: a filled disc online, a cross lost, a dotted ring starting, an empty ring stopped."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    inner = rect.adjusted(1, 1, -1, -1)
    if state is LinkState.LOST:
        painter.setPen(QPen(theme.colour("bad-quality"), 2))
        painter.drawLine(inner.topLeft(), inner.bottomRight())
        painter.drawLine(inner.topRight(), inner.bottomLeft())
    elif state is not None:
        pen = QPen(theme.colour("line"), 1.4)
        if state is LinkState.STARTING:
            pen.setStyle(Qt.PenStyle.DotLine)
        painter.setPen(pen)
        if state is LinkState.ONLINE:
            painter.setBrush(theme.colour("equipment-on"))
        painter.drawEllipse(inner)
    painter.restore()


class _NodeDelegate(QStyledItemDelegate):
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        node, model = index.data(NODE_ROLE), index.model()
        if not isinstance(node, Node) or not isinstance(model, DeviceTreeModel):
            return
        rect: QRect = item(option).rect
        if is_selected(option):
            painter.fillRect(rect, theme.colour("ground"))
            painter.fillRect(QRect(rect.left(), rect.top(), 3, rect.height()), theme.colour("live"))
        left, right = rect.left() + 8, rect.right() - 6
        middle = rect.center().y() + 1.5
        if node.device is not None:
            paint_state(painter, model.state(node), QRectF(left, middle - 5.5, 11, 11))
            left += 18
        alarm = model.alarm(node)
        if alarm is not None:
            paint_priority(painter, alarm[0], QRectF(right - 11, middle - 5.5, 11, 11), filled=alarm[1])
        right -= 18
        painter.setFont(item(option).font)
        if node.device is None:
            online, total = model.counts(node)
            count = f"{online}/{total}"
            width = painter.fontMetrics().horizontalAdvance(count)
            painter.setPen(theme.colour("bad-quality" if online < total else "ink-soft"))
            painter.drawText(
                QRect(right - width, rect.top(), width + 1, rect.height()), Qt.AlignmentFlag.AlignVCenter, count
            )
            right -= width + 8
        lost = model.state(node) is LinkState.LOST
        painter.setPen(theme.colour("ink-soft" if lost else "ink"))
        room = QRect(left, rect.top(), right - left, rect.height())
        text = painter.fontMetrics().elidedText(model.text(node), Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, text)

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        widget = item(option).widget
        return QSize(160, row_height(widget) if widget is not None else 26)


class DeviceTree(QTreeView):
    """The tree view; tells which devices are chosen."""

    chosen = Signal(list)
    """Ids: the chosen device, or all devices of the chosen group."""
    opened = Signal(str)
    """Id of a device that was double-clicked or entered."""

    def __init__(self, model: DeviceTreeModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tree = model
        self.setModel(model)
        self.setItemDelegate(_NodeDelegate(self))
        self.setHeaderHidden(True)
        self.setUniformRowHeights(True)
        self.setIndentation(14)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.expandToDepth(1)
        for node in model.nodes.values():
            if node.children:
                self.expand(model.index_of(node.device.id if node.device else ""))
        self.selectionModel().currentChanged.connect(self._on_current)
        self.doubleClicked.connect(self._open)
        self.setExpandsOnDoubleClick(False)

    def choose(self, device_id: str) -> None:
        """Select a device and bring it into view."""
        index = self.tree.index_of(device_id)
        if index.isValid() and index != self.currentIndex():
            self.setCurrentIndex(index)
            self.scrollTo(index)

    def choose_all(self) -> None:
        """Select the station."""
        self.setCurrentIndex(self.tree.index(0, 0))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            self._open(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def _open(self, index: QModelIndex) -> None:
        node = index.data(NODE_ROLE)
        if isinstance(node, Node) and node.device is not None:
            self.opened.emit(node.device.id)
        else:
            self.setExpanded(index, not self.isExpanded(index))

    def _on_current(self, index: QModelIndex, before: QModelIndex) -> None:
        node = index.data(NODE_ROLE)
        if isinstance(node, Node):
            self.chosen.emit([node.device.id] if node.device else [device.id for device in node.devices()])
