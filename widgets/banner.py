"""The alarm banner: the most important alarm that nobody has acknowledged, and how many there are of each priority."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from app.model.config import Priority
from app.model.station import Station
from app.model.views import AlarmRow, AlarmState
from widgets import blink, language, theme
from widgets.alarm_words import counts, message_text, source_name, unacknowledged, urgency
from widgets.fonts import sized
from widgets.icons import PRIORITY_TOKENS, paint_priority
from widgets.language import tr
from widgets.times import moment_text

HEIGHT: Final = 36
_SHAPE: Final = 14


class AlarmBanner(QAbstractButton):
    """A strip that is one button: a click or Enter opens the list. It never scrolls by itself."""

    def __init__(self, station: Station, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._station = station
        self._rows: tuple[AlarmRow, ...] = ()
        self._now_ns = 0
        self.setObjectName("banner")
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        theme.changed.connect(self.update)
        blink.changed.connect(self.update)
        language.changed.connect(self._describe)

    def set_rows(self, rows: Sequence[AlarmRow], now_ns: int) -> None:
        """What is active or unacknowledged now."""
        self._rows, self._now_ns = tuple(sorted(rows, key=urgency)), now_ns
        blink.want(any(unacknowledged(row) for row in rows))
        self._describe()

    @property
    def first(self) -> AlarmRow | None:
        """The alarm that the banner shows."""
        return self._rows[0] if self._rows and unacknowledged(self._rows[0]) else None

    def headline(self) -> tuple[str, ...]:
        """The words of the shown alarm, left to right: time, device, message (which says value and limit)."""
        row = self.first
        if row is None:
            quiet = "No unacknowledged alarm" if self._rows else "No alarm"
            return (tr(quiet),)
        message = message_text(self._station, row)
        if row.state is AlarmState.RETURNED_UNACKNOWLEDGED:
            message = f"{message} · {tr('returned')}"
        return (
            moment_text(row.raised, self._station.zone, self._now_ns),
            source_name(self._station, row.source),
            message,
        )

    def _describe(self) -> None:
        self.setAccessibleName(" ".join(self.headline()))
        self.setToolTip(tr("Open the alarm list"))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(640, HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.colour("surface"))
        painter.fillRect(QRect(0, 0, self.width(), 1), theme.colour("line"))
        right = self._counts(painter)
        self._headline(painter, right - 24)
        if self.hasFocus():
            painter.setPen(QPen(theme.colour("live"), 2))
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
        painter.end()

    def _headline(self, painter: QPainter, right: int) -> None:
        row, left = self.first, 16
        if row is not None:
            top = (self.height() - _SHAPE) / 2
            paint_priority(painter, row.priority, QRectF(left, top, _SHAPE, _SHAPE), filled=blink.lit())
            if blink.still():
                painter.setPen(QPen(theme.colour(PRIORITY_TOKENS[row.priority]), 2))
                painter.drawRect(QRectF(left - 5, top - 5, _SHAPE + 10, _SHAPE + 10))
            left += _SHAPE + 12
        words = self.headline()
        tokens = ("ink-soft", "ink", PRIORITY_TOKENS[row.priority]) if row else ("ink-soft",)
        for i, (word, token) in enumerate(zip(words, tokens, strict=True)):
            painter.setFont(sized(self.font(), 14 if i else 13, bold=bool(row) and i in {1, 2}))
            painter.setPen(theme.colour(token))
            room = QRect(left, 0, max(right - left, 0), self.height())
            shown = painter.fontMetrics().elidedText(word, Qt.TextElideMode.ElideRight, room.width())
            painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, shown)
            left += painter.fontMetrics().horizontalAdvance(shown) + 16

    def _counts(self, painter: QPainter) -> int:
        """From the right edge: an arrow, the count of each priority with its shape, the sum. Returns the left edge."""
        painter.setFont(self.font())
        metrics = painter.fontMetrics()
        x, middle = self.width() - 16, self.height() / 2
        painter.setPen(theme.colour("ink-soft"))
        painter.drawText(QRect(x - 12, 0, 14, self.height()), Qt.AlignmentFlag.AlignVCenter, "▸")
        x -= 28
        numbers = counts(self._rows)
        for priority in reversed(Priority):
            number = numbers[priority]
            text = str(number)
            painter.setPen(theme.colour("ink" if number else "ink-soft"))
            width = max(metrics.horizontalAdvance(text), metrics.horizontalAdvance("00"))
            painter.drawText(
                QRect(x - width, 0, width, self.height()),
                Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight,
                text,
            )
            x -= width + 16
            paint_priority(painter, priority, QRectF(x, middle - 5.5, 11, 11), filled=number > 0, calm=not number)
            x -= 14
        total = tr("unacknowledged {n}", n=sum(numbers.values()))
        width = metrics.horizontalAdvance(total)
        painter.setPen(theme.colour("ink" if sum(numbers.values()) else "ink-soft"))
        painter.drawText(QRect(x - width, 0, width + 1, self.height()), Qt.AlignmentFlag.AlignVCenter, total)
        return x - width
