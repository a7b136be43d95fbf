"""Roles: what a point means to the rest of the house, so that nothing above the templates knows a vendor.

Signs (design, idea 4): a source's power is positive into the busbar, a load's positive out of it; reactive power has
the sign of the active one's direction; energies are counters that never fall, `import` taken from the busbar, `export`
given to it (for the grid connection, import is from the grid).
"""

from __future__ import annotations

from typing import Final

ROLES: Final[dict[str, str]] = {
    "active_power": "kW",
    "reactive_power": "kvar",
    "apparent_power": "kVA",
    "power_factor": "1",
    "voltage": "V",
    "current": "A",
    "frequency": "Hz",
    "energy_import": "kWh",
    "energy_export": "kWh",
    "soc": "%",
    "soh": "%",
    "charge_limit": "kW",
    "discharge_limit": "kW",
    "cell_voltage_max": "V",
    "cell_voltage_min": "V",
    "cell_temperature_max": "degC",
    "cell_temperature_min": "degC",
    "active_power_setpoint": "kW",
    "reactive_power_setpoint": "kvar",
    "power_limit_setpoint": "kW",
    "start": "",
    "stop": "",
    "reset": "",
    "open": "",
    "close": "",
    "state": "",
    "breaker": "",
    "remote": "",
    "fault": "",
    "heartbeat": "",
    "irradiance": "W/m2",
    "ambient_temperature": "degC",
    "module_temperature": "degC",
    "wind_speed": "m/s",
    "oil_temperature": "degC",
    "winding_temperature": "degC",
    "fuel_level": "%",
}
"""Role -> the unit that a point of this role has; empty where it is a state or a command without a unit."""
