"""What dispatch centres order: recorded, and for now refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.alarms.wording import figure, state_name
from app.model.station import Station
from app.model.text import Text
from app.model.units import symbol
from app.northbound.centre import Centre, OfferedCommand

AT_ONCE: Final = 20
"""Orders of one second that are recorded each by itself; of more, the number is."""


@dataclass(frozen=True, slots=True)
class Order:
    """A command that came from a centre. It is a request, of the grid's priority, and never a write."""

    time: int
    """When it came, UTC nanoseconds."""
    centre: str
    peer: str
    ioa: int
    point: int | None
    """Index into `Station.points`; None where the object stands for no point."""
    name: Text
    value: float
    """In the point's own unit; NaN where the command carried none."""
    qualifier: int
    select: bool
    cancel: bool

    @staticmethod
    def of(centre: Centre, command: OfferedCommand, *, time: int, peer: str, value: float | None,
           qualifier: int, select: bool, cancel: bool) -> Order:  # fmt: skip
        """From what the worker has read of the wire."""
        number = float("nan") if value is None else value * command.scale + command.offset
        return Order(time, centre.id, peer, command.ioa, command.point, command.name, number, qualifier, select, cancel)

    def source(self, station: Station) -> str:
        """Under which name it is journaled."""
        return f"_northbound.{self.centre}" if self.point is None else station.points[self.point].name


def refused(order: Order, station: Station, centre: Centre) -> Text:
    """`Dispatch centre Dispatch 1 (10.0.0.5:40000) orders PCS 1 Power setpoint 120 kW: refused, ...`."""
    value = _value(order, station)
    en, zh = ("cancels", "撤销") if order.cancel else ("selects", "选择") if order.select else ("orders", "下令")
    return Text(
        f"Dispatch centre {centre.name.en} ({order.peer}) {en} {order.name.en} {value.en}: refused, "
        "control from outside is not built yet",
        f"调度主站 {centre.name.zh}（{order.peer}）{zh} {order.name.zh} {value.zh}：已拒绝，尚未具备远方控制功能",
    )


def more_refused(count: int, centre: Centre) -> Text:
    """That so many further orders came within one second."""
    return Text(
        f"Dispatch centre {centre.name.en}: {count} further orders within a second, all refused",
        f"调度主站 {centre.name.zh}：1 秒内另有 {count} 条命令，均已拒绝",
    )


def _value(order: Order, station: Station) -> Text:
    if order.point is None:
        return Text.of(figure(order.value, None))
    point = station.points[order.point]
    if point.form.states:
        return state_name(point, order.value)
    unit = symbol(point.unit)
    return Text.of(f"{figure(order.value, point.form.precision)}{' ' if unit else ''}{unit}")
