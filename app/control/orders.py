"""Orders of dispatch centres: what of the station one speaks of, and why it is not taken.

What a device's setpoint stands for is a target of the grid's rank; what no point stands for is a number that strategies
follow by its name (`curtailment: {order: northbound.CENTRE.OBJECT}`); what a command stands for is done once.
"""

from __future__ import annotations

import math
from typing import Final

from app.control.controller import Controller
from app.control.standing import Standing
from app.model.control import COMMAND_ROLES, GridOrder, Mode
from app.model.station import Point
from app.model.text import Text

_OPPOSITE: Final = {"open": "close", "close": "open", "start": "stop", "stop": "start"}


def commanded(order: GridOrder, controller: Controller) -> tuple[str, str] | None:
    """(device, role) of what is to be done once; None for an order that stands. 0 means the opposite."""
    point = _point(order, controller)
    if point is None or point.form.role not in COMMAND_ROLES:
        return None
    role = point.form.role if order.value else _OPPOSITE.get(point.form.role, "")
    return point.device, role


def why_not(order: GridOrder, controller: Controller, standing: Standing) -> Text | None:
    """Why an order is not taken; None where it may be."""
    if controller.station.read_only:
        return Text("the station is read-only", "本站为只读")
    if order.cancel:
        return None
    if not math.isfinite(order.value):
        return Text("it carries no value", "命令不含数值")
    if not order.point:
        followed = any(order.key in one.bound.strategy.points() for one in controller.runners)
        return None if followed else Text("no strategy follows it", "没有策略跟随该命令")
    point = _point(order, controller)
    if point is None:
        return Text("there is no such point any more", "该测点已不存在")
    if standing.mode_of(point.device) is not Mode.AUTO:
        return Text(f"{point.device} is not in auto", f"{point.device} 不在自动")
    if commanded(order, controller) is not None:
        return None
    i = channel_of(order, controller)
    if i is None:
        return Text(f"{point.name} is no setpoint of control", f"{point.name} 不是控制设定点")
    low, high = float(controller.fleet.low[i]), float(controller.fleet.high[i])
    if not low <= order.value <= high:
        unit = point.unit or ""
        return Text(f"{order.value:g} is not within {low:g} to {high:g} {unit}",
                    f"{order.value:g} 超出 {low:g} 至 {high:g} {unit}")  # fmt: skip
    return None


def channel_of(order: GridOrder, controller: Controller) -> int | None:
    """Position of the channel whose setpoint is ordered; None for anything else."""
    for i, one in enumerate(controller.fleet.channels):
        if one.point.name == order.point:
            return i
    return None


def _point(order: GridOrder, controller: Controller) -> Point | None:
    index = controller.station.by_name.get(order.point)
    return None if index is None else controller.station.points[index]
