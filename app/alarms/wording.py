"""What alarms and events say, in both languages, in the words and digits of the point."""

from __future__ import annotations

import math
from typing import Final

from app.alarms.rules import Rule
from app.model.own_points import ONLINE
from app.model.quality import letters
from app.model.station import Point, Station
from app.model.text import Text
from app.model.units import symbol

_LIMITS: Final[dict[str, Text]] = {
    "hh": Text("HH", "越上上限"),
    "h": Text("H", "越上限"),
    "l": Text("L", "越下限"),
    "ll": Text("LL", "越下下限"),
}


def figure(value: float, precision: int | None) -> str:
    """A number as the point shows it, with a true minus sign; `–` where there is none."""
    if not math.isfinite(value):
        return "–"
    if precision is None:
        return f"{value:.6g}".replace("-", "−")
    return f"{round(value, precision) + 0.0:.{precision}f}".replace("-", "−")  # + 0.0: no minus before zero


def state_name(point: Point, value: float) -> Text:
    """The state's name, or its number where the point does not name it."""
    states = point.form.states or {}
    if math.isfinite(value) and value == int(value) and int(value) in states:
        return states[int(value)]
    return Text.of(figure(value, None))


class Wording:
    """Messages for one station. What does not change of a rule's message is put together once."""

    def __init__(self, station: Station) -> None:
        self._names = {device.id: device.name for device in station.devices}
        self._parts: dict[tuple[str, str], tuple[str, str, str]] = {}

    def raised(self, rule: Rule, value: float, quality: int) -> Text:
        """`PCS 2 IGBT temperature HH 92.4 °C (90)`."""
        if rule.condition in _LIMITS:
            en, zh, rest = self._limit_parts(rule)
            what = figure(value, rule.point.form.precision)
            return Text(f"{en} {what}{rest}", f"{zh} {what}{rest}")
        if rule.point.id == ONLINE:
            return self._connection(rule.point, online=False)
        subject = self._subject(rule.point)
        if rule.condition == "state":
            state = state_name(rule.point, value)
            return Text(f"{subject.en}: {state.en}", f"{subject.zh}：{state.zh}")
        if rule.condition == "lost":
            return Text(f"{subject.en} not updated, device lost", f"{subject.zh} 数据中断")
        why = letters(quality)
        return Text(f"{subject.en} bad quality {why or 'no number'}", f"{subject.zh} 质量异常 {why or '无数值'}")

    def returned(self, rule: Rule, value: float) -> Text:
        """`PCS 2 IGBT temperature HH returned 87.9 °C (90)`."""
        if rule.condition in _LIMITS:
            en, zh, rest = self._limit_parts(rule)
            what = figure(value, rule.point.form.precision)
            return Text(f"{en} returned {what}{rest}", f"{zh} 恢复 {what}{rest}")
        if rule.point.id == ONLINE:
            return self._connection(rule.point, online=True)
        subject = self._subject(rule.point)
        if rule.condition == "state":
            state = state_name(rule.point, value)
            return Text(f"{subject.en} returned: {state.en}", f"{subject.zh} 恢复：{state.zh}")
        if rule.condition == "lost":
            return Text(f"{subject.en} updated again", f"{subject.zh} 数据恢复")
        return Text(f"{subject.en} quality good again", f"{subject.zh} 质量恢复")

    def changed(self, point: Point, old: float, new: float, *, while_stopped: bool) -> Text:
        """`PCS 2 Run state: stopped → running`."""
        if point.id == ONLINE:
            text = self._connection(point, online=new != 0)
        else:
            subject, before, after = self._subject(point), state_name(point, old), state_name(point, new)
            text = Text(f"{subject.en}: {before.en} → {after.en}", f"{subject.zh}：{before.zh} → {after.zh}")
        if while_stopped:
            return Text(f"{text.en} (changed before Gridroom started)", f"{text.zh}（启动前已变化）")
        return text

    def _connection(self, point: Point, *, online: bool) -> Text:
        device = self._names[point.device]
        if online:
            return Text(f"{device.en} connection restored", f"{device.zh} 通信恢复")
        return Text(f"{device.en} connection lost", f"{device.zh} 通信中断")

    def _subject(self, point: Point) -> Text:
        device = self._names[point.device]
        return Text(f"{device.en} {point.label.en}", f"{device.zh} {point.label.zh}")

    def _limit_parts(self, rule: Rule) -> tuple[str, str, str]:
        """What stands before the value in English and in Chinese, and what stands after it."""
        key = (rule.point.name, rule.condition)
        if key not in self._parts:
            subject, word = self._subject(rule.point), _LIMITS[rule.condition]
            unit = symbol(rule.point.unit)
            limit = f"{rule.limit:.10g}".replace("-", "−")
            rest = f"{' ' if unit else ''}{unit} ({limit})"
            self._parts[key] = (f"{subject.en} {word.en}", f"{subject.zh} {word.zh}", rest)
        return self._parts[key]
