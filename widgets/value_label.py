"""One value on a panel: number of fixed width, unit beside it, quality seen before it is read."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets import language, theme
from widgets.fonts import sized
from widgets.values import NOTHING, MarkStyle, age_text, quality_mark

_TOKENS = {MarkStyle.INVALID: "bad-quality", MarkStyle.OLD: "ink-soft", MarkStyle.MANUAL: "manual"}


class ValueLabel(QWidget):
    """Draws `text unit` with the marks of its quality. `set_text` takes the number as it is written."""

    def __init__(
        self,
        pixels: int = 13,
        *,
        widest: str = "−0,000.0",
        unit: str = "",
        right: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._pixels, self._widest, self._unit, self._right = pixels, widest, unit, right
        self._text, self._quality, self._age_ns = NOTHING, 0, 0
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)
        language.changed.connect(self.update)

    def set_text(self, text: str, quality: int, age_ns: int = 0) -> None:
        """The number as written, its quality, and how old it is (shown when it is not topical)."""
        if (text, quality, age_ns // 1_000_000_000) != (self._text, self._quality, self._age_ns // 1_000_000_000):
            marks = self.marks
            self._text, self._quality, self._age_ns = text, quality, age_ns
            if len(marks) != len(self.marks):
                self.updateGeometry()
            self.setAccessibleName(f"{text} {self._unit}".strip())
            self.setToolTip(quality_mark(quality).text)
            self.update()

    @property
    def text(self) -> str:
        """What it shows, without unit."""
        return self._text

    @property
    def marks(self) -> str:
        """Letters of the quality or the age, as painted beside the value."""
        mark = quality_mark(self._quality)
        if self._text == NOTHING or mark.style is MarkStyle.GOOD:
            return ""
        if mark.style is MarkStyle.OLD:
            return age_text(self._age_ns) if self._age_ns else mark.text
        return mark.text

    def _fonts(self) -> tuple[QFont, QFont]:
        return sized(self.font(), self._pixels, bold=self._pixels >= 20), sized(
            self.font(), max(12, self._pixels * 6 // 10)
        )

    def sizeHint(self) -> QSize:
        big, small = self._fonts()
        width = QFontMetrics(big).horizontalAdvance(self._widest)
        if self._unit:
            width += 5 + QFontMetrics(small).horizontalAdvance(self._unit)
        if self.marks:
            width += 8 + QFontMetrics(small).horizontalAdvance(self.marks)
        return QSize(width + 4, QFontMetrics(big).height() + 2)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        big, small = self._fonts()
        mark = quality_mark(self._quality)
        nothing = self._text == NOTHING
        style = MarkStyle.GOOD if nothing else mark.style
        width = QFontMetrics(big).horizontalAdvance(self._text)
        unit_width = QFontMetrics(small).horizontalAdvance(self._unit) + 5 if self._unit else 0
        left = self.width() - width - unit_width - 2 if self._right else 0
        big.setStrikeOut(style is MarkStyle.INVALID)
        painter.setFont(big)
        painter.setPen(theme.colour("ink-soft" if nothing else _TOKENS.get(style, "live")))
        line = QRect(left, 0, width + 2, self.height())
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, self._text)
        if style is MarkStyle.MANUAL:
            painter.setPen(QPen(theme.colour("manual"), 1.2))
            painter.drawRect(QRect(left - 3, 1, width + 6, self.height() - 3))
        baseline = (self.height() + QFontMetrics(big).ascent() - QFontMetrics(big).descent()) // 2
        painter.setFont(small)
        painter.setPen(theme.colour("ink-soft"))
        if self._unit:
            painter.drawText(left + width + 5, baseline, self._unit)
        marks = self.marks
        if marks:
            painter.setPen(theme.colour("bad-quality"))
            metrics = painter.fontMetrics()
            if self._right:
                painter.drawText(left - metrics.horizontalAdvance(marks) - 6, baseline, marks)
            elif not self._right:
                painter.drawText(left + width + unit_width + 8, baseline, marks)
        painter.end()
