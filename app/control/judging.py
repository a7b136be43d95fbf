"""Why a person's or a centre's request is refused, in words: before anything of it is done."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from app.control.controller import Controller
from app.control.refused import ControlError
from app.model.control import COMMAND_ROLES, Mode, Quantity
from app.model.station import Point
from app.model.text import Text

LOCAL: Final = Text("switched to local", "处于就地")
UNKNOWN_PLACE: Final = Text(
    "it does not tell whether it is switched to local; see its connection", "就地/远方状态未知，请检查通信"
)


class Judge:
    """Of one running station. On the engine's loop; everything raises ControlError."""

    def __init__(self, controller: Callable[[], Controller]) -> None:
        """It is asked anew each time: a changed configuration has another."""
        self._controller = controller

    def setpoint(self, device: str, quantity: Quantity, value: float) -> int:
        """The channel that a person may set to a value now."""
        i = self.channel(device, quantity)
        controller = self._controller()
        one, low, high = controller.fleet.channels[i], float(controller.fleet.low[i]), float(controller.fleet.high[i])
        self.refuse_blocked(device, i)
        if not (math.isfinite(value) and low <= value <= high):
            raise ControlError(Text(f"{value:g} is not within {low:g} to {high:g} {one.point.unit}",
                                    f"{value:g} 超出 {low:g} 至 {high:g} {one.point.unit}"))  # fmt: skip
        if controller.standing.mode_of(device) is not Mode.MANUAL:
            raise ControlError(
                Text(f"{device} is not in manual; put it in manual first", f"{device} 不在手动；请先切至手动")
            )
        return i

    def channel(self, device: str, quantity: Quantity) -> int:
        """Position of a device's channel."""
        for i in self._controller().fleet.by_device.get(device, ()):
            if self._controller().fleet.channels[i].quantity is quantity:
                return i
        raise ControlError(Text(f"{device} has no setpoint of its {quantity.value}", f"{device} 没有该设定点"))

    def commanded(self, device: str, role: str) -> Point:
        """The point of a command that a device has."""
        found = self._controller().station.by_id.get(device)
        point = found.role(role) if found is not None and role in COMMAND_ROLES else None
        if point is None:
            raise ControlError(Text(f"{device} has no command '{role}'", f"{device} 没有命令“{role}”"))
        return point

    def refuse_blocked(self, device: str, i: int | None) -> None:
        """Where nothing may be sent to a device now; `i` is its channel, None for a command."""
        if self._controller().station.read_only:
            raise ControlError(Text("the station is read-only", "本站为只读"))
        if device in self._controller().standing.tags:
            why = self._controller().standing.tags[device]
            raise ControlError(Text(f"{device} is tagged: {why}", f"{device} 已挂牌：{why}"))
        if i is not None and self._controller().standing.stopped:
            raise ControlError(Text("the emergency stop is in; release it first", "急停有效；请先解除"))
        if i is not None and device in self._controller().standing.trips:
            why_ = self._controller().standing.trips[device]
            raise ControlError(
                Text(f"{device} has tripped: {why_.en}; reset it first", f"{device} 已跳闸：{why_.zh}；请先复归")
            )
        remote = self._controller().remote(device)
        if math.isnan(remote):
            raise ControlError(UNKNOWN_PLACE.at(Text.of(device)))
        if remote == 0:
            raise ControlError(LOCAL.at(Text.of(device)))
