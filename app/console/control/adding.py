"""A new strategy: of a template, for the devices that are chosen, in shadow until somebody runs it live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.console.pages.page import Context
from app.model.control import ChannelRow, Quantity, TemplateRow
from widgets import language
from widgets.language import tr

_DEVICES_PX: Final = 76


class AddCard(QFrame):
    """What it asks for is `strategies.add`; whoever shows it does that."""

    changed = Signal()
    """Something was chosen or typed: whether it may be added may be another answer now."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.setObjectName("card")
        self.context = context
        self.head, self.about, self.whom, self.note = (QLabel() for _ in range(4))
        self.head.setProperty("heading", True)
        self.about.setWordWrap(True)
        self.template, self.id = QComboBox(), QLineEdit()
        self.template.currentIndexChanged.connect(lambda *_: self._on_template())
        self.id.textChanged.connect(lambda *_: self.changed.emit())
        self.devices = QListWidget()
        self.devices.setFlow(QListView.Flow.LeftToRight)
        self.devices.setWrapping(True)
        self.devices.setResizeMode(QListView.ResizeMode.Adjust)
        self.devices.setSpacing(2)
        self.devices.setFixedHeight(_DEVICES_PX)
        self.devices.itemChanged.connect(lambda *_: self.changed.emit())
        self.storage, self.others, self.add, self.cancel = (QPushButton() for _ in range(4))
        self.storage.clicked.connect(lambda: self._check_all({Quantity.ACTIVE}))
        self.others.clicked.connect(lambda: self._check_all({Quantity.LIMIT}))
        self._rows: tuple[TemplateRow, ...] = ()
        self._taken: frozenset[str] = frozenset()
        self._quantities: dict[str, set[Quantity]] = {}
        self._fields: dict[str, QLineEdit] = {}
        self._lay_out()

    def _lay_out(self) -> None:
        first, second, last = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.template, 2)
        first.addWidget(self.id, 1)
        second.addWidget(self.whom)
        second.addStretch(1)
        second.addWidget(self.storage)
        second.addWidget(self.others)
        last.addWidget(self.note, 1)
        last.addWidget(self.add)
        last.addWidget(self.cancel)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 10, 8)
        column.addWidget(self.head)
        column.addLayout(first)
        column.addWidget(self.about)
        column.addLayout(second)
        column.addWidget(self.devices)
        column.addWidget(self._scroll, 1)
        column.addLayout(last)

    # ---------------------------------------------------------------------------------------------------- what is asked

    def open(self, rows: Sequence[TemplateRow], channels: Sequence[ChannelRow], taken: frozenset[str]) -> None:
        """Begin anew: with templates, what can be commanded, and the ids that are taken."""
        self._taken, self._quantities = taken, {}
        for one in channels:
            self._quantities.setdefault(one.device, set()).add(one.quantity)
        self.devices.clear()
        for id_ in self._quantities:
            item = QListWidgetItem(id_)
            item.setToolTip(self.context.facade.station.by_id[id_].name.in_(language.name()))
            item.setCheckState(Qt.CheckState.Unchecked)
            self.devices.addItem(item)
        self._rows = tuple(rows)
        self.id.clear()
        self._fields = {}  # what was typed for another is not begun with
        self._show_templates(0)

    def chosen(self) -> TemplateRow | None:
        index = self.template.currentIndex()
        return self._rows[index] if 0 <= index < len(self._rows) else None

    def asked(self) -> tuple[str, str, list[str], dict[str, str]]:
        """Id, template, devices, and the parameters that were typed."""
        chosen = self.chosen()
        params = {key: field.text().strip() for key, field in self._fields.items() if field.text().strip()}
        return self.id.text().strip(), chosen.id if chosen is not None else "", self._checked(), params

    def missing(self) -> str:
        """What is still to be said; empty where it may be added."""
        id_, _, devices, params = self.asked()
        if not id_:
            return tr("Give it an id")
        if id_ in self._taken:
            return tr("{name} exists already", name=id_)
        if not devices:
            return tr("Choose its devices")
        chosen = self.chosen()
        wanted = [one.key for one in chosen.params if one.required and one.key not in params] if chosen else []
        return tr("Give {names}", names=", ".join(wanted)) if wanted else ""

    # -------------------------------------------------------------------------------------------------------- showing

    def retranslate(self) -> None:
        self.head.setText(tr("A new strategy, in shadow"))
        self.whom.setText(tr("Devices that it may use"))
        self.storage.setText(tr("All storage"))
        self.others.setText(tr("All inverters"))
        self.add.setText(tr("Add in shadow"))
        self.cancel.setText(tr("Cancel"))
        self.id.setPlaceholderText(tr("Id"))
        self.id.setAccessibleName(tr("Id"))
        if self._rows:
            self._show_templates(self.template.currentIndex())

    def _show_templates(self, index: int) -> None:
        tongue = language.name()
        self.template.blockSignals(True)
        self.template.clear()
        self.template.addItems([f"{one.name.in_(tongue)}  ·  {one.id}" for one in self._rows])
        self.template.setCurrentIndex(index)
        self.template.blockSignals(False)
        self._on_template()

    def _on_template(self) -> None:
        chosen, tongue = self.chosen(), language.name()
        self.about.setText(chosen.about.in_(tongue) if chosen is not None else "")
        typed = {key: field.text() for key, field in self._fields.items()}
        inside, self._fields = QWidget(), {}
        grid = QGridLayout(inside)
        grid.setContentsMargins(0, 0, 6, 0)
        grid.setColumnStretch(3, 1)
        for row, one in enumerate(chosen.params if chosen is not None else ()):
            field = self._fields[one.key] = QLineEdit(typed.get(one.key, ""))
            field.setPlaceholderText(one.default or (tr("required") if one.required else tr("none")))
            field.setAccessibleName(one.key)
            field.setFixedWidth(150)
            field.textChanged.connect(lambda *_: self.changed.emit())
            meaning = QLabel(one.meaning.in_(tongue))
            meaning.setWordWrap(True)
            for place, cell in enumerate((QLabel(one.key), field, QLabel(one.unit), meaning)):
                grid.addWidget(cell, row, place)
        grid.setRowStretch(len(self._fields), 1)
        self._scroll.setWidget(inside)
        if chosen is not None and (not self.id.text() or self.id.text() in self._suggested()):
            self.id.setText(self._free(chosen.id.partition("@")[0]))
        self.changed.emit()

    def _suggested(self) -> set[str]:
        return {self._free(one.id.partition("@")[0]) for one in self._rows}

    def _free(self, name: str) -> str:
        numbers = (f"{name}{n}" for n in range(2, 1000))
        return name if name not in self._taken else next(one for one in numbers if one not in self._taken)

    def _checked(self) -> list[str]:
        items = [self.devices.item(row) for row in range(self.devices.count())]
        return [item.text() for item in items if item.checkState() is Qt.CheckState.Checked]

    def _check_all(self, quantities: set[Quantity]) -> None:
        """All that have one of these, or none of them where all are checked already."""
        items = [self.devices.item(row) for row in range(self.devices.count())]
        those = [item for item in items if self._quantities[item.text()] & quantities]
        state = Qt.CheckState.Checked
        if all(item.checkState() is state for item in those):
            state = Qt.CheckState.Unchecked
        for item in those:
            item.setCheckState(state)
