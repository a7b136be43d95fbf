"""The form of station files and templates, version 1 (docs/reference/station-config.md), as pydantic models.

These models judge one value at a time; what needs the whole station (duplicate ids, references, templates) is in
`app.model.loading`, what needs a protocol is in the driver.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from app.model.cleaning import CleanForm, fits_point, leaves_alarms
from app.model.durations import format_duration
from app.model.errors import Wrong
from app.model.fields import DURATION_FORM, DurationS, Finite, Form, NotNegative, Positive, State, duration_s
from app.model.roles import ROLES
from app.model.secrets import is_reference
from app.model.text import Text
from app.model.units import UNITS


class PointKind(StrEnum):
    """遥测 遥信 遥脉 遥控 遥调, and texts, which live beside the table."""

    MEASUREMENT = "measurement"
    STATUS = "status"
    COUNTER = "counter"
    COMMAND = "command"
    SETPOINT = "setpoint"
    TEXT = "text"


_NEVER_COMPUTED: Final = (PointKind.COMMAND, PointKind.SETPOINT, PointKind.TEXT)


class DeviceKind(StrEnum):
    PV_INVERTER = "pv_inverter"
    PCS = "pcs"
    BMS = "bms"
    METER = "meter"
    TRANSFORMER = "transformer"
    WEATHER = "weather"
    GENSET = "genset"
    CHARGER = "charger"
    LOAD = "load"
    GATEWAY = "gateway"
    OTHER = "other"


class Priority(StrEnum):
    """Of an alarm, the worst first."""

    URGENT = "urgent"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


def _delay(value: object) -> float:
    """A duration that may be nothing: `0s` frees one alarm of its point's common delay."""
    return 0.0 if isinstance(value, str) and value in ("0s", "0ms") else duration_s(value)


def _text(value: object) -> Text:
    if isinstance(value, str) and value.strip():
        return Text.of(value)
    if (
        isinstance(value, dict)
        and value
        and set(value) <= {"en", "zh"}
        and all(isinstance(v, str) and v.strip() for v in value.values())
    ):
        return Text.of(value)
    raise Wrong(Text("must be a text, or {en: ..., zh: ...}", "应为文本，或 {en: ..., zh: ...}"))


def _one_of(what: str, allowed: tuple[str, ...]) -> Any:
    def check(value: object) -> object:
        if value not in allowed:
            raise Wrong(
                Text(f"unknown {what} '{value}'", f"未知的 {what}“{value}”"),
                Text(f"one of: {' '.join(allowed)}", f"可写：{' '.join(allowed)}"),
            )
        return value

    return BeforeValidator(check)


def _plain_number(value: object) -> object:
    """`unit: 1` without quotes is the unit `1`."""
    return "1" if type(value) is int and value == 1 else value


def _rising(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise Wrong(
            Text(f"[{pair[0]:g}, {pair[1]:g}] falls", f"[{pair[0]:g}, {pair[1]:g}] 是递减的"),
            Text("write the lower end first", "请先写较小值"),
        )
    return pair


def _zone(value: object) -> object:
    try:
        ZoneInfo(str(value))
    except (KeyError, ValueError, OSError):
        raise Wrong(
            Text(f"'{value}' is not a time zone", f"“{value}”不是时区"),
            Text("write an IANA name such as Asia/Shanghai or UTC", "请写 IANA 名称，例如 Asia/Shanghai 或 UTC"),
        ) from None
    return value


Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
DelayS = Annotated[float, BeforeValidator(_delay), WithJsonSchema({"type": "string", "pattern": DURATION_FORM})]
"""As `DurationS`, or `0s`."""
LocalText = Annotated[
    Text,
    BeforeValidator(_text),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "object", "properties": {"en": {"type": "string"}, "zh": {"type": "string"}}},
            ]
        }
    ),
]
Unit = Annotated[str, _one_of("unit", UNITS), BeforeValidator(_plain_number), WithJsonSchema({"enum": [*UNITS, 1]})]
Role = Annotated[str, _one_of("role", tuple(ROLES)), WithJsonSchema({"enum": list(ROLES)})]
Zone = Annotated[str, BeforeValidator(_zone)]


class AlarmForm(Form):
    """What one alarm may say of itself; what it does not say comes from the point's `alarms`."""

    priority: Priority | None = None
    delay: DelayS | None = None
    hysteresis: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class LimitForm(AlarmForm):
    value: Finite


class StateAlarmForm(AlarmForm):
    value: State | tuple[State, ...]


class AlarmsForm(AlarmForm):
    """Alarms of a point: limits hh h l ll, a state, bad quality, lost device."""

    hh: LimitForm | Finite | None = None
    h: LimitForm | Finite | None = None
    l: LimitForm | Finite | None = None  # noqa: E741 (the field's own name)
    ll: LimitForm | Finite | None = None
    state: StateAlarmForm | None = None
    quality: AlarmForm | bool | None = None
    lost: AlarmForm | bool | None = None

    @field_validator("h", "l", "ll", mode="after")
    @classmethod
    def _below(cls, limit: LimitForm | float | None, info: ValidationInfo) -> LimitForm | float | None:
        """Below the next higher limit there is. They are judged from hh downwards, in the order of the fields."""
        value = limit_value(limit)
        higher = [(name, limit_value(info.data.get(name))) for name in ("hh", "h", "l")]
        known = [(name, other) for name, other in higher if other is not None]
        if value is not None and known and value >= known[-1][1]:
            name, other = known[-1]
            raise Wrong(
                Text(
                    f"limit {info.field_name} ({value:g}) must be below limit {name} ({other:g})",
                    f"限值 {info.field_name}（{value:g}）应小于限值 {name}（{other:g}）",
                )
            )
        return limit


def limit_value(limit: LimitForm | float | None) -> float | None:
    """The number of a limit, however it was written."""
    return limit.value if isinstance(limit, LimitForm) else limit


class PointForm(Form):
    """A point, declared once: screens, alarms, history and reports derive from it.

    What two keys must agree on is judged at the later of them, where both are sound: so all faults are told at once.
    """

    id: Id
    name: LocalText
    kind: PointKind
    role: Role | None = None
    unit: Unit | None = Field(None, validate_default=True)
    address: dict[str, Any] | None = None
    value: str | None = Field(None, validate_default=True, description="an expression, instead of an address")
    scale: Finite = 1.0
    offset: Finite = 0.0
    precision: Annotated[int, Field(ge=0, le=9)] | None = None
    scan: DurationS = 1.0
    deadband: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    range: tuple[Finite, Finite] | None = None
    clean: tuple[CleanForm, ...] = ()
    states: dict[int, LocalText] | None = None
    alarms: AlarmsForm | None = None

    @field_validator("unit", mode="after")
    @classmethod
    def _of_its_role(cls, unit: str | None, info: ValidationInfo) -> str | None:
        role = info.data.get("role")
        if "role" not in info.data or role is None:
            return unit
        expected = ROLES[role]
        if expected and unit != expected:
            raise Wrong(
                Text(
                    f"role {role} is measured in {expected}, not in {unit or 'nothing'}",
                    f"角色 {role} 的单位是 {expected}，不是 {unit or 'nothing'}",
                ),
                Text("scale it once, here", "请在此处换算一次"),
            )
        if unit and not expected:
            raise Wrong(
                Text(f"role {role} has no unit", f"角色 {role} 没有单位"),
                Text("leave 'unit' out, or the role", "请删除 unit，或删除 role"),
            )
        return unit

    @field_validator("value", mode="after")
    @classmethod
    def _either(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "address" in info.data and (info.data["address"] is None) == (value is None):
            raise Wrong(
                Text(
                    "a point needs either an address or a value (an expression), and not both",
                    "测点需要地址或表达式（value）之一，不能同时给出",
                )
            )
        if value is not None and info.data.get("kind") in _NEVER_COMPUTED:
            raise Wrong(
                Text(f"a {info.data['kind']} cannot be computed", f"{info.data['kind']} 类测点不能计算得出"),
                Text("give it an address instead of a value", "请给出地址而不是 value"),
            )
        return value

    @field_validator("scale", mode="after")
    @classmethod
    def _some(cls, scale: float) -> float:
        if scale == 0:
            raise Wrong(
                Text("scale 0 would lose every value", "scale 为 0 会丢失所有数值"),
                Text("leave it out for 1", "为 1 时请省略"),
            )
        return scale

    @field_validator("range", mode="after")
    @classmethod
    def _rises(cls, range_: tuple[float, float] | None) -> tuple[float, float] | None:
        if range_ is not None and range_[0] >= range_[1]:
            raise Wrong(
                Text(f"range [{range_[0]:g}, {range_[1]:g}] must rise", f"range [{range_[0]:g}, {range_[1]:g}] 应递增")
            )
        return range_

    @field_validator("clean", mode="after")
    @classmethod
    def _cleanable(cls, clean: tuple[CleanForm, ...], info: ValidationInfo) -> tuple[CleanForm, ...]:
        said = info.data
        if {"kind", "scale", "offset", "scan"} <= said.keys():
            own = {key: said[key] for key in ("kind", "scale", "offset")}
            fits_point(clean, **own, computed=said.get("value") is not None, scan_s=said["scan"])
        return clean

    @field_validator("alarms", mode="after")
    @classmethod
    def _reachable(cls, alarms: AlarmsForm | None, info: ValidationInfo) -> AlarmsForm | None:
        limits = [(name, limit_value(getattr(alarms, name, None))) for name in ("ll", "l", "h", "hh")]
        leaves_alarms(info.data.get("clean", ()), [(name, limit) for name, limit in limits if limit is not None])
        return alarms


def _in_order(curve: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    if any(later[0] <= one[0] for one, later in pairwise(curve)):
        raise Wrong(
            Text("the values of a curve do not rise", "曲线的数值未递增"), Text("put them in order", "请按升序排列")
        )
    return curve


def _known_role(role: str) -> str:
    if role not in ROLES:
        raise Wrong(
            Text(f"unknown role '{role}'", f"未知角色“{role}”"),
            Text("write a role, such as voltage", "请写角色，例如 voltage"),
        )
    return role


class BlocksForm(Form):
    """What one read may ask of a device."""

    max_registers: Annotated[int, Field(ge=1, le=125)] = 125
    max_bits: Annotated[int, Field(ge=1, le=2000)] = 2000
    max_gap: Annotated[int, Field(ge=0, le=124)] = 16
    """Unwanted registers between two wanted ones that one read may include."""
    forbidden: tuple[Annotated[tuple[int, int], AfterValidator(_rising)], ...] = ()
    """Register ranges, both ends included, that no read may touch."""


class ConfirmForm(Form):
    within: DurationS = 2.0
    tolerance_pct: Annotated[float, Field(ge=0, le=100)] = 2.0


class RetryForm(Form):
    """What is done about a write that was not answered. A refusal is an answer."""

    after: DurationS = 1.0
    times: Annotated[int, Field(ge=0, le=10)] = 0
    """So often a command is sent again; a setpoint is for as long as it is wanted."""


class DerateForm(Form):
    """The share of the rating that is left, by the value of a role of the device or its battery."""

    by: Literal[
        "cell_temperature_max", "cell_temperature_min", "cell_voltage_max", "cell_voltage_min", "soc", "voltage",
        "current", "winding_temperature", "oil_temperature",
    ]  # fmt: skip
    curve: Annotated[
        tuple[tuple[Finite, Annotated[float, Field(ge=0, le=100)]], ...], Field(min_length=2), AfterValidator(_in_order)
    ]
    """[[value, %], ...], values rising; beyond the ends the end holds."""


class TripForm(Form):
    """A value at which a device is led to its safe power, and stays there until a person resets it."""

    by: Annotated[str, AfterValidator(_known_role)]
    above: Finite | None = None
    below: Finite | None = None
    after: DurationS = 2.0

    @model_validator(mode="after")
    def _has_a_limit(self) -> TripForm:
        if self.above is None and self.below is None:
            raise Wrong(
                Text("a trip without a limit", "跳闸条件没有限值"),
                Text("write 'above' or 'below'", "请写 above 或 below"),
            )
        return self


class EnableForm(Form):
    """What a device must be told so that it takes setpoints."""

    point: str
    """Id of a point of the same device that can be written."""
    value: Finite


class ControlForm(Form):
    """How a device is commanded."""

    expiry: DurationS | None = None
    renew: DurationS | None = None
    on_bad_input: Literal["hold", "ramp", "fall_back"] = "hold"
    safe_kw: Finite = 0.0
    ramp_kw_per_s: Positive | None = None
    soc: Annotated[tuple[Finite, Finite], AfterValidator(_rising)] = (5.0, 95.0)
    minimum_change_kw: NotNegative = 0.0
    dead_zone_kw: NotNegative = 0.0
    minimum_on: DurationS | None = None
    minimum_off: DurationS | None = None
    throttle: DurationS | None = None
    """No two values of a setpoint are sent closer together; what leads to safety is."""
    confirm: ConfirmForm = ConfirmForm()
    retry: RetryForm = RetryForm()
    derate: tuple[DerateForm, ...] = ()
    trips: tuple[TripForm, ...] = ()
    enable: tuple[EnableForm, ...] = ()
    """Written in this order right after the first setpoint, and again each minute and after each failure."""
    heartbeat: DurationS | None = None
    """So often the setpoint of the role heartbeat is counted up while the device is commanded."""
    interlocks: tuple[str, ...] = ()
    """Points, of the device by id or of others by full name, that must be usable and not 0."""

    @model_validator(mode="after")
    def _is_renewed_in_time(self) -> ControlForm:
        """A setpoint that expires between two of its writes leads its device to safety again and again."""
        for key, period, least in (("renew", self.renew, 1.0), ("throttle", self.throttle, 2.0)):
            if self.expiry is not None and period is not None and period * least >= self.expiry:
                given, expiry = format_duration(period), format_duration(self.expiry)
                raise Wrong(
                    Text(f"{key}: {given} is too long for expiry: {expiry}; it would expire between two writes",
                         f"{key}: {given} 对于 expiry: {expiry} 过长；设定值会在两次写入之间失效"),
                    Text("write a third of expiry", "请写 expiry 的三分之一"),
                )  # fmt: skip
        return self


class RatingsForm(Form):
    power_kw: Positive | None = None
    energy_kwh: Positive | None = None
    apparent_kva: Positive | None = None
    voltage_v: Positive | None = None
    current_a: Positive | None = None


class ConnectionForm(BaseModel):
    """`driver`, and what that driver asks for; the driver judges the rest."""

    model_config = ConfigDict(extra="allow", frozen=True)
    driver: str


class DeviceForm(Form):
    id: Id
    name: LocalText
    kind: DeviceKind
    parent: Id | None = None
    template: str | None = None
    connection: dict[str, Any] | None = None
    ratings: RatingsForm = RatingsForm()
    control: dict[str, Any] | None = None
    bms: Id | None = None
    blocks: BlocksForm | None = None
    points: tuple[dict[str, Any], ...] = ()
    """Merged with the template's by id, and judged as `PointForm` after that."""


class NodeForm(Form):
    """One element of the single-line diagram. A device hangs on the node that its `parent` names."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    id: Id
    kind: Literal["grid", "transformer", "bus", "breaker", "feeder", "device"]
    name: LocalText | None = None
    from_: Id | None = Field(None, alias="from")
    to: Id | None = None
    device: Id | None = None
    state: str | None = None
    voltage_kv: Annotated[float, Field(gt=0)] | None = None


class LocationForm(Form):
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    elevation_m: Finite = 0.0


class LimitsForm(Form):
    import_kw: Annotated[float, Field(ge=0)] | None = None
    export_kw: Annotated[float, Field(ge=0)] | None = None


class StationHeadForm(Form):
    id: Id
    name: LocalText
    timezone: Zone
    location: LocationForm
    limits: LimitsForm = LimitsForm()
    grid_meter: Id | None = None
    read_only: bool = False


class RetentionForm(Form):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    raw: DurationS = 30 * 86400.0
    s1: DurationS = Field(7 * 86400.0, alias="1s")
    s5: DurationS = Field(90 * 86400.0, alias="5s")
    min15: DurationS = Field(20 * 365.25 * 86400.0, alias="15min")
    h1: DurationS = Field(20 * 365.25 * 86400.0, alias="1h")


class HistoryForm(Form):
    url: str | None = None
    heartbeat: DurationS = 60.0
    retention: RetentionForm = RetentionForm()


class AccessForm(Form):
    """Who may: what a station asks beyond accounts and roles."""

    lock_after: DurationS | Literal["never"] = Field(1800.0, json_schema_extra={"default": "30min"})
    second_person: tuple[Literal["export", "acknowledge", "configure", "secrets", "accounts"], ...] = ()

    @property
    def lock_after_s(self) -> float:
        """0 for never."""
        return 0.0 if self.lock_after == "never" else float(self.lock_after)


class RecordsForm(Form):
    """Where accounts, audit and journals are kept: in the data folder, or on a PostgreSQL server."""

    url: str | None = None
    password: str | None = None
    """A reference to a secret."""

    @model_validator(mode="before")
    @classmethod
    def _without_secrets(cls, given: Any) -> Any:
        """Judged as a whole: what is told of a single value shows it, and this one may hold a password."""
        if not isinstance(given, dict):
            return given
        url, password = given.get("url"), given.get("password")
        if password is not None and not is_reference(password):
            raise ValueError("password stands in the file; write 'password: secret:NAME' or 'password: env:NAME'")
        if password is not None and url is None:
            raise ValueError("a password without a url; add 'url: postgresql://user@host/db', or remove it")
        if url is not None:
            _judge_server(url)
        return given


def _judge_server(url: object) -> None:
    form = "write postgresql://user@host/db"
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError(f"url is not the address of a server; {form}") from None
    if parts.password is not None or "password" in parts.query.lower():
        raise ValueError(f"a password stands in the url; {form} and 'password: secret:NAME' or 'password: env:NAME'")
    if parts.scheme != "postgresql" or not parts.hostname or not parts.path.strip("/") or not port_fits:
        raise ValueError(f"url is not the address of a PostgreSQL database; {form}")


class AuditForm(Form):
    """Where the audit proves itself beside the records."""

    heads: str | None = None


class StationForm(Form):
    """The whole `station.yaml`."""

    version: Literal[1]
    station: StationHeadForm
    history: HistoryForm = HistoryForm()
    access: AccessForm = AccessForm()
    records: RecordsForm = RecordsForm()
    audit: AuditForm = AuditForm()
    topology: tuple[NodeForm, ...] = ()
    devices: tuple[DeviceForm, ...] = ()


class TemplateForm(Form):
    """The whole of `templates/VENDOR/MODEL.yaml`: a device model as data."""

    version: Literal[1]
    vendor: str
    model: str
    kind: DeviceKind
    source: str
    licence: str
    connection: dict[str, Any] = Field(default_factory=dict)
    blocks: BlocksForm = BlocksForm()
    control: ControlForm | None = None
    points: tuple[PointForm, ...]
