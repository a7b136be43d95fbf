"""What is declared of alarms, and what is left out, as rules; and what they say in both languages."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from app.alarms.rules import compile_rules
from app.alarms.wording import Wording, figure
from app.model.quality import IV, NT, RANGE
from app.model.text import Text
from tests.support.alarm_station import load, one_point, point


def rules_of(folder: Path, alarms: dict[str, Any], kind: str = "measurement") -> list[tuple[Any, ...]]:
    """(condition, priority, limit, delay in s, hysteresis) of each rule of the point."""
    rules = compile_rules(one_point(folder, kind=kind, alarms=alarms))
    return [
        (
            rule.condition,
            rule.priority.value,
            None if math.isnan(rule.limit) else rule.limit,
            rules.delay_ns[i] / 1e9,
            None if math.isnan(rules.on[i]) else rules.on[i] - rules.off[i],
        )
        for i, rule in enumerate(rules.rules)
        if rule.point.name == "d.p"
    ]


def test_what_a_limit_does_not_say_comes_from_the_points_alarms(tmp_path: Path) -> None:
    alarms = {
        "hh": {"value": 1900, "priority": "urgent"}, "h": 1800, "l": {"value": 5, "delay": "1s", "hysteresis": 0},
        "quality": {"priority": "low"}, "delay": "2s", "hysteresis": 10, "priority": "high",
    }  # fmt: skip
    assert rules_of(tmp_path, alarms) == [
        ("hh", "urgent", 1900, 2, 10),
        ("h", "high", 1800, 2, 10),
        ("l", "high", 5, 1, 0),
        ("quality", "low", None, 2, None),
    ]


def test_what_nobody_says(tmp_path: Path) -> None:
    assert rules_of(tmp_path, {"ll": 1, "lost": True}) == [
        ("ll", "medium", 1, 0, 0),
        ("lost", "medium", None, 0, None),
    ]


def test_false_is_no_alarm(tmp_path: Path) -> None:
    assert rules_of(tmp_path, {"quality": False, "lost": False, "h": 5}) == [("h", "medium", 5, 0, 0)]


def test_every_connected_device_has_one_lost_alarm_and_a_computed_one_has_none(tmp_path: Path) -> None:
    devices = [
        {"id": "a", "name": "A", "points": [point("p"), point("q")]},
        {"id": "b", "name": "B", "points": [point("p")]},
    ]
    station = load(tmp_path, devices)
    rules = compile_rules(station)
    assert [(rule.point.name, rule.condition, rule.priority.value) for rule in rules.rules] == [
        ("a._online", "lost", "high"),
        ("b._online", "lost", "high"),
    ]


def test_a_station_without_alarms(tmp_path: Path) -> None:
    from app.alarms.judge import Judge
    from app.model.updates import Updates

    computed = {"id": "c", "name": "C", "kind": "meter", "connection": None}
    computed["points"] = [{"id": "p", "name": "P", "kind": "measurement", "value": "1"}]
    station = load(tmp_path, [computed])
    rules = compile_rules(station)
    assert len(rules) == 0
    judge = Judge(rules)
    assert len(judge.take(Updates.of(0, 5.0, 0, 1, 1), 1)) == 0 and len(judge.tick(2)) == 0


@pytest.fixture
def igbt(tmp_path: Path) -> Any:
    igbt = point(
        "t_igbt", unit="degC", precision=1, alarms={"hh": 90, "l": -5.25, "quality": True, "lost": True}
    )  # fmt: skip
    igbt["name"] = {"en": "IGBT temperature", "zh": "IGBT温度"}
    run = point("run", kind="status", states={0: {"en": "stopped", "zh": "停机"}, 2: {"en": "fault", "zh": "故障"}},
                alarms={"state": {"value": [2, 3]}})  # fmt: skip
    run["name"] = {"en": "Run state", "zh": "运行状态"}
    return load(tmp_path, [{"id": "pcs2", "name": {"en": "PCS 2", "zh": "2号PCS"}, "points": [igbt, run]}])


@pytest.mark.parametrize(
    ("what", "en", "zh"),
    [
        (("hh", 92.44, 0), "PCS 2 IGBT temperature HH 92.4 °C (90)", "2号PCS IGBT温度 越上上限 92.4 °C (90)"),
        (("l", -6.0, 0), "PCS 2 IGBT temperature L −6.0 °C (−5.25)", "2号PCS IGBT温度 越下限 −6.0 °C (−5.25)"),
        (("state", 2.0, 0), "PCS 2 Run state: fault", "2号PCS 运行状态：故障"),
        (("state", 3.0, 0), "PCS 2 Run state: 3", "2号PCS 运行状态：3"),
        (
            ("quality", 5.0, IV | RANGE),
            "PCS 2 IGBT temperature bad quality IV|RANGE",
            "2号PCS IGBT温度 质量异常 IV|RANGE",
        ),
        (("quality", math.nan, 0), "PCS 2 IGBT temperature bad quality no number", "2号PCS IGBT温度 质量异常 无数值"),
        (("lost", 5.0, NT), "PCS 2 IGBT temperature not updated, device lost", "2号PCS IGBT温度 数据中断"),
    ],
)
def test_messages(igbt: Any, what: tuple[str, float, int], en: str, zh: str) -> None:
    condition, value, quality = what
    rules = [rule for rule in compile_rules(igbt).rules if rule.point.id != "_online"]
    rule = next(rule for rule in rules if rule.condition == condition)
    assert Wording(igbt).raised(rule, value, quality) == Text(en, zh)


def test_messages_of_return(igbt: Any) -> None:
    wording = Wording(igbt)
    by_condition = {rule.condition: rule for rule in compile_rules(igbt).rules if rule.point.id != "_online"}
    said = {condition: wording.returned(rule, 0.0).en for condition, rule in by_condition.items()}
    assert said == {
        "hh": "PCS 2 IGBT temperature HH returned 0.0 °C (90)",
        "l": "PCS 2 IGBT temperature L returned 0.0 °C (−5.25)",
        "state": "PCS 2 Run state returned: stopped",
        "quality": "PCS 2 IGBT temperature quality good again",
        "lost": "PCS 2 IGBT temperature updated again",
    }


@pytest.mark.parametrize(
    ("value", "precision", "shown"),
    [(1.005, 2, "1.0"), (-0.04, 1, "0.0"), (-3.0, 0, "−3"), (1234567.0, None, "1.23457e+06"), (math.nan, 1, "–")],
)
def test_figures(value: float, precision: int | None, shown: str) -> None:
    assert figure(value, precision).startswith(shown)
