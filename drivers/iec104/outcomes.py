"""What becomes of a command: told from the frames of the station, not from what a library makes of them. No I/O.

    sent ─▶ [selected ─▶] confirmed ─▶ terminated
              └─ refused    └─ refused    └─ refused

A command is done at its activation termination, or at its confirmation where none comes; refused at a negative one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from app.model.errors import RefusedByDevice
from app.model.text import Text
from drivers.iec104.asdu import Control
from drivers.iec104.typeids import COMMANDS_BY_TYPE, REFUSALS, Cause, named

SELECT_AT: Final = {"single": 0, "double": 0, "step": 0, "normalized": 2, "scaled": 2, "short": 4}
"""Octet of an element that has the S/E bit."""
SELECT: Final = 0x80
"""The S/E bit."""
_NEGATIVE: Final = Text("its confirmation is negative", "否定确认")
_LOOK_AT_ADDRESS: Final = Text("look at the address", "请核对地址")
_LOOK_AT_STATION: Final = Text(
    "look whether it is in local, locked or selected", "请检查是否处于就地、闭锁或已被其他主站选择"
)


@dataclass
class Outcome:
    """Follows one activation: of a command, an interrogation, a clock."""

    type: int
    ca: int
    ioa: int
    device: str
    select: bool = False
    earlier: Collection[bytes] = ()
    """What was ordered here before and not answered in time, as `order_of` has it: its answer may still come."""
    order: bytes = b""
    """What was sent, likewise."""
    selected: bool = False
    sent: asyncio.Event = field(default_factory=asyncio.Event)
    confirmed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at the confirmation, and when the end comes without one."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    refusal: RefusedByDevice | None = None

    @property
    def key(self) -> tuple[int, int, int]:
        """By which a station's frames are told to be of it."""
        return self.type, self.ca, self.ioa

    @property
    def name(self) -> Text:
        """What was activated where, as messages say it."""
        type_ = named(self.type)
        if not self.ioa:
            return Text(f"{type_} of station {self.ca}", f"站 {self.ca} 的 {type_}")
        return Text(f"{type_} at {self.ioa} of station {self.ca}", f"站 {self.ca} 信息对象 {self.ioa} 的 {type_}")

    def take(self, control: Control, sent: bool) -> None:
        """A frame of ours or of the station that has our key. An answer repeats what it answers."""
        order = order_of(control)
        if sent:
            self.order = order
            self.sent.set()
        elif order != self.order and order in self.earlier:
            return
        elif control.negative or control.cause in REFUSALS:
            self._refuse(control)
        elif control.cause == Cause.CONFIRMATION:
            if self.select and is_selection(control):
                self.selected = True
            else:
                self.confirmed.set()
        elif control.cause == Cause.TERMINATION and self.confirmed.is_set():
            self.ended.set()  # one before is of a selection, or of nothing

    def _refuse(self, control: Control) -> None:
        why, what = REFUSALS.get(control.cause, _NEGATIVE), self.name
        mend = _LOOK_AT_ADDRESS if control.cause in REFUSALS else _LOOK_AT_STATION
        of, refused = ("the selection of ", "选择被拒绝") if is_selection(control) else ("", "被拒绝")
        text = Text(f"{of}{what.en} was refused: {why.en}; {mend.en}", f"{what.zh} {refused}：{why.zh}；{mend.zh}")
        self.refusal = RefusedByDevice(text, device=self.device, code=control.cause)
        self.confirmed.set()
        self.ended.set()


def order_of(control: Control) -> bytes:
    """What a command, or an answer to it, orders: its element without the S/E bit and without its time."""
    command = COMMANDS_BY_TYPE.get(control.type)
    if command is None or command.element not in SELECT_AT:
        return control.element[:4]
    at = SELECT_AT[command.element]
    return control.element[:at] + bytes(octet & ~SELECT for octet in control.element[at : at + 1])


def is_selection(control: Control) -> bool:
    """Whether a command is to select, or answers to that."""
    command = COMMANDS_BY_TYPE.get(control.type)
    if command is None or command.element not in SELECT_AT:
        return False
    at = SELECT_AT[command.element]
    return len(control.element) > at and bool(control.element[at] & SELECT)
