"""Where everything of a trend lies, in pixels of its canvas, and the maps from time and value to there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from PySide6.QtCore import QRectF

from widgets.trend.pens import Drawn
from widgets.trend.pyramid import F8, I8
from widgets.trend.scale import Scale

HEAD_PX: Final = 34
"""Above the plot: unit and swatches of each axis, and the upper half of a label at its very top."""
FOOT_PX: Final = 38
"""Below it: two lines of time labels."""
LANE_PX: Final = 34
MARKS_PX: Final = 14
"""A strip for marks above the time axis, where there are any."""
LANE_INSET_PX: Final = 5
_EDGE_PX: Final = 14
_FAR_PX: Final = 20_000
"""Painters take no coordinates of millions; what is this far outside is outside."""


@dataclass(frozen=True)
class AxisPlace:
    scale: Scale
    rect: QRectF
    left: bool


@dataclass(frozen=True)
class Frame:
    """The layout for one size, one set of axes and lanes, and one piece of time."""

    plot: QRectF
    """Curves and lanes."""
    curves: QRectF
    """The part of the plot above the lanes."""
    axes: tuple[AxisPlace, ...]
    lanes: tuple[tuple[Drawn, QRectF], ...]
    start_ns: int
    span_ns: int

    @property
    def pixel_ns(self) -> float:
        return self.span_ns / max(self.plot.width(), 1)

    def x(self, time_ns: int) -> float:
        return self.plot.left() + (time_ns - self.start_ns) * self.plot.width() / self.span_ns

    def xs(self, time_ns: I8) -> F8:
        """Pixels of moments; far ones are held at a distance that a painter bears."""
        offset = (time_ns - self.start_ns).astype(np.float64) * (self.plot.width() / self.span_ns)
        return self.plot.left() + np.clip(offset, -_FAR_PX, _FAR_PX)

    def moment(self, x: float) -> int:
        return self.start_ns + round((x - self.plot.left()) * self.span_ns / max(self.plot.width(), 1))

    def band(self, drawn: Drawn) -> tuple[QRectF, float, float]:
        """Where a pen is drawn: rectangle, value at its bottom, value at its top."""
        if drawn.scale is not None:
            return self.curves, drawn.scale.low, drawn.scale.high
        rect = next((rect for lane, rect in self.lanes if lane is drawn), self.curves)
        low, high = drawn.state_range()
        return rect.adjusted(0, LANE_INSET_PX, 0, -LANE_INSET_PX), low, high

    def ys(self, drawn: Drawn, value: F8) -> F8:
        """Pixels of values; NaN stays NaN."""
        rect, low, high = self.band(drawn)
        return np.clip(rect.bottom() - (value - low) * (rect.height() / (high - low)), -_FAR_PX, _FAR_PX)

    def y(self, drawn: Drawn, value: float) -> float:
        return float(self.ys(drawn, np.array([value]))[0])

    def value(self, scale: Scale, y: float) -> float:
        return scale.low + (self.curves.bottom() - y) * scale.span / max(self.curves.height(), 1)

    def axis_at(self, x: float, y: float) -> AxisPlace | None:
        return next((axis for axis in self.axes if axis.rect.contains(x, y)), None)


def lay_out(
    width: float,
    height: float,
    axes: list[tuple[Scale, float]],
    lanes: list[Drawn],
    *,
    start_ns: int,
    span_ns: int,
    marks: bool = False,
) -> Frame:
    """Place everything. axes: each scale with the width in pixels that its labels need; left and right in turn.

    marks: leave a strip for them.
    """
    left = right = 0.0
    bottom = height - FOOT_PX
    places: list[tuple[Scale, float, float, bool]] = []
    for number, (scale, needs) in enumerate(axes):
        if number % 2 == 0:
            left += needs
            places.append((scale, left, needs, True))
        else:
            places.append((scale, right, needs, False))
            right += needs
    left, right = max(left, _EDGE_PX), max(right, _EDGE_PX)
    plot = QRectF(left, HEAD_PX, max(width - left - right, 40), max(bottom - HEAD_PX, 40))
    only_lanes = bool(lanes) and not axes
    strip = MARKS_PX if marks else 0
    room = plot.height() - strip
    lane_px = room / len(lanes) if only_lanes else min(LANE_PX, room * 0.5 / max(len(lanes), 1))
    lane_px = min(lane_px, 2 * LANE_PX)
    curves = plot.adjusted(0, 0, 0, -lane_px * len(lanes) - strip)
    return Frame(
        plot,
        curves,
        tuple(
            AxisPlace(
                scale,
                QRectF(left - at if is_left else plot.right() + at, 0, needs, curves.bottom() + 6),
                is_left,
            )
            for scale, at, needs, is_left in places
        ),
        tuple(
            (drawn, QRectF(plot.left(), curves.bottom() + i * lane_px, plot.width(), lane_px))
            for i, drawn in enumerate(lanes)
        ),
        start_ns,
        span_ns,
    )
