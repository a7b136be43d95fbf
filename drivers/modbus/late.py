"""Answers that come after nobody waits for them any more.

An RTU answer does not say which request it belongs to. When a unit was given up, its answer may still arrive, and must
not be taken for the answer to the next request. So what each unit still owes is remembered; as long as it owes an
answer of the same shape (unit, function, length) as the next request's, it is first asked something of another shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PATIENCE_S: Final = 10.0
"""How long at least an answer is still expected; ten time-outs where that is longer."""


@dataclass(frozen=True, slots=True)
class _Owed:
    unit: int
    function: int
    size: int
    since: float
    until: float


class LateAnswers:
    """What units of one line still owe. Times are seconds of the loop's clock, sizes bytes of PDU."""

    def __init__(self) -> None:
        self._owed: list[_Owed] = []

    @property
    def any(self) -> bool:
        """Whether anything may be owed at all."""
        return bool(self._owed)

    def owe(self, unit: int, function: int, size: int, *, now: float, timeout_s: float) -> None:
        """A request was given up."""
        self._owed.append(_Owed(unit, function, size, now, now + max(PATIENCE_S, 10 * timeout_s)))

    def settle(self, unit: int, pdu: bytes) -> bool:
        """An answer came that is not the present request's; True when it was owed."""
        function, refused = pdu[0] & 0x7F, bool(pdu[0] & 0x80)
        for owed in self._owed:
            if owed.unit == unit and owed.function == function and (refused or owed.size == len(pdu)):
                self._owed.remove(owed)
                return True
        return False

    def forgive(self, unit: int) -> None:
        """The unit answered something that cannot be mistaken: what it has not sent by now will not come."""
        self._owed = [owed for owed in self._owed if owed.unit != unit]

    def doubtful(self, unit: int, function: int, size: int, *, now: float) -> bool:
        """Whether an answer of this shape may be an older request's."""
        self._owed = [owed for owed in self._owed if owed.until > now]
        shape = (unit, function, size)
        return any((owed.unit, owed.function, owed.size) == shape for owed in self._owed)

    def owed_by(self, unit: int) -> tuple[int, float]:
        """How many answers the unit owes, and since when the last of them."""
        since = [owed.since for owed in self._owed if owed.unit == unit]
        return len(since), max(since, default=0.0)
