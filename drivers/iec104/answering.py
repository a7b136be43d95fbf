"""What a controlled station answers to an ASDU (IEC 60870-5-101, 7.2.3 and 7.4). No I/O.

A command is told to who decides, and answered when that is known; without anybody who does it is refused at once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from app.model.text import Text
from drivers.iec104.asdu import HEAD, NEGATIVE, OBJECT, TEST
from drivers.iec104.clock import StationClock
from drivers.iec104.offered import Offered, Rows
from drivers.iec104.typeids import (
    CLOCK_SYNCHRONISATION,
    COMMANDS_BY_TYPE,
    COUNTER_INTERROGATION,
    INTERROGATION,
    READ,
    RESET,
    TESTS,
    TIME_OCTETS,
    Cause,
    Command,
)

BROADCAST: Final = 65535
"""The common address that means every station."""
_COMMAND_OCTETS: Final = {"single": 1, "double": 1, "step": 1, "normalized": 3, "scaled": 3, "short": 5, "bits": 4}
_ELEMENT_OCTETS: Final = {
    INTERROGATION: 1, COUNTER_INTERROGATION: 1, READ: 0, CLOCK_SYNCHRONISATION: TIME_OCTETS, RESET: 1, 104: 2,
    107: 2 + TIME_OCTETS,
    **{type_: _COMMAND_OCTETS[one.element] + one.timed * TIME_OCTETS for type_, one in COMMANDS_BY_TYPE.items()},
}  # fmt: skip
"""Every type that is understood -> octets of its element."""
_FOR_ALL: Final = (INTERROGATION, COUNTER_INTERROGATION, CLOCK_SYNCHRONISATION, RESET)
_DOUBLES: Final = (float("nan"), 0.0, 1.0, float("nan"))
_STEPS: Final = (float("nan"), -1.0, 1.0, float("nan"))


@dataclass(frozen=True, slots=True)
class Ordered:
    """A command that came: raw value as `asdu.Columns` has them, NaN where it is none."""

    ioa: int
    type: int
    value: float
    qualifier: int
    select: bool
    cancel: bool = False
    """The deactivation of it."""


@dataclass(slots=True)
class Answer:
    """What goes back."""

    now: list[bytes] = field(default_factory=list)
    """Confirmations, before everything else."""
    then: list[bytes] = field(default_factory=list)
    """Values and the end of them, behind what waits already."""
    order: Ordered | None = None
    decided: bool = True
    """False: `order` is answered later, by `decided`."""
    clock_ns: int | None = None
    """The time that it would have us take."""
    fault: Text | None = None
    """Why nothing is answered."""


class Answering:
    """The part of one controlled station in every talk."""

    def __init__(
        self,
        offered: Offered,
        commands: Mapping[int, int],
        clock: StationClock,
        *,
        confirms_clock: bool,
        decides: bool = False,
    ) -> None:
        """`commands`: information object address -> type, the one without time. `decides`: somebody decides about
        orders; else each is refused."""
        self._offered = offered
        self._commands = commands
        self._clock = clock
        self._confirms_clock = confirms_clock
        self._decides = decides

    def answer(self, asdu: bytes, now_ns: int, *, busy: bool = False) -> Answer:
        """To one ASDU. `busy`: too many interrogations wait, another is refused."""
        if len(asdu) < HEAD + OBJECT:
            return Answer(fault=Text(f"an ASDU of {len(asdu)} octets", f"ASDU 只有 {len(asdu)} 个字节"))
        type_, cause = asdu[0], asdu[2] & 0x3F
        if type_ not in _ELEMENT_OCTETS:
            return Answer(now=[_mirror(asdu, Cause.UNKNOWN_TYPE, negative=True)])
        if asdu[1] != 1 or len(asdu) != HEAD + OBJECT + _ELEMENT_OCTETS[type_]:
            size, count = len(asdu), asdu[1] & 0x7F
            text = Text(
                f"{size} octets with {count} objects do not fit type {type_}",
                f"{size} 个字节、{count} 个信息对象与类型标识 {type_} 不符",
            )
            return Answer(fault=text)
        wanted = (Cause.REQUESTED,) if type_ == READ else (Cause.ACTIVATION, Cause.DEACTIVATION)
        if cause not in wanted:
            return Answer(now=[_mirror(asdu, Cause.UNKNOWN_CAUSE, negative=True)])
        ca, ioa = int.from_bytes(asdu[4:6], "little"), int.from_bytes(asdu[6:9], "little")
        if ca != self._offered.ca and not (ca == BROADCAST and type_ in _FOR_ALL):
            return Answer(now=[_mirror(asdu, Cause.UNKNOWN_ADDRESS, negative=True)])
        if ca == BROADCAST:  # a station answers by its own name
            asdu = asdu[:4] + self._offered.ca.to_bytes(2, "little") + asdu[6:]
        if type_ in COMMANDS_BY_TYPE:
            return self._command(asdu, ioa, COMMANDS_BY_TYPE[type_])
        if type_ == READ:
            return self._read(asdu, ioa)
        if ioa:
            return Answer(now=[_mirror(asdu, Cause.UNKNOWN_OBJECT, negative=True)])
        if cause == Cause.DEACTIVATION or type_ == RESET:
            return _refused(asdu)
        if type_ in TESTS:
            return Answer(now=[_mirror(asdu, Cause.CONFIRMATION)])
        if type_ == CLOCK_SYNCHRONISATION:
            return self._set_clock(asdu, now_ns)
        return _refused(asdu) if busy else self._interrogate(asdu)

    def _interrogate(self, asdu: bytes) -> Answer:
        qualifier = asdu[9]
        if asdu[0] == INTERROGATION:
            if not Cause.INTERROGATED <= qualifier <= Cause.INTERROGATED + 16:
                return _refused(asdu)
            cause, rows = qualifier, self._offered.interrogated(qualifier - Cause.INTERROGATED)
        else:
            request = qualifier & 0x3F
            if not 1 <= request <= 5 or qualifier & 0xC0:  # freezing and resetting are not ours to do
                return _refused(asdu)
            group = request % 5  # 5 is the general request
            cause, rows = Cause.COUNTED + group, self._offered.counters(group)
        values = self._values(rows, cause, asdu)
        return Answer(now=[_mirror(asdu, Cause.CONFIRMATION)], then=[*values, _mirror(asdu, Cause.TERMINATION)])

    def _values(self, rows: Rows, cause: int, asdu: bytes) -> list[bytes]:
        return self._offered.asdus(rows, cause, originator=asdu[3])

    def _read(self, asdu: bytes, ioa: int) -> Answer:
        rows = self._offered.one(ioa)
        if rows is None:
            return Answer(now=[_mirror(asdu, Cause.UNKNOWN_OBJECT, negative=True)])
        return Answer(then=self._values(rows, Cause.REQUESTED, asdu))

    def _set_clock(self, asdu: bytes, now_ns: int) -> Answer:
        octets = np.array([int.from_bytes(asdu[9:16], "little")], np.uint64)
        time, _ = self._clock.read(octets, now_ns)
        answer = _refused(asdu)
        if self._confirms_clock:
            answer = Answer(now=[_mirror(asdu[:9] + self._clock.octets(now_ns), Cause.CONFIRMATION)])
        answer.clock_ns = int(time[0])
        return answer

    def _command(self, asdu: bytes, ioa: int, command: Command) -> Answer:
        offered = self._commands.get(ioa)
        if offered is None:
            return Answer(now=[_mirror(asdu, Cause.UNKNOWN_OBJECT, negative=True)])
        if COMMANDS_BY_TYPE[offered].element != command.element:
            return Answer(now=[_mirror(asdu, Cause.UNKNOWN_TYPE, negative=True)])
        test = bool(asdu[2] & TEST)
        answer = Answer(decided=False) if self._decides and not test else _refused(asdu)
        if not test:
            value, qualifier, select = _READERS[command.element](asdu[9:])
            cancel = asdu[2] & 0x3F == Cause.DEACTIVATION
            answer.order = Ordered(ioa, asdu[0], value, qualifier, select, cancel)
        return answer


def _mirror(asdu: bytes, cause: int, *, negative: bool = False) -> bytes:
    """The same ASDU with another cause; its test bit and originator stay."""
    return asdu[:2] + bytes((cause | (NEGATIVE if negative else 0) | asdu[2] & TEST,)) + asdu[3:]


def decided(asdu: bytes, *, accepted: bool) -> list[bytes]:
    """What is answered to a command when it is known: what was ordered and done is terminated as well."""
    if not accepted:
        return _refused(asdu).now
    confirmed = _mirror(asdu, (asdu[2] & 0x3F) + 1)
    executed = asdu[2] & 0x3F == Cause.ACTIVATION and not is_selection(asdu)
    return [confirmed, _mirror(asdu, Cause.TERMINATION)] if executed else [confirmed]


def is_selection(asdu: bytes) -> bool:
    """Whether a command only selects."""
    return _READERS[COMMANDS_BY_TYPE[asdu[0]].element](asdu[9:])[2]


def selected(asdu: bytes) -> bytes:
    """By which the execution of a command is known as that of its selection: object and element, without S/E."""
    octets = _COMMAND_OCTETS[COMMANDS_BY_TYPE[asdu[0]].element]
    element = bytearray(asdu[9 : 9 + octets])
    element[-1] &= 0x7F
    return asdu[4:9] + bytes(element)


def _refused(asdu: bytes) -> Answer:
    """The negative confirmation of an activation or deactivation."""
    return Answer(now=[_mirror(asdu, (asdu[2] & 0x3F) + 1, negative=True)])


# ------------------------------------------------ elements of commands (7.2.6.15 to 18, .39): value, QU or QL, S/E

_Read = tuple[float, int, bool]


def _of_octet(octet: int) -> tuple[int, bool]:
    return octet >> 2 & 0x1F, bool(octet & 0x80)


def _number(element: bytes, form: str, scale: float = 1.0) -> _Read:
    value, qualifier = struct.unpack_from(form, element)
    return value / scale, qualifier & 0x7F, bool(qualifier & 0x80)


def _short(element: bytes) -> _Read:
    value, qualifier, select = _number(element, "<fB")
    return value if np.isfinite(value) else float("nan"), qualifier, select


_READERS: Final[Mapping[str, Callable[[bytes], _Read]]] = {
    "single": lambda e: (float(e[0] & 1), *_of_octet(e[0])),
    "double": lambda e: (_DOUBLES[e[0] & 3], *_of_octet(e[0])),
    "step": lambda e: (_STEPS[e[0] & 3], *_of_octet(e[0])),
    "normalized": lambda e: _number(e, "<hB", 32768),
    "scaled": lambda e: _number(e, "<hB"),
    "short": _short,
    "bits": lambda e: (float(int.from_bytes(e[:4], "little")), 0, False),
}
