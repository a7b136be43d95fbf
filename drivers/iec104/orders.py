"""What a command carries for a value in the point's unit. No I/O."""

from __future__ import annotations

import math
from typing import Final

from app.model.station import Point
from drivers.iec104.typeids import Command

_LIMITS: Final = {
    "single": (0, 1), "double": (0, 1), "step": (-1, 1), "normalized": (-32768, 32767), "scaled": (-32768, 32767),
    "bits": (0, 2**32 - 1),
}  # fmt: skip
_FLOAT_MAX: Final = 3.4028234663852886e38
"""IEEE 754 single precision."""
_NORM: Final = 32768


def raw_value(point: Point, command: Command, value: float) -> float:
    """What goes into the frame. Raises ValueError naming point, value and what the type holds.

    Of a normalised setpoint the whole number on the wire; of a step -1 is lower and 1 higher.
    """
    raw = (value - point.form.offset) / point.form.scale
    if command.element == "short":
        if not math.isfinite(raw) or abs(raw) > _FLOAT_MAX:
            raise ValueError(f"{point.name} cannot be set to {value:g}: a short float does not hold it")
        return raw
    low, high = _LIMITS[command.element]
    scaled = raw * _NORM if command.element == "normalized" else raw
    whole = round(scaled) if math.isfinite(scaled) else low - 1
    exact = command.element in ("normalized", "scaled") or whole == raw
    if not low <= whole <= high or not exact or (command.element == "step" and whole == 0):
        norm = _NORM if command.element == "normalized" else 1
        ends = sorted(limit / norm * point.form.scale + point.form.offset for limit in (low, high))
        between = " or " if command.element in ("single", "double", "step") else " to "
        raise ValueError(
            f"{point.name} cannot be set to {value:g} {point.unit}: its {command.name} holds "
            f"{ends[0]:g}{between}{ends[1]:g}"
        )
    return whole
