"""What a command carries for a value, and what its type does not hold."""

from __future__ import annotations

import pytest

from app.model.config import PointForm
from app.model.station import Point
from drivers.iec104.orders import raw_value
from drivers.iec104.typeids import COMMANDS_BY_TYPE, NUMBERS


def raw(type_: str, value: float, scale: float = 1.0, offset: float = 0.0) -> float:
    form = PointForm.model_validate(
        {"id": "p", "name": "P", "kind": "setpoint", "unit": "kW", "scale": scale, "offset": offset,
         "address": {"ioa": 1, "type": type_}}
    )  # fmt: skip
    return raw_value(Point(0, "a.p", "a", form), COMMANDS_BY_TYPE[NUMBERS[type_]], value)


@pytest.mark.parametrize(
    ("type_", "value", "scale", "expected"),
    [
        ("C_SC_NA_1", 1, 1, 1),
        ("C_DC_TA_1", 0, 1, 0),
        ("C_RC_NA_1", -1, 1, -1),
        ("C_SE_NA_1", 500.0, 1000, 16384),
        ("C_SE_NA_1", -1000.0, 1000, -32768),
        ("C_SE_NB_1", 12.34, 0.1, 123),
        ("C_SE_TC_1", 12.34, 0.5, 24.68),
        ("C_BO_NA_1", 2**32 - 1, 1, 2**32 - 1),
    ],
)
def test_values_in_the_points_unit_become_raw_ones(type_: str, value: float, scale: float, expected: float) -> None:
    assert raw(type_, value, scale) == expected


@pytest.mark.parametrize(
    ("type_", "value", "holds"),
    [
        ("C_SC_NA_1", 2, "0 or 1"),
        ("C_SC_NA_1", 0.5, "0 or 1"),
        ("C_RC_NA_1", 0, "-1 or 1"),
        ("C_SE_NA_1", 1.0, "-1 to 0.999969"),
        ("C_SE_NB_1", 32768, "-32768 to 32767"),
        ("C_SE_NB_1", float("nan"), "-32768 to 32767"),
        ("C_SE_NC_1", 1e39, "short float"),
        ("C_SE_NC_1", float("inf"), "short float"),
        ("C_BO_NA_1", -1, "0 to 4.29497e+09"),
    ],
)
def test_what_a_type_does_not_hold_is_refused_before_it_is_sent(type_: str, value: float, holds: str) -> None:
    with pytest.raises(ValueError, match="a.p cannot be set") as refused:
        raw(type_, value)
    assert holds in str(refused.value)
