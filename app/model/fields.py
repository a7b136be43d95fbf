"""What the forms of station files are built from: their base, numbers, durations, states."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from app.model.durations import parse_duration_s
from app.model.errors import Wrong
from app.model.text import Text

_SHORTEST_S: Final = 0.001
_LONGEST_S: Final = 100 * 365.25 * 86400.0
"""Nanoseconds of a longer one would not fit into 64 bits."""


def duration_s(value: object) -> float:
    """Seconds of a written duration. Raises ValueError in words for the file's writer."""
    if not isinstance(value, str):
        raise Wrong(
            Text(f"'{value}' is not a duration", f"“{value}”不是时长"),
            Text("write a number and a unit, such as 250ms, 5s or 15min", "请写数字和单位，例如 250ms、5s 或 15min"),
        )
    seconds = parse_duration_s(value)
    if not _SHORTEST_S <= seconds <= _LONGEST_S:
        raise Wrong(
            Text(f"'{value}' is not between 1ms and 100y", f"“{value}”不在 1ms 至 100y 之间"),
            Text("leave it out where nothing is meant", "不需要时请省略"),
        )
    return seconds


DURATION_FORM: Final = r"^\d+(\.\d+)?(ms|s|min|h|d|y)$"
DurationS = Annotated[float, BeforeValidator(duration_s), WithJsonSchema({"type": "string", "pattern": DURATION_FORM})]
"""Written `15min`, held in seconds."""
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
State = Annotated[int, Field(ge=-(2**31), lt=2**31)]
"""What a status point may hold: a whole number of 32 bits."""


class Form(BaseModel):
    """Base of all file forms: unknown keys are faults, nothing changes after loading."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True, allow_inf_nan=False
    )
