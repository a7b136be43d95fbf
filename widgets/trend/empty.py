"""The trend before it has pens."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from widgets.language import tr


class EmptySheet(QWidget):
    """What would be here, and how to get it."""

    def __init__(self) -> None:
        super().__init__()
        self._title, self._how = QLabel(), QLabel()
        self._title.setProperty("level", "large")
        self._how.setProperty("soft", True)
        self._how.setWordWrap(True)
        column = QVBoxLayout(self)
        column.addStretch(1)
        for label in (self._title, self._how):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(label)
        column.addStretch(1)
        self._welcoming = False

    def welcome(self, on: bool) -> None:
        """Points hover over it."""
        self._welcoming = on
        self._title.setText(tr("Drop to draw them") if on else tr("Drag points here to see their trend"))

    def retranslate(self) -> None:
        self.welcome(self._welcoming)
        self._how.setText(
            tr('Open Devices and drag rows of a point table here, or select them there and choose "Send to trend".')
        )
