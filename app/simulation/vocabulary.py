"""The words of templates: what ids mean, and which texts of `states` tell what a machine does. Tables, no logic.

Ids follow station_configs/README.md: field terms with the unit at the end, `u_l1_v`, `e_import_kwh`, `t_cell_max_degc`.
"""

from __future__ import annotations

from typing import Final

from app.simulation.dynamics import State, Verb

UNITS_AT_END: Final = (
    r"_(kw|kvar|kva|kwh|kvarh|v|a|hz|pct|degc|ohm|hpa|h|min|s|ms|mm|m_s|w_m2|rpm|lx|l|m"
    r"|kpa|ah|deg|mm_h|l_h|g_m3|kwh_m2|kw_min)$"
)

LETTERS: Final = {
    "u": "voltage", "i": "current", "p": "active_power", "q": "reactive_power", "s": "apparent_power",
    "pf": "power_factor", "thd": "thd",
}  # fmt: skip
"""Letters that may stand alone or before a phase: `p`, `u_l1`, `u_l12`."""

SETTINGS: Final = {
    "p_set": Verb.POWER, "q_set": Verb.REACTIVE, "p_limit": Verb.LIMIT, "s_limit": Verb.LIMIT, "i_set": Verb.LIMIT,
    "p_limit_on": Verb.LIMIT_SWITCH, "go_standby": Verb.STANDBY, "rain_reset": Verb.RESET,
}  # fmt: skip
"""Orders and settings without a role."""

_GUN: Final = r"(?:c|connector|gun)_?(\d+)_"
_STRING: Final = r"(?:pv|string|str)_?(\d+)_"

FORMS: Final[dict[str, str]] = {
    # the grid side
    r"f": "frequency",
    r"f_mains": "mains_frequency",
    r"u_mains_(l[123])": r"mains_voltage_\1",
    r"u_(?:line|ll)": "line_voltage",
    r"i_n": "current_n",
    r"e_(import|export|total)": r"energy_\1",
    r"e_charge\d*": "energy_import",
    r"e_discharge\d*": "energy_export",
    r"e_charge_day": "energy_import_day",
    r"e_discharge_day": "energy_export_day",
    r"e_(import|export)_(l[123]|day|sharp|peak|flat|valley)": r"energy_\1_\2",
    r"eq_(import|export)": r"reactive_energy_\1",
    r"p_rated": "rated_power",
    r"q_rated": "rated_reactive_power",
    r"s_rated": "rated_apparent_power",
    # what stands at the same busbar: a hybrid's grid side and its own meter
    r"f_(?:grid|meter)": "frequency",
    r"u_(?:grid|inverter|meter|eps)_(l[123])": r"voltage_\1",
    r"i_(?:grid|inverter|meter)_(l[123])": r"current_\1",
    r"p_(?:grid|meter)": "active_power",
    r"q_(?:grid|meter)": "reactive_power",
    r"p_grid_(l[123])": r"active_power_\1",
    r"e_grid_(import|export)(_day)?": r"energy_\1\2",
    # direct current
    r"p_dc|p_battery\d*": "dc_power",
    r"u_dc|u_battery\d+": "dc_voltage",
    r"u_battery": "dc_voltage battery_voltage",
    r"i_dc|i_battery\d*": "dc_current",
    r"i_abs": "dc_current_size",
    r"soc\d+|soc_(?:max|min|inverter)": "soc",
    r"soh\d+": "soh",
    r"t_battery\d*": "cell_temperature_mean",
    r"t_(?:dcdc|boost|board)": "sink_temperature internal_temperature",
    r"u_bus": "bus_voltage dc_voltage",
    r"mppt_?(\d+)_u": r"mppt_\1_voltage",
    r"mppt_?(\d+)_i": r"mppt_\1_current",
    r"mppt_?(\d+)_p": r"mppt_\1_power",
    _STRING + "u": r"string_\1_voltage",
    _STRING + "i": r"string_\1_current",
    # machines
    r"run": "running_hours",
    r"run_day": "running_minutes_day",
    r"t_(?:internal|inverter|cabinet|system)": "internal_temperature",
    r"t_(?:heat_sink|ac|dc|igbt|sink)": "sink_temperature internal_temperature",
    r"t_module": "module_temperature",
    r"insulation(?:_[np])?": "insulation_resistance",
    r"alarm_device": "fault",
    r"fuel": "fuel_level",
    r"fuel_l": "fuel_used",
    r"coolant": "coolant_level",
    r"oil": "oil_level",
    r"t_(coolant|oil|core)": r"\1_temperature",
    r"u_charger": "alternator_voltage",
    r"u_starter": "battery_voltage",
    r"gen_breaker|contactor": "breaker closed",
    r"t_(?:max_)?(l[123])": r"winding_temperature_\1",
    r"t_winding(?:_final|_max)?": "winding_temperature",
    # batteries
    r"u_(cell|module)_(max|min)(_no)?": r"\1_voltage_\2\3",
    r"t_(cell|module)_(max|min)(_no)?": r"\1_temperature_\2\3",
    r"u_cell_avg": "cell_voltage_mean",
    r"t_cell_avg": "cell_temperature_mean",
    r"u_charge_max": "charge_voltage_limit",
    r"u_discharge_min": "discharge_voltage_limit",
    r"i_(charge|discharge)_max": r"\1_current_limit",
    r"cycles\d*": "cycles",
    r"battery_full|charge_forbidden": "full",
    r"battery_empty|discharge_forbidden": "empty",
    r"(?:dis)?charge_circuit": "closed",
    r"direction": "flow_state",
    r"grid_mode": "running",
    r"grid_allowed|mains_breaker|mode_auto|remote": "remote",
    # chargers
    r"q_(inductive|capacitive)": r"reactive_\1",
    r"e_session": "session_energy",
    r"i_(?:max|cable_max|session_max|supported)": "rated_current",
    r"i_min": "least_current",
    r"charging_state": "charging",
    r"cable|cable_state": "connected",
    _GUN + "p": r"connector_\1_power",
    _GUN + "u": r"connector_\1_voltage",
    _GUN + "i": r"connector_\1_current",
    _GUN + "soc": r"connector_\1_soc",
    _GUN + "e": r"connector_\1_energy",
    _GUN + "e_session": r"connector_\1_session_energy",
    _GUN + "time": r"connector_\1_session_time",
    _GUN + "p_max": r"connector_\1_available_power",
    _GUN + "state": r"connector_\1_state",
    # weather
    r"t_air": "ambient_temperature",
    r"t_air_(min|max)": r"ambient_temperature_\1",
    r"t_air_avg": "ambient_temperature_mean",
    r"wind": "wind_speed",
    r"wind_(min|max)": r"wind_speed_\1",
    r"wind_avg": "wind_speed_mean",
    r"t_heating_\w+": "heating_temperature",
    r"altitude": "elevation",
    r"irradiance_(?:poa|plane|tilt)": "plane_irradiance",
}
"""Form of an id without its unit -> the quantities it may mean; the first that the device has is taken."""

CONNECTOR_LIMIT: Final = _GUN + "p_limit"

STATE_WORDS: Final[dict[State, tuple[str, ...]]] = {
    State.STOPPED: (
        r"^(stopped|stop|off|shut ?down)$", r"shutdown, command", r"\b(stopped|off|unavailable|shutdown)\b",
        r"stand-?by|waiting|interrupted|not ready",
    ),
    State.STANDBY: (
        r"no irradiation", r"^(stand-?by|idle|ready|waiting)$", r"\b(stand-?by|idle|waiting|ready|normal)\b",
        r"\b(stopped|stop|running)\b",
    ),
    State.STARTING: (r"^(starting|pre-start|cranking)$", r"\b(starting|pre-?start|crank|checking)", r"stand-?by"),
    State.RUNNING: (r"^(running|run|on grid|normal|in operation|closed)$", r"\b(running|on grid|normal|on)\b"),
    State.LIMITED: (r"power limited", r"^(derated|dispatched|limited)$", r"\b(derat\w+|limited)\b"),
    State.CHARGING: (r"^charging$", r"(?<!dis)(?<!stop )\bcharging\b"),
    State.DISCHARGING: (r"^discharging$", r"(?<!stop )\bdischarging\b"),
    State.COOLING: (r"cool", r"post run"),
    State.AVAILABLE: (r"^available$", r"waiting for a vehicle", r"\b(available|unplugged|not connected|idle|ready)\b"),
    State.CONNECTED: (r"\b(preparing|occupied|plugged|connected|interrupted)\b",),
    State.FINISHED: (r"\b(finish\w*|complete\w*|charged)\b",),
    State.FAULT: (r"^(fault|faulted|error)$", r"\b(fault\w*|error|failure|alarm)\b"),
    State.WARMING: (r"warm", r"idle"),
}  # fmt: skip
"""Forms of English texts (lower case) that stand for a state, the plainest first."""

INSTEAD: Final[dict[State, State]] = {
    State.LIMITED: State.RUNNING, State.CHARGING: State.RUNNING, State.DISCHARGING: State.RUNNING,
    State.STARTING: State.RUNNING, State.WARMING: State.RUNNING, State.COOLING: State.RUNNING,
    State.AVAILABLE: State.STANDBY, State.CONNECTED: State.AVAILABLE, State.FINISHED: State.CONNECTED,
    State.RUNNING: State.AVAILABLE, State.STANDBY: State.STOPPED, State.FAULT: State.STOPPED,
}  # fmt: skip
"""What stands for a state that the device has no word for."""

CHARGER_CODES: Final[dict[State, float]] = {
    State.AVAILABLE: 0, State.CONNECTED: 2, State.CHARGING: 3, State.FINISHED: 6, State.STOPPED: 8, State.FAULT: 10,
}  # fmt: skip
"""Codes of a charger's state that nobody explained: those that OCPP's order of states suggests."""

ON: Final = (
    r"^(enabled|on|closed|running|active|yes|remote|auto|automatic)$", r"\b(enabled|closed|plugged|locked|remote)\b",
)  # fmt: skip
OFF: Final = (r"^(disabled|off|open|stopped|normal|no|local|unplugged)$", r"\b(disabled|open|unplugged)\b")
USUAL: Final = (r"four-wire", r"gb.t", r"^auto", r"^(on grid|closed|normal|enabled|off|none)$", r"three phases")
"""Texts to prefer for a status of which physics knows nothing."""
