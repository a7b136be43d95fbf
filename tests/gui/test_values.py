"""Values as people read them."""

from __future__ import annotations

import math

import pytest

from app.model import quality as q
from app.model.clock import SECOND_NS
from app.model.text import Text
from widgets.values import MarkStyle, age_text, format_value, quality_mark

STATES = {0: Text("open", "分"), 1: Text("closed", "合")}


@pytest.mark.parametrize(
    ("value", "precision", "unit", "shown"),
    [
        (1250.46, 1, "kW", "1,250.5 kW"),
        (-250, 1, "kW", "\N{MINUS SIGN}250.0 kW"),
        (-0.04, 1, "kW", "0.0 kW"),
        (12, 0, "1", "12"),
        (21.5, 1, "degC", "21.5 °C"),
        (45.25, 1, "", "45.2"),
        (math.nan, 1, "kW", "–"),
        (math.inf, 1, "kW", "∞ kW"),
        (-math.inf, None, "", "\N{MINUS SIGN}∞"),
        (0.1 + 0.2, None, "", "0.3"),
        (1234567.891, None, "kWh", "1,234,568 kWh"),
        (0.0, None, "", "0"),
        (100.0, None, "", "100"),
        (-3e-9, None, "", "\N{MINUS SIGN}3e-09"),
    ],
)
def test_number(value: float, precision: int | None, unit: str, shown: str) -> None:
    assert format_value(value, precision, unit, None, "en") == shown


def test_state_names_in_both_languages() -> None:
    assert format_value(1.0, 0, "", STATES, "en") == "closed"
    assert format_value(1.0, 0, "", STATES, "zh") == "合"
    assert format_value(7.0, 0, "", STATES, "en") == "7"
    assert format_value(0.5, 1, "", STATES, "en") == "0.5"
    assert format_value(math.inf, 0, "", STATES, "en") == "∞"


@pytest.mark.parametrize(
    ("quality", "text", "style"),
    [
        (q.GOOD, "", MarkStyle.GOOD),
        (q.IV | q.NT | q.CLOCK, "IV NT CLOCK", MarkStyle.INVALID),
        (q.NT, "NT", MarkStyle.OLD),
        (q.SB, "SB", MarkStyle.MANUAL),
        (q.FORCED, "FORCED", MarkStyle.MANUAL),
        (q.OV | q.RANGE, "OV RANGE", MarkStyle.DOUBTFUL),
        (q.NT | q.SB, "NT SB", MarkStyle.OLD),
    ],
)
def test_quality_mark(quality: int, text: str, style: MarkStyle) -> None:
    assert quality_mark(quality) == (text, style)


@pytest.mark.parametrize(
    ("seconds", "en", "zh"),
    [(0.9, "0 s", "0 秒"), (59, "59 s", "59 秒"), (200, "3 min", "3 分钟"), (7200, "2 h", "2 小时"),
     (90000, "1 d", "1 天"),
     (-5, "0 s", "0 秒")],
)  # fmt: skip
def test_age(seconds: float, en: str, zh: str) -> None:
    assert age_text(round(seconds * SECOND_NS), "en") == en
    assert age_text(round(seconds * SECOND_NS), "zh") == zh
