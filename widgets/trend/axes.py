"""Painting of the axes: units and swatches above, values beside, the wall clock below, a faint grid behind."""

from __future__ import annotations

import math
from typing import Final
from zoneinfo import ZoneInfo

from PySide6.QtCore import QLineF, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPen

from app.model.units import symbol
from widgets import theme
from widgets.times import zone_name
from widgets.trend.frame import FOOT_PX, Frame
from widgets.trend.pens import Pens
from widgets.trend.scale import Scale, round_step
from widgets.trend.ticks import ticks
from widgets.values import format_value

_TICK_PX: Final = 5
_LABEL_GAP_PX: Final = 3
_VALUE_EVERY_PX: Final = 46
_MOST_VALUES: Final = 12
_TIME_EVERY_PX: Final = 92
_NARROWEST_AXIS_PX: Final = 48
_AXIS_GRAIN_PX: Final = 8
"""Axes grow by whole grains, so that the plot does not change its width with every digit."""
_SWATCH_PX: Final = 8
_SWATCHES_AT_PX: Final = 18
"""Below the unit, and above the label of a value at the top of the axis."""


def value_ticks(scale: Scale, height: float) -> tuple[list[float], int]:
    """Round values within the scale, and how many decimals they need."""
    if scale.empty:
        return [], 0
    step = round_step(scale.span, min(max(int(height / _VALUE_EVERY_PX), 2), _MOST_VALUES))
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if decimals < 9 and abs(round(step, decimals) - step) > step * 1e-6:
        decimals += 1  # steps of 2.5
    first, last = math.ceil(scale.low / step - 1e-9), math.floor(scale.high / step + 1e-9)
    return [k * step for k in range(first, last + 1)], min(decimals, 9)


def axis_width(scale: Scale, height: float, metrics: QFontMetricsF) -> float:
    """Pixels that the labels of an axis need."""
    values, decimals = value_ticks(scale, height)
    widest = max((metrics.horizontalAdvance(format_value(v, decimals)) for v in values), default=0.0)
    needs = max(widest + _TICK_PX + 2 * _LABEL_GAP_PX + 4, metrics.horizontalAdvance(symbol(scale.unit)) + 12)
    return max(math.ceil(needs / _AXIS_GRAIN_PX) * _AXIS_GRAIN_PX, _NARROWEST_AXIS_PX)


def paint_axes(painter: QPainter, frame: Frame, pens: Pens, zone: ZoneInfo) -> None:
    """Everything about the curves but the curves: grid first, so that it lies behind them."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    _paint_times(painter, frame, zone)
    for number, axis in enumerate(frame.axes):
        _paint_values(painter, frame, number, pens)
        _paint_head(painter, frame, number, pens)
        painter.setPen(QPen(theme.colour("line"), 1))
        edge = axis.rect.right() if axis.left else axis.rect.left()
        painter.drawLine(QLineF(edge, frame.curves.top(), edge, frame.curves.bottom()))
    painter.setPen(QPen(theme.colour("ground"), 1))
    for _, rect in frame.lanes:
        painter.drawLine(QLineF(rect.left(), rect.top(), rect.right(), rect.top()))
    painter.setPen(QPen(theme.colour("line"), 1))
    painter.drawLine(QLineF(frame.plot.left(), frame.plot.bottom(), frame.plot.right(), frame.plot.bottom()))


def _paint_values(painter: QPainter, frame: Frame, number: int, pens: Pens) -> None:
    axis, curves = frame.axes[number], frame.curves
    values, decimals = value_ticks(axis.scale, curves.height())
    height = painter.fontMetrics().height()
    edge = axis.rect.right() if axis.left else axis.rect.left()
    outward = -1 if axis.left else 1
    side = Qt.AlignmentFlag.AlignRight if axis.left else Qt.AlignmentFlag.AlignLeft
    for value in values:
        y = curves.bottom() - (value - axis.scale.low) * curves.height() / axis.scale.span
        if number == 0:
            painter.setPen(QPen(theme.colour("ground"), 1))
            painter.drawLine(QLineF(curves.left(), y, curves.right(), y))
        painter.setPen(QPen(theme.colour("line"), 1))
        painter.drawLine(QLineF(edge, y, edge + outward * _TICK_PX, y))
        painter.setPen(theme.colour("ink-soft"))
        inset = _TICK_PX + _LABEL_GAP_PX
        box = axis.rect.adjusted(0 if axis.left else inset, 0, -inset if axis.left else 0, 0)
        box = QRectF(box.left(), y - height / 2, box.width(), height)
        painter.drawText(box, side | Qt.AlignmentFlag.AlignVCenter, format_value(value, decimals))


def _paint_head(painter: QPainter, frame: Frame, number: int, pens: Pens) -> None:
    """The unit, and a swatch of each pen that is read on this axis."""
    axis = frame.axes[number]
    unit = symbol(axis.scale.unit)
    width = painter.fontMetrics().horizontalAdvance(unit)
    drawn = pens.of_scale(axis.scale)
    inner = axis.rect.adjusted(2, 0, -2, 0)
    rows = len(drawn) * (_SWATCH_PX + 2)
    x = inner.right() - width if axis.left else inner.left()
    painter.setPen(theme.colour("ink"))
    painter.drawText(QRectF(x, 0, width + 1, _SWATCHES_AT_PX), Qt.AlignmentFlag.AlignVCenter, unit)
    step = min(_SWATCH_PX + 2, inner.width() / max(len(drawn), 1))
    x = inner.right() - min(rows, inner.width()) if axis.left else inner.left()
    for i, one in enumerate(drawn):
        painter.fillRect(QRectF(x + i * step, _SWATCHES_AT_PX, _SWATCH_PX, 3), theme.pen_colour(one.number))


def _paint_times(painter: QPainter, frame: Frame, zone: ZoneInfo) -> None:
    plot = frame.plot
    line = painter.fontMetrics().height()
    found = ticks(frame.start_ns, frame.start_ns + frame.span_ns, zone, int(plot.width() / _TIME_EVERY_PX))
    end_of_last = -math.inf
    zone_text = zone_name(frame.start_ns + frame.span_ns, zone)
    zone_left = plot.right() - painter.fontMetrics().horizontalAdvance(zone_text)
    for tick in found:
        x = round(frame.x(tick.time_ns))
        painter.setPen(QPen(theme.colour("ground"), 1))
        painter.drawLine(QLineF(x, plot.top(), x, plot.bottom()))
        painter.setPen(QPen(theme.colour("line"), 1))
        painter.drawLine(QLineF(x, plot.bottom(), x, plot.bottom() + _TICK_PX))
        width = painter.fontMetrics().horizontalAdvance(tick.label)
        if x - width / 2 > end_of_last + 4:
            painter.setPen(theme.colour("ink-soft"))
            top = plot.bottom() + _TICK_PX
            painter.drawText(QRectF(x - width / 2, top, width + 1, line), Qt.AlignmentFlag.AlignCenter, tick.label)
            end_of_last = x + width / 2
            below = painter.fontMetrics().horizontalAdvance(tick.below)
            if tick.below and x + below / 2 < zone_left - 4:
                painter.setPen(theme.colour("ink"))
                box = QRectF(x - below / 2, top + line - 1, below + 1, line)
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, tick.below)
    painter.setPen(theme.colour("ink-soft"))
    foot = QRectF(plot.left(), plot.bottom() + FOOT_PX - line - 1, plot.width(), line)
    painter.drawText(foot, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, zone_text)
