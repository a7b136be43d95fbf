"""Engineering units as ours. Numbers are those of BACnetEngineeringUnits (ASHRAE 135-2020, clause 21)."""

from __future__ import annotations

from typing import Final

UNITS: Final[dict[int, str]] = {
    3: "A", 4: "ohm", 5: "V", 9: "kVA", 12: "kvar", 19: "kWh", 27: "Hz", 29: "%", 30: "mm", 35: "W/m2", 39: "kg",
    41: "t", 48: "kW", 62: "degC", 71: "h", 72: "min", 73: "s", 74: "m/s", 80: "m3", 82: "l", 95: "1", 98: "%",
    133: "hPa", 243: "kvarh",
}  # fmt: skip
"""Only those of the same size: anything else needs a scale, which a person gives."""
