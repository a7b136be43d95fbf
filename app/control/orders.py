"""Orders of dispatch centres: what of the station one speaks of, and why it is not taken.

What a device's setpoint stands for is a target of the grid's rank; what no point stands for is a number that strategies
follow by its name (`curtailment: {order: northbound.CENTRE.OBJECT}`); what a command stands for is done once.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from typing import Any, Final, Protocol

from app.control.controller import Controller
from app.control.judging import Judge
from app.control.kept import Change
from app.control.ledger import Writer
from app.control.refused import ControlError
from app.control.standing import Manual, Standing
from app.model.access import Actor
from app.model.audit import AuditEntry, Result
from app.model.control import COMMAND_ROLES, GridOrder, Mode
from app.model.errors import GridroomError
from app.model.station import Point
from app.model.text import Text

WITHIN_S: Final = 5.0
"""So long a centre waits for what it has ordered; its worker gives up after 8 s."""
_WHAT: Final = "control.order"
_LATE: Final = Text("the device did not take it in time", "设备未在规定时间内接受")


class Decide(Protocol):
    """How something is decided of what stands."""

    async def __call__(self, key: str, change: Change, *, tightens: bool) -> None: ...


_log = logging.getLogger("gridroom.control")
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
    return controller.fleet.position.get(order.point)


def _point(order: GridOrder, controller: Controller) -> Point | None:
    index = controller.station.by_name.get(order.point)
    return None if index is None else controller.station.points[index]


class Orders:
    """Takes or refuses orders, each with its rows of the audit. On the engine's loop."""

    def __init__(
        self,
        controller: Callable[[], Controller],
        judge: Judge,
        audit: Writer,
        accepting: Callable[[], Collection[str]],
        *,
        execute: Callable[[str, str], Awaitable[Any]],
        decide: Decide,
        number: Callable[[], int],
    ) -> None:
        """`accepting` names the centres that may order; `execute` does a command (device, role); `decide` keeps what
        is decided and lets it be done; `number` is another than any that stands."""
        self._controller, self._judge, self._audit, self._accepting = controller, judge, audit, accepting
        self._execute, self._decide, self._number = execute, decide, number

    async def take(self, order: GridOrder) -> Text | None:
        """None where it is taken, else why it is not."""
        controller = self._controller()
        why, todo = why_not(order, controller, controller.standing), commanded(order, controller)
        try:
            if why is None and not order.cancel:
                self._refuse_blocked(order, todo)
        except ControlError as error:
            why = error.text
        actor = Actor(order.centre, "dispatch centre", order.peer)
        asked = AuditEntry(actor, _WHAT, order.point or order.key, Result.ASKED,
                           details={"value": order.value, "select": order.select, "cancel": order.cancel})  # fmt: skip
        if why is not None:
            self._audit.write(replace(asked, result=Result.DENIED, reason=why.en))
            return why
        if order.select:
            return None
        id_ = 0
        try:
            id_ = await asyncio.wrap_future(self._audit.write(asked))
            now = self._controller()
            if (why := why_not(order, now, now.standing)) is not None:
                raise ControlError(why)  # somebody has decided otherwise meanwhile
            doing = self._execute(*todo) if todo is not None and not order.cancel else self._stand(order)
            async with asyncio.timeout(WITHIN_S):
                await doing
        except TimeoutError:
            self._audit.write(replace(asked, result=Result.FAILED, reason=_LATE.en, asks=id_, details=None))
            return _LATE
        except GridroomError as error:
            self._audit.write(replace(asked, result=Result.FAILED, reason=str(error), asks=id_, details=None))
            return error.text
        self._audit.write(replace(asked, result=Result.DONE, asks=id_, details=None))
        return None

    def _refuse_blocked(self, order: GridOrder, todo: tuple[str, str] | None) -> None:
        """As a person's request would be. Raises ControlError."""
        controller = self._controller()
        if todo is not None:
            self._judge.commanded(*todo)
            self._judge.refuse_blocked(todo[0], None)
        elif (i := channel_of(order, controller)) is not None:
            self._judge.refuse_blocked(controller.fleet.channels[i].device.id, i)

    async def _stand(self, order: GridOrder) -> None:
        """It holds from now on, or no more; what cannot be kept does not hold."""
        name = order.point or order.key
        given = Manual(order.value, order.centre, order.peer, self._number())

        def change(standing: Standing) -> None:
            standing.orders.pop(name, None)
            if not order.cancel:
                standing.orders[name] = given

        await self._decide(f"order {name}", change, tightens=False)

    def forget(self) -> None:
        """Those of centres that may not order any more."""
        controller = self._controller()
        orders = controller.standing.orders
        if orders and (gone := {one.who for one in orders.values()} - set(self._accepting())):
            for name in [name for name, one in orders.items() if one.who in gone]:
                del orders[name]
            controller.is_to_be_kept = True
            _log.warning("orders of %s stand no more: it may not order here any longer", ", ".join(sorted(gone)))
