"""What dispatch centres order: recorded, and decided by control, or refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.alarms.wording import figure, state_name
from app.model.control import ORDERS, GridOrder
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
    number: int = 0
    """By which the worker knows what is to be answered; 0 where it has refused it already."""

    @staticmethod
    def of(centre: Centre, command: OfferedCommand, *, time: int, peer: str, value: float | None,
           qualifier: int, select: bool, cancel: bool, number: int = 0) -> Order:  # fmt: skip
        """From what the worker has read of the wire."""
        meant = float("nan") if value is None else value * command.scale + command.offset
        return Order(
            time, centre.id, peer, command.ioa, command.point, command.name, meant, qualifier, select, cancel, number
        )

    def source(self, station: Station) -> str:
        """Under which name it is journaled."""
        return f"_northbound.{self.centre}" if self.point is None else station.points[self.point].name

    def for_control(self, station: Station) -> GridOrder:
        """As control takes it."""
        point = "" if self.point is None else station.points[self.point].name
        return GridOrder(self.centre, self.peer, f"{ORDERS}{self.centre}.{self.ioa}", point, self.value, self.select,
                         self.cancel)  # fmt: skip


NOT_ACCEPTED: Final = Text("orders are not accepted from it ('orders: refuse')", "不接受其命令（orders: refuse）")
NOT_SELECTED: Final = Text("it was not selected, or too many orders wait", "未经选择，或等待的命令过多")


def told(order: Order, station: Station, centre: Centre, refused: Text | None) -> Text:
    """`Dispatch centre Dispatch 1 (10.0.0.5:40000) orders PCS 1 Power setpoint 120 kW: refused, ...`."""
    value = _value(order, station)
    en, zh = ("cancels", "撤销") if order.cancel else ("selects", "选择") if order.select else ("orders", "下令")
    end = Text(f"refused, {refused.en}", f"已拒绝，{refused.zh}") if refused else Text("accepted", "已接受")
    return Text(
        f"Dispatch centre {centre.name.en} ({order.peer}) {en} {order.name.en} {value.en}: {end.en}",
        f"调度主站 {centre.name.zh}（{order.peer}）{zh} {order.name.zh} {value.zh}：{end.zh}",
    )


def many_more(count: int, centre: Centre) -> Text:
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
