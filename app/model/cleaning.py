"""What `clean` of a point may say (docs/reference/cleaning.md): one form a filter, judged here, run in the engine.

A chain is a list; each of its steps is a mapping of one key, the filter's name:
`[{spike: {window: 7}}, {stuck: {after: 10min}}]`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from app.model.errors import Wrong
from app.model.fields import DurationS, Finite, Form, NotNegative, Positive, State
from app.model.text import Text

LONGEST_WINDOW: Final = 99
WHOLE: Final = 2**53
"""Up to here a double holds every whole number."""
_HOLD: Final = "after which what is held back counts as true; default: 10s, or three scans where these are longer"


def _odd(value: object) -> object:
    if type(value) is int and value % 2 == 0:
        raise Wrong(
            Text(f"{value} is even", f"{value} 是偶数"),
            Text(f"write {value + 1}, so that one value stands in the middle", f"请写 {value + 1}，使中间恰有一个值"),
        )
    return value


def _modulus(value: object) -> object:
    """A whole number, or a power as a manual writes it: `2^32`, `10^6`."""
    match = re.fullmatch(r"(2|10)\^(\d{1,2})", value) if isinstance(value, str) else None
    return int(match[1]) ** int(match[2]) if match else value


OddWindow = Annotated[int, Field(ge=3, le=LONGEST_WINDOW), BeforeValidator(_odd)]
Modulus = Annotated[
    int,
    Field(ge=2, le=WHOLE),
    BeforeValidator(_modulus),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 2}, {"type": "string", "pattern": r"^(2|10)\^\d{1,2}$"}]}),
]


class SpikeForm(Form):
    """Hampel identifier over the last `window` usable values, the newest among them."""

    window: OddWindow = 7
    sigmas: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 3.0
    least: NotNegative | None = Field(None, description="smaller deviations are no spikes; default: the deadband")
    hold: DurationS | None = Field(None, description=_HOLD)


class RateForm(Form):
    """A change faster than this is not believed at once."""

    per_s: Positive
    hold: DurationS | None = Field(None, description=_HOLD)


class StuckForm(Form):
    """A value that has not moved for so long is marked."""

    model_config = ConfigDict(populate_by_name=True)
    after: DurationS
    band: NotNegative = 0.0
    except_: tuple[Finite, ...] = Field((), alias="except")


class ClampForm(Form):
    low: Finite | None = None
    high: Finite | None = None
    margin: NotNegative = 0.0

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.low is None and self.high is None:
            raise Wrong(
                Text("clamps nothing", "未限定任何范围"), Text("give 'low', 'high' or both", "请给出 low、high 或两者")
            )
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise Wrong(
                Text(
                    f"low {self.low:g} must be below high {self.high:g}", f"low {self.low:g} 应小于 high {self.high:g}"
                )
            )
        return self


class ScaleForm(Form):
    """Straight lines through pairs of (value before, value after); the outer ones go on."""

    through: Annotated[tuple[tuple[Finite, Finite], ...], Field(min_length=2, max_length=LONGEST_WINDOW)]

    @model_validator(mode="after")
    def _rises(self) -> Self:
        for (before, _), (after, _) in pairwise(self.through):
            if after <= before:
                raise Wrong(
                    Text(f"{after:g} stands behind {before:g}", f"{after:g} 排在 {before:g} 之后"),
                    Text("let the first numbers of the pairs rise", "各对的第一个数应递增"),
                )
        return self


class _SmoothingForm(Form):
    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (getattr(self, "window", None) is None) == (getattr(self, "over", None) is None):
            raise Wrong(
                Text(
                    "needs either 'window' (how many values) or 'over' (how long), and not both",
                    "需要 window（值的个数）或 over（时长）之一，不能同时给出",
                )
            )
        return self


class MedianForm(_SmoothingForm):
    window: OddWindow | None = None
    over: DurationS | None = None


class MeanForm(_SmoothingForm):
    window: Annotated[int, Field(ge=2, le=LONGEST_WINDOW)] | None = None
    over: DurationS | None = None


class BitsForm(Form):
    """Bit `first` (0 is the lowest), or the field of `count` bits that begins there."""

    first: Annotated[int, Field(ge=0, le=52)]
    count: Annotated[int, Field(ge=1, le=53)] = 1

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.first + self.count > 53:
            raise Wrong(
                Text(
                    f"bits {self.first} to {self.first + self.count - 1} pass 52, the highest that there is",
                    f"第 {self.first} 至 {self.first + self.count - 1} 位超出最高位 52",
                )
            )
        return self


class MapForm(Form):
    """States of the device to states of the point."""

    states: Annotated[dict[State, State], Field(min_length=1)]
    other: State | None = Field(None, description="what any other state becomes; default: it is invalid")


class SubstituteForm(Form):
    """What stands in for a value that is not usable."""

    value: Finite | None = None
    last: DurationS | None = None
    point: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(given is not None for given in (self.value, self.last, self.point)) != 1:
            raise Wrong(Text("needs one of 'value', 'last' and 'point'", "需要 value、last、point 之一"))
        return self


class CounterForm(Form):
    """A counter that never falls, whatever the device's own does."""

    modulus: Modulus | None = None
    per_s: Positive | None = None


class CleanForm(Form):
    """One step of a chain: the name of a filter, and what it is told."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})
    spike: SpikeForm | None = None
    rate: RateForm | None = None
    stuck: StuckForm | None = None
    clamp: ClampForm | None = None
    scale: ScaleForm | None = None
    median: MedianForm | None = None
    mean: MeanForm | None = None
    bits: BitsForm | None = None
    map: MapForm | None = None
    substitute: SubstituteForm | None = None
    counter: CounterForm | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1 or self.form is None:
            raise Wrong(
                Text("a step is one filter", "每一步只能有一个滤波器"),
                Text(
                    "write '- {spike: {window: 7}}', each filter in an item of its own",
                    "请写“- {spike: {window: 7}}”，每个滤波器单独一项",
                ),
            )
        return self

    @property
    def name(self) -> str:
        """Which filter it is."""
        return next(iter(self.model_fields_set))

    @property
    def form(self) -> Any:
        """What the filter is told: `SpikeForm` and so on."""
        return getattr(self, self.name)


_OTHER_NUMBERS: Final = ("scale", "bits", "map")
"""Behind them a value is another number than before."""


_WAITS: Final = {"spike": "hold", "rate": "hold", "stuck": "after", "substitute": "last"}
"""Filter -> what it waits for, which the next value must have a chance to end."""


def hold_s(form: SpikeForm | RateForm, scan_s: float) -> float:
    """How long a value is held back at most: longer than a scan, whose next value tells a spike from a step."""
    return max(10.0, 3 * scan_s) if form.hold is None else form.hold


def fits_point(
    chain: Sequence[CleanForm], *, kind: str, computed: bool, scale: float, offset: float, scan_s: float
) -> None:
    """Judge a chain against what else is said of its point. Raises ValueError with the mend."""
    if chain and computed:
        raise Wrong(
            Text("a computed point is not cleaned", "计算测点不做清洗"),
            Text("clean the points that it reads", "请清洗其所读取的测点"),
        )
    if chain and kind not in ("measurement", "status", "counter"):
        raise Wrong(
            Text(f"a {kind} is not cleaned", f"{kind} 类测点不做清洗"), Text("leave 'clean' out", "请删除 clean")
        )
    names = [step.name for step in chain]
    if "counter" in names[1:]:
        raise Wrong(
            Text("'counter' judges the device's own numbers", "counter 判断的是设备自身的数值"),
            Text("let it stand first, and once", "请放在首位，且只写一次"),
        )
    if "counter" in names and scale < 0:
        raise Wrong(
            Text("'counter' needs a scale above 0", "counter 要求 scale 大于 0"),
            Text("turn the sign round in a computed point", "请在计算测点中改变符号"),
        )
    if names[:1] == ["bits"] and (scale, offset) != (1.0, 0.0):
        raise Wrong(
            Text("'bits' reads the register as it is", "bits 直接读取寄存器"),
            Text("leave scale and offset out, and write 'scale' behind it", "请删除 scale 和 offset，并在其后写 scale"),
        )
    if kind == "status" and "mean" in names:
        raise Wrong(Text("a mean of states is no state", "状态的平均值不是状态"), Text("write 'median'", "请写 median"))
    for step in chain:
        key = _WAITS.get(step.name, "")
        wait_s: float | None = getattr(step.form, key, None)
        if wait_s is not None and wait_s <= scan_s:
            raise Wrong(
                Text(
                    f"{key} {wait_s:g} s of '{step.name}' ends before the next value comes: scan is {scan_s:g} s",
                    f"{step.name} 的 {key}（{wait_s:g} s）在下一个值到来之前就结束：scan 为 {scan_s:g} s",
                ),
                Text("write several scans", "请写为若干个 scan"),
            )


def leaves_alarms(chain: Sequence[CleanForm], limits: Sequence[tuple[str, float]]) -> None:
    """Judge a chain against (name, number) of its point's alarm limits. Raises ValueError with the mend."""
    names = [step.name for step in chain]
    for i, step in enumerate(chain):
        if step.clamp is None or set(names[i:]) & set(_OTHER_NUMBERS):
            continue
        low, high = step.clamp.low, step.clamp.high
        for name, limit in limits:
            above = name in ("h", "hh") and high is not None and limit > high
            below = name in ("l", "ll") and low is not None and limit < low
            if above or below:
                raise Wrong(
                    Text(
                        f"clamp keeps the value from alarm limit {name} ({limit:g})",
                        f"clamp 使数值无法达到告警限值 {name}（{limit:g}）",
                    ),
                    Text("let it clamp beyond it", "请放宽 clamp"),
                )
