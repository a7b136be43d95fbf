"""Units as the field writes them, and conversions between those of one quantity."""

from __future__ import annotations

from typing import Final

from app.model.errors import Wrong
from app.model.text import Text

UNITS: Final = (
    "kW", "kvar", "kVA", "kWh", "kvarh", "V", "A", "Hz", "%", "degC", "W/m2", "m/s", "hPa", "mm", "ms", "s", "min", "h",
    "ohm", "l", "m3", "kg", "t", "CNY", "CNY/kWh", "kgCO2", "1",
    "kPa", "rpm", "lx", "Ah", "deg", "m", "mm/h", "l/h", "g/m3", "kWh/m2", "kW/min",
)  # fmt: skip
"""Every unit that a point may have (contracts, "Units", and behind them what devices needed since). `1` is a number."""

SYMBOLS: Final[dict[str, str]] = {
    "degC": "°C", "W/m2": "W/m²", "m3": "m³", "ohm": "Ω", "1": "", "kgCO2": "kgCO₂", "deg": "°", "g/m3": "g/m³",
    "kWh/m2": "kWh/m²",
}  # fmt: skip
"""How a unit is shown where it differs from how it is written."""

# unit -> (quantity, factor, offset): base = x * factor + offset. Also units that only expressions and devices use.
_TO_BASE: Final[dict[str, tuple[str, float, float]]] = {
    "W": ("power", 1e-3, 0), "kW": ("power", 1, 0), "MW": ("power", 1e3, 0),
    "var": ("reactive", 1e-3, 0), "kvar": ("reactive", 1, 0), "Mvar": ("reactive", 1e3, 0),
    "VA": ("apparent", 1e-3, 0), "kVA": ("apparent", 1, 0), "MVA": ("apparent", 1e3, 0),
    "Wh": ("energy", 1e-3, 0), "kWh": ("energy", 1, 0), "MWh": ("energy", 1e3, 0),
    "kvarh": ("reactive energy", 1, 0), "Mvarh": ("reactive energy", 1e3, 0),
    "mV": ("voltage", 1e-3, 0), "V": ("voltage", 1, 0), "kV": ("voltage", 1e3, 0),
    "mA": ("current", 1e-3, 0), "A": ("current", 1, 0), "kA": ("current", 1e3, 0),
    "degC": ("temperature", 1, 0), "K": ("temperature", 1, -273.15), "degF": ("temperature", 5 / 9, -160 / 9),
    "Pa": ("pressure", 1e-2, 0), "hPa": ("pressure", 1, 0), "kPa": ("pressure", 10, 0),
    "ms": ("time", 1e-3, 0), "s": ("time", 1, 0), "min": ("time", 60, 0), "h": ("time", 3600, 0),
    "l": ("volume", 1e-3, 0), "m3": ("volume", 1, 0), "kg": ("mass", 1, 0), "t": ("mass", 1e3, 0),
    "m/s": ("speed", 1, 0), "km/h": ("speed", 1 / 3.6, 0), "%": ("ratio", 0.01, 0), "1": ("ratio", 1, 0),
    "mm": ("length", 1e-3, 0), "m": ("length", 1, 0), "deg": ("angle", 1, 0), "rpm": ("rotation", 1, 0),
    "lx": ("illuminance", 1, 0), "Ah": ("charge", 1, 0), "kW/min": ("ramp", 1, 0),
}  # fmt: skip


def symbol(unit: str) -> str:
    """The unit as a screen shows it: `degC` is `°C`, `1` is nothing."""
    return SYMBOLS.get(unit, unit)


def conversion(source: str, target: str) -> tuple[float, float]:
    """(factor, offset) with target = source * factor + offset.

    Raises Wrong where a unit is unknown or the two are not of one quantity.
    """
    for unit in (source, target):
        if unit not in _TO_BASE:
            known = " ".join(_TO_BASE)
            raise Wrong(
                Text(f"unknown unit '{unit}'", f"未知单位“{unit}”"), Text(f"known here: {known}", f"可用：{known}")
            )
    quantity, factor, offset = _TO_BASE[source]
    target_quantity, target_factor, target_offset = _TO_BASE[target]
    if quantity != target_quantity:
        raise Wrong(
            Text(
                f"'{source}' is {quantity} and '{target}' is {target_quantity}", f"“{source}”与“{target}”不是同一种量"
            ),
            Text("they cannot be converted", "不能换算"),
        )
    return factor / target_factor, (offset - target_offset) / target_factor
