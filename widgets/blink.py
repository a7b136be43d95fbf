"""The one blink of the house: 1 Hz, for the unacknowledged alone, and still where a person chose stillness."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal

HALF_PERIOD_MS: Final = 500


class _Blink(QObject):
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.on = True
        self.still = False
        self.wanted = False
        self.timer: QTimer | None = None

    def turn(self) -> None:
        self.on = not self.on
        self.changed.emit()

    def settle(self) -> None:
        run = self.wanted and not self.still
        if run and self.timer is None:
            self.timer = QTimer(self)
            self.timer.timeout.connect(self.turn)
            self.timer.start(HALF_PERIOD_MS)
        elif not run and self.timer is not None:
            self.timer.stop()
            self.timer.deleteLater()
            self.timer = None
            self.on = True
            self.changed.emit()


_blink: Final = _Blink()
changed = _blink.changed
"""Emitted each half period while something blinks, and once when it stops."""


def lit() -> bool:
    """Whether what blinks is to be seen filled now. Always true when nothing blinks or blinking is off."""
    return _blink.on


def still() -> bool:
    """Whether a still outline stands in place of blinking."""
    return _blink.still


def set_still(still_: bool) -> None:
    """Blink, or mark what would blink by an outline."""
    _blink.still = still_
    _blink.settle()
    _blink.changed.emit()


def want(blinking: bool) -> None:
    """Whether there is anything unacknowledged at all: the timer runs only then."""
    if blinking != _blink.wanted:
        _blink.wanted = blinking
        _blink.settle()
