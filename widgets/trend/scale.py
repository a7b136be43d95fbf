"""The range of a value axis: follows what is seen in round steps, and stands still while it still fits."""

from __future__ import annotations

import math
from typing import Final

_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_DIVISIONS: Final = 6
_FEWEST_USED: Final = 0.45
"""An automatic range that is used less than this shrinks."""
NARROWEST: Final = 1e-9
WIDEST: Final = 1e15


def round_step(span: float, divisions: int = _DIVISIONS) -> float:
    """The smallest of 1, 2, 2.5 and 5 times a power of ten that divides the span into at most so many parts."""
    rough = max(span / divisions, NARROWEST)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in _STEPS if step * power >= rough * 0.999999)


def round_range(low: float, high: float) -> tuple[float, float]:
    """A range that holds both, its ends on round steps. A constant gets room about it."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return 0.0, 1.0
    if high - low <= max(abs(low), abs(high), 1.0) * 1e-9:
        room = max(abs(high) * 0.05, 0.5)
        low, high = low - room, high + room
    floor = 0.0 if 0 <= low < 0.25 * high else low  # a scale that nearly reaches zero begins there
    ceiling = 0.0 if 0.25 * low < high <= 0 else high
    step = round_step(ceiling - floor)
    return min(math.floor(floor / step + 1e-9) * step, low), max(math.ceil(ceiling / step - 1e-9) * step, high)


class Scale:
    """Range of the pens of one unit. Automatic until a person takes it in hand."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.low, self.high = 0.0, 1.0
        self.automatic = True
        self._empty = True

    @property
    def empty(self) -> bool:
        """Whether it has never had a value to show, so that its numbers would mean nothing."""
        return self.automatic and self._empty

    @property
    def span(self) -> float:
        return self.high - self.low

    def fit(self, low: float, high: float) -> bool:
        """Automatic range for what is seen; NaN leaves it as it is. Whether it changed."""
        if not self.automatic or not (math.isfinite(low) and math.isfinite(high)):
            return False
        holds = self.low <= low and high <= self.high and not self._empty
        wanted = round_range(low, high)
        if holds and wanted[1] - wanted[0] >= _FEWEST_USED * self.span:
            return False
        self._empty = False
        return self._set(*wanted)

    def zoom(self, factor: float, about: float) -> None:
        """Make the range `factor` times as wide about a value that stays in its place. Ends the automatic range."""
        width = min(max(self.span * factor, NARROWEST), WIDEST)
        share = (about - self.low) / self.span
        self.automatic = False
        self._set(about - share * width, about + (1 - share) * width)

    def show(self, low: float, high: float) -> None:
        """A range that a person chose."""
        if NARROWEST <= high - low <= WIDEST:
            self.automatic = False
            self._set(low, high)

    def pan(self, by: float) -> None:
        """Move the range by a value. Ends the automatic range."""
        self.automatic = False
        self._set(self.low + by, self.high + by)

    def release(self) -> None:
        """Automatic again from the next `fit`."""
        self.automatic, self._empty = True, True

    def _set(self, low: float, high: float) -> bool:
        changed = (low, high) != (self.low, self.high)
        self.low, self.high = low, high
        return changed
