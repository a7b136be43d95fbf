"""Control as plain data: ranks, modes, what a strategy file says, and what the screen is answered.

Design, part 7: strategies and people ask for intervals and targets; the arbiter orders them by rank; protection clips;
what is left is sent, confirmed and written down.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from app.model.config import Id, LocalText
from app.model.fields import Form
from app.model.text import Text


class Rank(StrEnum):
    """Who comes first, the highest first. A lower one may tighten what a higher one allows, and never loosen it."""

    PROTECTION = "protection"
    GRID = "grid"
    DEMAND = "demand"
    OPERATOR = "operator"
    PLAN = "plan"
    ECONOMICS = "economics"


RANKS: Final = tuple(Rank)
RANK_NAMES: Final = {
    Rank.PROTECTION: Text("protection", "保护"),
    Rank.GRID: Text("grid order", "电网指令"),
    Rank.DEMAND: Text("demand", "需量"),
    Rank.OPERATOR: Text("operator", "值班员"),
    Rank.PLAN: Text("plan", "计划"),
    Rank.ECONOMICS: Text("economics", "经济运行"),
}


class Quantity(StrEnum):
    """What of a device is set: one channel each."""

    ACTIVE = "active_power"
    """kW into the busbar: of storage, discharge is positive."""
    LIMIT = "power_limit"
    """kW, the most that a PV inverter gives."""
    REACTIVE = "reactive_power"
    """kvar, with the sign of `app.model.roles`."""


SETPOINT_ROLES: Final = {
    "active_power_setpoint": Quantity.ACTIVE,
    "power_limit_setpoint": Quantity.LIMIT,
    "reactive_power_setpoint": Quantity.REACTIVE,
}
"""By the role of the point that is written."""
FEEDBACK_ROLES: Final = {
    Quantity.ACTIVE: "active_power",
    Quantity.LIMIT: "active_power",
    Quantity.REACTIVE: "reactive_power",
}
QUANTITY_NAMES: Final = {
    Quantity.ACTIVE: Text("Active power", "有功功率"),
    Quantity.LIMIT: Text("Power limit", "功率限值"),
    Quantity.REACTIVE: Text("Reactive power", "无功功率"),
}
UNITS: Final = {Quantity.ACTIVE: "kW", Quantity.LIMIT: "kW", Quantity.REACTIVE: "kvar"}
COMMAND_ROLES: Final = ("start", "stop", "reset", "open", "close")


class Mode(StrEnum):
    """Who sets a device, or the whole station."""

    AUTO = "auto"
    MANUAL = "manual"
    """A person; only protection, grid orders and import or export limits clip what they set."""
    OFF = "off"
    """Nobody: it is led to its safe power, and then left alone."""


class Running(StrEnum):
    """How a strategy runs."""

    LIVE = "live"
    SHADOW = "shadow"
    """It runs and is recorded, and commands nothing."""
    OFF = "off"


class Clip(StrEnum):
    """What kept a channel from the value that was asked for."""

    NONE = ""
    RANK = "rank"
    """A wish of a higher rank."""
    RATING = "rating"
    BATTERY = "battery"
    """The charge or discharge limit that the battery tells."""
    SOC = "soc"
    TEMPERATURE = "temperature"
    CELL_VOLTAGE = "cell_voltage"
    RAMP = "ramp"
    IMPORT = "import_limit"
    EXPORT = "export_limit"
    TRANSFORMER = "transformer"
    INTERLOCK = "interlock"
    MINIMUM_TIME = "minimum_time"
    """It has not run, or rested, for as long as it must."""
    OSCILLATION = "oscillation"
    BAD_INPUT = "bad_input"
    TRIP = "trip"
    STOP = "emergency_stop"
    OFF = "off"


CLIP_NAMES: Final = {
    Clip.NONE: Text("", ""),
    Clip.RANK: Text("a higher rank", "更高优先级"),
    Clip.RATING: Text("rating", "额定值"),
    Clip.BATTERY: Text("battery limit", "电池限值"),
    Clip.SOC: Text("state of charge", "荷电状态"),
    Clip.TEMPERATURE: Text("temperature", "温度"),
    Clip.CELL_VOLTAGE: Text("cell voltage", "单体电压"),
    Clip.RAMP: Text("ramp", "爬坡率"),
    Clip.IMPORT: Text("import limit", "受电限值"),
    Clip.EXPORT: Text("export limit", "上网限值"),
    Clip.TRANSFORMER: Text("transformer", "变压器容量"),
    Clip.INTERLOCK: Text("interlock", "闭锁"),
    Clip.MINIMUM_TIME: Text("minimum time", "最短时间"),
    Clip.OSCILLATION: Text("oscillation", "振荡"),
    Clip.BAD_INPUT: Text("bad input", "输入无效"),
    Clip.TRIP: Text("tripped", "保护跳闸"),
    Clip.STOP: Text("emergency stop", "急停"),
    Clip.OFF: Text("off", "退出"),
}


@dataclass(frozen=True, slots=True)
class GridOrder:
    """What a dispatch centre orders: a request of the grid's rank, and never a write."""

    centre: str
    peer: str
    key: str
    """`northbound.CENTRE.OBJECT`: how a strategy names what no point stands for."""
    point: str
    """Full name; empty where the object stands for no point."""
    value: float
    select: bool
    cancel: bool


ORDERS: Final = "northbound."
"""Before the name of an order that no point stands for."""


class StrategyForm(Form):
    """One entry of `strategies.yaml`."""

    id: Id
    kind: str | None = None
    """None: as its template says."""
    template: str | None = None
    """`NAME@VERSION`."""
    name: LocalText | None = None
    mode: Running = Running.SHADOW
    priority: Rank | None = None
    """None: as its kind says."""
    meter: Id | None = None
    """The meter of the power that it holds; None: the station's grid meter."""
    devices: Annotated[tuple[Id, ...], Field(min_length=1)]
    params: dict[str, Any] = Field(default_factory=dict)


class StrategiesForm(Form):
    """`strategies.yaml`."""

    version: Literal[1] = 1
    strategies: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one strategy or person asks of one channel now."""

    who: str
    """Id of the strategy; empty for a person."""
    rank: Rank
    low: float
    high: float
    target: float
    """NaN: none."""
    live: bool
    """False: in shadow, it is only recorded."""
    why: Text


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One channel as the screen shows it: who acts, what each asked, what clipped it, what was sent and is there."""

    device: str
    quantity: Quantity
    point: str
    """Full name of the point that is written."""
    mode: Mode
    wanted: tuple[Wanted, ...]
    """The highest rank first."""
    holder: str
    """Who set the target: id of a strategy, `operator`, or empty for nobody."""
    requested: float
    allowed: float
    clip: Clip
    sent: float
    """NaN before the first."""
    sent_at: int
    """UTC nanoseconds; 0 before the first."""
    held: float
    """What the device says that it holds."""
    feedback: float
    low: float
    high: float
    """What protection allows now."""
    blocked: Text | None
    """Why nothing is sent: a tag, local, a trip, read-only; None where it is."""
    timer: bool = True
    """The device has a timer of its own (`control: expiry`): it is safe also when the engine is gone."""


@dataclass(frozen=True, slots=True)
class CommandedRow:
    """A device that is commanded and has no setpoint: a breaker, a genset, the contactor of a battery."""

    device: str
    mode: Mode | None
    """None where nothing but people and dispatch centres command it."""
    power_kw: float
    """NaN where it does not tell, or that may not be used."""
    locked: bool
    """An interlock is open: nothing but a stop is sent."""
    blocked: Text | None
    """Why nothing is sent; None where it is."""


@dataclass(frozen=True, slots=True)
class StrategyRow:
    """One strategy as the screen shows it."""

    id: str
    kind: str
    name: Text
    running: Running
    rank: Rank
    devices: tuple[str, ...]
    params: dict[str, Any]
    """Its template's, and over those its own."""
    why: Text
    """What it does now, or why it does not."""
    sound: bool
    """Its inputs may be used."""
    template: str = ""
    """`NAME@VERSION`, where it is of one."""


@dataclass(frozen=True, slots=True)
class ControlState:
    """Everything of control at one moment."""

    mode: Mode
    stopped: bool
    """The emergency stop is in."""
    strategies: tuple[StrategyRow, ...]
    channels: tuple[ChannelRow, ...]
    modes: dict[str, Mode] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    """Device -> why it is tagged (挂牌)."""
    trips: dict[str, Text] = field(default_factory=dict)
    """Device -> why it has tripped; it stays until a person resets it."""
    commanded: tuple[CommandedRow, ...] = ()


@dataclass(frozen=True, slots=True)
class ParamRow:
    """One parameter of a strategy, as it is declared and given."""

    key: str
    unit: str
    meaning: Text
    value: str
    """As YAML has it; empty where the default holds."""
    default: str
    required: bool


@dataclass(frozen=True, slots=True)
class TemplateRow:
    """A template that a strategy may be made of."""

    id: str
    """`NAME@VERSION`."""
    name: Text
    about: Text
    params: tuple[ParamRow, ...]
    """Of its kind; the template's own values are their defaults."""


@dataclass(frozen=True, slots=True)
class PlanView:
    """A plan as it is drawn."""

    days: dict[str, tuple[float, ...]]
    """Day (ISO 8601; empty: every day) -> 96 values in kW, discharge positive, NaN where nothing is planned."""
    low: float
    high: float
    """What its devices could give together."""


@dataclass(frozen=True, slots=True)
class ReplayRow:
    """One channel as it stood at a moment of the past; NaN where nothing is known."""

    device: str
    quantity: Quantity
    requested: float
    allowed: float
    sent: float
    flows: float
    who: str
    """Of the ledger's row that was in force; empty where there was none."""
    why: str
    clip: Clip
    row: int
    """Its id; 0 without one."""


@dataclass(frozen=True, slots=True)
class ReplayView:
    """Control at a moment of the past."""

    time_ns: int
    meter_kw: float
    rows: tuple[ReplayRow, ...]
